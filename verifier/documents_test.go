package verifier_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// answering changes some answers of an issuer: a path of which change returns
// a response is not asked for there.
func answering(issuer *verifiertest.Issuer, change func(*http.Request) *http.Response) func(*verifier.Config) {
	return func(cfg *verifier.Config) {
		inner := issuer.Client()
		inner.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			if resp := change(r); resp != nil {
				resp.Request = r
				if resp.Header == nil {
					resp.Header = make(http.Header)
				}
				if resp.Body == nil {
					resp.Body = http.NoBody
				}
				return resp, nil
			}
			return inner.Do(r)
		})
	}
}

// TestKeySetsAreAskedForByTheirMediaType: a server may produce
// application/jwk-set+json alone, and answer 406 to everything else.
func TestKeySetsAreAskedForByTheirMediaType(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v := newVerifier(t, issuer, answering(issuer, func(r *http.Request) *http.Response {
		want := "application/json"
		if strings.HasSuffix(r.URL.Path, "jwks.json") {
			want = "application/jwk-set+json"
		}
		for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
			if strings.TrimSpace(part) == want {
				return nil
			}
		}
		return &http.Response{StatusCode: http.StatusNotAcceptable}
	}))
	if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
		t.Error(err)
	}
}

// TestDocumentsBehindOneRedirect: to the same origin.
func TestDocumentsBehindOneRedirect(t *testing.T) {
	for host, want := range map[string]string{"": "", "https://login.example.com": "redirect"} {
		issuer := verifiertest.NewIssuer(t)
		inner := issuer.Client()
		v := newVerifier(t, issuer, answering(issuer, func(r *http.Request) *http.Response {
			path, slash := strings.CutSuffix(r.URL.Path, "/")
			if !slash {
				return &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{"Location": {host + r.URL.Path + "/"}}}
			}
			served := r.Clone(r.Context())
			served.URL.Path = path
			resp, err := inner.Do(served)
			if err != nil {
				t.Error(err)
			}
			return resp
		}))
		if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); (err == nil) != (want == "") {
			t.Errorf("redirect to %q: %v; want problem %q", host, err, want)
		}
		if got := v.Health()[0].Problem; got != want {
			t.Errorf("redirect to %q: problem %q; want %q", host, got, want)
		}
	}
}

// TestNullMembersOfKeysAreAbsent: in key sets and in the jwk of a proof.
func TestNullMembersOfKeysAreAbsent(t *testing.T) {
	for _, name := range []string{"use", "alg", "key_ops", "d", "k", "x5c"} {
		issuer := verifiertest.NewIssuer(t)
		var set map[string][]map[string]any
		if err := json.Unmarshal(issuer.JWKS(), &set); err != nil {
			t.Fatal(err)
		}
		set["keys"][0][name] = nil
		body, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		issuer.SetJWKS(append([]byte("\ufeff"), body...))
		if _, err := newVerifier(t, issuer, nil).VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
			t.Errorf("%s null: %v", name, err)
		}
	}
}

// TestAccessTokenFromContext: the text that was verified, and nothing where the
// middleware verified nothing or another party put a token into the context.
func TestAccessTokenFromContext(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v := newVerifier(t, issuer, nil)
	token := issuer.Sign(audience, nil)
	for name, c := range map[string]struct {
		cfg    verifier.MiddlewareConfig
		header http.Header
		want   string
	}{
		"Authorization": {verifier.MiddlewareConfig{}, http.Header{"Authorization": {"bearer   " + token}}, token},
		"cookie beside another Authorization": {verifier.MiddlewareConfig{Source: verifier.TokenSource{Cookie: "t"}},
			http.Header{"Cookie": {"t=" + token}, "Authorization": {"Bearer other"}}, token},
		"none": {verifier.MiddlewareConfig{Optional: true}, http.Header{}, ""},
	} {
		served := false
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			served = true
			if got, ok := verifier.AccessTokenFromContext(r.Context()); got != c.want || ok != (c.want != "") {
				t.Errorf("%s: %v, and the token as sent: %v", name, ok, got == c.want)
			}
			if _, ok := verifier.AccessTokenFromContext(verifier.ContextWithToken(r.Context(), &verifier.Token{})); ok {
				t.Errorf("%s: there is one for a token that another party put there", name)
			}
		})
		r := httptest.NewRequest(http.MethodGet, "https://api.example.com/", nil)
		r.Header = c.header
		verifier.Middleware(v, c.cfg)(next).ServeHTTP(httptest.NewRecorder(), r)
		if !served {
			t.Errorf("%s: refused", name)
		}
	}
}
