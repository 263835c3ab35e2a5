package main

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/portcullis-go/portcullis/verifier"
)

// requestVerifier is what authenticate needs; a *verifier.Verifier is one.
type requestVerifier interface {
	VerifyRequest(ctx context.Context, req verifier.Request, opts ...verifier.VerifyOption) (*verifier.Token, error)
}

// authenticate protects the handlers after it: they see only requests with a
// good token, which is in the UserContext, for verifier.TokenFromContext.
//
// externalURL is the scheme, host and optional path prefix under which clients
// know this API, when a proxy changes them, or "". Config.ExternalURL and
// Config.TrustedProxies are of net/http and do nothing here. Forwarding headers
// are not read: fiber's own accessors (Hostname, Protocol, BaseURL) believe
// those of anybody by default.
func authenticate(v requestVerifier, externalURL string) fiber.Handler {
	externalURL = strings.TrimSuffix(externalURL, "/")
	return func(c *fiber.Ctx) error {
		req, ok := authorizationRequest(c, externalURL)
		if !ok {
			return fiber.ErrBadRequest
		}
		token, err := v.VerifyRequest(c.UserContext(), req)
		if err != nil {
			return writeError(c, err)
		}
		if token.Proof != nil && token.Proof.NextNonce != "" {
			c.Set("DPoP-Nonce", token.Proof.NextNonce)
			c.Set(fiber.HeaderCacheControl, "no-store") // RFC 9449, Section 8.2
		}
		c.SetUserContext(verifier.ContextWithToken(c.UserContext(), token))
		return c.Next()
	}
}

// require demands something of the token that authenticate has found.
func require(requirements ...verifier.Requirement) fiber.Handler {
	return func(c *fiber.Ctx) error {
		token, ok := verifier.TokenFromContext(c.UserContext())
		if !ok { // the route is not behind authenticate
			return fiber.ErrInternalServerError
		}
		if err := verifier.Meets(c.UserContext(), token, requirements...); err != nil {
			return writeError(c, err)
		}
		return c.Next()
	}
}

// authorizationRequest copies out of fasthttp's buffers, which are used again
// after the request. It reports false when the request names no URL.
func authorizationRequest(c *fiber.Ctx, externalURL string) (verifier.Request, bool) {
	ctx := c.Context()
	req := verifier.Request{Method: string(ctx.Method()), Host: string(ctx.Host()), Header: make(http.Header)}
	// Every field line counts, not the last one of a name.
	for name, value := range ctx.Request.Header.All() {
		req.Header.Add(string(name), string(value))
	}
	scheme := "http"
	if state := ctx.TLSConnectionState(); state != nil {
		scheme = "https"
		if len(state.PeerCertificates) > 0 {
			req.ClientCertificate = state.PeerCertificates[0]
		}
	}
	// A host with a path in it would move the path of the request elsewhere.
	// Host is the one in the request line, if there is one.
	if req.Host == "" || strings.ContainsAny(req.Host+string(ctx.Request.Header.Host()), "/?#@\\") {
		return req, false
	}
	base := scheme + "://" + req.Host
	if externalURL != "" {
		base = externalURL
	}
	target, ok := requestTarget(ctx.Request.Header.RequestURI())
	req.URL = base + target
	return req, ok
}

// requestTarget returns path and query as the client wrote them: a proof is
// for that, not for what the router made of it.
func requestTarget(uri []byte) (string, bool) {
	if len(uri) > 0 && uri[0] == '/' {
		return string(uri), true
	}
	// Absolute form (RFC 9112, Section 3.2.2): the host is in Host already.
	_, rest, found := bytes.Cut(uri, []byte("://"))
	if i := bytes.IndexAny(rest, "/?#"); i >= 0 {
		return string(rest[i:]), found
	}
	return "/", found
}

// writeError answers as verifier.WriteError does: status, challenges, each as
// a field line of its own, and JSON.
func writeError(c *fiber.Ctx, err error) error {
	answer := recorder{header: make(http.Header)}
	verifier.WriteError(&answer, err)
	for name, lines := range answer.header {
		for _, line := range lines {
			c.Response().Header.Add(name, line)
		}
	}
	return c.Status(answer.status).Send(answer.body.Bytes())
}

// recorder is a http.ResponseWriter that keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
