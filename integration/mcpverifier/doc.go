// Package mcpverifier protects an MCP server of the official Go SDK
// (github.com/modelcontextprotocol/go-sdk) with access tokens, Bearer (RFC
// 6750) and DPoP (RFC 9449), as the authorization pages of the Model Context
// Protocol ask (revisions 2025-11-25 and 2026-07-28):
//
//	h, err := mcpverifier.New(func(*http.Request) *mcp.Server { return server }, mcpverifier.Config{
//		Resource: "https://mcp.example.com/mcp",
//		Verifier: verifier.Config{Domain: "tenant.auth0.com"},
//	})
//	...
//	http.ListenAndServe(addr, h)
//
// A [Handler] serves the streamable HTTP endpoint and the protected resource
// metadata (RFC 9728) that leads clients to their authorization server.
//
// # Whose token a tool sees
//
// Behind a [Handler], [verifier.TokenFromContext] inside of a tool, prompt or
// resource returns the token of the request that called it. The SDK itself runs
// every call of a session with the context of the request that opened the
// session; do not put [verifier.Middleware] around its own handler.
//
// # Sessions
//
// A session belongs to the issuer, the subject and, for bound tokens, the key
// or certificate of the token that opened it. A request with the session of
// somebody else is answered with status 404, as if the session did not exist,
// whatever its method. A token that has expired is answered with status 401;
// the session goes on with the client's next token. Revision 2026-07-28 has no
// sessions: set HTTP.Stateless to serve it.
//
// # Scopes
//
// [RequireScopes] goes around a tool. A call with a good token that lacks a
// scope is answered with status 403 and a challenge that names the scopes, from
// which clients start a step-up authorization.
package mcpverifier

// The files, by what they do:
//
//   - config.go: Config and its checks
//   - handler.go: Handler: what a request goes through, and whose token each method sees
//   - token.go: the token of a call, as the SDK and tools get it; it does not print
//   - require.go: what tools demand
//   - session.go: whose session a request is of
//   - response.go: the first bytes of answers, and of batches
//   - metadata.go: protected resource metadata
