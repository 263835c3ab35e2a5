package jwe_test

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/internal/jwe"
)

var keys = sync.OnceValues(func() (*rsa.PrivateKey, *ecdsa.PrivateKey) {
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	e, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return r, e
})

// inner stands for a JWS.
const inner = "aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl"

func newOpener(k ...jwe.Key) *jwe.Opener {
	return &jwe.Opener{Keys: k, Algorithms: jwe.Algorithms[:], Encodings: jwe.Encodings[:], MaxInner: 4096}
}

// encrypt makes a token; header parameters come on top of cty, nil removes it.
func encrypt(t testing.TB, algorithm, encoding string, to any, kid string, header map[string]any, zip jose.CompressionAlgorithm, content string) string {
	t.Helper()
	all := map[string]any{"cty": "JWT"}
	maps.Copy(all, header)
	options := &jose.EncrypterOptions{Compression: zip}
	for name, value := range all {
		if value != nil {
			options.WithHeader(jose.HeaderKey(name), value)
		}
	}
	e, err := jose.NewEncrypter(jose.ContentEncryption(encoding), jose.Recipient{Algorithm: jose.KeyAlgorithm(algorithm), Key: to, KeyID: kid}, options)
	if err != nil {
		t.Fatal(err)
	}
	o, err := e.Encrypt([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := o.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func TestOpen(t *testing.T) {
	r, e := keys()
	o := newOpener(jwe.Key{ID: "r", Private: r}, jwe.Key{ID: "e", Private: e})
	for _, algorithm := range jwe.Algorithms {
		for _, encoding := range jwe.Encodings {
			to, kid := crypto.PublicKey(e.Public()), "e"
			if strings.HasPrefix(algorithm, "RSA") {
				to, kid = r.Public(), "r"
			}
			for _, named := range []string{kid, ""} {
				got, by, err := o.Open(t.Context(), encrypt(t, algorithm, encoding, to, named, nil, "", inner))
				if err != nil || got != inner || by.ID != kid {
					t.Errorf("%s, %s, kid %q: Open = %q, %v", algorithm, encoding, named, got, err)
				}
			}
		}
	}
	for _, cty := range []string{"JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"} {
		if _, _, err := o.Open(t.Context(), encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{"cty": cty}, "", inner)); err != nil {
			t.Errorf("cty %q: Open = %v", cty, err)
		}
	}
}

// damage changes one part of a token.
func damage(t *testing.T, compact string, part int, f func(string) string) string {
	t.Helper()
	parts := strings.Split(compact, ".")
	parts[part] = f(parts[part])
	return strings.Join(parts, ".")
}

func flip(text string) string {
	if text == "" {
		return "AA"
	}
	c := byte('A')
	if text[0] == c {
		c = 'B'
	}
	return string(c) + text[1:]
}

// header replaces members of a protected header.
func header(t *testing.T, compact string, members map[string]any) string {
	return damage(t, compact, 0, func(text string) string {
		data, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]any)
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, members)
		maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
		data, err = json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	})
}

// Everything that cannot be opened has one answer: the very same error, whether the
// header, the key, the tag, the padding or the content is at fault.
func TestOneAnswer(t *testing.T) {
	r, e := keys()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	otherCurve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	gcm := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner)
	cbc := encrypt(t, "ECDH-ES+A256KW", "A128CBC-HS256", e.Public(), "e", nil, "", inner)
	agreed := encrypt(t, "ECDH-ES", "A128CBC-HS256", e.Public(), "e", nil, "", inner)
	shared := []byte("0123456789abcdef0123456789abcdef")
	tokens := map[string]string{
		"wrong RSA key":           encrypt(t, "RSA-OAEP-256", "A256GCM", other.Public(), "r", nil, "", inner),
		"wrong EC key":            encrypt(t, "ECDH-ES", "A256GCM", otherCurve.Public(), "e", nil, "", inner),
		"unknown kid":             encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "x", nil, "", inner),
		"kid of a key of another": encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "e", nil, "", inner),
		"key changed":             damage(t, gcm, 1, flip),
		"iv changed":              damage(t, gcm, 2, flip),
		"content changed":         damage(t, gcm, 3, flip),
		"tag changed":             damage(t, gcm, 4, flip),
		"tag cut off":             damage(t, gcm, 4, func(string) string { return "AAAA" }),
		"tag empty":               damage(t, gcm, 4, func(string) string { return "" }),
		"iv empty":                damage(t, gcm, 2, func(string) string { return "" }),
		"everything empty":        "....",
		"four parts":              gcm[:strings.LastIndexByte(gcm, '.')],
		"CBC content changed":     damage(t, cbc, 3, flip),
		"CBC content cut":         damage(t, cbc, 3, func(s string) string { return s[:len(s)/2/4*4] }),
		"CBC tag changed":         damage(t, cbc, 4, flip),
		"key beside an agreed":    damage(t, agreed, 1, func(string) string { return "AAAA" }),
		"no key to unwrap":        damage(t, cbc, 1, func(string) string { return "" }),
		"not canonical":           damage(t, gcm, 4, func(s string) string { return s[:len(s)-1] + "B" }),
		"padded":                  gcm + "=",
		"line break":              damage(t, gcm, 3, func(s string) string { return s[:4] + "\n" + s[4:] }),
		"no cty":                  encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{"cty": nil}, "", inner),
		"another cty":             encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{"cty": "json"}, "", inner),
		"cty is a number":         encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{"cty": 1}, "", inner),
		"typ is a number":         encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{"typ": 1}, "", inner),
		"compressed":              encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, jose.DEFLATE, inner),
		"says compressed":         header(t, gcm, map[string]any{"zip": "DEF"}),
		"critical":                header(t, gcm, map[string]any{"crit": []string{"x"}, "x": 1}),
		"names its key itself":    header(t, gcm, map[string]any{"jku": "https://evil.example.com/"}),
		"brings a key":            header(t, gcm, map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}),
		"alg in another case":     header(t, gcm, map[string]any{"alg": "rsa-oaep-256"}),
		"alg none":                header(t, gcm, map[string]any{"alg": "none"}),
		"alg missing":             header(t, gcm, map[string]any{"alg": nil}),
		"enc missing":             header(t, gcm, map[string]any{"enc": nil}),
		"enc of another":          header(t, gcm, map[string]any{"enc": "A128GCM"}),
		"RSA1_5":                  encrypt(t, "RSA1_5", "A256GCM", r.Public(), "r", nil, "", inner),
		"dir":                     encrypt(t, "dir", "A256GCM", shared, "r", nil, "", inner),
		"A256KW":                  encrypt(t, "A256KW", "A256GCM", shared, "r", nil, "", inner),
		"A256GCMKW":               encrypt(t, "A256GCMKW", "A256GCM", shared, "r", nil, "", inner),
		"password":                encrypt(t, "PBES2-HS256+A128KW", "A256GCM", shared, "r", nil, "", inner),
		"claims without signature": encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "",
			`{"iss":"https://id.example.com/","aud":"a.b.c","exp":9999999999}`),
		"nothing inside":     encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", ""),
		"another JWE inside": encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", gcm),
		"too much inside":    encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner+strings.Repeat("A", 4096)),
		"header twice": damage(t, gcm, 0, func(s string) string {
			data, _ := base64.RawURLEncoding.DecodeString(s)
			return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(data), "{", `{"alg":"RSA-OAEP-256",`, 1)))
		}),
	}
	o := newOpener(jwe.Key{ID: "r", Private: r}, jwe.Key{ID: "e", Private: e})
	for name, token := range tokens {
		if content, by, err := o.Open(t.Context(), token); err != jwe.ErrOpen || content != "" || by != nil {
			t.Errorf("%s: Open = %q, %v, %v; want ErrOpen itself and nothing else", name, content, by, err)
		}
	}
}

// TestHeaderParameters: compression, extensions and everything by which a token names
// a key are refused in tokens that are well-made but for that.
func TestHeaderParameters(t *testing.T) {
	r, _ := keys()
	o := newOpener(jwe.Key{ID: "r", Private: r})
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, r.Public(), r)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"zip": "none", "crit": []string{"x"}, "jku": "https://id.example.com/keys", "jwk": jose.JSONWebKey{Key: r.Public(), KeyID: "r"}, "x5u": "https://id.example.com/x5u",
		"x5c": []string{base64.StdEncoding.EncodeToString(certificate)}, "p2s": "AAAAAAAAAAA", "p2c": 1000, "b64": true,
	} {
		for _, kid := range []string{"r", ""} {
			token := sealWith(t, r.Public().(*rsa.PublicKey), kid, map[string]any{name: value})
			if content, by, err := o.Open(t.Context(), token); err != jwe.ErrOpen || content != "" || by != nil {
				t.Errorf("%s, kid %q: Open = %q, %v, %v; want ErrOpen", name, kid, content, by, err)
			}
		}
	}
	if content, _, err := o.Open(t.Context(), sealWith(t, r.Public().(*rsa.PublicKey), "r", map[string]any{"x": 1})); err != nil || content != inner {
		t.Errorf("a parameter that says nothing: Open = %q, %v", content, err)
	}
	for _, header := range []string{
		`{"alg":"RSA-OAEP-256","alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}`, `{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT","x":1,"x":1}`,
		"\ufeff" + `{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}`, `{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"} x`,
	} {
		if content, _, err := o.Open(t.Context(), seal(t, r.Public().(*rsa.PublicKey), header)); err != jwe.ErrOpen || content != "" {
			t.Errorf("header %q: Open = %q, %v; want ErrOpen", header, content, err)
		}
	}
}

// sealWith is seal for a header with a parameter more.
func sealWith(t *testing.T, to *rsa.PublicKey, kid string, extra map[string]any) string {
	t.Helper()
	header := map[string]any{"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}
	if kid != "" {
		header["kid"] = kid
	}
	maps.Copy(header, extra)
	protected, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return seal(t, to, string(protected))
}

// seal encrypts by hand (RFC 7516, Section 5.1), so that the header may hold what no
// library writes.
func seal(t *testing.T, to *rsa.PublicKey, protected string) string {
	t.Helper()
	key, iv := make([]byte, 32), make([]byte, 12)
	encrypted, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, to, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	sealed := aead.Seal(nil, iv, []byte(inner), []byte(b64([]byte(protected))))
	tag := len(sealed) - aead.Overhead()
	return strings.Join([]string{b64([]byte(protected)), b64(encrypted), b64(iv), b64(sealed[:tag]), b64(sealed[tag:])}, ".")
}

func TestAllowLists(t *testing.T) {
	r, e := keys()
	o := &jwe.Opener{Keys: []jwe.Key{{ID: "r", Private: r}, {ID: "e", Private: e}}, Algorithms: []string{"RSA-OAEP-256"}, Encodings: []string{"A256GCM"}, MaxInner: 4096}
	for _, test := range []struct {
		algorithm, encoding string
		to                  any
		want                error
	}{
		{"RSA-OAEP-256", "A256GCM", r.Public(), nil}, {"RSA-OAEP-256", "A128GCM", r.Public(), jwe.ErrOpen}, {"ECDH-ES", "A256GCM", e.Public(), jwe.ErrOpen},
		{"RSA-OAEP", "A256GCM", r.Public(), jwe.ErrOpen},
	} {
		if _, _, err := o.Open(t.Context(), encrypt(t, test.algorithm, test.encoding, test.to, "", nil, "", inner)); err != test.want {
			t.Errorf("%s, %s: Open = %v; want %v", test.algorithm, test.encoding, err, test.want)
		}
	}
}

// For a token that names no key four are tried at most.
func TestFewKeysAreTried(t *testing.T) {
	r, _ := keys()
	tried := 0
	refused := errors.New("refused")
	decoy := jwe.Key{Refused: refused, Decrypter: func(context.Context, string, []byte) ([]byte, error) {
		tried++
		return nil, refused
	}}
	token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "", nil, "", inner)
	for decoys, want := range map[int]error{3: nil, 4: jwe.ErrOpen} {
		tried = 0
		var all []jwe.Key
		for range decoys {
			all = append(all, decoy)
		}
		if _, _, err := newOpener(append(all, jwe.Key{Private: r})...).Open(t.Context(), token); err != want || tried != decoys {
			t.Errorf("behind %d other keys: Open = %v, %d tried; want %v", decoys, err, tried, want)
		}
	}
}

// A key that does not fit the algorithm is not tried, and takes no place of those that
// do.
func TestKeysThatDoNotFitAreNotTried(t *testing.T) {
	r, e := keys()
	remote := jwe.Key{Decrypter: func(context.Context, string, []byte) ([]byte, error) {
		t.Error("a decrypter was asked for ECDH-ES")
		return nil, errors.New("down")
	}}
	for name, c := range map[string]struct {
		algorithm string
		to        any
		key       jwe.Key
		decoy     jwe.Key
	}{
		"RSA behind EC":       {"RSA-OAEP-256", r.Public(), jwe.Key{Private: r}, jwe.Key{Private: e}},
		"EC behind RSA":       {"ECDH-ES+A256KW", e.Public(), jwe.Key{Private: e}, jwe.Key{Private: r}},
		"EC behind decrypter": {"ECDH-ES+A256KW", e.Public(), jwe.Key{Private: e}, remote},
	} {
		o := newOpener(c.decoy, c.decoy, c.decoy, c.decoy, c.key)
		if content, _, err := o.Open(t.Context(), encrypt(t, c.algorithm, "A256GCM", c.to, "", nil, "", inner)); err != nil || content != inner {
			t.Errorf("%s: Open = %q, %v", name, content, err)
		}
	}
}

func TestDecrypter(t *testing.T) {
	r, _ := keys()
	token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner)
	nameless := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "", nil, "", inner)
	refused, down := errors.New("refused"), errors.New("down")
	for _, test := range []struct {
		name    string
		token   string
		decrypt func() ([]byte, error)
		beside  []jwe.Key
		want    error
	}{
		{"refused", token, func() ([]byte, error) { return nil, refused }, nil, jwe.ErrOpen},
		{"wrong content key", token, func() ([]byte, error) { return make([]byte, 32), nil }, nil, jwe.ErrOpen},
		{"content key of a wrong length", token, func() ([]byte, error) { return make([]byte, 5), nil }, nil, jwe.ErrOpen},
		{"no content key", token, func() ([]byte, error) { return nil, nil }, nil, jwe.ErrOpen},
		{"down", token, func() ([]byte, error) { return nil, down }, nil, down},
		{"down, and another key opens it", nameless, func() ([]byte, error) { return nil, down }, []jwe.Key{{ID: "s", Private: r}}, nil},
	} {
		k := jwe.Key{ID: "r", Refused: refused, Decrypter: func(_ context.Context, algorithm string, encrypted []byte) ([]byte, error) {
			if algorithm != "RSA-OAEP-256" || len(encrypted) != 256 {
				t.Errorf("%s: DecryptKey was asked for %s and %d bytes", test.name, algorithm, len(encrypted))
			}
			return test.decrypt()
		}}
		if _, _, err := newOpener(append([]jwe.Key{k}, test.beside...)...).Open(t.Context(), test.token); !errors.Is(err, test.want) {
			t.Errorf("%s: Open = %v; want %v", test.name, err, test.want)
		}
	}
	panics := jwe.Key{ID: "r", Refused: refused, Decrypter: func(context.Context, string, []byte) ([]byte, error) { panic("boom") }}
	if _, _, err := newOpener(panics).Open(t.Context(), token); err == nil || errors.Is(err, jwe.ErrOpen) {
		t.Errorf("a panic: Open = %v; want an error that decides nothing", err)
	}
}

// The vectors of RFC 7520 whose algorithms are supported: Figures 117 and 128.
func TestRFC7520(t *testing.T) {
	for _, v := range []struct{ key, token string }{
		{`{"kty":"EC","crv":"P-384","kid":"peregrin.took@tuckborough.example","x":"YU4rRUzdmVqmRtWOs2OpDE_T5fsNIodcG8G5FWPrTPMyxpzsSOGaQLpe2FpxBmu2","y":"A8-yxCHxkfBz3hKZfI1jUYMjUhsEveZ9THuwFjH2sCNdtksRJU7D5-SkgaFL1ETP","d":"iTx2pk7wW-GqJkHcEkFQb2EFyYcO7RugmaW3mRrQVAOUiPommT0IdnYK2xDlZh-j"}`,
			"eyJhbGciOiJFQ0RILUVTK0ExMjhLVyIsImtpZCI6InBlcmVncmluLnRvb2tAdHVja2Jvcm91Z2guZXhhbXBsZSIsImVwayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMzg0IiwieCI6InVCbzRrSFB3Nmtiang1bDB4b3dyZF9vWXpCbWF6LUdLRlp1NHhBRkZrYllpV2d1dEVLNml1RURzUTZ3TmROZzMiLCJ5Ijoic3AzcDVTR2haVkMyZmFYdW1JLWU5SlUyTW84S3BvWXJGRHI1eVBOVnRXNFBnRXdaT3lRVEEtSmRhWTh0YjdFMCJ9LCJlbmMiOiJBMTI4R0NNIn0.0DJjBXri_kBcC46IkU5_Jk9BqaQeHdv2.mH-G2zVqgztUtnW_.tkZuOO9h95OgHJmkkrfLBisku8rGf6nzVxhRM3sVOhXgz5NJ76oID7lpnAi_cPWJRCjSpAaUZ5dOR3Spy7QuEkmKx8-3RCMhSYMzsXaEwDdXta9Mn5B7cCBoJKB0IgEnj_qfo1hIi-uEkUpOZ8aLTZGHfpl05jMwbKkTe2yK3mjF6SBAsgicQDVCkcY9BLluzx1RmC3ORXaM0JaHPB93YcdSDGgpgBWMVrNU1ErkjcMqMoT_wtCex3w03XdLkjXIuEr2hWgeP-nkUZTPU9EoGSPj6fAS-bSz87RCPrxZdj_iVyC6QWcqAu07WNhjzJEPc4jVntRJ6K53NgPQ5p99l3Z408OUqj4ioYezbS6vTPlQ.WuGzxmcreYjpHGJoa17EBg"},
		{`{"kty":"EC","crv":"P-256","kid":"meriadoc.brandybuck@buckland.example","x":"Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0","y":"HlLtdXARY_f55A3fnzQbPcm6hgr34Mp8p-nuzQCE0Zw","d":"r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8"}`,
			"eyJhbGciOiJFQ0RILUVTIiwia2lkIjoibWVyaWFkb2MuYnJhbmR5YnVja0BidWNrbGFuZC5leGFtcGxlIiwiZXBrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoibVBVS1RfYkFXR0hJaGcwVHBqanFWc1AxclhXUXVfdndWT0hIdE5rZFlvQSIsInkiOiI4QlFBc0ltR2VBUzQ2ZnlXdzVNaFlmR1RUMElqQnBGdzJTUzM0RHY0SXJzIn0sImVuYyI6IkExMjhDQkMtSFMyNTYifQ..yc9N8v5sYyv3iGQT926IUg.BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYtskTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNNkpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCCei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3AROq8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg"},
	} {
		var key jose.JSONWebKey
		if err := json.Unmarshal([]byte(v.key), &key); err != nil {
			t.Fatal(err)
		}
		o := newOpener(jwe.Key{ID: key.KeyID, Private: key.Key})
		if got, err := o.Decrypt(t.Context(), v.token); err != nil || !strings.HasPrefix(string(got), "You can trust us to stick with you") {
			t.Errorf("%s: Decrypt = %q, %v", key.KeyID, got, err)
		}
		if _, _, err := o.Open(t.Context(), v.token); err != jwe.ErrOpen {
			t.Errorf("%s: Open = %v; want ErrOpen: what is inside is no JWT", key.KeyID, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	r, e := keys()
	f.Add(encrypt(f, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner))
	f.Add(encrypt(f, "ECDH-ES", "A128CBC-HS256", e.Public(), "e", nil, "", inner))
	f.Add(encrypt(f, "ECDH-ES+A256KW", "A256GCM", e.Public(), "", nil, "", "{}"))
	f.Add("....")
	f.Add("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0....")
	o := newOpener(jwe.Key{ID: "r", Private: r}, jwe.Key{ID: "e", Private: e})
	f.Fuzz(func(t *testing.T, compact string) {
		content, by, err := o.Open(context.Background(), compact)
		if err != nil && (err != jwe.ErrOpen || content != "" || by != nil) {
			t.Errorf("Open(%q) = %q, %v", compact, content, err)
		}
		if err == nil && strings.Count(content, ".") != 2 {
			t.Errorf("Open(%q) = %q, which is no JWS", compact, content)
		}
	})
}
