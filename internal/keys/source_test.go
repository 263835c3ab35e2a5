package keys_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

func TestNewSource(t *testing.T) {
	w := newWeb()
	none := func(context.Context, string) (lifecycle.Answer, error) { return lifecycle.Answer{}, nil }
	for text, c := range map[string]struct {
		cfg   keys.SourceConfig
		field keys.Field
		err   error
	}{
		"discovery":                 {keys.SourceConfig{Name: name, Doer: w}, "", nil},
		"discovery, no Doer":        {keys.SourceConfig{Name: name}, keys.FieldDoer, keys.ErrMissing},
		"discovery over http":       {keys.SourceConfig{Name: "http://tenant.example/", Doer: w}, keys.FieldName, keys.ErrHTTP},
		"http on loopback":          {keys.SourceConfig{Name: "http://localhost:8080/", Doer: w}, "", nil},
		"http on a listed host":     {keys.SourceConfig{Name: "http://IDP.internal/", HTTPHosts: []string{"idp.internal"}, Doer: w}, "", nil},
		"a name that is no URL":     {keys.SourceConfig{Name: "accounts", Doer: w}, keys.FieldName, keys.ErrURL},
		"metadata":                  {keys.SourceConfig{Name: "x", Metadata: "https://a.example/m", Doer: w}, "", nil},
		"metadata, bad URL":         {keys.SourceConfig{Name: "x", Metadata: "ftp://a.example/m", Doer: w}, keys.FieldMetadata, keys.ErrURL},
		"metadata with credentials": {keys.SourceConfig{Name: "x", Metadata: "https://u:p@a.example/m", Doer: w}, keys.FieldMetadata, keys.ErrURL},
		"key set":                   {keys.SourceConfig{Name: "x", JWKS: "https://a.example/k", Doer: w}, "", nil},
		"key set over http":         {keys.SourceConfig{Name: "x", JWKS: "http://a.example/k", Doer: w}, keys.FieldJWKS, keys.ErrHTTP},
		"key set with a fragment":   {keys.SourceConfig{Name: "x", JWKS: "https://a.example/k#f", Doer: w}, keys.FieldJWKS, keys.ErrURL},
		"file":                      {keys.SourceConfig{Name: "x", File: "keys.json"}, "", nil},
		"static":                    {keys.SourceConfig{Name: "x", Static: []byte("{}")}, "", nil},
		"fetch":                     {keys.SourceConfig{Name: "x", Fetch: none}, "", nil},
		"two":                       {keys.SourceConfig{Name: "x", File: "keys.json", Static: []byte("{}")}, keys.FieldKind, keys.ErrSeveral},
		"hosts without effect":      {keys.SourceConfig{Name: "x", File: "keys.json", Hosts: []string{"a.example"}}, keys.FieldHosts, keys.ErrNoEffect},
		"a host that is none":       {keys.SourceConfig{Name: name, Hosts: []string{"a.example", "https://b.example"}, Doer: w}, keys.FieldHosts, keys.ErrHost},
		"an http host that is none": {keys.SourceConfig{Name: name, HTTPHosts: []string{"*.example"}, Doer: w}, keys.FieldHTTP, keys.ErrHost},
		"metadata alone":            {keys.SourceConfig{Name: name, MetadataOnly: true, Doer: w}, "", nil},
		"metadata alone of a file":  {keys.SourceConfig{Name: name, MetadataOnly: true, File: "x"}, keys.FieldKind, keys.ErrNoMetadata},
	} {
		src, err := keys.NewSource(c.cfg)
		var e *keys.ConfigError
		if (err == nil) != (c.field == "") || err != nil && (!errors.As(err, &e) || e.Field != c.field || !errors.Is(err, c.err) || src != nil || e.Error() == "") {
			t.Errorf("%s: %v; want field %q, %v", text, err, c.field, c.err)
		}
	}
}

func TestIdentity(t *testing.T) {
	w := newWeb()
	seen := make(map[string]string)
	for text, cfg := range map[string]keys.SourceConfig{
		"discovery": {Doer: w}, "hosts": {Doer: w, Hosts: []string{"a.example"}}, "other hosts": {Doer: w, Hosts: []string{"b.example"}},
		"metadata": {Doer: w, Metadata: metadataURL}, "keys": {Doer: w, JWKS: keysURL}, "other keys": {Doer: w, JWKS: keysURL + "2"},
		"file": {File: "a"}, "other file": {File: "b"}, "static": {Static: []byte("{}")},
		"fetch": {Fetch: func(context.Context, string) (lifecycle.Answer, error) { return lifecycle.Answer{}, nil }, Tag: "one"},
		"only":  {Doer: w, MetadataOnly: true},
		"alias": {Doer: w, Spellings: []string{name, "https://alias.example/"}}, "exact": {Doer: w, Spellings: []string{name}},
	} {
		id := source(t, cfg).Identity()
		if other := seen[id]; other != "" {
			t.Errorf("%s and %s have one identity %q", text, other, id)
		}
		seen[id] = text
	}
	if domain, plain := source(t, keys.SourceConfig{Doer: w, Spellings: []string{name, strings.TrimSuffix(name, "/")}}), source(t, keys.SourceConfig{Doer: w}); domain.Identity() != plain.Identity() {
		t.Errorf("%q and %q; want one identity of a domain", domain.Identity(), plain.Identity())
	}
	one := source(t, keys.SourceConfig{Doer: w, Hosts: []string{"B.example", "a.example", "b.example:443"}})
	two := source(t, keys.SourceConfig{Name: "https://other.example/", Doer: w, Hosts: []string{"a.example", "b.example"}})
	if one.Identity() != two.Identity() || two.Name() != "https://other.example/" {
		t.Errorf("%q and %q; want one identity whatever the order and spelling of hosts", one.Identity(), two.Identity())
	}
}

// TestKeysURLs: where metadata may place keys.
func TestKeysURLs(t *testing.T) {
	for text, c := range map[string]struct {
		issuer string
		hosts  []string
		at     string
		host   string // that is refused; "-": allowed
	}{
		"own host":             {name, nil, keysURL, "-"},
		"own host, other port": {name, nil, "https://tenant.example:8443/keys", "-"},
		"other case":           {name, nil, "https://TENANT.example/keys", "-"},
		"dot at the end":       {name, nil, "https://tenant.example./keys", "-"},
		"other host":           {name, nil, "https://cdn.example/keys", "cdn.example"},
		"allowed host":         {name, []string{"CDN.example"}, "https://cdn.example/keys", "-"},
		"allowed host's port":  {name, []string{"cdn.example"}, "https://cdn.example:8443/keys", "cdn.example:8443"},
		"allowed port":         {name, []string{"cdn.example:8443"}, "https://cdn.example:8443/keys", "-"},
		"subdomain":            {name, nil, "https://x.tenant.example/keys", "x.tenant.example"},
		"https to http":        {name, nil, "http://tenant.example/keys", ""},
		"https to loopback":    {name, []string{"localhost"}, "http://localhost/keys", ""},
		"http to http":         {"http://localhost:8080/", nil, "http://localhost:8080/keys", "-"},
		"http to https":        {"http://localhost:8080/", nil, "https://localhost/keys", "-"},
		"http to other http":   {"http://localhost:8080/", nil, "http://other.example/keys", ""},
		"no URL":               {name, nil, "keys", ""},
		"absent":               {name, nil, "", ""},
		"credentials":          {name, nil, "https://u@tenant.example/keys", ""},
	} {
		w := newWeb()
		w.set(c.issuer+".well-known/openid-configuration", metadataText(c.issuer, c.at))
		w.set(c.at, jwks("k1"))
		src, err := keys.NewSource(keys.SourceConfig{Name: c.issuer, Spellings: []string{c.issuer}, Hosts: c.hosts, Doer: w})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s := newStore(t, nil)
		_, err = s.Entry(src).Keys(t.Context(), s.now())
		var f *keys.Failure
		switch {
		case c.host == "-" && err != nil:
			t.Errorf("%s: %v; want the keys", text, err)
		case c.host != "-" && (!errors.As(err, &f) || f.Class != keys.KeysHost || f.Host != c.host || !f.Permanent()):
			t.Errorf("%s: %v; want host %q refused", text, err, c.host)
		}
	}
}

func TestSpellings(t *testing.T) {
	for _, c := range []struct {
		spellings []string
		stated    string
		ok        bool
	}{
		{nil, name, true}, {nil, "https://tenant.example", true}, {nil, "https://other.example/", false},
		{[]string{name}, name, true}, {[]string{name}, "https://tenant.example", false},
		{[]string{name, "tenant"}, "tenant", true}, {[]string{}, name, false},
	} {
		w := newWeb()
		w.set(metadataURL, metadataText(c.stated, keysURL))
		s := newStore(t, nil)
		held, err := s.Entry(source(t, keys.SourceConfig{Spellings: c.spellings, Doer: w})).Keys(t.Context(), s.now())
		if (err == nil) != c.ok || err == nil && held.Stated != c.stated || err != nil && keys.ClassOf(err) != keys.WrongIssuer {
			t.Errorf("spellings %q, stated %q: %q, %v; want ok %v", c.spellings, c.stated, held.Stated, err, c.ok)
		}
	}
}

func TestKinds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(jwks("k1")), 0o600); err != nil {
		t.Fatal(err)
	}
	fetched := func(_ context.Context, etag string) (lifecycle.Answer, error) {
		return lifecycle.Answer{Body: []byte(jwks("k1")), Stated: "https://tenant.example", ETag: "1"}, nil
	}
	for text, c := range map[string]struct {
		cfg    keys.SourceConfig
		stated string
		asked  []string
	}{
		"discovery": {keys.SourceConfig{}, name, []string{metadataURL, keysURL}},
		"metadata":  {keys.SourceConfig{Metadata: "https://a.example/m", Hosts: []string{"tenant.example"}}, name, []string{"https://a.example/m", keysURL}},
		"key set":   {keys.SourceConfig{JWKS: keysURL}, "", []string{keysURL}},
		"file":      {keys.SourceConfig{File: file}, "", nil},
		"static":    {keys.SourceConfig{Static: []byte(jwks("k1"))}, "", nil},
		"fetch":     {keys.SourceConfig{Fetch: fetched}, "https://tenant.example", nil},
	} {
		w := newWeb()
		w.set("https://a.example/m", metadataText(name, keysURL))
		c.cfg.Doer = w
		s := newStore(t, nil)
		entry := s.Pin(source(t, c.cfg))
		held, err := entry.Keys(t.Context(), s.now())
		if err != nil || !held.Set.HasID("k1") || held.Stated != c.stated || !held.Waited || !slices.Equal(w.asked, c.asked) {
			t.Errorf("%s: %+v, %v after %q; want issuer %q after %q", text, held, err, w.asked, c.stated, c.asked)
		}
		again, err := entry.Keys(t.Context(), s.now())
		if err != nil || again.Waited || again.Set != held.Set {
			t.Errorf("%s again: %+v, %v", text, again, err)
		}
		if s.Find(name, source(t, c.cfg).Identity()) != entry || entry.Name() != name {
			t.Errorf("%s: the entry is not found by its name and identity", text)
		}
		s.advance(11 * time.Minute)
		if later, err := entry.Keys(t.Context(), s.now()); err != nil || later.Generation != held.Generation {
			t.Errorf("%s after 11 minutes: generation %d, %v; want %d", text, later.Generation, err, held.Generation)
		}
	}
}

func TestFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(jwks("k1"))
	s := newStore(t, func(cfg *keys.Config) { cfg.Policy.Floor = 30 * time.Second })
	entry := s.Entry(source(t, keys.SourceConfig{File: path}))
	get := func() (keys.Held, error) { return entry.Keys(t.Context(), s.now()) }
	if held, err := get(); err != nil || !held.Set.HasID("k1") {
		t.Fatal(err)
	}
	write(jwks("k1", "k2"))
	s.advance(31 * time.Second)
	if held, err := get(); err != nil || !held.Set.HasID("k2") {
		t.Errorf("a changed file: %+v, %v", held, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	other := path + ".new"
	if err := os.WriteFile(other, []byte(jwks("k1", "k3")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chtimes(other, info.ModTime(), info.ModTime()), os.Rename(other, path)); err != nil {
		t.Fatal(err)
	}
	s.advance(31 * time.Second)
	if held, err := get(); err != nil || !held.Set.HasID("k3") || held.Set.HasID("k2") {
		t.Errorf("a file of the same size and time in its place: %+v, %v", held, err)
	}
	write(jwks("k1", "k2"))
	s.advance(31 * time.Second)
	if held, err := get(); err != nil || !held.Set.HasID("k2") {
		t.Errorf("a changed file: %+v, %v", held, err)
	}
	for text, bad := range map[string]func(){
		"half a file": func() { write(jwks("k1")[:20]) },
		"too large":   func() { write(strings.Repeat(" ", fetch.MaxBody+1)) },
		"gone":        func() { _ = os.Remove(path) },
		"a folder":    func() { _ = os.Mkdir(path, 0o700) },
	} {
		bad()
		s.advance(2 * time.Minute)
		if held, err := get(); err != nil || !held.Set.HasID("k2") {
			t.Errorf("%s: %+v, %v; want the keys held", text, held, err)
		}
		_ = os.RemoveAll(path)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source(t, keys.SourceConfig{File: path}).FetchKeys(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
	fresh := newStore(t, nil)
	_, err = fresh.Entry(source(t, keys.SourceConfig{File: path})).Keys(t.Context(), fresh.now())
	var f *keys.Failure
	if !errors.As(err, &f) || f.Class != keys.KeyFile || !errors.Is(err, os.ErrNotExist) || strings.Contains(f.Error(), path) || !f.Permanent() {
		t.Errorf("no file: %v; want class %s and no path in the text", err, keys.KeyFile)
	}
}

func TestFetchFuncsAreChecked(t *testing.T) {
	boom := errors.New("boom: secret")
	for text, c := range map[string]struct {
		answer lifecycle.Answer
		err    error
		class  keys.Class
	}{
		"other issuer": {lifecycle.Answer{Stated: "https://other.example/", Body: []byte(jwks("k1"))}, nil, keys.WrongIssuer},
		"too large":    {lifecycle.Answer{Stated: name, Body: make([]byte, fetch.MaxBody+1)}, nil, keys.WrongIssuer},
		"not modified": {lifecycle.Answer{Stated: name, NotModified: true}, nil, keys.WrongIssuer},
		"error":        {lifecycle.Answer{}, boom, keys.Other},
		"garbage":      {lifecycle.Answer{Stated: name, Body: []byte("x")}, nil, keys.Malformed},
	} {
		s := newStore(t, nil)
		_, err := s.Entry(source(t, keys.SourceConfig{Fetch: func(context.Context, string) (lifecycle.Answer, error) { return c.answer, c.err }})).Keys(t.Context(), s.now())
		var f *keys.Failure
		if !errors.As(err, &f) || f.Class != c.class || c.err != nil && !errors.Is(err, c.err) || strings.Contains(f.Error(), "secret") {
			t.Errorf("%s: %v; want class %s", text, err, c.class)
		}
	}
}

// TestFetchKeys: once, without a store; tags are of one URL.
func TestFetchKeys(t *testing.T) {
	w := newWeb()
	w.header = map[string][]string{"Etag": {`"1"`}}
	src := source(t, keys.SourceConfig{Doer: w})
	first, err := src.FetchKeys(t.Context(), "")
	if err != nil || first.Stated != name || first.ETag != keysURL+"\n\"1\"" {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := src.FetchKeys(t.Context(), first.ETag)
	if err != nil || !second.NotModified {
		t.Errorf("%+v, %v; want not modified", second, err)
	}
	w.set(metadataURL, metadataText(name, keysURL+"2"))
	w.set(keysURL+"2", jwks("k2"))
	third, err := src.FetchKeys(t.Context(), first.ETag)
	if err != nil || third.NotModified || !strings.Contains(string(third.Body), "k2") {
		t.Errorf("%+v, %v; want the set at the new place", third, err)
	}
	w.set(metadataURL, "garbage")
	if _, err := src.FetchKeys(t.Context(), ""); keys.ClassOf(err) != keys.Malformed {
		t.Errorf("%v; want malformed metadata", err)
	}
	w.set(metadataURL, "503")
	if _, err := src.FetchKeys(t.Context(), ""); keys.ClassOf(err) != keys.Class(fetch.Status) {
		t.Errorf("%v; want a status", err)
	}
}
