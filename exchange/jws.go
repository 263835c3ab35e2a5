package exchange

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // registers the digests of the algorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// signer signs compact JWS (RFC 7515) with a crypto.Signer, which may live in
// a hardware module or a remote service.
type signer struct {
	key       crypto.Signer
	algorithm string
	hash      crypto.Hash // 0: the message itself is signed
	pss       bool
	size      int // of each half of an ECDSA signature
}

var errKey = errors.New("is not a signing key that fits the algorithm")

// minRSA is the least size of an RSA key (RFC 7518, Section 3.3).
const minRSA = 2048

// newSigner checks that a key fits an algorithm; an empty one means the usual
// one of the key, which for RSA is given.
func newSigner(key crypto.Signer, algorithm, usualRSA string) (*signer, error) {
	s := &signer{key: key, algorithm: algorithm}
	// What is no key, such as a nil pointer or half a public key, may panic: it
	// does not fit.
	if fits, _ := foreign.Guard(func() (bool, error) { return s.fits(usualRSA), nil }); !fits {
		return nil, errKey
	}
	return s, nil
}

// fits reports whether the key fits the algorithm, and sets what follows from
// the two.
func (s *signer) fits(usualRSA string) bool {
	switch public := s.key.Public().(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSA && s.forRSA(usualRSA)
	case *ecdsa.PublicKey:
		_, err := public.Bytes() // an error: it is no point of its curve
		return err == nil && s.forCurve(public.Curve)
	case ed25519.PublicKey:
		if s.algorithm == "" {
			s.algorithm = "EdDSA"
		}
		// RFC 9864, Section 2.2: two names of the same thing.
		return len(public) == ed25519.PublicKeySize && (s.algorithm == "EdDSA" || s.algorithm == "Ed25519")
	default:
		return false
	}
}

var rsaHashes = map[string]crypto.Hash{
	"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512,
	"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
}

func (s *signer) forRSA(usual string) bool {
	if s.algorithm == "" {
		s.algorithm = usual
	}
	s.hash, s.pss = rsaHashes[s.algorithm], s.algorithm[0] == 'P'
	return s.hash != 0
}

func (s *signer) forCurve(curve elliptic.Curve) bool {
	name := ""
	switch curve {
	case elliptic.P256():
		name, s.hash = "ES256", crypto.SHA256
	case elliptic.P384():
		name, s.hash = "ES384", crypto.SHA384
	case elliptic.P521():
		name, s.hash = "ES512", crypto.SHA512
	}
	if s.algorithm == "" {
		s.algorithm = name
	}
	s.size = (curve.Params().BitSize + 7) / 8
	return name != "" && s.algorithm == name
}

// publicJWK returns the public key as a JSON Web Key, and its thumbprint (RFC
// 7638).
func (s *signer) publicJWK() (jwk json.RawMessage, thumbprint string, err error) {
	key := jose.JSONWebKey{Key: s.key.Public()}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", err
	}
	jwk, err = key.MarshalJSON()
	return jwk, base64.RawURLEncoding.EncodeToString(sum), err
}

// sign returns the compact JWS. The error is an *Error.
func (s *signer) sign(header, claims map[string]any) (string, error) {
	header["alg"] = s.algorithm
	first, errHeader := json.Marshal(header)
	second, errClaims := json.Marshal(claims)
	if err := errors.Join(errHeader, errClaims); err != nil {
		return "", s.failed(err)
	}
	input := base64.RawURLEncoding.EncodeToString(first) + "." + base64.RawURLEncoding.EncodeToString(second)
	signature, err := s.signature([]byte(input))
	if err != nil {
		return "", s.failed(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (s *signer) failed(cause error) error {
	return &Error{Code: codeCredentials, Status: http.StatusServiceUnavailable, Description: "the client's key did not sign", kind: ErrCredentials, cause: cause}
}

func (s *signer) signature(input []byte) ([]byte, error) {
	digest, options := input, crypto.SignerOpts(s.hash)
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(input)
		digest = h.Sum(nil)
	}
	if s.pss {
		// RFC 7518, Section 3.5: the salt is as long as the digest.
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash}
	}
	signature, err := s.key.Sign(rand.Reader, digest, options)
	if err != nil || s.size == 0 {
		return signature, err
	}
	return s.concatenated(signature)
}

// concatenated turns the ASN.1 form of an ECDSA signature, which every
// crypto.Signer returns, into that of RFC 7518, Section 3.4.
func (s *signer) concatenated(der []byte) ([]byte, error) {
	var halves struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &halves)
	if err != nil || len(rest) != 0 || halves.R.Sign() <= 0 || halves.S.Sign() <= 0 || halves.R.BitLen() > 8*s.size || halves.S.BitLen() > 8*s.size {
		return nil, errors.New("exchange: the signer returned no ECDSA signature")
	}
	signature := make([]byte, 2*s.size)
	halves.R.FillBytes(signature[:s.size])
	halves.S.FillBytes(signature[s.size:])
	return signature, nil
}

// randomID returns 128 random bits as text, for jti.
func randomID() string { return rand.Text() }
