package verifier_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

type contextKey struct{}

// required sends a request with a token through Middleware and Require.
func (h *harness) required(r *http.Request, requirements ...verifier.Requirement) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r = r.WithContext(context.WithValue(r.Context(), contextKey{}, "seen"))
	verifier.Middleware(h, verifier.MiddlewareConfig{})(verifier.Require(requirements...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).ServeHTTP(w, r)
	return w
}

func bearerRequest(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, apiURL, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// RFC 9110, Section 15.5.2; RFC 6750, Section 3.
func TestRequirementsSayTheAnswer(t *testing.T) {
	h := newHarness(t, nil)
	revoked := &verifier.Error{Code: verifier.CodeInvalidToken, Status: 401, Reason: "revoked", Description: "the access token was revoked"}
	cause := errors.New("the list of revoked tokens is not there")
	for _, c := range []struct {
		name       string
		answer     error
		status     int
		challenges []string
	}{
		{"nil", nil, 200, nil},
		{"revoked", revoked, 401, []string{`Bearer error="invalid_token", error_description="the access token was revoked"`, `DPoP algs="ES256"`}},
		{"wrapped", errors.Join(revoked), 401, []string{`Bearer error="invalid_token", error_description="the access token was revoked"`, `DPoP algs="ES256"`}},
		{"401 without a code", &verifier.Error{Status: 401, Description: "no"}, 401, []string{`Bearer realm="api"`, `DPoP algs="ES256"`}},
		{"403", &verifier.Error{Code: verifier.CodeInsufficientScope, Status: 403, Description: "no", Scope: "more"}, 403, []string{`Bearer error="insufficient_scope", error_description="no", scope="more"`, `DPoP algs="ES256"`}},
		{"503", &verifier.Error{Status: 503, Description: "later", RetryAfter: 7 * time.Second}, 503, nil},
		{"could not decide", cause, 503, nil},
		{"end of the context", context.DeadlineExceeded, 503, nil},
		{"no status", &verifier.Error{Description: "no"}, 500, nil},
		{"a status that is none", &verifier.Error{Status: 99999, Description: "no"}, 500, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := h.required(bearerRequest(h.token()), func(ctx context.Context, token *verifier.Token) error {
				if ctx.Value(contextKey{}) != "seen" || token.Subject != "user-1" {
					t.Errorf("the requirement sees %v and %q; want the request's context and token", ctx.Value(contextKey{}), token.Subject)
				}
				return c.answer
			})
			if got := w.Header().Values("WWW-Authenticate"); w.Code != c.status || !slices.Equal(got, c.challenges) {
				t.Errorf("%d %q; want %d %q", w.Code, got, c.status, c.challenges)
			}
			if (w.Header().Get("Retry-After") != "") != (c.status == 503) {
				t.Errorf("%d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
		})
	}
	w := h.required(bearerRequest(h.token()), func(context.Context, *verifier.Token) error { panic("x") })
	if w.Code != 503 {
		t.Errorf("panic: %d; want 503", w.Code)
	}
	err := verifier.Meets(t.Context(), &verifier.Token{}, func(context.Context, *verifier.Token) error { return cause })
	if wantReason(t, err, reason.Requirement); !errors.Is(err, cause) || !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("%v; want ErrUnavailable and the cause", err)
	}
	if err := verifier.Meets(t.Context(), &verifier.Token{}, func(context.Context, *verifier.Token) error { return revoked }); !errors.Is(err, verifier.ErrInvalidToken) || err == error(revoked) {
		t.Errorf("%v; want a copy that matches ErrInvalidToken", err)
	}
	if revoked.Challenges()[0] != `Bearer error="invalid_token", error_description="the access token was revoked"` || len(revoked.Challenges()) != 1 {
		t.Errorf("the program's own error is changed: %q", revoked.Challenges())
	}
}

func TestRequireTakesFunctions(t *testing.T) {
	h := newHarness(t, nil)
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	var no func(*verifier.Token) error
	for name, c := range map[string]struct {
		require func(http.Handler) http.Handler
		status  int
	}{
		"a function of the token":           {verifier.Require(func(*verifier.Token) error { return nil }), 200},
		"a function that refuses":           {verifier.Require(func(*verifier.Token) error { return &verifier.Error{Status: 403} }), 403},
		"a function with the context":       {verifier.Require(func(context.Context, *verifier.Token) error { return nil }), 200},
		"beside another":                    {verifier.Require(verifier.AllScopes("a"), func(context.Context, *verifier.Token) error { return nil }), 403},
		"no scopes and permissions":         {verifier.Require(verifier.AllScopes(), verifier.AllPermissions()), 200},
		"no requirement":                    {verifier.Require[verifier.Requirement](), 200},
		"no function: a mistake":            {verifier.Require(no), 500},
		"a requirement that is nil, beside": {verifier.Require(verifier.Satisfies(func(*verifier.Token) bool { return true }), nil), 500},
	} {
		w := httptest.NewRecorder()
		verifier.Middleware(h, verifier.MiddlewareConfig{})(c.require(ok)).ServeHTTP(w, bearerRequest(h.token()))
		if w.Code != c.status {
			t.Errorf("%s: %d; want %d", name, w.Code, c.status)
		}
	}
}

// TestAuthenticationHasATime: an authentication counts for MaxAge, and not from a
// time that is still to come.
func TestAuthenticationHasATime(t *testing.T) {
	h := newHarness(t, nil)
	requirement := verifier.Authenticated(verifier.StepUp{MaxAge: time.Hour, Clock: h.clock})
	for offset, status := range map[time.Duration]int{
		0: 200, -time.Hour: 200, -time.Hour - time.Second: 401, time.Minute: 200, time.Minute + time.Second: 401, 200 * 365 * 24 * time.Hour: 401,
	} {
		token := h.issuer.Sign(audience, map[string]any{"auth_time": h.clock.Now().Add(offset).Unix()})
		if w := h.required(bearerRequest(token), requirement); w.Code != status {
			t.Errorf("an authentication at %v: %d; want %d", offset, w.Code, status)
		}
	}
}

func TestMistakesOfTheProgramAre500(t *testing.T) {
	h := newHarness(t, nil)
	full := h.issuer.Sign(audience, map[string]any{"scope": "a b", "permissions": []string{"p", ""}, "acr": "gold", "auth_time": h.clock.Now().Unix()})
	for name, requirement := range map[string]verifier.Requirement{
		"two scopes in one":        verifier.AllScopes("a b"),
		"two of any in one":        verifier.AnyScope("a", "a b"),
		"an empty scope":           verifier.AllScopes("a", ""),
		"a scope with a quote":     verifier.AnyScope(`a"`),
		"a scope beyond ASCII":     verifier.AllScopes("ä"),
		"any of no scopes":         verifier.AnyScope(),
		"an empty one of all":      verifier.AllPermissions("p", ""),
		"any of no permissions":    verifier.AnyPermission(),
		"an empty permission":      verifier.AnyPermission(""),
		"no predicate":             verifier.Satisfies(nil),
		"a step up to nothing":     verifier.Authenticated(verifier.StepUp{}),
		"two acr values in one":    verifier.Authenticated(verifier.StepUp{ACRValues: []string{"gold silver"}}),
		"a negative age":           verifier.Authenticated(verifier.StepUp{MaxAge: -time.Second}),
		"an age that is no age":    verifier.Authenticated(verifier.StepUp{MaxAge: 300}),
		"a requirement that's nil": nil,
	} {
		w := h.required(bearerRequest(full), requirement)
		if w.Code != 500 || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %q; want 500 without a challenge", name, w.Code, w.Header().Values("WWW-Authenticate"))
		}
		err := verifier.Meets(t.Context(), verifiertest.NewToken(t, nil), requirement)
		if !errors.Is(err, verifier.ErrArgument) || errors.Unwrap(err) == nil {
			t.Errorf("%s: %v; want ErrArgument with a cause", name, err)
		}
	}
	w := httptest.NewRecorder()
	verifier.Require(verifier.AllScopes("a"))(http.NotFoundHandler()).ServeHTTP(w, bearerRequest(full))
	if w.Code != 500 || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("Require without Middleware: %d %v; want 500", w.Code, w.Header())
	}
}

// RFC 9449, Section 7.1; RFC 8705, Section 3.
func TestRequirementsOfBinding(t *testing.T) {
	h := newDPoPHarness(t, nil)
	certificate := &x509.Certificate{Raw: []byte("one")}
	sum := sha256.Sum256(certificate.Raw)
	x5t := map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}}
	verify := func(v *verifier.Verifier, scheme, token string) *verifier.Token {
		t.Helper()
		fields := header("Authorization", scheme+" "+token)
		if scheme == "DPoP" {
			fields.Set("DPoP", h.client.Proof("GET", apiURL, token))
		}
		got, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: fields, ClientCertificate: certificate})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	free, bound := h.issuer.Sign(audience, nil), h.issuer.Sign(audience, x5t)
	auth0 := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.Auth0Statuses = true })
	disabled := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.Mode = verifier.DPoPDisabled })
	for _, c := range []struct {
		name        string
		token       *verifier.Token
		requirement verifier.Requirement
		status      int
		challenges  []string
	}{
		{"key: DPoP", verify(h.Verifier, "DPoP", h.bound), verifier.BoundToKey(), 0, nil},
		{"key: Bearer", verify(h.Verifier, "Bearer", free), verifier.BoundToKey(), 401, []string{`DPoP algs="ES256"`}},
		{"key: Bearer with a certificate", verify(h.Verifier, "Bearer", bound), verifier.BoundToKey(), 401, []string{`DPoP algs="ES256"`}},
		{"key: Auth0", verify(auth0, "Bearer", free), verifier.BoundToKey(), 400, []string{`DPoP algs="ES256"`}},
		{"key: DPoP disabled", verify(disabled, "Bearer", free), verifier.BoundToKey(), 500, nil},
		{"key: a token of a test", &verifier.Token{}, verifier.BoundToKey(), 401, []string{`DPoP algs="ES256"`}},
		{"certificate: bound", verify(h.Verifier, "Bearer", bound), verifier.BoundToCertificate(), 0, nil},
		{"certificate: Bearer", verify(h.Verifier, "Bearer", free), verifier.BoundToCertificate(), 401,
			[]string{`Bearer error="invalid_token", error_description="the access token is not bound to a client certificate"`}},
		{"certificate: DPoP", verify(h.Verifier, "DPoP", h.bound), verifier.BoundToCertificate(), 401,
			[]string{`DPoP error="invalid_token", error_description="the access token is not bound to a client certificate", algs="ES256"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := verifier.Meets(t.Context(), c.token, c.requirement)
			if err == nil {
				if c.status != 0 {
					t.Errorf("accepted; want %d", c.status)
				}
				return
			}
			var e *verifier.Error
			if !errors.As(err, &e) || e.Status != c.status || !slices.Equal(e.Challenges(), c.challenges) {
				t.Errorf("%v %d %q; want %d %q", err, e.Status, e.Challenges(), c.status, c.challenges)
			}
		})
	}
}

// TestEvery401HasAChallenge, whoever wrote the error.
func TestEvery401HasAChallenge(t *testing.T) {
	h := newHarness(t, nil)
	_, ofToken := h.VerifyAccessToken(t.Context(), "x")
	required := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.Mode = verifier.DPoPRequired })
	_, ofRequired := required.VerifyAccessToken(t.Context(), "x")
	_, ofProof := h.VerifyDPoPProof(t.Context(), verifier.ProofRequest{Proof: "x"})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"VerifyAccessToken":           {ofToken, `Bearer error="invalid_token"`},
		"VerifyAccessToken, required": {ofRequired, `DPoP error="invalid_token"`},
		"VerifyDPoPProof":             {ofProof, `DPoP error="invalid_dpop_proof"`},
		"a program's own":             {&verifier.Error{Status: 401}, `Bearer realm="api"`},
		"a program's own, of a proof": {&verifier.Error{Status: 401, Code: verifier.CodeUseDPoPNonce, DPoPNonce: "n"}, `DPoP error="use_dpop_nonce"`},
	} {
		w := httptest.NewRecorder()
		verifier.WriteError(w, c.err)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %d %q; want 401 %s", name, w.Code, got, c.want)
		}
	}
	for _, info := range reason.Catalogue() {
		fake := verifiertest.NewRequestVerifier()
		fake.Refuse("bob", info.Reason)
		w := httptest.NewRecorder()
		verifier.Middleware(fake, verifier.MiddlewareConfig{})(http.NotFoundHandler()).ServeHTTP(w, bearerRequest("bob"))
		if got := w.Header().Get("WWW-Authenticate"); w.Code != info.Status || (w.Code == 401) && got == "" || (w.Code >= 500) && got != "" {
			t.Errorf("fake, %s: %d %q; want %d, with a challenge if it is 401", info.Reason, w.Code, got, info.Status)
		}
	}
}
