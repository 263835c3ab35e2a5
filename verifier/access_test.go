package verifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestTokenClaims(t *testing.T) {
	h := newHarness(t, nil)
	token, err := h.VerifyAccessToken(t.Context(), h.issuer.Sign(audience, map[string]any{
		"scope": "read write", "permissions": []string{"orders:read"}, "role": "admin", "ROLE": "twin", "nbf": h.clock.Now().Unix(), "azp": "other",
		"exp": float64(h.clock.Now().Unix()) + 10.5,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(token.Scopes(), []string{"read", "write"}) || !token.HasScope("write") || token.HasScope("wri") || token.HasScope("") {
		t.Errorf("Scopes = %v", token.Scopes())
	}
	if !token.HasPermission("orders:read") || token.HasPermission("orders") {
		t.Errorf("Permissions = %v", token.Permissions())
	}
	if token.Subject != "user-1" || token.ClientID != "client-1" || token.ID == "" || !slices.Equal(token.Audience, []string{audience}) || token.Issuer != h.issuer.URL() {
		t.Error("registered claims are missing")
	}
	if got := token.ExpiresAt.Sub(h.clock.Now()); got != 10500*time.Millisecond {
		t.Errorf("ExpiresAt is %v ahead; want 10.5 s", got)
	}
	var mine struct {
		Role string `json:"role"`
	}
	if err := token.Decode(&mine); err != nil || mine.Role != "admin" {
		t.Errorf("Decode = %+v, %v; want the claim of exactly this name", mine, err)
	}
	if err := token.Decode(&struct {
		Role int `json:"role"`
	}{}); err == nil || strings.Contains(err.Error(), "admin") {
		t.Errorf("Decode into the wrong type: %v; want an error without the claim", err)
	}
	if got := token.Claims()["exp"]; got == nil {
		t.Error("Claims has no exp")
	}
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%+v %#v %s", token, token, token), token.LogValue().String(), slog.AnyValue(token).Resolve().String()} {
		if strings.Contains(text, "user-1") || strings.Contains(text, "admin") {
			t.Errorf("printed: %s", text)
		}
	}
	if _, err := json.Marshal(token); err == nil {
		t.Error("a Token was marshalled")
	}
	empty := &verifier.Token{}
	if err := empty.Decode(&mine); err == nil || empty.Claims() != nil || empty.HasPermission("x") {
		t.Error("a Token without payload has claims")
	}
	scp, err := h.VerifyAccessToken(t.Context(), h.issuer.Sign(audience, map[string]any{"scp": []string{"a", "b"}, "client_id": nil, "azp": "party"}))
	if err != nil || scp.Scope != "a b" || scp.ClientID != "party" {
		t.Errorf("scp and azp: %q %q, %v", scp.Scope, scp.ClientID, err)
	}
}

func TestRefusals(t *testing.T) {
	h := newHarness(t, func(cfg *verifier.Config) { cfg.RequiredClaims = []string{"sub"}; cfg.Leeway = 5 * time.Second })
	now := h.clock.Now().Unix()
	cases := []struct {
		name   string
		header map[string]any
		claims map[string]any
		reason verifier.Reason
		is     error
	}{
		{"expired", nil, map[string]any{"exp": now - 5}, reason.Expired, verifier.ErrExpired},
		{"not yet valid", nil, map[string]any{"nbf": now + 6}, reason.NotYetValid, verifier.ErrNotYetValid},
		{"audience", nil, map[string]any{"aud": "other"}, reason.Audience, verifier.ErrAudience},
		{"audience list", nil, map[string]any{"aud": []string{}}, reason.Audience, verifier.ErrAudience},
		{"audience type", nil, map[string]any{"aud": 1}, reason.ClaimMalformed, verifier.ErrClaim},
		{"no audience", nil, map[string]any{"aud": nil, "AUD": audience}, reason.ClaimMissing, verifier.ErrClaim},
		{"no exp", nil, map[string]any{"exp": nil}, reason.ClaimMissing, verifier.ErrClaim},
		{"no iat", nil, map[string]any{"iat": nil}, reason.ClaimMissing, verifier.ErrClaim},
		{"exp text", nil, map[string]any{"exp": "never"}, reason.ClaimMalformed, verifier.ErrClaim},
		{"no sub", nil, map[string]any{"sub": nil}, reason.ClaimMissing, verifier.ErrClaim},
		{"no iss", nil, map[string]any{"iss": nil}, reason.IssuerMissing, verifier.ErrIssuer},
		{"iss number", nil, map[string]any{"iss": 1}, reason.IssuerMissing, verifier.ErrIssuer},
		{"iss http", nil, map[string]any{"iss": "http://x/"}, reason.IssuerMalformed, verifier.ErrIssuer},
		{"iss other", nil, map[string]any{"iss": "https://evil.example/"}, reason.IssuerNotAllowed, verifier.ErrIssuer},
		{"iss without slash", nil, map[string]any{"iss": strings.TrimSuffix(h.issuer.URL(), "/")}, reason.IssuerMismatch, verifier.ErrIssuer},
		{"typ", map[string]any{"typ": "dpop+jwt"}, nil, reason.TokenType, verifier.ErrMalformed},
		{"typ application", map[string]any{"typ": "application/x/jwt"}, nil, reason.TokenType, verifier.ErrMalformed},
		{"crit", map[string]any{"crit": []string{"exp"}}, nil, reason.TokenCritical, verifier.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := h.VerifyAccessToken(t.Context(), h.issuer.SignWith(c.header, h.issuer.Claims(audience, c.claims)))
			e := wantReason(t, err, c.reason)
			if !errors.Is(err, c.is) || !errors.Is(err, verifier.ErrInvalidToken) || e.Status != 401 || e.Code != verifier.CodeInvalidToken || len(e.Challenges()) != 2 || !strings.HasPrefix(e.Challenges()[0], `Bearer error="invalid_token"`) {
				t.Errorf("%v: %d %s %v", err, e.Status, e.Code, e.Challenges())
			}
		})
	}
	for name, claims := range map[string]map[string]any{"exp within leeway": {"exp": now - 4}, "nbf within leeway": {"nbf": now + 5}, "list": {"aud": []string{"x", audience}}} {
		if _, err := h.VerifyAccessToken(t.Context(), h.issuer.Sign(audience, claims)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.refuse(strings.Repeat("a", 17<<10), reason.TokenTooLarge)
	_, err := h.VerifyAccessToken(t.Context(), h.token(), verifier.WithRequiredClaims("org_id"))
	if e := wantReason(t, err, reason.ClaimMissing); e.Claim != "org_id" || !strings.Contains(e.Error(), "org_id") {
		t.Errorf("Claim = %q", e.Claim)
	}
}

func TestAlgorithms(t *testing.T) {
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm(alg))
			token := issuer.Sign(audience, nil)
			if _, err := newVerifier(t, issuer, nil).VerifyAccessToken(t.Context(), token); err != nil {
				t.Error(err)
			}
			other := newVerifier(t, issuer, func(cfg *verifier.Config) {
				cfg.Issuers, cfg.Domain = []verifier.Issuer{{Name: cfg.Domain, Algorithms: []string{"ES256"}}}, ""
				if alg == "ES256" {
					cfg.Issuers[0].Algorithms = []string{"ES384"}
				}
			})
			_, err := other.VerifyAccessToken(t.Context(), token)
			wantReason(t, err, reason.Algorithm)
			if got := issuer.Requests().Discovery; got != 1 {
				t.Errorf("%d requests; a refused algorithm costs none", got)
			}
		})
	}
}

func TestProfileRFC9068(t *testing.T) {
	h := newHarness(t, func(cfg *verifier.Config) { cfg.Profile = verifier.ProfileRFC9068 })
	h.accept(h.issuer.SignWith(map[string]any{"typ": "application/AT+JWT"}, h.issuer.Claims(audience, nil)))
	h.refuse(h.issuer.SignWith(map[string]any{"typ": "JWT"}, h.issuer.Claims(audience, nil)), reason.TokenType)
	h.refuse(h.issuer.SignWith(map[string]any{"typ": nil}, h.issuer.Claims(audience, nil)), reason.TokenType)
	for _, claim := range []string{"sub", "client_id", "jti"} {
		h.refuse(h.issuer.Sign(audience, map[string]any{claim: nil}), reason.ClaimMissing)
	}
}

func TestIssuerGateComesBeforeTheNetwork(t *testing.T) {
	h := newHarness(t, nil)
	evil := verifiertest.NewIssuer(t)
	for range 10 {
		h.refuse(evil.Sign(audience, nil), reason.IssuerNotAllowed)
	}
	h.requests(0, 0)
	if got := evil.Requests(); got != (verifiertest.Counts{}) {
		t.Errorf("the foreign issuer was asked: %+v", got)
	}
}

func TestResolver(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	var seen verifier.ResolveRequest
	var answer func() ([]string, error)
	v := newVerifier(t, issuer, func(cfg *verifier.Config) {
		cfg.Domain = ""
		cfg.Domains = verifier.DomainResolverFunc(func(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
			seen = req
			return answer()
		})
	})
	fields := header("Authorization", "Bearer "+issuer.Sign(audience, nil), "Cookie", "secret", "X-Tenant", "one")
	send := func() error {
		_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: fields, Host: "api.example"})
		return err
	}
	answer = func() ([]string, error) { return []string{"other.example", issuer.URL()}, nil }
	if err := send(); err != nil {
		t.Fatal(err)
	}
	if seen.UnverifiedIssuer != issuer.URL() || seen.URL().String() != apiURL || seen.Header().Get("X-Tenant") != "one" || seen.Header().Get("Host") != "api.example" {
		t.Errorf("the resolver saw %+v", seen)
	}
	if seen.Header().Get("Authorization")+seen.Header().Get("Cookie")+seen.Header().Get("DPoP") != "" {
		t.Error("the resolver saw credentials")
	}
	seen.Header().Set("X-Tenant", "two")
	if fields.Get("X-Tenant") != "one" {
		t.Error("the resolver changed the request")
	}
	boom := errors.New("boom")
	for name, f := range map[string]func() ([]string, error){
		"error":   func() ([]string, error) { return nil, boom },
		"nil":     func() ([]string, error) { return nil, nil },
		"empty":   func() ([]string, error) { return []string{}, nil },
		"blank":   func() ([]string, error) { return []string{issuer.URL(), " "}, nil },
		"invalid": func() ([]string, error) { return []string{"http://" + issuer.Domain()}, nil },
		"panic":   func() ([]string, error) { panic("boom") },
	} {
		answer = f
		err := send()
		if e := wantReason(t, err, reason.Resolver); e.Status != 503 || !errors.Is(err, verifier.ErrUnavailable) || e.Challenges() != nil {
			t.Errorf("%s: %d %v", name, e.Status, err)
		}
		if name == "error" && !errors.Is(err, boom) {
			t.Errorf("%v; want the cause", err)
		}
	}
	answer = func() ([]string, error) { return []string{"other.example"}, nil }
	wantReason(t, send(), reason.IssuerNotAllowed)
}

func TestConfigRefusals(t *testing.T) {
	good := verifier.Config{Domain: "a.example", Audience: "x"}
	if v, err := verifier.New(good); err != nil {
		t.Fatal(err)
	} else {
		_ = v.Close()
	}
	noCache := verifiertest.NewReplayStore(nil)
	cases := map[string]func(*verifier.Config){
		"Domain":                     func(c *verifier.Config) { c.Domain = "" },
		"Domain ":                    func(c *verifier.Config) { c.Domain = "http://a.example" },
		"Domain  ":                   func(c *verifier.Config) { c.Domains = resolver.Static("b.example") },
		"Domains":                    func(c *verifier.Config) { c.Domain, c.Domains = "", resolver.Static() },
		"Domains[0]":                 func(c *verifier.Config) { c.Domain, c.Domains = "", resolver.Static("a b") },
		"Audience":                   func(c *verifier.Config) { c.Audience = "" },
		"Audience ":                  func(c *verifier.Config) { c.Audiences = []string{"y"} },
		"Audiences[0]":               func(c *verifier.Config) { c.Audience, c.Audiences = "", []string{" "} },
		"Algorithms[0]":              func(c *verifier.Config) { c.Algorithms = []string{"HS256"} },
		"Algorithms[0] ":             func(c *verifier.Config) { c.Algorithms = []string{"none"} },
		"Algorithms[0]  ":            func(c *verifier.Config) { c.Algorithms = []string{"rs256"} },
		"Leeway":                     func(c *verifier.Config) { c.Leeway = -1 },
		"Leeway ":                    func(c *verifier.Config) { c.Leeway = time.Hour },
		"RequiredClaims[0]":          func(c *verifier.Config) { c.RequiredClaims = []string{""} },
		"Profile":                    func(c *verifier.Config) { c.Profile = 9 },
		"MaxTokenSize":               func(c *verifier.Config) { c.MaxTokenSize = -1 },
		"TokenMemo":                  func(c *verifier.Config) { c.TokenMemo = -1 },
		"Lease":                      func(c *verifier.Config) { c.Lease = noCache },
		"CacheTTL":                   func(c *verifier.Config) { c.CacheTTL = -1 },
		"Refresh.Floor":              func(c *verifier.Config) { c.Refresh.Floor = 30 * time.Minute },
		"Refresh.StaleIfError":       func(c *verifier.Config) { c.Refresh.StaleIfError = 48 * time.Hour },
		"Refresh.FetchTimeout":       func(c *verifier.Config) { c.Refresh.FetchTimeout = -1 },
		"Refresh.Jitter":             func(c *verifier.Config) { c.Refresh.Jitter = 0.6 },
		"Refresh.Ahead":              func(c *verifier.Config) { c.Refresh.Ahead = 1 },
		"Refresh.MaxIssuers":         func(c *verifier.Config) { c.Refresh.MaxIssuers = -1 },
		"Refresh.UnknownKeyAttempts": func(c *verifier.Config) { c.Refresh.UnknownKeyAttempts = 101 },
		"Refresh.UnknownKeyWindow":   func(c *verifier.Config) { c.Refresh.UnknownKeyWindow = 1 },
		"Refresh.CacheTimeout":       func(c *verifier.Config) { c.Refresh.CacheTimeout = time.Hour },
		"KeyHosts[0]":                func(c *verifier.Config) { c.KeyHosts = []string{"https://x/y"} },
		"HTTPHosts[1]":               func(c *verifier.Config) { c.HTTPHosts = []string{"x", "x y"} },
		"DPoP.Mode":                  func(c *verifier.Config) { c.DPoP.Mode = 7 },
		"DPoP.Algorithms[0]":         func(c *verifier.Config) { c.DPoP.Algorithms = []string{"HS256"} },
		"DPoP.MaxAge":                func(c *verifier.Config) { c.DPoP.MaxAge = -1 },
		"DPoP.FutureSkew":            func(c *verifier.Config) { c.DPoP.FutureSkew = time.Hour },
		"DPoP.MaxProofSize":          func(c *verifier.Config) { c.DPoP.MaxProofSize = 1 << 20 },
		"DPoP.ReplayQuota":           func(c *verifier.Config) { c.DPoP.ReplayQuota = -1 },

		"DPoP.ReplayStoreTimeout": func(c *verifier.Config) { c.DPoP.ReplayStoreTimeout = time.Second },
		"DPoP.ReplayQuota ":       func(c *verifier.Config) { c.DPoP.ReplayQuota, c.DPoP.ReplayStore = 1, noCache },
		"DPoP.AllowReplays":       func(c *verifier.Config) { c.DPoP.AllowReplays, c.DPoP.ReplayStore = true, noCache },
		"Realm":                   func(c *verifier.Config) { c.Realm = "a\"b" },
		"ChallengeScope":          func(c *verifier.Config) { c.ChallengeScope = "a\nb" },
		"ResourceMetadataURL":     func(c *verifier.Config) { c.ResourceMetadataURL = "/x" },
		"ExternalURL":             func(c *verifier.Config) { c.ExternalURL = "api.example" },
	}
	for field, change := range cases {
		cfg := good
		change(&cfg)
		_, err := verifier.New(cfg)
		var e *verifier.ConfigError
		if !errors.As(err, &e) || !errors.Is(err, verifier.ErrConfig) || e.Field != strings.TrimSpace(field) || !strings.Contains(e.Error(), e.Field) {
			t.Errorf("%s: %v; want a ConfigError of the field", field, err)
		}
	}
}

func TestCatalogue(t *testing.T) {
	seen := make(map[verifier.Reason]bool)
	umbrellas := []error{verifier.ErrNoCredentials, verifier.ErrInvalidRequest, verifier.ErrInvalidToken, verifier.ErrInvalidDPoPProof,
		verifier.ErrUseDPoPNonce, verifier.ErrInsufficientScope, verifier.ErrInsufficientAuthentication, verifier.ErrUnavailable, verifier.ErrArgument}
	for _, info := range reason.Catalogue() {
		if seen[info.Reason] || info.Description == "" || info.Advice == "" || strings.ContainsAny(info.Description, "\"\\\r\n") {
			t.Errorf("%s: repeated, incomplete or not fit for a challenge", info.Reason)
		}
		seen[info.Reason] = true
		matches := 0
		for _, umbrella := range umbrellas {
			if errors.Is(&verifier.Error{Reason: info.Reason, Status: info.Status}, umbrella) {
				matches++
			}
		}
		if matches != 1 {
			t.Errorf("%s matches %d umbrella errors; want exactly 1", info.Reason, matches)
		}
	}
}

func TestObserver(t *testing.T) {
	var mu sync.Mutex
	var kinds []verifier.EventKind
	var log strings.Builder
	logger := verifier.NewSlogObserver(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	h := newHarness(t, func(cfg *verifier.Config) {
		cfg.Observer = verifier.ObserverFunc(func(e verifier.Event) {
			mu.Lock()
			defer mu.Unlock()
			kinds = append(kinds, e.Kind)
			logger.Observe(e)
			panic("an observer's panic is its own")
		})
	})
	h.accept(h.token())
	h.refuse("x", reason.TokenMalformed)
	h.issuer.FailNext(-1, 500)
	h.clock.Advance(30 * time.Minute)
	h.accept(h.token())
	h.issuer.Recover()
	_ = h.Close()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []verifier.EventKind{verifier.EventFetched, verifier.EventAccepted, verifier.EventRefused, verifier.EventFetchFailed, verifier.EventStale} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no event %s in %v", want, kinds)
		}
	}
	if text := log.String(); !strings.Contains(text, "token_malformed") || !strings.Contains(text, "problem=status") || strings.Contains(text, "eyJ") {
		t.Errorf("log: %s", text)
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// TestResourceMetadataURL: RFC 9728, Sections 3.1 and 5.1.
func TestResourceMetadata(t *testing.T) {
	m := verifier.ResourceMetadata{Resource: "https://api.example/v1/", AuthorizationServers: []string{"https://as.example/"}}
	at, err := m.URL()
	if err != nil || at != "https://api.example/.well-known/oauth-protected-resource/v1/" {
		t.Errorf("URL = %q, %v", at, err)
	}
	path, handler, err := verifier.ResourceMetadataHandler(m)
	if err != nil || path != "/.well-known/oauth-protected-resource/v1/" {
		t.Fatalf("path %q, %v", path, err)
	}
	for method, status := range map[string]int{"GET": 200, "POST": 405} {
		r, _ := http.NewRequestWithContext(t.Context(), method, at, nil)
		w := &recorder{header: make(http.Header), status: 200}
		handler.ServeHTTP(w, r)
		if w.status != status {
			t.Errorf("%s: %d; want %d", method, w.status, status)
		}
		var got map[string]any
		if status == 200 && (json.Unmarshal([]byte(w.body.String()), &got) != nil || got["resource"] != m.Resource || got["scopes_supported"] != nil || w.header.Get("Content-Type") != "application/json") {
			t.Errorf("body %s", w.body.String())
		}
	}
	for _, resource := range []string{"", "http://api.example/", "https://api.example/#f", "https://u@api.example/", "https:///x"} {
		if _, _, err := verifier.ResourceMetadataHandler(verifier.ResourceMetadata{Resource: resource}); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%q: %v; want ErrConfig", resource, err)
		}
		if _, err := (verifier.ResourceMetadata{Resource: resource}).URL(); err == nil {
			t.Errorf("%q: URL without error", resource)
		}
	}
	h := newHarness(t, func(cfg *verifier.Config) { cfg.ResourceMetadataURL = at })
	_, err = h.VerifyRequest(t.Context(), verifier.Request{})
	var e *verifier.Error
	if !errors.As(err, &e) || len(e.Challenges()) != 2 {
		t.Fatal(err)
	}
	for _, challenge := range e.Challenges() {
		if !strings.Contains(challenge, `resource_metadata="`+at+`"`) {
			t.Errorf("challenge %s", challenge)
		}
	}
}

func TestWithRequestReachesTheResolver(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	byHost, err := resolver.ByHost(map[string][]string{"api.example": {issuer.Domain()}})
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, issuer, func(cfg *verifier.Config) { cfg.Domain, cfg.Domains = "", byHost })
	token := issuer.Sign(audience, nil)
	if _, err := v.VerifyAccessToken(t.Context(), token, verifier.WithRequest(apiURL, nil)); err != nil {
		t.Error(err)
	}
	if _, err := v.VerifyAccessToken(t.Context(), token, verifier.WithRequest("", header("Host", "api.example"))); err != nil {
		t.Error(err)
	}
	_, err = v.VerifyAccessToken(t.Context(), token)
	wantReason(t, err, reason.IssuerNotAllowed) // a host that is in no row
	_, err = v.VerifyAccessToken(t.Context(), token, verifier.WithRequest("nonsense", nil))
	wantReason(t, err, reason.Argument)
}
