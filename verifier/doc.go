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
// with [Require]. Programs that are no net/http servers call
// [Verifier.VerifyRequest].
//
// # The order of checks
//
// Each step works on what the steps before it have left over, and nothing is
// fetched before the third one has passed:
//
//  1. Header: one Authorization line, one DPoP line, sizes.
//  2. Parse: compact JWS, canonical base64url, strict JSON, all of it once. Every
//     later step reads from this parse.
//  3. Issuer gate: the issuer must be one that [Config.Domain] or
//     [Config.Domains] allows for this request. Time, audience and required
//     claims may refuse here, too: a dead token is cheap.
//  4. Keys: of that issuer only, chosen by kid, type, use and algorithm.
//  5. Signature; then the issuer, byte by byte, against the source of the keys.
//  6. Confirmation: a cnf claim that is not understood is a refusal; a
//     certificate (RFC 8705) must be the client's.
//  7. Proof: the checks of RFC 9449, Section 4.3, the binding, the nonce, and last
//     of all the record against replay.
//
// # Outcomes
//
// Every failure is an [*Error]. "The token is bad" (401) and "could not decide"
// (503, [ErrUnavailable]) are never mixed: an outage of an issuer, resolver or
// store does not make clients throw good tokens away. [Error.WriteHeaders] and
// [WriteError] answer with legal challenges. docs/errors.md lists all reasons.
//
// # Seams
//
// [Cache], [ReplayStore], [DomainResolver], [KeyFetcher], [Clock] and [Doer]
// are small interfaces; their comments are the contracts, and package
// conformance proves that an implementation keeps one. Package verifiertest
// has fakes of everything, a real TLS issuer among them.
package verifier
