package verifiertest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example"

func newVerifier(t *testing.T, cfg verifier.Config) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestIssuerOfEveryAlgorithm(t *testing.T) {
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm(alg))
			cfg := issuer.Config(audience)
			v := newVerifier(t, cfg)
			token, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, map[string]any{"sub": "someone", "scope": "a b"}))
			if err != nil {
				t.Fatal(err)
			}
			if token.Subject != "someone" || !token.HasScope("b") || token.Issuer != issuer.URL() {
				t.Errorf("claims %v", token.Claims())
			}
		})
	}
}

func TestIssuersAreApart(t *testing.T) {
	one, two := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	v := newVerifier(t, one.Config(audience))
	if _, err := v.VerifyAccessToken(t.Context(), two.Sign(audience, nil)); !errors.Is(err, verifier.ErrIssuer) {
		t.Errorf("another issuer's token: %v; want ErrIssuer", err)
	}
	if got := two.Requests(); got != (verifiertest.Counts{}) {
		t.Errorf("requests to the other issuer: %+v", got)
	}
}

func TestIssuerFaults(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	get := func(path string) (int, string) {
		resp, err := issuer.Client().Get(strings.TrimSuffix(issuer.URL(), "/") + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	const jwks = "/.well-known/jwks.json"
	_, first := get(jwks)
	issuer.FailNext(2, 503)
	for _, want := range []int{503, 503, 200} {
		if got, _ := get(jwks); got != want {
			t.Errorf("status %d; want %d", got, want)
		}
	}
	issuer.FailNext(-1, 500)
	for range 5 {
		if got, _ := get(jwks); got != 500 {
			t.Errorf("status %d; want 500", got)
		}
	}
	issuer.Recover()
	issuer.AddKey()
	if _, both := get(jwks); strings.Count(both, `"kid"`) != 2 || both == first {
		t.Errorf("after AddKey: %s", both)
	}
	issuer.RotateKeys()
	if _, one := get(jwks); strings.Count(one, `"kid"`) != 1 {
		t.Errorf("after RotateKeys: %s", one)
	}
	issuer.SetJWKS([]byte("x"))
	issuer.SetDiscovery([]byte("y"))
	if _, body := get(jwks); body != "x" {
		t.Errorf("SetJWKS: %q", body)
	}
	if _, body := get("/.well-known/openid-configuration"); body != "y" {
		t.Errorf("SetDiscovery: %q", body)
	}
	issuer.SetJWKS(nil)
	issuer.SetDiscovery(nil)
	issuer.SetHeader("ETag", `"1"`)
	r, err := http.NewRequest("GET", issuer.URL()+".well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("If-None-Match", `"1"`)
	resp, err := issuer.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 304 {
		t.Errorf("conditional request: %d; want 304", resp.StatusCode)
	}
	before := issuer.Requests().JWKS
	issuer.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if resp, err := issuer.Client().Do(r.WithContext(ctx)); err == nil {
		_ = resp.Body.Close()
		t.Error("an issuer that hangs answered")
	}
	issuer.Recover()
	if got, _ := get(jwks); got != 200 || issuer.Requests().JWKS <= before {
		t.Errorf("after Recover: %d, %+v", got, issuer.Requests())
	}
}

// TestHandler: the issuer without its TLS server, for servers of the test's
// own.
func TestHandler(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	w := httptest.NewRecorder()
	issuer.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), issuer.URL()) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestDPoPClient(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("s", 32))}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	cfg := issuer.Config(audience)
	cfg.DPoP.Nonces = nonces
	var handled atomic.Int64
	protect := verifier.Middleware(newVerifier(t, cfg), verifier.MiddlewareConfig{})
	server := httptest.NewServer(protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handled.Add(1) })))
	defer server.Close()
	client := verifiertest.NewDPoPClient(t, clock, "")
	token := issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()})
	r, err := http.NewRequest("GET", server.URL+"/orders?x=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(server.Client(), r, token) // the server asks for a nonce
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || handled.Load() != 1 {
		t.Errorf("status %d after %d calls; want 200 and one", resp.StatusCode, handled.Load())
	}
	if other := verifiertest.NewDPoPClient(t, clock, ""); other.Thumbprint() == client.Thumbprint() {
		t.Error("two clients have one key")
	}
}

func TestClock(t *testing.T) {
	start := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	clock := verifiertest.NewClock(start)
	clock.Advance(time.Hour)
	clock.Advance(-time.Minute)
	if got := clock.Now(); !got.Equal(start.Add(59 * time.Minute)) {
		t.Errorf("Now() = %v", got)
	}
	clock.Set(start)
	if got := clock.Now(); !got.Equal(start) {
		t.Errorf("after Set: %v", got)
	}
	if age := time.Since(verifiertest.NewClock(time.Time{}).Now()); age < 0 || age > time.Minute {
		t.Errorf("the clock of today is off by %v", age)
	}
}

func TestCache(t *testing.T) {
	ctx := t.Context()
	clock := verifiertest.NewClock(time.Time{})
	cache := verifiertest.NewCache(clock, 2)
	boom := errors.New("boom")
	set := func(key, value string) {
		t.Helper()
		if err := cache.Set(ctx, key, []byte(value), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	set("a", "1")
	set("b", "2")
	set("c", "3")
	if got := cache.Keys(); !slices.Equal(got, []string{"c", "b"}) {
		t.Errorf("keys %q; want the two used last", got)
	}
	cache.Corrupt(func(key string, value []byte) []byte { return []byte(key + string(value)) })
	if value, ok, err := cache.Get(ctx, "c"); err != nil || !ok || string(value) != "c3" {
		t.Errorf("after Corrupt: %q %v %v", value, ok, err)
	}
	cache.FailNext(1, boom)
	if _, _, err := cache.Get(ctx, "c"); !errors.Is(err, boom) {
		t.Errorf("FailNext: %v", err)
	}
	if _, ok, err := cache.Get(ctx, "c"); err != nil || !ok {
		t.Errorf("after the failure: %v %v", ok, err)
	}
	cache.FailNext(-1, boom)
	for range 3 {
		if err := cache.Delete(ctx, "c"); !errors.Is(err, boom) {
			t.Errorf("FailNext(-1): %v", err)
		}
	}
	cache.Hang()
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := cache.Set(short, "c", nil, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hang: %v", err)
	}
	cache.Recover()
	if got := cache.Calls("Get"); got != 3 {
		t.Errorf("%d calls of Get; want 3", got)
	}
	if err := cache.Clear(ctx); err != nil || len(cache.Keys()) != 0 {
		t.Errorf("Clear: %v, %q", err, cache.Keys())
	}
}

func TestReplayStore(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	store := verifiertest.NewReplayStore(clock)
	var added atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if ok, err := store.Add(t.Context(), "k", time.Minute); err != nil {
				t.Error(err)
			} else if ok {
				added.Add(1)
			}
		})
	}
	wg.Wait()
	if added.Load() != 1 {
		t.Errorf("added %d times; want once", added.Load())
	}
	clock.Advance(time.Minute)
	if ok, _ := store.Add(t.Context(), "k", time.Minute); ok {
		t.Error("forgotten before its time")
	}
	clock.Advance(time.Second)
	if ok, _ := store.Add(t.Context(), "k", time.Minute); !ok {
		t.Error("remembered for too long")
	}
}
