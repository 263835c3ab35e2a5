package mldsa_test

import (
	"encoding/base64"
	"testing"

	fmldsa "filippo.io/mldsa"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/integration/mldsa"
	"github.com/portcullis-go/portcullis/integration/mldsa/mldsatest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestConformance(t *testing.T) {
	for i, algorithm := range mldsa.Algorithms() {
		t.Run(names[i], func(t *testing.T) {
			newSigner := mldsatest.Signers(t, names[i])
			conformance.TestSignatureAlgorithm(t, conformance.SignatureAlgorithmHarness{
				New: func(*conformance.Env) (verifier.SignatureAlgorithm, error) { return algorithm, nil },
				NewKey: func(*conformance.Env) (conformance.SigningKey, error) {
					signer := newSigner()
					return conformance.SigningKey{
						Members: map[string][]byte{"pub": pub(t, signer)},
						Sign:    func(input string) ([]byte, error) { return signer.Sign([]byte(input)) },
					}, nil
				},
				Vectors: vectors(t, i),
			})
		})
	}
}

func pub(t testing.TB, signer verifiertest.Signer) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(signer.PublicJWK()["pub"])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// vectors are signatures of keys from a seed: with the empty context, as JWS
// has it, and with others. Those of Project Wycheproof are in tools/wycheproof.
func vectors(t *testing.T, set int) []conformance.SignatureVector {
	t.Helper()
	private, err := fmldsa.NewPrivateKey([]fmldsa.Parameters{fmldsa.MLDSA44(), fmldsa.MLDSA65(), fmldsa.MLDSA87()}[set], make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var list []conformance.SignatureVector
	for name, context := range map[string]string{"empty context": "", "a context": "jws", "a context of zero": "\x00"} {
		signature, err := private.SignDeterministic([]byte("header.payload"), &fmldsa.Options{Context: context})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, conformance.SignatureVector{
			Name: name, Members: map[string][]byte{"pub": private.PublicKey().Bytes()}, Input: "header.payload", Signature: signature, Valid: context == "",
		})
	}
	return list
}
