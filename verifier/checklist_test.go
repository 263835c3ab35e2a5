package verifier_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// checklist is what the RFCs demand of a resource server, one test for each
// rule, named by its section.
var checklist = []struct {
	section string
	test    func(*testing.T, *dpopHarness)
}{
	// DPoP proofs.
	{"RFC 9449 4.3-1: exactly one DPoP field, of any case", func(t *testing.T, h *dpopHarness) {
		proof := h.client.Proof("GET", apiURL, h.bound)
		req := verifier.Request{Method: "GET", URL: apiURL, Header: http.Header{"Authorization": {"DPoP " + h.bound}, "DPoP": {proof}, "dpop": {proof}}}
		_, err := h.VerifyRequest(t.Context(), req)
		wantReason(t, err, reason.ProofMultiple)
		req.Header = http.Header{"authorization": {"DPoP " + h.bound}, "dPoP": {proof}}
		if _, err := h.VerifyRequest(t.Context(), req); err != nil {
			t.Error(err)
		}
	}},
	{"RFC 9449 4.3-2: one well-formed compact JWT", func(t *testing.T, h *dpopHarness) {
		good := h.client.Proof("GET", apiURL, h.bound)
		for _, proof := range []string{"x", "a.b", "a.b.c.d", good + ".", good + "=", strings.Replace(good, ".", "..", 1), " " + good + " x", strings.ReplaceAll(good, ".", ". ")} {
			_, err := h.send(proof)
			wantReason(t, err, reason.ProofMalformed)
		}
	}},
	{"RFC 9449 4.2, 4.3-3: required members", func(t *testing.T, h *dpopHarness) {
		for _, name := range []string{"jti", "htm", "htu", "iat", "ath"} {
			for _, value := range []any{nil, "", []string{"x"}, true, json.RawMessage("null")} {
				_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{name: value}))
				if e := wantReason(t, err, reason.ProofClaim); e.Claim == "" {
					t.Errorf("%s = %v: the error does not name a claim", name, value)
				}
			}
		}
		_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, map[string]any{"jwk": nil}, nil))
		wantReason(t, err, reason.ProofKey)
	}},
	{"RFC 9449 4.3-4, 11.5: typ dpop+jwt", func(t *testing.T, h *dpopHarness) {
		for _, typ := range []any{nil, "", "JWT", "at+jwt", "dpop", "dpop+jwt2", "application/jwt"} {
			_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, map[string]any{"typ": typ}, nil))
			wantReason(t, err, reason.ProofType)
		}
	}},
	{"RFC 9449 4.3-5, 11.6: asymmetric algorithm of the policy", func(t *testing.T, h *dpopHarness) {
		good := strings.Split(h.client.Proof("GET", apiURL, h.bound), ".")
		for _, alg := range []string{"none", "HS256", "ES384", "es256", "RS256", ""} {
			head := `{"typ":"dpop+jwt","alg":"` + alg + `","jwk":{"kty":"EC"}}`
			_, err := h.send(base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + good[1] + "." + good[2])
			wantReason(t, err, reason.ProofAlgorithm)
		}
	}},
	{"RFC 9449 4.3-6: signature verifies with jwk", func(t *testing.T, h *dpopHarness) {
		other := verifiertest.NewDPoPClient(t, h.clock, "")
		mine, theirs := strings.Split(h.client.Proof("GET", apiURL, h.bound), "."), strings.Split(other.Proof("GET", apiURL, h.bound), ".")
		_, err := h.send(mine[0] + "." + theirs[1] + "." + theirs[2])
		wantReason(t, err, reason.ProofSignature)
	}},
	{"RFC 9449 4.3-7: no private part in jwk", func(t *testing.T, h *dpopHarness) {
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			head := strings.Split(h.client.Proof("GET", apiURL, h.bound), ".")[0]
			data, err := base64.RawURLEncoding.DecodeString(head)
			if err != nil {
				t.Fatal(err)
			}
			var header map[string]any
			if err := json.Unmarshal(data, &header); err != nil {
				t.Fatal(err)
			}
			jwk := header["jwk"].(map[string]any)
			jwk[member] = "AQAB"
			_, err = h.send(h.client.ProofWith("GET", apiURL, h.bound, map[string]any{"jwk": jwk}, nil))
			wantReason(t, err, reason.ProofKey)
		}
	}},
	{"RFC 9449 4.3-8, RFC 9110 9.1: htm equals the method, by case", func(t *testing.T, h *dpopHarness) {
		for _, method := range []string{"get", "Get", "POST", "GET "} {
			_, err := h.send(h.client.Proof(method, apiURL, h.bound))
			wantReason(t, err, reason.ProofMethod)
		}
	}},
	{"RFC 9449 4.3-9: htu equals the URL without query and fragment", func(t *testing.T, h *dpopHarness) {
		for url, ok := range map[string]bool{
			apiURL: true, apiURL + "?q": true, apiURL + "#f": true,
			apiURL + "/": false, "https://api.example/Orders": false, "http://api.example/orders": false, "https://api.example:444/orders": false, "/orders": false,
		} {
			if _, err := h.send(h.client.Proof("GET", url, h.bound)); (err == nil) != ok {
				t.Errorf("htu %q: %v; want ok = %v", url, err, ok)
			}
		}
	}},
	{"RFC 3986 6.2.2, 6.2.3: syntax and scheme based normalisation", func(t *testing.T, h *dpopHarness) {
		for _, url := range []string{"HTTPS://API.Example/orders", "https://api.example:443/orders", "https://api.example/x/../orders", "https://api.example/%6frders"} {
			if _, err := h.send(h.client.Proof("GET", url, h.bound)); err != nil {
				t.Errorf("htu %q: %v", url, err)
			}
		}
	}},
	{"RFC 9449 4.3-10, 8, 11.3: nonce, once one is in use", func(t *testing.T, h *dpopHarness) {
		source, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("s", 32))}, Clock: h.clock})
		if err != nil {
			t.Fatal(err)
		}
		v := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.Nonces = source })
		nonce := ""
		for _, step := range []struct {
			claims map[string]any
			reason verifier.Reason
		}{{nil, reason.NonceRequired}, {map[string]any{"nonce": "other"}, reason.NonceNotAccepted}, {map[string]any{"nonce": &nonce}, ""}} {
			proof := h.client.ProofWith("GET", apiURL, h.bound, nil, step.claims)
			_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+h.bound, "DPoP", proof)})
			if step.reason == "" {
				if err != nil {
					t.Error(err)
				}
				continue
			}
			e := wantReason(t, err, step.reason)
			nonce = e.DPoPNonce
			w := httptest.NewRecorder()
			verifier.WriteError(w, err)
			// 8.1: 1*NQCHAR; 8: one field; 9: 401 and use_dpop_nonce.
			if !regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`).MatchString(nonce) || len(w.Result().Header.Values("DPoP-Nonce")) != 1 {
				t.Errorf("DPoP-Nonce %q", w.Result().Header.Values("DPoP-Nonce"))
			}
			if w.Code != 401 || !strings.Contains(fmt.Sprint(w.Result().Header.Values("WWW-Authenticate")), `error="use_dpop_nonce"`) {
				t.Errorf("%d %v", w.Code, w.Result().Header)
			}
		}
	}},
	{"RFC 9449 8.2: the next nonce comes with an answer that is not cached", func(t *testing.T, h *dpopHarness) {
		source, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("s", 32))}, Clock: h.clock})
		if err != nil {
			t.Fatal(err)
		}
		v := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.Nonces = source })
		nonce, err := source.Issue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", apiURL, nil)
		r.Header.Set("Authorization", "DPoP "+h.bound)
		r.Header.Set("DPoP", h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"nonce": nonce}))
		w := httptest.NewRecorder()
		verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if got := w.Result().Header; w.Code != 200 || len(got.Values("DPoP-Nonce")) != 1 || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v; want the next nonce and no-store", w.Code, got)
		}
	}},
	{"RFC 9449 4.3-11, 11.1: iat within the window", func(t *testing.T, h *dpopHarness) {
		now := h.clock.Now().Unix()
		for iat, ok := range map[int64]bool{now: true, now - 300: true, now - 301: false, now + 30: true, now + 31: false, 0: false, -1: false, 1 << 53: false} {
			_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"iat": iat}))
			if (err == nil) != ok {
				t.Errorf("iat %+d s: %v; want ok = %v", iat-now, err, ok)
			}
		}
	}},
	{"RFC 9449 4.3-12, 7: ath is the hash of the token", func(t *testing.T, h *dpopHarness) {
		sum := sha256.Sum256([]byte(h.bound))
		for _, ath := range []string{base64.StdEncoding.EncodeToString(sum[:]), base64.URLEncoding.EncodeToString(sum[:]), "AA", h.bound} {
			_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"ath": ath}))
			wantReason(t, err, reason.ProofTokenHash)
		}
	}},
	{"RFC 9449 4.3-12, 6: the token is bound to the proof's key", func(t *testing.T, h *dpopHarness) {
		_, err := h.send(verifiertest.NewDPoPClient(t, h.clock, "").Proof("GET", apiURL, h.bound))
		wantReason(t, err, reason.BindingMismatch)
		unbound := h.issuer.Sign(audience, nil)
		_, err = h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+unbound, "DPoP", h.client.Proof("GET", apiURL, unbound))})
		wantReason(t, err, reason.BindingMissing)
	}},
	{"RFC 9449 7.1: no access unless every check passes; the proof is needed", func(t *testing.T, h *dpopHarness) {
		_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+h.bound)})
		wantReason(t, err, reason.ProofMissing)
	}},
	{"RFC 9449 7.1, RFC 9110 11.4: scheme of any case, then white space and one token68", func(t *testing.T, h *dpopHarness) {
		for value, ok := range map[string]bool{"DPoP " + h.bound: true, "dpop " + h.bound: true, "DPOP   " + h.bound: true, "DPoP " + h.bound + " x": false, "DPoP" + h.bound: false} {
			_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", value, "DPoP", h.client.Proof("GET", apiURL, h.bound))})
			if (err == nil) != ok {
				t.Errorf("%.12q...: %v; want ok = %v", value, err, ok)
			}
		}
	}},
	{"RFC 9449 7.1: 401, error and algs in the DPoP challenge", func(t *testing.T, h *dpopHarness) {
		_, err := h.send("x")
		var e *verifier.Error
		if !errors.As(err, &e) || e.Status != 401 {
			t.Fatal(err)
		}
		dpop := e.Challenges()[slices.IndexFunc(e.Challenges(), func(c string) bool { return strings.HasPrefix(c, "DPoP ") })]
		if !strings.Contains(dpop, `error="invalid_dpop_proof"`) || !strings.Contains(dpop, `algs="ES256"`) {
			t.Errorf("challenge %q", dpop)
		}
	}},
	{"RFC 9449 7.1: never Proxy-Authorization", func(t *testing.T, h *dpopHarness) {
		_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Proxy-Authorization", "DPoP "+h.bound, "DPoP", h.client.Proof("GET", apiURL, h.bound))})
		wantReason(t, err, reason.NoCredentials)
		w := httptest.NewRecorder()
		verifier.WriteError(w, err)
		if w.Code == 407 || w.Result().Header.Get("Proxy-Authenticate") != "" {
			t.Errorf("%d %v", w.Code, w.Result().Header)
		}
	}},
	{"RFC 9449 7.1, Fetch 3.2.5: challenges are exposed to browsers", func(t *testing.T, h *dpopHarness) {
		r := httptest.NewRequest("GET", apiURL, nil)
		r.Header.Set("Origin", "https://app.example")
		w := httptest.NewRecorder()
		verifier.Middleware(h, verifier.MiddlewareConfig{ExposeHeaders: true})(http.NotFoundHandler()).ServeHTTP(w, r)
		exposed := strings.Join(w.Result().Header.Values("Access-Control-Expose-Headers"), ",")
		if !strings.Contains(exposed, "WWW-Authenticate") || !strings.Contains(exposed, "DPoP-Nonce") {
			t.Errorf("Access-Control-Expose-Headers %q", exposed)
		}
	}},
	{"RFC 9449 7.2: a bound token is refused as Bearer in every mode", func(t *testing.T, h *dpopHarness) {
		for _, mode := range []verifier.DPoPMode{verifier.DPoPAllowed, verifier.DPoPRequired, verifier.DPoPDisabled} {
			v := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.Mode = mode })
			if _, err := v.VerifyRequest(t.Context(), verifier.Request{Header: header("Authorization", "Bearer "+h.bound)}); err == nil {
				t.Errorf("mode %d accepts a bound token as Bearer", mode)
			}
		}
	}},
	{"RFC 6750 3.1, RFC 9449 7.2: no error code without credentials", func(t *testing.T, h *dpopHarness) {
		_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL})
		e := wantReason(t, err, reason.NoCredentials)
		if got := e.Challenges(); e.Status != 401 || len(got) != 2 || strings.Contains(strings.Join(got, ""), "error") {
			t.Errorf("%d %q", e.Status, got)
		}
	}},
	{"RFC 9449 7.2: error only on the scheme that was used", func(t *testing.T, h *dpopHarness) {
		for scheme, other := range map[string]string{"Bearer": "DPoP", "DPoP": "Bearer"} {
			_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", scheme+" x.y.z", "DPoP", h.client.Proof("GET", apiURL, "x.y.z"))})
			var e *verifier.Error
			if !errors.As(err, &e) {
				t.Fatal("accepted")
			}
			for _, c := range e.Challenges() {
				if strings.HasPrefix(c, other+" ") && strings.Contains(c, "error=") || strings.HasPrefix(c, scheme+" ") && !strings.Contains(c, "error=") {
					t.Errorf("%s used: challenge %q", scheme, c)
				}
			}
		}
	}},
	{"RFC 9449 7.2, RFC 6750 2: several methods are invalid_request, 400", func(t *testing.T, h *dpopHarness) {
		_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "Bearer a", "Authorization", "DPoP b")})
		if e := wantReason(t, err, reason.MultipleCredentials); e.Status != 400 || e.Code != verifier.CodeInvalidRequest || len(e.Challenges()) != 2 {
			t.Errorf("%d %s %q", e.Status, e.Code, e.Challenges())
		}
	}},
	{"RFC 9449 8: nonces cannot be guessed, nor those of another server used", func(t *testing.T, h *dpopHarness) {
		mine, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("s", 32))}, Clock: h.clock})
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("t", 32))}, Clock: h.clock})
		if err != nil {
			t.Fatal(err)
		}
		nonce, err := theirs.Issue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := mine.Check(t.Context(), nonce); ok || err != nil {
			t.Errorf("another server's nonce: %v, %v; want refused", ok, err)
		}
		if own, err := mine.Issue(t.Context()); err != nil || own == nonce {
			t.Errorf("two servers issue the same nonce, %v", err)
		}
	}},
	{"RFC 9449 11.1: jti is remembered for the whole window, per URI; large ones as hashes", func(t *testing.T, h *dpopHarness) {
		store := verifiertest.NewReplayStore(h.clock)
		v := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.ReplayStore = store })
		send := func(url string) error {
			proof := h.client.ProofWith("GET", url, h.bound, nil, map[string]any{"jti": strings.Repeat("j", 4000), "iat": h.clock.Now().Unix()})
			_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: url, Header: header("Authorization", "DPoP "+h.bound, "DPoP", proof)})
			return err
		}
		if err := send(apiURL); err != nil {
			t.Fatal(err)
		}
		wantReason(t, send(apiURL), reason.ProofReplayed)
		if err := send(apiURL + "/2"); err != nil {
			t.Errorf("the same jti for another URI: %v", err)
		}
		for _, key := range store.Keys() {
			if len(key) > 100 {
				t.Errorf("key of %d bytes; want hashes", len(key))
			}
		}
	}},

	// Bearer and challenges.
	{"RFC 6750 2.3: no token in the query", func(t *testing.T, h *dpopHarness) {
		r := httptest.NewRequest("GET", apiURL+"?access_token="+h.token(), nil)
		_, err := h.VerifyHTTPRequest(r)
		wantReason(t, err, reason.NoCredentials)
	}},
	{"RFC 6750 3: a challenge with every refusal, of legal parameters, each once", func(t *testing.T, h *dpopHarness) {
		quoted := regexp.MustCompile(`^(Bearer|DPoP) [a-z_]+="[\x20\x21\x23-\x5B\x5D-\x7E]*"(, [a-z_]+="[\x20\x21\x23-\x5B\x5D-\x7E]*")*$`)
		names := regexp.MustCompile(`[a-z_]+=`)
		for _, value := range []string{"", "Bearer", "Bearer x", "Bearer a\"b\\c", "Bearer a\r\nb", "DPoP x", "Basic x", "Bearer " + h.bound, "DPoP " + h.bound} {
			_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", value)})
			var e *verifier.Error
			if !errors.As(err, &e) || len(e.Challenges()) == 0 {
				t.Errorf("%.20q: no challenge", value)
				continue
			}
			for _, c := range e.Challenges() {
				seen := names.FindAllString(c, -1)
				slices.Sort(seen)
				if !quoted.MatchString(c) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
					t.Errorf("%.20q: challenge %q", value, c)
				}
			}
		}
	}},
	{"RFC 6750 3.1: 403 insufficient_scope with the scope", func(t *testing.T, h *dpopHarness) {
		r := httptest.NewRequest("GET", apiURL, nil)
		r.Header.Set("Authorization", "Bearer "+h.token())
		w := httptest.NewRecorder()
		protect := verifier.Middleware(h, verifier.MiddlewareConfig{})
		protect(verifier.Require(verifier.AllScopes("read:orders", "write:orders"))(http.NotFoundHandler())).ServeHTTP(w, r)
		got := w.Result().Header.Get("WWW-Authenticate")
		if w.Code != 403 || !strings.Contains(got, `error="insufficient_scope"`) || !strings.Contains(got, `scope="read:orders write:orders"`) {
			t.Errorf("%d %q", w.Code, got)
		}
	}},

	// Access tokens.
	{"RFC 9068 4, 2.2: the profile demands at+jwt and its claims", func(t *testing.T, h *dpopHarness) {
		v := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.Profile = verifier.ProfileRFC9068 })
		for typ, ok := range map[string]bool{"at+jwt": true, "application/at+jwt": true, "AT+JWT": true, "JWT": false, "": false} {
			_, err := v.VerifyAccessToken(t.Context(), h.issuer.SignWith(map[string]any{"typ": typ}, h.issuer.Claims(audience, nil)))
			if (err == nil) != ok {
				t.Errorf("typ %q: %v; want ok = %v", typ, err, ok)
			}
		}
		for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} {
			if _, err := v.VerifyAccessToken(t.Context(), h.issuer.Sign(audience, map[string]any{name: nil})); err == nil {
				t.Errorf("accepted without %s", name)
			}
		}
	}},
	{"RFC 9068 4, RFC 7519 4.1.1: iss exact", func(t *testing.T, h *dpopHarness) {
		h.refuse(h.issuer.Sign(audience, map[string]any{"iss": strings.TrimSuffix(h.issuer.URL(), "/")}), reason.IssuerMismatch)
	}},
	{"RFC 7519 4.1.3: aud holds this API", func(t *testing.T, h *dpopHarness) {
		h.accept(h.issuer.Sign(audience, map[string]any{"aud": []string{"x", audience}}))
		for _, aud := range []any{"x", []string{}, []string{"x"}, audience + "/", strings.ToUpper(audience)} {
			h.refuse(h.issuer.Sign(audience, map[string]any{"aud": aud}), reason.Audience)
		}
	}},
	{"RFC 7519 4.1.4, 4.1.5: before exp, not before nbf", func(t *testing.T, h *dpopHarness) {
		now := h.clock.Now().Unix()
		h.refuse(h.issuer.Sign(audience, map[string]any{"exp": now}), reason.Expired)
		h.accept(h.issuer.Sign(audience, map[string]any{"exp": float64(now) + 0.5, "nbf": now}))
		h.refuse(h.issuer.Sign(audience, map[string]any{"nbf": float64(now) + 0.5}), reason.NotYetValid)
	}},
	{"RFC 8725 3.1: the algorithm is the caller's and the key's choice, by exact case", func(t *testing.T, h *dpopHarness) {
		parts := strings.Split(h.token(), ".")
		for _, alg := range []string{"none", "None", "noNE", "HS256", "rs256", "RS384", "PS256", ""} {
			head := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"` + alg + `"}`))
			h.refuse(head+"."+parts[1]+"."+parts[2], reason.Algorithm)
		}
	}},
	{"RFC 8725 3.8, 3.10: kid, jku and x5u are not trusted", func(t *testing.T, h *dpopHarness) {
		for i, kid := range []string{"../../etc/passwd", "' OR 1=1 --", "", strings.Repeat("k", 5000)} {
			want := reason.KeyUnknown
			if i >= 3 { // the limiter keeps us from looking for it
				want = reason.Keys
			}
			h.refuse(h.issuer.SignWith(map[string]any{"kid": kid}, h.issuer.Claims(audience, nil)), want)
		}
		h.requests(1, 3) // the first use, and two attempts for unknown kids
	}},
	{"RFC 8725 3.11, 3.12: other kinds of JWT are no access tokens", func(t *testing.T, h *dpopHarness) {
		for _, typ := range []string{"dpop+jwt", "logout+jwt", "secevent+jwt", "id_token+jwt", "application/dpop+jwt", "oauth-authz-req+jwt"} {
			h.refuse(h.issuer.SignWith(map[string]any{"typ": typ}, h.issuer.Claims(audience, nil)), reason.TokenType)
		}
	}},
	{"RFC 7515 4.1.11, RFC 7797 6: crit and b64 are refused", func(t *testing.T, h *dpopHarness) {
		good := strings.Split(h.token(), ".")
		for _, extra := range []string{`"crit":["exp"]`, `"crit":[]`, `"b64":false`, `"b64":true`} {
			head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256",` + extra + `}`))
			h.refuse(head+"."+good[1]+"."+good[2], reason.TokenCritical)
		}
	}},
	{"RFC 7515 2, RFC 4648 3.5: nothing but canonical base64url", func(t *testing.T, h *dpopHarness) {
		good := h.token()
		for _, token := range []string{good + "=", good + "\n", " " + good, strings.Replace(good, ".", ".\n", 1), good[:len(good)-1] + "+", good + "AAA"} {
			h.refuse(token, reason.TokenMalformed)
		}
	}},
}

func TestChecklist(t *testing.T) {
	for _, item := range checklist {
		t.Run(item.section, func(t *testing.T) {
			t.Parallel()
			h := newDPoPHarness(t, nil)
			h.t = t
			item.test(t, h)
		})
	}
	t.Logf("%d rules", len(checklist))
}

// TestReplayRecordsOutliveTheProof: RFC 9449, Section 11.1, to the second.
func TestReplayRecordsOutliveTheProof(t *testing.T) {
	h := newDPoPHarness(t, nil)
	for _, age := range []time.Duration{-30 * time.Second, 0, 150 * time.Second, 300 * time.Second} {
		iat := h.clock.Now().Add(-age)
		proof := h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"iat": iat.Unix()})
		if _, err := h.send(proof); err != nil {
			t.Fatalf("age %v: %v", age, err)
		}
		for last := iat.Add(300 * time.Second); ; h.clock.Advance(min(time.Minute, last.Sub(h.clock.Now()))) {
			_, err := h.send(proof)
			wantReason(t, err, reason.ProofReplayed)
			if !h.clock.Now().Before(last) {
				break
			}
		}
		h.clock.Advance(time.Second)
		_, err := h.send(proof)
		wantReason(t, err, reason.ProofIssuedAt)
	}
}
