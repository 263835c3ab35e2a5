// Package verifier verifies OAuth 2.0 access tokens in Go APIs: Bearer (RFC
// 6750) and DPoP (RFC 9449), as JWTs (RFC 9068 and the dialects around it),
// from one issuer or many.
//
// A [Verifier] is made once, with [New], and used for every request:
//
//	v, err := verifier.New(verifier.Config{Domain: "tenant.auth0.com", Audience: "https://api.example.com"})
//	...
//	http.ListenAndServe(addr, verifier.Middleware(v, verifier.MiddlewareConfig{})(mux))
//
// Handlers get the [Token] with [TokenFromContext]; routes demand more of it
// with [Require]. Servers that do not use net/http call [Verifier.VerifyRequest].
//
// # The order of checks
//
// The checks run in this order. No network request is made before step 3 has
// passed.
//
//  1. Header: one Authorization line, one DPoP line, sizes.
//  2. Parse: compact JWS, canonical base64url, strict JSON, all of it once. Every
//     later step reads from this parse. An encrypted token is opened first; one that
//     is no JWT is judged by what its issuer says about it.
//  3. Issuer gate: [Config.Domain], [Config.Issuers] or [Config.Domains] must allow
//     the issuer for this request. Its rules, the [Issuer], judge everything after.
//     Type, algorithm, time, audience and required claims may refuse here, too: a
//     dead token is cheap.
//  4. Keys: of that issuer only, chosen by kid, type, use and algorithm.
//  5. Signature; then iss, byte by byte, against the configuration and the source of
//     the keys.
//  6. Confirmation: a cnf claim of which no member is understood is a refusal; a
//     certificate (RFC 8705) must be the client's. Then revocation.
//  7. Proof: the checks of RFC 9449, Section 4.3, the binding, the nonce, and last
//     of all the record against replay.
//
// # Outcomes
//
// Every failure is an [*Error]. "The token is bad" (401) and "could not decide"
// (503, [ErrUnavailable]) are never mixed: an outage of an issuer, resolver or
// store does not make clients throw good tokens away. [Error.WriteHeaders] and
// [WriteError] answer with legal challenges. Package reason and docs/errors.md list
// all reasons.
//
// # Seams
//
// [Cache], [ReplayStore], [DomainResolver], [KeyFetcher], [Introspector],
// [RevocationChecker], [Clock] and [Doer] are small interfaces; their comments are
// the contracts, and package conformance proves that an implementation keeps one.
// Package verifiertest has fakes of everything, a real TLS issuer among them.
//
// # Files
//
// Each file builds on those above it:
//
//   - codes.go: error codes and schemes
//   - errors.go: Error and the errors to branch on
//   - settings.go: ConfigError, and how mistakes are collected
//   - places.go: where claims are
//   - token.go: Token and Proof
//   - actor.go: the act claim
//   - interfaces.go: the seams
//   - opaque.go: the seams of opaque, encrypted and revoked tokens
//   - events.go: what an Observer is told
//   - metadata.go: what an issuer says about itself
//   - doer.go: the HTTP client
//   - signaturealgorithm.go: algorithms from outside of the standard library
//   - algorithms.go: allow-lists of signature algorithms
//   - claims.go: how claims are read
//   - confirmation.go: the cnf claim
//   - keys.go: where an issuer's keys are
//   - issuer.go: Issuer and its names
//   - sources.go: an issuer's keys, checked
//   - united.go: several key sets as one
//   - dpop.go: DPoPConfig and its checks
//   - refresh.go: RefreshConfig and its checks
//   - decrypt.go: DecryptionConfig and encrypted tokens
//   - revoked.go: RevocationConfig and its checks
//   - config.go: Config
//   - proxies.go: what stands between clients and this API
//   - request.go: requests
//   - options.go: options of one verification
//   - policy.go: an Issuer, compiled, and how its rules judge a token
//   - compiled.go: the policies of what resolvers return
//   - gate.go: which issuer may sign, or is asked about an opaque token, and by which rules
//   - answers.go: challenges and error answers
//   - nonce.go: the nonces of proofs
//   - replay.go: the replay record
//   - proof.go: DPoP proofs
//   - memo.go: the memory of verified tokens
//   - verifier.go: Verifier
//   - health.go: the state of documents
//   - signature.go: keys and signatures
//   - introspect.go: opaque tokens
//   - remembered.go: tokens that were verified before
//   - verify.go: the verification, step by step
//   - expiry.go: contexts that end with their token
//   - tokensource.go: where requests carry their token
//   - middleware.go: net/http, and what handlers find in the context
//   - requirement.go: what routes demand
//   - resource.go: protected resource metadata
package verifier
