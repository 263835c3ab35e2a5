// Package portcullis is the root of a library that verifies OAuth 2.0 access
// tokens in Go APIs: Bearer (RFC 6750) and DPoP (RFC 9449), from one issuer or
// many. It has no code; its packages have.
//
// Start with package verifier:
//
//	v, err := verifier.New(verifier.Config{Domain: "tenant.auth0.com", Audience: "https://api.example.com"})
//	http.Handle("/", verifier.Middleware(v, verifier.MiddlewareConfig{})(api))
//
// The packages and what they are for:
//
//   - verifier: the Verifier, its interfaces, and the middleware for net/http
//   - verifier/verifiertest: an issuer, DPoP clients, a clock and a cache for
//     your tests
//   - providers: issuers for the world's identity providers
//   - resolver: which issuers a request may come from, when that depends on the
//     request
//   - exchange: token exchange (RFC 8693)
//   - cacheadapter: how to plug in a cache; memory, redis and memcache are
//     modules below it
//   - conformance: test suites for your own caches, resolvers and key fetchers
//   - mocks: generated mocks of every interface
//   - integration: forward authentication; MCP, gRPC and OpenTelemetry, each in
//     a module of its own
package portcullis
