// Package verifiertest has fakes for tests of programs that use Portcullis: an
// OpenID Connect issuer on real TLS, a client that signs DPoP proofs, a clock
// that can be set, and a cache and replay store with faults on request. They
// are closed by t.Cleanup and share no state, so tests can run in parallel.
package verifiertest
