package verdicts_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/portcullis-go/portcullis/verifier"
)

const (
	issuer   = "https://tenant.example.com/"
	audience = "https://api.example.com/"
	target   = "https://api.example.com/orders"
	now      = 1_767_225_600
)

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// world has one key of each kind.
type world struct {
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	okp   ed25519.PrivateKey
	names []string // of algorithms, in the order of sign
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{names: []string{"RS256", "PS256", "ES256", "EdDSA"}}
	var err error
	if w.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		tb.Fatal(err)
	}
	if w.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		tb.Fatal(err)
	}
	if _, w.okp, err = ed25519.GenerateKey(rand.Reader); err != nil {
		tb.Fatal(err)
	}
	return w
}

// sign signs a header and a payload, whatever they are, the way of one
// algorithm.
func (w *world) sign(tb testing.TB, way byte, header, payload string) string {
	tb.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch w.names[int(way)%len(w.names)] {
	case "RS256":
		signature, err = rsa.SignPKCS1v15(nil, w.rsa, crypto.SHA256, sum[:])
	case "PS256":
		signature, err = rsa.SignPSS(rand.Reader, w.rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES256":
		r, s, signErr := ecdsa.Sign(rand.Reader, w.ec, sum[:])
		if err = signErr; err == nil {
			signature = make([]byte, 64)
			r.FillBytes(signature[:32])
			s.FillBytes(signature[32:])
		}
	default:
		signature = ed25519.Sign(w.okp, []byte(input))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + b64(signature)
}

// members returns the JSON members of the public keys.
func (w *world) members(tb testing.TB) (rsa, ec, okp string) {
	tb.Helper()
	point, err := w.ec.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	rsa = `"kty":"RSA","e":"AQAB","n":"` + b64(w.rsa.N.Bytes()) + `"`
	ec = `"kty":"EC","crv":"P-256","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"`
	okp = `"kty":"OKP","crv":"Ed25519","x":"` + b64(w.okp.Public().(ed25519.PublicKey)) + `"`
	return rsa, ec, okp
}

// expand puts the keys into a document that says $RSA, $EC and $OKP.
func (w *world) expand(tb testing.TB, document string) string {
	rsa, ec, okp := w.members(tb)
	return strings.NewReplacer("$RSA", rsa, "$EC", ec, "$OKP", okp).Replace(document)
}

const keys = `{"keys":[{$RSA,"kid":"r","use":"sig"},{$EC,"kid":"e","alg":"ES256"},{$OKP,"kid":"o"}]}`

func ours(tb testing.TB, document string, algorithms []string) *verifier.Verifier {
	tb.Helper()
	v, err := verifier.New(verifier.Config{
		Issuers:  []verifier.Issuer{{Name: "tenant.example.com", Keys: verifier.KeysStatic([]byte(document))}},
		Audience: audience, Algorithms: algorithms,
		Clock: verifier.ClockFunc(func() time.Time { return time.Unix(now, 0) }),
		DPoP:  verifier.DPoPConfig{AllowReplays: true},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = v.Close() })
	return v
}

// theirs verifies a token under the same rules. The check of iat against the
// clock is left out: RFC 7519 has none.
func theirs(document, token string) (jwt.Token, error) {
	set, err := jwk.Parse([]byte(document), jwk.WithIgnoreParseError(true))
	if err != nil {
		return nil, err
	}
	return jwt.Parse([]byte(token),
		jwt.WithKeySet(set, jws.WithInferAlgorithmFromKey(true), jws.WithRequireKid(false), jws.WithMultipleKeysPerKeyID(true)),
		jwt.WithResetValidators(true),
		jwt.WithValidator(jwt.IsExpirationValid()), jwt.WithValidator(jwt.IsNbfValid()),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithRequiredClaim("exp"), jwt.WithRequiredClaim("iat"),
		jwt.WithClock(jwt.ClockFunc(func() time.Time { return time.Unix(now, 0) })))
}

// only drops the members of an object that are not named: those that are
// ignored here, such as x5c, but read and perhaps refused there.
func only(object map[string]any, names ...string) map[string]any {
	kept := make(map[string]any)
	for _, name := range names {
		if value, has := object[name]; has {
			kept[name] = value
		}
	}
	return kept
}

// plainHeader and plainKeys are the documents without what is ignored here.
func plainHeader(text string) string {
	var header map[string]any
	if json.Unmarshal([]byte(text), &header) != nil {
		return text
	}
	return encode(only(header, "alg", "kid", "typ"))
}

func plainKeys(text string) string {
	var set struct {
		Keys []any `json:"keys"`
	}
	if json.Unmarshal([]byte(text), &set) != nil {
		return text
	}
	var keys []any
	for _, key := range set.Keys {
		if members, ok := key.(map[string]any); ok {
			keys = append(keys, only(members, "kty", "crv", "n", "e", "x", "y", "kid", "use", "key_ops", "alg"))
		}
	}
	return encode(map[string]any{"keys": keys})
}

func encode(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(data)
}

const (
	header = `{"alg":"%s","typ":"at+jwt","kid":"%s"}`
	claims = `{"iss":"https://tenant.example.com/","sub":"s","aud":"https://api.example.com/","exp":1767229200,"iat":1767225540}`
)

// FuzzToken: tokens that the issuer signed, of any content.
func FuzzToken(f *testing.F) {
	w := newWorld(f)
	document := w.expand(f, keys)
	v := ours(f, document, w.names)
	for way, kid := range []string{"r", "r", "e", "o"} {
		f.Add(byte(way), fmt.Sprintf(header, w.names[way], kid), claims)
	}
	f.Add(byte(2), `{"alg":"ES256"}`, strings.Replace(claims, `"exp"`, `"nbf":1767225599.5,"cnf":{"jkt":"x"},"exp"`, 1))
	f.Add(byte(3), `{"alg":"EdDSA","typ":"application/at+jwt","kid":"o","x5c":[],"jwk":{}}`, strings.Replace(claims, `"https://api.example.com/"`, `["a","https://api.example.com/"]`, 1))
	f.Fuzz(func(t *testing.T, way byte, header, payload string) {
		token := w.sign(t, way, header, payload)
		got, err := v.VerifyAccessToken(t.Context(), token)
		if err != nil {
			return
		}
		other, err := theirs(document, token)
		if err != nil {
			other, err = theirs(document, w.sign(t, way, plainHeader(header), payload))
		}
		if err != nil {
			t.Fatalf("accepted here, refused there: %v\nheader %s\npayload %s", err, header, payload)
		}
		if sub, has := other.Subject(); has && sub != got.Subject || !has && got.Subject != "" {
			t.Fatalf("subject %q here, %q there", got.Subject, sub)
		}
	})
}

// FuzzKeySet: key sets of any form, with tokens of every key.
func FuzzKeySet(f *testing.F) {
	w := newWorld(f)
	f.Add(keys, "r")
	f.Add(`{"keys":[{$RSA},{$EC,"key_ops":["verify"]},{$OKP,"alg":"Ed25519"}]}`, "")
	f.Add(`{"keys":[{"kty":"AKP","kid":"x"},1,{$EC,"kid":"e"},{$EC,"kid":"e"}],"x":{"keys":[]}}`, "e")
	f.Add(`{"keys":[{$RSA,"kid":"r","x5c":["AA"],"x5u":"https://evil.example/"}]}`, "r")
	f.Fuzz(func(t *testing.T, template, kid string) {
		document := w.expand(t, template)
		v := ours(t, document, w.names)
		for way, name := range w.names {
			h := map[string]string{"alg": name, "typ": "at+jwt"}
			if kid != "" {
				h["kid"] = kid
			}
			token := w.sign(t, byte(way), encode(h), claims)
			if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
				continue
			}
			if _, err := theirs(document, token); err == nil {
				continue
			}
			if _, err := theirs(plainKeys(document), token); err != nil {
				t.Fatalf("%s accepted here, refused there: %v\n%s", name, err, template)
			}
		}
	})
}

// FuzzProof: proofs that a client signed, of any content. There it is a JWS
// whose key is in its header.
func FuzzProof(f *testing.F) {
	w := newWorld(f)
	v := ours(f, w.expand(f, keys), w.names)
	sum := sha256.Sum256([]byte("token"))
	payload := fmt.Sprintf(`{"jti":"j","htm":"GET","htu":"%s","iat":%d,"ath":"%s"}`, target, now, b64(sum[:]))
	f.Add(`{"typ":"dpop+jwt","alg":"ES256","jwk":{$EC}}`, payload)
	f.Add(`{"typ":"dpop+jwt","alg":"ES256","jwk":{$EC,"alg":"ES256","use":"sig"},"kid":"x"}`, payload)
	f.Fuzz(func(t *testing.T, template, payload string) {
		proof := w.sign(t, 2, w.expand(t, template), payload)
		got, err := v.VerifyDPoPProof(t.Context(), verifier.ProofRequest{Proof: proof, AccessToken: "token", Method: http.MethodGet, URL: target})
		if err != nil {
			return
		}
		message, err := jws.Parse([]byte(proof))
		if err != nil {
			t.Fatalf("accepted here, not read there: %v", err)
		}
		key, ok := message.Signatures()[0].ProtectedHeaders().JWK()
		if !ok {
			t.Fatal("accepted here, without key there")
		}
		algorithm, _ := message.Signatures()[0].ProtectedHeaders().Algorithm()
		if _, err := jws.Verify([]byte(proof), jws.WithKey(algorithm, key)); err != nil {
			t.Fatalf("accepted here, refused there: %v", err)
		}
		thumbprint, err := key.Thumbprint(crypto.SHA256)
		if err != nil || b64(thumbprint) != got.JWKThumbprint {
			t.Fatalf("thumbprint %q here, %q there", got.JWKThumbprint, b64(thumbprint))
		}
	})
}

// TestTheSeedsAreAccepted makes sure that the comparison compares something.
func TestTheSeedsAreAccepted(t *testing.T) {
	w := newWorld(t)
	document := w.expand(t, keys)
	v := ours(t, document, w.names)
	for way, kid := range []string{"r", "r", "e", "o"} {
		token := w.sign(t, byte(way), fmt.Sprintf(header, w.names[way], kid), claims)
		if _, err := v.VerifyAccessToken(t.Context(), token); err != nil {
			t.Errorf("%s here: %v", w.names[way], err)
		}
		if _, err := theirs(document, token); err != nil {
			t.Errorf("%s there: %v", w.names[way], err)
		}
		spoilt := token[:len(token)-8] + "AAAAAAAA"
		if _, err := theirs(document, spoilt); err == nil {
			t.Errorf("%s there: a spoilt signature is accepted", w.names[way])
		}
	}
}
