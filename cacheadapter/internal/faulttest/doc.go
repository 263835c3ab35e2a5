// Package faulttest verifies requests continuously while the backend of an
// adapter fails, and counts what came of them. The tests of the adapters bring
// the backends and the ways in which they fail.
package faulttest
