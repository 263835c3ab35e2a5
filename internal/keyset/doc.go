// Package keyset parses JSON Web Key Sets (RFC 7517), chooses the key for a
// token and checks signatures.
package keyset

// The files, by what they do:
//
//   - algorithm.go: the standard algorithms, and their signature checks
//   - key.go: one JSON Web Key: its members, checked
//   - set.go: a set of them, entry by entry, and which keys a token may mean
//   - skipped.go: keys that cannot be used, and why
//   - outside.go: algorithms from outside, and the members of their keys
//   - prepared.go: keys of such algorithms, prepared once
