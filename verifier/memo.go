package verifier

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/portcullis-go/portcullis/internal/jws"
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
	origin provenance
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
		return v.verifyAndRemember(ctx, compact, &key, o)
	}
	if err := v.gate(ctx, r.origin.issuer, &o.in); err != nil {
		return nil, err
	}
	now := v.clock.Now()
	if err := v.checkTimes(r.token, now); err != nil {
		v.memo.drop(&key)
		return nil, err
	}
	for _, name := range o.required {
		if absent(r.token.claim(name)) {
			return nil, refuseClaim(reason.ClaimMissing, name)
		}
	}
	held, err := v.keys.getAt(ctx, r.origin.issuer, now)
	if err != nil {
		return nil, err
	}
	if held.snap.Generation != r.origin.generation || held.stated != r.token.Issuer {
		return v.verifySignatureAgain(ctx, compact, r, &held)
	}
	return r.issue(), nil
}

// verifyAndRemember verifies a token that is not in the memo.
func (v *Verifier) verifyAndRemember(ctx context.Context, compact string, key *memoKey, o *options) (*Token, error) {
	t, origin, err := v.verifyFresh(ctx, compact, o)
	if err != nil {
		return nil, err
	}
	v.memo.put(&remembered{key: *key, token: t.copy(), origin: origin})
	return t, nil
}

// verifySignatureAgain judges a token by other keys than those that it was
// remembered with. All but the signature has been checked.
func (v *Verifier) verifySignatureAgain(ctx context.Context, compact string, r *remembered, held *heldKeys) (*Token, error) {
	v.memo.drop(&r.key)
	parsed, err := jws.Parse(compact, v.headers, nil)
	if err != nil {
		return nil, malformed(err)
	}
	name := r.origin.issuer
	algorithm := v.allowedAlgorithm(name, parsed.Header.Algorithm)
	origin, err := v.checkSignature(ctx, name, held, algorithm, &parsed, r.token.Issuer)
	if err != nil {
		return nil, err
	}
	again := &remembered{key: r.key, token: r.token, origin: origin}
	v.memo.put(again)
	return again.issue(), nil
}
