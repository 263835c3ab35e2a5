// Package replay remembers one-time keys, such as the identifiers of DPoP
// proofs (RFC 9449, Section 11.1), within one process.
package replay

// The files, by what they do:
//
//   - store.go: Store, its Config and bounds
//   - shard.go: one stripe of the table
