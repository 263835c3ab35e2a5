package verifier_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example"

// harness is a Verifier of a fake issuer, on a clock that stands still.
type harness struct {
	t      *testing.T
	clock  *verifiertest.Clock
	issuer *verifiertest.Issuer
	*verifier.Verifier
}

func newHarness(t *testing.T, change func(*verifier.Config)) *harness {
	t.Helper()
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	return &harness{t, clock, issuer, newVerifier(t, issuer, change)}
}

func newVerifier(t *testing.T, issuer *verifiertest.Issuer, change func(*verifier.Config)) *verifier.Verifier {
	t.Helper()
	cfg := issuer.Config(audience)
	if change != nil {
		change(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func (h *harness) token() string {
	return h.issuer.Sign(audience, map[string]any{"exp": h.clock.Now().Unix() + 1e6})
}

func (h *harness) accept(token string) {
	h.t.Helper()
	if _, err := h.VerifyAccessToken(h.t.Context(), token); err != nil {
		h.t.Fatalf("VerifyAccessToken: %v (%v)", err, errors.Unwrap(err))
	}
}

func (h *harness) refuse(token string, reason verifier.Reason) *verifier.Error {
	h.t.Helper()
	_, err := h.VerifyAccessToken(h.t.Context(), token)
	return wantReason(h.t, err, reason)
}

func wantReason(t *testing.T, err error, reason verifier.Reason) *verifier.Error {
	t.Helper()
	var e *verifier.Error
	if !errors.As(err, &e) || e.Reason != reason {
		t.Fatalf("error %v; want reason %s", err, reason)
	}
	return e
}

func (h *harness) requests(discovery, jwks int) {
	h.t.Helper()
	if got, want := h.issuer.Requests(), (verifiertest.Counts{Discovery: discovery, JWKS: jwks}); got != want {
		h.t.Errorf("requests %+v; want %+v", got, want)
	}
}

// eventually waits for something that a background refresh will bring.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

func TestColdStartFetchesOnce(t *testing.T) {
	h := newHarness(t, nil)
	token := h.token()
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if _, err := h.VerifyAccessToken(t.Context(), token); err != nil {
				t.Errorf("VerifyAccessToken: %v", err)
			}
		})
	}
	wg.Wait()
	h.requests(1, 1)
}

func TestFirstCallersEndIsItsOwn(t *testing.T) {
	h := newHarness(t, nil)
	token := h.token()
	h.issuer.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := h.VerifyAccessToken(ctx, token)
		first <- err
	}()
	eventually(t, "the first fetch", func() bool { return h.issuer.Requests().Discovery == 1 })
	second := make(chan error, 1)
	go func() {
		_, err := h.VerifyAccessToken(t.Context(), token)
		second <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, verifier.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("first caller: %v; want ErrUnavailable by its cancellation", err)
	}
	h.issuer.Recover()
	if err := <-second; err != nil {
		t.Errorf("second caller: %v", err)
	}
	h.requests(1, 1)
}

func TestWaiterObeysItsDeadline(t *testing.T) {
	h := newHarness(t, nil)
	token := h.token()
	h.issuer.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := h.VerifyAccessToken(ctx, token)
	if !errors.Is(err, verifier.ErrUnavailable) || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %v; want ErrUnavailable after about 50 ms", err, time.Since(began))
	}
	h.issuer.Recover()
}

func TestSteadyLoadNeverWaits(t *testing.T) {
	for name, c := range map[string]struct {
		cacheControl string
		step         time.Duration // 50 of them are five times the freshness, or more
	}{
		"unstated":   {"", time.Minute},
		"15 seconds": {"max-age=15", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil)
			h.issuer.SetHeader("Cache-Control", c.cacheControl)
			token := h.token()
			h.accept(token)
			// Nobody can wait for an issuer that hangs and be served.
			for range 50 {
				h.clock.Advance(c.step)
				h.issuer.Hang()
				h.accept(token)
				h.issuer.Recover()
				eventually(t, "the end of refreshes", func() bool {
					for _, health := range h.Health() {
						if health.State != verifier.StateFresh || health.NextRefresh.Before(h.clock.Now()) {
							return false
						}
					}
					return true
				})
			}
			if got := h.issuer.Requests(); got.JWKS < 1+5 || got.Discovery < 1+5 {
				t.Errorf("requests %+v; want a refresh of each document per freshness", got)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	h := newHarness(t, nil)
	old := h.token()
	h.accept(old)
	h.clock.Advance(time.Second)
	h.issuer.RotateKeys()
	token := h.token()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := h.VerifyAccessToken(t.Context(), token); err != nil {
				t.Errorf("new key: %v", err)
			}
		})
	}
	wg.Wait()
	h.requests(1, 2)
	h.refuse(old, reason.KeyUnknown)
}

func TestRemovedKeyIsRefusedAfterTheNextRefresh(t *testing.T) {
	h := newHarness(t, nil)
	old := h.token()
	h.accept(old)
	h.issuer.RotateKeys()
	h.accept(old)
	h.clock.Advance(11 * time.Minute)
	h.refuse(old, reason.KeyUnknown)
}

// TestFloodOfUnknownKeys: 10,000 tokens with made-up kids in one window, with
// a real rotation in the middle.
func TestFloodOfUnknownKeys(t *testing.T) {
	for name, down := range map[string]bool{"healthy": false, "down": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil)
			good := h.token()
			h.accept(good)
			if down {
				h.issuer.FailNext(-1, http.StatusInternalServerError)
			}
			_, rest, _ := strings.Cut(good, ".")
			junk := func(i int) string { // no key: no signature is ever looked at
				header := fmt.Sprintf(`{"alg":"RS256","kid":"junk-%d","typ":"at+jwt"}`, i)
				return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
			}
			flood := func(from, to int) {
				t.Helper()
				for i := from; i < to; i++ {
					_, err := h.VerifyAccessToken(t.Context(), junk(i))
					// Two are looked for; the limiter keeps us from looking for more.
					if err == nil || (down || i >= 2) != errors.Is(err, verifier.ErrUnavailable) {
						t.Fatalf("junk: %v", err)
					}
				}
			}
			var before, after runtime.MemStats
			flood(0, 2000)
			runtime.GC()
			runtime.ReadMemStats(&before)
			flood(2000, 10_000)
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
				t.Errorf("the heap grew by %d bytes over 8,000 made-up kids; want no growth", grown)
			}
			if got := h.issuer.Requests().JWKS; got > 1+2 {
				t.Errorf("%d JWKS requests in a window; want at most 1 + 2", got)
			}
			h.accept(good)
			h.issuer.Recover()
			h.issuer.AddKey()
			fresh := h.token()
			for i := range 100 {
				_, _ = h.VerifyAccessToken(t.Context(), junk(i))
			}
			if got := h.issuer.Requests().JWKS; got > 1+2 {
				t.Errorf("%d JWKS requests in a window; want at most 1 + 2", got)
			}
			h.clock.Advance(30 * time.Second)
			for i := range 100 { // junk comes first in the next window, too
				_, _ = h.VerifyAccessToken(t.Context(), junk(20_000+i))
			}
			h.accept(fresh)
			h.accept(good)
		})
	}
}

func TestBadSignatureCausesNoFetch(t *testing.T) {
	h := newHarness(t, nil)
	token := h.token()
	h.accept(token)
	forged := token[:strings.LastIndexByte(token, '.')+1] + base64.RawURLEncoding.EncodeToString(make([]byte, 256))
	for range 100 {
		h.refuse(forged, reason.Signature)
	}
	h.requests(1, 1)
}

// TestOutage: 30 minutes past freshness no good token fails; past the hard
// limit it is "could not decide"; recovery takes one step of the back-off.
func TestOutage(t *testing.T) {
	const perStep, step = 223, 40 * time.Second // 45 steps are 30 minutes, 10,035 tokens
	type source struct {
		issuer *verifiertest.Issuer
		refuse atomic.Bool
	}
	failures := map[string]func(*source){
		"refused":       func(s *source) { s.refuse.Store(true) },
		"5xx":           func(s *source) { s.issuer.FailNext(-1, http.StatusBadGateway) },
		"hang":          func(s *source) { s.issuer.Hang() },
		"garbage":       func(s *source) { s.issuer.SetJWKS([]byte("\x00\xff")); s.issuer.SetDiscovery([]byte("{")) },
		"empty set":     func(s *source) { s.issuer.SetJWKS([]byte(`{"keys":[]}`)) },
		"HTML":          func(s *source) { s.issuer.SetDiscovery([]byte("<html>")); s.issuer.SetJWKS([]byte("<html>")) },
		"wrong issuer":  func(s *source) { s.issuer.SetDiscovery([]byte(`{"issuer":"https://evil.example/"}`)) },
		"truncated":     func(s *source) { s.issuer.SetJWKS([]byte(`{"keys":[{"kty":"RSA"`)) },
		"redirect":      func(s *source) { s.issuer.FailNext(-1, http.StatusFound) },
		"too many keys": func(s *source) { s.issuer.SetJWKS([]byte(`{"keys":[{}` + strings.Repeat(",{}", 500) + `]}`)) },
		"too large a set": func(s *source) {
			s.issuer.SetJWKS([]byte(`{"keys":[],"x":"` + strings.Repeat("x", 1<<20) + `"}`))
		},
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &source{}
			h := newHarness(t, func(cfg *verifier.Config) {
				client := cfg.Doer
				cfg.Refresh.FetchTimeout = 2 * time.Second
				cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
					if s.refuse.Load() {
						return nil, syscall.ECONNREFUSED
					}
					return client.Do(r)
				})
			})
			s.issuer = h.issuer
			token := h.token()
			h.accept(token)
			h.clock.Advance(10 * time.Minute) // the end of freshness
			h.issuer.Recover()
			fail(s)
			before := h.issuer.Requests()
			for range 45 {
				h.clock.Advance(step)
				for range perStep {
					h.accept(token)
				}
			}
			// The back-off is 30 s at the most, so one attempt per step and
			// document at the most, and the first failure.
			if got := h.issuer.Requests(); got.Discovery-before.Discovery > 47 || got.JWKS-before.JWKS > 47 {
				t.Errorf("requests %+v after %+v; want no more than the back-off allows", got, before)
			}
			h.clock.Advance(time.Hour)
			h.lost(token)
			s.refuse.Store(false)
			h.issuer.Recover()
			h.issuer.SetDiscovery(nil)
			h.issuer.SetJWKS(nil)
			// One step of the back-off; an attempt that was still under way when
			// the clock was moved counts from then, so a second one may be due.
			h.clock.Advance(31 * time.Second)
			if _, err := h.VerifyAccessToken(t.Context(), token); err != nil {
				h.clock.Advance(31 * time.Second)
				h.accept(token)
			}
		})
	}
}

// lost wants "could not decide" with a time to come back and no challenge.
func (h *harness) lost(token string) {
	h.t.Helper()
	_, err := h.VerifyAccessToken(h.t.Context(), token)
	var e *verifier.Error
	if !errors.As(err, &e) || !errors.Is(err, verifier.ErrUnavailable) || errors.Is(err, verifier.ErrInvalidToken) {
		h.t.Fatalf("error %v; want ErrUnavailable", err)
	}
	if e.Status != http.StatusServiceUnavailable || e.RetryAfter <= 0 || len(e.Challenges()) != 0 {
		h.t.Errorf("past the hard limit: %d, Retry-After %v, %v; want 503 without a challenge", e.Status, e.RetryAfter, e.Challenges())
	}
}

func TestFirstDocumentIsBad(t *testing.T) {
	h := newHarness(t, nil)
	token := h.token()
	h.issuer.FailNext(-1, http.StatusInternalServerError)
	for range 200 {
		h.refuse(token, reason.Discovery)
	}
	if got := h.issuer.Requests().Discovery; got != 1 {
		t.Errorf("%d requests to a dead issuer; want 1", got)
	}
	h.issuer.Recover()
	h.clock.Advance(31 * time.Second)
	h.accept(token)
}

func TestEmptySetWithNothingHeldIsARefusal(t *testing.T) {
	h := newHarness(t, nil)
	h.issuer.SetJWKS([]byte(`{"keys":[]}`))
	if e := h.refuse(h.token(), reason.NoUsableKey); e.Status != http.StatusUnauthorized {
		t.Errorf("status %d; want 401", e.Status)
	}
}

func TestHangingIssuerDelaysNoOther(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	dead, alive := verifiertest.NewIssuer(t, verifiertest.WithClock(clock)), verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	dead.Hang()
	v := newVerifier(t, alive, func(cfg *verifier.Config) {
		cfg.Domain, cfg.Domains = "", staticDomains{dead.Domain(), alive.Domain()}
		cfg.Doer = clients(dead, alive)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	stuck := dead.Sign(audience, nil)
	for range 20 {
		wg.Go(func() { _, _ = v.VerifyAccessToken(ctx, stuck) })
	}
	eventually(t, "the hanging fetch", func() bool { return dead.Requests().Discovery == 1 })
	token := alive.Sign(audience, nil)
	for range 100 {
		if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	dead.Recover()
}

// clients sends requests with the client of the issuer they are for.
func clients(issuers ...*verifiertest.Issuer) verifier.DoerFunc {
	return func(r *http.Request) (*http.Response, error) {
		for _, i := range issuers {
			if i.Domain() == r.URL.Host {
				c := i.Client()
				c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				return c.Do(r)
			}
		}
		return nil, errors.New("no such issuer")
	}
}

func TestMemoryIsBoundedByMaxIssuers(t *testing.T) {
	const allowed = 100_000
	var fetches atomic.Int64
	key := testKey(t)
	jwks := publicJWKS(&key.PublicKey, "k")
	cfg := verifier.Config{
		Domains: verifier.DomainResolverFunc(func(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
			return []string{req.UnverifiedIssuer}, nil // all are allowed: a test of memory, not of resolvers
		}),
		Audience: audience,
		Refresh:  verifier.RefreshConfig{MaxIssuers: 50},
	}
	useFetcher(&cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
		fetches.Add(1)
		return verifier.KeySet{Issuer: req.Issuer, JWKS: jwks}, nil
	}))
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var before int64
	for i := range allowed {
		if i == 1000 {
			before = heap()
		}
		if err := v.Warmup(t.Context(), fmt.Sprintf("tenant-%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes over %d issuers; want no growth", grown, allowed)
	}
	if got := len(v.Health()); got > 50 || fetches.Load() != allowed {
		t.Errorf("%d issuers held after %d fetches; want at most 50 after %d", got, fetches.Load(), allowed)
	}
}

func TestResponsesOfAnotherURLAreRefused(t *testing.T) {
	h := newHarness(t, func(cfg *verifier.Config) {
		client := cfg.Doer.(*http.Client)
		cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := client.Do(r)
			if err == nil {
				resp.Request = r.Clone(r.Context())
				resp.Request.URL.Host = "evil.example"
			}
			return resp, err
		})
	})
	h.refuse(h.token(), reason.Discovery)
	if health := h.Health(); len(health) == 0 || health[0].Problem != "redirect" {
		t.Errorf("Health = %+v; want problem redirect", health)
	}
}

func TestKeySetHosts(t *testing.T) {
	document := func(h *harness, uri string) []byte {
		return []byte(`{"issuer":"` + h.issuer.URL() + `","jwks_uri":"` + uri + `"}`)
	}
	for _, uri := range []string{"https://keys.example/jwks", "http://127.0.0.1/jwks", "https://user@127.0.0.1/", "/jwks", "", "https://127.0.0.1.evil.example/jwks"} {
		h := newHarness(t, nil)
		h.issuer.SetDiscovery(document(h, uri))
		h.refuse(h.token(), reason.Keys)
		h.requests(1, 0)
	}
	h := newHarness(t, func(cfg *verifier.Config) {
		client := cfg.Doer.(*http.Client)
		cfg.KeyHosts = []string{"keys.example"}
		cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "keys.example" {
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"keys":[]}`)), Header: http.Header{}, Request: r}, nil
			}
			return client.Do(r)
		})
	})
	h.issuer.SetDiscovery(document(h, "https://keys.example/jwks"))
	h.refuse(h.token(), reason.NoUsableKey)
}

func TestJWKSURLOverride(t *testing.T) {
	h := newHarness(t, func(cfg *verifier.Config) {
		cfg.Issuers, cfg.Domain = []verifier.Issuer{{Name: cfg.Domain, Keys: verifier.KeysURL("https://" + cfg.Domain + "/.well-known/jwks.json")}}, ""
	})
	h.accept(h.token())
	h.requests(0, 1)
}

func TestKeySourcesNamedByTokensAreIgnored(t *testing.T) {
	h := newHarness(t, nil)
	claims := h.issuer.Claims(audience, nil)
	for _, name := range []string{"jku", "x5u"} {
		h.accept(h.issuer.SignWith(map[string]any{name: "https://evil.example/"}, claims))
	}
	h.requests(1, 1)
}

func TestSharedCache(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	cache := verifiertest.NewCache(clock, 0)
	h := newHarness(t, func(cfg *verifier.Config) { cfg.Cache = cache })
	h.clock.Set(clock.Now())
	token := h.token()
	h.accept(token)
	eventually(t, "the write to the cache", func() bool { return len(cache.Keys()) == 2 })
	second := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.Cache = cache })
	if _, err := second.VerifyAccessToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	h.requests(1, 1)
}

func TestSharedCacheFaultsNeverFailAVerification(t *testing.T) {
	boom := errors.New("boom")
	faults := map[string]func(c *verifiertest.Cache){
		"errors":  func(c *verifiertest.Cache) { c.FailNext(-1, boom) },
		"hangs":   func(c *verifiertest.Cache) { c.Hang() },
		"garbage": func(c *verifiertest.Cache) { c.Corrupt(func(string, []byte) []byte { return []byte("garbage") }) },
		"empty":   func(c *verifiertest.Cache) { c.Corrupt(func(string, []byte) []byte { return nil }) },
		"old version": func(c *verifiertest.Cache) {
			c.Corrupt(func(_ string, v []byte) []byte {
				return []byte(strings.Replace(string(v), `"version":1`, `"version":0`, 1))
			})
		},
		"other issuer": func(c *verifiertest.Cache) {
			c.Corrupt(func(_ string, v []byte) []byte {
				return []byte(strings.Replace(string(v), "127.0.0.1", "evil.example", 1))
			})
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			cache := verifiertest.NewCache(nil, 0)
			h := newHarness(t, func(cfg *verifier.Config) { cfg.Cache = cache })
			token := h.token()
			h.accept(token)
			eventually(t, "the write to the cache", func() bool { return len(cache.Keys()) == 2 })
			fault(cache)
			var faulty atomic.Int64
			second := newVerifier(t, h.issuer, func(cfg *verifier.Config) {
				cfg.Cache = cache
				cfg.Refresh.CacheTimeout = 20 * time.Millisecond
				cfg.Observer = verifier.ObserverFunc(func(e verifier.Event) {
					if e.Kind == verifier.EventCacheFault {
						faulty.Add(1)
					}
				})
			})
			if _, err := second.VerifyAccessToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			if faulty.Load() == 0 {
				t.Error("no event about the fault")
			}
		})
	}
}

// TestNobodyWaitsForAWriteToTheSharedCache: what was fetched is served at once,
// and the write is finished even so, Close included.
func TestNobodyWaitsForAWriteToTheSharedCache(t *testing.T) {
	cache := &slowCache{Cache: verifiertest.NewCache(nil, 0), begun: make(chan struct{}, 2), release: make(chan struct{})}
	h := newHarness(t, func(cfg *verifier.Config) { cfg.Cache, cfg.Refresh.CacheTimeout = cache, 10*time.Second })
	h.accept(h.token())
	<-cache.begun
	<-cache.begun
	if got := cache.Keys(); len(got) != 0 {
		t.Errorf("keys %q while the writes are held; want none", got)
	}
	close(cache.release)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if got := cache.Keys(); len(got) != 2 {
		t.Errorf("keys %q after Close; want those of both documents", got)
	}
}

// slowCache holds writes until it is told otherwise.
type slowCache struct {
	*verifiertest.Cache
	begun, release chan struct{}
}

func (c *slowCache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.begun <- struct{}{}
	<-c.release
	return c.Cache.Set(ctx, key, value, ttl)
}

func TestFleetFetchesOnce(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	cache, lease := verifiertest.NewCache(clock, 0), verifiertest.NewReplayStore(clock)
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	fleet := make([]*verifier.Verifier, 50)
	for i := range fleet {
		fleet[i] = newVerifier(t, issuer, func(cfg *verifier.Config) {
			cfg.Cache, cfg.Lease = cache, lease
			cfg.Refresh.Jitter, cfg.Refresh.Ahead = -1, -1
		})
	}
	token := issuer.Sign(audience, nil)
	verifyAll := func() {
		var wg sync.WaitGroup
		for _, v := range fleet {
			wg.Go(func() {
				if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
					t.Errorf("VerifyAccessToken: %v (%v)", err, errors.Unwrap(err))
				}
			})
		}
		wg.Wait()
	}
	verifyAll()
	if got := issuer.Requests(); got != (verifiertest.Counts{Discovery: 1, JWKS: 1}) {
		t.Errorf("cold: %+v; want one request each", got)
	}
	clock.Advance(11 * time.Minute)
	verifyAll()
	eventually(t, "the refresh", func() bool { return issuer.Requests().JWKS >= 2 })
	for _, v := range fleet {
		_ = v.Close()
	}
	if got := issuer.Requests(); got != (verifiertest.Counts{Discovery: 2, JWKS: 2}) {
		t.Errorf("at expiry: %+v; want one more request each", got)
	}
}

// TestDeadLeaseHolder: whoever waits for a process that died while it held the
// lease loses one lease's time, and then fetches.
func TestDeadLeaseHolder(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	cache := verifiertest.NewCache(clock, 0)
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	const lease = 200 * time.Millisecond
	v := newVerifier(t, issuer, func(cfg *verifier.Config) {
		cfg.Cache, cfg.Lease = cache, &takenOnce{}
		cfg.Refresh.FetchTimeout = lease // which is the time of a lease
	})
	token := issuer.Sign(audience, nil)
	began := time.Now()
	if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	// There is one lease for both documents.
	if took := time.Since(began); took < lease || took > lease+5*time.Second {
		t.Errorf("took %v; want one lease of %v", took, lease)
	}
	if got := issuer.Requests(); got != (verifiertest.Counts{Discovery: 1, JWKS: 1}) {
		t.Errorf("requests %+v; want one each", got)
	}
}

// takenOnce is a lease store in which the first lease for each document is in
// the hands of a process that died.
type takenOnce struct{ seen sync.Map }

func (s *takenOnce) Add(_ context.Context, key string, _ time.Duration) (bool, error) {
	document := key[:strings.LastIndexByte(key, '.')]
	_, again := s.seen.LoadOrStore(document, true)
	return again, nil
}

// TestJitterSpreadsRefreshes: processes that fetched together do not refresh
// together.
func TestJitterSpreadsRefreshes(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	key := testKey(t)
	jwks := publicJWKS(&key.PublicKey, "k")
	perSecond := make(map[int64]int)
	for range 100 {
		v, err := verifier.New(verifier.Config{Issuers: []verifier.Issuer{{Name: "one.example", Keys: verifier.KeysStatic(jwks)}}, Audience: audience, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if err := v.Warmup(t.Context()); err != nil {
			t.Fatal(err)
		}
		perSecond[v.Health()[0].NextRefresh.Unix()]++
	}
	// A tenth of 10 minutes, seen at the start of a refresh ahead: 48 s.
	if len(perSecond) < 20 {
		t.Errorf("100 refreshes fall into %d seconds; want them spread", len(perSecond))
	}
	for second, n := range perSecond {
		if n > 15 {
			t.Errorf("%d refreshes in second %d", n, second)
		}
	}
}

func TestWarmupHealthAndClose(t *testing.T) {
	before := runtime.NumGoroutine()
	h := newHarness(t, nil)
	if err := h.Warmup(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.requests(1, 1)
	health := h.Health()
	if len(health) != 2 || health[0].Document != "discovery" || health[1].Document != "jwks" || health[1].State != verifier.StateFresh {
		t.Errorf("Health = %+v; want two fresh documents", health)
	}
	h.clock.Advance(30 * time.Minute)
	h.issuer.FailNext(-1, http.StatusInternalServerError)
	h.accept(h.token())
	if health := h.Health(); health[0].State != verifier.StateStale || health[0].Problem != "status" || health[0].Failures == 0 {
		t.Errorf("Health = %+v; want stale with problem status", health)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	h.issuer.Client().CloseIdleConnections()
	eventually(t, "the end of goroutines", func() bool { return runtime.NumGoroutine() <= before+8 })
	h.clock.Advance(2 * time.Hour)
	if _, err := h.VerifyAccessToken(t.Context(), h.token()); !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("after Close: %v; want ErrUnavailable", err)
	}
}

func TestMetadata(t *testing.T) {
	h := newHarness(t, nil)
	m, err := h.Metadata(t.Context(), h.issuer.Domain())
	if err != nil || m.Issuer != h.issuer.URL() || m.TokenEndpoint != h.issuer.URL()+"oauth/token" || len(m.Document) == 0 {
		t.Errorf("Metadata = %+v, %v", m, err)
	}
	if _, err := h.Metadata(t.Context(), "evil.example"); !errors.Is(err, verifier.ErrIssuer) {
		t.Errorf("Metadata of another issuer: %v; want ErrIssuer", err)
	}
}

// TestMetadataOfAResolver: it is fetched once, and once more only where what
// verification fetched was not kept as it was received.
func TestMetadataOfAResolver(t *testing.T) {
	for warm, want := range map[bool]int{false: 1, true: 2} {
		h := newHarness(t, nil)
		h.Verifier = newVerifier(t, h.issuer, func(cfg *verifier.Config) {
			cfg.Domain, cfg.Domains = "", verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) {
				return []string{h.issuer.Domain()}, nil
			})
		})
		if warm {
			h.accept(h.token())
		}
		for range 3 {
			if m, err := h.Metadata(t.Context(), h.issuer.Domain()); err != nil || len(m.Document) == 0 {
				t.Errorf("Metadata = %+v, %v", m, err)
			}
		}
		if got := h.issuer.Requests().Discovery; got != want {
			t.Errorf("warm: %v: %d requests; want %d", warm, got, want)
		}
	}
}

func TestKeyFetchers(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	resp, err := issuer.Client().Get(issuer.URL() + ".well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	jwks, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, jwks, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]verifier.Keys{
		"zero":      {},
		"discovery": verifier.KeysDiscovery(),
		"metadata":  verifier.KeysMetadata(issuer.URL() + ".well-known/openid-configuration"),
		"URL":       verifier.KeysURL(issuer.URL() + ".well-known/jwks.json"),
		"static":    verifier.KeysStatic(jwks),
		"file":      verifier.KeysFile(file),
	} {
		t.Run(name, func(t *testing.T) {
			fetcher, err := keys.Fetcher(issuer.Domain(), issuer.Client())
			if err != nil {
				t.Fatal(err)
			}
			v := newVerifier(t, issuer, func(cfg *verifier.Config) {
				cfg.Issuers, cfg.Domain = []verifier.Issuer{{Name: cfg.Domain, Keys: keys}}, ""
			})
			if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
				t.Errorf("VerifyAccessToken: %v (%v)", err, errors.Unwrap(err))
			}
			v = newVerifier(t, issuer, func(cfg *verifier.Config) { useFetcher(cfg, fetcher) })
			if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
				t.Errorf("VerifyAccessToken: %v (%v)", err, errors.Unwrap(err))
			}
			if _, err := fetcher.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: "https://evil.invalid/"}); err == nil {
				t.Error("keys of an unknown issuer: no error")
			}
		})
	}
	if _, err := verifier.KeysURL("http://x.example/").Fetcher("x.example", nil); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("Fetcher of a URL that is not https: %v; want ErrConfig", err)
	}
}

func TestFileKeysAreReadAgain(t *testing.T) {
	one, two := testKey(t), testKey(t)
	clock := verifiertest.NewClock(time.Time{})
	file := filepath.Join(t.TempDir(), "jwks.json")
	write := func(data []byte, age time.Duration) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(age)); err != nil {
			t.Fatal(err)
		}
	}
	write(publicJWKS(&one.PublicKey, "k"), 0)
	v, err := verifier.New(verifier.Config{Issuers: []verifier.Issuer{{Name: "file.example", Keys: verifier.KeysFile(file)}}, Audience: audience, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	claims := map[string]any{"iss": "https://file.example/", "aud": audience, "iat": clock.Now().Unix(), "exp": clock.Now().Unix() + 1e5}
	header := map[string]any{"alg": "RS256", "kid": "k"}
	first, second := signRS256(t, one, header, claims), signRS256(t, two, header, claims)
	verify := func(token string) error {
		_, err := v.VerifyAccessToken(t.Context(), token)
		return err
	}
	if err := verify(first); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Minute) // unchanged: the same keys
	if err := verify(first); err != nil {
		t.Fatal(err)
	}
	write(publicJWKS(&two.PublicKey, "k"), time.Second)
	clock.Advance(2 * time.Minute)
	if err := verify(second); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if err := verify(first); !errors.Is(err, verifier.ErrSignature) {
		t.Errorf("the old key: %v; want ErrSignature", err)
	}
}

func TestHTTPClientGuards(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v := newVerifier(t, issuer, func(cfg *verifier.Config) {
		cfg.Doer = verifier.NewHTTPClient(verifier.HTTPClientConfig{BlockPrivateAddresses: true})
	})
	_, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil))
	wantReason(t, err, reason.Discovery)
	if got := issuer.Requests().Discovery; got != 0 {
		t.Errorf("%d requests to a private address; want 0", got)
	}
}
