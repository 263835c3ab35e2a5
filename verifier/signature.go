package verifier

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// heldKeys is the key set of an issuer as one verification found it, and where it
// is kept.
type heldKeys struct {
	keys.Held
	entry *keys.Entry
}

// keysOf returns the keys of an allowed issuer.
func (v *Verifier) keysOf(ctx context.Context, p *policy, now time.Time) (heldKeys, error) {
	entry := p.entry
	if entry == nil {
		entry = v.keys.Entry(p.source)
	}
	held, err := entry.Keys(ctx, now)
	if err != nil {
		return heldKeys{}, documentFailure(err)
	}
	return heldKeys{held, entry}, nil
}

// checkSignature finds the key and checks the signature with it, and that the
// token's issuer is, byte by byte, one whose key it is. It is the one place where
// the signature of a token is checked.
func (v *Verifier) checkSignature(ctx context.Context, p *policy, held *heldKeys, a *keyset.Algorithm, parsed *jws.Token, iss string) (provenance, error) {
	h := parsed.Header
	missing := h.HasKeyID && !held.Set.HasID(h.KeyID)
	signed, fits := p.isSigned(held.Set, a, parsed, iss)
	// A kid that the set lacks, and a token without kid that the one fitting key
	// does not verify or that no key fits, may be signed with a key that is newer
	// than the set. A set that was fetched for this very request has all there is.
	if (missing || !h.HasKeyID && !signed) && !held.Waited {
		if err := v.refetch(ctx, p, held, a, parsed, iss); err != nil {
			return provenance{}, err
		}
		signed, fits = p.isSigned(held.Set, a, parsed, iss)
	}
	switch {
	case !fits:
		return provenance{}, refuse(reason.KeyUnknown)
	case !signed:
		return provenance{}, refuse(reason.Signature)
	case !p.admits(iss, held.Stated):
		return provenance{}, refuse(reason.IssuerMismatch)
	}
	v.headers.Remember(h)
	held.entry.Used()
	return provenance{policy: p, generation: held.Generation}, nil
}

// isSigned reports whether a key of the set signed the token, and whether any
// fits it.
func (p *policy) isSigned(set *keyset.Set, a *keyset.Algorithm, parsed *jws.Token, iss string) (signed, fits bool) {
	var space [2]*keyset.Key
	candidates := set.Candidates(space[:0], parsed.Header.KeyID, parsed.Header.HasKeyID, a)
	if p.shared {
		candidates = slices.DeleteFunc(candidates, func(key *keyset.Key) bool { return !p.maySign(key, iss) })
	}
	for _, key := range candidates {
		if key.Verify(a, parsed.SigningInput, parsed.Signature) {
			return true, true
		}
	}
	return false, len(candidates) > 0
}

// refetch looks for a newer set. Whether a key exists could not be decided when
// the limiter alone kept us from looking since its name was seen first.
func (v *Verifier) refetch(ctx context.Context, p *policy, held *heldKeys, a *keyset.Algorithm, parsed *jws.Token, iss string) error {
	h := parsed.Header
	name := h.KeyID
	want := func(s *keyset.Set) bool { return s.HasID(h.KeyID) }
	if !h.HasKeyID {
		name = "\x00" + string(parsed.Signature[:min(32, len(parsed.Signature))]) // tells the token from others, and is no kid
		token := *parsed                                                          // what want holds is on the heap; the parsed tokens of all other calls are not
		want = func(s *keyset.Set) bool { signed, _ := p.isSigned(s, a, &token, iss); return signed }
	}
	now, outcome, err := held.entry.Refetch(ctx, name, held.Held, want)
	switch {
	case outcome == keys.Failed:
		return undecided(reason.Keys, err, time.Second)
	case outcome == keys.Limited:
		return undecided(reason.Keys, errLimited, held.entry.LimitedFor(v.clock.Now()))
	}
	held.Held = now
	return nil
}

var errLimited = errors.New("verifier: the key set was fetched too often for unknown kids; this one was not looked for")
