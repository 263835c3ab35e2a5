package keyset

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

const (
	minRSABits = 2048 // RFC 7518, Section 3.3
	maxRSABits = 8192 // beyond it a verification costs more than it gives
)

// ErrKey says that a JSON Web Key is malformed, private, weak or of an unknown
// type.
var ErrKey = errors.New("keyset: unusable key")

// Key is a public key for signatures.
type Key struct {
	ID        string
	HasID     bool
	Algorithm string           // the key's "alg", or ""
	KeyType   string           // "RSA", "EC", "OKP" or that of an outside algorithm
	Curve     string           // "P-256", "P-384", "P-521", "Ed25519", that of an outside algorithm, or ""
	Public    crypto.PublicKey // nil for a key of an outside algorithm

	x, y string // the coordinates as given, for the thumbprint

	outsideKey
}

// privateMembers are the members of private and symmetric keys (RFC 7518,
// Section 6; RFC 9964). One of them in a place for public keys spoils the key.
var privateMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// ParseKey reads a public JSON Web Key. Members must have the types and the
// canonical base64url form of RFC 7518, Section 6; "x5u", "x5c" and the like
// are ignored, never fetched and never trusted. A key of another type is read
// for the outside algorithms of known.
func ParseKey(members []strictjson.Member, known *Algorithms) (*Key, error) {
	for _, name := range privateMembers {
		if strictjson.Find(members, name).Kind() != strictjson.Invalid {
			return nil, ErrKey
		}
	}
	k := &Key{}
	var ok bool
	if k.KeyType, ok = strictjson.Find(members, "kty").Text(); !ok {
		return nil, ErrKey
	}
	if k.ID, k.HasID, ok = optionalText(members, "kid"); !ok {
		return nil, ErrKey
	}
	if k.Algorithm, _, ok = optionalText(members, "alg"); !ok {
		return nil, ErrKey
	}
	if err := k.parsePublic(members, known); err != nil {
		return nil, err
	}
	if known != nil {
		k.slots = make([]atomic.Pointer[preparedSlot], known.slots)
	}
	return k, nil
}

// ForSignatures reports whether "use" and "key_ops" allow the key to verify
// signatures (RFC 7517, Sections 4.2 and 4.3).
func ForSignatures(members []strictjson.Member) bool {
	if use, has, ok := optionalText(members, "use"); !ok || has && use != "sig" {
		return false
	}
	ops := strictjson.Find(members, "key_ops")
	if ops.Kind() == strictjson.Invalid {
		return true
	}
	elements, ok := ops.Elements(nil)
	if !ok {
		return false
	}
	for _, e := range elements {
		if op, _ := e.Text(); op == "verify" {
			return true
		}
	}
	return false
}

func optionalText(members []strictjson.Member, name string) (text string, has, ok bool) {
	v := strictjson.Find(members, name)
	if v.Kind() == strictjson.Invalid {
		return "", false, true
	}
	text, ok = v.Text()
	return text, true, ok
}

func (k *Key) parsePublic(members []strictjson.Member, known *Algorithms) error {
	switch k.KeyType {
	case "RSA":
		n, nBytes, ok := octets(members, "n")
		e, eBytes, ok2 := octets(members, "e")
		if !ok || !ok2 || len(eBytes) > 4 || len(nBytes) > maxRSABits/8+1 {
			return ErrKey
		}
		if err := k.parse(`{"kty":"RSA","n":"` + n + `","e":"` + e + `"}`); err != nil {
			return err
		}
		return checkRSA(k.Public)
	case "EC":
		var ok, ok2, ok3 bool
		k.Curve, ok = strictjson.Find(members, "crv").Text()
		k.x, _, ok2 = octets(members, "x")
		k.y, _, ok3 = octets(members, "y")
		if k.Curve != "P-256" && k.Curve != "P-384" && k.Curve != "P-521" {
			return k.parseOutside(members, known)
		}
		if !ok || !ok2 || !ok3 {
			return ErrKey
		}
		// go-jose checks the length of the coordinates and that the point is on
		// the curve (RFC 7518, Section 6.2.1; RFC 8725, Section 3.4).
		return k.parse(`{"kty":"EC","crv":"` + k.Curve + `","x":"` + k.x + `","y":"` + k.y + `"}`)
	case "OKP":
		crv, _ := strictjson.Find(members, "crv").Text()
		if crv != "Ed25519" {
			return k.parseOutside(members, known)
		}
		x, xBytes, ok := octets(members, "x")
		if !ok || len(xBytes) != ed25519.PublicKeySize {
			return ErrKey
		}
		k.Curve, k.x = crv, x
		return k.parse(`{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`)
	default:
		return k.parseOutside(members, known)
	}
}

// parse hands go-jose the members that make up the public key, and no others.
func (k *Key) parse(jwk string) error {
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON([]byte(jwk)); err != nil || !parsed.IsPublic() {
		return ErrKey
	}
	k.Public = parsed.Key
	return nil
}

func checkRSA(public crypto.PublicKey) error {
	key, ok := public.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits || key.N.Bit(0) == 0 {
		return ErrKey
	}
	if key.E < 3 || key.E&1 == 0 {
		return ErrKey
	}
	return nil
}

// octets returns a member that is canonical base64url of at least one octet.
func octets(members []strictjson.Member, name string) (text string, data []byte, ok bool) {
	text, ok = strictjson.Find(members, name).Text()
	if !ok || text == "" || strings.ContainsAny(text, "\r\n") {
		return "", nil, false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return text, data, err == nil && len(data) > 0
}

// Thumbprint returns the base64url SHA-256 JWK thumbprint (RFC 7638, Section
// 3; RFC 8037, Appendix A.3 for OKP).
func (k *Key) Thumbprint() string {
	var input string
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		input = `{"e":"` + base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()) +
			`","kty":"RSA","n":"` + base64.RawURLEncoding.EncodeToString(public.N.Bytes()) + `"}`
	case *ecdsa.PublicKey:
		input = `{"crv":"` + k.Curve + `","kty":"EC","x":"` + k.x + `","y":"` + k.y + `"}`
	case ed25519.PublicKey:
		input = `{"crv":"Ed25519","kty":"OKP","x":"` + k.x + `"}`
	default:
		return k.thumbprint
	}
	h := crypto.SHA256.New()
	h.Write([]byte(input))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Fits reports whether the key may check signatures of an algorithm: its type
// and curve match, and its own "alg", if it states one, is the same (RFC 8725,
// Section 3.1). EdDSA and Ed25519 are two names of one algorithm (RFC 9864,
// Section 2.2).
func (k *Key) Fits(a *Algorithm) bool {
	if k.KeyType != a.kty || a.crv != "" && k.Curve != a.crv {
		return false
	}
	if k.Algorithm == "" || k.Algorithm == a.Name {
		return true
	}
	return a.kty == "OKP" && (k.Algorithm == "EdDSA" || k.Algorithm == "Ed25519")
}
