// Package conformance holds the test suites that every implementation of a
// verifier interface must pass.
package conformance
