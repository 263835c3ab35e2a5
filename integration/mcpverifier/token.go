package mcpverifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/verifier"
)

// call is a request with its token, from the HTTP request to the tool.
type call struct {
	token       *verifier.Token
	accessToken string

	mu      sync.Mutex
	refusal error // of a requirement, for the answer
}

// extraKey is the name of the *call in TokenInfo.Extra.
const extraKey = "github.com/portcullis-go/portcullis/integration/mcpverifier"

// Format hides the token, whatever the verb.
func (c *call) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("mcpverifier.call(hidden)")) }

// MarshalJSON hides the token.
func (c *call) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// info is what the SDK keeps of the call. UserID makes the SDK check, too, that
// a session stays with its owner.
func (c *call) info() *auth.TokenInfo {
	return &auth.TokenInfo{
		Scopes: c.token.Scopes(), Expiration: c.token.ExpiresAt, UserID: owner(c), Extra: map[string]any{extraKey: c},
	}
}

// withTokenInfo returns a context with what the SDK keeps of the call. The
// middleware of the SDK is the one way to make it. It reads Bearer alone, and so
// gets a placeholder: the token has been verified, with its proof.
func withTokenInfo(ctx context.Context, c *call) context.Context {
	known := auth.RequireBearerToken(func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
		return c.info(), nil
	}, &auth.RequireBearerTokenOptions{
		// The verifier has checked the expiration, with its clock and leeway.
		AllowMissingExpiration: true, ClockSkew: 100 * 365 * 24 * time.Hour,
	})
	r := (&http.Request{Header: http.Header{"Authorization": {"Bearer verified"}}}).WithContext(ctx)
	known(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() })).ServeHTTP(nobody{}, r)
	return ctx
}

// errNotPassedOn is answered with status 500.
var errNotPassedOn = errors.New("mcpverifier: the SDK did not take the token")

// nobody reads what the middleware writes.
type nobody struct{}

func (nobody) Header() http.Header         { return make(http.Header) }
func (nobody) Write(p []byte) (int, error) { return len(p), nil }
func (nobody) WriteHeader(int)             {}

func (c *call) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal == nil {
		c.refusal = err
	}
}

func (c *call) refused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal
}

// callOf returns the call of a request, or nil.
func callOf(req mcp.Request) *call {
	if extra := req.GetExtra(); extra != nil {
		return callIs(extra.TokenInfo)
	}
	return nil
}

// callIn returns the call of the HTTP request that a context is of, or nil.
func callIn(ctx context.Context) *call { return callIs(auth.TokenInfoFromContext(ctx)) }

func callIs(info *auth.TokenInfo) *call {
	if info == nil {
		return nil
	}
	c, _ := info.Extra[extraKey].(*call)
	return c
}

// Token returns the verified token of the request that called a tool, prompt or
// resource, and false when the request did not come through a [Handler].
// [verifier.TokenFromContext] returns the same token.
func Token(req mcp.Request) (*verifier.Token, bool) {
	if c := callOf(req); c != nil {
		return c.token, true
	}
	return nil, false
}

// AccessToken returns the access token itself, as it was sent, and false when
// the request did not come through a [Handler]. It is the subject token of a
// token exchange (package exchange). The specification forbids to send it to
// any other server; the header that the SDK shows to tools does not have it.
func AccessToken(req mcp.Request) (string, bool) {
	if c := callOf(req); c != nil {
		return c.accessToken, true
	}
	return "", false
}

// sentToken returns what follows the scheme; the verifier has checked it.
func sentToken(h http.Header) string {
	_, token, _ := strings.Cut(h.Get("Authorization"), " ")
	return strings.TrimSpace(token)
}

// withoutCredentials returns a copy of a request for the SDK, which shows the
// header to tools.
func withoutCredentials(r *http.Request) *http.Request {
	r.Header = r.Header.Clone()
	for _, name := range []string{"Authorization", "DPoP", "Cookie", "Proxy-Authorization"} {
		r.Header.Del(name)
	}
	return r
}
