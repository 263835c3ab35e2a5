package mcpverifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

const description = `error="insufficient_scope", error_description="the access token lacks a scope that is needed"`

func (f *fixture) metadataParam() string {
	return `resource_metadata="` + f.origin + `/.well-known/oauth-protected-resource/mcp"`
}

func checkChallenge(t *testing.T, a *answer, status int, challenges ...string) {
	t.Helper()
	if got := a.header.Values("WWW-Authenticate"); a.status != status || !slices.Equal(got, challenges) {
		t.Errorf("answer = %d %q %s; want %d %q", a.status, got, a.body, status, challenges)
	}
	if status != http.StatusOK && a.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type = %q; want application/json", a.header.Get("Content-Type"))
	}
}

func TestNoToken(t *testing.T) {
	f := newFixture(t, func(c *mcpverifier.Config) { c.Scopes = []string{"mcp", "read:orders"} })
	for _, method := range []string{"GET", "POST", "DELETE"} {
		checkChallenge(t, f.send(method, "", "", ""), http.StatusUnauthorized,
			`Bearer realm="api", scope="mcp read:orders", `+f.metadataParam(), `DPoP scope="mcp read:orders", algs="ES256", `+f.metadataParam())
	}
	if a := f.do(f.request(t.Context(), "POST", "", "Bearer "+f.issuer.Sign("https://other.example.com", nil), initialize)); a.status != http.StatusUnauthorized {
		t.Errorf("a token for another server = %d; want 401", a.status)
	}
}

// TestBaseline: Config.Scopes are needed for everything.
func TestBaseline(t *testing.T) {
	f := newFixture(t, func(c *mcpverifier.Config) { c.Scopes = []string{"mcp"} })
	a := f.send("POST", "", "Bearer "+f.token("alice", map[string]any{"scope": "other"}), initialize)
	checkChallenge(t, a, http.StatusForbidden, `Bearer `+description+`, scope="mcp", `+f.metadataParam(), `DPoP algs="ES256", `+f.metadataParam())
	if a := f.send("POST", "", "Bearer "+f.token("alice", map[string]any{"scope": "mcp"}), initialize); a.status != http.StatusOK {
		t.Errorf("with the scope = %d %s; want 200", a.status, a.body)
	}
}

// TestStepUp: a tool that lacks a scope is refused with status 403, in every
// way that the SDK serves it, and called when the token has them.
func TestStepUp(t *testing.T) {
	for _, c := range []struct {
		name     string
		session  bool
		change   func(*mcpverifier.Config)
		protocol string
		scope    string // of the token
		asked    string // of the challenge
	}{
		{"stream", true, unchanged, "", "read:orders", "write:orders read:orders"},
		{"JSON", true, func(c *mcpverifier.Config) { c.HTTP.JSONResponse = true }, "", "read:orders", "write:orders read:orders"},
		{"stateless", false, stateless, "", "read:orders", "write:orders read:orders"},
		{"stateless JSON", false, func(c *mcpverifier.Config) { c.HTTP.Stateless, c.HTTP.JSONResponse = true, true }, "", "read:orders", "write:orders read:orders"},
		{"revision 2026-07-28", false, stateless, "2026-07-28", "read:orders", "write:orders read:orders"},
		{"union", true, func(c *mcpverifier.Config) { c.UnionScopes = true }, "", "profile offline_access read:orders mail", "write:orders read:orders profile mail"},
		{"union that is too long", true, func(c *mcpverifier.Config) { c.UnionScopes = true }, "", strings.Repeat("a", 2100), "write:orders read:orders"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.change)
			f.protocol = c.protocol
			lacking := f.token("alice", map[string]any{"scope": c.scope})
			session, body := "", callTool("write")
			if c.protocol != "" {
				body = newestCall("write")
			}
			if c.session {
				session = f.open(lacking)
			}
			post := func(token string) *answer {
				r := f.request(t.Context(), "POST", session, "Bearer "+token, body)
				r.Header.Set("Mcp-Method", "tools/call")
				r.Header.Set("Mcp-Name", "write")
				return f.do(r)
			}
			a := post(lacking)
			checkChallenge(t, a, http.StatusForbidden, `Bearer `+description+`, scope="`+c.asked+`", `+f.metadataParam(), `DPoP algs="ES256", `+f.metadataParam())
			if strings.Contains(a.body, "jsonrpc") {
				t.Errorf("body = %s; want that of the refusal alone", a.body)
			}
			all := f.token("alice", map[string]any{"scope": "write:orders read:orders"})
			if got := post(all).result(t); got.Scope != "write:orders read:orders" {
				t.Errorf("after the step-up the tool saw scope %q; want the new ones", got.Scope)
			}
		})
	}
}

func newestCall(name string) string {
	return `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"` + name + `","arguments":{},"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
}

// TestBatch: the other calls of a batch were carried out; their answers are not
// thrown away.
func TestBatch(t *testing.T) {
	f := newFixture(t, stateless)
	f.protocol = "-"
	one, two := callTool("write"), strings.Replace(callTool("look"), `"id":2`, `"id":3`, 1)
	a := f.send("POST", "", "Bearer "+f.token("alice", nil), " \n["+one+","+two+"]")
	if a.status != http.StatusOK || !strings.Contains(a.body, `"code":-32003`) || !strings.Contains(a.body, `"subject":"alice"`) {
		t.Errorf("answer = %d %s; want 200 with one refusal and one result", a.status, a.body)
	}
}

// TestEventStore: an answer that has begun cannot become a status any more.
func TestEventStore(t *testing.T) {
	f := newFixture(t, func(c *mcpverifier.Config) { c.HTTP.EventStore = mcp.NewMemoryEventStore(nil) })
	f.protocol = "2025-11-25"
	token := f.token("alice", nil)
	session := f.open(token)
	a := f.send("POST", session, "Bearer "+token, callTool("write"))
	if a.status != http.StatusOK || !strings.Contains(a.body, `"code":-32003`) || strings.Contains(a.body, `"subject"`) {
		t.Errorf("answer = %d %s; want 200 with a refusal", a.status, a.body)
	}
}

// TestAuthenticated: other requirements than scopes, and other status codes.
func TestAuthenticated(t *testing.T) {
	f := newFixture(t, stateless)
	strong := verifier.Authenticated(verifier.StepUp{ACRValues: []string{"mfa"}})
	mcp.AddTool(f.server, &mcp.Tool{Name: "delete"}, func(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, none, error) {
		return nil, none{}, mcpverifier.Require(ctx, req, strong)
	})
	a := f.send("POST", "", "Bearer "+f.token("alice", nil), callTool("delete"))
	checkChallenge(t, a, http.StatusUnauthorized,
		`Bearer error="insufficient_user_authentication", error_description="a stronger or more recent authentication is needed", acr_values="mfa", `+f.metadataParam(),
		`DPoP algs="ES256", `+f.metadataParam())
}

// TestRefusalOfDPoP: the challenge is for the scheme that was used.
func TestRefusalOfDPoP(t *testing.T) {
	f := newFixture(t, stateless)
	r := f.request(t.Context(), "POST", "", "", callTool("write"))
	f.proofs.Authorize(r, f.token("alice", map[string]any{"cnf": f.proofs.Confirmation()}))
	a := f.do(r)
	if got := strings.Join(a.header.Values("WWW-Authenticate"), "\n"); a.status != http.StatusForbidden || !strings.Contains(got, `DPoP `+description+`, scope="write:orders read:orders"`) {
		t.Errorf("answer = %d %q; want 403 with the error on DPoP", a.status, got)
	}
}

// TestRequireOutsideOfAHandler: a tool that was reached some other way is not
// called.
func TestRequireOutsideOfAHandler(t *testing.T) {
	server := newServer()
	here, there := mcp.NewInMemoryTransports()
	if _, err := server.Connect(t.Context(), here, nil); err != nil {
		t.Fatal(err)
	}
	client, err := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil).Connect(t.Context(), there, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "write"}); err == nil || !strings.Contains(err.Error(), "no access token was sent") {
		t.Errorf("CallTool = %v; want a refusal", err)
	}
}

func TestMetadata(t *testing.T) {
	f := newFixture(t, func(c *mcpverifier.Config) {
		c.Scopes, c.Name, c.Verifier.DPoP.Mode = []string{"mcp"}, "Orders", verifier.DPoPRequired
	})
	if got := f.handler.MetadataPath(); got != "/.well-known/oauth-protected-resource/mcp" {
		t.Errorf("MetadataPath() = %q", got)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", f.origin+f.handler.MetadataPath(), nil)
	var got map[string]any
	if a := f.do(r); json.Unmarshal([]byte(a.body), &got) != nil || a.status != http.StatusOK {
		t.Fatalf("metadata = %d %s", a.status, a.body)
	}
	for name, want := range map[string]any{"resource": f.resource, "resource_name": "Orders", "dpop_bound_access_tokens_required": true} {
		if got[name] != want {
			t.Errorf("%s = %v; want %v", name, got[name], want)
		}
	}
	for name, want := range map[string]string{"authorization_servers": f.issuer.URL(), "scopes_supported": "mcp", "dpop_signing_alg_values_supported": "ES256"} {
		if list, _ := got[name].([]any); len(list) != 1 || list[0] != want {
			t.Errorf("%s = %v; want [%s]", name, got[name], want)
		}
	}
}

// TestMetadataOutage: the issuer's own name is not guessed.
func TestMetadataOutage(t *testing.T) {
	f := newFixture(t, unchanged)
	f.issuer.FailNext(-1, http.StatusInternalServerError)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", f.origin+f.handler.MetadataPath(), nil)
	if a := f.do(r); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("metadata = %d, Retry-After %q; want 503 with one", a.status, a.header.Get("Retry-After"))
	}
}

func TestAudiences(t *testing.T) {
	f := newFixture(t, stateless)
	for _, c := range []struct {
		audience string
		want     int
	}{
		{f.resource, http.StatusOK}, {f.resource + "/", http.StatusOK},
		{f.resource + "//", http.StatusUnauthorized}, {f.origin, http.StatusUnauthorized}, {f.resource + "/admin", http.StatusUnauthorized},
		{strings.ToUpper(f.resource), http.StatusUnauthorized},
	} {
		if a := f.send("POST", "", "Bearer "+f.issuer.Sign(c.audience, nil), callTool("look")); a.status != c.want {
			t.Errorf("audience %q = %d; want %d", c.audience, a.status, c.want)
		}
	}
	if got := mcpverifier.Audiences("https://mcp.example.com/"); !slices.Equal(got, []string{"https://mcp.example.com", "https://mcp.example.com/"}) {
		t.Errorf("Audiences = %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	server := func(*http.Request) *mcp.Server { return nil }
	good := mcpverifier.Config{Resource: "https://mcp.example.com/mcp", Verifier: verifier.Config{Domain: "tenant.auth0.com"}}
	for _, c := range []struct {
		name   string
		change func(*mcpverifier.Config)
	}{
		{"no resource", func(c *mcpverifier.Config) { c.Resource = "" }},
		{"http", func(c *mcpverifier.Config) { c.Resource = "http://mcp.example.com/mcp" }},
		{"a fragment", func(c *mcpverifier.Config) { c.Resource = "https://mcp.example.com/#a" }},
		{"a query", func(c *mcpverifier.Config) { c.Resource = "https://mcp.example.com/?a" }},
		{"credentials", func(c *mcpverifier.Config) { c.Resource = "https://a@mcp.example.com/" }},
		{"no host", func(c *mcpverifier.Config) { c.Resource = "https:///mcp" }},
		{"Auth0Statuses", func(c *mcpverifier.Config) { c.Verifier.Auth0Statuses = true }},
		{"another metadata URL", func(c *mcpverifier.Config) { c.Verifier.ResourceMetadataURL = "https://other.example.com/" }},
		{"no issuer", func(c *mcpverifier.Config) { c.Verifier.Domain = "" }},
		{"authorization servers unknown", func(c *mcpverifier.Config) {
			c.Verifier.Domain, c.Verifier.Domains = "", verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return nil, nil })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			if _, err := mcpverifier.New(server, cfg); !errors.Is(err, verifier.ErrConfig) {
				t.Errorf("New = %v; want %v", err, verifier.ErrConfig)
			}
		})
	}
	if _, err := mcpverifier.New(nil, good); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("New without server = %v; want %v", err, verifier.ErrConfig)
	}
	h, err := mcpverifier.New(server, good)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// TestStreamsEndWithTheToken: a stream without end is not read with a token
// that has expired.
func TestStreamsEndWithTheToken(t *testing.T) {
	listen := `{"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	for _, c := range []struct {
		name, method, body, protocol string
		change                       func(*mcpverifier.Config)
	}{
		{"GET", "GET", "", "", unchanged},
		{"subscriptions/listen", "POST", listen, "2026-07-28", stateless},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.change)
			session := ""
			if c.method == "GET" {
				session = f.open(f.token("alice", nil))
			}
			f.protocol = c.protocol
			short := f.token("alice", map[string]any{"exp": float64(time.Now().Add(3*time.Second).UnixMilli()) / 1000})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r := f.request(ctx, c.method, session, "Bearer "+short, c.body)
			r.Header.Set("Mcp-Method", "subscriptions/listen")
			began := time.Now()
			a := f.do(r) // until the stream ends
			if took := time.Since(began); a.status != http.StatusOK || took < 300*time.Millisecond || ctx.Err() != nil {
				t.Errorf("stream = %d %s after %v; want 200 and its end with the token", a.status, a.body, took)
			}
		})
	}
}

// TestUndecided: a requirement that could not decide is no refusal of the token.
func TestUndecided(t *testing.T) {
	f := newFixture(t, stateless)
	broken := func(context.Context, *verifier.Token) error { return errors.New("the database is away") }
	mcp.AddTool(f.server, &mcp.Tool{Name: "delete"}, func(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, none, error) {
		return nil, none{}, mcpverifier.Require(ctx, req, broken)
	})
	a := f.send("POST", "", "Bearer "+f.token("alice", nil), callTool("delete"))
	checkChallenge(t, a, http.StatusServiceUnavailable)
	if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "database") {
		t.Errorf("Retry-After %q, body %s; want one, and nothing of the cause", a.header.Get("Retry-After"), a.body)
	}
}
