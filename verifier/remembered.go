package verifier

import (
	"context"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// verifyRemembered answers from the memo what verifyFresh would answer: the
// text and so the claims are the same, and all that can have changed since is
// checked again in the same order: the gate, the time, the call's own claims,
// and whether the keys are still those that the signature was checked with.
func (v *Verifier) verifyRemembered(ctx context.Context, compact string, o *options) (*Token, error) {
	key := memoKey(sum256(compact))
	r := v.memo.get(&key)
	if r == nil {
		return v.verifyAndRemember(ctx, compact, &key, found{}, o)
	}
	p, err := v.gate.admit(ctx, r.token.Issuer, r.token.Subject, &o.in)
	if err != nil {
		return nil, err
	}
	if p != r.signed.policy {
		return v.verifyAndRemember(ctx, compact, &key, found{policy: p}, o) // other rules
	}
	now := v.clock.Now()
	if err := p.checkTimes(r.token, now); err != nil {
		v.memo.drop(&key)
		return nil, err
	}
	if err := r.meets(o); err != nil {
		return nil, err
	}
	held, err := v.keysOf(ctx, p, now)
	if err != nil {
		return nil, err
	}
	if held.Generation != r.signed.generation || !p.admits(r.token.Issuer, held.Stated) {
		v.memo.drop(&key)
		return v.verifyAndRemember(ctx, compact, &key, found{p, held}, o) // other keys
	}
	if p.opaque.JWTs {
		if err := v.askAboutJWT(ctx, p, compact, r.token); err != nil {
			return nil, err
		}
	}
	held.entry.Used()
	return r.issue(), nil
}

// meets judges what the call demands beside the configuration.
func (r *remembered) meets(o *options) error {
	if len(o.audiences) > 0 && !intersect(o.audiences, r.token.Audience) {
		return refuse(reason.Audience)
	}
	for _, name := range o.required {
		if absent(r.token.claim(name)) {
			return refuseClaim(reason.ClaimMissing, name)
		}
	}
	return nil
}

// verifyAndRemember verifies a token that is not in the memo.
func (v *Verifier) verifyAndRemember(ctx context.Context, compact string, key *memoKey, f found, o *options) (*Token, error) {
	t, signed, err := v.verifyFresh(ctx, compact, f, o)
	if err != nil {
		return nil, err
	}
	v.memo.put(&remembered{key: *key, token: t.copy(), signed: signed})
	return t, nil
}
