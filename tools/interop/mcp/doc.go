// Package mcp has the tests of integration/mcpverifier with real clients: the
// official TypeScript SDK, 1.x and 2.x, and the Go SDK, which find a real OpenID
// provider (npm oidc-provider) from the challenge of a protected server, and
// get their tokens there. They need Node.js and npm, and are part of make
// interop.
package mcp
