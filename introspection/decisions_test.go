package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// booth answers by the token: "a..." is active, and has an answer of a length that
// sizes says; others are not. It counts the questions.
type booth struct {
	clock  *verifiertest.Clock
	client *introspection.Client
	size   int
	count  int
}

func newBooth(t *testing.T, change func(*introspection.Config)) *booth {
	t.Helper()
	b := &booth{clock: verifiertest.NewClock(start), size: 100}
	cfg := introspection.Config{
		Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"), Clock: b.clock,
		TTL: time.Hour, NegativeTTL: 10 * time.Minute, MaxMemory: 64 << 10,
		Doer: verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			b.count++
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			answer := `{"active":false}`
			if strings.HasPrefix(form.Get("token"), "a") {
				answer = `{"active":true,"x":"`
				answer += strings.Repeat("x", b.size-len(answer)-2) + `"}`
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: -1, Request: r}, nil
		}),
	}
	if change != nil {
		change(&cfg)
	}
	b.client = mustClient(t, cfg)
	return b
}

// asks reports whether the endpoint is asked about a token.
func (b *booth) asks(t *testing.T, token string) bool {
	t.Helper()
	before := b.count
	got, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: token})
	if err != nil || got.Active != strings.HasPrefix(token, "a") {
		t.Fatalf("Introspect(%s) = %v, %v", token, got.Active, err)
	}
	return b.count > before
}

func (b *booth) want(t *testing.T, token string, asks bool) {
	t.Helper()
	if got := b.asks(t, token); got != asks {
		t.Errorf("%s: the endpoint is asked: %v; want %v", token, got, asks)
	}
}

// each entry takes so much beside its claims.
const overhead = 256

// TestPositiveAnswersGoByUse: what was used longest ago goes first, and only as
// much as must.
func TestPositiveAnswersGoByUse(t *testing.T) {
	b := newBooth(t, nil)
	b.size = (64<<10)/4 - overhead // four fit, to the byte
	for _, token := range []string{"a1", "a2", "a3", "a4"} {
		b.want(t, token, true)
	}
	for _, token := range []string{"a1", "a2", "a3", "a4", "a1"} {
		b.want(t, token, false)
	}
	b.want(t, "a5", true) // a2 goes
	for _, token := range []string{"a1", "a3", "a4", "a5"} {
		b.want(t, token, false)
	}
	b.want(t, "a2", true)
	b.want(t, "a1", true)
}

// TestAnswersTooLargeForTheMemory drive nothing out.
func TestAnswersTooLargeForTheMemory(t *testing.T) {
	b := newBooth(t, nil)
	b.want(t, "a-small", true)
	b.size = 64<<10 - overhead + 1
	b.want(t, "a-large", true)
	b.want(t, "a-large", true)
	b.want(t, "a-small", false)
	b.size--
	b.want(t, "a-fits", true)
	b.want(t, "a-fits", false)
	b.want(t, "a-small", true)
}

// TestMemoryIsCountedRight: the bound holds however many answers came and went.
func TestMemoryIsCountedRight(t *testing.T) {
	b := newBooth(t, nil)
	const fit = (64 << 10) / (100 + overhead)
	for n := range 3 * fit {
		b.want(t, fmt.Sprint("a", n), true)
	}
	for n := 2 * fit; n < 3*fit; n++ {
		b.want(t, fmt.Sprint("a", n), false)
	}
	b.want(t, fmt.Sprint("a", 2*fit-1), true)
}

// TestNegativeAnswersGoByAge: the oldest go first, and one that was stored again is
// as young as it was then.
func TestNegativeAnswersGoByAge(t *testing.T) {
	b := newBooth(t, func(cfg *introspection.Config) { cfg.MaxNegative = 3 })
	for n := range 20 {
		b.want(t, fmt.Sprint(n), true)
		for last := max(0, n-2); last <= n; last++ {
			b.want(t, fmt.Sprint(last), false)
		}
	}
	b.want(t, "16", true)

	b = newBooth(t, func(cfg *introspection.Config) { cfg.MaxNegative = 2 })
	b.want(t, "n", true)
	b.clock.Advance(10 * time.Minute)
	b.want(t, "n", true)
	b.want(t, "m", true) // takes the place of the first n
	b.want(t, "n", false)
	b.want(t, "m", false)
	b.want(t, "o", true)
	b.want(t, "n", true)
}

// TestClockSetBackByAMinute: what was stored up to then in the future still counts.
func TestClockSetBackByAMinute(t *testing.T) {
	for _, token := range []string{"a", "n"} {
		b := newBooth(t, nil)
		b.want(t, token, true)
		b.clock.Advance(-time.Minute)
		b.want(t, token, false)
		b.clock.Advance(-1)
		b.want(t, token, true)
	}
}

func TestAnswerOfTheGreatestSize(t *testing.T) {
	b := newBooth(t, nil)
	b.size = 64 << 10
	b.want(t, "a", true)
	b.size++
	if _, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a-more"}); !errors.Is(err, introspection.ErrInvalidResponse) {
		t.Errorf("Introspect of an answer that is longer = %v; want ErrInvalidResponse", err)
	}
}

// names is a cache that notes the keys.
type names struct {
	verifier.Cache
	keys []string
}

func (n *names) Get(_ context.Context, key string) ([]byte, bool, error) {
	n.keys = append(n.keys, key)
	return nil, false, nil
}

func (n *names) Set(context.Context, string, []byte, time.Duration) error { return nil }

// TestQuestionsDoNotRunIntoEachOther: where one part of a question ends and the
// next begins makes a difference.
func TestQuestionsDoNotRunIntoEachOther(t *testing.T) {
	cache := &names{}
	for _, parts := range [][2]string{{"https://id.example.com/introspect", "orders"}, {"https://id.example.com/introspecto", "rders"}, {"https://id.example.com/intro", "spectorders"}} {
		b := newBooth(t, func(cfg *introspection.Config) {
			cfg.Endpoint, cfg.ClientID, cfg.Cache, cfg.CachePrivate = parts[0], parts[1], cache, true
		})
		b.want(t, "a", true)
	}
	if len(cache.keys) != 3 || cache.keys[0] == cache.keys[1] || cache.keys[1] == cache.keys[2] || cache.keys[0] == cache.keys[2] {
		t.Errorf("the keys are %q; want three", cache.keys)
	}
}

// TestNamesOfTheIssuer: every spelling that a Verifier may use is its own, and no
// other is.
func TestNamesOfTheIssuer(t *testing.T) {
	for domain, names := range map[string]map[string]bool{
		"id.example.com":                 {"https://id.example.com/": true, "https://id.example.com": true, "id.example.com": true, "https://id.example.com/x": false, "ID.example.com": false, "": false},
		"https://id.example.com/realms":  {"https://id.example.com/realms": true, "https://id.example.com/realms/": false, "https://id.example.com/": false},
		"https://id.example.com/realms/": {"https://id.example.com/realms/": true, "https://id.example.com/realms": false},
		"https://ID.example.com/Realms":  {"https://id.example.com/Realms": true, "https://ID.example.com/Realms": true, "https://id.example.com/realms": false},
		"http://id.example.com/":         {"http://id.example.com/": true, "https://id.example.com/": false},
		"did:web:id.example.com":         {"did:web:id.example.com": true, "https://id.example.com/": false},
	} {
		b := newBooth(t, func(cfg *introspection.Config) { cfg.Domain = domain })
		for name, good := range names {
			_, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: name, Token: "a"})
			if good && err != nil || !good && !errors.Is(err, introspection.ErrIssuer) {
				t.Errorf("%s: Introspect for %q = %v; want an error: %v", domain, name, err, !good)
			}
		}
	}
}

func TestEventsNameTheIssuer(t *testing.T) {
	for domain, want := range map[string]string{"ID.example.com": "https://id.example.com/", "http://id.example.com/": "http://id.example.com/"} {
		named := ""
		b := newBooth(t, func(cfg *introspection.Config) {
			cfg.Domain, cfg.Observer = domain, introspection.ObserverFunc(func(e introspection.Event) { named = e.Issuer })
		})
		if _, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: domain, Token: "a"}); err != nil || named != want {
			t.Errorf("%s: %v, an event of %q; want %q", domain, err, named, want)
		}
	}
}

// TestIssuerOverHTTP: the name is what is configured, exactly.
func TestIssuerOverHTTP(t *testing.T) {
	o := &office{metadata: `{"issuer":"http://localhost:8080","jwks_uri":"http://localhost:8080/keys","introspection_endpoint":"http://localhost:8080/i"}`}
	c := mustClient(t, introspection.Config{Domain: "http://localhost:8080", ClientID: "orders", Auth: exchange.ClientSecretBasic("s"), Doer: o})
	for name, good := range map[string]bool{"http://localhost:8080": true, "http://localhost:8080/": false, "https://localhost:8080": false} {
		_, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: name, Token: "a"})
		if good && err != nil || !good && !errors.Is(err, introspection.ErrIssuer) {
			t.Errorf("Introspect for %q = %v; want an error: %v", name, err, !good)
		}
	}
}

// TestFailureOnTheWay: a connection that times out is a time-out, and an endpoint that
// cannot be reached is none; for the metadata both are the same.
func TestFailureOnTheWay(t *testing.T) {
	for _, test := range []struct {
		fault    error
		endpoint string
		want     error
		text     string
	}{
		{os.ErrDeadlineExceeded, "https://id.example.com/i", introspection.ErrTimeout, "introspection: timed out"},
		{syscall.ECONNREFUSED, "https://id.example.com/i", introspection.ErrNetwork, "introspection: network error"},
		{os.ErrDeadlineExceeded, "", introspection.ErrMetadata, "introspection: no usable metadata"},
	} {
		b := newBooth(t, func(cfg *introspection.Config) {
			cfg.Endpoint = test.endpoint
			cfg.Doer = verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, test.fault })
		})
		_, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a"})
		if !errors.Is(err, test.want) || !errors.Is(err, test.fault) || err.Error() != test.text {
			t.Errorf("%v: Introspect = %q; want %q, which matches it", test.fault, err, test.text)
		}
	}
	b := newBooth(t, func(cfg *introspection.Config) { cfg.Doer = &raw{status: 503} })
	_, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a"})
	if want := "introspection: refused by the endpoint: status 503"; err == nil || err.Error() != want {
		t.Errorf("Introspect = %q; want %q", err, want)
	}
}

// TestEndedContext: what is remembered is no answer to a request that has ended.
func TestEndedContext(t *testing.T) {
	b := newBooth(t, nil)
	b.want(t, "a", true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := b.client.Introspect(ctx, verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a"}); !errors.Is(err, context.Canceled) || got.Active {
		t.Errorf("Introspect = %v, %v; want the end of the context", got.Active, err)
	}
}

// TestClientWithoutCredentials asks nobody, and says nothing of the token.
func TestClientWithoutCredentials(t *testing.T) {
	b := newBooth(t, func(cfg *introspection.Config) {
		cfg.Auth = exchange.ClientSecretBasicFrom(func(context.Context) (string, error) { return "", errors.New("the vault is down") })
	})
	if got, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a"}); !errors.Is(err, introspection.ErrCredentials) || got.Active || b.count != 0 {
		t.Errorf("Introspect = %v, %v after %d questions; want ErrCredentials and none", got.Active, err, b.count)
	}
}

// TestSharedAnswerIsTakenOnce: then the client remembers it itself.
func TestSharedAnswerIsTakenOnce(t *testing.T) {
	cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
	with := func(cfg *introspection.Config) { cfg.Cache, cfg.CachePrivate = cache, true }
	newBooth(t, with).want(t, "a", true)
	b := newBooth(t, with)
	b.want(t, "a", false)
	if err := cache.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(t, "a", false)
	newBooth(t, with).want(t, "a", true)
}

// office serves metadata and answers every question about a token with yes.
type office struct {
	metadata string
	down     bool
	asked    []string
}

func (o *office) Do(r *http.Request) (*http.Response, error) {
	body := o.metadata
	if r.Method == http.MethodPost {
		o.asked = append(o.asked, r.URL.String())
		body = `{"active":true}`
	} else if o.down {
		return nil, errors.New("down")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
}

// TestEndpointForCertificates: RFC 8705, Section 5.
func TestEndpointForCertificates(t *testing.T) {
	const plain, aliased = "https://id.example.com/i", "https://mtls.id.example.com/i"
	with, without := `,"mtls_endpoint_aliases":{"introspection_endpoint":"`+aliased+`"}`, ""
	for name, test := range map[string]struct {
		auth          exchange.Auth
		aliases, want string
	}{
		"a certificate":             {exchange.MutualTLS(), with, aliased},
		"a certificate, no alias":   {exchange.MutualTLS(), without, plain},
		"a secret":                  {exchange.ClientSecretBasic("s"), with, plain},
		"a secret, no alias either": {exchange.ClientSecretBasic("s"), without, plain},
	} {
		o := &office{metadata: `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/keys","introspection_endpoint":"` + plain + `"` + test.aliases + `}`}
		c := mustClient(t, introspection.Config{Domain: "id.example.com", ClientID: "orders", Auth: test.auth, Doer: o})
		_, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a"})
		if err != nil || len(o.asked) != 1 || o.asked[0] != test.want {
			t.Errorf("%s: %v, asked %q; want %s", name, err, o.asked, test.want)
		}
	}
}

// TestEndpointThatMoves: in an outage of the metadata answers are remembered under
// where the last question went.
func TestEndpointThatMoves(t *testing.T) {
	clock := verifiertest.NewClock(start)
	o := &office{}
	at := func(url string) {
		o.metadata = `{"issuer":"https://id.example.com/","jwks_uri":"https://id.example.com/keys","introspection_endpoint":"` + url + `"}`
	}
	at("https://id.example.com/one")
	c := mustClient(t, introspection.Config{Domain: "id.example.com", ClientID: "orders", Auth: exchange.ClientSecretBasic("s"), Doer: o, Clock: clock, TTL: time.Hour})
	ask := func(token string) error {
		_, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: token})
		return err
	}
	if err := ask("a"); err != nil {
		t.Fatal(err)
	}
	at("https://id.example.com/two")
	clock.Advance(2 * time.Hour) // nothing of the metadata can be used any more
	if err := ask("b"); err != nil || len(o.asked) != 2 || o.asked[1] != "https://id.example.com/two" {
		t.Fatalf("after the move: %v, asked %q", err, o.asked)
	}
	o.down = true
	clock.Advance(59 * time.Minute)
	clock.Advance(59 * time.Second)
	if err := ask("b"); err != nil || len(o.asked) != 2 {
		t.Errorf("a remembered answer in an outage: %v, asked %q", err, o.asked)
	}
}
