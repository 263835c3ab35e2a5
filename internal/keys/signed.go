package keys

import (
	"context"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
)

// ErrSignature says that no key of an issuer signed a JWT.
var ErrSignature = errors.New("keys: not signed with a key of the issuer")

var errNotLookedFor = errors.New("keys: the key set could not be fetched again, for a key that signed a JWT")

// CheckSigned checks the signature of a JWT of the issuer that is no access token,
// such as a status list. The caller has found the algorithm in its allow-list. An
// unknown kid may cause a fetch; what tells such JWTs from tokens. An error other
// than ErrSignature decides nothing.
func (e *Entry) CheckSigned(ctx context.Context, now time.Time, what string, a *keyset.Algorithm, parsed *jws.Token) error {
	held, err := e.Keys(ctx, now)
	if err != nil {
		return err
	}
	signed := func(set *keyset.Set) bool {
		for _, key := range set.Candidates(nil, parsed.Header.KeyID, parsed.Header.HasKeyID, a) {
			if a.Verify(key.Public, parsed.SigningInput, parsed.Signature) {
				return true
			}
		}
		return false
	}
	if !signed(held.Set) {
		if held.Waited || parsed.Header.HasKeyID && held.Set.HasID(parsed.Header.KeyID) {
			return ErrSignature
		}
		newer, outcome, err := e.Refetch(ctx, what+" "+parsed.Header.KeyID, held, signed)
		switch {
		case signed(newer.Set):
		case err != nil:
			return err
		case outcome == Limited:
			return ErrLimited
		case outcome == Failed:
			return errNotLookedFor
		default:
			return ErrSignature
		}
	}
	e.Used()
	return nil
}
