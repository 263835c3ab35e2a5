//go:build interop

package mcp_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

// node returns a folder with the scripts and the packages of their lock file,
// which are installed into the user's cache.
var node = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "portcullis-interop", "mcp")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS("node")); err != nil {
		return "", err
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir, install.Stderr = dir, os.Stderr
	return dir, install.Run()
})

// process is a script that answers lines with lines.
type process struct {
	t     *testing.T
	in    io.WriteCloser
	lines *bufio.Scanner
}

func start(t *testing.T, env []string, script string, args ...string) *process {
	t.Helper()
	dir, err := node()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), env...), os.Stderr
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
		_ = in.Close()
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
	t      *testing.T
	issuer string
	client *http.Client
	env    []string // of scripts
}

func newWorld(t *testing.T) *world {
	t.Helper()
	temporary := httptest.NewUnstartedServer(nil)
	temporary.StartTLS()
	certificate, parsed := temporary.TLS.Certificates[0], temporary.Certificate()
	temporary.Close()
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, client: temporary.Client()}
	w.env = []string{
		"NODE_NO_WARNINGS=1", "TLS_KEY=" + pemFile(t, "PRIVATE KEY", key),
		"TLS_CERT=" + pemFile(t, "CERTIFICATE", parsed.Raw), "NODE_EXTRA_CA_CERTS=" + pemFile(t, "CERTIFICATE", parsed.Raw),
	}
	var ready struct{ Issuer string }
	start(t, w.env, "provider.mjs").read(&ready)
	w.issuer = ready.Issuer
	return w
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func (w *world) typescript(t *testing.T, major string) *process {
	t.Helper()
	return start(t, w.env, "client.mjs", major)
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
