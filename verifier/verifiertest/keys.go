package verifiertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// newKey makes a signing key that fits an algorithm.
func newKey(t testing.TB, algorithm string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch {
	case strings.HasPrefix(algorithm, "RS"), strings.HasPrefix(algorithm, "PS"):
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case algorithm == "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithm == "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case algorithm == "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case algorithm == "EdDSA", algorithm == "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("unknown algorithm %q", algorithm)
	}
	if err != nil {
		t.Fatalf("verifiertest: %v", err)
	}
	return key
}

// sign returns the compact JWS of a header and a payload. An alg in the header
// is written instead of the algorithm that signs; "none" leaves the signature
// away.
func sign(key crypto.Signer, algorithm string, header, payload map[string]any) (string, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	named, ok := header["alg"].(string)
	if !ok {
		named = algorithm
	}
	if named != algorithm || algorithm == "Ed25519" { // go-jose knows the latter by its older name alone
		return signAs(key, algorithm, named, header, data)
	}
	options := &jose.SignerOptions{}
	for name, value := range header {
		if name != "alg" {
			options.WithHeader(jose.HeaderKey(name), value)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key}, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(data)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// signAs writes the header itself. But for Ed25519 and none, the signature is
// one of the payload alone: it is there, and it is wrong.
func signAs(key crypto.Signer, algorithm, named string, header map[string]any, payload []byte) (string, error) {
	all := maps.Clone(header)
	all["alg"] = named
	first, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	input := base64.RawURLEncoding.EncodeToString(first) + "." + base64.RawURLEncoding.EncodeToString(payload)
	var signature []byte
	switch {
	case named == "none":
	case algorithm == "Ed25519", algorithm == "EdDSA":
		signature, err = key.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	default:
		sum := sha256.Sum256(payload)
		signature, err = key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	if err != nil {
		return "", err
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// publicJWK returns the public part of a key as a JSON Web Key.
func publicJWK(key crypto.Signer, kid, algorithm string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: algorithm, Use: "sig"}
}
