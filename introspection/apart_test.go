package introspection_test

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// An answer in a shared cache is of one token, issuer, endpoint and client: whoever
// asks something else asks again, also where the parts together read alike.
func TestAnswersInACacheAreApart(t *testing.T) {
	const endpoint = "https://id.example.com/introspect"
	for name, other := range map[string]struct{ domain, endpoint, client, token string }{
		"token":                 {"id.example.com", endpoint, "orders", "other"},
		"issuer":                {"two.example.com", endpoint, "orders", "token"},
		"endpoint":              {"id.example.com", endpoint + "2", "orders", "token"},
		"client":                {"id.example.com", endpoint, "orders2", "token"},
		"letters of the issuer": {"tps://id.example.com/", endpoint, "orders", "tokenht"},
	} {
		cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
		doer := &raw{status: 200, body: claims()}
		ask := func(domain, endpoint, client, token string) {
			t.Helper()
			cfg := introspection.Config{
				Domain: domain, Endpoint: endpoint, ClientID: client, Auth: exchange.ClientSecretBasic("s"), Doer: doer, Clock: verifiertest.NewClock(start), Cache: cache, CachePrivate: true,
			}
			c := mustClient(t, cfg)
			issuer := domain
			if !strings.Contains(domain, "/") {
				issuer = "https://" + domain + "/"
			}
			if got, err := c.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: issuer, Token: token}); err != nil || !got.Active {
				t.Fatalf("%s: Introspect = %v, %v", name, got.Active, err)
			}
		}
		ask("id.example.com", endpoint, "orders", "token")
		ask("id.example.com", endpoint, "orders", "token")
		if doer.calls.Load() != 1 {
			t.Fatalf("%s: %d questions; want one of two equal ones", name, doer.calls.Load())
		}
		ask(other.domain, other.endpoint, other.client, other.token)
		if doer.calls.Load() != 2 {
			t.Errorf("another %s: the answer was taken from the cache", name)
		}
	}
}

// What is planted in a cache that somebody else can write to is a miss, and what is
// there for longer than it is good is one too.
func TestEntriesThatAreNotTaken(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	for name, test := range map[string]struct {
		corrupt func([]byte) []byte
		later   time.Duration
		sealed  bool // the second client wants sealed entries
		asks    int64
		faults  int64
	}{
		"as it was":         {asks: 1},
		"past its end":      {later: time.Minute, asks: 2},
		"not sealed":        {sealed: true, asks: 2, faults: 1},
		"not active":        {corrupt: func(b []byte) []byte { return bytes.Replace(b, []byte(`"active":true`), []byte(`"active":false`), 1) }, asks: 2, faults: 1},
		"active is a text":  {corrupt: func(b []byte) []byte { return bytes.Replace(b, []byte(`"active":true`), []byte(`"active":"true"`), 1) }, asks: 2, faults: 1},
		"claims are a list": {corrupt: func(b []byte) []byte { return bytes.Replace(b, []byte(`"claims":`), []byte(`"claims":[],"x":`), 1) }, asks: 2, faults: 1},
		"no JSON":           {corrupt: func([]byte) []byte { return []byte("x") }, asks: 2, faults: 1},
	} {
		clock := verifiertest.NewClock(start)
		cache := verifiertest.NewCache(verifiertest.NewClock(start), 0) // which forgets nothing
		doer := &raw{status: 200, body: claims()}
		var faults atomic.Int64
		ask := func(sealed bool) {
			t.Helper()
			cfg := introspection.Config{
				Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s"), Doer: doer, Clock: clock, Cache: cache, CachePrivate: !sealed,
				Observer: introspection.ObserverFunc(func(e introspection.Event) {
					if e.Kind == introspection.EventCacheFault {
						faults.Add(1)
					}
				}),
			}
			if sealed {
				cfg.SealKeys = [][]byte{key}
			}
			if got, err := mustClient(t, cfg).Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "token"}); err != nil || !got.Active {
				t.Fatalf("%s: Introspect = %v, %v", name, got.Active, err)
			}
		}
		ask(false)
		if test.corrupt != nil {
			cache.Corrupt(func(_ string, value []byte) []byte { return test.corrupt(value) })
		}
		clock.Advance(test.later)
		ask(test.sealed)
		if doer.calls.Load() != test.asks || faults.Load() != test.faults {
			t.Errorf("%s: %d questions and %d faults; want %d and %d", name, doer.calls.Load(), faults.Load(), test.asks, test.faults)
		}
	}
}

// An answer that is too large to be kept drives no other one out.
func TestLargeAnswerDrivesNothingOut(t *testing.T) {
	w := newWorld(t, func(c *introspection.Config) { c.MaxMemory = 64 << 10 })
	small, large := w.issuer.IssueOpaque(api, nil), w.issuer.IssueOpaque(api, map[string]any{"x": strings.Repeat("a", 64<<10-400)})
	for _, token := range []string{small, large, small, large} {
		if got, err := w.ask(t, token); err != nil || !got.Active {
			t.Fatalf("Introspect = %v, %v", got.Active, err)
		}
	}
	if w.asked() != 3 {
		t.Errorf("asked %d times; want 3: twice about the large one, once about the small one", w.asked())
	}
}

// Metadata states the issuer byte by byte, in one of its two spellings.
func TestMetadataInAnotherCase(t *testing.T) {
	for stated, want := range map[string]error{
		"https://id.example.com/": nil, "https://id.example.com": nil, "https://ID.example.com/": introspection.ErrMetadata, "id.example.com": introspection.ErrMetadata,
	} {
		w := newWorld(t, nil)
		w.issuer.SetDiscovery([]byte(`{"issuer":"` + stated + `","jwks_uri":"https://id.example.com/k","introspection_endpoint":"https://id.example.com/introspect"}`))
		_, err := w.ask(t, "x")
		if errors.Is(err, introspection.ErrMetadata) != (want != nil) {
			t.Errorf("metadata of %q: %v; want %v", stated, err, want)
		}
	}
}
