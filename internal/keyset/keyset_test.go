package keyset_test

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
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

func newKey(t testing.TB, algorithm string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch algorithm[:2] {
	case "RS", "PS":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES":
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[algorithm]
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// jwk returns the members of a public key, as go-jose writes them, with changes.
func jwk(t testing.TB, key crypto.Signer, change map[string]any) map[string]any {
	t.Helper()
	data, err := jose.JSONWebKey{Key: key.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range change {
		members[name] = value
	}
	return members
}

func set(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var algorithmNames = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}

// TestVerifyAgreesWithGoJose signs with go-jose, and spoils every part.
func TestVerifyAgreesWithGoJose(t *testing.T) {
	for _, name := range algorithmNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, other := newKey(t, name), newKey(t, name)
			joseName := jose.SignatureAlgorithm(strings.Replace(name, "Ed25519", "EdDSA", 1))
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: joseName, Key: key}, nil)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign([]byte(`{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			text, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			dot := strings.LastIndexByte(text, '.')
			signature, err := base64.RawURLEncoding.DecodeString(text[dot+1:])
			if err != nil {
				t.Fatal(err)
			}
			a := keyset.AlgorithmByName(name)
			if !a.Verify(key.Public(), text[:dot], signature) {
				t.Fatal("a good signature is refused")
			}
			for what, ok := range map[string]bool{
				"other key":      a.Verify(other.Public(), text[:dot], signature),
				"other input":    a.Verify(key.Public(), text[:dot]+"x", signature),
				"no signature":   a.Verify(key.Public(), text[:dot], nil),
				"cut":            a.Verify(key.Public(), text[:dot], signature[1:]),
				"longer":         a.Verify(key.Public(), text[:dot], append(signature[:len(signature):len(signature)], 0)),
				"zeros":          a.Verify(key.Public(), text[:dot], make([]byte, len(signature))),
				"no key":         a.Verify(nil, text[:dot], signature),
				"wrong key type": a.Verify("key", text[:dot], signature),
			} {
				if ok {
					t.Errorf("%s: accepted", what)
				}
			}
			for _, name := range algorithmNames {
				if b := keyset.AlgorithmByName(name); name[0:2] != a.Name[0:2] && b.Verify(key.Public(), text[:dot], signature) {
					t.Errorf("%s accepts a signature of %s", name, a.Name)
				}
			}
		})
	}
	for _, name := range []string{"none", "HS256", "rs256", "RS256 ", "", "ES256K", "RSA-OAEP"} {
		if keyset.AlgorithmByName(name) != nil {
			t.Errorf("algorithm %q exists", name)
		}
	}
}

// TestCurveBelongsToTheAlgorithm: RFC 7518, Section 3.4.
func TestCurveBelongsToTheAlgorithm(t *testing.T) {
	key := newKey(t, "ES384").(*ecdsa.PrivateKey)
	sum := sha256.Sum256([]byte("input"))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 96)
	r.FillBytes(signature[:48])
	s.FillBytes(signature[48:])
	if keyset.AlgorithmByName("ES256").Verify(key.Public(), "input", signature) {
		t.Error("ES256 accepts a key of P-384")
	}
}

func TestParseSkipsWhatItCannotUse(t *testing.T) {
	rsaKey, ecKey, edKey := newKey(t, "RS256"), newKey(t, "ES256"), newKey(t, "EdDSA")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"kid": "good"}
	for name, bad := range map[string]map[string]any{
		"unknown kty":          {"kty": "AKP", "kid": "x", "alg": "ML-DSA-44", "pub": "AAAA"},
		"symmetric":            {"kty": "oct", "k": "AAAA"},
		"no kty":               {"kid": "x"},
		"kty number":           {"kty": 1},
		"kid number":           jwk(t, rsaKey, map[string]any{"kid": 1}),
		"alg number":           jwk(t, rsaKey, map[string]any{"alg": 1}),
		"for encryption":       jwk(t, rsaKey, map[string]any{"use": "enc"}),
		"use number":           jwk(t, rsaKey, map[string]any{"use": 1}),
		"key_ops sign":         jwk(t, rsaKey, map[string]any{"key_ops": []string{"sign", "encrypt"}}),
		"key_ops text":         jwk(t, rsaKey, map[string]any{"key_ops": "verify"}),
		"1024 bits":            jwk(t, weak, nil),
		"exponent 1":           jwk(t, rsaKey, map[string]any{"e": "AQ"}),
		"exponent even":        jwk(t, rsaKey, map[string]any{"e": "Ag"}),
		"exponent huge":        jwk(t, rsaKey, map[string]any{"e": "AQAAAAAB"}),
		"n missing":            {"kty": "RSA", "e": "AQAB"},
		"n padded":             jwk(t, rsaKey, map[string]any{"n": "AAAA=="}),
		"n with a line break":  jwk(t, rsaKey, map[string]any{"n": "AA\nAA"}),
		"n huge":               jwk(t, rsaKey, map[string]any{"n": strings.Repeat("A", 4000)}),
		"private RSA":          jwk(t, rsaKey, map[string]any{"d": "AAAA"}),
		"private EC":           jwk(t, ecKey, map[string]any{"d": "AAAA"}),
		"not on the curve":     jwk(t, ecKey, map[string]any{"x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}),
		"short coordinate":     jwk(t, ecKey, map[string]any{"x": "AAAA"}),
		"unknown curve":        jwk(t, ecKey, map[string]any{"crv": "secp256k1"}),
		"OKP X25519":           jwk(t, edKey, map[string]any{"crv": "X25519"}),
		"OKP short":            jwk(t, edKey, map[string]any{"x": "AAAA"}),
		"even modulus":         jwk(t, rsaKey, map[string]any{"n": base64.RawURLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 255)...))}),
		"EC without y":         {"kty": "EC", "crv": "P-256", "x": "AAAA"},
		"members as an array":  nil,
		"certificate chain":    {"kty": "RSA", "x5c": []string{"AAAA"}},
		"certificate location": {"kty": "RSA", "x5u": "https://evil.example/"},
	} {
		parsed, err := keyset.Parse(set(t, bad, jwk(t, rsaKey, good)), nil)
		if name == "members as an array" {
			parsed, err = keyset.Parse([]byte(`{"keys":[[],"x",1,null,`+string(set(t, jwk(t, rsaKey, good)))[len(`{"keys":[`):]), nil)
		}
		if err != nil || parsed.Len() != 1 || !parsed.HasID("good") {
			t.Errorf("%s: %v; want the good key alone", name, err)
		}
		if bad != nil {
			if _, err := keyset.Parse(set(t, bad), nil); !errors.Is(err, keyset.ErrNoUsable) {
				t.Errorf("%s alone: %v; want ErrNoUsable", name, err)
			}
		}
	}
	for text, want := range map[string]error{
		``: keyset.ErrDocument, `[]`: keyset.ErrDocument, `{}`: keyset.ErrDocument, `{"keys":{}}`: keyset.ErrDocument, `{"keys":[]`: keyset.ErrDocument,
		`<html>`: keyset.ErrDocument, `{"keys":[],"keys":[]}`: keyset.ErrDocument, `{"Keys":[]}`: keyset.ErrDocument, `{"keys":[]}`: keyset.ErrNoUsable,
		`{"keys":[{}` + strings.Repeat(",{}", keyset.MaxKeys) + `]}`: keyset.ErrTooMany,
	} {
		if _, err := keyset.Parse([]byte(text), nil); !errors.Is(err, want) {
			t.Errorf("%.40q: %v; want %v", text, err, want)
		}
	}
}

func TestCandidates(t *testing.T) {
	one, two, ec := newKey(t, "RS256"), newKey(t, "RS256"), newKey(t, "ES256")
	rs256, es256 := keyset.AlgorithmByName("RS256"), keyset.AlgorithmByName("ES256")
	parse := func(keys ...map[string]any) *keyset.Set {
		t.Helper()
		s, err := keyset.Parse(set(t, keys...), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	count := func(s *keyset.Set, kid string, has bool, a *keyset.Algorithm) int {
		return len(s.Candidates(nil, kid, has, a))
	}
	mixed := parse(jwk(t, one, map[string]any{"kid": "a", "alg": "RS256"}), jwk(t, ec, map[string]any{"kid": "a"}), jwk(t, two, map[string]any{"kid": "b", "alg": "RS512"}))
	for _, c := range []struct {
		what string
		got  int
		want int
	}{
		{"a kid of two types, RS256", count(mixed, "a", true, rs256), 1},
		{"a kid of two types, ES256", count(mixed, "a", true, es256), 1},
		{"the key's own alg differs", count(mixed, "b", true, rs256), 0},
		{"unknown kid", count(mixed, "c", true, rs256), 0},
		{"empty kid", count(mixed, "", true, rs256), 0},
		{"case of kid", count(mixed, "A", true, rs256), 0},
		{"no kid, one fits", count(mixed, "", false, rs256), 1},
		{"no kid, two fit", count(parse(jwk(t, one, nil), jwk(t, two, nil)), "", false, rs256), 0},
		{"same kid twice", count(parse(jwk(t, one, map[string]any{"kid": "a"}), jwk(t, two, map[string]any{"kid": "a"})), "a", true, rs256), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d candidates; want %d", c.what, c.got, c.want)
		}
	}
	var many []map[string]any
	for range 50 {
		many = append(many, jwk(t, one, map[string]any{"kid": "a"}))
	}
	if got := count(parse(many...), "a", true, rs256); got > 4 {
		t.Errorf("%d candidates of 50 with one kid; want a few", got)
	}
}

// TestECDSAIntegers compares with crypto/ecdsa's own reading of R and S, above
// all for integers with zeros in front and with their first bit set.
func TestECDSAIntegers(t *testing.T) {
	for name, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		a, size := keyset.AlgorithmByName(name), (curve.Params().BitSize+7)/8
		hash := map[string]crypto.Hash{"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512}[name]
		digester := hash.New()
		digester.Write([]byte("input"))
		digest := digester.Sum(nil)
		check := func(r, s *big.Int) {
			t.Helper()
			raw := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
			if got, want := a.Verify(&key.PublicKey, "input", raw), ecdsa.Verify(&key.PublicKey, digest, r, s); got != want {
				t.Fatalf("%s: Verify(r %x, s %x) = %v; want %v", name, r, s, got, want)
			}
		}
		// Until there was one with a zero octet in front, which takes long on the
		// larger curves and is not needed there: the code is the same.
		for short, long := 0, 0; long < 6 || short == 0 && name == "ES256"; {
			r, s, err := ecdsa.Sign(rand.Reader, key, digest)
			if err != nil {
				t.Fatal(err)
			}
			if r.BitLen() <= curve.Params().BitSize-8 {
				short++
			} else {
				long++
			}
			check(r, s)
			if long > 2 {
				continue
			}
			check(s, r)
			check(new(big.Int), s)
			check(r, new(big.Int))
			check(r, big.NewInt(0x80))
			check(r, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*size)), big.NewInt(1)))
			check(r, curve.Params().N)
		}
	}
}

func TestSameKeys(t *testing.T) {
	one, two := newKey(t, "ES256"), newKey(t, "ES256")
	parse := func(keys ...map[string]any) *keyset.Set {
		s, err := keyset.Parse(set(t, keys...), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := jwk(t, one, map[string]any{"kid": "a"}), jwk(t, two, map[string]any{"kid": "b"})
	both := parse(a, b)
	if !both.SameKeys(parse(b, a)) {
		t.Error("order matters")
	}
	shared := jwk(t, two, map[string]any{"kid": "a"})
	if !parse(a, shared, b).SameKeys(parse(b, a, shared)) || parse(a, shared).SameKeys(parse(shared, a)) {
		t.Error("order must matter among the keys of a kid, and only there")
	}
	if empty := jwk(t, one, map[string]any{"kid": ""}); parse(empty).SameKeys(parse(jwk(t, one, nil))) {
		t.Error("no kid is an empty one")
	}
	if parse(a).SameKeys(parse(jwk(t, one, map[string]any{"kid": "a", "alg": "ES384"}))) {
		t.Error("alg does not matter")
	}
	renamed := jwk(t, one, map[string]any{"kid": "b"})
	for what, other := range map[string]*keyset.Set{"fewer": parse(a), "twice": parse(a, a), "material": parse(a, jwk(t, one, map[string]any{"kid": "b"})), "names": parse(renamed, a), "none": nil} {
		if both.SameKeys(other) {
			t.Errorf("%s: the same", what)
		}
	}
}

// TestThumbprint: RFC 7638, Section 3.1 has the value.
func TestThumbprint(t *testing.T) {
	const document = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	members, err := strictjson.Parse(document, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyset.ParseKey(members, nil)
	if err != nil || key.Thumbprint() != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
		key := newKey(t, name)
		sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(jwk(t, key, nil))
		if err != nil {
			t.Fatal(err)
		}
		members, err := strictjson.Parse(string(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := keyset.ParseKey(members, nil)
		if err != nil || parsed.Thumbprint() != base64.RawURLEncoding.EncodeToString(sum) {
			t.Errorf("%s: thumbprint differs from go-jose's, %v", name, err)
		}
	}
}

// FuzzParse: nothing panics, and what is accepted is public, strong, and
// bounded in number.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		f.Add(set(f, jwk(f, newKey(f, name), map[string]any{"kid": "k", "alg": name, "use": "sig"})))
	}
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		s, err := keyset.Parse(document, nil)
		if err != nil {
			return
		}
		if s.Len() < 1 || s.Len() > keyset.MaxKeys {
			t.Fatalf("%d keys", s.Len())
		}
		for _, name := range algorithmNames {
			a := keyset.AlgorithmByName(name)
			for _, key := range s.Candidates(nil, "k", true, a) {
				if public, ok := key.Public.(*rsa.PublicKey); ok && public.N.BitLen() < 2048 {
					t.Errorf("RSA key of %d bits", public.N.BitLen())
				}
				if _, private := key.Public.(crypto.Signer); private {
					t.Error("a private key")
				}
				if a.Verify(key.Public, "input", make([]byte, 256)) {
					t.Error("zeros are a signature")
				}
				_ = fmt.Sprint(key.Thumbprint())
			}
		}
		if !s.SameKeys(s) {
			t.Error("a set differs from itself")
		}
	})
}
