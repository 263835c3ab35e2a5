package verifier

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// memoWays is how many places there are for one token, so that two tokens that
// meet do not drive each other out.
const memoWays = 8

// memoKey is the SHA-256 of a token's text.
type memoKey [sha256.Size]byte

// tokenMemo remembers verified tokens. It is a table of fixed size without
// locks: the hash says which few places are a token's own, and a token that
// finds them taken replaces one of them in turn.
type tokenMemo struct {
	places []atomic.Pointer[remembered]
	turns  []atomic.Uint32 // one for each group of places
	ways   uint64
}

// remembered is a token that was verified once, and with whose keys. It is
// never changed.
type remembered struct {
	key    memoKey
	token  *Token
	signed provenance
}

// issue returns a token that shares nothing mutable with the one remembered.
func (r *remembered) issue() *Token {
	t := &roomyToken{Token: *r.token}
	t.Audience = append(t.room[:0], r.token.Audience...)
	return &t.Token
}

// newTokenMemo returns a memo of at least one entry.
func newTokenMemo(entries int) *tokenMemo {
	ways := min(entries, memoWays)
	groups := entries / ways
	return &tokenMemo{
		places: make([]atomic.Pointer[remembered], groups*ways),
		turns:  make([]atomic.Uint32, groups),
		ways:   uint64(ways),
	}
}

// group returns the places of a token and whose turn it is to be replaced.
func (m *tokenMemo) group(key *memoKey) ([]atomic.Pointer[remembered], *atomic.Uint32) {
	i := binary.LittleEndian.Uint64(key[:]) % uint64(len(m.turns))
	return m.places[i*m.ways : (i+1)*m.ways], &m.turns[i]
}

func (m *tokenMemo) get(key *memoKey) *remembered {
	places, _ := m.group(key)
	for i := range places {
		if r := places[i].Load(); r != nil && r.key == *key {
			return r
		}
	}
	return nil
}

func (m *tokenMemo) put(r *remembered) {
	places, turn := m.group(&r.key)
	for i := range places {
		old := places[i].Load()
		if (old == nil || old.key == r.key) && places[i].CompareAndSwap(old, r) {
			return
		}
	}
	places[uint64(turn.Add(1))%m.ways].Store(r)
}

func (m *tokenMemo) drop(key *memoKey) {
	places, _ := m.group(key)
	for i := range places {
		if r := places[i].Load(); r != nil && r.key == *key {
			places[i].CompareAndSwap(r, nil)
		}
	}
}

// verifyRemembered answers from the memo what verifyFresh would answer: the
// text and so the claims are the same, and all that can have changed since is
// checked again in the same order: the gate, the time, the call's own claims,
// and whether the keys are still those that the signature was checked with.
func (v *Verifier) verifyRemembered(ctx context.Context, compact string, o *options) (*Token, error) {
	key := memoKey(sum256(compact))
	r := v.memo.get(&key)
	if r == nil {
		return v.verifyAndRemember(ctx, compact, &key, nil, o)
	}
	p, err := v.gate.admit(ctx, r.token.Issuer, r.token.Subject, &o.in)
	if err != nil {
		return nil, err
	}
	if p != r.signed.policy {
		return v.verifyAndRemember(ctx, compact, &key, p, o) // other rules
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
		return v.verifyAndRemember(ctx, compact, &key, p, o) // other keys
	}
	if p.opaque.JWTs {
		if _, err := ask(ctx, p, compact); err != nil {
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
func (v *Verifier) verifyAndRemember(ctx context.Context, compact string, key *memoKey, p *policy, o *options) (*Token, error) {
	t, signed, err := v.verifyFresh(ctx, compact, p, o)
	if err != nil {
		return nil, err
	}
	v.memo.put(&remembered{key: *key, token: t.copy(), signed: signed})
	return t, nil
}
