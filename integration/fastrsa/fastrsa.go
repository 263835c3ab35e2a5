package fastrsa

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/sha256"
	"crypto/sha512"
	"errors"

	"filippo.io/bigmod"

	"github.com/portcullis-go/portcullis/verifier"
)

// exponent is the one that keys have, in practice all of them.
const exponent = 65537

const (
	minSize = 2048 / 8
	maxSize = 4096 / 8
)

// errKey says that crypto/rsa is to check the signatures of a key.
var errKey = errors.New("fastrsa: not a key that is checked faster")

// algorithm is RSASSA-PKCS1-v1_5 with one hash.
type algorithm struct {
	name string
	hash crypto.Hash
	info string // the DigestInfo up to the hash (RFC 8017, Section 9.2, Note 1)
}

var algorithms = [...]algorithm{
	{"RS256", crypto.SHA256, "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"},
	{"RS384", crypto.SHA384, "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"},
	{"RS512", crypto.SHA512, "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"},
}

// Algorithms returns RS256, RS384 and RS512 for verifier.Config. Which of them
// are allowed, Config.Algorithms and DPoP.Algorithms say.
func Algorithms() []verifier.SignatureAlgorithm {
	list := make([]verifier.SignatureAlgorithm, len(algorithms))
	for i := range algorithms {
		list[i] = &algorithms[i]
	}
	return list
}

// Spec describes the algorithm (RFC 7518, Sections 3.3 and 6.3.1).
func (a *algorithm) Spec() verifier.AlgorithmSpec {
	return verifier.AlgorithmSpec{Name: a.name, KeyType: "RSA", Members: []verifier.KeyMember{
		{Name: "n", MinSize: minSize, MaxSize: maxSize},
		{Name: "e", MinSize: 1, MaxSize: 4},
	}}
}

// key is a modulus that is ready for arithmetic.
type key struct {
	modulus *bigmod.Modulus
	hash    crypto.Hash
	encoded []byte // the encoded message up to the hash
}

// PrepareKey refuses the keys that crypto/rsa is to check.
func (a *algorithm) PrepareKey(members map[string][]byte) (verifier.SignatureKey, error) {
	n, e := members["n"], members["e"]
	if fips140.Enabled() || boring || !bytes.Equal(e, []byte{exponent >> 16, exponent >> 8 & 0xff, exponent & 0xff}) {
		return nil, errKey
	}
	switch len(n) {
	case 2048 / 8, 3072 / 8, 4096 / 8:
	default:
		return nil, errKey
	}
	if n[0] < 0x80 || n[len(n)-1]&1 == 0 { // fewer bits than that, or even
		return nil, errKey
	}
	modulus, err := bigmod.NewModulus(n)
	if err != nil {
		return nil, errKey
	}
	return &key{modulus: modulus, hash: a.hash, encoded: a.encode(len(n))}, nil
}

// encode returns EM = 0x00 || 0x01 || PS || 0x00 || T without the hash at the
// end of T, for a modulus of size octets (RFC 8017, Section 9.2).
func (a *algorithm) encode(size int) []byte {
	padding := size - 3 - len(a.info) - a.hash.Size()
	em := append(make([]byte, 0, size), 0, 1)
	em = append(em, bytes.Repeat([]byte{0xff}, padding)...)
	em = append(em, 0)
	return append(em, a.info...)
}

// stackInput is up to which length a signing input is hashed without a buffer
// from the heap.
const stackInput = 2048

// Verify reports whether signature to the power of the exponent is the encoded
// message for input (RFC 8017, Section 8.2.2).
func (k *key) Verify(input string, signature []byte) bool {
	if len(signature) != k.modulus.Size() {
		return false
	}
	s, err := bigmod.NewNat().SetBytes(signature, k.modulus)
	if err != nil { // not below the modulus
		return false
	}
	var space [maxSize]byte
	want := k.appendHash(append(space[:0], k.encoded...), input)
	return bytes.Equal(bigmod.NewNat().ExpShortVarTime(s, exponent, k.modulus).Bytes(k.modulus), want)
}

func (k *key) appendHash(em []byte, input string) []byte {
	var space [stackInput]byte
	message := append(space[:0], input...)
	switch k.hash {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		return append(em, sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return append(em, sum[:]...)
	default:
		sum := sha512.Sum512(message)
		return append(em, sum[:]...)
	}
}
