package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestKeysSayWhatIsWrong with the arguments that they were made with.
func TestKeysSayWhatIsWrong(t *testing.T) {
	url, file, static := verifier.KeysURL("https://a.example/keys"), verifier.KeysFile("keys"), verifier.KeysStatic([]byte("{}"))
	metadata, fetched := verifier.KeysMetadata("https://a.example/metadata"), verifier.KeysFrom(&noFetcher{})
	united := verifier.KeysUnited(url, file)
	nine := []verifier.Keys{url, url, url, url, url, url, url, url, url}
	const empty, number, kind = "is empty", "is KeysUnited of fewer than 2 or more than 8 sets", "is KeysUnited of something else than KeysURL, KeysMetadata, KeysFile and KeysStatic"
	const discovery, nameless, useless = "is KeysShared of discovery; say where the shared documents are with KeysMetadata or KeysURL", "is KeysShared without a name", "is ForUse of no use for signatures"
	for name, c := range map[string]struct {
		keys verifier.Keys
		want string
	}{
		"zero": {verifier.Keys{}, ""}, "discovery": {verifier.KeysDiscovery("b.example"), ""}, "metadata": {metadata, ""}, "URL": {url, ""}, "file": {file, ""}, "static": {static, ""}, "fetcher": {fetched, ""},
		"no metadata": {verifier.KeysMetadata(""), empty}, "no URL": {verifier.KeysURL(""), empty}, "no file": {verifier.KeysFile(""), empty}, "no set": {verifier.KeysStatic(nil), empty},
		"no fetcher": {verifier.KeysFrom(nil), "is KeysFrom of a nil KeyFetcher"}, "a nil fetcher": {verifier.KeysFrom((*noFetcher)(nil)), "is KeysFrom of a nil KeyFetcher"},

		"shared metadata": {verifier.KeysShared("x", metadata), ""}, "shared URL": {verifier.KeysShared("x", url), ""}, "shared file": {verifier.KeysShared("x", file), ""},
		"shared static": {verifier.KeysShared("x", static), ""}, "shared fetcher": {verifier.KeysShared("x", fetched), ""}, "shared united": {verifier.KeysShared("x", united), ""},
		"shared zero": {verifier.KeysShared("x", verifier.Keys{}), discovery}, "shared discovery": {verifier.KeysShared("x", verifier.KeysDiscovery("b.example")), discovery},
		"shared, no name": {verifier.KeysShared("", url), nameless}, "shared, what is wrong": {verifier.KeysShared("x", verifier.KeysFile("")), empty},

		"united": {united, ""}, "united of the others": {verifier.KeysUnited(metadata, static), ""}, "united of eight": {verifier.KeysUnited(nine[:8]...), ""},
		"united of nine": {verifier.KeysUnited(nine...), number}, "united of one": {verifier.KeysUnited(url), number}, "united of none": {verifier.KeysUnited(), number},
		"united zero": {verifier.KeysUnited(verifier.Keys{}, url), kind}, "united discovery": {verifier.KeysUnited(verifier.KeysDiscovery(), url), kind}, "united fetcher": {verifier.KeysUnited(fetched, url), kind},
		"united shared": {verifier.KeysUnited(verifier.KeysShared("x", url), url), kind}, "united of a use": {verifier.KeysUnited(url.ForUse("x"), url), kind}, "united united": {verifier.KeysUnited(united, url), kind},
		"united of what is wrong": {verifier.KeysUnited(verifier.KeysFile(""), url), empty}, "united of what is wrong at the end": {verifier.KeysUnited(url, verifier.KeysFile("")), empty},

		"a use": {url.ForUse("x"), ""}, "a use of discovery": {verifier.Keys{}.ForUse("x"), ""}, "no use": {url.ForUse(""), useless}, "encryption": {url.ForUse("enc"), useless}, "a use of what is wrong": {verifier.KeysURL("").ForUse("x"), empty},
		"a use of united": {united.ForUse("x"), ""},
	} {
		err := c.keys.Check()
		if want := "verifier: Config.Issuers.Keys " + c.want; (err == nil) != (c.want == "") || err != nil && (err.Error() != want || !errors.Is(err, verifier.ErrConfig)) {
			t.Errorf("%s: Check = %v; want %q", name, err, c.want)
		}
	}
}

// TestSourcesThatNewRefuses, with one mistake each, and at which field.
func TestSourcesThatNewRefuses(t *testing.T) {
	const http, https, none = " is http, which is fetched from loopback hosts", " is not an https URL without credentials and fragment", ", so no metadata can be found under it"
	file, set := verifier.KeysFile("keys"), verifier.KeysStatic([]byte(`{"keys":[]}`))
	for name, c := range map[string]struct {
		issuer verifier.Issuer
		want   string
	}{
		"a domain":                   {verifier.Issuer{Name: "a.example"}, ""},
		"https":                      {verifier.Issuer{Name: "https://a.example/x"}, ""},
		"http of this machine":       {verifier.Issuer{Name: "http://127.0.0.1/x"}, ""},
		"http":                       {verifier.Issuer{Name: "http://a.example"}, `Issuers[0].Name "http://a.example/.well-known/openid-configuration"` + http},
		"a URI":                      {verifier.Issuer{Name: "urn:a"}, `Issuers[0].Name "urn:a" is not an https URL or a domain` + none},
		"a URI, discovery":           {verifier.Issuer{Name: "urn:a", Keys: verifier.KeysDiscovery("b.example")}, `Issuers[0].Name "urn:a" is not an https URL or a domain` + none},
		"a URI, metadata":            {verifier.Issuer{Name: "urn:a", Keys: verifier.KeysMetadata("https://a.example/m")}, ""},
		"a URI, URL":                 {verifier.Issuer{Name: "urn:a", Keys: verifier.KeysURL("https://a.example/k")}, ""},
		"a URI, file":                {verifier.Issuer{Name: "urn:a", Keys: file}, ""},
		"a URI, static":              {verifier.Issuer{Name: "urn:a", Keys: set}, ""},
		"a URI, fetcher":             {verifier.Issuer{Name: "urn:a", Keys: verifier.KeysFrom(&noFetcher{})}, ""},
		"a URI, united":              {verifier.Issuer{Name: "urn:a", Keys: verifier.KeysUnited(file, set)}, ""},
		"keys over http":             {verifier.Issuer{Name: "a.example", Keys: verifier.KeysURL("http://a.example/k")}, `Issuers[0].Keys "http://a.example/k"` + http},
		"metadata over http":         {verifier.Issuer{Name: "a.example", Keys: verifier.KeysMetadata("http://a.example/k")}, `Issuers[0].Keys "http://a.example/k"` + http},
		"keys over ftp":              {verifier.Issuer{Name: "a.example", Keys: verifier.KeysURL("ftp://a.example/k")}, `Issuers[0].Keys "ftp://a.example/k"` + https},
		"a host that is none":        {verifier.Issuer{Name: "a.example", Keys: verifier.KeysDiscovery("x", "https://x")}, `Issuers[0].Keys[1] "https://x" is not a host name or address`},
		"no file":                    {verifier.Issuer{Name: "a.example", Keys: verifier.KeysFile("")}, `Issuers[0].Keys is empty`},
		"a nil Doer":                 {verifier.Issuer{Name: "a.example", Doer: (*documents)(nil)}, `Issuers[0].Doer is a nil pointer`},
		"a part over http":           {verifier.Issuer{Name: "a.example", Keys: verifier.KeysUnited(set, verifier.KeysURL("http://a.example/k"))}, `Issuers[0].Keys "http://a.example/k"` + http},
		"a part that is no metadata": {verifier.Issuer{Name: "a.example", Keys: verifier.KeysUnited(set, verifier.KeysMetadata("https://a.example/m#f"))}, `Issuers[0].Keys "https://a.example/m#f"` + https},
	} {
		v, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{c.issuer}})
		if (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), "verifier: Config."+c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: New = %v; want one mistake: %s", name, err, c.want)
		}
		if v != nil {
			_ = v.Close()
		}
	}
	for field, cfg := range map[string]verifier.Config{"KeyHosts[1]": {KeyHosts: []string{"x", "x y"}}, "HTTPHosts[0]": {HTTPHosts: []string{"x y"}}} {
		cfg.Domain, cfg.Audience = "a.example", "api"
		if _, err := verifier.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "verifier: Config."+field+` "x y" is not a host name`) {
			t.Errorf("New = %v; want %s to be refused", err, field)
		}
	}
	for name, c := range map[string]struct {
		keys   verifier.Keys
		issuer string
		doer   verifier.Doer
		want   string
	}{
		"no name": {verifier.Keys{}, "", nil, "Name is missing"}, "blanks": {verifier.Keys{}, "a ", nil, `Name "a " has blanks`}, "a nil Doer": {verifier.Keys{}, "a.example", (*documents)(nil), "Doer is a nil pointer"},
		"http": {verifier.KeysURL("http://a.example/k"), "a.example", nil, `Keys "http://a.example/k"` + http},
	} {
		f, err := c.keys.Fetcher(c.issuer, c.doer)
		if f != nil || err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), `Name "" `, "Name "), "verifier: Config."+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Fetcher = %v; want one mistake: %s", name, err, c.want)
		}
	}
}

// TestFetcherOfASource: whose keys it returns, and how long they are fresh.
func TestFetcherOfASource(t *testing.T) {
	const metadata, one, two, stated = "https://a.example/.well-known/openid-configuration", "https://a.example/keys", "https://a.example/two", "https://a.example"
	set := string(newFuzzWorld(t, nil).jwks())
	for name, c := range map[string]struct {
		keys      verifier.Keys
		control   map[string]string
		issuer    string // that is stated, or "" for the one asked for
		freshness verifier.Freshness
	}{
		"metadata":          {verifier.Keys{}, nil, stated, verifier.Freshness{}},
		"URL":               {verifier.KeysURL(one), nil, "", verifier.Freshness{}},
		"for a minute":      {verifier.KeysURL(one), map[string]string{one: "max-age=60"}, "", verifier.Freshness{MaxAge: time.Minute, HasMaxAge: true}},
		"not kept":          {verifier.KeysURL(one), map[string]string{one: "no-store"}, "", verifier.Freshness{NoStore: true}},
		"asked for again":   {verifier.KeysURL(one), map[string]string{one: "no-cache, max-age=60"}, "", verifier.Freshness{HasMaxAge: true}},
		"united":            {verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two)), nil, "", verifier.Freshness{}},
		"united, the first": {verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two)), map[string]string{one: "max-age=60, no-store"}, "", verifier.Freshness{MaxAge: time.Minute, HasMaxAge: true, NoStore: true}},
		"united, shorter":   {verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two)), map[string]string{one: "max-age=60", two: "max-age=50"}, "", verifier.Freshness{MaxAge: 50 * time.Second, HasMaxAge: true}},
		"united, longer":    {verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two)), map[string]string{one: "max-age=60", two: "max-age=70, no-store"}, "", verifier.Freshness{MaxAge: time.Minute, HasMaxAge: true, NoStore: true}},
	} {
		d := &documents{bodies: map[string]string{metadata: `{"issuer":"` + stated + `","jwks_uri":"` + one + `"}`, one: set, two: `{"keys":[]}`}, control: c.control}
		f, err := c.keys.Fetcher("a.example", d)
		if err != nil {
			t.Fatal(err)
		}
		for _, issuer := range []string{"a.example", "https://a.example", "https://a.example/"} {
			got, err := f.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: issuer})
			want := c.issuer
			if want == "" {
				want = issuer
			}
			if err != nil || got.Issuer != want || got.Freshness != c.freshness || string(got.JWKS) != set {
				t.Errorf("%s, %s: %q, %+v, %d bytes, %v; want %q and %+v", name, issuer, got.Issuer, got.Freshness, len(got.JWKS), err, want, c.freshness)
			}
		}
		asked := len(d.asked)
		for _, issuer := range []string{"", "b.example", "https://a.example/x"} {
			if got, err := f.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: issuer}); err == nil || len(got.JWKS) > 0 || len(d.asked) > asked {
				t.Errorf("%s: the keys of %q: %d bytes, %v", name, issuer, len(got.JWKS), err)
			}
		}
	}
	old, err := verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two)).Fetcher("a.example", verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := (&documents{bodies: map[string]string{one: set, two: set}}).Do(r)
		resp.Header.Set("Age", "30")
		return resp, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := old.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: "a.example"}); err != nil || got.Freshness != (verifier.Freshness{Age: 30 * time.Second}) {
		t.Errorf("united, of some age: %+v, %v", got.Freshness, err)
	}
	for name, bodies := range map[string]map[string]string{"missing": {one: set}, "garbage": {one: set, two: "<html>"}, "cut": {one: set, two: strings.TrimSuffix(set, "}")}, "cut behind": {one: set, two: strings.TrimSuffix(set, "}") + ","}} {
		want := "is not a JSON Web Key Set"
		if name == "missing" {
			want = "status 404"
		}
		f, err := verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(two)).Fetcher("a.example", &documents{bodies: bodies})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: "a.example"}); err == nil || !strings.Contains(err.Error(), want) || len(got.JWKS) > 0 {
			t.Errorf("united, one is %s: %d bytes, %v; want an error about %q", name, len(got.JWKS), err, want)
		}
	}
	f, err := verifier.KeysURL(one).Fetcher("a.example", &documents{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: "a.example"}); err == nil || errors.Is(err, context.Canceled) || got.Issuer != "" {
		t.Errorf("without a document: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ending, err := verifier.KeysURL(one).Fetcher("a.example", verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
		cancel()
		return nil, r.Context().Err()
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ending.FetchKeys(ctx, verifier.KeyRequest{Issuer: "a.example"}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "a.example") || got.Issuer != "" {
		t.Errorf("at the end: %+v, %v; want the end, and the host in it", got, err)
	}
	if got, err := f.FetchKeys(ctx, verifier.KeyRequest{Issuer: "a.example"}); !errors.Is(err, context.Canceled) || got.Issuer != "" {
		t.Errorf("after the end: %+v, %v", got, err)
	}
}

// TestDefaultDoer: without one a client of our own fetches.
func TestDefaultDoer(t *testing.T) {
	set := newFuzzWorld(t, nil).jwks()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	defer server.Close()
	f, err := verifier.KeysURL(server.URL).Fetcher("a.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.FetchKeys(t.Context(), verifier.KeyRequest{Issuer: "a.example"}); err != nil || string(got.JWKS) != string(set) {
		t.Errorf("FetchKeys = %d bytes, %v", len(got.JWKS), err)
	}
}

// countedCache counts what is written.
type countedCache struct {
	*verifiertest.Cache
	written atomic.Int64
}

func (c *countedCache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.written.Add(1)
	return c.Cache.Set(ctx, key, value, ttl)
}

// TestWhatASharedCacheMayHold: documents of Doers and fetchers that other processes know
// alike.
func TestWhatASharedCacheMayHold(t *testing.T) {
	w := newFuzzWorld(t, nil)
	d, other := documentsOf(w, "https://a.example"), documentsOf(w, "https://a.example")
	function := verifier.DoerFunc(d.Do)
	fetcher := verifier.KeysFrom(&worldFetcher{w})
	url := verifier.KeysURL("https://a.example/keys")
	shared := verifier.KeysShared("https://s.example", url)
	for name, c := range map[string]struct {
		config, own verifier.Doer
		keys        verifier.Keys
		fixed, told bool // whether it is written for an issuer of a fixed list, and of a resolver
	}{
		"Config's":               {d, nil, verifier.Keys{}, true, true},
		"Config's function":      {function, nil, verifier.Keys{}, true, true},
		"Config's once more":     {d, d, verifier.Keys{}, true, true},
		"Config's value":         {valueDoer{d}, valueDoer{d}, url, true, true},
		"another value":          {valueDoer{other}, valueDoer{d}, url, true, false},
		"another":                {other, d, url, true, false},
		"of another kind":        {d, valueDoer{d}, url, true, false},
		"of another kind still":  {function, d, url, true, false},
		"functions":              {function, function, url, true, false},
		"own alone":              {nil, d, url, true, false},
		"own function":           {nil, function, url, true, false},
		"Config's, shared":       {d, nil, shared, true, true},
		"Config's again, shared": {d, d, shared, true, true},
		"another, shared":        {other, d, shared, false, false},
		"a function, shared":     {other, function, shared, false, false},
		"a fetcher":              {d, nil, fetcher, true, false},
	} {
		for _, fixed := range []bool{true, false} {
			issuer := verifier.Issuer{Name: "https://a.example", Keys: c.keys, Doer: c.own}
			cache := &countedCache{Cache: verifiertest.NewCache(nil, 0)}
			cfg := verifier.Config{Audience: "api", Doer: c.config, Cache: cache, Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) { return &issuer, nil }}}
			want := c.told
			if fixed {
				cfg.Domains, cfg.Issuers, want = nil, []verifier.Issuer{issuer}, c.fixed
			}
			j := newCourt(t, withKeys(cfg, issuer.Keys))
			if err := j.at("", nil); err != nil {
				t.Errorf("%s, fixed %v: %v", name, fixed, err)
			}
			_ = j.Close() // what was fetched is written
			if (cache.written.Load() > 0) != want {
				t.Errorf("%s, fixed %v: %d documents were written; want some: %v", name, fixed, cache.written.Load(), want)
			}
		}
	}
}

// withKeys keeps a court from giving its own keys to an issuer that has none.
func withKeys(cfg verifier.Config, keys verifier.Keys) verifier.Config {
	if keys == (verifier.Keys{}) && len(cfg.Issuers) > 0 {
		cfg.Issuers[0].Keys = verifier.KeysDiscovery()
	}
	return cfg
}

// worldFetcher has the keys of a world.
type worldFetcher struct{ w *fuzzWorld }

func (f *worldFetcher) FetchKeys(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
	return verifier.KeySet{Issuer: req.Issuer, JWKS: f.w.jwks()}, nil
}

// TestSharedSetsAndTheirDoers: beside one set of keys, issuers of a fixed list with Doers
// of their own have documents of their own; those with one function have them together.
func TestSharedSetsAndTheirDoers(t *testing.T) {
	ours, theirs := twoWorlds(t)
	one, two := documentsOf(ours, "https://s.example"), documentsOf(theirs, "https://s.example")
	shared := verifier.KeysShared("https://s.example", verifier.KeysURL("https://a.example/keys"))
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://one.example", Keys: shared, Doer: one}, {Name: "https://two.example", Keys: shared, Doer: two},
	}})
	for _, w := range []*fuzzWorld{ours, theirs} {
		j.w = w
		for iss, good := range map[string]bool{"https://one.example": w == ours, "https://two.example": w == theirs} {
			if _, err := j.VerifyAccessToken(t.Context(), j.token("", claims{"iss": iss})); (err == nil) != good {
				t.Errorf("%s: %v; want it accepted: %v", iss, err, good)
			}
		}
	}
	function := verifier.DoerFunc(one.Do)
	one.asked = nil
	j = newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://one.example", Keys: shared, Doer: function}, {Name: "https://two.example", Keys: shared, Doer: function},
	}})
	for _, iss := range []string{"https://one.example", "https://two.example"} {
		j.want(claims{"iss": iss}, "")
	}
	if len(one.asked) != 1 {
		t.Errorf("asked for %q; want the shared set once", one.asked)
	}
	again := verifier.KeysShared("https://s.example", verifier.KeysURL("https://a.example/keys"))
	j = newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{
		{Name: "https://one.example", Keys: shared, Doer: function}, {Name: "https://two.example", Keys: again, Doer: verifier.DoerFunc(two.Do)},
	}})
	for iss, w := range map[string]*fuzzWorld{"https://one.example": ours, "https://two.example": theirs} {
		j.w = w
		j.want(claims{"iss": iss}, "")
	}
}

// TestUnitedSetsInASharedCache are told apart by what they unite.
func TestUnitedSetsInASharedCache(t *testing.T) {
	ours, theirs := twoWorlds(t)
	const one, two, three = "https://a.example/1", "https://a.example/2", "https://a.example/3"
	d := &documents{bodies: map[string]string{one: `{"keys":[]}`, two: string(ours.jwks()), three: string(theirs.jwks())}}
	cache := verifiertest.NewCache(nil, 0)
	for n, c := range []struct {
		second string
		w      *fuzzWorld
		asked  int
	}{{two, ours, 2}, {two, ours, 0}, {three, theirs, 2}} {
		d.asked = nil
		j := newCourt(t, verifier.Config{Audience: "api", Doer: d, Cache: cache, Issuers: []verifier.Issuer{{Name: "https://a.example", Keys: verifier.KeysUnited(verifier.KeysURL(one), verifier.KeysURL(c.second))}}})
		j.w = c.w
		if err := j.at("", nil); err != nil || len(d.asked) != c.asked {
			t.Errorf("%d: %v, asked for %q; want %d", n, err, d.asked, c.asked)
		}
		_ = j.Close()
	}
}

// TestCharactersOfOpaqueTokens: a token of others is shown to nobody.
func TestCharactersOfOpaqueTokens(t *testing.T) {
	d := &desk{}
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example", Opaque: verifier.OpaqueTokens{Introspector: d}}}})
	for c := range 256 {
		want := reason.TokenMalformed
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=", byte(c)) >= 0 {
			want = reason.TokenInactive
		}
		for _, token := range []string{"!" + string([]byte{byte(c)}), string([]byte{byte(c)}) + "!"} {
			d.asked = nil
			if _, err := j.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != reason.TokenMalformed || d.count() > 0 {
				t.Errorf("%q: %v, shown %d times", token, err, d.count())
			}
		}
		d.asked = nil
		token := "x" + string([]byte{byte(c)})
		if _, err := j.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != want || (d.count() > 0) != (want == reason.TokenInactive) {
			t.Errorf("%q: %v, shown %d times; want %q", token, err, d.count(), want)
		}
	}
}

// TestLengthsOfOpaqueTokens, and what New says about them.
func TestLengthsOfOpaqueTokens(t *testing.T) {
	d := &desk{}
	for name, c := range map[string]struct {
		opaque     verifier.OpaqueTokens
		good, bad  []string
		complaints string
	}{
		"none":             {verifier.OpaqueTokens{}, nil, []string{"x", ""}, ""},
		"any":              {verifier.OpaqueTokens{Introspector: d}, []string{"x", "xx", strings.Repeat("x", 9000)}, []string{""}, ""},
		"one at most":      {verifier.OpaqueTokens{Introspector: d, MaxLength: 1}, []string{"x"}, []string{"xx", ""}, ""},
		"two at least":     {verifier.OpaqueTokens{Introspector: d, MinLength: 2}, []string{"xx", "xxx"}, []string{"x", ""}, ""},
		"exactly":          {verifier.OpaqueTokens{Introspector: d, MinLength: 3, MaxLength: 3}, []string{"xxx"}, []string{"xx", "xxxx"}, ""},
		"a prefix":         {verifier.OpaqueTokens{Introspector: d, Prefix: "pat"}, []string{"pat", "patx"}, []string{"pa", "xpat", "Pat"}, ""},
		"nobody, JWTs":     {verifier.OpaqueTokens{JWTs: true}, nil, nil, "Opaque says what is asked about"},
		"nobody, prefix":   {verifier.OpaqueTokens{Prefix: "x"}, nil, nil, "Opaque says what is asked about"},
		"nobody, least":    {verifier.OpaqueTokens{MinLength: 1}, nil, nil, "Opaque says what is asked about"},
		"nobody, most":     {verifier.OpaqueTokens{MaxLength: 1}, nil, nil, "Opaque says what is asked about"},
		"a nil pointer":    {verifier.OpaqueTokens{Introspector: (*desk)(nil)}, nil, nil, "Opaque.Introspector is a nil pointer"},
		"a negative least": {verifier.OpaqueTokens{Introspector: d, MinLength: -1}, nil, nil, "Opaque.MaxLength is less than MinLength"},
		"a negative most":  {verifier.OpaqueTokens{Introspector: d, MaxLength: -1}, nil, nil, "Opaque.MaxLength is less than MinLength"},
		"two negative":     {verifier.OpaqueTokens{Introspector: d, MinLength: -2, MaxLength: -1}, nil, nil, "Opaque.MaxLength is less than MinLength"},
		"crossed":          {verifier.OpaqueTokens{Introspector: d, MinLength: 2, MaxLength: 1}, nil, nil, "Opaque.MaxLength is less than MinLength"},
	} {
		v, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "a.example", Opaque: c.opaque}}})
		if (err == nil) != (c.complaints == "") || err != nil && !strings.HasPrefix(err.Error(), "verifier: Config.Issuers[0]."+c.complaints) {
			t.Errorf("%s: New = %v; want %q", name, err, c.complaints)
		}
		if v == nil {
			continue
		}
		for want, tokens := range map[verifier.Reason][]string{reason.TokenInactive: c.good, reason.TokenMalformed: c.bad} {
			for _, token := range tokens {
				if _, err := v.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != want {
					t.Errorf("%s: %.20q: %v; want %q", name, token, err, want)
				}
			}
		}
		_ = v.Close()
	}
}

// TestPlacesOfClaims: where scope, client and permissions are, and in which forms.
func TestPlacesOfClaims(t *testing.T) {
	at := func(places ...string) verifier.ClaimNames {
		return verifier.ClaimNames{Scope: places, ClientID: []string{"no client"}, Permissions: []string{"no permissions"}}
	}
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprint("p", i)
	}
	for name, c := range map[string]struct {
		names  verifier.ClaimNames
		claims claims
		want   string // scopes; client; permissions
		reason verifier.Reason
	}{
		"defaults":               {verifier.ClaimNames{}, claims{"scope": "a b", "client_id": "c", "permissions": []string{"p", "q r"}}, "[a b] c [p q r]", ""},
		"others":                 {verifier.ClaimNames{}, claims{"scp": []string{"a", "b"}, "azp": "c", "permissions": "p q"}, "[a b] c [p q]", ""},
		"none":                   {verifier.ClaimNames{}, nil, "[]  []", ""},
		"in the order of places": {verifier.ClaimNames{Scope: []string{"x", "scp"}, ClientID: []string{"y"}}, claims{"x": "a", "scp": "b", "y": "c", "client_id": "d", "permissions": []string{}}, "[a] c []", ""},
		"the second":             {at("x", "y"), claims{"y": "a"}, "[a]  []", ""},
		"an empty one decides":   {at("x", "y"), claims{"x": "", "y": "a"}, "[]  []", ""},
		"inside":                 {at("x.y"), claims{"x": claims{"y": "a"}}, "[a]  []", ""},
		"further inside":         {at("x.y.z"), claims{"x": claims{"y": claims{"z": "a"}}}, "[a]  []", ""},
		"inside of a text":       {at("x.y", "z"), claims{"x": "y", "z": "a"}, "[a]  []", ""},
		"inside of a text, more": {at("x.y.z"), claims{"x": claims{"y": "z"}, "z": "a"}, "[]  []", ""},
		"a URL":                  {at("https://a.example/x.y"), claims{"https://a.example/x.y": "a", "https://a": claims{"example/x": claims{"y": "b"}}}, "[a]  []", ""},
		"a name with a slash":    {at("x/y.z"), claims{"x/y.z": "a", "x/y": claims{"z": "b"}}, "[a]  []", ""},
		"a pointer":              {at("/x.y/z"), claims{"x.y": claims{"z": "a"}}, "[a]  []", ""},
		"a pointer of escapes":   {at("/x~1y~0~01"), claims{"x/y~~1": "a"}, "[a]  []", ""},
		"spaces":                 {at("x"), claims{"x": "  a  b "}, "[a b]  []", ""},
		"a list of none":         {at("x"), claims{"x": []string{}}, "[]  []", ""},
		"a list of many words":   {at("x"), claims{"x": []string{"a", "b c"}}, "", reason.ClaimMalformed},
		"a list of empty words":  {at("x"), claims{"x": []string{"a", ""}}, "", reason.ClaimMalformed},
		"a list of numbers":      {at("x"), claims{"x": []any{"a", 1}}, "", reason.ClaimMalformed},
		"a number":               {at("x"), claims{"x": 1}, "", reason.ClaimMalformed},
		"many permissions":       {verifier.ClaimNames{}, claims{"permissions": many}, "[]  [" + strings.Join(many, " ") + "]", ""},
		"permissions of numbers": {verifier.ClaimNames{}, claims{"permissions": []any{"a", 1}}, "", reason.ClaimMalformed},
		"a number of them":       {verifier.ClaimNames{}, claims{"permissions": 1}, "", reason.ClaimMalformed},
		"an object of them":      {verifier.ClaimNames{}, claims{"permissions": claims{"a": 1}}, "", reason.ClaimMalformed},
		"a client of numbers":    {verifier.ClaimNames{}, claims{"client_id": 1}, "", reason.ClaimMalformed},
	} {
		cfg := verifier.Config{Audience: "api", Claims: c.names, Issuers: []verifier.Issuer{{Name: "https://a.example"}}}
		own := verifier.Config{Audience: "api", Claims: at("never"), Issuers: []verifier.Issuer{{Name: "https://a.example", Claims: c.names}}}
		if len(c.names.Scope) == 0 || len(c.names.ClientID) == 0 || len(c.names.Permissions) == 0 {
			own.Claims = verifier.ClaimNames{}
		}
		for kind, cfg := range map[string]verifier.Config{"Config's": cfg, "an issuer's": own} {
			j := newCourt(t, cfg)
			token := j.want(c.claims, c.reason)
			if token == nil {
				continue
			}
			if got := fmt.Sprintf("%v %s %v", token.Scopes(), token.ClientID, token.Permissions()); got != c.want {
				t.Errorf("%s, %s: %q; want %q", name, kind, got, c.want)
			}
		}
	}
	for place, good := range map[string]bool{"a": true, "a.b": true, "/a": true, "/a/b": true, "a:": true, ":": true, "a/": true, "": false, ".": false, "a.": false, ".a": false, "a..b": false, "/": false, "/a/": false, "//a": false} {
		for field, names := range map[string]verifier.ClaimNames{"Scope": {Scope: []string{"x", place, "y"}}, "ClientID": {ClientID: []string{"x", place}}, "Permissions": {Permissions: []string{"x", place}}} {
			v, err := verifier.New(verifier.Config{Audience: "api", Domain: "a.example", Claims: names})
			if (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), fmt.Sprintf("verifier: Config.Claims.%s[1] %q is not the name of a claim", field, place)) {
				t.Errorf("%q: New = %v; want it taken: %v", place, err, good)
			}
			if v != nil {
				_ = v.Close()
			}
		}
	}
}

// TestScopesAndPermissionsOfTokens are compared exactly.
func TestScopesAndPermissionsOfTokens(t *testing.T) {
	token := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example"}}}).want(claims{"scope": " a  b:c", "permissions": []string{"p", "q r", ""}}, "")
	for scope, want := range map[string]bool{"a": true, "b:c": true, "b": false, "A": false, "": false, "a b:c": false, "p": false} {
		if token.HasScope(scope) != want {
			t.Errorf("HasScope(%q) = %v", scope, !want)
		}
	}
	for permission, want := range map[string]bool{"p": true, "q r": true, "q": false, "": true, "a": false} {
		if token.HasPermission(permission) != want {
			t.Errorf("HasPermission(%q) = %v", permission, !want)
		}
	}
	for none, c := range map[bool]claims{true: {}, false: {"permissions": []string{}}} {
		token := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example"}}}).want(c, "")
		if got := token.Permissions(); (got == nil) != none || len(got) > 0 {
			t.Errorf("permissions of %v: %#v", c, got)
		}
	}
	if _, err := token.MarshalJSON(); err == nil || fmt.Sprintf("%v %+v %#v %s %d", token, token, token, token, token) != strings.TrimSpace(strings.Repeat("verifier.Token(hidden) ", 5)) {
		t.Errorf("a token shows itself: %v, %+v, %#v, %v", token, token, token, err)
	}
}

// TestActorsOfTokens: the outermost one, and those before it.
func TestActorsOfTokens(t *testing.T) {
	j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example"}}})
	for name, c := range map[string]struct {
		act   any
		actor string // "" if there is none
		chain string
		bad   bool // the actor
		worse bool // the chain
	}{
		"none":         {nil, "", "[]", false, false},
		"one":          {claims{"sub": "a"}, "{a  }", "[{a  }]", false, false},
		"in full":      {claims{"sub": "a", "iss": "i", "client_id": "c"}, "{a i c}", "[{a i c}]", false, false},
		"two":          {claims{"sub": "a", "act": claims{"sub": "b", "iss": "i"}}, "{a  }", "[{a  } {b i }]", false, false},
		"numbers":      {claims{"sub": "a", "iss": 1, "client_id": 2}, "{a  }", "[{a  }]", false, false},
		"a null after": {claims{"sub": "a", "act": nil}, "{a  }", "[{a  }]", false, false},
		"bad after":    {claims{"sub": "a", "act": 1}, "{a  }", "", false, true},
		"a text":       {"a", "", "", true, true},
		"no sub":       {claims{"iss": "i"}, "", "", true, true},
		"a blank sub":  {claims{"sub": " "}, "", "", true, true},
		"a number":     {claims{"sub": 1}, "", "", true, true},
	} {
		token := j.want(claims{"act": c.act}, "")
		actor, err := token.Actor()
		got := ""
		if actor != nil {
			got = fmt.Sprint(*actor)
		}
		if got != c.actor || (err != nil) != c.bad || err != nil && !errors.Is(err, verifier.ErrInvalidToken) {
			t.Errorf("%s: Actor = %s, %v; want %s", name, got, err, c.actor)
		}
		chain, err := token.DelegationChain()
		if (err != nil) != c.worse || err == nil && fmt.Sprint(chain) != c.chain || err != nil && (chain != nil || !errors.Is(err, verifier.ErrInvalidToken)) {
			t.Errorf("%s: DelegationChain = %v, %v; want %s", name, chain, err, c.chain)
		}
	}
	strict := newCourt(t, verifier.Config{Audience: "api", Realm: "orders", Issuers: []verifier.Issuer{{Name: "https://a.example"}}})
	_, err := strict.want(claims{"act": 1}, "").Actor()
	var e *verifier.Error
	if !errors.As(err, &e) || e.Claim != "act" || len(e.Challenges()) != 2 {
		t.Errorf("a malformed actor: %v; want the challenges of the Verifier", err)
	}
}
