package wycheproof_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"math/big"
	"testing"

	"github.com/portcullis-go/portcullis/integration/fastrsa"
)

type rsaGroup struct {
	Key struct {
		Modulus  octets `json:"modulus"`
		Exponent octets `json:"publicExponent"`
	} `json:"publicKey"`
	Tests []vector `json:"tests"`
}

// TestRSA runs each vector through the accelerated check and through crypto/rsa.
// What is acceptable to some (a DigestInfo without NULL) neither may take.
func TestRSA(t *testing.T) {
	total, aside := 0, 0
	for _, bits := range []int{2048, 3072, 4096} {
		for i, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			name := fmt.Sprintf("rsa_signature_%d_sha%d_test.json", bits, 8*hash.Size())
			algorithm := fastrsa.Algorithms()[i]
			for _, g := range load(t, name, func(g rsaGroup) int { return len(g.Tests) }) {
				e := new(big.Int).SetBytes(g.Key.Exponent)
				public := &rsa.PublicKey{N: new(big.Int).SetBytes(g.Key.Modulus), E: int(e.Int64())}
				key, err := algorithm.PrepareKey(map[string][]byte{"n": bytes.TrimLeft(g.Key.Modulus, "\x00"), "e": e.Bytes()})
				if (err == nil) != (public.E == 65537 && public.N.BitLen() == bits) {
					t.Errorf("%s: PrepareKey of a key of %d bits, exponent %d: %v", name, public.N.BitLen(), public.E, err)
				}
				for _, v := range g.Tests {
					total++
					want := v.Result == "valid"
					h := hash.New()
					h.Write(v.Message)
					if got := rsa.VerifyPKCS1v15(public, hash, h.Sum(nil), v.Signature) == nil; got != want {
						t.Errorf("%s, %d (%s): crypto/rsa says %v; want %v", name, v.ID, v.Comment, got, want)
					}
					if err != nil {
						aside++
						continue
					}
					if got := key.Verify(string(v.Message), v.Signature); got != want {
						t.Errorf("%s, %d (%s): Verify = %v; want %v", name, v.ID, v.Comment, got, want)
					}
				}
			}
		}
	}
	t.Logf("%d vectors, %d of them with keys that crypto/rsa checks alone", total, aside)
	if total-aside < 2000 {
		t.Errorf("%d vectors for the accelerated check; want more", total-aside)
	}
}
