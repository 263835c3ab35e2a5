//go:build !race

package keyset_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keyset"
)

// TestVerifyAllocatesNothingOfItsOwn: what is checked stays on the stack, for
// input of up to 2048 bytes. PSS is not in the list: crypto/rsa lets no digest of
// it stay there. The race detector changes what escapes.
func TestVerifyAllocatesNothingOfItsOwn(t *testing.T) {
	input := strings.Repeat("x", 2048)
	for name, bare := range map[string]func(key crypto.Signer, signature []byte) func() bool{
		"RS256": func(key crypto.Signer, signature []byte) func() bool {
			sum := sha256.Sum256([]byte(input))
			public := key.Public().(*rsa.PublicKey)
			return func() bool { return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil }
		},
		"ES256": func(key crypto.Signer, signature []byte) func() bool {
			sum := sha256.Sum256([]byte(input))
			asn1, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			public := key.Public().(*ecdsa.PublicKey)
			return func() bool {
				encoded := bytes.Clone(asn1) // JWS has another encoding, and VerifyASN1 lets none stay on the stack
				return ecdsa.VerifyASN1(public, sum[:], encoded)
			}
		},
		"EdDSA": func(key crypto.Signer, signature []byte) func() bool {
			message, public := []byte(input), key.Public().(ed25519.PublicKey)
			return func() bool { return ed25519.Verify(public, message, signature) }
		},
	} {
		key, a := newKey(t, name), keyset.AlgorithmByName(name)
		signature := signed(t, name, key, input)
		public := key.Public()
		limit := bare(key, signature)
		want := testing.AllocsPerRun(100, func() {
			if !limit() {
				t.Fatal("the bare check refuses a good signature")
			}
		})
		got := testing.AllocsPerRun(100, func() {
			if !a.Verify(public, input, signature) {
				t.Fatal("a good signature is refused")
			}
		})
		if got > want {
			t.Errorf("%s: %v allocations; want the %v of the bare check", name, got, want)
		}
	}
}

// TestOutsideKeysAllocateNothing: once prepared, a key is asked without more.
func TestOutsideKeysAllocateNothing(t *testing.T) {
	known := algorithmsWith(t, akp("X-1", prepares(says(true), nil)))
	key, err := parseKey(t, `{"kty":"AKP","alg":"X-1","pub":"AAAA"}`, known)
	if err != nil {
		t.Fatal(err)
	}
	a, input, signature := known.ByName("X-1"), strings.Repeat("x", 9000), []byte{1}
	if got := testing.AllocsPerRun(100, func() {
		if !key.Fits(a) || !key.Ready(a) || !key.Verify(a, input, signature) {
			t.Fatal("refused")
		}
	}); got != 0 {
		t.Errorf("%v allocations; want none", got)
	}
}
