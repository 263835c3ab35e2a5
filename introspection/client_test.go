package introspection_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestPositiveAnswerIsRememberedForItsTTL(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.TTL = time.Minute })
	token := w.issuer.IssueOpaque(api, nil)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}} {
		w.clock.Advance(step.after)
		if got, err := w.ask(t, token); err != nil || !got.Active {
			t.Fatalf("Introspect = %v, %v; want active", got.Active, err)
		}
		if w.asked() != step.want {
			t.Errorf("the endpoint was asked %d times; want %d", w.asked(), step.want)
		}
	}
}

func TestPositiveAnswerEndsWithTheToken(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.TTL = time.Hour })
	token := w.issuer.IssueOpaque(api, map[string]any{"exp": start.Unix() + 5})
	_, _ = w.ask(t, token)
	w.clock.Advance(5*time.Second + time.Millisecond)
	if got, err := w.ask(t, token); err != nil || got.Active || w.asked() != 2 {
		t.Errorf("Introspect = %v, %v after %d questions; want another question", got.Active, err, w.asked())
	}
}

func TestClockSetBackForgets(t *testing.T) {
	w := newWorld(t, nil)
	token := w.issuer.IssueOpaque(api, nil)
	_, _ = w.ask(t, token)
	w.clock.Set(start.Add(-2 * time.Minute))
	if _, err := w.ask(t, token); err != nil || w.asked() != 2 {
		t.Errorf("asked %d times, %v; want 2: an answer must not live longer because the clock was set back", w.asked(), err)
	}
}

func TestCallerOwnsTheClaims(t *testing.T) {
	w := newWorld(t, nil)
	token := w.issuer.IssueOpaque(api, nil)
	for range 2 {
		got, err := w.ask(t, token)
		if err != nil || !strings.HasPrefix(string(got.Claims), "{") {
			t.Fatalf("Introspect = %q, %v", got.Claims, err)
		}
		clear(got.Claims)
	}
}

func TestNegativeAnswerIsRememberedForItsTTL(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.NegativeTTL = 10 * time.Second })
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {9 * time.Second, 1}, {time.Second, 2}} {
		w.clock.Advance(step.after)
		if got, err := w.ask(t, "made-up"); err != nil || got.Active || len(got.Claims) > 0 {
			t.Fatalf("Introspect = %v, %v; want inactive", got, err)
		}
		if w.asked() != step.want {
			t.Errorf("the endpoint was asked %d times; want %d", w.asked(), step.want)
		}
	}
}

func TestFailureIsNotRemembered(t *testing.T) {
	w := newWorld(t, nil)
	token := w.issuer.IssueOpaque(api, nil)
	_, _ = w.ask(t, "first, for the metadata")
	w.issuer.FailNext(1, http.StatusBadGateway)
	if _, err := w.ask(t, token); !errors.Is(err, introspection.ErrRefused) {
		t.Errorf("Introspect = %v; want ErrRefused", err)
	}
	if got, err := w.ask(t, token); err != nil || !got.Active {
		t.Errorf("Introspect = %v, %v; want active", got.Active, err)
	}
}

// 10,000 made-up tokens, each sent three times by eight callers, cost one question
// each at most, and drive no good token out.
func TestFlood(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.MaxInFlight = 16; c.MaxNegative = 10_000; c.MaxMemory = 64 << 10 })
	v := w.verifier(t, nil)
	good := w.issuer.IssueOpaque(api, nil)
	if _, err := v.VerifyAccessToken(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	const flood, callers = 10_000, 8
	var wrong atomic.Int64
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < 3*flood; i += callers {
				_, err := v.VerifyAccessToken(t.Context(), fmt.Sprint("made-up-", i%flood))
				if !errors.Is(err, verifier.ErrInvalidToken) {
					wrong.Add(1)
				}
				if i%100 == 0 {
					if _, err := v.VerifyAccessToken(t.Context(), good); err != nil {
						wrong.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	if wrong.Load() > 0 {
		t.Errorf("%d answers were wrong", wrong.Load())
	}
	if w.asked() > flood+1 {
		t.Errorf("the endpoint was asked %d times for %d tokens", w.asked(), flood+1)
	}
	t.Logf("%d requests with %d made-up tokens and one good one: %d questions", 3*flood, flood, w.asked())
}

func TestNegativeAnswersAreBounded(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.MaxNegative = 3 })
	for _, token := range []string{"a", "b", "c", "d"} {
		_, _ = w.ask(t, token)
	}
	before := w.asked()
	for _, token := range []string{"b", "c", "d"} {
		_, _ = w.ask(t, token)
	}
	if w.asked() != before {
		t.Errorf("%d of the last three were asked again", w.asked()-before)
	}
	if _, _ = w.ask(t, "a"); w.asked() != before+1 {
		t.Error("the oldest was not dropped")
	}
}

func TestPositiveAnswersAreBoundedInBytes(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.MaxMemory = 64 << 10 })
	big := map[string]any{"x": strings.Repeat("a", 40<<10)}
	first, second := w.issuer.IssueOpaque(api, big), w.issuer.IssueOpaque(api, big)
	_, _ = w.ask(t, first)
	_, _ = w.ask(t, second)
	_, _ = w.ask(t, second)
	if w.asked() != 2 {
		t.Errorf("asked %d times; want 2", w.asked())
	}
	if _, _ = w.ask(t, first); w.asked() != 3 {
		t.Errorf("asked %d times; want 3: two answers of 40 KiB do not fit into 64", w.asked())
	}
}

// While everything of the issuer is down, no token is lost whose answer is
// remembered, and none is called bad that is not.
func TestOutage(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.TTL = time.Hour })
	v := w.verifier(t, nil)
	var tokens []string
	for range 100 {
		token := w.issuer.IssueOpaque(api, map[string]any{"exp": start.Unix() + 7200})
		tokens = append(tokens, token)
		if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	unseen := w.issuer.IssueOpaque(api, nil)
	w.issuer.FailNext(-1, http.StatusServiceUnavailable)
	lost, wrong := 0, 0
	for range 59 { // minutes; the metadata become stale, and end
		w.clock.Advance(time.Minute)
		for _, token := range tokens {
			if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
				lost++
			}
		}
		if _, err := v.VerifyAccessToken(t.Context(), unseen); !errors.Is(err, verifier.ErrUnavailable) {
			wrong++
		}
	}
	if lost > 0 || wrong > 0 {
		t.Errorf("%d valid tokens were lost, and %d unknown ones not answered with 503", lost, wrong)
	}
	w.clock.Advance(time.Minute)
	if _, err := v.VerifyAccessToken(t.Context(), tokens[0]); !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("after the cached life: %v; want ErrUnavailable", err)
	}
}

// A remembered answer outlives the metadata, which say where the question would go.
func TestOutageOfTheMetadata(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.TTL = time.Hour })
	_, _ = w.ask(t, "first, for the metadata")
	token := w.issuer.IssueOpaque(api, map[string]any{"exp": start.Unix() + 7200})
	w.issuer.FailNext(-1, http.StatusServiceUnavailable)
	w.clock.Advance(55 * time.Minute)
	w.issuer.Recover()
	w.issuer.SetDiscovery([]byte("gone"))
	if got, err := w.ask(t, token); err != nil || !got.Active {
		t.Fatalf("Introspect = %v, %v; want active", got.Active, err)
	}
	w.clock.Advance(50 * time.Minute)
	if got, err := w.ask(t, token); err != nil || !got.Active {
		t.Errorf("Introspect = %v, %v; want the answer that is remembered", got.Active, err)
	}
	if _, err := w.ask(t, "another"); !errors.Is(err, introspection.ErrMetadata) {
		t.Errorf("Introspect = %v; want ErrMetadata", err)
	}
}

func TestAnswerIsBounded(t *testing.T) {
	for size, want := range map[int]error{64<<10 - 100: nil, 64 << 10: introspection.ErrInvalidResponse, 2 << 20: introspection.ErrInvalidResponse} {
		c := mustClient(t, introspection.Config{
			Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s"),
			Doer: &raw{status: 200, body: `{"active":true,"x":"` + strings.Repeat("x", size) + `"}`},
		})
		if _, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "x"}); !errors.Is(err, want) {
			t.Errorf("an answer of %d bytes: %v; want %v", size, err, want)
		}
	}
}

// held is a Doer whose answers wait.
type held struct {
	verifier.Doer
	arrived chan struct{}
	release chan struct{}
}

func (h *held) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		h.arrived <- struct{}{}
		select {
		case <-h.release:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return h.Doer.Do(r)
}

func newHeld(w *world) *held {
	return &held{Doer: w.issuer.Client(), arrived: make(chan struct{}, 100), release: make(chan struct{})}
}

func TestEqualQuestionsShareOne(t *testing.T) {
	w := newWorld(t, nil)
	doer := newHeld(w)
	w.client = w.newClient(t, func(c *introspection.Config) { c.Doer = doer })
	token := w.issuer.IssueOpaque(api, nil)
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // the first caller leaves; the question goes on
		_, err := w.client.Introspect(ctx, verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: token})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, introspection.ErrCanceled) {
			t.Errorf("Introspect = %v; want one that was canceled", err)
		}
	})
	<-doer.arrived
	for range 10 {
		wg.Go(func() {
			if got, err := w.ask(t, token); err != nil || !got.Active {
				t.Errorf("Introspect = %v, %v; want active", got.Active, err)
			}
		})
	}
	leave()
	close(doer.release)
	wg.Wait()
	if w.asked() != 1 {
		t.Errorf("asked %d times; want 1", w.asked())
	}
}

func TestExcessFailsAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	doer := newHeld(w)
	w.client = w.newClient(t, func(c *introspection.Config) { c.Doer, c.MaxInFlight = doer, 3 }) // one is kept for known tokens
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { _, _ = w.ask(t, fmt.Sprint("token-", i)) })
		<-doer.arrived
	}
	if _, err := w.ask(t, "one too much"); !errors.Is(err, introspection.ErrBusy) {
		t.Errorf("Introspect = %v; want ErrBusy", err)
	}
	close(doer.release)
	wg.Wait()
	if _, err := w.ask(t, "one too much"); err != nil {
		t.Errorf("Introspect = %v after the others were answered", err)
	}
}

// Without a Doer, as many questions are really under way as MaxInFlight says, over
// HTTP/1.1 too: none waits for the connection of another.
func TestQuestionsDoNotWaitForConnections(t *testing.T) {
	const inFlight, known = 12, 3 // for which a quarter is kept
	var under atomic.Int64
	all := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if under.Add(1) == known+inFlight {
			close(all)
		}
		if under.Load() > known {
			select {
			case <-all:
			case <-r.Context().Done():
			}
		}
		_, _ = w.Write([]byte(`{"active":true}`))
	}))
	defer server.Close()
	c := mustClient(t, introspection.Config{
		Domain: "id.example.com", Endpoint: server.URL, ClientID: "orders", Auth: exchange.ClientSecretBasic("s"), MaxInFlight: inFlight, TTL: -1,
	})
	ask := func(i int) {
		if _, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: fmt.Sprint("token-", i)}); err != nil {
			t.Errorf("question %d: %v after %d came in", i, err, under.Load())
		}
	}
	for i := range known {
		ask(i)
	}
	var wg sync.WaitGroup
	for i := range inFlight {
		wg.Go(func() { ask(i) })
	}
	wg.Wait()
}

func TestTimeout(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.Timeout = 500 * time.Millisecond })
	_, _ = w.ask(t, "first, for the metadata")
	w.issuer.Hang()
	defer w.issuer.Recover()
	if _, err := w.ask(t, "second"); !errors.Is(err, introspection.ErrTimeout) {
		t.Errorf("Introspect = %v; want ErrTimeout", err)
	}
}

func TestAnotherIssuerIsNotAsked(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://other.example.com/", Token: "x"})
	if !errors.Is(err, introspection.ErrIssuer) || w.asked() != 0 {
		t.Errorf("Introspect = %v after %d questions; want ErrIssuer and none", err, w.asked())
	}
}

func TestWhatIsSent(t *testing.T) {
	w := newWorld(t, nil)
	_, _ = w.ask(t, "a+b/c=")
	sent := w.issuer.Introspections()[0]
	if sent.Form.Get("token") != "a+b/c=" || sent.Form.Get("token_type_hint") != "access_token" || len(sent.Form) != 2 {
		t.Errorf("the form was %v", sent.Form)
	}
	if got := sent.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
		t.Errorf("Content-Type = %q", got)
	}
}

func TestClientAuthentication(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		auth    exchange.Auth
		require func(*verifiertest.Issuer)
	}{
		{"client_secret_basic", exchange.ClientSecretBasic("s:%+ä"), func(i *verifiertest.Issuer) { i.RequireClientSecretBasic("orders", "s:%+ä") }},
		{"client_secret_post", exchange.ClientSecretPost("s:%+ä"), func(i *verifiertest.Issuer) { i.RequireClientSecretPost("orders", "s:%+ä") }},
		{"private_key_jwt", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key}), func(i *verifiertest.Issuer) { i.RequirePrivateKeyJWT("orders", key.Public(), "ES256") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(c *introspection.Config) { c.Auth = test.auth })
			test.require(w.issuer)
			for range 2 { // an assertion is used once
				if got, err := w.ask(t, w.issuer.IssueOpaque(api, nil)); err != nil || !got.Active {
					t.Errorf("Introspect = %v, %v; want active", got.Active, err)
				}
			}
			test := newWorld(t, func(c *introspection.Config) { c.Auth = exchange.ClientSecretBasic("wrong") })
			if _, err := test.ask(t, "x"); !errors.Is(err, introspection.ErrRefused) || !strings.Contains(err.Error(), "401") {
				t.Errorf("with a wrong secret: %v; want ErrRefused with status 401", err)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	doer := &raw{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {"https://evil.example.com/"}}, after: func(r *http.Request) {
		if r.GetBody != nil {
			t.Error("the request has GetBody, with which a client could send the token again")
		}
	}}
	c := mustClient(t, introspection.Config{
		Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s"), Doer: doer,
	})
	_, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "x"})
	if !errors.Is(err, introspection.ErrRefused) || doer.calls.Load() != 1 {
		t.Errorf("Introspect = %v after %d requests; want ErrRefused after one", err, doer.calls.Load())
	}
}

func TestTokensNeverGoWhereTheMetadataMustNotLead(t *testing.T) {
	for name, document := range map[string]string{
		"http":           `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k","introspection_endpoint":"http://id.example.com/i"}`,
		"http, loopback": `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k","introspection_endpoint":"http://127.0.0.1/i"}`,
		"none":           `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k"}`,
		"credentials":    `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/k","introspection_endpoint":"https://a:b@id.example.com/i"}`,
		"another issuer": `{"issuer":"https://evil.example.com/","jwks_uri":"https://id.example.com/k","introspection_endpoint":"https://id.example.com/i"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.issuer.SetDiscovery([]byte(document))
			if _, err := w.ask(t, "x"); !errors.Is(err, introspection.ErrMetadata) || w.asked() != 0 {
				t.Errorf("Introspect = %v; want ErrMetadata", err)
			}
		})
	}
}

func TestSharedCache(t *testing.T) {
	key := make([]byte, 32)
	key[0] = 1
	w := newWorld(t, nil)
	cache := verifiertest.NewCache(w.clock, 0)
	var faults atomic.Int64
	with := func(c *introspection.Config) {
		c.Cache, c.SealKeys = cache, [][]byte{key}
		c.Observer = introspection.ObserverFunc(func(e introspection.Event) {
			if e.Kind == introspection.EventCacheFault {
				faults.Add(1)
			}
		})
	}
	token := w.issuer.IssueOpaque(api, nil)
	ask := func() {
		t.Helper()
		w.client = w.newClient(t, with) // a process of its own
		if got, err := w.ask(t, token); err != nil || !got.Active {
			t.Fatalf("Introspect = %v, %v; want active", got.Active, err)
		}
	}
	ask()
	ask()
	if w.asked() != 1 {
		t.Errorf("asked %d times; want 1: the second process finds the answer", w.asked())
	}
	cache.Corrupt(func(_ string, value []byte) []byte {
		if strings.Contains(string(value), "user-1") || strings.Contains(string(value), token) {
			t.Error("the cache can read the answer")
		}
		return []byte(`{"key":"x","stored":0,"until":9223372036854775807,"claims":{"active":true}}`)
	})
	ask()
	if w.asked() != 2 || faults.Load() != 1 {
		t.Errorf("asked %d times with %d faults; want 2 and 1: what was planted is a miss", w.asked(), faults.Load())
	}
	cache.FailNext(-1, errors.New("down"))
	ask()
	if w.asked() != 3 {
		t.Errorf("asked %d times; want 3: a cache that is down fails no question", w.asked())
	}
	cache.Recover()
	before := len(cache.Keys())
	_, _ = w.ask(t, "made-up")
	if len(cache.Keys()) != before {
		t.Error("a negative answer was put into the shared cache")
	}
	w.clock.Advance(2 * time.Minute)
	w.issuer.Revoke(token)
	w.client = w.newClient(t, with)
	if got, err := w.ask(t, token); err != nil || got.Active {
		t.Errorf("Introspect = %v, %v after the TTL; want inactive", got.Active, err)
	}
}

func TestEntryOfAnotherTokenIsNotTaken(t *testing.T) {
	w := newWorld(t, nil)
	cache := verifiertest.NewCache(w.clock, 0)
	with := func(c *introspection.Config) { c.Cache, c.CachePrivate = cache, true }
	w.client = w.newClient(t, with)
	_, _ = w.ask(t, w.issuer.IssueOpaque(api, nil))
	var value []byte
	cache.Corrupt(func(_ string, v []byte) []byte { value = v; return v })
	_, _ = w.ask(t, w.issuer.IssueOpaque(api, map[string]any{"sub": "user-2"}))
	cache.Corrupt(func(string, []byte) []byte { return value })
	w.client = w.newClient(t, with)
	second := w.issuer.IssueOpaque(api, map[string]any{"sub": "user-3"})
	_, _ = w.ask(t, second)
	cache.Corrupt(func(string, []byte) []byte { return value })
	w.client = w.newClient(t, with)
	if got, _ := w.ask(t, second); !strings.Contains(string(got.Claims), "user-3") {
		t.Errorf("Introspect = %s; want the claims of user-3", got.Claims)
	}
}

func TestOtherClientsAnswersAreApart(t *testing.T) {
	w := newWorld(t, nil)
	cache := verifiertest.NewCache(w.clock, 0)
	token := w.issuer.IssueOpaque(api, nil)
	for _, id := range []string{"orders", "invoices"} {
		w.issuer.RequireClientSecretBasic(id, "s")
		w.client = w.newClient(t, func(c *introspection.Config) {
			c.Cache, c.CachePrivate, c.ClientID, c.Auth = cache, true, id, exchange.ClientSecretBasic("s")
		})
		_, _ = w.ask(t, token)
	}
	if w.asked() != 2 {
		t.Errorf("asked %d times; want 2: a server may answer each client differently", w.asked())
	}
}

func TestJWTsAreAskedAboutWhereTheIssuerSaysSo(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.TTL = -1 })
	token := w.issuer.Sign(api, nil)
	if _, err := w.verifier(t, nil).VerifyAccessToken(t.Context(), token); err != nil || w.asked() != 0 {
		t.Errorf("VerifyAccessToken = %v after %d questions; want none", err, w.asked())
	}
	v := w.verifier(t, func(i *verifier.Issuer) { i.Opaque.JWTs = true })
	if _, err := v.VerifyAccessToken(t.Context(), token); err != nil || w.asked() != 1 {
		t.Errorf("VerifyAccessToken = %v after %d questions; want one", err, w.asked())
	}
	if _, err := v.VerifyAccessToken(t.Context(), w.issuer.Sign("https://other.example.com/", nil)); err == nil || w.asked() != 1 {
		t.Errorf("VerifyAccessToken = %v after %d questions; a JWT that failed is not asked about", err, w.asked())
	}
	w.issuer.Revoke(token)
	if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, verifier.ErrInvalidToken) {
		t.Errorf("VerifyAccessToken = %v; want ErrInvalidToken", err)
	}
}

func TestClose(t *testing.T) {
	w := newWorld(t, nil)
	doer := newHeld(w)
	w.client = w.newClient(t, func(c *introspection.Config) { c.Doer = doer })
	done := make(chan error)
	go func() {
		_, err := w.ask(t, "x")
		done <- err
	}()
	<-doer.arrived
	_ = w.client.Close()
	if err := <-done; !errors.Is(err, introspection.ErrClosed) {
		t.Errorf("Introspect = %v; want ErrClosed", err)
	}
	if _, err := w.ask(t, "x"); !errors.Is(err, introspection.ErrClosed) {
		t.Errorf("Introspect = %v; want ErrClosed", err)
	}
}

func TestPanicOfADoerIsAnError(t *testing.T) {
	c := mustClient(t, introspection.Config{
		Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s"),
		Doer: &raw{after: func(*http.Request) { panic("boom") }},
	})
	if _, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "x"}); !errors.Is(err, introspection.ErrNetwork) {
		t.Errorf("Introspect = %v; want ErrNetwork", err)
	}
}

func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var events []string
	w := newWorld(t, func(c *introspection.Config) {
		c.Observer = introspection.ObserverFunc(func(e introspection.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, fmt.Sprint(e.Kind, " ", e.Issuer, " ", e.Active, " ", e.Problem, " ", e.Status))
			panic("swallowed")
		})
	})
	token := w.issuer.IssueOpaque(api, nil)
	_, _ = w.ask(t, token)
	_, _ = w.ask(t, token)
	_, _ = w.ask(t, "made-up")
	w.issuer.AnswerIntrospections(func(url.Values) (int, any) { return 500, nil })
	_, _ = w.ask(t, "other")
	want := []string{
		"answered https://id.example.com/ true  0", "cache_hit https://id.example.com/ true  0",
		"answered https://id.example.com/ false  0", "failed https://id.example.com/ false refused 500",
	}
	if got := strings.Join(events, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("events:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestConfig(t *testing.T) {
	good := func() introspection.Config {
		return introspection.Config{Domain: "id.example.com", ClientID: "orders", Auth: exchange.ClientSecretBasic("s")}
	}
	for _, test := range []struct {
		field  string
		change func(*introspection.Config)
	}{
		{"Domain", func(c *introspection.Config) { c.Domain = "" }},
		{"Domain", func(c *introspection.Config) { c.Domain = "http://id.example.com/" }},
		{"Domain", func(c *introspection.Config) { c.Domain = "https://id.example.com/?x" }},
		{"Domain", func(c *introspection.Config) { c.Domain = "http://localhost:8080/?x" }},
		{"Domain", func(c *introspection.Config) { c.Domain, c.Endpoint = "", "https://id.example.com/i" }},
		{"Domain", func(c *introspection.Config) {
			c.Domain, c.HTTPHosts = "http://id.example.com/", []string{"other.example.com"}
		}},
		{"Endpoint", func(c *introspection.Config) { c.Endpoint = "http://id.example.com/i" }},
		{"Endpoint", func(c *introspection.Config) { c.Endpoint = "id.example.com/i" }},
		{"ClientID", func(c *introspection.Config) { c.ClientID = "" }},
		{"Auth", func(c *introspection.Config) { c.Auth = nil }},
		{"Auth", func(c *introspection.Config) { c.Auth = exchange.ClientSecretBasic("") }},
		{"Doer", func(c *introspection.Config) { c.Auth = exchange.MutualTLS() }},
		{"Timeout", func(c *introspection.Config) { c.Timeout = time.Hour }},
		{"MaxInFlight", func(c *introspection.Config) { c.MaxInFlight = -1 }},
		{"TTL", func(c *introspection.Config) { c.TTL = 2 * time.Hour }},
		{"NegativeTTL", func(c *introspection.Config) { c.NegativeTTL = time.Hour }},
		{"MaxMemory", func(c *introspection.Config) { c.MaxMemory = 1 }},
		{"MaxNegative", func(c *introspection.Config) { c.MaxNegative = -1 }},
		{"MaxKnown", func(c *introspection.Config) { c.MaxKnown = -1 }},
		{"MaxKnown", func(c *introspection.Config) { c.MaxKnown = 1<<22 + 1 }},
		{"Cache", func(c *introspection.Config) { c.Cache = verifiertest.NewCache(nil, 0) }},
		{"Cache", func(c *introspection.Config) { c.CachePrivate = true }},
		{"Cache", func(c *introspection.Config) { c.SealKeys = [][]byte{} }},
		{"MaxInFlight", func(c *introspection.Config) { c.MaxInFlight = 4097 }},
		{"MaxNegative", func(c *introspection.Config) { c.MaxNegative = 1<<24 + 1 }},
		{"Cache", func(c *introspection.Config) {
			c.Cache, c.CachePrivate, c.CacheSealed = verifiertest.NewCache(nil, 0), true, true
		}},
		{"SealKeys", func(c *introspection.Config) {
			c.Cache, c.SealKeys = verifiertest.NewCache(nil, 0), [][]byte{make([]byte, 32)}
		}},
	} {
		cfg := good()
		test.change(&cfg)
		_, err := introspection.New(cfg)
		var problem *introspection.ConfigError
		if !errors.Is(err, introspection.ErrConfig) || !errors.As(err, &problem) || problem.Field != test.field {
			t.Errorf("New = %v; want a mistake in %s", err, test.field)
		}
	}
	if text := fmt.Sprintf("%+v %#v", good(), mustClient(t, good())); strings.Contains(text, "orders") {
		t.Errorf("printing shows %q", text)
	}
}
