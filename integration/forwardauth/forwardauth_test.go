package forwardauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/integration/forwardauth"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example.com"

type world struct {
	t      *testing.T
	issuer *verifiertest.Issuer
	client *verifiertest.DPoPClient
	bound  string
	h      *forwardauth.Handler
}

func newWorld(t *testing.T, change func(*verifier.Config, *forwardauth.Config)) *world {
	t.Helper()
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config(audience)
	cfg.ExternalURL = audience
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's peer
	auth := forwardauth.Config{Proxy: forwardauth.Nginx(), Headers: []forwardauth.Header{
		{Name: "X-Auth-Subject", Value: forwardauth.Claim("sub")},
		{Name: "X-Auth-Scope", Value: forwardauth.Scopes},
		{Name: "X-Auth-Tenant", Value: forwardauth.Claim("tenant")},
	}}
	if change != nil {
		change(&cfg, &auth)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	auth.Verifier = v
	h, err := forwardauth.New(auth)
	if err != nil {
		t.Fatal(err)
	}
	client := verifiertest.NewDPoPClient(t, nil, "")
	return &world{t, issuer, client, issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()}), h}
}

// ask sends the proxy's request about a client's request.
func (w *world) ask(method, uri string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://auth.internal/check", nil)
	r.Header.Set("X-Original-Method", method)
	r.Header.Set("X-Original-URI", uri)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return w.serve(r)
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.h.ServeHTTP(answer, r)
	if got := answer.Header().Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("%d: Cache-Control %q; want no-store", answer.Code, got)
	}
	if got := answer.Header().Get("X-Auth-Status"); answer.Code != 200 && got != strconv.Itoa(answer.Code) {
		w.t.Errorf("%d: X-Auth-Status %q; want the status", answer.Code, got)
	}
	return answer
}

func TestClaimsArePassedOn(t *testing.T) {
	w := newWorld(t, nil)
	token := w.issuer.Sign(audience, map[string]any{"sub": "ann ö%\r\nX: y", "scope": "read write", "tenant": map[string]any{"a": []int{1}}})
	answer := w.ask("GET", "/orders", "Authorization", "Bearer "+token)
	for name, want := range map[string]string{
		"X-Auth-Subject": "ann%20%C3%B6%25%0D%0AX:%20y", "X-Auth-Scope": "read%20write", "X-Auth-Tenant": `{"a":[1]}`,
	} {
		if got := answer.Header().Get(name); answer.Code != 200 || got != want {
			t.Errorf("%d %s: %q; want 200 and %q", answer.Code, name, got, want)
		}
	}
	answer = w.ask("GET", "/orders", "Authorization", "Bearer "+w.issuer.Sign(audience, nil))
	if values, ok := answer.Header()["X-Auth-Tenant"]; answer.Code != 200 || !ok || !slices.Equal(values, []string{""}) {
		t.Errorf("%d, absent claim: %q; want 200 and one empty field", answer.Code, values)
	}
}

func TestTooManyClaimsAreRefused(t *testing.T) {
	w := newWorld(t, func(_ *verifier.Config, auth *forwardauth.Config) { auth.MaxHeaderBytes = 100 })
	fits := 100 - len("X-Auth-Subject") - len("X-Auth-Scope") - len("X-Auth-Tenant")
	for length, want := range map[int]int{fits: 200, fits + 1: 500} {
		answer := w.ask("GET", "/orders", "Authorization", "Bearer "+w.issuer.Sign(audience, map[string]any{"sub": strings.Repeat("s", length)}))
		if answer.Code != want || want == 500 && answer.Header().Get("X-Auth-Subject") != "" {
			t.Errorf("subject of %d bytes: %d %v; want %d", length, answer.Code, answer.Header(), want)
		}
	}
}

// The proof is for the client's method and URL, not for those of the request to
// this handler.
func TestOriginalRequest(t *testing.T) {
	w := newWorld(t, nil)
	dpop := func(method, url string) []string {
		return []string{"Authorization", "DPoP " + w.bound, "DPoP", w.client.Proof(method, url, w.bound)}
	}
	if answer := w.ask("DELETE", "/orders/7?x=1", dpop("DELETE", audience+"/orders/7")...); answer.Code != 200 {
		t.Errorf("%d %s; want 200", answer.Code, answer.Body)
	}
	for name, fields := range map[string][]string{"URL": dpop("GET", audience+"/check"), "method": dpop("GET", audience+"/orders/7")} {
		answer := w.ask("DELETE", "/orders/7", fields...)
		if answer.Code != 401 || !strings.Contains(answer.Header().Get("WWW-Authenticate"), "invalid_dpop_proof") {
			t.Errorf("proof for another %s: %d %v; want 401", name, answer.Code, answer.Header())
		}
	}
	strange := newWorld(t, func(cfg *verifier.Config, _ *forwardauth.Config) { cfg.ExternalURL = audience + "/v1" })
	proof := strange.client.Proof("GET", audience+"/v1/orders", strange.bound)
	if answer := strange.ask("GET", "/orders", "Authorization", "DPoP "+strange.bound, "DPoP", proof); answer.Code != 200 {
		t.Errorf("stripped prefix: %d %s; want 200", answer.Code, answer.Body)
	}
}

func TestUndecidableRequests(t *testing.T) {
	w := newWorld(t, nil)
	token := "Bearer " + w.issuer.Sign(audience, nil)
	good := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "http://auth.internal/check", nil)
		r.Header.Set("X-Original-Method", "GET")
		r.Header.Set("X-Original-URI", "/orders")
		r.Header.Set("Authorization", token)
		return r
	}
	if answer := w.serve(good()); answer.Code != 200 {
		t.Fatalf("%d %s; want 200", answer.Code, answer.Body)
	}
	for name, change := range map[string]func(*http.Request){
		"another peer":     func(r *http.Request) { r.RemoteAddr = "198.51.100.1:1" },
		"no method":        func(r *http.Request) { r.Header.Del("X-Original-Method") },
		"no URI":           func(r *http.Request) { r.Header.Del("X-Original-URI") },
		"two methods":      func(r *http.Request) { r.Header.Add("X-Original-Method", "GET") },
		"two URIs":         func(r *http.Request) { r.Header.Add("X-Original-URI", "/orders") },
		"empty method":     func(r *http.Request) { r.Header.Set("X-Original-Method", "") },
		"method with text": func(r *http.Request) { r.Header.Set("X-Original-Method", "GET /") },
		"empty URI":        func(r *http.Request) { r.Header.Set("X-Original-URI", "") },
		"absolute URI":     func(r *http.Request) { r.Header.Set("X-Original-URI", "https://evil.example/orders") },
		"relative URI":     func(r *http.Request) { r.Header.Set("X-Original-URI", "orders") },
		"control in URI":   func(r *http.Request) { r.Header["X-Original-Uri"] = []string{"/a\x00b"} },
		"long URI":         func(r *http.Request) { r.Header.Set("X-Original-URI", "/"+strings.Repeat("a", 16<<10)) },
	} {
		r := good()
		change(r)
		answer := w.serve(r)
		if answer.Code != 400 || answer.Header().Get("X-Auth-Status") != "400" || answer.Header().Get("X-Auth-Subject") != "" {
			t.Errorf("%s: %d %v; want 400", name, answer.Code, answer.Header())
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, func(_ *verifier.Config, auth *forwardauth.Config) {
		auth.Requirements = []verifier.Requirement{verifier.AllScopes("read")}
	})
	reading := w.issuer.Sign(audience, map[string]any{"scope": "read"})
	for name, c := range map[string]struct {
		fields    []string
		status    int
		challenge string
	}{
		"nothing":   {nil, 401, `Bearer realm="api", DPoP algs="ES256"`},
		"bad token": {[]string{"Authorization", "Bearer x"}, 401, `error="invalid_token"`},
		"no scope":  {[]string{"Authorization", "Bearer " + w.issuer.Sign(audience, nil)}, 403, `error="insufficient_scope"`},
		"two lines": {[]string{"Authorization", "Bearer " + reading, "Authorization", "Bearer " + reading}, 400, `error="invalid_request"`},
		"good":      {[]string{"Authorization", "Bearer " + reading}, 200, ""},
	} {
		answer := w.ask("GET", "/orders", c.fields...)
		if lines := answer.Header().Values("WWW-Authenticate"); answer.Code != c.status || len(lines) > 1 || !strings.Contains(strings.Join(lines, ""), c.challenge) {
			t.Errorf("%s: %d %q; want %d and one line with %s", name, answer.Code, lines, c.status, c.challenge)
		}
	}
	cold := newWorld(t, nil)
	cold.issuer.FailNext(100, 500)
	answer := cold.ask("GET", "/orders", "Authorization", "Bearer "+cold.issuer.Sign(audience, nil))
	if answer.Code != 503 || answer.Header().Get("X-Auth-Status") != "503" || answer.Header().Get("Retry-After") == "" || answer.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("issuer down: %d %v; want 503 with Retry-After and no challenge", answer.Code, answer.Header())
	}
}

// RFC 9449, Sections 8.2 and 9.
func TestNonces(t *testing.T) {
	w := newWorld(t, func(cfg *verifier.Config, _ *forwardauth.Config) {
		nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("s", 32))}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.DPoP.Nonces = nonces
	})
	send := func(nonce string) *httptest.ResponseRecorder {
		var claims map[string]any
		if nonce != "" {
			claims = map[string]any{"nonce": nonce}
		}
		return w.ask("GET", "/orders", "Authorization", "DPoP "+w.bound, "DPoP", w.client.ProofWith("GET", audience+"/orders", w.bound, nil, claims))
	}
	first := send("")
	nonce := first.Header().Get("DPoP-Nonce")
	if first.Code != 401 || nonce == "" || !strings.Contains(first.Header().Get("WWW-Authenticate"), "use_dpop_nonce") {
		t.Fatalf("%d %v; want 401 with a nonce", first.Code, first.Header())
	}
	if second := send(nonce); second.Code != 200 || second.Header().Get("DPoP-Nonce") == "" {
		t.Errorf("%d %v; want 200 with the next nonce", second.Code, second.Header())
	}
}

func TestEnvoy(t *testing.T) {
	w := newWorld(t, func(_ *verifier.Config, auth *forwardauth.Config) { auth.Proxy = forwardauth.Envoy("/check") })
	send := func(method, target, url string) int {
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("Authorization", "DPoP "+w.bound)
		r.Header.Set("DPoP", w.client.Proof(method, url, w.bound))
		return w.serve(r).Code
	}
	if got := send("POST", "/check/orders?x", audience+"/orders"); got != 200 {
		t.Errorf("%d; want 200", got)
	}
	for _, target := range []string{"/orders", "/check", "/checkout"} {
		if got := send("GET", target, audience+target); got != 400 {
			t.Errorf("%s: %d; want 400", target, got)
		}
	}
}

func TestPreflights(t *testing.T) {
	preflight := []string{"Origin", "https://app.example", "Access-Control-Request-Method", "PUT"}
	if answer := newWorld(t, nil).ask("OPTIONS", "/orders", preflight...); answer.Code != 401 {
		t.Errorf("by default: %d; want 401", answer.Code)
	}
	w := newWorld(t, func(_ *verifier.Config, auth *forwardauth.Config) { auth.PassPreflights = true })
	answer := w.ask("OPTIONS", "/orders", preflight...)
	if values, ok := answer.Header()["X-Auth-Subject"]; answer.Code != 200 || !ok || values[0] != "" {
		t.Errorf("%d %v; want 200 and empty fields", answer.Code, answer.Header())
	}
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"another method":   w.ask("GET", "/orders", preflight...),
		"no Origin":        w.ask("OPTIONS", "/orders", preflight[2:]...),
		"no preflight":     w.ask("OPTIONS", "/orders", preflight[:2]...),
		"with credentials": w.ask("OPTIONS", "/orders", append(slices.Clone(preflight), "Authorization", "Bearer x")...),
	} {
		if answer.Code != 401 {
			t.Errorf("%s: %d; want 401", name, answer.Code)
		}
	}
}

func TestNewValidates(t *testing.T) {
	v := verifiertest.NewIssuer(t)
	cfg := v.Config(audience)
	good, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	header := func(name string) []forwardauth.Header {
		return []forwardauth.Header{{Name: name, Value: forwardauth.Scheme}}
	}
	for name, c := range map[string]forwardauth.Config{
		"no verifier":          {Proxy: forwardauth.Nginx()},
		"no proxy":             {Verifier: good},
		"half a proxy":         {Verifier: good, Proxy: forwardauth.Proxy{MethodField: "X-Method"}},
		"bad field":            {Verifier: good, Proxy: forwardauth.Proxy{MethodField: "X Method", URIField: "X-Uri"}},
		"fields and prefix":    {Verifier: good, Proxy: forwardauth.Proxy{MethodField: "X-Method", URIField: "X-Uri", PathPrefix: "/a"}},
		"prefix without slash": {Verifier: good, Proxy: forwardauth.Envoy("check")},
		"prefix that is root":  {Verifier: good, Proxy: forwardauth.Envoy("/")},
		"bound below":          {Verifier: good, Proxy: forwardauth.Nginx(), MaxHeaderBytes: -1},
		"bound above":          {Verifier: good, Proxy: forwardauth.Nginx(), MaxHeaderBytes: 64<<10 + 1},
		"header without name":  {Verifier: good, Proxy: forwardauth.Nginx(), Headers: header("")},
		"header with space":    {Verifier: good, Proxy: forwardauth.Nginx(), Headers: header("X Y")},
		"header with _":        {Verifier: good, Proxy: forwardauth.Nginx(), Headers: header("X_Y")},
		"reserved header":      {Verifier: good, Proxy: forwardauth.Nginx(), Headers: header("dpop-NONCE")},
		"the proxy's header":   {Verifier: good, Proxy: forwardauth.Nginx(), Headers: header("x-original-uri")},
		"header twice":         {Verifier: good, Proxy: forwardauth.Nginx(), Headers: append(header("X-A"), header("x-a")...)},
		"header without value": {Verifier: good, Proxy: forwardauth.Nginx(), Headers: []forwardauth.Header{{Name: "X-A"}}},
	} {
		if h, err := forwardauth.New(c); h != nil || !errors.Is(err, forwardauth.ErrConfig) {
			t.Errorf("%s: %v, %v; want ErrConfig", name, h, err)
		}
	}
}

// FuzzOriginal shows that whatever the fields say, only a request that could be
// read gets an answer of the Verifier, and no answer lets it pass.
func FuzzOriginal(f *testing.F) {
	issuer := verifiertest.NewIssuer(f)
	cfg := issuer.Config(audience)
	cfg.TrustUnixPeers = true
	v, err := verifier.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	defer v.Close()
	h, err := forwardauth.New(forwardauth.Config{Verifier: v, Proxy: forwardauth.Nginx()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("GET", "/orders?x=%zz")
	f.Add("", "//a/../b#c")
	f.Add("G\r\n", "http://x/")
	f.Fuzz(func(t *testing.T, method, uri string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "@"
		r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{method}, []string{uri}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 400 && w.Code != 401 || w.Code == 401 && !strings.HasPrefix(uri, "/") {
			t.Errorf("%q %q: %d; want 400, or 401 for a request that can be read", method, uri, w.Code)
		}
	})
}
