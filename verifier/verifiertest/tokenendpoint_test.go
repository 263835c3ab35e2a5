package verifiertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// post sends a token request and returns the status and error code.
func post(t *testing.T, issuer *verifiertest.Issuer, form url.Values, header http.Header) (status int, answer map[string]any, got http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer.URL()+"oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := issuer.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer, resp.Header
}

func signWith(t *testing.T, key any, alg jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRequirePrivateKeyJWT: each rule of RFC 7523, Section 3, broken alone.
func TestRequirePrivateKeyJWT(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"), verifiertest.WithClock(clock))
	issuer.RequirePrivateKeyJWT("c", key.Public(), "ES256")
	now := clock.Now().Unix()
	good := map[string]any{"iss": "c", "sub": "c", "aud": "https://tenant.example/", "jti": "1", "iat": now, "exp": now + 60}
	form := func(assertion string) url.Values {
		return url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}
	}
	tests := []struct {
		name  string
		claim string
		value any
		want  int
	}{
		{"good", "", nil, 200},
		{"seen before", "", nil, 401},
		{"another issuer", "iss", "d", 401}, {"another subject", "sub", "d", 401}, {"token endpoint", "aud", "https://tenant.example/oauth/token", 401},
		{"several audiences", "aud", []string{"https://tenant.example/", "x"}, 401}, {"expired", "exp", now, 401}, {"lives long", "exp", now + 3600, 401},
		{"from the future", "iat", now + 600, 401}, {"no jti", "jti", 5, 401}, {"no exp", "exp", "soon", 401},
	}
	for i, test := range tests {
		claims := maps.Clone(good)
		if test.claim != "" {
			claims["jti"] = "other-" + string(rune('a'+i))
			claims[test.claim] = test.value
		}
		if status, answer, _ := post(t, issuer, form(signWith(t, key, jose.ES256, claims)), nil); status != test.want {
			t.Errorf("%s: %d %v; want %d", test.name, status, answer, test.want)
		}
	}
	fresh := func(id string) map[string]any {
		claims := maps.Clone(good)
		claims["jti"] = id
		return claims
	}
	withSecret := form(signWith(t, key, jose.ES256, fresh("x")))
	withSecret.Set("client_secret", "s")
	otherClient := form(signWith(t, key, jose.ES256, fresh("y")))
	otherClient.Set("client_id", "d")
	for name, form := range map[string]url.Values{
		"no assertion": {}, "another key": form(signWith(t, other, jose.ES256, fresh("z"))), "another algorithm": form(signWith(t, []byte(strings.Repeat("k", 32)), jose.HS256, fresh("w"))),
		"no JWS": form("x"), "two ways": withSecret, "another client_id": otherClient, "another type": {"client_assertion": {signWith(t, key, jose.ES256, fresh("v"))}},
	} {
		if status, answer, _ := post(t, issuer, form, nil); status != 401 || answer["error"] != "invalid_client" {
			t.Errorf("%s: %d %v; want 401 invalid_client", name, status, answer)
		}
	}
}

// TestRequireDPoP: the rules of RFC 9449, Sections 5 and 8.
func TestRequireDPoP(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"), verifiertest.WithClock(clock))
	issuer.RequireDPoP("")
	client := verifiertest.NewDPoPClient(t, clock, "")
	const endpoint = "https://tenant.example/oauth/token"
	proof := func(header, claims map[string]any) http.Header {
		return http.Header{"Dpop": {client.ProofWith("POST", endpoint, "", header, claims)}}
	}
	if status, answer, _ := post(t, issuer, nil, proof(nil, nil)); status != 200 || answer["token_type"] != "DPoP" {
		t.Errorf("good proof: %d %v", status, answer)
	}
	repeated := proof(nil, nil)
	_, _, _ = post(t, issuer, nil, repeated)
	for name, header := range map[string]http.Header{
		"none": nil, "seen before": repeated, "two": {"Dpop": {repeated.Get("Dpop"), repeated.Get("Dpop")}}, "no JWS": {"Dpop": {"x"}},
		"method": {"Dpop": {client.Proof("GET", endpoint, "")}}, "URL": {"Dpop": {client.Proof("POST", "https://other.example/oauth/token", "")}},
		"typ": proof(map[string]any{"typ": "JWT"}, nil), "no key": proof(map[string]any{"jwk": nil}, nil), "old": proof(nil, map[string]any{"iat": 1}), "no jti": proof(nil, map[string]any{"jti": ""}),
		"jti of another type": proof(nil, map[string]any{"jti": 5}),
	} {
		if status, answer, _ := post(t, issuer, nil, header); status != 400 || answer["error"] != "invalid_dpop_proof" {
			t.Errorf("%s: %d %v; want 400 invalid_dpop_proof", name, status, answer)
		}
	}
	issuer.RequireDPoP("n-1")
	if status, answer, header := post(t, issuer, nil, proof(nil, nil)); status != 400 || answer["error"] != "use_dpop_nonce" || header.Get("DPoP-Nonce") != "n-1" {
		t.Errorf("without nonce: %d %v %v", status, answer, header)
	}
	if status, answer, _ := post(t, issuer, nil, proof(nil, map[string]any{"nonce": "n-1"})); status != 200 {
		t.Errorf("with nonce: %d %v", status, answer)
	}
}

func TestRequireSecrets(t *testing.T) {
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
	basic := func(id, secret string) http.Header {
		r, err := http.NewRequest("POST", "https://x.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		return r.Header
	}
	inForm := url.Values{"client_id": {"c"}, "client_secret": {"s:1"}}
	tests := []struct {
		name   string
		form   url.Values
		header http.Header
		basic  int
		post   int
	}{
		{"header", nil, basic("c", "s:1"), 200, 401}, {"form", inForm, nil, 401, 200}, {"both", inForm, basic("c", "s:1"), 401, 401}, {"none", nil, nil, 401, 401},
		{"wrong secret", nil, basic("c", "s:2"), 401, 401}, {"wrong client", url.Values{"client_id": {"d"}, "client_secret": {"s:1"}}, basic("d", "s:1"), 401, 401},
	}
	for _, test := range tests {
		issuer.RequireClientSecretBasic("c", "s:1")
		if status, answer, _ := post(t, issuer, test.form, test.header); status != test.basic {
			t.Errorf("%s, basic: %d %v; want %d", test.name, status, answer, test.basic)
		}
		issuer.RequireClientSecretPost("c", "s:1")
		if status, answer, _ := post(t, issuer, test.form, test.header); status != test.post {
			t.Errorf("%s, post: %d %v; want %d", test.name, status, answer, test.post)
		}
	}
	// Without TLS there is no certificate.
	issuer.RequireClientCertificate("c", x509.NewCertPool())
	if status, _, _ := post(t, issuer, url.Values{"client_id": {"c"}}, nil); status != 401 {
		t.Errorf("no certificate: %d; want 401", status)
	}
}
