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

// KeySize is the length of a key in bytes.
const KeySize = 32

// What is wrong with keys or a value.
var (
	ErrKeys = errors.New("seal: keys are not of 32 bytes")
	// ErrSealed: not sealed with any of the keys for this place, or changed
	// since. Nothing more can be known.
	ErrSealed = errors.New("seal: not one of ours")
)

// version is the first byte of everything sealed.
const version = 1

// Sealer seals with its first key and opens with any. It is immutable.
type Sealer struct{ aeads []cipher.AEAD }

// New returns a Sealer for a purpose. Keys given for several purposes are used
// for each as if they were different ones (RFC 5869).
func New(purpose string, keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, ErrKeys
	}
	s := &Sealer{}
	for _, key := range keys {
		if len(key) != KeySize {
			return nil, ErrKeys
		}
		derived, err := hkdf.Key(sha256.New, key, nil, "portcullis "+purpose, KeySize)
		if err != nil {
			return nil, ErrKeys
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, ErrKeys
		}
		// Nonces of 96 random bits: good for 2^32 values per key (NIST SP
		// 800-38D, Section 8.3).
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, ErrKeys
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

// Seal encrypts a value for a place, such as its cache key: it cannot be opened
// at another.
func (s *Sealer) Seal(value []byte, place string) []byte {
	sealed := make([]byte, 1, 1+len(value)+s.aeads[0].Overhead())
	sealed[0] = version
	return s.aeads[0].Seal(sealed, nil, value, []byte(place))
}

// Open returns what Seal was given for this place.
func (s *Sealer) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, ErrSealed
	}
	for _, aead := range s.aeads {
		if value, err := aead.Open(nil, nil, sealed[1:], []byte(place)); err == nil {
			return value, nil
		}
	}
	return nil, ErrSealed
}
