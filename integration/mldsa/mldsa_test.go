package mldsa_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/integration/mldsa"
	"github.com/portcullis-go/portcullis/integration/mldsa/mldsatest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example"

var names = []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}

// world is an issuer and a client with keys of one algorithm, and a Verifier.
type world struct {
	*verifier.Verifier
	t      *testing.T
	issuer *verifiertest.Issuer
	client *verifiertest.DPoPClient
}

func newWorld(t *testing.T, name string, change func(*verifier.Config)) *world {
	t.Helper()
	clock := verifiertest.NewClock(time.Time{})
	issuer := mldsatest.NewIssuer(t, name, verifiertest.WithClock(clock))
	cfg := issuer.Config(audience)
	cfg.SignatureAlgorithms = mldsa.Algorithms()
	cfg.DPoP.Algorithms = []string{"ES256", name}
	if change != nil {
		change(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return &world{v, t, issuer, mldsatest.NewDPoPClient(t, clock, name)}
}

// request is one with a proof, and a token of a usual size bound to its key.
func (w *world) request(options ...verifiertest.ProofOption) *http.Request {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://api.example/orders", nil)
	w.client.Authorize(r, w.token(w.client.Confirmation()), options...)
	return r
}

func (w *world) token(confirmation any) string {
	w.t.Helper()
	return w.issuer.Sign(audience, map[string]any{"cnf": confirmation, "scope": "openid orders:read orders:write"})
}

func (w *world) reasonOf(err error) verifier.Reason {
	w.t.Helper()
	var refusal *verifier.Error
	if !errors.As(err, &refusal) {
		return ""
	}
	return refusal.Reason
}

func TestTokensAndProofs(t *testing.T) {
	for _, name := range names {
		w := newWorld(t, name, nil)
		if _, err := w.VerifyAccessToken(t.Context(), w.token(nil)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		token, err := w.VerifyHTTPRequest(w.request())
		if err != nil || token.Algorithm != name || token.Proof.JWKThumbprint != w.client.Thumbprint() {
			t.Errorf("%s: VerifyHTTPRequest = %v, %v", name, token, err)
		}
		other := mldsatest.NewDPoPClient(t, nil, name)
		r := w.request()
		r.Header.Set("DPoP", other.Proof(http.MethodGet, "https://api.example/orders", strings.TrimPrefix(r.Header.Get("Authorization"), "DPoP ")))
		if _, err := w.VerifyHTTPRequest(r); w.reasonOf(err) != reason.ProofIssuedAt && w.reasonOf(err) != reason.BindingMismatch {
			t.Errorf("%s: another client's proof: %v", name, err)
		}
	}
}

func TestProofFaults(t *testing.T) {
	for _, name := range names {
		w := newWorld(t, name, nil)
		for _, fault := range verifiertest.ProofFaults() {
			if _, err := w.VerifyHTTPRequest(w.request(fault.Options...)); w.reasonOf(err) != fault.Reason {
				t.Errorf("%s, %s: %v; want %s", name, fault.Name, err, fault.Reason)
			}
		}
	}
}

// TestOtherParameterSets: a key is of one parameter set, and a token of another
// one does not fit it.
func TestOtherParameterSets(t *testing.T) {
	for _, name := range names {
		w := newWorld(t, name, func(cfg *verifier.Config) { cfg.Algorithms = names })
		for _, other := range names {
			compact := w.issuer.SignWith(map[string]any{"alg": other}, w.issuer.Claims(audience, nil))
			want := verifier.Reason(reason.KeyUnknown)
			if other == name {
				want = ""
			}
			if _, err := w.VerifyAccessToken(t.Context(), compact); w.reasonOf(err) != want {
				t.Errorf("a token of %s for a key of %s: %v; want %q", other, name, err, want)
			}
		}
	}
}

// TestDamage changes a token in many places.
func TestDamage(t *testing.T) {
	for _, name := range names {
		w := newWorld(t, name, nil)
		compact := w.token(nil)
		dot := strings.LastIndexByte(compact, '.')
		signature, err := base64.RawURLEncoding.DecodeString(compact[dot+1:])
		if err != nil {
			t.Fatal(err)
		}
		damaged := func(change func(s []byte) []byte) string {
			return compact[:dot+1] + base64.RawURLEncoding.EncodeToString(change(append([]byte(nil), signature...)))
		}
		cases := []string{
			damaged(func(s []byte) []byte { return s[:len(s)-1] }),
			damaged(func(s []byte) []byte { return append(s, 0) }),
			damaged(func(s []byte) []byte { return s[:1] }),
			damaged(func(s []byte) []byte { return s[1:] }),
			damaged(func(s []byte) []byte { clear(s); return s }),
		}
		for at := 0; at < len(signature); at += 97 {
			cases = append(cases, damaged(func(s []byte) []byte { s[at] ^= 1; return s }))
		}
		for i, c := range cases {
			if _, err := w.VerifyAccessToken(t.Context(), c); w.reasonOf(err) != reason.Signature {
				t.Errorf("%s, damage %d: %v; want %s", name, i, err, reason.Signature)
			}
		}
	}
}

// TestThumbprint: the key of the seed of zeros has the kid of the example in RFC
// 9964, which is its thumbprint.
func TestThumbprint(t *testing.T) {
	signer := mldsatest.NewSigner(t, "ML-DSA-44", make([]byte, 32))
	client := verifiertest.NewDPoPClientWithSigners(t, nil, func() verifiertest.Signer { return signer })
	const want = "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o"
	if got := client.Thumbprint(); got != want {
		t.Errorf("Thumbprint = %q; want %q", got, want)
	}
	v, err := verifier.New(verifier.Config{
		Domain: "idp.example", Audience: audience, SignatureAlgorithms: mldsa.Algorithms(), DPoP: verifier.DPoPConfig{Algorithms: names},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	proof, err := v.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
		Proof: client.Proof("GET", "https://api.example/", "token"), AccessToken: "token", Method: "GET", URL: "https://api.example/", JWKThumbprint: want,
	})
	if err != nil || proof.JWKThumbprint != want {
		t.Errorf("VerifyDPoPProof = %+v, %v; want the thumbprint %q", proof, err, want)
	}
}

// TestSizes: the lengths that the guide names, within five per cent, and which
// of them pass the defaults.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name         string
		token, proof int
	}{{"ML-DSA-44", 3700, 5900}, {"ML-DSA-65", 4900, 8200}, {"ML-DSA-87", 6650, 11000}} {
		w := newWorld(t, c.name, nil)
		r := w.request()
		token, proof := len(r.Header.Get("Authorization"))-len("DPoP "), len(r.Header.Get("DPoP"))
		near := func(got, want int) bool { return got > want*95/100 && got < want*105/100 }
		if !near(token, c.token) || !near(proof, c.proof) {
			t.Errorf("%s: a token of %d and a proof of %d bytes; want about %d and %d", c.name, token, proof, c.token, c.proof)
		}
		narrow := newWorld(t, c.name, func(cfg *verifier.Config) { cfg.DPoP.MaxProofSize = 1000 })
		_, err := narrow.VerifyHTTPRequest(r)
		if want := "verifier: the DPoP proof is too large (more than 1000 bytes)"; err == nil || err.Error() != want {
			t.Errorf("%s: %v; want %q", c.name, err, want)
		}
	}
}

// TestWithoutTheModule: a key set with ML-DSA keys serves the other algorithms,
// and nothing is accepted that cannot be checked.
func TestWithoutTheModule(t *testing.T) {
	w := newWorld(t, "ML-DSA-44", nil)
	cfg := w.issuer.Config(audience)
	if _, err := verifier.New(cfg); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("New with an algorithm that nothing checks: %v; want %v", err, verifier.ErrConfig)
	}
	cfg.Algorithms = []string{"RS256"}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	if _, err := v.VerifyAccessToken(t.Context(), w.token(nil)); w.reasonOf(err) != reason.Algorithm {
		t.Errorf("a token of ML-DSA-44: %v; want %s", err, reason.Algorithm)
	}
}
