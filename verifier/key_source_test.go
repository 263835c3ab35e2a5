package verifier_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// documents answers by URL, and notes what was asked, with the entity tag.
type documents struct {
	bodies  map[string]string
	control map[string]string // Cache-Control
	etag    string
	asked   []string
}

func (d *documents) Do(req *http.Request) (*http.Response, error) {
	d.asked = append(d.asked, strings.TrimSpace(req.URL.String()+" "+req.Header.Get("If-None-Match")))
	body, ok := d.bodies[req.URL.String()]
	resp := &http.Response{StatusCode: http.StatusOK, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: req}
	if control := d.control[req.URL.String()]; control != "" {
		resp.Header.Set("Cache-Control", control)
	}
	switch {
	case !ok:
		resp.StatusCode = http.StatusNotFound
	case d.etag != "" && req.Header.Get("If-None-Match") == d.etag:
		resp.StatusCode = http.StatusNotModified
		resp.Body = http.NoBody
	case d.etag != "":
		resp.Header.Set("ETag", d.etag)
	}
	return resp, nil
}

// overDocuments changes the configuration of a fuzzWorld to ask d.
func overDocuments(d *documents, change func(*verifier.Config)) func(*verifier.Config) {
	return func(cfg *verifier.Config) {
		cfg.Issuers, cfg.Domain, cfg.Doer = nil, "tenant.example.com", d
		if change != nil {
			change(cfg)
		}
	}
}

const (
	metadataURL = "https://tenant.example.com/.well-known/openid-configuration"
	keysURL     = "https://tenant.example.com/jwks"
)

func TestKeySourceDecisions(t *testing.T) {
	jwks := string(newFuzzWorld(t, nil).jwks())
	metadata := func(keys string) string { return `{"issuer":"https://tenant.example.com/","jwks_uri":"` + keys + `"}` }
	for name, c := range map[string]struct {
		keys   string // jwks_uri
		change func(*verifier.Config)
		want   verifier.Reason
		asked  bool // for the keys
	}{
		"own host":                      {keysURL, nil, "", true},
		"own host in capitals":          {"https://TENANT.example.com/jwks", nil, "", true},
		"own host, default port":        {"https://tenant.example.com:443/jwks", nil, "", true},
		"own host, another port":        {"https://tenant.example.com:8443/jwks", nil, "", true},
		"another host":                  {"https://keys.example.com/jwks", nil, reason.Keys, false},
		"an allowed host":               {"https://keys.example.com/jwks", func(c *verifier.Config) { c.KeyHosts = []string{"keys.example.com"} }, "", true},
		"an allowed host, default port": {"https://keys.example.com:443/jwks", func(c *verifier.Config) { c.KeyHosts = []string{"KEYS.example.com:443"} }, "", true},
		"an allowed host, other port":   {"https://keys.example.com:8443/jwks", func(c *verifier.Config) { c.KeyHosts = []string{"keys.example.com"} }, reason.Keys, false},
		"suffix of the host":            {"https://eviltenant.example.com/jwks", nil, reason.Keys, false},
		"http":                          {"http://tenant.example.com/jwks", nil, reason.Keys, false},
		"credentials":                   {"https://a:b@tenant.example.com/jwks", nil, reason.Keys, false},
		"fragment":                      {"https://tenant.example.com/jwks#x", nil, reason.Keys, false},
		"relative":                      {"/jwks", nil, reason.Keys, false},
		"none":                          {"", nil, reason.Keys, false},
		"no host":                       {"https:///jwks", nil, reason.Keys, false},
		"port alone":                    {"https://:443/jwks", nil, reason.Keys, false},
		"IPv6":                          {"https://[::1]/jwks", nil, reason.Keys, false},
	} {
		d := &documents{bodies: map[string]string{metadataURL: metadata(c.keys), c.keys: jwks}}
		w := newFuzzWorld(t, overDocuments(d, c.change))
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
		if asked := len(d.asked) == 2; asked != c.asked || d.asked[0] != metadataURL {
			t.Errorf("%s: asked %v", name, d.asked)
		}
	}
}

func TestDocumentDecisions(t *testing.T) {
	jwks := string(newFuzzWorld(t, nil).jwks())
	const good = `{"issuer":"https://tenant.example.com/","jwks_uri":"https://tenant.example.com/jwks"}`
	for name, c := range map[string]struct {
		metadata, keys string
		want           verifier.Reason
	}{
		"good":                   {good, jwks, ""},
		"issuer spelt otherwise": {strings.Replace(good, `com/"`, `com"`, 1), jwks, reason.IssuerMismatch},
		"issuer other":           {strings.Replace(good, `tenant`, `other`, 1), jwks, reason.Discovery},
		"issuer missing":         {strings.Replace(good, `issuer`, `ISSUER`, 1), jwks, reason.Discovery},
		"no JSON":                {`<html>`, jwks, reason.Discovery},
		"keys no JSON":           {good, `<html>`, reason.Keys},
		"keys missing":           {good, `{}`, reason.Keys},
		"keys too large":         {good, jwks + strings.Repeat(" ", 1<<20), reason.Keys},
		"as large as may be":     {good, jwks + strings.Repeat(" ", 1<<20-len(jwks)), ""},
		"no key":                 {good, `{"keys":[]}`, reason.NoUsableKey},
		"no usable key":          {good, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, reason.NoUsableKey},
		"key of another kid":     {good, strings.Replace(jwks, `"kid":"1"`, `"kid":"2"`, 1), reason.KeyUnknown},
		"key for encryption":     {good, strings.Replace(jwks, `"sig"`, `"enc"`, 1), reason.NoUsableKey},
		"key of another alg":     {good, strings.Replace(jwks, `"use"`, `"alg":"ES256","use"`, 1), reason.KeyUnknown},
		"key of the second name": {good, strings.Replace(jwks, `"use"`, `"alg":"Ed25519","use"`, 1), ""},
	} {
		d := &documents{bodies: map[string]string{metadataURL: c.metadata, keysURL: c.keys}}
		w := newFuzzWorld(t, overDocuments(d, nil))
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

// TestTokensWithoutKid: only when exactly one key of the set fits.
func TestTokensWithoutKid(t *testing.T) {
	jwks := string(newFuzzWorld(t, nil).jwks())
	key := jwks[len(`{"keys":[`) : len(jwks)-2]
	other := strings.Replace(key, `"kid":"1"`, `"kid":"2"`, 1)
	const ec = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	for keys, want := range map[string]verifier.Reason{
		key: "", key + "," + ec: "", ec: reason.KeyUnknown, key + "," + other: reason.KeyUnknown,
		strings.Replace(key, `"kid":"1",`, ``, 1): "",
	} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) {
			useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(`{"keys":[` + keys + `]}`)}, nil
			}))
		})
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(`{"alg":"EdDSA"}`, fuzzClaims))
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", keys, got, want)
		}
	}
}

// TestKeysThatShareAKid: a few are tried, in order.
func TestKeysThatShareAKid(t *testing.T) {
	own := string(newFuzzWorld(t, nil).jwks())
	own = own[len(`{"keys":[`) : len(own)-2]
	other := func(seed byte) string {
		return `{"kty":"OKP","crv":"Ed25519","kid":"1","x":"` + b64(fixedPublicKey(seed)) + `"}`
	}
	for before, want := range map[int]verifier.Reason{0: "", 1: "", 3: "", 4: reason.Signature} {
		var keys []string
		for n := range before {
			keys = append(keys, other(byte(n+1)))
		}
		document := `{"keys":[` + strings.Join(append(keys, own), ",") + `]}`
		w := newFuzzWorld(t, func(cfg *verifier.Config) {
			useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(document)}, nil
			}))
		})
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
		if got := reasonOf(t, err); got != want {
			t.Errorf("behind %d others: %q; want %q", before, got, want)
		}
	}
}

func TestFetchersAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*verifier.KeySet)
		want   verifier.Reason
	}{
		"good":            {func(*verifier.KeySet) {}, ""},
		"spelt otherwise": {func(s *verifier.KeySet) { s.Issuer = "tenant.example.com" }, reason.Keys},
		"another issuer":  {func(s *verifier.KeySet) { s.Issuer = "https://other.example.com/" }, reason.Keys},
		"no issuer":       {func(s *verifier.KeySet) { s.Issuer = "" }, ""},
		"too large":       {func(s *verifier.KeySet) { s.JWKS = append(s.JWKS, make([]byte, 1<<20)...) }, reason.Keys},
		"as large as may be": {func(s *verifier.KeySet) {
			s.JWKS = append(s.JWKS, strings.Repeat(" ", 1<<20-len(s.JWKS))...)
		}, ""},
		"not modified at first": {func(s *verifier.KeySet) { s.NotModified = true }, reason.Keys},
	} {
		var w *fuzzWorld
		w = newFuzzWorld(t, func(cfg *verifier.Config) {
			useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set := verifier.KeySet{Issuer: req.Issuer, JWKS: w.jwks()}
				c.change(&set)
				return set, nil
			}))
		})
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

// TestEntityTagsAreOfOneURL: a tag is given back to the URL that it came from,
// and to no other.
func TestEntityTagsAreOfOneURL(t *testing.T) {
	now := time.Unix(fuzzNow, 0)
	jwks := string(newFuzzWorld(t, nil).jwks())
	const moved = "https://tenant.example.com/moved"
	d := &documents{etag: `"one"`, bodies: map[string]string{
		metadataURL: `{"issuer":"https://tenant.example.com/","jwks_uri":"` + keysURL + `"}`, keysURL: jwks, moved: jwks,
	}}
	w := newFuzzWorld(t, overDocuments(d, func(cfg *verifier.Config) {
		cfg.Clock = verifier.ClockFunc(func() time.Time { return now })
	}))
	token := w.token(fuzzHeader, fuzzClaims)
	verify := func(want ...string) {
		t.Helper()
		d.asked = nil
		if _, err := w.v.VerifyAccessToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if strings.Join(d.asked, ", ") != strings.Join(want, ", ") {
			t.Errorf("asked %q; want %q", d.asked, want)
		}
	}
	verify(metadataURL, keysURL)
	now = now.Add(11 * time.Minute)
	verify(metadataURL+` "one"`, keysURL+` "one"`)
	d.etag = `"two"`
	d.bodies[metadataURL] = `{"issuer":"https://tenant.example.com/","jwks_uri":"` + moved + `"}`
	now = now.Add(11 * time.Minute)
	verify(metadataURL+` "one"`, moved)
	now = now.Add(11 * time.Minute)
	verify(metadataURL+` "two"`, moved+` "two"`)
}

func TestKeySetURLsNeedNoMetadata(t *testing.T) {
	jwks := string(newFuzzWorld(t, nil).jwks())
	const inside = "https://keys.internal/jwks"
	d := &documents{bodies: map[string]string{inside: jwks}}
	w := newFuzzWorld(t, overDocuments(d, func(cfg *verifier.Config) {
		cfg.Domain, cfg.Domains = "", staticDomains{"tenant.example.com", "other.example.com"}
		cfg.Issuers = []verifier.Issuer{{Name: "tenant.example.com", Keys: verifier.KeysURL(inside)}}
	}))
	if _, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims)); err != nil || len(d.asked) != 1 || d.asked[0] != inside {
		t.Errorf("asked %v, %v; want the key set alone", d.asked, err)
	}
	_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, strings.Replace(fuzzClaims, "tenant", "other", 1)))
	if got := reasonOf(t, err); got != reason.Discovery || len(d.asked) != 3 { // both places of its metadata
		t.Errorf("an issuer without such a URL: %q, asked %v", got, d.asked)
	}
}

// TestMetadataSaysWhoseKeysTheyAre: when it states the issuer anew, that counts
// at once, for remembered tokens too, however long the keys are kept.
func TestMetadataSaysWhoseKeysTheyAre(t *testing.T) {
	for _, memo := range []int{0, 100} {
		now := time.Unix(fuzzNow, 0)
		d := &documents{
			bodies: map[string]string{
				metadataURL: `{"issuer":"https://tenant.example.com/","jwks_uri":"` + keysURL + `"}`, keysURL: string(newFuzzWorld(t, nil).jwks()),
			},
			control: map[string]string{metadataURL: "max-age=60", keysURL: "max-age=600"},
		}
		w := newFuzzWorld(t, overDocuments(d, func(cfg *verifier.Config) {
			cfg.Clock = verifier.ClockFunc(func() time.Time { return now })
			cfg.TokenMemo = memo
		}))
		token := w.token(fuzzHeader, fuzzClaims)
		for range 2 {
			if _, err := w.v.VerifyAccessToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		d.bodies[metadataURL] = strings.Replace(d.bodies[metadataURL], `com/",`, `com",`, 1)
		now = now.Add(2 * time.Minute)
		_, err := w.v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); got != reason.IssuerMismatch || len(d.asked) != 3 {
			t.Errorf("memo %d: %q after %q; want %q", memo, got, d.asked, reason.IssuerMismatch)
		}
	}
}

// late answers after the context of its request has ended, as a connection may
// whose closing is still under way.
type late struct {
	documents
	end context.CancelFunc
}

func (l *late) Do(req *http.Request) (*http.Response, error) {
	l.end()
	return l.documents.Do(req)
}

func TestAnswerAfterTheEndOfTheContext(t *testing.T) {
	for name, body := range map[string]string{"nothing": "", "no JSON": "<html>", "a key set": string(newFuzzWorld(t, nil).jwks())} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			doer := &late{documents{bodies: map[string]string{keysURL: body}}, cancel}
			source, err := verifier.KeysURL(keysURL).Fetcher("tenant.example.com", doer)
			if err != nil {
				t.Fatal(err)
			}
			set, err := source.FetchKeys(ctx, verifier.KeyRequest{Issuer: "https://tenant.example.com/"})
			if !errors.Is(err, context.Canceled) || len(set.JWKS) > 0 {
				t.Errorf("FetchKeys = %d bytes, %v; want none and context.Canceled", len(set.JWKS), err)
			}
		})
	}
}
