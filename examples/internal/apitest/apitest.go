package apitest

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// Serve starts the API under test, protected by v, on a plain HTTP port of
// 127.0.0.1, ends it when the test ends, and returns its base URL. The API is:
//
//	GET  /healthz      open to everybody
//	GET  /orders       needs a good token
//	GET  /orders/{id}  needs a good token
//	POST /orders       needs the scope write:orders
//
// and answers with the subject and scheme of the token as JSON.
type Serve func(t *testing.T, v *verifier.Verifier) (baseURL string)

// Handler is a [Serve] for anything that is an http.Handler.
func Handler(protect func(v *verifier.Verifier) http.Handler) Serve {
	return func(t *testing.T, v *verifier.Verifier) string {
		server := httptest.NewServer(protect(v))
		t.Cleanup(server.Close)
		return server.URL
	}
}

// Run runs all tests of an API.
func Run(t *testing.T, serve Serve) {
	t.Run("answers", func(t *testing.T) { testAnswers(t, serve) })
	t.Run("replay", func(t *testing.T) { testReplay(t, serve) })
	t.Run("nonces", func(t *testing.T) { testNonces(t, serve) })
	t.Run("outage", func(t *testing.T) { testOutage(t, serve) })
}

// NewVerifier returns the verifier of a configuration, to be closed with the
// test.
func NewVerifier(t *testing.T, cfg verifier.Config) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func newWorld(t *testing.T, serve Serve, change func(*verifier.Config)) *world {
	t.Helper()
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config(Audience)
	change(&cfg)
	return &world{
		api: serve(t, NewVerifier(t, cfg)), issuer: issuer,
		client: verifiertest.NewDPoPClient(t, nil, ""), thief: verifiertest.NewDPoPClient(t, nil, ""),
	}
}

func unchanged(*verifier.Config) {}

func testAnswers(t *testing.T, serve Serve) {
	w := newWorld(t, serve, unchanged)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			check(t, send(t, w.api, c.make(w)), c.want)
		})
	}
}

func testReplay(t *testing.T, serve Serve) {
	w := newWorld(t, serve, unchanged)
	r := w.proven("GET", "/orders", "GET", w.api+"/orders")
	check(t, send(t, w.api, r), accepted("DPoP"))
	check(t, send(t, w.api, r), refused("DPoP", "invalid_dpop_proof", "the DPoP proof was used before"))
}

func testNonces(t *testing.T, serve Serve) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{secret}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, serve, func(cfg *verifier.Config) { cfg.DPoP.Nonces = nonces })
	first := send(t, w.api, w.proven("GET", "/orders", "GET", w.api+"/orders"))
	check(t, first, refused("DPoP", "use_dpop_nonce", "the DPoP proof must have the nonce that is given"))
	nonce := first.header.Get("DPoP-Nonce")
	token := w.bound(nil)
	second := send(t, w.api, request{"GET", "/orders", []string{
		"Authorization", "DPoP " + token,
		"DPoP", w.client.ProofWith("GET", w.api+"/orders", token, nil, map[string]any{"nonce": nonce}),
	}})
	check(t, second, accepted("DPoP"))
	if nonce == "" || second.header.Get("DPoP-Nonce") == "" {
		t.Errorf("DPoP-Nonce = %q, then %q; want nonces", nonce, second.header.Get("DPoP-Nonce"))
	}
	if got := second.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control beside a nonce = %q; want no-store", got)
	}
}

// testOutage: an issuer that is down is no reason for a client to throw its
// token away.
func testOutage(t *testing.T, serve Serve) {
	w := newWorld(t, serve, unchanged)
	w.issuer.FailNext(-1, http.StatusInternalServerError)
	got := send(t, w.api, bearer("GET", "/orders", w.issuer.Sign(Audience, nil)))
	check(t, got, answer{http.StatusServiceUnavailable, nil, []string{`"error":"temporarily_unavailable"`}})
	if got.header.Get("Retry-After") == "" {
		t.Errorf("the answer has no Retry-After")
	}
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

// send sends the header lines as they are, each as a line of its own.
func send(t *testing.T, api string, r request) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, api+r.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(r.headers, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, string(body)}
}

func check(t *testing.T, got response, want answer) {
	t.Helper()
	if got.status != want.status {
		t.Errorf("status = %d; want %d, body %s", got.status, want.status, got.body)
	}
	if challenges := got.header.Values("WWW-Authenticate"); !slices.Equal(challenges, want.challenges) {
		t.Errorf("WWW-Authenticate = %q; want %q", challenges, want.challenges)
	}
	for _, part := range want.body {
		if !strings.Contains(got.body, part) {
			t.Errorf("body = %s; want %s in it", got.body, part)
		}
	}
	if reached := strings.Contains(got.body, `"subject"`); reached && want.status != http.StatusOK {
		t.Errorf("the handler was reached: %s", got.body)
	}
}

// Listen returns a listener on a free port of 127.0.0.1, for servers that are
// none of net/http.
func Listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
