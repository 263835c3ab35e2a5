// Package exchange is a client for OAuth 2.0 token exchange (RFC 8693): it
// turns a token that a program has into one that it needs.
//
// A [Client] is made once, with [New], and used for every request:
//
//	c, err := exchange.New(exchange.Config{
//		Domain: "tenant.auth0.com", ClientID: id, Auth: exchange.ClientSecretBasic(secret),
//	})
//
// There are three flows:
//
//   - [Client.OnBehalfOf]: an API calls another API on behalf of the user whose
//     token it was sent. [SubjectToken] takes that token from the request.
//   - [Client.ExchangeProfile]: a token of any kind becomes an access token, by
//     a Token Exchange Profile of Auth0 or the rules of another issuer.
//   - [Client.ConnectionToken]: the user's token at an external provider, from
//     Auth0's Token Vault.
//
// # Where secrets go
//
// The token endpoint is the one that the issuer's own metadata names, and it is
// https; otherwise nothing is sent. The metadata comes from the machinery that
// verification uses (Config.Metadata shares that of a [verifier.Verifier]).
// Redirects are not followed.
//
// A token that an API was sent is for that API. It is exchanged, and never
// passed on.
//
// # Client authentication
//
// [ClientSecretBasic], [ClientSecretPost], [PrivateKeyJWT] and [MutualTLS].
// Assertions of PrivateKeyJWT have the issuer's name as their only audience,
// which is what draft-ietf-oauth-rfc7523bis makes the rule. An assertion for
// the URL of a token endpoint is one that another issuer can have made for it,
// by naming that URL in its own metadata, and then use as this client.
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
// the answer is: subject and actor token, audience, resource, the set of
// scopes, organization, connection, login hint, every other parameter and
// header, issuer, client, and key. A result lives no longer than its token, the
// subject token and the actor token, minus Config.CacheSkew; how long one lives
// on after the issuer shut the user out is bounded by Config.CacheTTL. Failures
// are not kept, but for an answer that asks to wait, which is respected.
//
// # What is hidden
//
// Printing, logging or marshalling a configuration, a request, a result or a
// client shows none of it. That ends where a value of such a type lies in an
// unexported field of a struct that is printed: package fmt does not ask the
// value there. Keep pointers in such fields.
package exchange
