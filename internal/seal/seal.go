// Package seal encrypts and authenticates small values that are kept where
// others can read and write.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
)

// KeySize is the length of a key in bytes: AES-256.
const KeySize = 32

// Overhead is how many bytes a value grows by: header, nonce and tag.
const Overhead = header + 12 + 16

const (
	version = 2
	header  = 1 + 4 // version, name of the key
)

// What is wrong with a value. Nothing more can be known.
var (
	// ErrMalformed: not of the form of a sealed value.
	ErrMalformed = errors.New("seal: not a sealed value")
	// ErrUnknownKey: sealed with a key that was not given, or for another
	// purpose.
	ErrUnknownKey = errors.New("seal: a key that is not known")
	// ErrForged: changed, or of another place.
	ErrForged = errors.New("seal: changed, or of another place")
)

// ErrKeys is what every [KeyError] matches.
var ErrKeys = errors.New("seal: unusable keys")

// KeyError says which key cannot be used, and why. It holds nothing of it.
type KeyError struct {
	// Index of the key, or -1 when there is none.
	Index int
	// Problem in words, such as "is not 32 bytes long".
	Problem string
}

func (e *KeyError) Error() string { return "seal: a key " + e.Problem }

// Is makes the error match ErrKeys.
func (e *KeyError) Is(target error) bool { return target == ErrKeys }

// Sealer seals with its first key and opens with any. It is immutable.
type Sealer struct{ keys []key }

// key is a key with its name, by which values tell which key opens them.
type key struct {
	name [4]byte
	aead cipher.AEAD
}

// New returns a Sealer for a purpose. Keys given for several purposes are used
// for each as if they were different ones (RFC 5869). The error is a *KeyError.
func New(purpose string, keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, &KeyError{-1, "is missing"}
	}
	s := &Sealer{}
	seen := make(map[string]bool, len(keys))
	for i, raw := range keys {
		switch {
		case len(raw) != KeySize:
			return nil, &KeyError{i, "is not 32 bytes long"}
		case [KeySize]byte(raw) == [KeySize]byte{}:
			return nil, &KeyError{i, "is all zeros"}
		case seen[string(raw)]:
			return nil, &KeyError{i, "is there twice"}
		}
		seen[string(raw)] = true
		k, err := newKey(purpose, raw)
		if err != nil {
			return nil, &KeyError{i, "cannot be used"}
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

func newKey(purpose string, raw []byte) (k key, err error) {
	derived, err := hkdf.Key(sha256.New, raw, nil, "portcullis "+purpose, KeySize)
	if err != nil {
		return k, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return k, err
	}
	// Nonces of 96 random bits: good for 2^32 values per key (NIST SP 800-38D,
	// Section 8.3).
	if k.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return k, err
	}
	sum := sha256.Sum256(append([]byte("portcullis seal key\x00"), derived...))
	k.name = [4]byte(sum[:])
	return k, nil
}

// Seal encrypts a value for a place, such as its cache key: it cannot be opened
// at another.
func (s *Sealer) Seal(value []byte, place string) []byte {
	sealed := make([]byte, 0, len(value)+Overhead)
	sealed = append(append(sealed, version), s.keys[0].name[:]...)
	return s.keys[0].aead.Seal(sealed, nil, value, bound(sealed, place))
}

// Open returns what Seal was given for this place, or ErrMalformed,
// ErrUnknownKey or ErrForged.
func (s *Sealer) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, ErrMalformed
	}
	err := ErrUnknownKey
	for _, k := range s.keys {
		if k.name != [4]byte(sealed[1:header]) {
			continue
		}
		if value, failed := k.aead.Open(nil, nil, sealed[header:], bound(sealed[:header], place)); failed == nil {
			return value, nil
		}
		err = ErrForged
	}
	return nil, err
}

// bound is what a value is bound to beside its content: its header, whose length
// is fixed, and its place.
func bound(head []byte, place string) []byte {
	b := make([]byte, 0, len(head)+len(place))
	return append(append(b, head...), place...)
}
