package keyset

import (
	"errors"
	"strings"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// Fault says in one stable word why a key is not used.
type Fault string

// The faults of keys.
const (
	FaultMalformed    Fault = "malformed"     // not a JSON object that can be read
	FaultDuplicate    Fault = "duplicate"     // a member that is there twice
	FaultMissing      Fault = "missing"       // a member that its kind of key must have
	FaultNotText      Fault = "not_text"      // a member that is not a string
	FaultEncoding     Fault = "encoding"      // not base64url without padding (RFC 7515, Section 2)
	FaultUnknown      Fault = "unknown"       // a type or curve that is not known here
	FaultUse          Fault = "use"           // a key for something else than checking signatures
	FaultPrivate      Fault = "private"       // a private or symmetric key
	FaultWeak         Fault = "weak"          // an RSA key of less than 2048 bits or with an unfit exponent
	FaultTooLarge     Fault = "too_large"     // an RSA key of more than 8192 bits
	FaultInvalidValue Fault = "invalid_value" // not a value of its kind: wrong length, not on the curve
)

// KeyError says what is wrong with a key. It holds no bytes of it. It matches
// ErrKey.
type KeyError struct {
	// Member is the name of the member at fault, one that this package looks
	// for, or "" when it is the key as a whole.
	Member string
	Fault  Fault
}

func (e *KeyError) Error() string {
	text := "keyset: unusable key: " + string(e.Fault)
	if e.Member != "" {
		text += " (" + e.Member + ")"
	}
	return text
}

// Is makes the error match ErrKey.
func (e *KeyError) Is(target error) bool { return target == ErrKey }

// Skipped is a key of a set that is not used, and why.
type Skipped struct {
	// Index is its place among the keys of the document, from 0.
	Index int
	// KeyID is its kid, or "" when it has none that can be shown.
	KeyID string
	// KeyType is "RSA", "EC" or "OKP", or "" for every other one.
	KeyType string
	KeyError
}

// maxSkipped is how many skipped keys of a set are told of.
const maxSkipped = 16

// UnusableError is the error of a well-formed set without a key that could
// check a signature. It matches ErrNoUsable.
type UnusableError struct {
	// Skipped are the keys that it has, 16 at the most.
	Skipped []Skipped
}

func (e *UnusableError) Error() string { return ErrNoUsable.Error() }

// Is makes the error match ErrNoUsable.
func (e *UnusableError) Is(target error) bool { return target == ErrNoUsable }

// Broken reports whether a key that was meant to check signatures is among the
// skipped ones: one of a known type, for signatures, with a fault. Then the set
// is at fault; an empty set, and one of keys for other uses, is not.
func (e *UnusableError) Broken() bool {
	for _, s := range e.Skipped {
		if s.KeyType != "" && s.Fault != FaultUse && s.Fault != FaultUnknown {
			return true
		}
	}
	return false
}

// knownMembers are the names that this package looks for.
var knownMembers = [...]string{"kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y", "d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// unreadable says why an entry could not be read strictly, from a lenient
// reading of it.
func unreadable(jwk []strictjson.Member) *KeyError {
	for _, name := range knownMembers {
		if _, once := strictjson.One(jwk, name); !once {
			return &KeyError{name, FaultDuplicate}
		}
	}
	return &KeyError{Fault: FaultMalformed}
}

// skip describes a key that is not used.
func skip(index int, jwk []strictjson.Member, err error) Skipped {
	s := Skipped{Index: index, KeyError: KeyError{Fault: FaultMalformed}}
	var fault *KeyError
	if errors.As(err, &fault) {
		s.KeyError = *fault
	}
	kid, _ := strictjson.One(jwk, "kid")
	if text, ok := kid.Text(); ok && harmless(text) {
		s.KeyID = strings.Clone(text)
	}
	kty, _ := strictjson.One(jwk, "kty")
	switch text, _ := kty.Text(); text {
	case "RSA":
		s.KeyType = "RSA"
	case "EC":
		s.KeyType = "EC"
	case "OKP":
		s.KeyType = "OKP"
	}
	return s
}

// maxShownID is the length up to which a kid is shown to operators.
const maxShownID = 100

// harmless reports whether a kid can be shown in logs: the characters of
// base64url and of URLs without a query, which every usual kid keeps to.
func harmless(kid string) bool {
	if kid == "" || len(kid) > maxShownID {
		return false
	}
	for _, c := range []byte(kid) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("-._~:/+=@", c) < 0 {
			return false
		}
	}
	return true
}
