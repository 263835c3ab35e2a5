package verifier_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// page is a log without times.
func page(level slog.Level) (*strings.Builder, *slog.Logger) {
	text := new(strings.Builder)
	return text, slog.New(slog.NewTextHandler(text, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// TestLinesOfTheLog: what is logged of which event, and at which level.
func TestLinesOfTheLog(t *testing.T) {
	for want, e := range map[string]verifier.Event{
		"": {Kind: verifier.EventAccepted, Issuer: "i", Duration: time.Second},
		`level=DEBUG msg="portcullis: refused" reason=expired scheme=DPoP duration=1ns` + "\n": {Kind: verifier.EventRefused, Reason: reason.Expired, Scheme: verifier.SchemeDPoP, Duration: 1},
		`level=DEBUG msg="portcullis: fetched" issuer=i document=jwks` + "\n":                  {Kind: verifier.EventFetched, Issuer: "i", Document: "jwks", Duration: -1, Age: -1},
		`level=WARN msg="portcullis: fetch_failed" issuer=i document=jwks problem=status detail="no keys" permanent=true duration=2s` + "\n": {
			Kind: verifier.EventFetchFailed, Issuer: "i", Document: "jwks", Problem: "status", Detail: "no keys", Host: "h", Status: 404, Permanent: true, Err: errors.New("secret"), Duration: 2 * time.Second,
		},
		`level=INFO msg="portcullis: rotated" issuer=i` + "\n":       {Kind: verifier.EventRotated, Issuer: "i"},
		`level=WARN msg="portcullis: stale" issuer=i age=1ns` + "\n": {Kind: verifier.EventStale, Issuer: "i", Age: 1},
		`level=DEBUG msg="portcullis: limited"` + "\n":               {Kind: verifier.EventLimited},
		`level=DEBUG msg="portcullis: cache_hit"` + "\n":             {Kind: verifier.EventCacheHit},
		`level=WARN msg="portcullis: cache_fault"` + "\n":            {Kind: verifier.EventCacheFault},
		`level=WARN msg="portcullis: cache_other_source"` + "\n":     {Kind: verifier.EventOtherSource},
		`level=WARN msg="portcullis: evicted"` + "\n":                {Kind: verifier.EventEvicted},
		`level=WARN msg="portcullis: replay"` + "\n":                 {Kind: verifier.EventReplay},
		`level=WARN msg="portcullis: replay_fault"` + "\n":           {Kind: verifier.EventReplayFault},
		`level=WARN msg="portcullis: revocation_fault"` + "\n":       {Kind: verifier.EventRevocationFault},
		`level=DEBUG msg="portcullis: something of tomorrow"` + "\n": {Kind: "something of tomorrow"},
	} {
		text, logger := page(slog.LevelDebug)
		verifier.NewSlogObserver(logger).Observe(e)
		if text.String() != want {
			t.Errorf("%s: %q; want %q", e.Kind, text, want)
		}
		text, logger = page(slog.LevelWarn)
		verifier.NewSlogObserver(logger).Observe(e)
		if !strings.Contains(want, "WARN") {
			want = ""
		}
		if text.String() != want {
			t.Errorf("%s, warnings alone: %q; want %q", e.Kind, text, want)
		}
	}
}

// TestEventsOfDocuments: what is told of a fetch that went well and of one that did not.
func TestEventsOfDocuments(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no such file")
	set := string(newFuzzWorld(t, nil).jwks())
	for name, c := range map[string]struct {
		issuer verifier.Issuer
		bodies map[string]string
		want   verifier.Event
		says   string // a part of Detail
		not    string
	}{
		"good":           {verifier.Issuer{Keys: verifier.KeysURL("https://a.example/keys")}, map[string]string{"https://a.example/keys": set}, verifier.Event{Kind: verifier.EventFetched, Document: "jwks"}, "", "a"},
		"no such page":   {verifier.Issuer{Keys: verifier.KeysURL("https://a.example/keys")}, nil, verifier.Event{Kind: verifier.EventFetchFailed, Document: "jwks", Problem: "status", Host: "a.example", Status: 404, Permanent: true}, "404", "KeyHosts"},
		"no such file":   {verifier.Issuer{Keys: verifier.KeysFile(missing)}, nil, verifier.Event{Kind: verifier.EventFetchFailed, Document: "jwks", Problem: "file", Permanent: true}, "the file is " + missing, "KeyHosts"},
		"keys elsewhere": {verifier.Issuer{}, map[string]string{"https://a.example/.well-known/openid-configuration": `{"issuer":"https://a.example","jwks_uri":"https://b.example/keys"}`}, verifier.Event{Kind: verifier.EventFetchFailed, Document: "jwks", Problem: "jwks_uri", Host: "b.example", Permanent: true}, "KeyHosts", "file"},
		"keys nowhere":   {verifier.Issuer{}, map[string]string{"https://a.example/.well-known/openid-configuration": `{"issuer":"https://a.example","jwks_uri":"keys"}`}, verifier.Event{Kind: verifier.EventFetchFailed, Document: "jwks", Problem: "jwks_uri", Permanent: true}, "", "KeyHosts"},
	} {
		var got []verifier.Event
		c.issuer.Name, c.issuer.Doer = "https://a.example", &documents{bodies: c.bodies}
		v, err := verifier.New(verifier.Config{
			Audience: "api", Algorithms: []string{"EdDSA"}, Issuers: []verifier.Issuer{c.issuer},
			Observer: verifier.ObserverFunc(func(e verifier.Event) {
				if e.Document == c.want.Document {
					got = append(got, e)
				}
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		err = v.Warmup(t.Context())
		_ = v.Close()
		if len(got) != 1 || (err == nil) != (c.want.Problem == "") {
			t.Errorf("%s: %+v, Warmup = %v; want one event", name, got, err)
			continue
		}
		e := got[0]
		if !strings.Contains(e.Detail, c.says) || strings.Contains(e.Detail, c.not) || (e.Err == nil) != (err == nil) || err != nil && !strings.HasSuffix(err.Error(), e.Detail) {
			t.Errorf("%s: detail %q, %v, Warmup = %v; want %q in it, not %q", name, e.Detail, e.Err, err, c.says, c.not)
		}
		c.want.Issuer = "https://a.example"
		e.Detail, e.Err, e.Duration, e.Age = "", nil, 0, 0
		if !reflect.DeepEqual(e, c.want) {
			t.Errorf("%s: %+v; want %+v", name, e, c.want)
		}
	}
}

// TestStatesOfDocuments, in the order of issuers and documents.
func TestStatesOfDocuments(t *testing.T) {
	w := newFuzzWorld(t, nil)
	now := time.Unix(issuersNow, 0)
	d := &documents{bodies: map[string]string{"https://b.example/keys": string(w.jwks())}}
	for _, host := range []string{"a", "b", "c"} {
		d.bodies["https://"+host+".example/.well-known/openid-configuration"] = `{"issuer":"https://` + host + `.example/","jwks_uri":"https://` + host + `.example/keys"}`
	}
	v, err := verifier.New(verifier.Config{
		Audience: "api", Algorithms: []string{"EdDSA"}, Doer: d, Clock: verifier.ClockFunc(func() time.Time { return now }),
		Domains: staticDomains{"c.example", "a.example", "b.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got := v.Health(); len(got) > 0 {
		t.Errorf("Health before anything was fetched = %+v", got)
	}
	for _, host := range []string{"c.example", "b.example", "a.example"} {
		if err := v.Warmup(t.Context(), host); (err == nil) != (host == "b.example") {
			t.Errorf("Warmup(%q) = %v", host, err)
		}
	}
	states := func() string {
		var list []string
		for _, h := range v.Health() {
			list = append(list, strings.TrimPrefix(h.Issuer, "https://")+h.Document+" "+string(h.State))
			if (h.State == verifier.StateMissing) != (h.Problem != "") && h.State != verifier.StateStale || h.Failures > 0 != (h.Problem != "") || (h.Problem == "status") != (h.Status == 404) || h.FetchedAt.IsZero() != (h.State == verifier.StateMissing) {
				t.Errorf("%+v", h)
			}
		}
		return strings.Join(list, ", ")
	}
	if got, want := states(), "a.example/discovery fresh, a.example/jwks missing, b.example/discovery fresh, b.example/jwks fresh, c.example/discovery fresh, c.example/jwks missing"; got != want {
		t.Errorf("Health: %s; want %s", got, want)
	}
	now = now.Add(20 * time.Minute)
	if got, want := states(), "a.example/discovery stale, a.example/jwks missing, b.example/discovery stale, b.example/jwks stale, c.example/discovery stale, c.example/jwks missing"; got != want {
		t.Errorf("Health: %s; want %s", got, want)
	}
}

// TestMetadataOfIssuers: with and without a resolver, and where there is none.
func TestMetadataOfIssuers(t *testing.T) {
	w := newFuzzWorld(t, nil)
	const metadata = "https://a.example/.well-known/openid-configuration"
	for name, c := range map[string]struct {
		change func(*verifier.Config)
		body   string
		want   verifier.Reason
	}{
		"fixed":             {func(*verifier.Config) {}, `{"issuer":"https://a.example/","jwks_uri":"https://a.example/keys","token_endpoint":"https://a.example/token"}`, ""},
		"with a resolver":   {func(c *verifier.Config) { c.Domain, c.Domains = "", &looking{} }, `{"issuer":"https://a.example/","jwks_uri":"https://a.example/keys","token_endpoint":"https://a.example/token"}`, ""},
		"garbage":           {func(*verifier.Config) {}, "<html>", reason.Discovery},
		"of another issuer": {func(*verifier.Config) {}, `{"issuer":"https://b.example/"}`, reason.Discovery},
		"there is none": {func(c *verifier.Config) {
			c.Domain, c.Issuers = "", []verifier.Issuer{{Name: "a.example", Keys: verifier.KeysStatic(w.jwks())}}
		}, "<html>", reason.Keys},
	} {
		d := &documents{bodies: map[string]string{metadata: c.body}}
		cfg := verifier.Config{Audience: "api", Domain: "a.example", Doer: d}
		c.change(&cfg)
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			m, err := v.Metadata(t.Context(), "a.example")
			if got := reasonOf(t, err); got != c.want || (m.TokenEndpoint == "https://a.example/token") != (c.want == "") || (string(m.Document) == c.body) != (c.want == "") {
				t.Errorf("%s: %+v, %v; want %q", name, m, err, c.want)
			}
		}
		if name == "fixed" && !slices.Equal(d.asked, []string{metadata}) {
			t.Errorf("%s: asked for %q; want the metadata once", name, d.asked)
		}
		if _, err := v.Metadata(t.Context(), "a b"); reasonOf(t, err) != reason.IssuerNotAllowed {
			t.Errorf("%s: Metadata of no issuer = %v", name, err)
		}
		_ = v.Close()
	}
}

// TestWarmupOfManyIssuers: more than are fetched at once, and those that were named
// alone.
func TestWarmupOfManyIssuers(t *testing.T) {
	fetched := make(chan string, 100)
	var issuers []verifier.Issuer
	for _, name := range strings.Split("abcdefghijklmnopqrst", "") {
		issuers = append(issuers, verifier.Issuer{Name: "https://" + name + ".example", Keys: verifier.KeysFrom(verifier.KeyFetcherFunc(
			func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				fetched <- req.Issuer
				return verifier.KeySet{}, errors.New("down")
			}))})
	}
	v, err := verifier.New(verifier.Config{Audience: "api", Issuers: issuers})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	err = v.Warmup(t.Context(), "https://b.example", "https://d.example")
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[0], "https://b.example: ") || !strings.HasPrefix(lines[1], "https://d.example: ") || len(fetched) != 2 {
		t.Errorf("Warmup of two = %v after %d fetches", err, len(fetched))
	}
	if err := v.Warmup(t.Context(), "https://b.example", "https://x.example"); reasonOf(t, err) != reason.IssuerNotAllowed || len(fetched) != 2 {
		t.Errorf("Warmup of one that is not allowed = %v after %d fetches; want a refusal, and no fetch", err, len(fetched))
	}
	err = v.Warmup(t.Context())
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(issuers) {
		t.Errorf("Warmup of all = %d errors; want %d", len(lines), len(issuers))
	}
	empty, err := verifier.New(verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example", Keys: verifier.KeysStatic([]byte(`{"keys":[]}`))}}})
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if err := empty.Warmup(t.Context()); reasonOf(t, err) != reason.NoUsableKey || strings.HasSuffix(err.Error(), ": ") {
		t.Errorf("Warmup of an empty set = %v; want %q", err, reason.NoUsableKey)
	}
	resolved, err := verifier.New(verifier.Config{Audience: "api", Issuers: issuers, Domains: &looking{}})
	if err != nil {
		t.Fatal(err)
	}
	defer resolved.Close()
	before := len(fetched)
	if err := resolved.Warmup(t.Context()); err != nil || len(fetched) != before {
		t.Errorf("Warmup with a resolver = %v after %d fetches; want nothing done", err, len(fetched)-before)
	}
}

// TestNewRefusesNilPointers, and says where they are.
func TestNewRefusesNilPointers(t *testing.T) {
	for field, change := range map[string]func(*verifier.Config){
		"Clock":    func(c *verifier.Config) { c.Clock = (*verifiertest.Clock)(nil) },
		"Observer": func(c *verifier.Config) { c.Observer = verifier.ObserverFunc(nil) },
		"Doer":     func(c *verifier.Config) { c.Doer = (*documents)(nil) },
		"Cache":    func(c *verifier.Config) { c.Cache = (*verifiertest.Cache)(nil) },
		"Lease": func(c *verifier.Config) {
			c.Cache, c.Lease = verifiertest.NewCache(nil, 1), (*verifiertest.ReplayStore)(nil)
		},
		"DPoP.Nonces":      func(c *verifier.Config) { c.DPoP.Nonces = (*nilNonces)(nil) },
		"DPoP.ReplayStore": func(c *verifier.Config) { c.DPoP.ReplayStore = (*verifiertest.ReplayStore)(nil) },
		"Domains":          func(c *verifier.Config) { c.Domain, c.Domains = "", (*looking)(nil) },
	} {
		cfg := verifier.Config{Domain: "a.example", Audience: "api"}
		change(&cfg)
		v, err := verifier.New(cfg)
		if want := "verifier: Config." + field + " is a nil pointer"; v != nil || err == nil || err.Error() != want {
			t.Errorf("%s: New = %v; want %q", field, err, want)
		}
	}
	for name, cfg := range map[string]verifier.Config{
		"Cache and Lease": {Cache: verifiertest.NewCache(nil, 1), Lease: verifiertest.NewReplayStore(nil)}, "Cache alone": {Cache: verifiertest.NewCache(nil, 1)},
	} {
		cfg.Domain, cfg.Audience = "a.example", "api"
		v, err := verifier.New(cfg)
		if err != nil {
			t.Errorf("%s: New = %v", name, err)
			continue
		}
		_ = v.Close()
	}
}

type nilNonces struct{ fixedNonces }

// TestWhatResolversSee: of a request that a test or a decorator makes.
func TestWhatResolversSee(t *testing.T) {
	u, err := url.Parse("https://api.example/orders")
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{
		"Authorization": {"a"}, "authorization": {"b"}, "Dpop": {"c"}, "DPoP": {"d"}, "Cookie": {"e"}, "COOKIE": {"f"}, "X-Tenant": {"g"}, "Host": {"api.example"}, "X-Lines": {"h", "i"},
	}
	r := verifier.NewResolveRequest("https://a.example/", u, header)
	u.Path = "/changed"
	header.Set("X-Tenant", "changed")
	want := http.Header{"X-Tenant": {"g"}, "Host": {"api.example"}, "X-Lines": {"h", "i"}}
	for range 2 {
		if got := r.URL(); got == nil || got.String() != "https://api.example/orders" {
			t.Fatalf("URL = %v", got)
		}
		r.URL().Path = "/changed by a resolver"
		got := r.Header()
		if r.UnverifiedIssuer != "https://a.example/" || !reflect.DeepEqual(got, want) {
			t.Errorf("Header = %v; want %v", got, want)
		}
		got.Set("X-Tenant", "changed by a resolver")
	}
	if r := verifier.NewResolveRequest("", nil, nil); r.URL() != nil || len(r.Header()) > 0 {
		t.Errorf("of nothing: %v, %v", r.URL(), r.Header())
	}
	if got := verifier.NewResolveRequest("", nil, http.Header{"x-tenant": {"a"}}).Header(); !reflect.DeepEqual(got, http.Header{"X-Tenant": {"a"}}) {
		t.Errorf("another spelling: %v", got)
	}
}

// TestWhatResolversSeeOfRequests that are verified.
func TestWhatResolversSeeOfRequests(t *testing.T) {
	keys := verifier.KeysStatic(newFuzzWorld(t, nil).jwks())
	var url string
	var header http.Header
	j := newCourt(t, verifier.Config{Audience: "api", Domains: &tenants{answer: func(req verifier.ResolveRequest) (*verifier.Issuer, error) {
		url, header = "", req.Header()
		if u := req.URL(); u != nil {
			url = u.String()
		}
		return &verifier.Issuer{Name: "https://a.example", Keys: keys}, nil
	}}})
	token := j.token("", nil)
	full := http.Header{"Authorization": {"Bearer " + token}, "Cookie": {"a"}, "X-Tenant": {"b"}}
	for name, c := range map[string]struct {
		verify func() error
		url    string
		want   http.Header
	}{
		"a token": {func() error { _, err := j.VerifyAccessToken(t.Context(), token); return err }, "", http.Header{}},
		"a token of some": {func() error {
			_, err := j.VerifyAccessToken(t.Context(), token, verifier.WithRequest("https://api.example/", http.Header{"Host": {"api.example"}, "Cookie": {"a"}}))
			return err
		}, "https://api.example/", http.Header{"Host": {"api.example"}}},
		"a token of two hosts": {func() error {
			_, err := j.VerifyAccessToken(t.Context(), token, verifier.WithRequest("", http.Header{"Host": {"a.example", "b.example"}}))
			return err
		}, "", http.Header{"Host": {"a.example"}}},
		"a request of HTTP without a method": {func() error {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "https://api.example/", nil)
			r.Method, r.Header = "", full
			_, err := j.VerifyHTTPRequest(r, verifier.WithRequest("https://b.example/", http.Header{"X-Tenant": {"other"}}))
			return err
		}, "https://api.example/", http.Header{"X-Tenant": {"b"}, "Host": {"api.example"}}},
		"a request": {func() error {
			_, err := j.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://api.example/", Header: full})
			return err
		},
			"https://api.example/", http.Header{"X-Tenant": {"b"}}},
		"a request to a host": {func() error {
			_, err := j.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://api.example/", Header: full, Host: "h.example"})
			return err
		},
			"https://api.example/", http.Header{"X-Tenant": {"b"}, "Host": {"h.example"}}},
		"a request, and another": {func() error {
			_, err := j.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://api.example/", Header: full}, verifier.WithRequest("https://b.example/", http.Header{"X-Tenant": {"other"}}))
			return err
		},
			"https://api.example/", http.Header{"X-Tenant": {"b"}}},
		"a request of HTTP, and another": {func() error {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "https://api.example/", nil)
			r.Header = full
			_, err := j.VerifyHTTPRequest(r, verifier.WithRequest("https://b.example/", http.Header{"X-Tenant": {"other"}}))
			return err
		}, "https://api.example/", http.Header{"X-Tenant": {"b"}, "Host": {"api.example"}}},
	} {
		if err := c.verify(); err != nil || url != c.url || !reflect.DeepEqual(header, c.want) {
			t.Errorf("%s: %v; the resolver saw %q and %v; want %q and %v", name, err, url, header, c.url, c.want)
		}
	}
}

// TestClientsThatFetch: what a client is made of.
func TestClientsThatFetch(t *testing.T) {
	for name, c := range map[string]struct {
		cfg                           verifier.HTTPClientConfig
		timeout                       time.Duration
		connections, idle, idleOfHost int
		proxy                         bool
	}{
		"defaults":        {verifier.HTTPClientConfig{}, 10 * time.Second, 8, 100, 2, true},
		"negative":        {verifier.HTTPClientConfig{Timeout: -1, MaxConnections: -1}, 10 * time.Second, 8, 100, 2, true},
		"little":          {verifier.HTTPClientConfig{Timeout: 1, MaxConnections: 1}, 1, 1, 100, 1, true},
		"as many as ever": {verifier.HTTPClientConfig{MaxConnections: 100}, 10 * time.Second, 100, 100, 100, true},
		"many":            {verifier.HTTPClientConfig{MaxConnections: 101}, 10 * time.Second, 101, 101, 101, true},
		"of the world":    {verifier.HTTPClientConfig{BlockPrivateAddresses: true}, 10 * time.Second, 8, 100, 2, false},
		"patient":         {verifier.HTTPClientConfig{Timeout: time.Minute}, time.Minute, 8, 100, 2, true},
	} {
		client := verifier.NewHTTPClient(c.cfg)
		transport, ok := client.Transport.(*http.Transport)
		if !ok {
			t.Fatal("the transport is not net/http's")
		}
		if client.Timeout != c.timeout || transport.ResponseHeaderTimeout != c.timeout || transport.MaxConnsPerHost != c.connections || transport.MaxIdleConns != c.idle || transport.MaxIdleConnsPerHost != c.idleOfHost || (transport.Proxy != nil) != c.proxy {
			t.Errorf("%s: %v, %v, %d connections, %d and %d idle, proxy %v", name, client.Timeout, transport.ResponseHeaderTimeout, transport.MaxConnsPerHost, transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.Proxy != nil)
		}
		if err := client.CheckRedirect(nil, nil); !errors.Is(err, http.ErrUseLastResponse) {
			t.Errorf("%s: redirects are %v", name, err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for _, blocked := range []bool{false, true} {
		client := verifier.NewHTTPClient(verifier.HTTPClientConfig{BlockPrivateAddresses: blocked})
		resp, err := client.Get(server.URL)
		if (err != nil) != blocked {
			t.Errorf("BlockPrivateAddresses %v: Get = %v", blocked, err)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		client.CloseIdleConnections()
	}
	given := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return nil, errors.New("asked") }
	for name, c := range map[string]struct {
		cfg          verifier.HTTPClientConfig
		fixed, asked int
	}{
		"none": {verifier.HTTPClientConfig{}, 0, 0}, "a certificate": {verifier.HTTPClientConfig{Certificate: new(tls.Certificate)}, 1, 0},
		"a function": {verifier.HTTPClientConfig{ClientCertificate: given}, 0, 1}, "both": {verifier.HTTPClientConfig{Certificate: new(tls.Certificate), ClientCertificate: given}, 1, 0},
	} {
		transport, _ := verifier.NewHTTPClient(c.cfg).Transport.(*http.Transport)
		if transport == nil || len(transport.TLSClientConfig.Certificates) != c.fixed || (transport.TLSClientConfig.GetClientCertificate != nil) != (c.asked > 0) {
			t.Errorf("%s: %+v", name, transport)
		}
	}
}
