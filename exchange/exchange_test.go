package exchange_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	clientID = "client-1"
	secret   = "the-secret-of-client-1"
	backend  = "https://backend.example"
)

// newClient returns a client of a fake issuer, with a secret unless changed.
func newClient(t *testing.T, issuer *verifiertest.Issuer, change func(*exchange.Config)) *exchange.Client {
	t.Helper()
	cfg := exchange.Config{Domain: issuer.Domain(), ClientID: clientID, Auth: exchange.ClientSecretBasic(secret), Doer: issuer.Client()}
	if change != nil {
		change(&cfg)
	}
	c, err := exchange.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// endpoint is a token endpoint without a network: a Doer that serves metadata
// and answers with a function.
type endpoint struct {
	answer func(form url.Values, header http.Header) (status int, answerHeader http.Header, body string)

	mu    sync.Mutex
	calls int
	err   error
}

const (
	domain   = "tenant.example"
	tokenURL = "https://tenant.example/oauth/token"
)

func (e *endpoint) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if r.URL.Path == "/.well-known/openid-configuration" {
		_, _ = io.WriteString(w, `{"issuer":"https://`+r.URL.Host+`/","token_endpoint":"https://`+r.URL.Host+`/oauth/token"}`)
		resp := w.Result()
		resp.Request = r
		return resp, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.calls++
	failure := e.err
	e.mu.Unlock()
	if failure != nil {
		return nil, failure
	}
	status, header, text := e.answer(form, r.Header)
	resp := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(text)), ContentLength: -1, Request: r}
	if header == nil {
		resp.Header = http.Header{"Content-Type": {"application/json"}}
	}
	return resp, nil
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}

func (e *endpoint) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

// answering returns an endpoint that always gives this answer.
func answering(status int, body string) *endpoint {
	return &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) { return status, nil, body }}
}

func (e *endpoint) client(t *testing.T, change func(*exchange.Config)) *exchange.Client {
	t.Helper()
	cfg := exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret), Doer: e}
	if change != nil {
		change(&cfg)
	}
	c, err := exchange.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func profile(token string) exchange.ProfileRequest {
	return exchange.ProfileRequest{SubjectToken: token, SubjectTokenType: "urn:example:type"}
}

func TestProfileForm(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	issuer.RequireClientSecretBasic(clientID, secret)
	c := newClient(t, issuer, nil)
	_, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
		SubjectToken: "subject", SubjectTokenType: "urn:example:subject", ActorToken: "actor", ActorTokenType: exchange.TypeJWT,
		Audience: backend, Resource: []string{"https://a.example/x", "urn:b"}, Scope: "read write", RequestedTokenType: exchange.TypeAccessToken,
		Extra: url.Values{"device": {"d1"}, "role": {"x", "y"}, "none": {}}, Header: http.Header{"auth0-forwarded-for": {"192.0.2.7"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := issuer.Exchanges()[0]
	want := url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {"subject"}, "subject_token_type": {"urn:example:subject"}, "actor_token": {"actor"}, "actor_token_type": {exchange.TypeJWT},
		"audience": {backend}, "resource": {"https://a.example/x", "urn:b"}, "scope": {"read write"}, "requested_token_type": {exchange.TypeAccessToken},
		"device": {"d1"}, "role": {"x", "y"},
	}
	if !reflect.DeepEqual(sent.Form, want) {
		t.Errorf("form %v; want %v", sent.Form, want)
	}
	if got := sent.Header.Get("Auth0-Forwarded-For"); got != "192.0.2.7" {
		t.Errorf("auth0-forwarded-for %q", got)
	}
}

func TestConnectionForm(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	c := newClient(t, issuer, nil)
	issuer.AnswerExchanges(func(url.Values) (int, any) {
		return 200, map[string]any{"access_token": "theirs", "scope": "", "refresh_token": "r", "id_token": "i", "expires_in": 60}
	})
	got, err := c.ConnectionToken(t.Context(), exchange.ConnectionRequest{Connection: "google-oauth2", RefreshToken: "rt", LoginHint: "u@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"grant_type":           {"urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"},
		"requested_token_type": {"http://auth0.com/oauth/token-type/federated-connection-access-token"},
		"connection":           {"google-oauth2"}, "subject_token": {"rt"}, "subject_token_type": {exchange.TypeRefreshToken},
		"login_hint": {"u@example.com"}, "client_id": {clientID},
	}
	if sent := issuer.Exchanges()[0].Form; !reflect.DeepEqual(sent, want) {
		t.Errorf("form %v; want %v", sent, want)
	}
	if got.AccessToken != "theirs" || got.ExpiresIn != time.Minute || !got.Stated("scope") || got.Stated("refresh_token") || got.Stated("id_token") || got.Stated("token_type") || got.Stated("nothing") {
		t.Error("the token has other members than the answer's access token")
	}
}

func TestArguments(t *testing.T) {
	ok := profile("subject")
	with := func(change func(*exchange.ProfileRequest)) exchange.ProfileRequest {
		r := ok
		change(&r)
		return r
	}
	tests := []struct {
		name string
		r    exchange.ProfileRequest
		code string
	}{
		{"no token", with(func(r *exchange.ProfileRequest) { r.SubjectToken = "" }), "invalid_request"},
		{"no type", with(func(r *exchange.ProfileRequest) { r.SubjectTokenType = "" }), "invalid_request"},
		{"blank", with(func(r *exchange.ProfileRequest) { r.SubjectToken = " \t\u00a0" }), "get_token_by_exchange_profile_error"},
		{"separators around", with(func(r *exchange.ProfileRequest) { r.SubjectToken = "a\x1f" }), "get_token_by_exchange_profile_error"},
		{"scheme", with(func(r *exchange.ProfileRequest) { r.SubjectToken = "bEaReR x" }), "get_token_by_exchange_profile_error"},
		{"actor without type", with(func(r *exchange.ProfileRequest) { r.ActorToken = "a" }), "get_token_by_exchange_profile_error"},
		{"type without actor", with(func(r *exchange.ProfileRequest) { r.ActorTokenType = "a" }), "get_token_by_exchange_profile_error"},
		{"actor with scheme", with(func(r *exchange.ProfileRequest) { r.ActorToken, r.ActorTokenType = "Bearer x", "t" }), "get_token_by_exchange_profile_error"},
		{"relative resource", with(func(r *exchange.ProfileRequest) { r.Resource = []string{"/x"} }), "get_token_by_exchange_profile_error"},
		{"resource with fragment", with(func(r *exchange.ProfileRequest) { r.Resource = []string{"https://x/#"} }), "get_token_by_exchange_profile_error"},
		{"domain", with(func(r *exchange.ProfileRequest) { r.Domain = "other.example" }), "get_token_by_exchange_profile_error"},
		{"not a domain", with(func(r *exchange.ProfileRequest) { r.Domain = "http://tenant.example" }), "get_token_by_exchange_profile_error"},
		{"too large", with(func(r *exchange.ProfileRequest) { r.Audience = strings.Repeat("x", 1<<20) }), "get_token_by_exchange_profile_error"},
		{"21 values", with(func(r *exchange.ProfileRequest) { r.Extra = url.Values{"x": make([]string, 21)} }), "get_token_by_exchange_profile_error"},
	}
	for _, name := range []string{"grant_type", "SCOPE", " scope", "Client_Assertion", "subject_to\u212aen", "\u017fcope", "scope\x00", "", " ", "\u200bresource"} {
		tests = append(tests, struct {
			name string
			r    exchange.ProfileRequest
			code string
		}{"extra " + name, with(func(r *exchange.ProfileRequest) { r.Extra = url.Values{name: {"x"}} }), "get_token_by_exchange_profile_error"})
	}
	for name, header := range map[string]http.Header{
		"authorization": {"authorization": {"x"}}, "dpop": {"DPoP": {"x"}}, "host": {"Host": {"x"}}, "bad name": {"a b": {"x"}}, "line end": {"X-A": {"a\r\nb"}},
		"no name": {"": {"x"}}, "many values": {"X-A": make([]string, 15), "x-a": make([]string, 6)},
	} {
		tests = append(tests, struct {
			name string
			r    exchange.ProfileRequest
			code string
		}{"header " + name, with(func(r *exchange.ProfileRequest) { r.Header = header }), "get_token_by_exchange_profile_error"})
	}
	many := make(http.Header)
	for i := range 21 {
		many["X-"+string(rune('A'+i))] = []string{"x"}
	}
	tests = append(tests, struct {
		name string
		r    exchange.ProfileRequest
		code string
	}{"many headers", with(func(r *exchange.ProfileRequest) { r.Header = many }), "get_token_by_exchange_profile_error"})
	e := answering(200, `{"access_token":"t"}`)
	c := e.client(t, nil)
	for _, test := range tests {
		_, err := c.ExchangeProfile(t.Context(), test.r)
		var got *exchange.Error
		if !errors.As(err, &got) || !errors.Is(err, exchange.ErrArgument) || got.Code != test.code || got.Status != 400 {
			t.Errorf("%s: %v; want ErrArgument with %s", test.name, err, test.code)
		}
	}
	if e.count() != 0 {
		t.Errorf("%d requests were sent", e.count())
	}
	if _, err := c.ExchangeProfile(t.Context(), ok); err != nil {
		t.Error(err)
	}
}

func TestConnectionArguments(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	c := e.client(t, nil)
	tests := []struct {
		name string
		r    exchange.ConnectionRequest
		code string
	}{
		{"no connection", exchange.ConnectionRequest{AccessToken: "a"}, "invalid_request"},
		{"no token", exchange.ConnectionRequest{Connection: "c"}, "invalid_request"},
		{"both tokens", exchange.ConnectionRequest{Connection: "c", AccessToken: "a", RefreshToken: "b"}, "get_access_token_for_connection_error"},
		{"scheme", exchange.ConnectionRequest{Connection: "c", RefreshToken: "Bearer b"}, "get_access_token_for_connection_error"},
		{"reserved", exchange.ConnectionRequest{Connection: "c", AccessToken: "a", Extra: url.Values{"login_hint": {"x"}}}, "get_access_token_for_connection_error"},
	}
	for _, test := range tests {
		_, err := c.ConnectionToken(t.Context(), test.r)
		var got *exchange.Error
		if !errors.As(err, &got) || !errors.Is(err, exchange.ErrArgument) || got.Code != test.code {
			t.Errorf("%s: %v; want ErrArgument with %s", test.name, err, test.code)
		}
	}
	if _, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: "a"}); !errors.Is(err, exchange.ErrArgument) {
		t.Errorf("no audience: %v; want ErrArgument", err)
	}
	if _, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{Audience: "a"}); !errors.Is(err, exchange.ErrArgument) {
		t.Errorf("no token: %v; want ErrArgument", err)
	}
	if e.count() != 0 {
		t.Errorf("%d requests were sent", e.count())
	}
}

// TestDomains: the issuer of a request is chosen from the list, in any
// spelling, and no secret goes elsewhere.
func TestDomains(t *testing.T) {
	hosts := make(chan string, 1)
	e := answering(200, `{"access_token":"t"}`)
	doer := verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			hosts <- r.URL.Host
		}
		return e.Do(r)
	})
	c := e.client(t, func(cfg *exchange.Config) { cfg.Doer, cfg.Domains = doer, []string{"https://custom.example/"} })
	for spelled, want := range map[string]string{"": domain, "TENANT.example": domain, "https://custom.example": "custom.example"} {
		r := profile("subject")
		r.Domain = spelled
		if _, err := c.ExchangeProfile(t.Context(), r); err != nil {
			t.Errorf("%q: %v", spelled, err)
			continue
		}
		if got := <-hosts; got != want {
			t.Errorf("%q was sent to %q; want %q", spelled, got, want)
		}
	}
}

// TestVerifierMetadata: one machinery for both, so one request for the document.
func TestVerifierMetadata(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v, err := verifier.New(issuer.Config("api"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.Metadata = v })
	token := issuer.Sign("api", nil)
	if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: token, Audience: backend}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := issuer.Requests(), (verifiertest.Counts{Discovery: 1, JWKS: 1, Token: 3}); got != want {
		t.Errorf("requests %+v; want %+v", got, want)
	}
}

// TestStaleMetadata: an outage of the discovery document alone is not felt
// (stale-if-error), and concurrent first requests ask for it once.
func TestStaleMetadata(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.Clock = clock })
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := issuer.Requests().Discovery; got != 1 {
		t.Errorf("%d requests for metadata; want 1", got)
	}
	issuer.SetDiscovery([]byte("down for maintenance"))
	clock.Advance(30 * time.Minute)
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
		t.Errorf("with stale metadata: %v", err)
	}
	clock.Advance(2 * time.Hour)
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); !errors.Is(err, exchange.ErrMetadata) {
		t.Errorf("long after: %v; want ErrMetadata", err)
	}
}

func TestSubjectToken(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   string
	}{
		{"bearer", []string{"Bearer abc"}, "abc"},
		{"dpop", []string{"dpop  abc "}, "abc"},
		{"none", nil, ""},
		{"two", []string{"Bearer a", "Bearer b"}, ""},
		{"basic", []string{"Basic abc"}, ""},
		{"no token", []string{"Bearer "}, ""},
		{"text after", []string{"Bearer a b"}, ""},
	}
	for _, test := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = test.values
		got, err := exchange.SubjectToken(r)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && !errors.Is(err, exchange.ErrArgument) {
			t.Errorf("%s: SubjectToken() = %q, %v; want %q", test.name, got, err, test.want)
		}
	}
}

func TestAuthorize(t *testing.T) {
	for kind, want := range map[string]string{"": "Bearer t", "bearer": "Bearer t", "DPoP": "DPoP t", "dpop": "DPoP t"} {
		r := httptest.NewRequest("GET", "/", nil)
		(&exchange.Token{AccessToken: "t", TokenType: kind}).Authorize(r)
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("token type %q: %q; want %q", kind, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	cache := verifiertest.NewCache(nil, 0)
	key := make([]byte, 32)
	good := exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret)}
	tests := []struct {
		field  string
		change func(*exchange.Config)
	}{
		{"Domain", func(c *exchange.Config) { c.Domain = "" }},
		{"Domain", func(c *exchange.Config) { c.Domain = "http://tenant.example" }},
		{"Domains", func(c *exchange.Config) { c.Domains = []string{""} }},
		{"Domains", func(c *exchange.Config) { c.Domains = make([]string, 101) }},
		{"ClientID", func(c *exchange.Config) { c.ClientID = "" }},
		{"Auth", func(c *exchange.Config) { c.Auth = nil }},
		{"Auth", func(c *exchange.Config) { c.Auth = exchange.ClientSecretBasic("") }},
		{"Auth", func(c *exchange.Config) { c.Auth = exchange.ClientSecretPost("") }},
		{"Auth", func(c *exchange.Config) { c.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{}) }},
		{"Doer", func(c *exchange.Config) { c.Auth = exchange.MutualTLS() }},
		{"Doer", func(c *exchange.Config) { c.Auth, c.Doer = exchange.MutualTLS(), &http.Client{} }},
		{"Doer", func(c *exchange.Config) {
			c.Auth, c.Doer = exchange.MutualTLS(), verifier.NewHTTPClient(verifier.HTTPClientConfig{})
		}},
		{"Timeout", func(c *exchange.Config) { c.Timeout = -1 }},
		{"Timeout", func(c *exchange.Config) { c.Timeout = time.Hour }},
		{"DPoPAlgorithm", func(c *exchange.Config) { c.DPoPAlgorithm = "ES256" }},
		{"Cache", func(c *exchange.Config) { c.CachePrivate = true }},
		{"Cache", func(c *exchange.Config) { c.CacheSealed = true }},
		{"Cache", func(c *exchange.Config) { c.Cache = cache }},
		{"Cache", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.SealKeys = cache, true, [][]byte{key} }},
		{"Cache", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheSealed = cache, true, true }},
		{"Cache", func(c *exchange.Config) { c.Cache, c.CacheSealed, c.SealKeys = cache, true, [][]byte{key} }},
		{"OnBehalfOf", func(c *exchange.Config) { c.OnBehalfOf = "other" }},
		{"SealKeys", func(c *exchange.Config) { c.Cache, c.SealKeys = cache, [][]byte{key[1:]} }},
		{"CacheSkew", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheSkew = cache, true, -1 }},
		{"CacheTTL", func(c *exchange.Config) { c.Cache, c.CachePrivate, c.CacheTTL = cache, true, 25*time.Hour }},
	}
	for i, test := range tests {
		cfg := good
		test.change(&cfg)
		_, err := exchange.New(cfg)
		var e *exchange.ConfigError
		if !errors.As(err, &e) || !errors.Is(err, exchange.ErrConfig) || e.Field != test.field || !strings.HasPrefix(err.Error(), "exchange: Config."+test.field) {
			t.Errorf("%d: New() = %v; want a ConfigError of %s", i, err, test.field)
		}
	}
	c, err := exchange.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); !errors.Is(err, exchange.ErrClosed) {
		t.Errorf("after Close: %v; want ErrClosed", err)
	}
}

// yieldOnce lets other goroutines run.
func yieldOnce() { runtime.Gosched() }
