//go:build interop

package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
)

const redirectURL = "http://127.0.0.1:9/callback" // never fetched

// browser is that of a user.
type browser struct {
	client *http.Client
	user   string
	asked  []url.Values
}

func (w *world) browser(t *testing.T, user string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{user: user, client: &http.Client{
		Transport: w.client.Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// authorize is an AuthorizationCodeFetcher.
func (b *browser) authorize(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	u, err := url.Parse(args.URL)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	b.asked = append(b.asked, query)
	query.Set("login_hint", b.user)
	u.RawQuery = query.Encode()
	for range 12 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		resp, err := b.client.Do(r)
		if err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
		if u, err = resp.Location(); err != nil {
			return nil, err
		}
		if strings.HasPrefix(u.String(), redirectURL) {
			q := u.Query()
			return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
		}
	}
	return nil, errors.New("too many redirects")
}

// connect connects the client of the Go SDK for a user.
func (w *world) connect(t *testing.T, endpoint string, b *browser) *mcp.ClientSession {
	t.Helper()
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: "interop"}, RedirectURL: redirectURL,
		AuthorizationCodeFetcher: b.authorize, Client: w.client, RequestRefreshToken: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "interop", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: endpoint, OAuthHandler: handler}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

// see calls a tool.
func see(t *testing.T, session *mcp.ClientSession, tool string) seen {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool})
	if err != nil {
		t.Fatalf("CallTool(%s) = %v", tool, err)
	}
	text, err := json.Marshal(result.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	var s seen
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGo: the same with the client of the Go SDK.
func TestGo(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		change func(*mcpverifier.Config)
	}{{"sessions", unchanged}, {"stateless", stateless}} {
		rig.Row(t, "Go SDK, "+c.name+": discovery, authorization code, call, step-up", func(t *testing.T) {
			endpoint := w.serve(t, "/mcp", func(cfg *mcpverifier.Config) {
				cfg.Scopes, cfg.Verifier.ChallengeScope = nil, "mcp"
				c.change(cfg)
			})
			b := w.browser(t, "alice")
			session := w.connect(t, endpoint, b)
			if len(b.asked) != 1 || b.asked[0].Get("resource") != endpoint || !sameScopes(b.asked[0].Get("scope"), "mcp offline_access") {
				t.Errorf("asked %v; want once, for mcp and %s", b.asked, endpoint)
			}
			if got := see(t, session, "look"); got != (seen{"alice", "mcp", "Bearer"}) {
				t.Errorf("the tool saw %+v; want alice with mcp", got)
			}
			if got := see(t, session, "write"); got.Subject != "alice" || !sameScopes(got.Scope, "mcp write:orders") || len(b.asked) != 2 {
				t.Errorf("after the step-up (%d authorizations) the tool saw %+v; want 2 and both scopes", len(b.asked), got)
			}
		})
	}
}

// TestGoRefresh: a session goes on when its token expires.
func TestGoRefresh(t *testing.T) {
	w := newWorld(t)
	rig.Row(t, "Go SDK: an expired token is refreshed in the session", func(t *testing.T) {
		b := w.browser(t, "alice")
		session := w.connect(t, w.serve(t, "/short/mcp", unchanged), b)
		time.Sleep(4 * time.Second) // the clock is the provider's
		if got := see(t, session, "look"); got.Subject != "alice" || len(b.asked) != 1 {
			t.Errorf("after the end of the token the tool saw %+v with %d authorizations; want alice and 1", got, len(b.asked))
		}
	})
}

// TestGoForeignSession: bob's client is told to use the session of alice.
func TestGoForeignSession(t *testing.T) {
	w := newWorld(t)
	endpoint := w.serve(t, "/mcp", unchanged)
	alice := w.connect(t, endpoint, w.browser(t, "alice"))
	bob := w.typescript(t, "1")
	bob.must(map[string]any{"do": "connect", "url": endpoint, "user": "bob"})
	rig.Row(t, "foreign session of the Go SDK's client: is refused", func(t *testing.T) {
		r := bob.must(map[string]any{"do": "raw", "tool": "look", "session": alice.ID(), "method": "POST"})
		if r.Status != http.StatusNotFound {
			t.Errorf("bob in the session of alice = %d %s; want 404", r.Status, r.Text)
		}
	})
	if got := see(t, alice, "look"); got.Subject != "alice" {
		t.Errorf("alice is %q", got.Subject)
	}
}
