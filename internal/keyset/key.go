package keyset

import (
	"cmp"
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
	"github.com/portcullis-go/portcullis/internal/base64url"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

const (
	minRSABits = 2048 // RFC 7518, Section 3.3
	maxRSABits = 8192 // beyond it a verification costs more than it gives
	// maxRSAExponent is the largest that crypto/rsa takes.
	maxRSAExponent = 1<<31 - 1
)

// ErrKey says that a JSON Web Key is malformed, private, weak or of an unknown
// type.
var ErrKey = errors.New("keyset: unusable key")

// Key is a public key for signatures.
type Key struct {
	ID        string
	HasID     bool
	Algorithm string           // the key's "alg", or ""
	Issuer    string           // the member "issuer" that some sets of several issuers have, or ""
	KeyType   string           // "RSA", "EC", "OKP" or that of an outside algorithm
	Curve     string           // "P-256", "P-384", "P-521", "Ed25519", that of an outside algorithm, or ""
	Public    crypto.PublicKey // nil for a key that outside algorithms alone read

	x, y string // the coordinates as given, for the thumbprint

	outsideKey
}

// privateMembers are the members of private and symmetric keys (RFC 7518,
// Section 6; RFC 9964). One of them in a place for public keys spoils the key.
var privateMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// ParseKey reads a public JSON Web Key. Members must have the types and the
// canonical base64url form of RFC 7518, Section 6; a member that is null is
// absent; "x5u", "x5c" and the like are ignored, never fetched and never
// trusted. A key of another type is read for the outside algorithms of known.
// The error is a *KeyError.
func ParseKey(members []strictjson.Member, known *Algorithms) (*Key, error) {
	for _, name := range privateMembers {
		if strictjson.Present(members, name).Kind() != strictjson.Invalid {
			return nil, &KeyError{name, FaultPrivate}
		}
	}
	k := &Key{}
	var err error
	if k.KeyType, err = requiredText(members, "kty"); err != nil {
		return nil, err
	}
	if k.ID, k.HasID, err = optionalText(members, "kid"); err != nil {
		return nil, err
	}
	if k.Algorithm, _, err = optionalText(members, "alg"); err != nil {
		return nil, err
	}
	if err := k.parsePublic(members, known); err != nil {
		return nil, err
	}
	if known != nil {
		k.slots = make([]atomic.Pointer[preparedSlot], known.slots)
	}
	if k.Issuer, _, err = optionalText(members, "issuer"); err != nil {
		k.Issuer = noIssuer
	}
	// The texts must not hold on to the document.
	for _, text := range [...]*string{&k.KeyType, &k.ID, &k.Algorithm, &k.Curve, &k.Issuer, &k.x, &k.y} {
		*text = own(*text)
	}
	return k, nil
}

// own returns a text that shares no memory with a document.
func own(text string) string {
	for _, known := range [...]string{"", "RSA", "EC", "OKP", "P-256", "P-384", "P-521", "Ed25519"} {
		if text == known {
			return known
		}
	}
	if a := AlgorithmByName(text); a != nil {
		return a.Name
	}
	return strings.Clone(text)
}

// noIssuer stands for a member "issuer" that is no text: it equals no issuer.
const noIssuer = "\x00"

// ForSignatures reports whether "use" and "key_ops" allow the key to verify
// signatures (RFC 7517, Sections 4.2 and 4.3).
func ForSignatures(members []strictjson.Member) bool { return checkUse(members, "") == nil }

// checkUse demands a use: "" stands for "sig" or none.
func checkUse(members []strictjson.Member, want string) error {
	use, has, _ := optionalText(members, "use") // what is no text is there, and no use
	if has && use != cmp.Or(want, "sig") || !has && want != "" {
		return &KeyError{"use", FaultUse}
	}
	ops := strictjson.Present(members, "key_ops")
	if ops.Kind() == strictjson.Invalid {
		return nil
	}
	elements, _ := ops.Elements(nil) // what is no array has none
	for _, e := range elements {
		if op, _ := e.Text(); op == "verify" {
			return nil
		}
	}
	return &KeyError{"key_ops", FaultUse}
}

func optionalText(members []strictjson.Member, name string) (text string, has bool, err error) {
	v := strictjson.Present(members, name)
	if v.Kind() == strictjson.Invalid {
		return "", false, nil
	}
	text, ok := v.Text()
	if !ok {
		return "", true, &KeyError{name, FaultNotText}
	}
	return text, true, nil
}

func requiredText(members []strictjson.Member, name string) (string, error) {
	text, has, err := optionalText(members, name)
	if !has {
		err = &KeyError{name, FaultMissing}
	}
	return text, err
}

func (k *Key) parsePublic(members []strictjson.Member, known *Algorithms) error {
	switch k.KeyType {
	case "RSA":
		return k.parseRSA(members)
	case "EC":
		return k.parseEC(members, known)
	case "OKP":
		return k.parseOKP(members, known)
	default:
		return k.parseOutside(members, "kty", known)
	}
}

func (k *Key) parseRSA(members []strictjson.Member) error {
	_, n, err := octets(members, "n")
	if err != nil {
		return err
	}
	_, e, err := octets(members, "e")
	if err != nil {
		return err
	}
	if len(n) > maxRSABits/8+1 {
		return &KeyError{"n", FaultTooLarge}
	}
	if len(e) > 4 {
		return &KeyError{"e", FaultWeak}
	}
	// Not by go-jose, newer versions of which take no more than 4096 bits.
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	k.Public = public
	return checkRSA(public)
}

func (k *Key) parseEC(members []strictjson.Member, known *Algorithms) (err error) {
	if k.Curve, err = requiredText(members, "crv"); err != nil {
		return err
	}
	if k.Curve != "P-256" && k.Curve != "P-384" && k.Curve != "P-521" {
		return k.parseOutside(members, "crv", known)
	}
	if k.x, _, err = octets(members, "x"); err != nil {
		return err
	}
	if k.y, _, err = octets(members, "y"); err != nil {
		return err
	}
	// go-jose checks the length of the coordinates and that the point is on
	// the curve (RFC 7518, Section 6.2.1; RFC 8725, Section 3.4).
	return k.parse("x", `{"kty":"EC","crv":"`+k.Curve+`","x":"`+k.x+`","y":"`+k.y+`"}`)
}

func (k *Key) parseOKP(members []strictjson.Member, known *Algorithms) (err error) {
	if k.Curve, err = requiredText(members, "crv"); err != nil {
		return err
	}
	if k.Curve != "Ed25519" {
		return k.parseOutside(members, "crv", known)
	}
	var bytes []byte
	if k.x, bytes, err = octets(members, "x"); err != nil {
		return err
	}
	if len(bytes) != ed25519.PublicKeySize {
		return &KeyError{"x", FaultInvalidValue}
	}
	return k.parse("x", `{"kty":"OKP","crv":"Ed25519","x":"`+k.x+`"}`)
}

// parse hands go-jose the members that make up the public key, and no others.
// The member named is blamed when it takes none of it.
func (k *Key) parse(member, jwk string) error {
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON([]byte(jwk)); err != nil || !parsed.IsPublic() {
		return &KeyError{member, FaultInvalidValue}
	}
	k.Public = parsed.Key
	return nil
}

func checkRSA(key *rsa.PublicKey) error {
	switch {
	case key.N.Bit(0) == 0:
		return &KeyError{"n", FaultInvalidValue}
	case key.N.BitLen() < minRSABits:
		return &KeyError{"n", FaultWeak}
	case key.N.BitLen() > maxRSABits:
		return &KeyError{"n", FaultTooLarge}
	case key.E < 3 || key.E&1 == 0 || key.E > maxRSAExponent: // which crypto/rsa does not take
		return &KeyError{"e", FaultWeak}
	default:
		return nil
	}
}

// octets returns a member that is canonical base64url of at least one octet.
func octets(members []strictjson.Member, name string) (text string, data []byte, err error) {
	if text, err = requiredText(members, name); err != nil {
		return "", nil, err
	}
	if data, _ = base64url.Decode(nil, text); len(data) == 0 {
		return "", nil, &KeyError{name, FaultEncoding}
	}
	return text, data, nil
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
