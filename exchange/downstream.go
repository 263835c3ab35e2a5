package exchange

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/verifier"
)

// TokenSource gets tokens for one API that this one calls, each on behalf of the
// caller in the context: [Client.TokenSource] makes one, [SubjectFromContext] says
// which token that is. It is safe for concurrent use.
type TokenSource struct {
	hidden

	client  *Client
	request OnBehalfOfRequest
}

// TokenSource returns a source of tokens for the API that r describes. Its
// AccessToken is left empty: it is that of each caller. The error is that of a
// request which OnBehalfOf would refuse.
func (c *Client) TokenSource(r OnBehalfOfRequest) (*TokenSource, error) {
	if r.AccessToken != "" {
		return nil, onBehalfOf.argument("the access token is that of each caller")
	}
	r.Audiences, r.Resource = slices.Clone(r.Audiences), slices.Clone(r.Resource)
	r.Extra, r.Header = url.Values(cloneValues(r.Extra)), http.Header(cloneValues(r.Header))
	s := &TokenSource{client: c, request: r}
	r.AccessToken = "any"
	if _, err := c.onBehalfOfCall(&r); err != nil {
		return nil, err
	}
	return s, nil
}

func cloneValues(values map[string][]string) map[string][]string {
	clone := maps.Clone(values)
	for name, list := range clone {
		clone[name] = slices.Clone(list)
	}
	return clone
}

// Token returns a token with which to call the API on behalf of the caller in
// ctx. Without one there it is an [*Error] that matches [ErrArgument]. With
// Config.Cache, equal callers share results; different ones never do.
func (s *TokenSource) Token(ctx context.Context) (*Token, error) {
	subject, ok := SubjectFromContext(ctx)
	if !ok {
		return nil, missing("the token of the caller in the context")
	}
	r := s.request
	r.AccessToken = subject
	return s.client.OnBehalfOf(ctx, r)
}

// transport is the RoundTripper of a TokenSource.
type transport struct {
	hidden

	source  *TokenSource
	base    http.RoundTripper
	origins map[string]bool
	nonces  nonces // by origin
}

// Transport returns an http.RoundTripper that sends each request with a token of
// the source, for the caller in the request's context. It sets the Authorization
// header and, for tokens that are bound to Config.DPoPKey, the DPoP header; when
// the API then asks for a nonce (RFC 9449, Section 9), the request is repeated
// once, if its body can be had again (http.Request.GetBody).
//
// A token is for the API whose origins are given, such as
// "https://billing.example.com" (http on loopback alone), and is sent nowhere
// else: a request to another origin, as by a redirect, is refused. A request for
// which there is no token is not sent. The error is an [*Error] then, inside of
// the *url.Error of an http.Client.
//
// base sends the requests; nil means the transport of verifier.NewHTTPClient. It
// must not follow redirects.
func (s *TokenSource) Transport(base http.RoundTripper, origins ...string) (http.RoundTripper, error) {
	if base == nil {
		base = verifier.NewHTTPClient(verifier.HTTPClientConfig{}).Transport
	}
	t := &transport{source: s, base: base, origins: make(map[string]bool, len(origins))}
	loopback := fetch.NewHTTP()
	for _, text := range origins {
		u, err := loopback.Check(text)
		if err != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery {
			return nil, onBehalfOf.argument("an origin is not an https URL of a host alone")
		}
		t.origins[fetch.Origin(u)] = true
	}
	if len(t.origins) == 0 {
		return nil, missing("an origin")
	}
	return t, nil
}

// RoundTrip sends a request with a token.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.attempt(req, req.Body)
	if err != nil {
		return nil, err
	}
	asked := resp.StatusCode == http.StatusUnauthorized && wantsNonce(resp.Header)
	if !t.nonces.learn(fetch.Origin(req.URL), resp.Header) || !asked {
		return resp, nil
	}
	body, ok := bodyAgain(req)
	if !ok {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	_ = resp.Body.Close()
	resp, err = t.attempt(req, body)
	if err == nil {
		t.nonces.learn(fetch.Origin(req.URL), resp.Header)
	}
	return resp, err
}

// attempt sends a copy of a request with a token and a proof of its own.
func (t *transport) attempt(req *http.Request, body io.ReadCloser) (*http.Response, error) {
	token, proof, err := t.credentials(req)
	if err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, err
	}
	sent := req.Clone(req.Context())
	sent.Body = body
	token.Authorize(sent)
	sent.Header.Del("DPoP")
	if proof != "" {
		sent.Header.Set("DPoP", proof)
	}
	resp, err := t.base.RoundTrip(sent)
	if err == nil {
		resp.Request = req // which has no token that a log could show
	}
	return resp, err
}

// credentials returns what a request is sent with; the proof is "" for tokens
// that are bound to no key.
func (t *transport) credentials(req *http.Request) (token *Token, proof string, err error) {
	if req.URL == nil || req.URL.User != nil || !t.origins[fetch.Origin(req.URL)] {
		return nil, "", onBehalfOf.argument("the token is not for this origin")
	}
	if token, err = t.source.Token(req.Context()); err != nil {
		return nil, "", err
	}
	if !strings.EqualFold(token.TokenType, "DPoP") {
		return token, "", nil
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	proof, err = t.source.client.Proof(method, req.URL.String(), token, t.nonces.get(fetch.Origin(req.URL)))
	return token, proof, err
}

// wantsNonce reports whether an API refused a proof for its nonce (RFC 9449,
// Section 9).
func wantsNonce(header http.Header) bool {
	return slices.ContainsFunc(header.Values("WWW-Authenticate"), func(challenge string) bool {
		return strings.Contains(strings.ToLower(challenge), "use_dpop_nonce")
	})
}

// bodyAgain returns the body of a request for another attempt, if there is one.
func bodyAgain(req *http.Request) (io.ReadCloser, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Body, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	return body, err == nil
}
