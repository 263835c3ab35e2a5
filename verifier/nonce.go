package verifier

import (
	"context"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/nonce"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// NonceConfig shapes the nonces of [NewNonceSource].
type NonceConfig struct {
	// Secrets, of at least 32 random bytes each, 10 at most: the first one
	// signs, all are accepted. Put a new one in front to rotate, and drop an
	// old one when Lifetime has passed. Instances that serve the same clients
	// need the same ones.
	Secrets [][]byte
	// Lifetime of a nonce, 10 s to 1 h. Default 5 minutes.
	Lifetime time.Duration
	// Clock; default time.Now.
	Clock Clock
}

// NewNonceSource returns a source of nonces that keeps no state: a nonce is
// its time of issue with an HMAC (RFC 9449, Section 9). The error matches
// [ErrConfig].
func NewNonceSource(cfg NonceConfig) (NonceSource, error) {
	now := time.Now
	if cfg.Clock != nil {
		now = cfg.Clock.Now
	}
	source, err := nonce.New(nonce.Config{Secrets: cfg.Secrets, Lifetime: cfg.Lifetime, Now: now})
	if err != nil {
		return nil, invalid("DPoP.Nonces", "needs 1 to 10 secrets of at least 32 bytes and a lifetime between 10 s and 1 h")
	}
	return source, nil
}

// checkNonce demands a nonce once nonces are in use, and provides the next one
// (RFC 9449, Section 9).
func (p *proofs) checkNonce(ctx context.Context, proof *Proof) error {
	if p.nonces == nil {
		return nil
	}
	why := reason.NonceRequired
	if proof.Nonce != "" {
		ok, err := foreign.Call(ctx, func() (bool, error) { return p.nonces.Check(ctx, proof.Nonce) })
		if err != nil {
			return undecided(reason.NonceSource, err, 0)
		}
		why = reason.NonceNotAccepted
		if ok {
			why = ""
		}
	}
	next, err := foreign.Call(ctx, func() (string, error) { return p.nonces.Issue(ctx) })
	if err == nil && !legalNonce(next) {
		err = errNonce
	}
	if err != nil {
		return undecided(reason.NonceSource, err, 0)
	}
	if why != "" {
		e := refuse(why)
		e.DPoPNonce = next
		return e
	}
	proof.NextNonce = next
	return nil
}

var errNonce = errors.New("verifier: the nonce source issued a nonce with illegal characters")

// legalNonce: 1*NQCHAR (RFC 9449, Section 8.1).
func legalNonce(nonce string) bool {
	for i := range len(nonce) {
		if c := nonce[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return nonce != ""
}
