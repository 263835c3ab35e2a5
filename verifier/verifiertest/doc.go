// Package verifiertest holds fakes for the unit tests of programs that use
// the verifier package.
package verifiertest
