// Package verifiertest has fakes for tests of programs that use Portcullis:
//
//   - [Issuer], an OpenID Connect issuer on real TLS, or inside the process under
//     a name of the test's choice, with faults on request: it signs and encrypts
//     tokens, issues opaque ones and answers questions about them;
//   - [DPoPClient], which signs DPoP proofs and misbehaves on request;
//   - [NewToken] and [RequestVerifier], for unit tests of handlers;
//   - [Clock], which stands still until it is told otherwise;
//   - [Cache], [ReplayStore] and [RevocationStore] in memory, with faults on request.
//
// They are closed by the Cleanup of the test that made them and share no state,
// so tests can run in parallel. [Run] provides a testing.TB outside of tests.
package verifiertest
