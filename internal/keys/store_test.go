package keys_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

func TestFailures(t *testing.T) {
	const secret = "secret-of-the-answer"
	for text, c := range map[string]struct {
		change    func(w *web)
		document  string
		class     keys.Class
		host      string
		status    int
		permanent bool
	}{
		"no such host":      {func(w *web) { w.set(metadataURL, "!"); w.err = &net.DNSError{Err: secret, IsNotFound: true} }, "discovery", keys.Class(fetch.NoSuchHost), "tenant.example", 0, false},
		"refused":           {func(w *web) { w.set(metadataURL, "!"); w.err = syscall.ECONNREFUSED }, "discovery", keys.Class(fetch.ConnectionRefused), "tenant.example", 0, false},
		"timeout":           {func(w *web) { w.set(keysURL, "!"); w.err = os.ErrDeadlineExceeded }, "jwks", keys.Class(fetch.Timeout), "tenant.example", 0, false},
		"unknown authority": {func(w *web) { w.set(metadataURL, "!"); w.err = x509.UnknownAuthorityError{} }, "discovery", keys.Class(fetch.UnknownAuthority), "tenant.example", 0, true},
		"other name": {func(w *web) {
			w.set(metadataURL, "!")
			w.err = x509.HostnameError{Certificate: &x509.Certificate{}, Host: secret}
		}, "discovery", keys.Class(fetch.CertificateName), "tenant.example", 0, true},
		"blocked":            {func(w *web) { w.set(metadataURL, "!"); w.err = fmt.Errorf("x: %w", fetch.ErrBlockedAddress) }, "discovery", keys.Class(fetch.BlockedAddress), "tenant.example", 0, true},
		"500":                {func(w *web) { w.set(metadataURL, "500") }, "discovery", keys.Class(fetch.Status), "tenant.example", 500, false},
		"429":                {func(w *web) { w.set(keysURL, "429") }, "jwks", keys.Class(fetch.Status), "tenant.example", 429, false},
		"404":                {func(w *web) { w.set(metadataURL, "404") }, "discovery", keys.Class(fetch.Status), "tenant.example", 404, true},
		"redirect":           {func(w *web) { w.set(keysURL, "302") }, "jwks", keys.Class(fetch.Redirect), "tenant.example", 302, true},
		"too large":          {func(w *web) { w.set(keysURL, strings.Repeat(" ", fetch.MaxBody+1)) }, "jwks", keys.Class(fetch.TooLarge), "tenant.example", 0, true},
		"HTML":               {func(w *web) { w.set(keysURL, "<html>"+secret) }, "jwks", keys.Malformed, "tenant.example", 0, false},
		"metadata of others": {func(w *web) { w.set(metadataURL, metadataText("https://"+secret+"/", keysURL)) }, "discovery", keys.WrongIssuer, "tenant.example", 0, true},
		"keys elsewhere":     {func(w *web) { w.set(metadataURL, metadataText(name, "https://cdn.example/keys")) }, "jwks", keys.KeysHost, "cdn.example", 0, true},
		"too many keys":      {func(w *web) { w.set(keysURL, `{"keys":[{}`+strings.Repeat(",{}", 500)+`]}`) }, "jwks", keys.TooManyKeys, "tenant.example", 0, true},
	} {
		w := newWeb()
		c.change(w)
		s := newStore(t, nil)
		_, err := s.Entry(source(t, keys.SourceConfig{Doer: w})).Keys(t.Context(), s.now())
		var u *lifecycle.Unavailable
		var f *keys.Failure
		if !errors.As(err, &u) || !errors.As(err, &f) {
			t.Errorf("%s: %v; want a failure", text, err)
			continue
		}
		if u.Document != c.document || f.Issuer != name || f.Document != c.document || f.Class != c.class || f.Host != c.host || f.Status != c.status || f.Permanent() != c.permanent {
			t.Errorf("%s: %+v, permanent %v; want %+v", text, f, f.Permanent(), c)
		}
		for _, want := range []string{name, c.document, c.host} {
			if !strings.Contains(f.Error(), want) {
				t.Errorf("%s: text %q does not say %q", text, f, want)
			}
		}
		if strings.Contains(f.Error(), secret) {
			t.Errorf("%s: text %q has what others wrote", text, f)
		}
		if i := slices.IndexFunc(s.Health(), func(h lifecycle.Health) bool { return errors.Is(h.LastErr, error(f)) }); i < 0 {
			t.Errorf("%s: health %+v does not have the failure", text, s.Health())
		}
	}
}

func TestClassOf(t *testing.T) {
	for class, err := range map[keys.Class]error{
		"": nil, keys.Closed: lifecycle.ErrClosed, "timeout": context.Canceled, keys.Other: errors.New("x"), keys.NoUsableKey: keyset.ErrNoUsable,
	} {
		if got := keys.ClassOf(err); got != class {
			t.Errorf("ClassOf(%v) = %q; want %q", err, got, class)
		}
	}
	s := newStore(t, nil)
	panics := source(t, keys.SourceConfig{Fetch: func(context.Context, string) (lifecycle.Answer, error) { panic("x") }})
	if _, err := s.Entry(panics).Keys(t.Context(), s.now()); keys.ClassOf(err) != keys.Panicked {
		t.Errorf("a panic has the class %q", keys.ClassOf(err))
	}
}

func TestUnusableSetIsAnAnswer(t *testing.T) {
	w := newWeb()
	w.set(keysURL, `{"keys":[]}`)
	s := newStore(t, nil)
	_, err := s.Entry(source(t, keys.SourceConfig{Doer: w})).Keys(t.Context(), s.now())
	var u *lifecycle.Unavailable
	if !errors.Is(err, keyset.ErrNoUsable) || errors.As(err, &u) {
		t.Errorf("%v; want ErrNoUsable and no outage", err)
	}
}

func TestRefetch(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Doer: w}))
	look := func(kid string) (keys.Held, keys.Outcome) {
		t.Helper()
		held, err := entry.Keys(t.Context(), s.now())
		if err != nil {
			t.Fatal(err)
		}
		entry.Used()
		fresh, outcome, err := entry.Refetch(t.Context(), kid, held, func(set *keyset.Set) bool { return set.HasID(kid) })
		if err != nil {
			t.Fatal(err)
		}
		return fresh, outcome
	}
	w.set(keysURL, jwks("k1", "k2"))
	if held, outcome := look("k2"); outcome != keys.Refreshed || !held.Set.HasID("k2") {
		t.Errorf("a new kid: %d, %v", outcome, held.Set.HasID("k2"))
	}
	if _, outcome := look("x"); outcome != keys.Refreshed {
		t.Errorf("a kid that is not there: %d; want Refreshed", outcome)
	}
	if _, outcome := look("y"); outcome != keys.Limited || entry.LimitedFor(s.now()) != 30*time.Second {
		t.Errorf("a kid that nobody looked for: %d, limited for %v; want Limited for 30 s", outcome, entry.LimitedFor(s.now()))
	}
	s.advance(30 * time.Second)
	w.set(keysURL, "500")
	if _, outcome := look("z"); outcome != keys.Failed {
		t.Errorf("a source that is down: %d; want Failed", outcome)
	}
	static := s.Entry(source(t, keys.SourceConfig{Static: []byte(jwks("k1"))}))
	held, _ := static.Keys(t.Context(), s.now())
	for n := range 10 {
		if _, outcome, _ := static.Refetch(t.Context(), fmt.Sprint(n), held, func(*keyset.Set) bool { return false }); outcome != keys.Refreshed {
			t.Errorf("a static set: %d; want Refreshed, since it has all there is", outcome)
		}
	}
}

func TestMetadata(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Doer: w, MetadataOnly: true}))
	d, err := entry.Metadata(t.Context(), s.now(), false)
	if err != nil || d.Issuer != name || d.TokenEndpoint != "https://tenant.example/token" || d.Raw != nil || w.count() != 1 {
		t.Errorf("%+v, %v after %d requests", d, err, w.count())
	}
	d, err = entry.Metadata(t.Context(), s.now(), true)
	if err != nil || string(d.Raw) != metadataText(name, keysURL) {
		t.Errorf("raw %q, %v; want the document", d.Raw, err)
	}
	if _, err := s.Entry(source(t, keys.SourceConfig{Doer: w, JWKS: keysURL})).Metadata(t.Context(), s.now(), true); !errors.Is(err, keys.ErrNoMetadata) {
		t.Errorf("a source without metadata: %v; want ErrNoMetadata", err)
	}
	w.set(metadataURL, "500")
	down := newStore(t, nil)
	if _, err := down.Entry(source(t, keys.SourceConfig{Doer: w})).Metadata(t.Context(), down.now(), true); keys.ClassOf(err) != keys.Class(fetch.Status) {
		t.Errorf("a source that is down: %v", err)
	}
}

const (
	pathIssuer = "https://idp.example/realms/one"
	openID     = pathIssuer + "/.well-known/openid-configuration"
	oauth      = "https://idp.example/.well-known/oauth-authorization-server/realms/one"
)

// TestPlaceIsRemembered: the next fetch goes where the document was, with its
// tag, and back when it is gone from there.
func TestPlaceIsRemembered(t *testing.T) {
	w := newWeb()
	w.header = map[string][]string{"Etag": {`"1"`}}
	w.set(oauth, metadataText(pathIssuer, "https://idp.example/keys"))
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Name: pathIssuer, Doer: w, MetadataOnly: true}))
	get := func(want ...string) {
		t.Helper()
		w.asked, w.tags = nil, nil
		if _, err := entry.Metadata(t.Context(), s.now(), false); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(w.asked, want) {
			t.Errorf("asked %q; want %q", w.asked, want)
		}
		s.advance(11 * time.Minute)
	}
	get(openID, oauth)
	get(oauth)
	if w.tags[0] != `"1"` {
		t.Errorf("asked again with the tag %q", w.tags[0])
	}
	w.set(openID, metadataText(pathIssuer, "https://idp.example/keys"))
	w.set(oauth, "410")
	get(oauth, openID)
	get(openID)
}

// memory is a shared cache.
type memory struct{ values sync.Map }

func (m *memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	v, ok := m.values.Load(key)
	if !ok {
		return nil, false, nil
	}
	return slices.Clone(v.([]byte)), true, nil
}

func (m *memory) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	m.values.Store(key, slices.Clone(value))
	return nil
}

func (m *memory) copy() *memory {
	c := &memory{}
	m.values.Range(func(key, value any) bool { c.values.Store(key, value); return true })
	return c
}

// TestOtherSources: what another kind of source, or one with other hosts, put
// into the shared cache is not used.
func TestOtherSources(t *testing.T) {
	w := newWeb()
	w.set(metadataURL, metadataText(name, "https://cdn.example/keys"))
	w.set("https://cdn.example/keys", jwks("k1"))
	fetched := func(context.Context, string) (lifecycle.Answer, error) {
		return lifecycle.Answer{Body: []byte(jwks("planted")), Stated: name}, nil
	}
	sources := map[string]keys.SourceConfig{
		"allowed":    {Doer: w, Hosts: []string{"cdn.example"}},
		"elsewhere":  {Doer: w, JWKS: keysURL},
		"fetched":    {Fetch: fetched, Tag: "one"},
		"otherwise":  {Fetch: fetched, Tag: "two"},
		"not shared": {Static: []byte(jwks("k9"))},
	}
	for from, filler := range sources {
		m := &memory{}
		first := newStore(t, func(cfg *keys.Config) { cfg.Cache = m })
		if _, err := first.Entry(source(t, filler)).Keys(t.Context(), first.now()); err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		first.Close()
		for to, cfg := range sources {
			second := newStore(t, func(cfg *keys.Config) { cfg.Cache = m.copy() })
			_, err := second.Entry(source(t, cfg)).Keys(t.Context(), second.now())
			if err != nil {
				t.Errorf("%s after %s: %v", to, from, err)
				continue
			}
			hit := slices.ContainsFunc(second.all, func(e lifecycle.Event) bool { return e.Kind == lifecycle.EventCacheHit && e.Document == "jwks" })
			other := slices.ContainsFunc(second.all, func(e lifecycle.Event) bool { return e.Kind == lifecycle.EventOtherSource })
			shared := from != "not shared" && to != "not shared"
			if hit != (shared && from == to) || other != (shared && from != to) {
				t.Errorf("%s after %s: hit %v, other source %v", to, from, hit, other)
			}
		}
		// The one that does not allow the host of the keys.
		strict := newStore(t, func(cfg *keys.Config) { cfg.Cache = m })
		if _, err := strict.Entry(source(t, keys.SourceConfig{Doer: w})).Keys(t.Context(), strict.now()); keys.ClassOf(err) != keys.KeysHost {
			t.Errorf("strict after %s: %v; want the host refused", from, err)
		}
	}
}

// TestPlantedPlaces: a shared cache is no authority over what is asked.
func TestPlantedPlaces(t *testing.T) {
	for name, cfg := range map[string]keys.SourceConfig{"discovery": {}, "metadata": {Metadata: metadataURL}, "key set": {JWKS: keysURL}} {
		t.Run(name, func(t *testing.T) { testPlantedPlaces(t, cfg) })
	}
}

func testPlantedPlaces(t *testing.T, of keys.SourceConfig) {
	w := newWeb()
	of.Doer = w
	m := &memory{}
	first := newStore(t, func(cfg *keys.Config) { cfg.Cache = m })
	if _, err := first.Entry(source(t, of)).Keys(t.Context(), first.now()); err != nil {
		t.Fatal(err)
	}
	first.Close()
	m.values.Range(func(key, value any) bool {
		text := strings.NewReplacer(metadataURL, "https://evil.example/m", keysURL, "https://evil.example/k").Replace(string(value.([]byte)))
		m.values.Store(key, []byte(text))
		return true
	})
	before := w.count()
	second := newStore(t, func(cfg *keys.Config) { cfg.Cache = m })
	if _, err := second.Entry(source(t, of)).Keys(t.Context(), second.now()); err != nil {
		t.Fatal(err)
	}
	if w.count() == before {
		t.Error("what was planted was taken")
	}
	for _, url := range w.asked {
		if strings.Contains(url, "evil") {
			t.Errorf("asked %q", url)
		}
	}
}

func TestIssuersThatShareASource(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	src := source(t, keys.SourceConfig{Doer: w})
	one, two := s.Pin(src), s.Pin(src)
	for _, entry := range []*keys.Entry{one, two} {
		if _, err := entry.Keys(t.Context(), s.now()); err != nil {
			t.Fatal(err)
		}
	}
	if one != two || w.count() != 2 {
		t.Errorf("%d requests; want one of each document", w.count())
	}
}

func TestWarmPathAllocatesNothing(t *testing.T) {
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Doer: newWeb()}))
	ctx, now := t.Context(), s.now()
	if n := testing.AllocsPerRun(100, func() {
		_, _ = entry.Keys(ctx, now)
		entry.Used()
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}

// TestMemoryPerIssuer: with documents of real size, a key set of 4.6 KB and
// metadata of 2.6 KB. With PORTCULLIS_TARGETS=1 it prints the rows of the
// performance page instead of judging.
func TestMemoryPerIssuer(t *testing.T) {
	const issuers = 1000
	_ = realKeys() // making them takes longer than a fetch may
	for text, c := range map[string]struct {
		cache lifecycle.Cache
		most  int64
	}{"without Cache": {nil, 4 << 10}, "with Cache": {discard{}, 11 << 10}} {
		s := newStore(t, func(cfg *keys.Config) { cfg.Cache = c.cache })
		hold := func(from, to int) {
			for n := from; n < to; n++ {
				src := source(t, keys.SourceConfig{Name: fmt.Sprintf("https://%d.example/", n), Doer: realSize{}})
				if _, err := s.Entry(src).Keys(t.Context(), s.now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		hold(0, 100)
		before := heap()
		hold(100, 100+issuers)
		each := (heap() - before) / issuers
		verdict := "met"
		if each > c.most {
			verdict = "missed"
		}
		if os.Getenv("PORTCULLIS_TARGETS") != "" {
			fmt.Printf("| memory per issuer, JWKS of 4.6 KB and metadata of 2.6 KB, %s | %d B | <= %d B | %s |\n", text, each, c.most, verdict)
		} else if verdict != "met" {
			t.Errorf("%s: %d bytes per issuer; want at most %d", text, each, c.most)
		}
		t.Logf("%s: %d bytes per issuer", text, each)
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
