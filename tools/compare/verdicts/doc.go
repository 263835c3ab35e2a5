// Package verdicts compares verification with another implementation: whatever
// package verifier accepts, lestrrat-go/jwx accepts under the same rules (the
// same keys, algorithms, issuer, audience and time), and reads the same
// subject. The other direction does not hold and need not: package verifier
// refuses more.
//
// It has no code of its own, only tests. They stand in a module apart, so that
// no user of Portcullis downloads what they need.
package verdicts
