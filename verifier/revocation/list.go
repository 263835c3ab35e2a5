package revocation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/verifier"
)

// ListConfig describes a [List]. Store and MaxTokenLife are required.
type ListConfig struct {
	// Store keeps the denials. The processes of a fleet share one.
	Store verifier.RevocationStore
	// MaxTokenLife is how long access tokens live at most, of all issuers: 1 second
	// to 366 days. Denials are kept for so long, and for the largest leeway of a
	// Verifier beyond. A token that lives longer is not decided about; see
	// [ErrTokenLife].
	MaxTokenLife time.Duration
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
}

// List denies tokens that were revoked by this program: single ones by their jti
// claim, those of a session by their sid claim, and those of a subject by their sub
// claim and the time at which they were issued. Issuers are named as in
// verifier.Token.IssuerName; a domain is accepted in any spelling.
//
// A process sees what another one has revoked as soon as its store shows it.
//
// It is a verifier.RevocationChecker, and safe for concurrent use.
type List struct {
	store verifier.RevocationStore
	life  time.Duration
	clock verifier.Clock
}

var _ verifier.RevocationChecker = (*List)(nil)

var (
	// ErrConfig: the configuration of something of this package is wrong.
	ErrConfig = errors.New("revocation: invalid configuration")
	// ErrArgument: what is to be revoked is not named, or its time is too far ahead.
	ErrArgument = errors.New("revocation: invalid argument")
	// ErrTokenLife: a token lives longer than ListConfig.MaxTokenLife, so that its
	// denial may have been forgotten.
	ErrTokenLife = errors.New("revocation: a token lives longer than ListConfig.MaxTokenLife")
)

const (
	// slack is the most by which a Verifier can accept a token after its end.
	slack = 5*time.Minute + time.Second
	// skew is how far the clock of an issuer may be ahead.
	skew        = time.Minute
	maxLifetime = 366 * 24 * time.Hour
)

// NewList returns a List. The error matches [ErrConfig].
func NewList(cfg ListConfig) (*List, error) {
	l := &List{store: cfg.Store, life: cfg.MaxTokenLife, clock: cfg.Clock}
	if l.clock == nil {
		l.clock = verifier.ClockFunc(time.Now)
	}
	if l.store == nil {
		return nil, configError("ListConfig.Store is missing")
	}
	if l.life < time.Second || l.life > maxLifetime {
		return nil, configError("ListConfig.MaxTokenLife is not between 1 second and 366 days")
	}
	return l, nil
}

type problem struct {
	kind error
	text string
}

func (p *problem) Error() string        { return "revocation: " + p.text }
func (p *problem) Is(target error) bool { return target == p.kind }

func configError(text string) error { return &problem{ErrConfig, text} }

// RevokeToken denies one token by its jti claim.
func (l *List) RevokeToken(ctx context.Context, issuer, id string) error {
	return l.deny(ctx, "jti", issuer, id, l.clock.Now())
}

// RevokeSession denies all tokens of a session by their sid claim.
func (l *List) RevokeSession(ctx context.Context, issuer, sessionID string) error {
	return l.deny(ctx, "sid", issuer, sessionID, l.clock.Now())
}

// RevokeSubject denies the tokens of a subject that were issued at a time or
// before. Claims count whole seconds, so a token that is issued in the very second
// counts as before, and so does one without iat. The time can be ahead by
// MaxTokenLife at most.
func (l *List) RevokeSubject(ctx context.Context, issuer, subject string, before time.Time) error {
	return l.deny(ctx, "sub", issuer, subject, before)
}

func (l *List) deny(ctx context.Context, claim, issuer, value string, at time.Time) error {
	now := l.clock.Now()
	switch {
	case issuer == "" || value == "" || at.IsZero():
		return &problem{ErrArgument, "the issuer, what is revoked, or the time is missing"}
	case at.After(now.Add(l.life)):
		return &problem{ErrArgument, "the time is further ahead than MaxTokenLife"}
	}
	// Tokens that were issued until then end after a life at the latest.
	return l.store.Revoke(ctx, keyOf(claim, issuer, value), at, at.Sub(now)+l.life+slack+skew)
}

// Revoked implements verifier.RevocationChecker.
func (l *List) Revoked(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	// A time that is still to come says nothing of when the token was issued: the
	// token counts as one without iat, whose life begins now.
	now := l.clock.Now()
	issued := token.IssuedAt
	if issued.After(now.Add(skew)) {
		issued = time.Time{}
	}
	begins := issued
	if issued.IsZero() {
		begins = now
	}
	if token.ExpiresAt.Sub(begins) > l.life {
		return false, ErrTokenLife
	}
	var space [3]string
	keys := space[:0]
	subject := -1
	for _, part := range [...][2]string{{"jti", token.ID}, {"sid", token.SessionID}, {"sub", token.Subject}} {
		if part[1] == "" {
			continue
		}
		if part[0] == "sub" {
			subject = len(keys)
		}
		keys = append(keys, keyOf(part[0], token.Issuer, part[1]))
	}
	if len(keys) == 0 {
		return false, nil
	}
	times, err := l.store.Revoked(ctx, keys)
	switch {
	case err != nil:
		return false, err
	case len(times) != len(keys):
		return false, errAnswer
	}
	for i, at := range times {
		if !at.IsZero() && (i != subject || !issued.After(at)) {
			return true, nil
		}
	}
	return false, nil
}

var errAnswer = errors.New("revocation: the store did not answer for each key")

// keyPrefix keeps denials apart from whatever else is in a store.
const keyPrefix = "portcullis:revoked:1:"

// keyOf names what is denied. Subjects and sessions are not readable in a store.
func keyOf(claim, name, value string) string {
	if normal, err := issuer.Normalize(name); err == nil {
		name = normal
	}
	h := sha256.New()
	for _, text := range [...]string{claim, name, value} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		h.Write([]byte(text))
	}
	var sum [sha256.Size]byte
	return keyPrefix + base64.RawURLEncoding.EncodeToString(h.Sum(sum[:0]))
}
