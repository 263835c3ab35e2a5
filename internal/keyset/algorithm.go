// Package keyset parses JSON Web Key Sets (RFC 7517), chooses the key for a
// token and checks signatures.
package keyset

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
)

// Algorithm is a JWS algorithm (RFC 7518, Section 3.1; RFC 8037; RFC 9864).
type Algorithm struct {
	Name  string
	kty   string
	crv   string
	hash  crypto.Hash
	check func(key crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool
}

// algorithms are those that can be allowed: asymmetric ones only.
var algorithms = [...]Algorithm{
	{"RS256", "RSA", "", crypto.SHA256, checkPKCS1v15},
	{"RS384", "RSA", "", crypto.SHA384, checkPKCS1v15},
	{"RS512", "RSA", "", crypto.SHA512, checkPKCS1v15},
	{"PS256", "RSA", "", crypto.SHA256, checkPSS},
	{"PS384", "RSA", "", crypto.SHA384, checkPSS},
	{"PS512", "RSA", "", crypto.SHA512, checkPSS},
	{"ES256", "EC", "P-256", crypto.SHA256, checkECDSA},
	{"ES384", "EC", "P-384", crypto.SHA384, checkECDSA},
	{"ES512", "EC", "P-521", crypto.SHA512, checkECDSA},
	{"EdDSA", "OKP", "Ed25519", 0, checkEd25519},
	{"Ed25519", "OKP", "Ed25519", 0, checkEd25519},
}

// AlgorithmByName returns the algorithm of exactly this name, or nil.
func AlgorithmByName(name string) *Algorithm {
	for i := range algorithms {
		if algorithms[i].Name == name {
			return &algorithms[i]
		}
	}
	return nil
}

// Verify checks signature over input with key, which must be of the
// algorithm's type. This is the one place where signatures are checked.
func (a *Algorithm) Verify(key crypto.PublicKey, input string, signature []byte) bool {
	if a.hash == 0 {
		return a.check(key, 0, []byte(input), signature)
	}
	var sum [sha512.Size]byte
	return a.check(key, a.hash, digest(sum[:0], a.hash, input), signature)
}

// stackInput is up to which length a signing input is hashed without a buffer
// from the heap.
const stackInput = 2048

// digest appends the hash of input to dst.
func digest(dst []byte, hash crypto.Hash, input string) []byte {
	var space [stackInput]byte
	message := append(space[:0], input...)
	switch hash {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		return append(dst, sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return append(dst, sum[:]...)
	default:
		sum := sha512.Sum512(message)
		return append(dst, sum[:]...)
	}
}

func checkPKCS1v15(key crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	public, ok := key.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
}

// checkPSS demands a salt as long as the hash (RFC 7518, Section 3.5).
func checkPSS(key crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	public, ok := key.(*rsa.PublicKey)
	options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return ok && rsa.VerifyPSS(public, hash, digest, signature, &options) == nil
}

// checkECDSA demands R and S of the curve's length each (RFC 7518, Section
// 3.4), and the curve that belongs to the hash.
func checkECDSA(key crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	public, ok := key.(*ecdsa.PublicKey)
	if !ok || curveHash(public.Curve) != hash {
		return false
	}
	size := (public.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	var space [maxECDSA]byte
	return ecdsa.VerifyASN1(public, digest, encodeECDSA(space[:0], signature[:size], signature[size:]))
}

// maxECDSA is the length of the longest signature in ASN.1: two integers of the
// 66 octets of P-521.
const maxECDSA = 3 + 2*(3+66)

// encodeECDSA appends R and S in ASN.1 (RFC 3279, Section 2.2.3), in which the
// standard library takes them.
func encodeECDSA(dst, r, s []byte) []byte {
	r, s = bytes.TrimLeft(r, "\x00"), bytes.TrimLeft(s, "\x00")
	length := 4 + len(r) + signBit(r) + len(s) + signBit(s)
	dst = append(dst, 0x30) // SEQUENCE
	if length >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(length))
	for _, integer := range [...][]byte{r, s} {
		dst = append(dst, 0x02, byte(len(integer)+signBit(integer)))
		if signBit(integer) == 1 {
			dst = append(dst, 0)
		}
		dst = append(dst, integer...)
	}
	return dst
}

// signBit returns 1 when a positive integer needs an octet in front: its first
// bit would make it negative, or it is zero and has none.
func signBit(integer []byte) int {
	if len(integer) == 0 || integer[0] >= 0x80 {
		return 1
	}
	return 0
}

func curveHash(curve elliptic.Curve) crypto.Hash {
	switch curve {
	case elliptic.P256():
		return crypto.SHA256
	case elliptic.P384():
		return crypto.SHA384
	case elliptic.P521():
		return crypto.SHA512
	default:
		return 0
	}
}

func checkEd25519(key crypto.PublicKey, _ crypto.Hash, message, signature []byte) bool {
	public, ok := key.(ed25519.PublicKey)
	return ok && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, signature)
}
