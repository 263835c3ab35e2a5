package verifiertest

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/verifier"
)

// Signer is a private key of an algorithm that the standard library lacks. An
// [Issuer] signs tokens with it (see [WithSigners]), and a [DPoPClient] proofs
// (see [NewDPoPClientWithSigners]).
type Signer interface {
	// Algorithm is the alg of what it signs.
	Algorithm() string
	// PublicJWK returns a new map of exactly the members that the thumbprint of
	// the public key is made of (RFC 7638, Section 3.2), all texts: kty, pub and
	// alg for the key type AKP (RFC 9964).
	PublicJWK() map[string]string
	// Sign signs the signing input of a JWS (RFC 7515, Section 5.1).
	Sign(input []byte) (signature []byte, err error)
}

// WithSigners makes the issuer sign with keys that newSigner makes, all of one
// algorithm. [Issuer.Config] allows the algorithm; the
// [verifier.SignatureAlgorithm] that checks it is the caller's to add.
func WithSigners(newSigner func() Signer) Option {
	return func(i *Issuer) {
		i.newKey = func() signingKey { return outsideKey{newSigner(), newSigner} }
		i.alg = newSigner().Algorithm()
	}
}

// NewDPoPClientWithSigners is [NewDPoPClient] for a client whose key newSigner
// makes.
func NewDPoPClientWithSigners(t testing.TB, clock verifier.Clock, newSigner func() Signer) *DPoPClient {
	t.Helper()
	return newClient(t, clock, outsideKey{newSigner(), newSigner})
}

// signingKey is a private key of an issuer or a client.
type signingKey interface {
	// algorithm is the alg of what it signs.
	algorithm() string
	// sign returns the compact JWS of a header and a payload. An alg in the
	// header is written instead of the algorithm that signs; "none" leaves the
	// signature away.
	sign(header, payload map[string]any) (string, error)
	// published is the public key in a key set, under a kid.
	published(kid string) any
	// public and private are the key in the header of a proof.
	public() any
	private() any
	thumbprint() (string, error)
	// another makes a key of the same algorithm.
	another(t testing.TB) signingKey
}

// standardKey is one that the standard library signs with.
type standardKey struct {
	alg string
	key crypto.Signer
}

func newStandardKey(t testing.TB, algorithm string) signingKey {
	t.Helper()
	return standardKey{algorithm, newKey(t, algorithm)}
}

func (k standardKey) algorithm() string { return k.alg }
func (k standardKey) sign(header, payload map[string]any) (string, error) {
	return sign(k.key, k.alg, header, payload)
}
func (k standardKey) published(kid string) any { return publicJWK(k.key, kid, k.alg) }
func (k standardKey) public() any              { return jose.JSONWebKey{Key: k.key.Public()} }
func (k standardKey) private() any             { return jose.JSONWebKey{Key: k.key} }
func (k standardKey) another(t testing.TB) signingKey {
	t.Helper()
	return newStandardKey(t, k.alg)
}

func (k standardKey) thumbprint() (string, error) {
	jwk := jose.JSONWebKey{Key: k.key.Public()}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// outsideKey is one that a Signer signs with.
type outsideKey struct {
	Signer
	newSigner func() Signer
}

func (k outsideKey) algorithm() string             { return k.Algorithm() }
func (k outsideKey) public() any                   { return k.PublicJWK() }
func (k outsideKey) another(testing.TB) signingKey { return outsideKey{k.newSigner(), k.newSigner} }

func (k outsideKey) published(kid string) any {
	jwk := k.PublicJWK()
	maps.Copy(jwk, map[string]string{"kid": kid, "alg": k.Algorithm(), "use": "sig"})
	return jwk
}

func (k outsideKey) thumbprint() (string, error) {
	members, err := json.Marshal(k.PublicJWK()) // in the order of their names
	sum := sha256.Sum256(members)
	return base64.RawURLEncoding.EncodeToString(sum[:]), err
}

// private has the member that gives the secret of an AKP key away (RFC 9964),
// with another secret than the key's own.
func (k outsideKey) private() any {
	jwk := k.PublicJWK()
	jwk["priv"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	return jwk
}

func (k outsideKey) sign(header, payload map[string]any) (string, error) {
	all := map[string]any{"alg": k.Algorithm()}
	maps.Copy(all, header)
	first, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	second, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	input := base64.RawURLEncoding.EncodeToString(first) + "." + base64.RawURLEncoding.EncodeToString(second)
	var signature []byte
	if all["alg"] != "none" {
		if signature, err = k.Sign([]byte(input)); err != nil {
			return "", err
		}
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
