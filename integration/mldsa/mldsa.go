// Package mldsa verifies access tokens and DPoP proofs that are signed with
// ML-DSA, the post-quantum signature scheme of FIPS 204, as JWS has it: ML-DSA-44,
// ML-DSA-65 and ML-DSA-87, with keys of the type AKP (RFC 9964).
//
//	verifier.Config{
//		...
//		Algorithms:          []string{"RS256", "ML-DSA-44"},
//		DPoP:                verifier.DPoPConfig{Algorithms: []string{"ES256", "ML-DSA-44"}},
//		SignatureAlgorithms: mldsa.Algorithms(),
//	}
//
// The arithmetic is that of filippo.io/mldsa, which is in Go alone and is not
// part of a FIPS 140-3 module. Keys and signatures are long: see the guide
// docs/post-quantum.md before an API expects DPoP proofs of them.
package mldsa

import (
	"errors"

	"filippo.io/mldsa"

	"github.com/portcullis-go/portcullis/verifier"
)

// errKey says that a key is not one of the parameter set.
var errKey = errors.New("mldsa: not a public key of the algorithm")

// Algorithms returns ML-DSA-44, ML-DSA-65 and ML-DSA-87 for verifier.Config.
// Which of them are allowed, Config.Algorithms and DPoP.Algorithms say.
func Algorithms() []verifier.SignatureAlgorithm {
	return []verifier.SignatureAlgorithm{algorithm{mldsa.MLDSA44()}, algorithm{mldsa.MLDSA65()}, algorithm{mldsa.MLDSA87()}}
}

// algorithm is a parameter set (FIPS 204, Section 4), whose name is that of the
// algorithm.
type algorithm struct{ set mldsa.Parameters }

// Spec describes the algorithm: the key is the member pub, and alg is required.
func (a algorithm) Spec() verifier.AlgorithmSpec {
	size := a.set.PublicKeySize()
	return verifier.AlgorithmSpec{Name: a.set.String(), KeyType: "AKP", NamedByKey: true, Members: []verifier.KeyMember{
		{Name: "pub", MinSize: size, MaxSize: size},
	}}
}

// key is a decoded public key with its hash.
type key struct {
	public *mldsa.PublicKey
	size   int // of signatures
}

func (a algorithm) PrepareKey(members map[string][]byte) (verifier.SignatureKey, error) {
	public, err := mldsa.NewPublicKey(a.set, members["pub"])
	if err != nil {
		return nil, errKey
	}
	return &key{public, a.set.SignatureSize()}, nil
}

// stackInput is up to which length a signing input is checked without a buffer
// from the heap.
const stackInput = 2048

// Verify checks a signature with the empty context (RFC 9964).
func (k *key) Verify(input string, signature []byte) bool {
	var space [stackInput]byte
	message := append(space[:0], input...)
	return len(signature) == k.size && mldsa.Verify(k.public, message, signature, nil) == nil
}
