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
	Name   string
	kty    string
	crv    string
	hash   crypto.Hash
	scheme scheme

	outside *Outside // nil: the standard library checks it alone
	slot    int      // of the keys that outside prepared
}

// scheme is how a signature is made.
type scheme uint8

const (
	schemeOutside  scheme = iota // the standard library does not have it
	schemePKCS1v15               // RFC 8017, Section 8.2
	schemePSS                    // RFC 8017, Section 8.1
	schemeECDSA                  // FIPS 186-5, Section 6
	schemeEd25519                // RFC 8032, Section 5.1
)

// algorithms are those of the standard library that can be allowed: asymmetric
// ones only.
var algorithms = [...]Algorithm{
	{Name: "RS256", kty: "RSA", hash: crypto.SHA256, scheme: schemePKCS1v15},
	{Name: "RS384", kty: "RSA", hash: crypto.SHA384, scheme: schemePKCS1v15},
	{Name: "RS512", kty: "RSA", hash: crypto.SHA512, scheme: schemePKCS1v15},
	{Name: "PS256", kty: "RSA", hash: crypto.SHA256, scheme: schemePSS},
	{Name: "PS384", kty: "RSA", hash: crypto.SHA384, scheme: schemePSS},
	{Name: "PS512", kty: "RSA", hash: crypto.SHA512, scheme: schemePSS},
	{Name: "ES256", kty: "EC", crv: "P-256", hash: crypto.SHA256, scheme: schemeECDSA},
	{Name: "ES384", kty: "EC", crv: "P-384", hash: crypto.SHA384, scheme: schemeECDSA},
	{Name: "ES512", kty: "EC", crv: "P-521", hash: crypto.SHA512, scheme: schemeECDSA},
	{Name: "EdDSA", kty: "OKP", crv: "Ed25519", scheme: schemeEd25519},
	{Name: "Ed25519", kty: "OKP", crv: "Ed25519", scheme: schemeEd25519},
}

// AlgorithmByName returns the algorithm of the standard library of exactly this
// name, or nil.
func AlgorithmByName(name string) *Algorithm { return (*Algorithms)(nil).ByName(name) }

// Verify is the standard library's answer to whether signature is one over
// input by key. It is false for a key of another type.
//
// The checks are called by name, not through a variable, so that the compiler
// sees that they keep nothing and leaves input and hash on the stack.
func (a *Algorithm) Verify(key crypto.PublicKey, input string, signature []byte) bool {
	var space [stackInput]byte
	message := append(space[:0], input...)
	var sum [sha512.Size]byte
	switch a.scheme {
	case schemePKCS1v15:
		return checkPKCS1v15(key, a.hash, digest(&sum, a.hash, message), signature)
	case schemePSS:
		var kept [sha512.Size]byte // for the heap: what crypto/rsa does with it, the compiler cannot see
		return checkPSS(key, a.hash, digest(&kept, a.hash, message), signature)
	case schemeECDSA:
		return checkECDSA(key, a.hash, digest(&sum, a.hash, message), signature)
	case schemeEd25519:
		return checkEd25519(key, message, signature)
	default:
		return false
	}
}

// stackInput is up to which length a signing input is checked without a buffer
// from the heap.
const stackInput = 2048

// digest returns the hash of a message, in space.
func digest(space *[sha512.Size]byte, hash crypto.Hash, message []byte) []byte {
	switch hash {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		return append(space[:0], sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return append(space[:0], sum[:]...)
	default:
		sum := sha512.Sum512(message)
		return append(space[:0], sum[:]...)
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

func checkEd25519(key crypto.PublicKey, message, signature []byte) bool {
	public, ok := key.(ed25519.PublicKey)
	return ok && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, signature)
}
