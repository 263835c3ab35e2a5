package verifier_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

const (
	fuzzIssuer   = "https://tenant.example.com/"
	fuzzAudience = "https://api.example.com/"
	fuzzURL      = "https://api.example.com/orders"
	fuzzNow      = 1_767_225_600
)

// fuzzWorld is an issuer and a client whose keys are the same in every process
// of a fuzzer, and a Verifier that trusts the issuer.
type fuzzWorld struct {
	issuer ed25519.PrivateKey
	client *ecdsa.PrivateKey
	v      *verifier.Verifier
}

func newFuzzWorld(tb testing.TB, change func(*verifier.Config)) *fuzzWorld {
	tb.Helper()
	w := &fuzzWorld{issuer: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	scalar := make([]byte, 32)
	scalar[31] = 7
	client, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		tb.Fatal(err)
	}
	w.client = client
	cfg := verifier.Config{
		Issuers:  []verifier.Issuer{{Name: "tenant.example.com"}},
		Audience: fuzzAudience, Algorithms: []string{"EdDSA"},
		Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
		DPoP:  verifier.DPoPConfig{AllowReplays: true},
	}
	useFetcher(&cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
		return verifier.KeySet{Issuer: req.Issuer, JWKS: w.jwks()}, nil
	}))
	if change != nil {
		change(&cfg)
	}
	if w.v, err = verifier.New(cfg); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.v.Close() })
	return w
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func (w *fuzzWorld) publicKey() ed25519.PublicKey { return w.issuer.Public().(ed25519.PublicKey) }

func (w *fuzzWorld) jwks() []byte {
	return []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","use":"sig","x":"` + b64(w.publicKey()) + `"}]}`)
}

// token signs whatever it is given.
func (w *fuzzWorld) token(header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(ed25519.Sign(w.issuer, []byte(input)))
}

const (
	fuzzHeader = `{"alg":"EdDSA","typ":"at+jwt","kid":"1"}`
	fuzzClaims = `{"iss":"https://tenant.example.com/","sub":"s","aud":["x","https://api.example.com/"],"exp":1767229200,"iat":1767225540,"nbf":1767225540.5,"scope":"a b"}`
)

func (w *fuzzWorld) jwk() map[string]any {
	point, err := w.client.PublicKey.Bytes()
	if err != nil {
		return nil
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func (w *fuzzWorld) thumbprint() string {
	jwk := w.jwk()
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + jwk["x"].(string) + `","y":"` + jwk["y"].(string) + `"}`))
	return b64(sum[:])
}

func (w *fuzzWorld) proofHeader() string {
	data, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": w.jwk()})
	if err != nil {
		return ""
	}
	return string(data)
}

func (w *fuzzWorld) proofClaims(token string) string {
	sum := sha256.Sum256([]byte(token))
	data, err := json.Marshal(map[string]any{"jti": "j", "htm": "GET", "htu": fuzzURL, "iat": fuzzNow, "ath": b64(sum[:])})
	if err != nil {
		return ""
	}
	return string(data)
}

// proof signs whatever it is given.
func (w *fuzzWorld) proof(tb testing.TB, header, payload string) string {
	tb.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, w.client, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(signature)
}

// boundToken is bound to the client's key.
func (w *fuzzWorld) boundToken() string {
	return w.token(fuzzHeader, strings.TrimSuffix(fuzzClaims, "}")+`,"cnf":{"jkt":"`+w.thumbprint()+`"}}`)
}

// decode reads a part of a JWS as a careless reader would.
func decodePart(t *testing.T, part string) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal("accepted, but a part is not base64url")
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal("accepted, but a part is no JSON object")
	}
	return m
}

// mustBeGood fails unless a token that was accepted is what other readers
// would accept too.
func (w *fuzzWorld) mustBeGood(t *testing.T, token string) {
	t.Helper()
	part := strings.Split(token, ".")
	if len(part) != 3 {
		t.Fatal("accepted, but not of three parts")
	}
	signature, err := base64.RawURLEncoding.DecodeString(part[2])
	if err != nil || !ed25519.Verify(w.publicKey(), []byte(part[0]+"."+part[1]), signature) {
		t.Fatal("accepted without a signature of the issuer's key")
	}
	header, claims := decodePart(t, part[0]), decodePart(t, part[1])
	if header["alg"] != "EdDSA" || header["crit"] != nil {
		t.Fatal("accepted with another algorithm or crit")
	}
	audience, _ := claims["aud"].([]any)
	if claims["aud"] != fuzzAudience && !slices.Contains(audience, any(fuzzAudience)) {
		t.Fatal("accepted for another audience")
	}
	if exp, ok := claims["exp"].(float64); !ok || exp <= fuzzNow {
		t.Fatal("accepted after its time")
	}
	if nbf, has := claims["nbf"].(float64); has && nbf > fuzzNow+1 {
		t.Fatal("accepted before its time")
	}
	if claims["iss"] != fuzzIssuer {
		t.Fatal("accepted of another issuer")
	}
}

// legalChallenge: a scheme and parameters that are quoted-strings of what RFC
// 6750, Section 3 allows.
var legalChallenge = regexp.MustCompile(`^(Bearer|DPoP) [a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*"(, [a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")*$`)

// mustBeLegal fails unless an error is an *Error whose answer can be sent.
func mustBeLegal(t *testing.T, err error) *verifier.Error {
	t.Helper()
	var e *verifier.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *Error", err)
	}
	if !slices.Contains([]int{400, 401, 403, 503}, e.Status) {
		t.Fatalf("status %d, %s", e.Status, e.Reason)
	}
	h := make(http.Header)
	e.WriteHeaders(h)
	for _, challenge := range h["Www-Authenticate"] {
		if !legalChallenge.MatchString(challenge) {
			t.Fatalf("illegal challenge %q", challenge)
		}
	}
	return e
}

// fixedPublicKey is a key of nobody.
func fixedPublicKey(seed byte) ed25519.PublicKey {
	text := make([]byte, ed25519.SeedSize)
	text[0] = seed
	return ed25519.NewKeyFromSeed(text).Public().(ed25519.PublicKey)
}
