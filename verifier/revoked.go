package verifier

import (
	"context"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// RevocationConfig says how revoked tokens are known.
type RevocationConfig struct {
	// Checker is asked about every good token. Default none: a token is good until
	// it expires. Package verifier/revocation has a list that a fleet shares, and
	// Token Status Lists.
	Checker RevocationChecker
	// Timeout bounds one question, within the context of the request. Default 2 s,
	// at most 1 minute.
	Timeout time.Duration
	// AllowFailure accepts tokens while Checker fails; by default they are answered
	// with 503.
	AllowFailure bool
}

const (
	defaultRevocationTimeout = 2 * time.Second
	maxRevocationTimeout     = time.Minute
)

// revocations asks whether good tokens were revoked: a RevocationConfig, compiled.
type revocations struct {
	RevocationConfig
	watcher
}

func newRevocations(m *mistakes, r RevocationConfig, watch watcher) revocations {
	if r.Checker == nil && (r.Timeout != 0 || r.AllowFailure) {
		m.add("Revocation", "has settings, and no Checker that they are for")
	}
	if r.Checker != nil && isNil(r.Checker) {
		m.add("Revocation.Checker", "is a nil pointer")
	}
	r.Timeout = m.duration("Revocation.Timeout", r.Timeout, bounds{byDefault: defaultRevocationTimeout, min: leastUnit, max: maxRevocationTimeout})
	return revocations{r, watch}
}

// check asks whether a good token was revoked.
func (r *revocations) check(ctx context.Context, t *Token) error {
	if r.Checker == nil {
		return nil
	}
	session, _ := t.claim("sid").Text()
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	revoked, err := foreign.Call(ctx, func() (bool, error) {
		return r.Checker.Revoked(ctx, RevocationRequest{
			Issuer: t.IssuerName, ID: t.ID, Subject: t.Subject, SessionID: session, IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, Token: t,
		})
	})
	switch {
	case revoked:
		return refuse(reason.Revoked)
	case err != nil:
		r.tell(Event{Kind: EventRevocationFault, Issuer: t.IssuerName, Err: err})
		if r.AllowFailure {
			return nil
		}
		return undecided(reason.Revocation, err, 0)
	default:
		return nil
	}
}
