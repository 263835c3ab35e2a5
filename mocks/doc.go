// Package mocks holds generated mocks of the interfaces of the verifier
// package, for go.uber.org/mock.
package mocks
