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

// The files, by what they do:
//
//   - issuer.go: Issuer: documents, tokens, faults, counts
//   - transport.go: how an Issuer is reached: TLS, or inside the process
//   - tokenendpoint.go: what its token endpoint demands of clients
//   - introspection.go: opaque, encrypted and revoked tokens
//   - keys.go: signing keys, and how they are published
//   - signer.go: keys of algorithms from outside of the standard library
//   - algorithm.go: SignatureAlgorithm, a fake algorithm
//   - dpop.go: DPoPClient; proofs.go: options that change or spoil a proof
//   - token.go: tokens without any signature, for handlers
//   - request.go: RequestVerifier, which answers as it is told
//   - clock.go: Clock
//   - store.go: Cache, ReplayStore and RevocationStore
//   - faults.go: how they fail, and how often they were called
//   - run.go: a testing.TB outside of tests
