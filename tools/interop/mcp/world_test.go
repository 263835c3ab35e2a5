//go:build interop

package mcp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

func TestMain(m *testing.M) {
	code := m.Run()
	rig.Report(os.Stdout)
	os.Exit(code)
}

// process is a script that answers lines with lines.
type process struct {
	t     *testing.T
	in    io.WriteCloser
	lines *bufio.Scanner
}

func (w *world) start(t *testing.T, script string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, rig.Tool(t, "node"), append([]string{script}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = w.dir, append(os.Environ(), w.env...), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // at which the scripts end
		end := time.AfterFunc(5*time.Second, cancel)
		defer end.Stop()
		_ = cmd.Wait()
		cancel()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &process{t, in, lines}
}

// read reads a line of the process.
func (p *process) read(answer any) {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatalf("the script ended: %v", p.lines.Err())
	}
	if err := json.Unmarshal(p.lines.Bytes(), answer); err != nil {
		p.t.Fatalf("%v: %s", err, p.lines.Text())
	}
}

// reply is what a client answers.
type reply struct {
	Error          string
	Result         seen
	Status         int
	Text           string
	Session        string
	Authorizations int
	Tokens         int // sets that were saved
	Asked          []struct{ Scope, Resource string }
	Type           string
	Protocol       string
}

// tell has a client do something.
func (p *process) tell(command map[string]any) reply {
	p.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.t.Fatal(err)
	}
	var r reply
	p.read(&r)
	return r
}

// must is tell, for what must not fail.
func (p *process) must(command map[string]any) reply {
	p.t.Helper()
	r := p.tell(command)
	if r.Error != "" {
		p.t.Fatalf("%v = %s", command, r.Error)
	}
	return r
}

// world is a provider, and what reaches it.
type world struct {
	issuer string
	client *http.Client
	dir    string   // of scripts
	env    []string // of scripts
}

func newWorld(t *testing.T) *world {
	t.Helper()
	authority := rig.NewAuthority(t)
	certificate := authority.Issue(t, "provider")
	w := &world{
		dir:    rig.NPM(t, "node"),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool}}},
		env: []string{
			"NODE_NO_WARNINGS=1", "TLS_KEY=" + certificate.KeyFile, "TLS_CERT=" + certificate.File, "NODE_EXTRA_CA_CERTS=" + authority.File,
		},
	}
	t.Cleanup(w.client.CloseIdleConnections)
	var ready struct{ Issuer string }
	w.start(t, "provider.mjs").read(&ready)
	w.issuer = ready.Issuer
	return w
}

func (w *world) typescript(t *testing.T, major string) *process {
	t.Helper()
	return w.start(t, "client.mjs", major)
}

// seen is what the tools answer with.
type seen struct {
	Subject string `json:"subject"`
	Scope   string `json:"scope"`
	Scheme  string `json:"scheme"`
}

func look(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, seen, error) {
	var s seen
	if token, ok := verifier.TokenFromContext(ctx); ok {
		s = seen{token.Subject, token.Scope, string(token.Scheme)}
	}
	return nil, s, nil
}

// serve starts a protected MCP server under a path and returns its URL.
func (w *world) serve(t *testing.T, path string, change func(*mcpverifier.Config)) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look"}, look)
	mcp.AddTool(server, &mcp.Tool{Name: "read"}, mcpverifier.RequireScopes(look, "read:orders"))
	mcp.AddTool(server, &mcp.Tool{Name: "write"}, mcpverifier.RequireScopes(look, "write:orders"))
	var handler http.Handler
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	cfg := mcpverifier.Config{
		Resource: listening.URL + path, Scopes: []string{"mcp"},
		Verifier: verifier.Config{Domain: w.issuer, Doer: w.client},
	}
	change(&cfg)
	h, err := mcpverifier.New(func(*http.Request) *mcp.Server { return server }, cfg)
	if err != nil {
		t.Fatal(err)
	}
	handler = h
	t.Cleanup(func() {
		for s := range server.Sessions() {
			_ = s.Close()
		}
		listening.CloseClientConnections()
		listening.Close()
		_ = h.Close()
	})
	return cfg.Resource
}
