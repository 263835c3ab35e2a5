package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestWhatServersMaySay: the bounds of error and error_description, and what they
// must not repeat.
func TestWhatServersMaySay(t *testing.T) {
	for name, test := range map[string]struct{ token, code, description, wantCode, want string }{
		"plain":                           {"subject-token", "invalid_grant", "no", "invalid_grant", "no"},
		"all characters":                  {"subject-token", "a!~", " !#[]~", "a!~", " !#[]~"},
		"the longest":                     {"subject-token", strings.Repeat("c", 128), strings.Repeat("d", 512), strings.Repeat("c", 128), strings.Repeat("d", 512)},
		"longer":                          {"subject-token", strings.Repeat("c", 129), strings.Repeat("d", 513), "token_exchange_error", ""},
		"a backslash":                     {"subject-token", `a\\b`, `a\\b`, "token_exchange_error", ""},
		"DEL":                             {"subject-token", `a\u007fb`, `a\u007fb`, "token_exchange_error", ""},
		"a control character":             {"subject-token", `a\u001fb`, `a\u001fb`, "token_exchange_error", ""},
		"a token of 8 characters in it":   {"12345678", "x12345678", "no 12345678 here", "token_exchange_error", ""},
		"a token of 7 characters in it":   {"1234567", "x1234567", "no 1234567 here", "x1234567", "no 1234567 here"},
		"a token of 7 characters, itself": {"1234567", "1234567", "1234567", "token_exchange_error", ""},
	} {
		c := answering(400, `{"error":"`+test.code+`","error_description":"`+test.description+`"}`).client(t, nil)
		_, err := c.ExchangeProfile(t.Context(), profile(test.token))
		var e *exchange.Error
		if !errors.As(err, &e) || e.Code != test.wantCode || e.ServerDescription() != test.want {
			t.Errorf("%s: %v, code %.20q, description %.20q; want %.20q and %.20q", name, err, e.Code, e.ServerDescription(), test.wantCode, test.want)
		}
	}
}

// TestKeysOfOddTexts: no text and no list runs into the next, whatever is in it.
func TestKeysOfOddTexts(t *testing.T) {
	c := answering(200, `{"access_token":"t"}`).client(t, nil)
	zeros := strings.Repeat("\x00", 8)
	seen := make(map[string]url.Values)
	for _, extra := range []url.Values{
		{"x": {"a"}}, {"y": {"a"}}, {"x": {"a", "b"}}, {"x": {"a" + zeros + "b"}}, {"x": {"a" + strings.Repeat("\x00", 7) + "\x01b"}},
		{"zy": {"b"}, "zz": {"zzd"}}, {"zy": {"b", "zz"}, "zzd": nil}, {"zy": {"b", "zz", "zzd"}},
		{"zy": {"b", "zz"}, "zzd": {"e"}}, {"zy": {"b"}, "zz": {"zzd", "e"}},
	} {
		r := profile("subject")
		r.Extra = extra
		key, err := c.Key(r)
		if err != nil {
			t.Logf("%q is refused: %v", extra, err)
			continue
		}
		if other, has := seen[key]; has {
			t.Errorf("%q and %q have one key", extra, other)
		}
		seen[key] = extra
	}
}

// hoarder is a cache that keeps everything for ever.
type hoarder struct{ values map[string][]byte }

func (h *hoarder) Get(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := h.values[key]
	return bytes.Clone(value), ok, nil
}

func (h *hoarder) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	h.values[key] = bytes.Clone(value)
	return nil
}

func (h *hoarder) Delete(_ context.Context, key string) error {
	delete(h.values, key)
	return nil
}

// TestCacheThatKeepsTooLong: the time of a result is looked at when it is used, and
// a token that could not be sent is no result.
func TestCacheThatKeepsTooLong(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	cache := &hoarder{make(map[string][]byte)}
	e := answering(200, `{"access_token":"token","expires_in":3600}`)
	c := e.client(t, func(cfg *exchange.Config) {
		cfg.Clock, cfg.Cache, cfg.CachePrivate, cfg.CacheTTL = clock, cache, true, 10*time.Minute
	})
	ask := func(requests int) {
		t.Helper()
		before := e.count()
		if got, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil || got.AccessToken != "token" {
			t.Errorf("ExchangeProfile = %v", err)
		}
		if got := e.count() - before; got != requests {
			t.Errorf("%d requests; want %d", got, requests)
		}
	}
	ask(1)
	ask(0)
	clock.Advance(10*time.Minute - 1)
	ask(0)
	clock.Advance(1)
	ask(1)
	ask(0)
	for _, odd := range []string{`"access_token":""`, `"access_token":"a\nb"`, `"access_token":" "`} {
		for key, value := range cache.values {
			cache.values[key] = bytes.Replace(value, []byte(`"access_token":"token"`), []byte(odd), 1)
		}
		ask(1)
	}
}

// TestBoundsOfRequests: the largest ones are sent, and none that is larger.
func TestBoundsOfRequests(t *testing.T) {
	values := func(n int) []string { return slices.Repeat([]string{"urn:v"}, n) }
	headers := func(n int) http.Header {
		h := make(http.Header)
		for i := range n {
			h[fmt.Sprint("X-", i)] = []string{"x"}
		}
		return h
	}
	// What profile sends beside Extra and Header, by bytes.
	size := 0
	for name, value := range map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "subject", "subject_token_type": "urn:example:type", "x": "", "": "",
	} {
		size += len(name) + len(value)
	}
	room := 1<<20 - size
	e := answering(200, `{"access_token":"t"}`)
	c := e.client(t, nil)
	for name, test := range map[string]struct {
		change func(r *exchange.ProfileRequest)
		want   bool
	}{
		"20 audiences":     {func(r *exchange.ProfileRequest) { r.Audiences = values(20) }, true},
		"21 audiences":     {func(r *exchange.ProfileRequest) { r.Audience, r.Audiences = "a", values(20) }, false},
		"20 resources":     {func(r *exchange.ProfileRequest) { r.Resource = values(20) }, true},
		"21 resources":     {func(r *exchange.ProfileRequest) { r.Resource = values(21) }, false},
		"no URI":           {func(r *exchange.ProfileRequest) { r.Resource = []string{"https://a\x00b/"} }, false},
		"20 values":        {func(r *exchange.ProfileRequest) { r.Extra = url.Values{"x": values(20)} }, true},
		"20 headers":       {func(r *exchange.ProfileRequest) { r.Header = headers(20) }, true},
		"21 headers":       {func(r *exchange.ProfileRequest) { r.Header = headers(21) }, false},
		"20 header values": {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X-A": values(15), "x-a": values(5)} }, true},
		"21 header values": {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X-A": values(15), "x-a": values(6)} }, false},
		"a space":          {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X-A": {" a b~"}} }, true},
		"a tab":            {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X-A": {"a\tb"}} }, false},
		"DEL":              {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X-A": {"a\x7fb"}} }, false},
		"control, second":  {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X-A": {"a", "\x1f"}} }, false},
		"signs in a name":  {func(r *exchange.ProfileRequest) { r.Header = http.Header{"!#$%&'*+-.^_`|~09azAZ": {"x"}} }, true},
		"a name of a sign": {func(r *exchange.ProfileRequest) { r.Header = http.Header{"X(": {"x"}} }, false},
		"all room":         {func(r *exchange.ProfileRequest) { r.Extra = url.Values{"x": {strings.Repeat("v", room)}} }, true},
		"no room":          {func(r *exchange.ProfileRequest) { r.Extra = url.Values{"x": {strings.Repeat("v", room+1)}} }, false},
		"room for a header": {func(r *exchange.ProfileRequest) {
			r.Extra, r.Header = url.Values{"x": {strings.Repeat("v", room-6)}}, http.Header{"X-A": {"1", "23"}}
		}, true},
		"no room for a header": {func(r *exchange.ProfileRequest) {
			r.Extra, r.Header = url.Values{"x": {strings.Repeat("v", room-5)}}, http.Header{"X-A": {"1", "23"}}
		}, false},
	} {
		r := profile("subject")
		test.change(&r)
		before := e.count()
		_, err := c.ExchangeProfile(t.Context(), r)
		if (err == nil) != test.want || err != nil && !errors.Is(err, exchange.ErrArgument) || (e.count() > before) != test.want {
			t.Errorf("%s: %v; want it sent: %v", name, err, test.want)
		}
	}
}

// TestWhatIsMissing is told apart from what is wrong.
func TestWhatIsMissing(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	c := e.client(t, nil)
	entra := e.client(t, func(cfg *exchange.Config) { cfg.OnBehalfOf = exchange.OnBehalfOfEntra })
	const required, wrong = "invalid_request", "get_token_by_exchange_profile_error"
	ctx := t.Context()
	for name, test := range map[string]struct {
		err         error
		code        string
		description string
	}{
		"assertion":        {second(c.JWTBearer(ctx, exchange.JWTBearerRequest{})), required, "the assertion is required"},
		"a blank one":      {second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: " "})), required, "the assertion is blank"},
		"audience, ID-JAG": {second(c.IDJAG(ctx, exchange.IDJAGRequest{SubjectToken: "s"})), required, "the audience is required"},
		"audience":         {second(c.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a"})), required, "the audience is required"},
		"token, Entra":     {second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{Scope: "s"})), required, "the access token is required"},
		"scope, Entra":     {second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a"})), required, "the scope is required"},
		"audiences, Entra": {second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", Audiences: []string{"b"}})), wrong, "the API to be called is named by the scope"},
		"an actor, Entra":  {second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", ActorToken: "b"})), wrong, "there is no organization and no actor in this form"},
		"its type, Entra":  {second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", ActorTokenType: "b"})), wrong, "there is no organization and no actor in this form"},
	} {
		var got *exchange.Error
		if !errors.As(test.err, &got) || got.Code != test.code || got.Description != test.description {
			t.Errorf("%s: %v; want %s: %s", name, test.err, test.code, test.description)
		}
	}
	if e.count() != 0 {
		t.Errorf("%d requests were sent", e.count())
	}
	if _, err := c.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Audiences: []string{"b"}}); err != nil {
		t.Errorf("one of Audiences: %v", err)
	}
}

// TestEqualRequests have one result: a parameter without values is none. The end
// of the actor's token is one of the result, and of no other.
func TestEqualRequests(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	e := answering(200, `{"access_token":"t","expires_in":3600}`)
	c := e.client(t, func(cfg *exchange.Config) {
		cfg.Clock, cfg.Cache, cfg.CachePrivate, cfg.CacheSkew = clock, verifiertest.NewCache(clock, 0), true, time.Second
	})
	ask := func(r exchange.ProfileRequest, requests int) {
		t.Helper()
		before := e.count()
		if _, err := c.ExchangeProfile(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := e.count() - before; got != requests {
			t.Errorf("%d requests; want %d", got, requests)
		}
	}
	r := profile("subject")
	ask(r, 1)
	r.Extra = url.Values{"x": {}, "y": nil}
	ask(r, 0)
	r = profile("subject")
	r.ActorToken, r.ActorTokenType = unsigned(fmt.Sprintf(`{"exp":%d}`, clock.Now().Unix()+60)), exchange.TypeJWT
	ask(r, 1)
	clock.Advance(58 * time.Second) // and CacheSkew before the end, no sooner
	ask(r, 0)
	clock.Advance(time.Second)
	ask(profile("subject"), 0)
	ask(r, 1)
}

// TestNothingElseIsKept: where only an access token comes back, no other token is
// in the cache.
func TestNothingElseIsKept(t *testing.T) {
	cache := &hoarder{make(map[string][]byte)}
	c := answering(200, `{"access_token":"t","expires_in":600,"refresh_token":"the refresh token","id_token":"the ID token"}`).client(t, func(cfg *exchange.Config) {
		cfg.Cache, cfg.CachePrivate = cache, true
	})
	if _, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: "s", Audience: backend}); err != nil {
		t.Fatal(err)
	}
	if len(cache.values) != 1 {
		t.Errorf("%d results are kept; want 1", len(cache.values))
	}
	for _, value := range cache.values {
		if text := string(value); strings.Contains(text, "the refresh token") || strings.Contains(text, "the ID token") {
			t.Errorf("kept as %s", text)
		}
	}
}

// TestActorsDoNotComeBack in an error.
func TestActorsDoNotComeBack(t *testing.T) {
	c := answering(400, `{"error":"`+marker+`","error_description":"`+marker+`"}`).client(t, nil)
	r := profile("subject-token")
	r.ActorToken, r.ActorTokenType = marker, exchange.TypeJWT
	_, err := c.ExchangeProfile(t.Context(), r)
	var e *exchange.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Code != "token_exchange_error" || e.ServerDescription() != "" {
		t.Errorf("%v, code %q, description %q", err, e.Code, e.ServerDescription())
	}
	if e.Is(nil) {
		t.Error("an error is nil")
	}
}

// TestBoundsOfConfig: the largest values are taken, and none that is larger.
func TestBoundsOfConfig(t *testing.T) {
	cache := verifiertest.NewCache(nil, 0)
	domains := make([]string, 101)
	for i := range domains {
		domains[i] = fmt.Sprintf("tenant-%d.example", i)
	}
	for name, test := range map[string]struct {
		field  string // "" for none
		change func(*exchange.Config)
	}{
		"100 domains":       {"", func(c *exchange.Config) { c.Domains = domains[:100] }},
		"101 domains":       {"Domains", func(c *exchange.Config) { c.Domains = domains }},
		"5 minutes":         {"", func(c *exchange.Config) { c.Timeout = 5 * time.Minute }},
		"more":              {"Timeout", func(c *exchange.Config) { c.Timeout = 5*time.Minute + 1 }},
		"a nanosecond":      {"", func(c *exchange.Config) { c.Timeout = 1 }},
		"a skew of an hour": {"", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheSkew = cache, true, time.Hour }},
		"more skew":         {"CacheSkew", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheSkew = cache, true, time.Hour+1 }},
		"a day":             {"", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheTTL = cache, true, 24*time.Hour }},
		"more than a day":   {"CacheTTL", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheTTL = cache, true, 24*time.Hour+1 }},
		"less than nothing": {"CacheTTL", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheTTL = cache, true, -1 }},
		"no keys, no cache": {"Cache", func(c *exchange.Config) { c.SealKeys = [][]byte{} }},
		"no keys":           {"Cache", func(c *exchange.Config) { c.Cache, c.SealKeys = cache, [][]byte{} }},
		"http, elsewhere":   {"Domain", func(c *exchange.Config) { c.Domain, c.Metadata = "http://tenant.example/", metadataFunc(nil) }},
		"another one, too": {"Domains", func(c *exchange.Config) {
			c.Domains, c.Metadata = []string{"http://tenant.example/"}, metadataFunc(nil)
		}},
		"not to be asked":    {"Domain", func(c *exchange.Config) { c.Domain = "http://localhost/#" }},
		"a host that is not": {"HTTPHosts", func(c *exchange.Config) { c.HTTPHosts = []string{"a b"} }},
		"an URL as host":     {"HTTPHosts", func(c *exchange.Config) { c.HTTPHosts = []string{"http://localhost/"} }},
		"a host":             {"", func(c *exchange.Config) { c.HTTPHosts = []string{"keycloak.internal:8080"} }},
	} {
		cfg := exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret)}
		test.change(&cfg)
		c, err := exchange.New(cfg)
		var e *exchange.ConfigError
		if errors.As(err, &e) != (test.field != "") || (c == nil) != (err != nil) || e != nil && e.Field != test.field {
			t.Errorf("%s: New() = %v; want a ConfigError of %q", name, err, test.field)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}

// TestSpellingsOfIssuers: what the metadata of an issuer may state, and how a
// request may name it.
func TestSpellingsOfIssuers(t *testing.T) {
	for _, c := range []struct {
		domain, stated, named string
		want                  error
	}{
		{"tenant.example", "https://tenant.example/", "", nil},
		{"tenant.example", "https://tenant.example", "", nil},
		{"tenant.example", "tenant.example", "", nil},
		{"https://tenant.example/x/", "https://tenant.example/x/", "", nil},
		{"https://tenant.example/x/", "https://tenant.example/x", "", exchange.ErrMetadata},
		{"https://tenant.example/x", "https://tenant.example/x", "", nil},
		{"https://tenant.example/x", "https://tenant.example/x/", "", exchange.ErrMetadata},
		{"http://127.0.0.1:8080/", "http://127.0.0.1:8080", "http://127.0.0.1:8080/", nil},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080", nil},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8081", exchange.ErrArgument},
		{"tenant.example", "https://tenant.example/", "http://tenant.example/", exchange.ErrArgument},
	} {
		client := answering(200, `{"access_token":"t"}`).client(t, func(cfg *exchange.Config) {
			cfg.Domain = c.domain
			cfg.Metadata = metadataFunc(func(context.Context, string) (verifier.Metadata, error) {
				return verifier.Metadata{Issuer: c.stated, TokenEndpoint: tokenURL}, nil
			})
		})
		r := profile("subject")
		r.Domain = c.named
		if _, err := client.ExchangeProfile(t.Context(), r); !errors.Is(err, c.want) {
			t.Errorf("%s that states %s, as %q: %v; want %v", c.domain, c.stated, c.named, err, c.want)
		}
	}
}

// TestDefaultsOfClients: the time that an exchange may take, and who sends it.
func TestDefaultsOfClients(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Minute: time.Minute} {
		var left time.Duration
		e := answering(200, `{"access_token":"t"}`)
		c := e.client(t, func(cfg *exchange.Config) {
			cfg.Timeout = given
			cfg.Metadata = metadataFunc(func(ctx context.Context, _ string) (verifier.Metadata, error) {
				if end, ok := ctx.Deadline(); ok {
					left = time.Until(end)
				}
				return verifier.Metadata{Issuer: "https://tenant.example/", TokenEndpoint: tokenURL}, nil
			})
		})
		if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil || left <= 0 || left > want || left < want-9*time.Second {
			t.Errorf("Timeout %v: %v was left, %v; want %v", given, left, err, want)
		}
	}
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, `{"access_token":"t"}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, server.URL, server.URL+"/token")
	}))
	defer server.Close()
	c, err := exchange.New(exchange.Config{Domain: server.URL, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
		t.Errorf("without a Doer: %v", err)
	}
}

// TestMetadataOutages: they say when to come again, and whether it was the time
// that ran out.
func TestMetadataOutages(t *testing.T) {
	timeout, other := errors.New("no route"), &verifier.Error{RetryAfter: 7 * time.Second}
	for name, c := range map[string]struct {
		status int
		after  bool
		change func(*exchange.Config)
	}{
		"of the store": {502, true, func(cfg *exchange.Config) {
			cfg.Doer = verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, timeout })
		}},
		"time-out of the store": {504, true, func(cfg *exchange.Config) {
			cfg.Doer = verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
		}},
		"of a Verifier": {502, true, func(cfg *exchange.Config) {
			cfg.Metadata = metadataFunc(func(context.Context, string) (verifier.Metadata, error) { return verifier.Metadata{}, other })
		}},
		"of somebody else": {502, false, func(cfg *exchange.Config) {
			cfg.Metadata = metadataFunc(func(context.Context, string) (verifier.Metadata, error) { return verifier.Metadata{}, timeout })
		}},
	} {
		_, err := answering(200, "").client(t, c.change).ExchangeProfile(t.Context(), profile("subject"))
		var got *exchange.Error
		if !errors.As(err, &got) || !errors.Is(err, exchange.ErrMetadata) || got.Status != c.status || (got.RetryAfter > 0) != c.after {
			t.Errorf("%s: %v, %+v; want status %d, with RetryAfter: %v", name, err, got, c.status, c.after)
		}
	}
}

// TestNobodyWaits: for a caller who has left, and after Close, nothing is asked.
func TestNobodyWaits(t *testing.T) {
	var asked atomic.Int64
	c := answering(200, `{"access_token":"t"}`).client(t, func(cfg *exchange.Config) {
		cfg.Metadata = metadataFunc(func(context.Context, string) (verifier.Metadata, error) {
			asked.Add(1)
			return verifier.Metadata{}, errors.New("none")
		})
	})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.ExchangeProfile(done, profile("subject")); !errors.Is(err, exchange.ErrCanceled) || asked.Load() != 0 {
		t.Errorf("who has left: %v, metadata asked for %d times; want ErrCanceled and none", err, asked.Load())
	}
	_ = c.Close()
	for range 100 {
		if _, err := c.ExchangeProfile(t.Context(), profile("subject")); !errors.Is(err, exchange.ErrClosed) {
			t.Errorf("closed: %v; want ErrClosed", err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("closed: metadata asked for %d times", asked.Load())
	}
}

// TestNoCredentialsForNobody: a caller who leaves while the metadata is fetched
// needs none.
func TestNoCredentialsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		var asked atomic.Int64
		c := answering(200, `{"access_token":"t"}`).client(t, func(cfg *exchange.Config) {
			cfg.Auth = exchange.ClientSecretBasicFrom(func(context.Context) (string, error) {
				asked.Add(1)
				return secret, nil
			})
			cfg.Metadata = metadataFunc(func(ctx context.Context, _ string) (verifier.Metadata, error) {
				leave()
				return verifier.Metadata{}, ctx.Err()
			})
		})
		_, err := c.ExchangeProfile(ctx, profile("subject"))
		synctest.Wait()
		if !errors.Is(err, exchange.ErrCanceled) || asked.Load() != 0 {
			t.Errorf("%v, asked for credentials %d times; want ErrCanceled and none", err, asked.Load())
		}
	})
}

// between is a cache that misses at every first look of a request, and calls a
// function then.
type between struct {
	verifier.Cache
	looks int
	at    func()
}

func (b *between) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if b.looks++; b.looks%2 == 1 {
		b.at()
		return nil, false, nil
	}
	return b.Cache.Get(ctx, key)
}

// TestResultInBetween: one that came between the first look and the call is taken,
// and told as what it is; and for who left in between, no call begins.
func TestResultInBetween(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	cache := &between{Cache: verifiertest.NewCache(nil, 0), at: func() {}}
	var kinds []exchange.EventKind
	e := answering(200, `{"access_token":"t","expires_in":600}`)
	c := e.client(t, func(cfg *exchange.Config) {
		cached(cache)(cfg)
		cfg.Observer = exchange.ObserverFunc(func(e exchange.Event) { kinds = append(kinds, e.Kind) })
	})
	for range 2 {
		if got, err := c.ExchangeProfile(ctx, profile("subject")); err != nil || got.AccessToken != "t" {
			t.Fatal(err)
		}
	}
	if want := []exchange.EventKind{exchange.EventExchanged, exchange.EventCacheHit}; e.count() != 1 || !slices.Equal(kinds, want) {
		t.Errorf("%d requests, events %q; want 1 and %q", e.count(), kinds, want)
	}
	cache.at = leave
	if _, err := c.ExchangeProfile(ctx, profile("another")); !errors.Is(err, exchange.ErrCanceled) {
		t.Errorf("who left: %v; want ErrCanceled", err)
	}
	_ = c.Close() // waits for calls under way
	if e.count() != 1 || cache.looks != 5 {
		t.Errorf("%d requests after %d looks; want 1 after 5", e.count(), cache.looks)
	}
}

// TestCallsOfTwo: that another call begins leaves the one under way shared.
func TestCallsOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
			<-release
			return 200, nil, `{"access_token":"t"}`
		}}
		c := e.client(t, func(cfg *exchange.Config) { cfg.Cache, cfg.CachePrivate = verifiertest.NewCache(nil, 0), true })
		var wg sync.WaitGroup
		for _, user := range []string{"a", "b", "a", "b"} {
			wg.Go(func() {
				if _, err := c.ExchangeProfile(t.Context(), profile(user)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(release)
		wg.Wait()
		if e.count() != 2 {
			t.Errorf("%d requests of two users; want 2", e.count())
		}
	})
}

// TestPanicInASharedCall, of the clock: it is the outcome of that call, and no
// more.
func TestPanicInASharedCall(t *testing.T) {
	var looks atomic.Int64
	c := echo().client(t, func(cfg *exchange.Config) {
		cfg.Cache, cfg.CachePrivate = verifiertest.NewCache(nil, 0), true
		cfg.Clock = verifier.ClockFunc(func() time.Time {
			if looks.Add(1) == 3 { // the first one of the call itself
				panic(marker)
			}
			return time.Now()
		})
	})
	_, err := c.ExchangeProfile(t.Context(), profile("subject"))
	wantedAnswer{502, "network_error", exchange.ErrNetwork}.check(t, "panic", err)
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// TestCloseWaits for calls under way, and ends what their metadata is fetched by.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, fetching := make(chan struct{}), make(chan context.Context, 1)
		slow := echo().client(t, func(cfg *exchange.Config) {
			cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost {
					<-release
				}
				return echo().Do(r)
			})
		})
		left := echo().client(t, func(cfg *exchange.Config) {
			cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				fetching <- r.Context()
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = slow.ExchangeProfile(t.Context(), profile("subject")) })
		wg.Go(func() { _, _ = left.ExchangeProfile(ctx, profile("subject")) })
		synctest.Wait()
		closed := make(chan struct{})
		wg.Go(func() {
			_ = slow.Close()
			close(closed)
		})
		cancel()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		fetch := <-fetching
		if fetch.Err() != nil {
			t.Error("a caller who leaves ends the fetch")
		}
		_ = left.Close()
		if fetch.Err() == nil {
			t.Error("Close left a fetch behind")
		}
		close(release)
		wg.Wait()
	})
}
