package mcpverifier

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

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

// callKey is the context key of a *call.
type callKey struct{}

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

func callOf(req mcp.Request) *call {
	extra := req.GetExtra()
	if extra == nil || extra.TokenInfo == nil {
		return nil
	}
	c, _ := extra.TokenInfo.Extra[extraKey].(*call)
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
