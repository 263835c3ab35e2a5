package introspection_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const api = "https://api.example.com/"

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// world is an issuer, its clock and a client of its introspection endpoint.
type world struct {
	clock  *verifiertest.Clock
	issuer *verifiertest.Issuer
	client *introspection.Client
}

// newWorld makes one; change may alter the configuration of the client.
func newWorld(t *testing.T, change func(*introspection.Config)) *world {
	t.Helper()
	w := &world{clock: verifiertest.NewClock(start)}
	w.issuer = verifiertest.NewIssuer(t, verifiertest.WithURL("https://id.example.com/"), verifiertest.WithClock(w.clock), verifiertest.WithAlgorithm("ES256"))
	w.issuer.RequireClientSecretBasic("orders", "s3cret-s3cret")
	w.client = w.newClient(t, change)
	return w
}

func (w *world) newClient(t *testing.T, change func(*introspection.Config)) *introspection.Client {
	t.Helper()
	cfg := introspection.Config{
		Domain: w.issuer.Domain(), ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"), Doer: w.issuer.Client(), Clock: w.clock,
	}
	if change != nil {
		change(&cfg)
	}
	return mustClient(t, cfg)
}

func mustClient(t *testing.T, cfg introspection.Config) *introspection.Client {
	t.Helper()
	c, err := introspection.New(cfg)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// verifier returns a Verifier that asks the client.
func (w *world) verifier(t *testing.T, change func(*verifier.Issuer)) *verifier.Verifier {
	t.Helper()
	issuer := verifier.Issuer{Name: w.issuer.Domain(), Opaque: verifier.OpaqueTokens{Introspector: w.client}}
	if change != nil {
		change(&issuer)
	}
	cfg := w.issuer.Config(api)
	cfg.Domain, cfg.Issuers = "", []verifier.Issuer{issuer}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatalf("verifier.New = %v", err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func (w *world) ask(t *testing.T, token string) (verifier.Introspection, error) {
	t.Helper()
	return w.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: token})
}

func (w *world) asked() int { return w.issuer.Requests().Introspection }

// raw is a Doer that answers everything with a status and a body.
type raw struct {
	status int
	body   string
	calls  atomic.Int64
	header http.Header
	after  func(*http.Request)
}

func (r *raw) Do(req *http.Request) (*http.Response, error) {
	r.calls.Add(1)
	if r.after != nil {
		r.after(req)
	}
	header := r.header.Clone()
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{StatusCode: r.status, Header: header, Body: io.NopCloser(strings.NewReader(r.body)), ContentLength: -1, Request: req}, nil
}
