package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestMiddlewareDecides: who is let in, and what the answer says.
func TestMiddlewareDecides(t *testing.T) {
	plain := verifiertest.NewToken(t, nil)
	bound := verifiertest.NewDPoPToken(t, nil)
	with := func(nonce string) *verifier.Token {
		token := *bound
		token.Proof = &verifier.Proof{NextNonce: nonce}
		return &token
	}
	refusal := func(r verifier.Reason) error { return verifiertest.Refusal(r) }
	exposed := http.Header{"Access-Control-Expose-Headers": {"WWW-Authenticate, DPoP-Nonce"}}
	for name, c := range map[string]struct {
		token  *verifier.Token
		err    error
		cfg    verifier.MiddlewareConfig
		status int
		seen   bool // a token, by the handler
		header http.Header
	}{
		"a token":                  {plain, nil, verifier.MiddlewareConfig{}, 200, true, http.Header{}},
		"a token, CORS":            {plain, nil, verifier.MiddlewareConfig{ExposeHeaders: true}, 200, true, exposed},
		"a token, optional":        {plain, nil, verifier.MiddlewareConfig{Optional: true}, 200, true, http.Header{}},
		"a proof":                  {with(""), nil, verifier.MiddlewareConfig{}, 200, true, http.Header{}},
		"a proof, and a nonce":     {with("n"), nil, verifier.MiddlewareConfig{}, 200, true, http.Header{"Dpop-Nonce": {"n"}, "Cache-Control": {"no-store"}}},
		"nothing":                  {nil, refusal(reason.NoCredentials), verifier.MiddlewareConfig{}, 401, false, nil},
		"nothing, optional":        {nil, refusal(reason.NoCredentials), verifier.MiddlewareConfig{Optional: true}, 200, false, http.Header{}},
		"a bad one, optional":      {nil, refusal(reason.Expired), verifier.MiddlewareConfig{Optional: true}, 401, false, nil},
		"an outage, optional":      {nil, refusal(reason.Keys), verifier.MiddlewareConfig{Optional: true}, 503, false, nil},
		"another error":            {nil, errors.New("x"), verifier.MiddlewareConfig{Optional: true}, 500, false, nil},
		"neither":                  {nil, nil, verifier.MiddlewareConfig{Optional: true}, 500, false, nil},
		"an error beside a token":  {plain, refusal(reason.Expired), verifier.MiddlewareConfig{}, 401, false, nil},
		"nothing, beside a token":  {plain, refusal(reason.NoCredentials), verifier.MiddlewareConfig{Optional: true}, 200, false, http.Header{}},
		"nothing, and an own word": {nil, refusal(reason.NoCredentials), verifier.MiddlewareConfig{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(418) }}, 418, false, http.Header{}},
	} {
		reached, seen := false, false
		h := verifier.Middleware(requestVerifierFunc(func() (*verifier.Token, error) { return c.token, c.err }), c.cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			reached = true
			var token *verifier.Token
			if token, seen = verifier.TokenFromContext(r.Context()); seen && token != c.token {
				t.Errorf("%s: another token", name)
			}
		}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		if w.Code != c.status || seen != c.seen || reached != (c.status == 200) {
			t.Errorf("%s: %d, reached %v, with a token %v; want %d and %v", name, w.Code, reached, seen, c.status, c.seen)
		}
		if c.header != nil && !reflect.DeepEqual(w.Result().Header, c.header) {
			t.Errorf("%s: %v; want %v", name, w.Result().Header, c.header)
		}
	}
	if _, ok := verifier.TokenFromContext(context.Background()); ok {
		t.Error("a token in no context")
	}
	if _, ok := verifier.AccessTokenFromContext(context.Background()); ok {
		t.Error("an access token in no context")
	}
}

// TestNonceSourcesHaveTheTime, without a clock too, and tell why they failed.
func TestNonceSourcesHaveTheTime(t *testing.T) {
	secret := [][]byte{[]byte(strings.Repeat("s", 32))}
	now := time.Unix(fuzzNow, 0)
	for name, clock := range map[string]verifier.Clock{"none": nil, "one": verifier.ClockFunc(func() time.Time { return now })} {
		n, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: secret, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		nonce, err := n.Issue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := n.Check(t.Context(), nonce); !ok || err != nil {
			t.Errorf("%s: Check = %v, %v", name, ok, err)
		}
		now = now.Add(time.Hour)
		if ok, err := n.Check(t.Context(), nonce); ok != (clock == nil) || err != nil {
			t.Errorf("%s: Check after an hour of the clock = %v, %v", name, ok, err)
		}
	}
	if n, err := verifier.NewNonceSource(verifier.NonceConfig{}); n != nil || err == nil || !strings.HasPrefix(err.Error(), "verifier: Config.DPoP.Nonces needs") {
		t.Errorf("NewNonceSource of nothing = %v, %v", n, err)
	}
	broken := errors.New("broken")
	for name, nonces := range map[string]fixedNonces{"Issue": {good: "n", issueErr: broken}, "Check": {next: "m", good: "n", checkErr: broken}} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.Nonces = nonces })
		bound := w.boundToken()
		_, err := w.v.VerifyRequest(t.Context(), dpop(bound, w.proof(t, w.proofHeader(), change(t, w.proofClaims(bound), `"jti"`, `"nonce":"n","jti"`))))
		if reasonOf(t, err) != reason.NonceSource || !errors.Is(err, broken) {
			t.Errorf("%s: %v, because of %v; want %q, because of %v", name, err, errors.Unwrap(err), reason.NonceSource, broken)
		}
	}
}

// TestReplaysAreAllowedWhereConfigured, and nowhere else.
func TestReplaysAreAllowedWhereConfigured(t *testing.T) {
	for allowed, want := range map[bool]verifier.Reason{true: "", false: reason.ProofReplayed} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.AllowReplays = allowed })
		bound := w.boundToken()
		req := dpop(bound, w.proof(t, w.proofHeader(), w.proofClaims(bound)))
		if _, err := w.v.VerifyRequest(t.Context(), req); err != nil {
			t.Error(err)
		}
		if _, err := w.v.VerifyRequest(t.Context(), req); reasonOf(t, err) != want {
			t.Errorf("AllowReplays %v: %v; want %q", allowed, err, want)
		}
	}
}

// TestHandlersOfMetadata answer wherever they are mounted, and below their path alone
// not.
func TestHandlersOfMetadata(t *testing.T) {
	const root = "/.well-known/oauth-protected-resource"
	for resource, paths := range map[string]map[string]int{
		"https://api.example/a/": {root + "/a/": 200, root + "/a/b": 404, root + "/a": 200, "/elsewhere": 200},
		"https://api.example/a":  {root + "/a": 200, root + "/ab": 200, root + "/a/": 200},
		"https://api.example/":   {root: 200, root + "/": 200, root + "/a": 404},
	} {
		_, h, err := verifier.ResourceMetadataHandler(verifier.ResourceMetadata{Resource: resource, DPoPRequired: true})
		if err != nil {
			t.Fatal(err)
		}
		for path, status := range paths {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
			want := `{"resource":"` + resource + `","bearer_methods_supported":["header"],"dpop_bound_access_tokens_required":true}`
			if w.Code != status || (w.Body.String() == want) != (status == 200) || (w.Result().Header.Get("Cache-Control") == "public, max-age=3600") != (status == 200) {
				t.Errorf("%s at %s: %d %s %v; want %d", resource, path, w.Code, w.Body, w.Result().Header, status)
			}
		}
	}
	path, h, err := verifier.ResourceMetadataHandler(verifier.ResourceMetadata{Resource: "https://api.example/"})
	if err != nil || path != root {
		t.Errorf("path %q, %v; want %q", path, err, root)
	}
	for method, status := range map[string]int{"GET": 200, "OPTIONS": 204, "PUT": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, root, nil))
		if got := w.Result().Header.Get("Allow"); w.Code != status || (got == "GET, HEAD, OPTIONS") != (status != 200) || w.Result().Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", method, w.Code, w.Result().Header)
		}
	}
	for _, resource := range []string{"http://localhost", "http://[::1]/a", "https://api.example/%41", "https://api.example/~!$&'()*+,;=:@"} {
		if _, err := (verifier.ResourceMetadata{Resource: resource}).URL(); err != nil {
			t.Errorf("%q: %v", resource, err)
		}
	}
	for _, resource := range []string{"https://api.example@api.example/", "http://192.0.2.1/", "ftp://localhost/", "ftp://127.0.0.1/", "https://api.example/\x7f", "https://api.example/<", "https://api.example/a\\b", "https://api.example/^", "https://api.example/`", "https://api.example/..", "https://api.example/a/./b", "https://api.example/a/%2e"} {
		if _, err := (verifier.ResourceMetadata{Resource: resource}).URL(); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%q: %v; want ErrConfig", resource, err)
		}
	}
}

// TestHalfOfARuleIsNoMereName: what a resolver returns is judged by itself, even where
// that is a mistake.
func TestHalfOfARuleIsNoMereName(t *testing.T) {
	returned := &verifier.Issuer{}
	j := newCourt(t, verifier.Config{
		Audience: "api", Doer: &documents{}, Issuers: []verifier.Issuer{{Name: "a.example"}},
		Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) { return returned, nil }},
	})
	for name, rule := range map[string]verifier.Issuer{
		"a claim without values": {NoAudience: verifier.AudienceRule{Claim: "azp"}}, "values without a claim": {NoAudience: verifier.AudienceRule{Values: []string{"x"}}},
		"scope and client":               {Claims: verifier.ClaimNames{Scope: []string{"x"}, ClientID: []string{"x"}}},
		"scope, client, and permissions": {Claims: verifier.ClaimNames{Scope: []string{"x"}, ClientID: []string{"x"}, Permissions: []string{"x", "y"}}},
		"client and permissions":         {Claims: verifier.ClaimNames{ClientID: []string{"x"}, Permissions: []string{"x"}}},
		"scope and permissions":          {Claims: verifier.ClaimNames{Scope: []string{"x"}, Permissions: []string{"x"}}},
	} {
		rule.Name = "a.example"
		returned = &rule
		if _, err := j.VerifyAccessToken(t.Context(), j.token("", nil)); !errors.Is(err, verifier.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", name, err)
		}
	}
	returned = &verifier.Issuer{}
	if _, err := j.VerifyAccessToken(t.Context(), j.token("", nil)); reasonOf(t, err) != reason.Resolver {
		t.Errorf("an issuer of no name: %v; want %q", err, reason.Resolver)
	}
}
