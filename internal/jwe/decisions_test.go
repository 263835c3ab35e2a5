package jwe_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/jwe"
)

// certificate is one of a key, in base64.
func certificate(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(2_000_000_000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// Each of these tokens was made with the parameter that it is refused for: but for
// it, it would be opened.
func TestRefusedParameters(t *testing.T) {
	r, _ := keys()
	o := newOpener(jwe.Key{ID: "r", Private: r})
	for name, value := range map[string]any{
		"jku": "https://evil.example/keys", "jwk": map[string]any{"kty": "oct", "k": "AAAA"}, "x5u": "https://evil.example/cert", "x5c": []string{certificate(t, r)},
		"p2s": "AAAA", "p2c": 1000, "b64": true, "crit": []string{"other"}, "typ": 1, "cty": 1, "zip": 1,
	} {
		token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{name: value}, "", inner)
		if _, _, err := o.Open(t.Context(), token); err != jwe.ErrOpen {
			t.Errorf("%s: Open = %v; want ErrOpen", name, err)
		}
	}
	token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", map[string]any{"other": 1, "typ": "JWT"}, "", inner)
	if _, _, err := o.Open(t.Context(), token); err != nil {
		t.Errorf("other parameters: Open = %v; want nil", err)
	}
}

// What the header alone decides costs no operation of a private key.
func TestRefusedBeforeTheKey(t *testing.T) {
	r, e := keys()
	gcm := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner)
	agreed := encrypt(t, "ECDH-ES", "A128CBC-HS256", e.Public(), "r", nil, "", inner)
	wrapped := encrypt(t, "ECDH-ES+A256KW", "A128CBC-HS256", e.Public(), "r", nil, "", inner)
	parts := strings.Split(gcm, ".")
	raw := func(json string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(json)) + "." + strings.Join(parts[1:], ".")
	}
	for name, test := range map[string]struct {
		token string
		calls int
	}{
		"good":                    {gcm, 1},
		"tag changed":             {damage(t, gcm, 4, flip), 1},
		"without kid":             {encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "", nil, "", inner), 1},
		"another kid":             {encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "s", nil, "", inner), 0},
		"kid is a number":         {raw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":1,"cty":"JWT"}`), 0},
		"kid is empty":            {raw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"","cty":"JWT"}`), 0},
		"alg twice":               {raw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"r","cty":"JWT","alg":"RSA-OAEP-256"}`), 0},
		"alg that is not allowed": {raw(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":"r","cty":"JWT"}`), 0},
		"enc that is not allowed": {raw(`{"alg":"RSA-OAEP-256","enc":"A192GCM","kid":"r","cty":"JWT"}`), 0},
		"cty in another type":     {raw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"r","cty":"json"}`), 0},
		"cty is a number":         {raw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"r","cty":1}`), 0},
		"typ is a number":         {raw(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"r","cty":"JWT","typ":1}`), 0},
		"line break":              {damage(t, gcm, 3, func(s string) string { return s[:4] + "\n" + s[4:] }), 0},
		"not canonical":           {damage(t, gcm, 4, func(s string) string { return s[:len(s)-1] + "B" }), 0},
		"padded":                  {gcm + "=", 0},
		"four parts":              {strings.Join(parts[:4], "."), 0},
		"one part":                {"abc", 0},
		"six parts":               {gcm + ".AAAA", 0},
		"no encrypted key":        {damage(t, gcm, 1, func(string) string { return "" }), 0},
		"agreed key":              {agreed, 0},
		"wrapped key":             {wrapped, 0},
	} {
		calls := 0
		o := &jwe.Opener{
			Keys: []jwe.Key{{ID: "r", Refused: errors.New("refused"), Decrypter: func(context.Context, string, []byte) ([]byte, error) {
				calls++
				return make([]byte, 32), nil
			}}},
			Algorithms: []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"}, Encodings: []string{"A256GCM", "A128CBC-HS256"}, MaxInner: 4096,
		}
		if _, _, err := o.Open(t.Context(), test.token); err != jwe.ErrOpen || calls != test.calls {
			t.Errorf("%s: Open = %v after %d operations; want ErrOpen after %d", name, err, calls, test.calls)
		}
	}
}

func TestContentOfTheGreatestSize(t *testing.T) {
	r, _ := keys()
	o := newOpener(jwe.Key{ID: "r", Private: r})
	longest := inner + strings.Repeat("A", o.MaxInner-len(inner))
	if got, _, err := o.Open(t.Context(), encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", longest)); err != nil || got != longest {
		t.Errorf("Open = %d bytes, %v; want %d", len(got), err, len(longest))
	}
}

// The keys are fitting ones for RSA and EC; a token without kid is tried with
// those alone whose type its algorithm is of.
func TestKeysOfTheRightType(t *testing.T) {
	r, e := keys()
	calls := 0
	remote := jwe.Key{ID: "k", Refused: errors.New("refused"), Decrypter: func(context.Context, string, []byte) ([]byte, error) {
		calls++
		return nil, errors.New("down")
	}}
	o := newOpener(remote, jwe.Key{ID: "k", Private: r}, jwe.Key{ID: "k", Private: e})
	if _, by, err := o.Open(t.Context(), encrypt(t, "ECDH-ES", "A256GCM", e.Public(), "k", nil, "", inner)); err != nil || by != &o.Keys[2] || calls != 0 {
		t.Errorf("EC: Open = %v, %v, after %d calls of a Decrypter, which is for RSA", by, err, calls)
	}
	if _, by, err := o.Open(t.Context(), encrypt(t, "RSA-OAEP", "A256GCM", r.Public(), "k", nil, "", inner)); err != nil || by != &o.Keys[1] || calls != 1 {
		t.Errorf("RSA: Open = %v, %v, after %d calls of a Decrypter", by, err, calls)
	}
	// A token whose only key could not be asked is not decided.
	if _, _, err := newOpener(remote, jwe.Key{ID: "k", Private: e}).Open(t.Context(), encrypt(t, "RSA-OAEP", "A256GCM", r.Public(), "k", nil, "", inner)); err == nil || errors.Is(err, jwe.ErrOpen) {
		t.Errorf("Open = %v; want the failure of the Decrypter", err)
	}
}

func TestIsOfItsMaker(t *testing.T) {
	token := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "..AAAA.AAAA.AAAA"
	}
	for text, want := range map[string]bool{
		token(`{"alg":"dir"}`): true, token(`{"alg":"A128KW"}`): true, token(`{"alg":"A192KW"}`): true, token(`{"alg":"A256KW"}`): true,
		token(`{"alg":"A128GCMKW"}`): true, token(`{"alg":"A192GCMKW"}`): true, token(`{"alg":"A256GCMKW","enc":"A256GCM"}`): true,
		token(`{"alg":"RSA-OAEP-256"}`): false, token(`{"alg":"ECDH-ES"}`): false, token(`{"alg":"PBES2-HS256+A128KW"}`): false, token(`{"alg":"DIR"}`): false,
		token(`{"alg":1}`): false, token(`{"enc":"dir"}`): false, token(`{"alg":"dir","alg":"dir"}`): false, token(`{"alg":"dir"} {}`): false, token(`["dir"]`): false,
		token(`{"alg":"dir"}`) + ".AAAA": false, strings.TrimSuffix(token(`{"alg":"dir"}`), ".AAAA"): false,
		strings.Replace(token(`{"alg":"dir"  }`), ".", "!.", 1): false, strings.Replace(token(`{"alg":"dir"  }`), ".", "A.", 1): false, token(`{"alg":"dir"  }`): true,
		"=" + token(`{"alg":"dir"}`): false, "....": false, "": false,
	} {
		if got := jwe.IsOfItsMaker(text); got != want {
			t.Errorf("IsOfItsMaker(%q) = %v; want %v", text, got, want)
		}
	}
}

func TestDecrypterThatWorks(t *testing.T) {
	r, _ := keys()
	o := newOpener(jwe.Key{ID: "r", Refused: errors.New("refused"), Decrypter: func(_ context.Context, _ string, encrypted []byte) ([]byte, error) {
		return rsa.DecryptOAEP(sha256.New(), nil, r, encrypted, nil)
	}})
	token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner)
	if got, by, err := o.Open(t.Context(), token); err != nil || got != inner || by != &o.Keys[0] {
		t.Errorf("Open = %q, %v, %v; want what is inside", got, by, err)
	}
}

// What a Decrypter returns beside an error is not used.
func TestDecrypterThatRefusesWithAKey(t *testing.T) {
	r, _ := keys()
	refused := errors.New("refused")
	token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner)
	for _, failure := range []error{refused, errors.New("down")} {
		o := newOpener(jwe.Key{ID: "r", Refused: refused, Decrypter: func(_ context.Context, _ string, encrypted []byte) ([]byte, error) {
			key, _ := rsa.DecryptOAEP(sha256.New(), nil, r, encrypted, nil)
			return key, failure
		}})
		if got, _, err := o.Open(t.Context(), token); err == nil || got != "" {
			t.Errorf("%v: Open = %q, %v; want an error", failure, got, err)
		}
	}
}

// TestHeadersThatAreNotRead: what go-jose would read is not what decides.
func TestHeadersThatAreNotRead(t *testing.T) {
	r, _ := keys()
	o := newOpener(jwe.Key{ID: "r", Private: r})
	const members = `{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"r","cty":"JWT"`
	deep := func(n int) string { return `,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	good := seal(t, r.Public().(*rsa.PublicKey), members+deep(2))
	if _, _, err := o.Open(t.Context(), good); err != nil {
		t.Errorf("Open = %v; want nil", err)
	}
	head, _, _ := strings.Cut(good, ".")
	for name, compact := range map[string]string{
		"nested too deep": seal(t, r.Public().(*rsa.PublicKey), members+deep(200)),
		"a header alone":  head,
		"two parts":       head + ".",
		"four parts":      good[:strings.LastIndexByte(good, '.')],
		"six parts":       good + ".",
	} {
		if content, key, err := o.Open(t.Context(), compact); content != "" || key != nil || err != jwe.ErrOpen {
			t.Errorf("%s: Open = %q, %v, %v; want ErrOpen", name, content, key, err)
		}
	}
}

// TestKeyOfNothing opens nothing.
func TestKeyOfNothing(t *testing.T) {
	r, _ := keys()
	token := encrypt(t, "RSA-OAEP-256", "A256GCM", r.Public(), "r", nil, "", inner)
	if _, _, err := newOpener(jwe.Key{ID: "r"}).Open(t.Context(), token); err != jwe.ErrOpen {
		t.Errorf("Open = %v; want ErrOpen", err)
	}
}
