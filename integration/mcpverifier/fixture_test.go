package mcpverifier_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// fixture is a protected MCP server, and the issuer of its tokens.
type fixture struct {
	t        testing.TB
	issuer   *verifiertest.Issuer
	handler  *mcpverifier.Handler
	server   *mcp.Server
	resource string // URL of the endpoint
	origin   string
	protocol string // MCP-Protocol-Version; "" is 2025-06-18
	proofs   *verifiertest.DPoPClient
}

// seen is what the tools answer with.
type seen struct {
	Subject string `json:"subject"` // of TokenFromContext
	Scope   string `json:"scope"`
	Token   string `json:"token"` // subject by Token(req)
	Sent    string `json:"sent"`  // AccessToken(req)
	Header  string `json:"header"`
	Info    string `json:"info"` // scopes of the SDK's TokenInfo in the context
}

type none struct{}

func look(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, seen, error) {
	var s seen
	if t, ok := verifier.TokenFromContext(ctx); ok {
		s.Subject, s.Scope = t.Subject, t.Scope
	}
	if t, ok := mcpverifier.Token(req); ok {
		s.Token = t.Subject
	}
	if info := auth.TokenInfoFromContext(ctx); info != nil {
		s.Info = strings.Join(info.Scopes, " ")
	}
	s.Sent, _ = mcpverifier.AccessToken(req)
	if req.Extra != nil {
		for _, name := range []string{"Authorization", "DPoP", "Cookie"} {
			s.Header += req.Extra.Header.Get(name)
		}
	}
	return nil, s, nil
}

func newServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look"}, look)
	mcp.AddTool(server, &mcp.Tool{Name: "write"}, mcpverifier.RequireScopes(look, "write:orders", "read:orders"))
	return server
}

func unchanged(*mcpverifier.Config) {}

func newFixture(t testing.TB, change func(*mcpverifier.Config)) *fixture {
	t.Helper()
	issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256"))
	f := &fixture{t: t, issuer: issuer, server: newServer(), proofs: verifiertest.NewDPoPClient(t, nil, "")}
	listening := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.handler.ServeHTTP(w, r) }))
	f.origin = "http://" + listening.Listener.Addr().String()
	f.resource = f.origin + "/mcp"
	cfg := mcpverifier.Config{Resource: f.resource, Verifier: issuer.Config("")}
	change(&cfg)
	var err error
	if f.handler, err = mcpverifier.New(func(*http.Request) *mcp.Server { return f.server }, cfg); err != nil {
		t.Fatal(err)
	}
	listening.Start()
	t.Cleanup(func() {
		for s := range f.server.Sessions() {
			_ = s.Close()
		}
		listening.CloseClientConnections()
		listening.Close()
		_ = f.handler.Close()
	})
	return f
}

// token of a user.
func (f *fixture) token(subject string, claims map[string]any) string {
	all := map[string]any{"sub": subject}
	for name, value := range claims {
		all[name] = value
	}
	return f.issuer.Sign(f.resource, all)
}

// answer is an HTTP answer of the endpoint.
type answer struct {
	status  int
	header  http.Header
	body    string
	session string
}

// result is the answer of a tool, if there is one.
func (a *answer) result(t *testing.T) seen {
	t.Helper()
	var reply struct {
		Result struct {
			Content seen `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(lastEvent(a.body)), &reply); err != nil || a.status != http.StatusOK {
		t.Fatalf("answer = %d %s; want a result", a.status, a.body)
	}
	return reply.Result.Content
}

// lastEvent returns the data of the last event of a stream, or the body itself.
func lastEvent(body string) string {
	if i := strings.LastIndex(body, "\ndata: "); i >= 0 {
		body = body[i+len("\ndata: "):]
	} else if rest, ok := strings.CutPrefix(body, "data: "); ok {
		body = rest
	}
	return strings.TrimSpace(body)
}

// request makes a request of the endpoint. authorization is the header line of
// a Bearer token, or "".
func (f *fixture) request(ctx context.Context, method, session, authorization, body string) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, f.resource, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	protocol := f.protocol
	if protocol == "" {
		protocol = "2025-06-18"
	}
	if protocol != "-" {
		r.Header.Set("MCP-Protocol-Version", protocol)
	}
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func (f *fixture) do(r *http.Request) *answer {
	f.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		f.t.Fatal(err)
	}
	return &answer{resp.StatusCode, resp.Header, string(body), resp.Header.Get("Mcp-Session-Id")}
}

func (f *fixture) send(method, session, authorization, body string) *answer {
	f.t.Helper()
	return f.do(f.request(f.t.Context(), method, session, authorization, body))
}

const (
	initialize  = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// callTool is a call of a tool, in the form of the newest revision, too.
func callTool(name string) string {
	return `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"` + name + `","arguments":{}}}`
}

// open opens a session with a Bearer token and returns its name.
func (f *fixture) open(token string) string {
	f.t.Helper()
	a := f.send("POST", "", "Bearer "+token, initialize)
	if a.status != http.StatusOK || a.session == "" {
		f.t.Fatalf("initialize = %d %s, session %q; want 200 and a session", a.status, a.body, a.session)
	}
	if b := f.send("POST", a.session, "Bearer "+token, initialized); b.status != http.StatusAccepted {
		f.t.Fatalf("initialized = %d %s; want 202", b.status, b.body)
	}
	return a.session
}

func stateless(c *mcpverifier.Config) { c.HTTP.Stateless = true }
