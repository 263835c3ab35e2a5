package keys_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// TestTextsOfFailures: what is not known is not in them.
func TestTextsOfFailures(t *testing.T) {
	for want, f := range map[string]*keys.Failure{
		"keys: jwks of i: the document cannot be read":                                      {Issuer: "i", Document: "jwks", Class: keys.Malformed},
		"keys: jwks of i: the document cannot be read (host h)":                             {Issuer: "i", Document: "jwks", Class: keys.Malformed, Host: "h"},
		"keys: discovery of i: the answer has another status than 200, status 1":            {Issuer: "i", Document: "discovery", Class: keys.Class(fetch.Status), Status: 1},
		"keys: discovery of i: the answer has another status than 200, status 500 (host h)": {Issuer: "i", Document: "discovery", Class: keys.Class(fetch.Status), Status: 500, Host: "h"},
	} {
		if got := f.Error(); got != want {
			t.Errorf("text %q; want %q", got, want)
		}
	}
	for want, e := range map[string]*keys.KeysHostError{
		"keys: jwks_uri is not a URL that is fetched":                {},
		"keys: the key set is on a host that is not allowed: h:8443": {Host: "h:8443"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("text %q; want %q", got, want)
		}
	}
}

// TestPermanentFailures: a status is one of somebody's mistakes from 400 to 499,
// unless it says that the same request may be answered later.
func TestPermanentFailures(t *testing.T) {
	for status, want := range map[int]bool{0: false, 304: false, 399: false, 400: true, 404: true, 407: true, 408: false, 409: true, 425: false, 428: true, 429: false, 499: true, 500: false, 503: false} {
		if got := (&keys.Failure{Class: keys.Class(fetch.Status), Status: status}).Permanent(); got != want {
			t.Errorf("status %d is permanent: %v; want %v", status, got, want)
		}
	}
	for class, want := range map[keys.Class]bool{
		keys.WrongIssuer: true, keys.KeysHost: true, keys.TooManyKeys: true, keys.KeyFile: true, keys.Panicked: true, keys.Class(fetch.TooLarge): true,
		keys.Malformed: false, keys.Other: false, keys.Closed: false, keys.Class(fetch.Timeout): false,
	} {
		if got := (&keys.Failure{Class: class}).Permanent(); got != want {
			t.Errorf("%s is permanent: %v; want %v", class, got, want)
		}
	}
}

func TestClassOfWhatIsWrapped(t *testing.T) {
	for want, err := range map[keys.Class]error{
		keys.TooManyKeys:            fmt.Errorf("x: %w", &keys.Failure{Class: keys.TooManyKeys}),
		keys.Class(fetch.TLS):       fmt.Errorf("x: %w", &fetch.Error{Kind: fetch.TLS}),
		keys.KeysHost:               fmt.Errorf("x: %w", &keys.KeysHostError{}),
		keys.Class(fetch.Timeout):   fmt.Errorf("x: %w", context.DeadlineExceeded),
		keys.KeyFile:                fmt.Errorf("%w: %w", keys.ErrFile, context.DeadlineExceeded),
		keys.NoUsableKey:            fmt.Errorf("x: %w", keyset.ErrNoUsable),
		keys.Class("of_the_caller"): &keys.Failure{Class: "of_the_caller"},
	} {
		if got := keys.ClassOf(err); got != want {
			t.Errorf("ClassOf(%v) = %q; want %q", err, got, want)
		}
	}
}

// TestPlacesOfFailures: the host that was asked, or that the documents name, and the
// file.
func TestPlacesOfFailures(t *testing.T) {
	folder := t.TempDir()
	fails := func(err error) keys.FetchFunc {
		return func(context.Context, string) (lifecycle.Answer, error) { return lifecycle.Answer{}, err }
	}
	const cdn = "https://cdn.example:8443/keys"
	for text, c := range map[string]struct {
		cfg        keys.SourceConfig
		keysAt     string // by the metadata
		class      keys.Class
		host, file string
	}{
		"keys on another host":      {keys.SourceConfig{Hosts: []string{"cdn.example:8443"}}, cdn, keys.Malformed, "cdn.example:8443", ""},
		"keys at no URL":            {keys.SourceConfig{}, "%zz", keys.KeysHost, "", ""},
		"http, its own port":        {keys.SourceConfig{Metadata: "http://localhost:80/m"}, "", keys.Class(fetch.Status), "localhost", ""},
		"http, another port":        {keys.SourceConfig{JWKS: "http://localhost:443/k"}, "", keys.Class(fetch.Status), "localhost:443", ""},
		"https, its own port":       {keys.SourceConfig{JWKS: "https://a.example:443/k"}, "", keys.Class(fetch.Status), "a.example", ""},
		"https, another port":       {keys.SourceConfig{JWKS: "https://a.example:80/k"}, "", keys.Class(fetch.Status), "a.example:80", ""},
		"http, garbage":             {keys.SourceConfig{JWKS: "http://localhost:80/garbage"}, "", keys.Malformed, "localhost", ""},
		"https, garbage":            {keys.SourceConfig{JWKS: "https://a.example:80/garbage"}, "", keys.Malformed, "a.example:80", ""},
		"an address":                {keys.SourceConfig{JWKS: "https://[2001:DB8:0::1]:443/k"}, "", keys.Class(fetch.Status), "[2001:db8::1]", ""},
		"no file":                   {keys.SourceConfig{File: filepath.Join(folder, "none")}, "", keys.KeyFile, "", filepath.Join(folder, "none")},
		"a folder":                  {keys.SourceConfig{File: folder}, "", keys.KeyFile, "", folder},
		"a fetcher that knows":      {keys.SourceConfig{Fetch: fails(&fetch.Error{Kind: fetch.Network, Host: "h.example"})}, "", keys.Class(fetch.Network), "h.example", ""},
		"a fetcher that does not":   {keys.SourceConfig{Fetch: fails(&fetch.Error{Kind: fetch.Network})}, "", keys.Class(fetch.Network), "", ""},
		"a fetcher that reads":      {keys.SourceConfig{Fetch: fails(&fs.PathError{Op: "open", Path: "f", Err: fs.ErrNotExist})}, "", keys.Other, "", ""},
		"malformed, in the process": {keys.SourceConfig{Static: []byte("x")}, "", keys.Malformed, "", ""},
	} {
		w := newWeb()
		w.set(metadataURL, metadataText(name, c.keysAt))
		for _, at := range []string{cdn, "http://localhost:80/garbage", "https://a.example:80/garbage"} {
			w.set(at, "garbage")
		}
		c.cfg.Doer = w
		s := newStore(t, nil)
		_, err := s.Entry(source(t, c.cfg)).Keys(t.Context(), s.now())
		var f *keys.Failure
		if !errors.As(err, &f) || f.Class != c.class || f.Host != c.host || f.File != c.file {
			t.Errorf("%s: %v, %+v; want class %s, host %q, file %q", text, err, f, c.class, c.host, c.file)
		}
	}
}

// TestLargestDocuments: what is as large as it may be is read, and nothing larger.
func TestLargestDocuments(t *testing.T) {
	text := jwks("k1")
	largest := []byte(text + strings.Repeat(" ", fetch.MaxBody-len(text)))
	path := filepath.Join(t.TempDir(), "keys.json")
	for _, c := range []struct {
		body        []byte
		file, fetch keys.Class
	}{{largest, "", ""}, {append(largest, ' '), keys.Class(fetch.TooLarge), keys.WrongIssuer}} {
		if err := os.WriteFile(path, c.body, 0o600); err != nil {
			t.Fatal(err)
		}
		s := newStore(t, nil)
		if _, err := s.Entry(source(t, keys.SourceConfig{File: path})).Keys(t.Context(), s.now()); keys.ClassOf(err) != c.file {
			t.Errorf("a file of %d bytes: %v; want class %q", len(c.body), err, c.file)
		}
		fetched := func(context.Context, string) (lifecycle.Answer, error) { return lifecycle.Answer{Body: c.body}, nil }
		if _, err := s.Entry(source(t, keys.SourceConfig{Fetch: fetched})).Keys(t.Context(), s.now()); keys.ClassOf(err) != c.fetch {
			t.Errorf("a fetcher's %d bytes: %v; want class %q", len(c.body), err, c.fetch)
		}
	}
}

// TestNotModified: a fetcher and a file may say so of what is held.
func TestNotModified(t *testing.T) {
	s := newStore(t, nil)
	var tags []string
	entry := s.Entry(source(t, keys.SourceConfig{Fetch: func(_ context.Context, etag string) (lifecycle.Answer, error) {
		tags = append(tags, etag)
		if etag == "1" {
			return lifecycle.Answer{NotModified: true, ETag: "1"}, nil
		}
		return lifecycle.Answer{Body: []byte(jwks("k1")), ETag: "1"}, nil
	}}))
	for range 2 {
		if held, err := entry.Keys(t.Context(), s.now()); err != nil || !held.Set.HasID("k1") || !held.Waited {
			t.Errorf("%+v, %v; want the keys, fetched meanwhile", held, err)
		}
		s.advance(11 * time.Minute)
	}
	if len(tags) != 2 || tags[0] != "" || tags[1] != "1" {
		t.Errorf("asked with the tags %q", tags)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(jwks("k1")), 0o600); err != nil {
		t.Fatal(err)
	}
	src := source(t, keys.SourceConfig{File: path})
	first, err := src.FetchKeys(t.Context(), "")
	if err != nil || first.NotModified || string(first.Body) != jwks("k1") || first.ETag == "" {
		t.Fatalf("%+v, %v; want the file", first, err)
	}
	if again, err := src.FetchKeys(t.Context(), first.ETag); err != nil || !again.NotModified || again.Body != nil {
		t.Errorf("%+v, %v; want not modified", again, err)
	}
}

func TestFetchKeysOfAStaticSet(t *testing.T) {
	src := source(t, keys.SourceConfig{Static: []byte(jwks("k1"))})
	if answer, err := src.FetchKeys(t.Context(), ""); err != nil || string(answer.Body) != jwks("k1") || answer.ETag != "" {
		t.Errorf("%+v, %v; want the set, and no tag", answer, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.FetchKeys(done, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
}

// TestChangedMetadataAreTold, and the same ones are not.
func TestChangedMetadataAreTold(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Doer: w, MetadataOnly: true}))
	for n, c := range []struct {
		text string
		told int
	}{{metadataText(name, keysURL), 0}, {metadataText(name, keysURL), 0}, {metadataText(name, keysURL+"2"), 1}} {
		w.set(metadataURL, c.text)
		if _, err := entry.Metadata(t.Context(), s.now(), false); err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, e := range s.all {
			if e.Kind == lifecycle.EventRotated {
				told++
			}
		}
		if told != c.told {
			t.Errorf("fetch %d: %d changes told; want %d", n, told, c.told)
		}
		s.advance(11 * time.Minute)
	}
}

// TestLargeMetadataCount: what they take counts towards the bound of the memory.
func TestLargeMetadataCount(t *testing.T) {
	const each = 100 * (16 + 200)
	methods := strings.Repeat(`"`+strings.Repeat("m", 200)+`",`, 100)
	for room, want := range map[int64]int{5*each + 5<<11: 5, 4 * each: 3} {
		s := newStore(t, func(cfg *keys.Config) { cfg.Policy.MaxBytes = room })
		for n := range 5 {
			at := fmt.Sprintf("https://%d.example/", n)
			w := newWeb()
			w.set(at+".well-known/openid-configuration", fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"token_endpoint_auth_methods_supported":[%s"x"]}`, at, at+"keys", methods))
			if _, err := s.Entry(source(t, keys.SourceConfig{Name: at, Doer: w, MetadataOnly: true})).Metadata(t.Context(), s.now(), false); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(s.Health()); got != want {
			t.Errorf("%d of 5 issuers with %d bytes of metadata each are held in %d bytes; want %d", got, each, room, want)
		}
	}
}

// counting is a shared cache that counts the calls.
type counting struct {
	memory
	calls atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.calls.Add(1)
	return c.memory.Get(ctx, key)
}

func (c *counting) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.calls.Add(1)
	return c.memory.Set(ctx, key, value, ttl)
}

func (c *counting) keys() (n int) {
	c.values.Range(func(any, any) bool { n++; return true })
	return n
}

// TestWhatIsShared: documents of the web are in the shared cache for the next
// process, unless they are private; what is in the process or on its disk is not.
func TestWhatIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(jwks("k1")), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, c := range map[string]struct {
		cfg    keys.SourceConfig
		shared int
	}{
		"discovery":          {keys.SourceConfig{}, 2},
		"private discovery":  {keys.SourceConfig{Private: true}, 0},
		"metadata":           {keys.SourceConfig{Metadata: "https://tenant.example/m"}, 2},
		"private metadata":   {keys.SourceConfig{Metadata: "https://tenant.example/m", Private: true}, 0},
		"metadata alone":     {keys.SourceConfig{MetadataOnly: true}, 1},
		"private, alone":     {keys.SourceConfig{MetadataOnly: true, Private: true}, 0},
		"key set":            {keys.SourceConfig{JWKS: keysURL}, 1},
		"private key set":    {keys.SourceConfig{JWKS: keysURL, Private: true}, 0},
		"file":               {keys.SourceConfig{File: path}, 0},
		"static":             {keys.SourceConfig{Static: []byte(jwks("k1"))}, 0},
		"fetched, no tag":    {keys.SourceConfig{Fetch: fetched}, 0},
		"fetched, with tag":  {keys.SourceConfig{Fetch: fetched, Tag: "one"}, 1},
		"fetched, privately": {keys.SourceConfig{Fetch: fetched, Tag: "one", Private: true}, 0},
	} {
		w, cache := newWeb(), &counting{}
		w.set("https://tenant.example/m", metadataText(name, keysURL))
		c.cfg.Doer = w
		get := func() (keys.Held, error) {
			s := newStore(t, func(cfg *keys.Config) { cfg.Cache = cache })
			defer s.Close()
			if c.cfg.MetadataOnly {
				_, err := s.Entry(source(t, c.cfg)).Metadata(t.Context(), s.now(), false)
				return keys.Held{}, err
			}
			return s.Entry(source(t, c.cfg)).Keys(t.Context(), s.now())
		}
		first, err := get()
		if err != nil || cache.keys() != c.shared || !c.cfg.MetadataOnly && !first.Waited {
			t.Errorf("%s: %v, %d documents are shared, waited %v; want %d, and waited", text, err, cache.keys(), first.Waited, c.shared)
		}
		private := c.cfg.Private || c.cfg.File != "" || c.cfg.Static != nil
		if (cache.calls.Load() == 0) != private {
			t.Errorf("%s: %d calls of the cache", text, cache.calls.Load())
		}
		before := w.count()
		second, err := get()
		if err != nil || (w.count() == before) != (c.shared > 0 || c.cfg.File != "" || c.cfg.Static != nil || c.cfg.Fetch != nil) || !c.cfg.MetadataOnly && second.Waited != (c.shared == 0) {
			t.Errorf("%s: another process: %v, %d requests more, waited %v", text, err, w.count()-before, second.Waited)
		}
	}
}

func fetched(context.Context, string) (lifecycle.Answer, error) {
	return lifecycle.Answer{Body: []byte(jwks("k1"))}, nil
}

// TestRefetchFromTheSharedCache: what another process fetched since is enough if it
// has the kid.
func TestRefetchFromTheSharedCache(t *testing.T) {
	for kid, requests := range map[string]int{"k2": 0, "x": 1} {
		w, m := newWeb(), &memory{}
		of := func() (*store, *keys.Entry) {
			s := newStore(t, func(cfg *keys.Config) { cfg.Cache = m })
			return s, s.Entry(source(t, keys.SourceConfig{Doer: w}))
		}
		refetch := func(s *store, e *keys.Entry, kid string) keys.Held {
			t.Helper()
			held, err := e.Keys(t.Context(), s.now())
			if err != nil {
				t.Fatal(err)
			}
			s.advance(time.Second)
			held, outcome, err := e.Refetch(t.Context(), kid, held, func(set *keyset.Set) bool { return set.HasID(kid) })
			if err != nil || outcome != keys.Refreshed {
				t.Errorf("%s: outcome %d, %v", kid, outcome, err)
			}
			return held
		}
		one, oneEntry := of()
		two, twoEntry := of()
		for _, e := range []*keys.Entry{oneEntry, twoEntry} {
			if _, err := e.Keys(t.Context(), one.now()); err != nil {
				t.Fatal(err)
			}
		}
		w.set(keysURL, jwks("k1", "k2"))
		refetch(one, oneEntry, "k2")
		one.Close() // what it fetched is in the cache
		before := w.count()
		if held := refetch(two, twoEntry, kid); !held.Set.HasID("k2") || w.count()-before != requests || held.Waited != (requests > 0) {
			t.Errorf("%s: %d requests, waited %v; want %d: the source may have a newer set than the cache", kid, w.count()-before, held.Waited, requests)
		}
	}
}

// TestRefetchTellsWhetherItWaited: a set that was fetched meanwhile has all there
// is; one that was held and not looked for again has not.
func TestRefetchTellsWhetherItWaited(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Doer: w}))
	cold, err := entry.Keys(t.Context(), s.now())
	if err != nil {
		t.Fatal(err)
	}
	warm, err := entry.Keys(t.Context(), s.now())
	if err != nil || !cold.Waited || warm.Waited {
		t.Fatalf("waited %v, then %v; want true and false", cold.Waited, warm.Waited)
	}
	look := func(kid string, held keys.Held, outcome keys.Outcome, waited bool) {
		t.Helper()
		got, was, err := entry.Refetch(t.Context(), kid, held, func(*keyset.Set) bool { return false })
		if err != nil || was != outcome || got.Waited != waited {
			t.Errorf("%s: outcome %d, waited %v, %v; want %d, %v", kid, was, got.Waited, err, outcome, waited)
		}
	}
	w.set(keysURL, "500")
	look("x", warm, keys.Failed, false)
	look("x", cold, keys.Failed, true)
	w.set(keysURL, jwks("k1"))
	s.advance(30 * time.Second)
	look("y", warm, keys.Refreshed, true)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	hang := make(chan struct{})
	other := newStore(t, nil)
	calls := 0
	slow := other.Entry(source(t, keys.SourceConfig{Fetch: func(context.Context, string) (lifecycle.Answer, error) {
		if calls++; calls > 1 {
			<-hang
		}
		return fetched(nil, "")
	}}))
	held, err := slow.Keys(t.Context(), other.now())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := slow.Refetch(done, "x", held, func(*keyset.Set) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
	close(hang)
}

// TestIssuerThatMetadataStateNow: the keys that are held are those of the issuer by
// the name in the newest metadata.
func TestIssuerThatMetadataStateNow(t *testing.T) {
	w := newWeb()
	s := newStore(t, nil)
	entry := s.Entry(source(t, keys.SourceConfig{Doer: w}))
	if held, err := entry.Keys(t.Context(), s.now()); err != nil || held.Stated != name {
		t.Fatalf("stated %q, %v", held.Stated, err)
	}
	other := strings.TrimSuffix(name, "/")
	w.set(metadataURL, metadataText(other, keysURL))
	if _, err := entry.Metadata(t.Context(), s.now(), true); err != nil { // they are fetched for their body, without the keys
		t.Fatal(err)
	}
	if held, err := entry.Keys(t.Context(), s.now()); err != nil || held.Stated != other || w.count() != 3 {
		t.Errorf("stated %q after %d requests, %v; want %q after 3", held.Stated, w.count(), err, other)
	}
}

// TestIdentities as texts: a fleet of two releases has one entry per source.
func TestIdentities(t *testing.T) {
	w := newWeb()
	domain := []string{name, strings.TrimSuffix(name, "/")}
	for want, cfg := range map[string]keys.SourceConfig{
		"discovery":                       {Doer: w, Spellings: domain},
		"discovery  a.example,b.example ": {Doer: w, Hosts: []string{"b.example", "a.example", "A.example"}},
		"discovery  a.example  metadata":  {Doer: w, Hosts: []string{"a.example"}, MetadataOnly: true},
		"discovery metadata":              {Doer: w, MetadataOnly: true},
		"discovery   tls":                 {Doer: w, Use: "tls"},
		"metadata " + metadataURL + "  ":  {Doer: w, Metadata: metadataURL},
		"url " + keysURL + "  ":           {Doer: w, JWKS: keysURL},
		"file a  ":                        {File: "a"},
		"fetch":                           {Fetch: fetched},
		"fetch one  ":                     {Fetch: fetched, Tag: "one"},
		"static 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  ":  {Static: []byte("{}")},
		fmt.Sprintf("discovery %q", []string{name}):                                  {Doer: w, Spellings: []string{name}},
		fmt.Sprintf("discovery %q", []string{"a"}):                                   {Doer: w, Spellings: []string{"a"}},
		fmt.Sprintf("discovery %q", []string{domain[1], domain[1]}):                  {Doer: w, Spellings: []string{domain[1], domain[1]}},
		fmt.Sprintf("discovery %q", []string{domain[1], name}):                       {Doer: w, Spellings: []string{domain[1], name}},
		fmt.Sprintf("discovery %q", []string{name, "x"}):                             {Doer: w, Spellings: []string{name, "x"}},
		fmt.Sprintf("discovery %q", []string{domain[1], name, "https://x.example/"}): {Doer: w, Spellings: []string{name, domain[1], "https://x.example/"}},
	} {
		if got := source(t, cfg).Identity(); got != want {
			t.Errorf("identity %q; want %q", got, want)
		}
	}
	path := source(t, keys.SourceConfig{Name: pathIssuer, Doer: w, Spellings: []string{pathIssuer}})
	slash := source(t, keys.SourceConfig{Name: pathIssuer + "/", Doer: w, Spellings: []string{pathIssuer + "/"}})
	other := source(t, keys.SourceConfig{Name: pathIssuer, Doer: w, Spellings: []string{pathIssuer + "/"}})
	if want := fmt.Sprintf("discovery %q", []string{pathIssuer + "/"}); other.Identity() != want {
		t.Errorf("identity %q; want %q", other.Identity(), want)
	}
	plain := source(t, keys.SourceConfig{Name: "http://localhost:8080", Doer: w, Spellings: []string{"http://localhost:8080"}})
	for _, src := range []*keys.Source{path, slash, plain} {
		if src.Identity() != "discovery" {
			t.Errorf("%s: %q; want that its one spelling follows from its name", src.Name(), src.Identity())
		}
	}
}

// TestConfusedSources: two that fetch under one tag for one issuer, and are not one.
func TestConfusedSources(t *testing.T) {
	of := func(name, tag string, instance any) *keys.Source {
		return source(t, keys.SourceConfig{Name: name, Fetch: fetched, Tag: tag, Instance: instance})
	}
	one := of(name, "one", 1)
	for text, c := range map[string]struct {
		a, b *keys.Source
		want bool
	}{
		"itself":         {one, of(name, "one", 1), false},
		"another one":    {one, of(name, "one", 2), true},
		"another tag":    {one, of(name, "two", 2), false},
		"another issuer": {one, of("https://x.example/", "one", 2), false},
		"no tags":        {of(name, "", 1), of(name, "", 2), false},
	} {
		if c.a.IsConfusedWith(c.b) != c.want || c.b.IsConfusedWith(c.a) != c.want {
			t.Errorf("%s: confused %v; want %v", text, !c.want, c.want)
		}
	}
	s := newStore(t, nil)
	if s.Pin(one) == s.Pin(of(name, "one", 2)) || s.Pin(one) != s.Pin(of(name, "one", 1)) {
		t.Error("want one entry per instance")
	}
}

// TestSourcesThatAreRefused, beside TestNewSource.
func TestSourcesThatAreRefused(t *testing.T) {
	w := newWeb()
	for text, c := range map[string]struct {
		cfg   keys.SourceConfig
		field keys.Field
		err   error
	}{
		"hosts beside a key set":     {keys.SourceConfig{Name: "x", JWKS: keysURL, Hosts: []string{"a.example"}, Doer: w}, keys.FieldHosts, keys.ErrNoEffect},
		"a URL that does not parse":  {keys.SourceConfig{Name: "x", Metadata: "http://[::1", Doer: w}, keys.FieldMetadata, keys.ErrURL},
		"http without host":          {keys.SourceConfig{Name: "x", JWKS: "http:///keys", Doer: w}, keys.FieldJWKS, keys.ErrURL},
		"http with a port, no host":  {keys.SourceConfig{Name: "x", JWKS: "http://:80/keys", Doer: w}, keys.FieldJWKS, keys.ErrURL},
		"an http host with a scheme": {keys.SourceConfig{Name: "x", JWKS: keysURL, HTTPHosts: []string{"http://a.example"}, Doer: w}, keys.FieldHTTP, keys.ErrHost},
	} {
		_, err := keys.NewSource(c.cfg)
		var e *keys.ConfigError
		if !errors.As(err, &e) || e.Field != c.field || !errors.Is(err, c.err) {
			t.Errorf("%s: %v; want field %q, %v", text, err, c.field, c.err)
		}
	}
}

// TestHostsBesideHTTPHosts: one list does not make up for the other.
func TestHostsBesideHTTPHosts(t *testing.T) {
	w := newWeb()
	w.set(metadataURL, metadataText(name, "https://cdn.example/keys"))
	w.set("https://cdn.example/keys", jwks("k1"))
	for _, hosts := range [][]string{{"idp.internal"}, nil} {
		s := newStore(t, nil)
		src := source(t, keys.SourceConfig{Doer: w, Hosts: []string{"cdn.example"}, HTTPHosts: hosts})
		if _, err := s.Entry(src).Keys(t.Context(), s.now()); err != nil {
			t.Errorf("http hosts %q: %v; want the keys of the host that is allowed", hosts, err)
		}
	}
}

// TestFetchKeysWithoutETag: an answer that has none gets none.
func TestFetchKeysWithoutETag(t *testing.T) {
	w := newWeb()
	if answer, err := source(t, keys.SourceConfig{Doer: w}).FetchKeys(t.Context(), ""); err != nil || answer.ETag != "" {
		t.Errorf("tag %q, %v; want none", answer.ETag, err)
	}
	w.header = http.Header{"Etag": {`"1"`}}
	if answer, err := source(t, keys.SourceConfig{Doer: w}).FetchKeys(t.Context(), ""); err != nil || answer.ETag != keysURL+"\n\"1\"" {
		t.Errorf("tag %q, %v", answer.ETag, err)
	}
}
