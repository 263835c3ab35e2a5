// Package mldsatest issues access tokens and DPoP proofs that are signed with
// ML-DSA, for tests of APIs that use package mldsa. It adds to package
// verifiertest what that lacks: keys.
package mldsatest

import (
	"encoding/base64"
	"fmt"
	"testing"

	"filippo.io/mldsa"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// NewIssuer starts an issuer whose keys are of the algorithm: "ML-DSA-44",
// "ML-DSA-65" or "ML-DSA-87". Its Config allows the algorithm;
// SignatureAlgorithms is the caller's to set. See [verifiertest.NewIssuer].
func NewIssuer(t testing.TB, algorithm string, options ...verifiertest.Option) *verifiertest.Issuer {
	t.Helper()
	return verifiertest.NewIssuer(t, append([]verifiertest.Option{verifiertest.WithSigners(Signers(t, algorithm))}, options...)...)
}

// NewDPoPClient returns a client whose key is of the algorithm. A nil clock
// means time.Now. See [verifiertest.NewDPoPClient].
func NewDPoPClient(t testing.TB, clock verifier.Clock, algorithm string) *verifiertest.DPoPClient {
	t.Helper()
	return verifiertest.NewDPoPClientWithSigners(t, clock, Signers(t, algorithm))
}

// Signers returns a function that makes keys of the algorithm, for
// [verifiertest.WithSigners] and [verifiertest.NewDPoPClientWithSigners].
func Signers(t testing.TB, algorithm string) func() verifiertest.Signer {
	t.Helper()
	set, err := parameters(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return func() verifiertest.Signer {
		private, err := mldsa.GenerateKey(set)
		if err != nil {
			t.Fatalf("mldsatest: %v", err)
		}
		return signer{private}
	}
}

// NewSigner returns the key that a seed of 32 octets stands for, which is the
// member priv of a JSON Web Key (RFC 9964).
func NewSigner(t testing.TB, algorithm string, seed []byte) verifiertest.Signer {
	t.Helper()
	set, err := parameters(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	private, err := mldsa.NewPrivateKey(set, seed)
	if err != nil {
		t.Fatalf("mldsatest: %v", err)
	}
	return signer{private}
}

func parameters(algorithm string) (mldsa.Parameters, error) {
	for _, set := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		if set.String() == algorithm {
			return set, nil
		}
	}
	return mldsa.Parameters{}, fmt.Errorf("mldsatest: %q is not ML-DSA-44, ML-DSA-65 or ML-DSA-87", algorithm)
}

type signer struct{ private *mldsa.PrivateKey }

func (s signer) Algorithm() string { return s.private.PublicKey().Parameters().String() }

func (s signer) PublicJWK() map[string]string {
	public := s.private.PublicKey()
	return map[string]string{"kty": "AKP", "alg": public.Parameters().String(), "pub": base64.RawURLEncoding.EncodeToString(public.Bytes())}
}

func (s signer) Sign(input []byte) ([]byte, error) { return s.private.Sign(nil, input, nil) }
