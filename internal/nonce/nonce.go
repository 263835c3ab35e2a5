// Package nonce issues and checks the nonces that a resource server asks for in
// DPoP proofs (RFC 9449, Sections 8 and 9) without keeping any state.
package nonce

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/base64url"
)

const (
	// DefaultLifetime is how long a nonce is accepted.
	DefaultLifetime = 5 * time.Minute
	// MinLifetime and MaxLifetime bound Config.Lifetime: "seconds or minutes"
	// (RFC 9449, Section 11.1).
	MinLifetime = 10 * time.Second
	MaxLifetime = time.Hour
	// MaxSkew is how far in the future a nonce may have been issued, because
	// the clocks of two instances are never quite equal.
	MaxSkew = 10 * time.Second
	// MinSecretLength is the least length of a secret in bytes, that of the
	// hash (RFC 2104, Section 3).
	MinSecretLength = sha256.Size
	// MaxSecrets bounds the work of a check.
	MaxSecrets = 10
)

// Errors of New; they hold nothing of a secret.
var (
	ErrSecrets  = errors.New("nonce: 1 to 10 secrets of at least 32 bytes are needed")
	ErrLifetime = errors.New("nonce: lifetime must be from 10 seconds to 1 hour")
)

const (
	timeLength = 8
	// tagLength is that of the truncated HMAC: 128 bits (RFC 2104, Section 5).
	tagLength = 16
	// domain keeps these nonces apart from everything else that is
	// authenticated with the same secret, nonces of an authorization server
	// included (RFC 9449, Section 9).
	domain = "portcullis resource server DPoP nonce 1\x00"
)

// Config says how nonces are made.
type Config struct {
	// Secrets authenticate nonces: the first one issues, all check, so that
	// secrets rotate without refusing what was just issued: add the new secret
	// last everywhere, then move it to the front, then remove the old one
	// after Lifetime. 1 to 10 secrets of at least 32 random bytes. Instances
	// that share the secrets accept each other's nonces.
	Secrets [][]byte
	// Lifetime is how long a nonce is accepted, from 10 seconds to 1 hour. Zero
	// means DefaultLifetime.
	Lifetime time.Duration
	// Now tells the time; the default is time.Now.
	Now func() time.Time
}

// Source issues and checks nonces. A nonce is the time of its issue in seconds
// and a truncated HMAC-SHA256 of it, in base64url, which are legal characters
// of a nonce (RFC 9449, Section 8.1: 1*NQCHAR). Who does not know a secret
// cannot predict it. All nonces of one second are equal: a nonce limits the age
// of a proof, and the "jti" tells proofs apart. Safe for concurrent use.
type Source struct {
	secrets  [][]byte
	lifetime time.Duration
	now      func() time.Time
}

// New copies the secrets. The errors are [ErrSecrets] and [ErrLifetime].
func New(config Config) (*Source, error) {
	if len(config.Secrets) == 0 || len(config.Secrets) > MaxSecrets {
		return nil, ErrSecrets
	}
	s := &Source{lifetime: config.Lifetime, now: config.Now}
	for _, secret := range config.Secrets {
		if len(secret) < MinSecretLength {
			return nil, ErrSecrets
		}
		s.secrets = append(s.secrets, bytes.Clone(secret))
	}
	if s.lifetime == 0 {
		s.lifetime = DefaultLifetime
	}
	if s.lifetime < MinLifetime || s.lifetime > MaxLifetime {
		return nil, ErrLifetime
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Issue returns a nonce for a DPoP-Nonce header field. It needs no input and
// output, so its error is always nil.
func (s *Source) Issue(context.Context) (string, error) {
	raw := make([]byte, timeLength, timeLength+tagLength)
	binary.BigEndian.PutUint64(raw, uint64(s.now().Unix()))
	raw = append(raw, tag(s.secrets[0], raw)...)
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Check reports whether nonce was issued with one of the secrets less than
// Lifetime ago, and at most MaxSkew in the future. It needs no input and
// output, so its error is always nil.
func (s *Source) Check(_ context.Context, nonce string) (ok bool, err error) {
	if len(nonce) != base64.RawURLEncoding.EncodedLen(timeLength+tagLength) {
		return false, nil
	}
	raw, ok := base64url.Decode(nil, nonce)
	if !ok {
		return false, nil
	}
	issued, got := raw[:timeLength], raw[timeLength:]
	authentic := false
	for _, secret := range s.secrets {
		// hmac.Equal takes the same time wherever the difference is.
		if hmac.Equal(got, tag(secret, issued)) {
			authentic = true
			break
		}
	}
	if !authentic {
		return false, nil
	}
	age := s.now().Sub(time.Unix(int64(binary.BigEndian.Uint64(issued)), 0))
	return age >= -MaxSkew && age < s.lifetime, nil
}

func tag(secret, issued []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(domain))
	mac.Write(issued)
	return mac.Sum(nil)[:tagLength]
}
