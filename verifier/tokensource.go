package verifier

import (
	"net/http"
	"strings"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TokenSource says where the access token of a request is when that is not the
// Authorization header: in a field that a proxy adds, or in a cookie. One of
// Header and Cookie is set; the zero value is the Authorization header.
//
// The Authorization and DPoP headers are not looked at then. The token is
// treated as Bearer: a bound token is refused, and so is every token where DPoP
// is required. Answers are those of a Bearer token, challenges included (RFC
// 9110, Section 15.5.2 wants one with status 401), although neither a browser nor the
// client of a proxy can do what a challenge asks; a page of your own is
// MiddlewareConfig.ErrorHandler.
//
// # Cross-site requests
//
// A browser sends cookies with requests that pages of other sites make: its own
// ones, and those by which it is logged in at a proxy. Such requests are
// answered with status 403 (reason cross_origin), unless their method is GET,
// HEAD or OPTIONS: handlers must not change anything at those. A GET that asks
// for another protocol (WebSocket) is refused, too. Requests that come from no
// browser pass.
//
// There is no source for tokens in URLs: they end in logs, in histories and in
// the Referer of the next request (RFC 6750, Section 5.3).
type TokenSource struct {
	// Header is a field whose value is the token alone, such as
	// "X-Goog-IAP-JWT-Assertion" (Google IAP) or "Cf-Access-Jwt-Assertion"
	// (Cloudflare Access). Several lines of it are refused with status 400.
	Header string
	// Cookie is the name of a cookie whose value is the token alone. A name with
	// the prefix "__Host-" cannot be set by other hosts. Several cookies of the name
	// are refused with status 400.
	Cookie string
	// CrossOrigin has the origins that are trusted, and other exceptions. Default:
	// there are none.
	CrossOrigin *http.CrossOriginProtection
}

// tokenSource is a TokenSource, checked.
type tokenSource struct {
	TokenSource
	invalid bool
}

func (s TokenSource) compile() *tokenSource {
	c := &tokenSource{TokenSource: s}
	if c.CrossOrigin == nil {
		c.CrossOrigin = http.NewCrossOriginProtection()
	}
	switch strings.ToLower(s.Header) {
	case "authorization", "dpop", "cookie":
		c.invalid = true
	}
	c.invalid = c.invalid || s.Header != "" && s.Cookie != "" || !isToken(s.Header) || !isToken(s.Cookie)
	return c
}

// isToken reports whether text can be the name of a field or a cookie (RFC
// 9110, Section 5.6.2), or is empty.
func isToken(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// verify verifies the token of a request, wherever it is.
func (s *tokenSource) verify(v RequestVerifier, r *http.Request, opts []VerifyOption) (*Token, error) {
	if s.invalid {
		return nil, refuse(reason.Argument)
	}
	if s.Header == "" && s.Cookie == "" {
		return v.VerifyHTTPRequest(r, opts...)
	}
	if s.crossOrigin(r) {
		return nil, refuse(reason.CrossOrigin)
	}
	return v.VerifyHTTPRequest(s.move(r), opts...)
}

// sent returns the one token of a request that verify has accepted.
func (s *tokenSource) sent(r *http.Request) string {
	if s.Header != "" || s.Cookie != "" {
		r = s.move(r)
	}
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	_, token, _ := strings.Cut(strings.Trim(values[0], " \t"), " ")
	return strings.TrimLeft(token, " ")
}

// crossOrigin reports whether a page of another site made this request.
func (s *tokenSource) crossOrigin(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" { // a connection that can do anything
		unsafe := *r
		unsafe.Method = http.MethodPost
		r = &unsafe
	}
	return s.CrossOrigin.Check(r) != nil
}

// move returns a copy of a request that has the token in the Authorization
// header, on as many lines as there are tokens.
func (s *tokenSource) move(r *http.Request) *http.Request {
	moved := r.WithContext(r.Context())
	moved.Header = make(http.Header, len(r.Header)+1)
	for name, values := range r.Header {
		if !strings.EqualFold(name, "Authorization") && !strings.EqualFold(name, "DPoP") {
			moved.Header[name] = values
		}
	}
	if s.Header != "" {
		for _, value := range r.Header.Values(s.Header) {
			moved.Header.Add("Authorization", "Bearer "+value)
		}
		return moved
	}
	for _, cookie := range r.CookiesNamed(s.Cookie) {
		moved.Header.Add("Authorization", "Bearer "+cookie.Value)
	}
	return moved
}
