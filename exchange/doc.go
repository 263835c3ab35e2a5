// Package exchange is a client for OAuth 2.0 token exchange (RFC 8693): it
// turns a token that a program has into one that it needs.
//
// A [Client] is made once, with [New], and used for every request:
//
//	c, err := exchange.New(exchange.Config{
//		Domain: "tenant.auth0.com", ClientID: id, Auth: exchange.ClientSecretBasic(secret),
//	})
//
// There are five flows:
//
//   - [Client.OnBehalfOf]: an API calls another API on behalf of the user whose
//     token it was sent. [SubjectToken] takes that token from the request.
//   - [Client.ExchangeProfile]: a token of any kind becomes an access token, by
//     a Token Exchange Profile of Auth0 or the rules of another issuer.
//   - [Client.ConnectionToken]: the user's token at an external provider, from
//     Auth0's Token Vault.
//   - [Client.IDJAG]: an identity assertion authorization grant, from the user's
//     identity provider, for the authorization server of another domain.
//   - [Client.JWTBearer]: a JWT that another issuer signed, such as that grant,
//     becomes an access token (RFC 7523, Section 2.1).
//
// [Client.TokenSource] and its Transport do the first one for an HTTP client:
// each request is sent with a token for the caller in its context.
//
// # Where secrets go
//
// The token endpoint is the one that the issuer's own metadata names, and it is
// https (http only where the issuer's own name is an http URL, on loopback or a
// listed host); otherwise nothing is sent. The metadata comes from the machinery
// that verification uses (Config.Metadata shares that of a [verifier.Verifier]).
// A request to the token endpoint follows no redirect. One Doer can undo that: an
// http.Client inside a function of the user's own. It cannot send the form again,
// but it may follow a 302 with the same Authorization header to a host below the
// endpoint's; let it return http.ErrUseLastResponse from CheckRedirect.
//
// A token that an API was sent is for that API. It is exchanged, and never
// passed on.
//
// # Client authentication
//
// [ClientSecretBasic], [ClientSecretPost], [PrivateKeyJWT], [ClientAssertion] and
// [MutualTLS]. Secrets, assertions, keys and certificates may change while the
// program runs: [ClientSecretBasicFrom], [CredentialFile], [SigningKeyFile],
// [CertificateFiles].
//
// Assertions of PrivateKeyJWT have the issuer's name as their only audience,
// which is what draft-ietf-oauth-rfc7523bis makes the rule. If the audience were
// the token endpoint's URL, a malicious issuer could name another issuer's
// endpoint in its own metadata, receive an assertion for it, and use that
// assertion there as this client.
//
// # Outcomes
//
// Every failure is an [*Error] that matches one of [ErrArgument], [ErrMetadata],
// [ErrCredentials], [ErrTimeout], [ErrNetwork], [ErrCanceled], [ErrRefused],
// [ErrRateLimited], [ErrInvalidResponse] and [ErrClosed] under errors.Is.
//
// An answer is refused when it is not what was asked for: another
// issued_token_type, a token_type that cannot be used, a token that is not
// bound to Config.DPoPKey, or another organization.
//
// # Results
//
// With Config.Cache, a result is kept for equal requests, and equal requests
// that come at once make one call. Two requests are equal when all that shapes
// the answer is: every token and parameter sent, with the scopes as a set, every
// header, issuer, client, and key. A result lives no longer than what it brought
// and what it was got for (expires_in, and the exp claim of each token that is a
// JWT), minus Config.CacheSkew; a result of which no end is known is not kept.
// How long one lives on after the issuer shut the user out is bounded by
// Config.CacheTTL. Failures are not kept, but for an answer that asks to wait,
// which is respected.
//
// # What is hidden
//
// Printing, logging or marshalling a configuration, a request, a result or a
// client shows none of it. That ends where a value of such a type lies in an
// unexported field of a struct that is printed: package fmt does not ask the
// value there. Keep pointers in such fields.
package exchange

// The files, by what they do.
//
// What is asked for:
//
//   - requests.go: the request of each flow
//   - flows.go: the methods of Client that users call
//   - form.go: the form that each flow sends
//   - reserved.go: names of parameters that callers may not set
//   - subject.go: the subject token: its spelling, and where a call takes it from
//   - organization.go: Auth0's organizations, in requests and in answers
//
// Who asks:
//
//   - auth.go: the ways of client authentication
//   - authenticator.go: one of them, for other packages
//   - credentials.go: secrets, keys and certificates that change; files that are read again
//   - jws.go: signatures of assertions and proofs
//   - dpop.go: proofs, and the nonces of token endpoints
//   - hidden.go: secrets that do not print
//
// How it is sent, and what comes back:
//
//   - config.go: Config and its checks
//   - client.go: Client, and the course of one call
//   - endpoint.go: the token endpoint, from metadata
//   - send.go: one HTTP request
//   - ratelimit.go: how long an endpoint wants to be left alone
//   - response.go: how answers are read, and how long a token lives
//   - token.go: Tokens, the result
//   - errors.go: Error and ConfigError
//
// What is kept, and told:
//
//   - cachekey.go: what makes two calls the same
//   - cache.go: results in the cache
//   - singleflight.go: equal calls that share a request
//   - observer.go: what an Observer is told
//   - downstream.go: TokenSource and its http.RoundTripper
