// Package faulttest verifies requests continuously while the backend of an
// adapter fails, and counts what came of them. The tests of the adapters bring
// the backends and the ways in which they fail.
package faulttest

// The files, by what they do:
//
//   - load.go: requests all the time, and what came of them
//   - faults.go: the faults, and the table of what they did
//   - calls.go: calls that are given up, or too many
//   - halt.go: a process that stands still
//   - port.go: a port for a server
