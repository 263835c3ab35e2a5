package verifier_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func TestMiddleware(t *testing.T) {
	h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.ExternalURL = "https://api.example"; cfg.ChallengeScope = "read" })
	var seen *verifier.Token
	final := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen, _ = verifier.TokenFromContext(r.Context()) })
	serve := func(handler http.Handler, fields ...string) *recorder {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://internal/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "internal"
		for i := 0; i < len(fields); i += 2 {
			r.Header.Add(fields[i], fields[i+1])
		}
		w := &recorder{header: make(http.Header), status: 200}
		seen = nil
		handler.ServeHTTP(w, r)
		return w
	}
	protect := verifier.Middleware(h, verifier.MiddlewareConfig{ExposeHeaders: true})
	bearer := func(claims map[string]any) string { return "Bearer " + h.issuer.Sign(audience, claims) }
	w := serve(protect(final), "Authorization", bearer(nil))
	if w.status != 200 || seen == nil || seen.Subject != "user-1" || w.header.Get("Access-Control-Expose-Headers") == "" {
		t.Errorf("good token: %d %v", w.status, w.header)
	}
	w = serve(protect(final))
	if w.status != 401 || seen != nil || !strings.Contains(w.header.Get("WWW-Authenticate"), `scope="read"`) || w.header.Get("Cache-Control") != "no-store" || strings.Contains(w.body.String(), "error") {
		t.Errorf("no token: %d %v %s", w.status, w.header, w.body.String())
	}
	w = serve(protect(final), "Authorization", "Bearer x")
	if w.status != 401 || !strings.Contains(w.body.String(), `"error":"invalid_token"`) {
		t.Errorf("bad token: %d %s", w.status, w.body.String())
	}
	optional := verifier.Middleware(h, verifier.MiddlewareConfig{Optional: true})
	if w = serve(optional(final)); w.status != 200 || seen != nil {
		t.Errorf("optional without token: %d", w.status)
	}
	if w = serve(optional(final), "Authorization", "Bearer x"); w.status != 401 {
		t.Errorf("optional with a bad token: %d", w.status)
	}
	custom := verifier.Middleware(h, verifier.MiddlewareConfig{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		if errors.Is(err, verifier.ErrNoCredentials) {
			w.WriteHeader(http.StatusTeapot)
		}
	}})
	if w = serve(custom(final)); w.status != http.StatusTeapot {
		t.Errorf("error handler: %d", w.status)
	}
	scoped := verifier.Require(verifier.AllScopes("a"))(final)
	if w = serve(optional(scoped)); w.status != 401 || len(w.header.Values("WWW-Authenticate")) != 2 || !strings.Contains(w.header.Get("WWW-Authenticate"), `scope="read"`) {
		t.Errorf("route that needs a token behind optional: %d %v; want what Middleware answers", w.status, w.header)
	}
	forbidden := verifier.Middleware(h, verifier.MiddlewareConfig{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		if errors.Is(err, verifier.ErrInsufficientScope) {
			w.WriteHeader(http.StatusTeapot)
		}
	}})
	if w = serve(forbidden(scoped), "Authorization", bearer(nil)); w.status != http.StatusTeapot || seen != nil {
		t.Errorf("error handler of a route's refusal: %d", w.status)
	}
	h.issuer.FailNext(-1, 500)
	other := newVerifier(t, h.issuer, nil)
	if w = serve(verifier.Middleware(other, verifier.MiddlewareConfig{})(final), "Authorization", bearer(nil)); w.status != 503 || w.header.Get("Retry-After") == "" || w.header.Get("WWW-Authenticate") != "" || !strings.Contains(w.body.String(), "temporarily_unavailable") {
		t.Errorf("outage: %d %v", w.status, w.header)
	}
	h.issuer.Recover()

	requirements := []struct {
		name        string
		requirement verifier.Requirement
		claims      map[string]any
		status      int
		challenge   string
	}{
		{"all scopes", verifier.AllScopes("a", "b"), map[string]any{"scope": "b a"}, 200, ""},
		{"scope missing", verifier.AllScopes("a", "b"), map[string]any{"scope": "a"}, 403, `Bearer error="insufficient_scope", error_description="the access token lacks a scope that is needed", scope="a b"`},
		{"any scope", verifier.AnyScope("a", "b"), map[string]any{"scope": "b"}, 200, ""},
		{"no scope", verifier.AnyScope("a", "b"), nil, 403, `scope="a"`},
		{"all permissions", verifier.AllPermissions("p"), map[string]any{"permissions": []string{"p"}}, 200, ""},
		{"permission missing", verifier.AllPermissions("p", "q"), map[string]any{"permissions": []string{"p"}}, 403, `insufficient_scope`},
		{"any permission", verifier.AnyPermission("p", "q"), map[string]any{"permissions": []string{"q"}}, 200, ""},
		{"one permission", verifier.AnyPermission("p q"), map[string]any{"permissions": "p q"}, 200, ""},
		{"no permission", verifier.AnyPermission("p"), map[string]any{"permissions": "p q"}, 403, `insufficient_scope`},
		{"predicate", verifier.Satisfies(func(t *verifier.Token) bool { return t.Subject == "user-1" }), nil, 200, ""},
		{"predicate fails", verifier.Satisfies(func(*verifier.Token) bool { return false }), nil, 403, `insufficient_scope`},
		{"step up", verifier.Authenticated(verifier.StepUp{ACRValues: []string{"gold"}, MaxAge: time.Minute, Clock: h.clock}), map[string]any{"acr": "gold", "auth_time": h.clock.Now().Unix()}, 200, ""},
		{"acr", verifier.Authenticated(verifier.StepUp{ACRValues: []string{"gold"}}), map[string]any{"acr": "tin"}, 401, `acr_values="gold"`},
		{"auth_time", verifier.Authenticated(verifier.StepUp{MaxAge: time.Minute}), nil, 401, `error="insufficient_user_authentication", error_description="a stronger or more recent authentication is needed", max_age="60"`},
	}
	for _, c := range requirements {
		w := serve(protect(verifier.Require(c.requirement)(final)), "Authorization", bearer(c.claims))
		if w.status != c.status || !strings.Contains(w.header.Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %d %v; want %d %s", c.name, w.status, w.header["Www-Authenticate"], c.status, c.challenge)
		}
	}
	if err := verifier.AllScopes("a")(t.Context(), &verifier.Token{Scope: "b"}); !errors.Is(err, verifier.ErrInsufficientScope) {
		t.Errorf("a Token of a test: %v", err)
	}
	plain := &recorder{header: make(http.Header)}
	verifier.WriteError(plain, errors.New("internal detail"))
	if plain.status != 500 || strings.Contains(plain.body.String(), "internal detail") {
		t.Errorf("foreign error: %d %s", plain.status, plain.body.String())
	}
}
