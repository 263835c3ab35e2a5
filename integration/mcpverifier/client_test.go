package mcpverifier_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

// authorized sends requests with tokens.
type authorized func(*http.Request)

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	a(r)
	return http.DefaultTransport.RoundTrip(r)
}

// TestClientOfTheSDK: the client of the SDK works with Bearer and DPoP, with
// sessions and without.
func TestClientOfTheSDK(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*mcpverifier.Config)
		dpop   bool
	}{
		{"Bearer, session", unchanged, false},
		{"Bearer, stateless", stateless, false},
		{"DPoP, session", unchanged, true},
		{"DPoP, stateless", stateless, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.change)
			claims := map[string]any{"scope": "read:orders"}
			if c.dpop {
				claims["cnf"] = f.proofs.Confirmation()
			}
			send := func(r *http.Request) {
				token := f.token("alice", claims)
				if c.dpop {
					f.proofs.Authorize(r, token)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
			}
			client, err := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil).Connect(t.Context(),
				&mcp.StreamableClientTransport{Endpoint: f.resource, HTTPClient: &http.Client{Transport: authorized(send)}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			result, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "look"})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := result.StructuredContent.(map[string]any); got["subject"] != "alice" || got["token"] != "alice" {
				t.Errorf("the tool saw %v; want alice", result.StructuredContent)
			}
			if _, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "write"}); err == nil {
				t.Error("CallTool without the scope = nil; want an error")
			}
			if err := client.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
		})
	}
}

// TestServerOfTheUser: getServer sees the token, and every server that it
// returns gives its tools the token of their request.
func TestServerOfTheUser(t *testing.T) {
	f := newFixture(t, unchanged)
	servers := map[string]*mcp.Server{"alice": newServer(), "bob": newServer()}
	h, err := mcpverifier.New(func(r *http.Request) *mcp.Server {
		token, ok := verifier.TokenFromContext(r.Context())
		if !ok {
			return nil
		}
		return servers[token.Subject]
	}, mcpverifier.Config{Resource: f.resource, Verifier: f.issuer.Config("")})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f.handler = h
	for _, name := range []string{"alice", "bob"} {
		token := f.token(name, nil)
		if got := f.send("POST", f.open(token), "Bearer "+token, callTool("look")).result(t); got.Subject != name {
			t.Errorf("subject = %q; want %q", got.Subject, name)
		}
	}
	if a := f.send("POST", "", "Bearer "+f.token("eve", nil), initialize); a.status != http.StatusBadRequest {
		t.Errorf("without a server = %d %s; want 400", a.status, a.body)
	}
	for _, server := range servers {
		for s := range server.Sessions() {
			_ = s.Close()
		}
	}
}

// TestServersAreForgotten: a server for each request costs nothing afterwards.
func TestServersAreForgotten(t *testing.T) {
	f := newFixture(t, unchanged)
	gone := make(chan struct{}, 8)
	h, err := mcpverifier.New(func(*http.Request) *mcp.Server {
		server := newServer()
		runtime.AddCleanup(server, func(struct{}) { gone <- struct{}{} }, struct{}{})
		return server
	}, mcpverifier.Config{Resource: f.resource, Verifier: f.issuer.Config(""), HTTP: mcp.StreamableHTTPOptions{Stateless: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f.handler = h
	if got := f.send("POST", "", "Bearer "+f.token("alice", nil), callTool("look")).result(t); got.Subject != "alice" {
		t.Errorf("subject = %q; want alice", got.Subject)
	}
	deadline := time.After(30 * time.Second)
	for {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-deadline:
			t.Fatal("no server was collected")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestMiddlewareOutside: what the SDK calls before the handler's own middleware
// sees no token rather than that of the request that opened the session.
func TestMiddlewareOutside(t *testing.T) {
	f := newFixture(t, unchanged)
	session := f.open(f.token("alice", nil))
	var outside, inside bool
	f.server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			_, outside = verifier.TokenFromContext(ctx)
			_, inside = mcpverifier.Token(req)
			return next(ctx, method, req)
		}
	})
	if a := f.send("POST", session, "Bearer "+f.token("alice", nil), callTool("look")); a.status != http.StatusOK {
		t.Fatalf("call = %d %s", a.status, a.body)
	}
	if outside || !inside {
		t.Errorf("a token in the context: %v, of the request: %v; want false and true", outside, inside)
	}
}

// TestProofsAreForTheResource: a proxy may change the host.
func TestProofsAreForTheResource(t *testing.T) {
	f := newFixture(t, func(c *mcpverifier.Config) { c.Resource, c.HTTP.Stateless = "https://mcp.example.com/mcp", true })
	for _, c := range []struct {
		htu  string
		want int
	}{{"https://mcp.example.com/mcp", http.StatusOK}, {f.resource, http.StatusUnauthorized}} {
		token := f.issuer.Sign("https://mcp.example.com/mcp", map[string]any{"cnf": f.proofs.Confirmation()})
		r := f.request(t.Context(), "POST", "", "DPoP "+token, callTool("look"))
		r.Host = "mcp.example.com" // as a proxy of the same machine passes it on
		r.Header.Set("DPoP", f.proofs.Proof("POST", c.htu, token))
		if a := f.do(r); a.status != c.want {
			t.Errorf("proof for %s = %d %s; want %d", c.htu, a.status, a.body, c.want)
		}
	}
}

// TestLocalServer: a server that is for this machine alone refuses other names.
func TestLocalServer(t *testing.T) {
	f := newFixture(t, stateless)
	r := f.request(t.Context(), "POST", "", "Bearer "+f.token("alice", nil), callTool("look"))
	r.Host = "evil.example"
	if a := f.do(r); a.status != http.StatusForbidden {
		t.Errorf("another host = %d %s; want 403", a.status, a.body)
	}
}
