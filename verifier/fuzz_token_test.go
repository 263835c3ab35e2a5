package verifier_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// FuzzAccessToken: no text but one that the issuer signed is an access token.
func FuzzAccessToken(f *testing.F) {
	w := newFuzzWorld(f, nil)
	good := w.token(fuzzHeader, fuzzClaims)
	f.Add(good)
	f.Add(good + "=")
	f.Add(good[:len(good)-4] + "AAAA")
	f.Add(w.token(`{"alg":"none"}`, fuzzClaims))
	f.Add(w.token(`{"alg":"EdDSA","kid":"1","crit":["b64"],"b64":false}`, fuzzClaims))
	f.Add("e30.e30.")
	f.Add("....")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := w.v.VerifyAccessToken(t.Context(), token); err != nil {
			mustBeLegal(t, err)
			return
		}
		w.mustBeGood(t, token)
	})
}

// FuzzSignedToken: what the issuer signs is judged as other readers of JSON
// would judge it, or refused.
func FuzzSignedToken(f *testing.F) {
	w := newFuzzWorld(f, nil)
	f.Add(fuzzHeader, fuzzClaims)
	f.Add(`{"alg":"EdDSA"}`, fuzzClaims)
	f.Add(`{"alg":"EdDSA","typ":"JWT","kid":"1","jwk":{}}`, fuzzClaims)
	for old, new := range map[string]string{
		`"iss":`:     `"ISS":"https://tenant.example.com/","iss":`,
		`"sub":"s"`:  `"sub":"s","sub":"t"`,
		`1767229200`: `1.7672292e9`,
		`"aud":`:     `"\u0061ud":`,
		`"scope"`:    `"cnf":{},"scope"`,
		`"nbf":`:     `"nbf":null,"x":`,
	} {
		f.Add(fuzzHeader, strings.Replace(fuzzClaims, old, new, 1))
	}
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := w.token(header, payload)
		got, err := w.v.VerifyAccessToken(t.Context(), token)
		if err != nil {
			mustBeLegal(t, err)
			return
		}
		w.mustBeGood(t, token)
		var careless map[string]any
		if err := json.Unmarshal([]byte(payload), &careless); err != nil {
			t.Fatal("accepted, but encoding/json does not read it")
		}
		if sub, has := careless["sub"]; has && sub != got.Subject {
			t.Fatalf("Subject %q; encoding/json reads %q", got.Subject, sub)
		}
		if len(got.Claims()) != len(careless) {
			t.Fatalf("%d claims; encoding/json reads %d", len(got.Claims()), len(careless))
		}
		if _, has := careless["cnf"]; has && got.Confirmation == (verifier.Confirmation{}) {
			t.Fatal("a confirmation was ignored")
		}
	})
}

// FuzzAuthorization: whatever the headers hold, the answer is legal, and only
// one good credential is accepted.
func FuzzAuthorization(f *testing.F) {
	w := newFuzzWorld(f, nil)
	token := w.token(fuzzHeader, fuzzClaims)
	bound := w.boundToken()
	proof := w.proof(f, w.proofHeader(), w.proofClaims(bound))
	f.Add("Bearer "+token, "", "")
	f.Add("DPoP "+bound, proof, "")
	f.Add("DPoP "+bound, proof, proof)
	f.Add("Bearer "+bound, "", "")
	f.Add("Bearer "+token+", Bearer "+token, "", "")
	f.Add("Basic Zm9vOmJhcg==", "", "")
	f.Add("\t bEaReR \t"+token+"\t", "", "")
	f.Fuzz(func(t *testing.T, authorization, dpop, second string) {
		h := http.Header{"Authorization": {authorization}}
		if dpop != "" {
			h["Dpop"] = []string{dpop}
		}
		if second != "" {
			h["dpop"] = []string{second}
		}
		got, err := w.v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: fuzzURL, Header: h})
		if err != nil {
			mustBeLegal(t, err)
			return
		}
		scheme, rest, _ := strings.Cut(strings.Trim(authorization, " \t"), " ")
		if i := strings.IndexByte(scheme, '\t'); i >= 0 {
			scheme, rest = scheme[:i], scheme[i:]+" "+rest
		}
		if !strings.EqualFold(scheme, string(got.Scheme)) {
			t.Fatalf("accepted as %s; the scheme was another", got.Scheme)
		}
		w.mustBeGood(t, strings.Trim(rest, " \t"))
		if (got.Scheme == verifier.SchemeDPoP) != (dpop != "" && second == "") && (dpop == "") == (second == "") {
			t.Fatal("accepted with the wrong number of proofs")
		}
	})
}

// FuzzProof: no text but one that the client signed is a proof.
func FuzzProof(f *testing.F) {
	w := newFuzzWorld(f, nil)
	bound := w.boundToken()
	good := w.proof(f, w.proofHeader(), w.proofClaims(bound))
	f.Add(good)
	f.Add(good + ", " + good)
	f.Add(good[:len(good)-4] + "AAAA")
	f.Fuzz(func(t *testing.T, proof string) {
		got, err := w.v.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
			Proof: proof, AccessToken: bound, Method: "GET", URL: fuzzURL, JWKThumbprint: w.thumbprint(),
		})
		if err != nil {
			mustBeLegal(t, err)
			return
		}
		if got.JWKThumbprint != w.thumbprint() || strings.Count(proof, ".") != 2 {
			t.Fatal("accepted from another key")
		}
	})
}

// FuzzSignedProof: what the client signs is judged as other readers of JSON
// would judge it, or refused.
func FuzzSignedProof(f *testing.F) {
	w := newFuzzWorld(f, nil)
	bound := w.boundToken()
	sum := sha256.Sum256([]byte(bound))
	claims := w.proofClaims(bound)
	f.Add(w.proofHeader(), claims)
	f.Add(strings.Replace(w.proofHeader(), `"jwk":{`, `"jwk":{"d":"AA",`, 1), claims)
	f.Add(w.proofHeader(), strings.Replace(claims, "/orders", "/a/../orders?q#f", 1))
	f.Add(w.proofHeader(), strings.Replace(claims, `"jti":"j"`, `"jti":"j","nonce":1`, 1))
	f.Fuzz(func(t *testing.T, header, payload string) {
		got, err := w.v.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
			Proof: w.proof(t, header, payload), AccessToken: bound, Method: "GET", URL: fuzzURL,
		})
		if err != nil {
			mustBeLegal(t, err)
			return
		}
		h, c := decodePart(t, b64([]byte(header))), decodePart(t, b64([]byte(payload)))
		jwk, _ := h["jwk"].(map[string]any)
		own := w.jwk()
		iat, _ := c["iat"].(float64)
		switch {
		case h["alg"] != "ES256" || h["crit"] != nil:
			t.Fatal("accepted with another algorithm or crit")
		case jwk["x"] != own["x"] || jwk["y"] != own["y"] || jwk["d"] != nil || got.JWKThumbprint != w.thumbprint():
			t.Fatal("accepted with another key, or a private one")
		case c["htm"] != "GET" || c["ath"] != b64(sum[:]) || c["jti"] != got.ID || got.ID == "":
			t.Fatal("accepted for another request")
		case iat < fuzzNow-301 || iat > fuzzNow+31:
			t.Fatal("accepted at another time")
		}
	})
}

// FuzzDocuments: whatever an issuer publishes, a token is accepted only with
// its own key in it, from where keys may be; everything else is a refusal or
// "could not decide".
func FuzzDocuments(f *testing.F) {
	w := newFuzzWorld(f, nil)
	token := w.token(fuzzHeader, fuzzClaims)
	const metadata = `{"issuer":"https://tenant.example.com/","jwks_uri":"https://tenant.example.com/jwks"}`
	f.Add([]byte(metadata), w.jwks(), "max-age=600", 200)
	f.Add([]byte(metadata), []byte(`{"keys":[]}`), "no-store", 200)
	f.Add([]byte(metadata), w.jwks(), `private="x", max-age="1"`, 304)
	f.Add([]byte(strings.Replace(metadata, "tenant.example.com/jwks", "evil.example/jwks", 1)), w.jwks(), "", 200)
	f.Add([]byte(strings.Replace(metadata, `com/"`, `com"`, 1)), w.jwks(), "", 203)
	f.Add([]byte("<html>"), []byte("{}"), "max-age=99999999999999999999", 500)
	f.Fuzz(func(t *testing.T, discovery, jwks []byte, cacheControl string, status int) {
		asked := make(map[string]int)
		v, err := verifier.New(verifier.Config{
			Domain: "tenant.example.com", Audience: fuzzAudience, Algorithms: []string{"EdDSA"},
			Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
			Doer: verifier.DoerFunc(func(req *http.Request) (*http.Response, error) {
				asked[req.URL.Scheme+" "+req.URL.Hostname()]++
				rec := httptest.NewRecorder()
				rec.Header()["Cache-Control"] = []string{cacheControl}
				body := discovery
				rec.Code = 200
				if !strings.HasSuffix(req.URL.Path, "/openid-configuration") {
					body, rec.Code = jwks, status
				}
				_, _ = rec.Body.Write(body)
				resp := rec.Result()
				resp.StatusCode = rec.Code
				return resp, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		_, err = v.VerifyAccessToken(t.Context(), token)
		for where := range asked {
			if where != "https tenant.example.com" {
				t.Fatalf("asked %s", where)
			}
		}
		if err != nil {
			if e := mustBeLegal(t, err); e.Status != 401 && !errors.Is(err, verifier.ErrUnavailable) {
				t.Fatalf("%d %s", e.Status, e.Reason)
			}
			return
		}
		var set struct {
			Keys []any `json:"keys"`
		}
		var document map[string]any
		if json.Unmarshal(jwks, &set) != nil || json.Unmarshal(discovery, &document) != nil {
			t.Fatal("accepted with documents that are no JSON")
		}
		found := false
		for _, key := range set.Keys {
			members, _ := key.(map[string]any)
			found = found || members["x"] == b64(w.publicKey())
		}
		if !found || document["issuer"] != fuzzIssuer {
			t.Fatal("accepted with the key of another, or of another issuer")
		}
	})
}

// FuzzChallenges: no configuration and no requirement makes an illegal header.
func FuzzChallenges(f *testing.F) {
	f.Add("api", "read:orders", "https://api.example.com/.well-known/oauth-protected-resource", "a b", "urn:acr")
	f.Add("a\"b\\c", "x\r\nSet-Cookie: a=b", "https://a/\x00", "\xff", "\"")
	token := &verifier.Token{}
	f.Fuzz(func(t *testing.T, realm, challengeScope, resource, scope, acr string) {
		cfg := verifier.Config{
			Domain: "tenant.example.com", Audience: "a", Realm: realm, ChallengeScope: challengeScope, ResourceMetadataURL: resource,
			Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("none") }),
		}
		if v, err := verifier.New(cfg); err == nil {
			defer v.Close()
			for _, h := range []http.Header{{}, {"Authorization": {"Bearer x"}}, {"Authorization": {"DPoP x"}}} {
				_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: fuzzURL, Header: h})
				mustBeLegal(t, err)
			}
		} else if !errors.Is(err, verifier.ErrConfig) {
			t.Fatal(err)
		}
		for _, requirement := range []verifier.Requirement{
			verifier.AllScopes(scope), verifier.AnyScope(scope), verifier.AllPermissions(scope),
			verifier.Authenticated(verifier.StepUp{ACRValues: []string{acr}}),
		} {
			if err := verifier.Meets(t.Context(), token, requirement); err != nil {
				if !errors.Is(err, verifier.ErrArgument) { // no requirement, but a mistake
					mustBeLegal(t, err)
				}
				rec := httptest.NewRecorder()
				verifier.WriteError(rec, err)
				if !json.Valid(rec.Body.Bytes()) {
					t.Fatalf("body %q", rec.Body)
				}
			}
		}
	})
}
