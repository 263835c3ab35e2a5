package verifiertest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/portcullis-go/portcullis/verifier"
)

// SignatureAlgorithm is a fake of an algorithm that the standard library lacks,
// for tests that are about the seam and not about an algorithm: in truth it is
// Ed25519, with keys of the type AKP. Make one with [NewSignatureAlgorithm]. It
// is safe for concurrent use.
type SignatureAlgorithm struct {
	name            string
	prepared, asked atomic.Int64
	fault           atomic.Pointer[AlgorithmFault]
}

// AlgorithmFault is a way for an algorithm to misbehave.
type AlgorithmFault string

// The faults of a [SignatureAlgorithm].
const (
	AlgorithmWorks        AlgorithmFault = ""
	AlgorithmRefuses      AlgorithmFault = "refuses"        // every signature
	AlgorithmPanics       AlgorithmFault = "panics"         // over every signature
	AlgorithmRefusesKeys  AlgorithmFault = "refuses keys"   // with an error
	AlgorithmPanicsOnKeys AlgorithmFault = "panics on keys" //
	AlgorithmHasNoKey     AlgorithmFault = "has no key"     // and no error
)

// NewSignatureAlgorithm returns an algorithm of this name, such as
// "TEST-1".
func NewSignatureAlgorithm(name string) *SignatureAlgorithm {
	return &SignatureAlgorithm{name: name}
}

// Spec implements [verifier.SignatureAlgorithm].
func (a *SignatureAlgorithm) Spec() verifier.AlgorithmSpec {
	return verifier.AlgorithmSpec{Name: a.name, KeyType: "AKP", NamedByKey: true, Members: []verifier.KeyMember{
		{Name: "pub", MinSize: ed25519.PublicKeySize, MaxSize: ed25519.PublicKeySize},
	}}
}

// PrepareKey implements [verifier.SignatureAlgorithm].
func (a *SignatureAlgorithm) PrepareKey(members map[string][]byte) (verifier.SignatureKey, error) {
	a.prepared.Add(1)
	switch a.current() {
	case AlgorithmRefusesKeys:
		return nil, errors.New("verifiertest: told to refuse keys")
	case AlgorithmPanicsOnKeys:
		panic("verifiertest: told to panic")
	case AlgorithmHasNoKey:
		return nil, nil
	}
	if len(members["pub"]) != ed25519.PublicKeySize {
		return nil, errors.New("verifiertest: not a key of Ed25519")
	}
	return &fakeKey{a, slices.Clone(members["pub"])}, nil
}

// SetFault makes the algorithm misbehave from now on, with keys that it
// prepared before too. Keys that it refused stay refused for as long as the
// Verifier holds them.
func (a *SignatureAlgorithm) SetFault(fault AlgorithmFault) { a.fault.Store(&fault) }

func (a *SignatureAlgorithm) current() AlgorithmFault {
	if fault := a.fault.Load(); fault != nil {
		return *fault
	}
	return AlgorithmWorks
}

// Prepared returns how many keys it was asked to prepare.
func (a *SignatureAlgorithm) Prepared() int { return int(a.prepared.Load()) }

// Asked returns how many signatures it was asked about.
func (a *SignatureAlgorithm) Asked() int { return int(a.asked.Load()) }

// NewSigner makes a key, for [WithSigners] and [NewDPoPClientWithSigners].
func (a *SignatureAlgorithm) NewSigner() Signer {
	_, private, _ := ed25519.GenerateKey(rand.Reader) // which never fails
	return fakeSigner{a.name, private}
}

type fakeKey struct {
	algorithm *SignatureAlgorithm
	public    ed25519.PublicKey
}

func (k *fakeKey) Verify(input string, signature []byte) bool {
	k.algorithm.asked.Add(1)
	switch k.algorithm.current() {
	case AlgorithmRefuses:
		return false
	case AlgorithmPanics:
		panic("verifiertest: told to panic")
	}
	return ed25519.Verify(k.public, []byte(input), signature)
}

type fakeSigner struct {
	name    string
	private ed25519.PrivateKey
}

func (s fakeSigner) Algorithm() string { return s.name }

func (s fakeSigner) PublicJWK() map[string]string {
	pub := base64.RawURLEncoding.EncodeToString(s.private.Public().(ed25519.PublicKey))
	return map[string]string{"kty": "AKP", "alg": s.name, "pub": pub}
}

func (s fakeSigner) Sign(input []byte) ([]byte, error) { return ed25519.Sign(s.private, input), nil }
