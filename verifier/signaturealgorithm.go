package verifier

import (
	"errors"
	"fmt"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/keyset"
)

// SignatureAlgorithm checks the signatures of one JWS algorithm in place of the
// standard library: one that the standard library lacks, such as ML-DSA (RFC
// 9964), or one that it has, to check it faster. Config.SignatureAlgorithms
// makes them known to a Verifier; Config.Algorithms and DPoP.Algorithms allow
// them by name, as any other.
//
// It is as powerful as a key: whatever it accepts is accepted. So it is asked
// about a signature only after all else was checked: the algorithm is in the
// allow-list that counts for the token, and the key is one of those that the
// kid chose, with a fitting kty, crv, alg, use and key_ops, with members within
// their bounds and without private ones.
//
// An implementation proves this contract with
// conformance.TestSignatureAlgorithm.
//
//   - Spec returns the same value on every call, one that [New] takes.
//   - PrepareKey gets the octets of the members that the AlgorithmSpec names,
//     all of them and no others, each within its bounds. They come from outside
//     and may be anything else. A key that can check nothing is an error. The
//     map and its slices are the implementation's own.
//   - PrepareKey is called when a key is first needed, and rarely again. What
//     it returns is kept for as long as the key is: in memory, for every issuer
//     and DPoP client. It does no I/O.
//   - Equal members give keys that decide alike, for ever.
//   - All methods are safe for concurrent use, the ones of the SignatureKey
//     too.
//   - Nothing panics, whatever comes in.
//
// A refusal, an error, a nil SignatureKey or a panic is a refusal of the token
// or proof when only the SignatureAlgorithm has the algorithm. When the
// standard library has it too, the standard library decides then, so a wrong
// refusal costs time only.
type SignatureAlgorithm interface {
	// Spec says which algorithm this is, and which keys it reads.
	Spec() AlgorithmSpec
	// PrepareKey reads a public key, so that checking a signature with it needs
	// no more preparation.
	PrepareKey(members map[string][]byte) (SignatureKey, error)
}

// SignatureKey is a public key that a [SignatureAlgorithm] prepared.
type SignatureKey interface {
	// Verify reports whether signature is one of the algorithm, in the form
	// that JWS has for it, over input, with this key. It accepts what the owner
	// of the key signs, and nothing else: not over another input, not of another
	// key, not changed, cut or longer.
	//
	// input is the signing input (RFC 7515, Section 2: header, dot, payload), of
	// any octets and at most 1 MiB. signature may be anything; it must not be
	// changed or kept.
	Verify(input string, signature []byte) bool
}

// AlgorithmSpec describes a [SignatureAlgorithm].
type AlgorithmSpec struct {
	// Name is the value of "alg", compared in its exact case: up to 64 letters,
	// digits, "-", "_" and ".". It is neither "none" nor a symmetric algorithm.
	Name string
	// KeyType is the "kty" of its keys. For a name that the standard library
	// has, it is the one of RFC 7518 or RFC 8037; otherwise it is not "RSA" and
	// not "oct".
	KeyType string
	// Curve is the "crv" of its keys, or "" for a key type without curves.
	Curve string
	// NamedByKey: a key must have "alg", equal to Name, and it belongs to the
	// key's thumbprint. So it is for the key type AKP (RFC 9964).
	NamedByKey bool
	// Members are the members that hold the public key in base64url, 1 to 4:
	// {"pub"} for AKP. For a name that the standard library has, they are
	// {"n", "e"}, {"x", "y"} or {"x"}. With KeyType, Curve and, if NamedByKey,
	// Name they make up the thumbprint (RFC 7638).
	Members []KeyMember
}

// KeyMember is a member of a JSON Web Key that holds octets in base64url.
type KeyMember struct {
	// Name of the member.
	Name string
	// MinSize and MaxSize are the least and the most octets that it has, 1 to
	// 16,384. A key with another size is not a key of the algorithm.
	MinSize, MaxSize int
}

// known reads Config.SignatureAlgorithms.
func (m *mistakes) known(list []SignatureAlgorithm) *keyset.Algorithms {
	const field = "SignatureAlgorithms"
	known := new(keyset.Algorithms)
	for i, algorithm := range list {
		entry := fmt.Sprintf("%s[%d]", field, i)
		spec, err := foreign.Guard(func() (AlgorithmSpec, error) { return algorithm.Spec(), nil })
		if err != nil {
			m.add(entry, "is nil or does not say what it is")
			continue
		}
		o := keyset.Outside{Name: spec.Name, KeyType: spec.KeyType, Curve: spec.Curve, NamedByKey: spec.NamedByKey}
		for _, member := range spec.Members {
			o.Members = append(o.Members, keyset.Member{Name: member.Name, Min: member.MinSize, Max: member.MaxSize})
		}
		o.Prepare = func(members map[string][]byte) (keyset.Prepared, error) { return algorithm.PrepareKey(members) }
		if err := known.Add(o); err != nil {
			m.of(entry, spec.Name, specProblem(err))
		}
	}
	return known
}

func specProblem(err error) string {
	switch {
	case errors.Is(err, keyset.ErrTwice):
		return "is there twice; remove one"
	case errors.Is(err, keyset.ErrKeyType):
		return "has a key type or curve that does not belong to the algorithm"
	case errors.Is(err, keyset.ErrMembers):
		return "has members that do not make up a public key: 1 to 4, of 1 to 16,384 octets, neither private nor reserved, and the same for all algorithms of the same keys"
	default:
		return "is not a name of an asymmetric algorithm, or differs from another one in case only"
	}
}
