package verifier

import (
	"context"
	"crypto/sha256"
	"sync"
)

// memoShards spreads the memo over locks.
const memoShards = 64

// tokenMemo remembers verified tokens by the SHA-256 of their text. It is
// bounded; a full shard drops its older half, generation by generation.
type tokenMemo struct{ shards [memoShards]memoShard }

type memoShard struct {
	mu       sync.RWMutex
	max      int
	new, old map[[sha256.Size]byte]*remembered
}

// remembered is a token that was verified once, and with whose keys.
type remembered struct {
	token  *Token
	origin *provenance
}

func newTokenMemo(entries int) *tokenMemo {
	m := &tokenMemo{}
	for i := range m.shards {
		m.shards[i].max = max(1, (entries+2*memoShards-1)/(2*memoShards))
	}
	return m
}

func (m *tokenMemo) shard(key *[sha256.Size]byte) *memoShard {
	return &m.shards[key[0]%memoShards]
}

func (m *tokenMemo) get(key *[sha256.Size]byte) *remembered {
	s := m.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.new[*key]; r != nil {
		return r
	}
	return s.old[*key]
}

func (m *tokenMemo) put(key *[sha256.Size]byte, r *remembered) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil || len(s.new) >= s.max {
		s.old, s.new = s.new, make(map[[sha256.Size]byte]*remembered, s.max)
	}
	s.new[*key] = r
}

func (m *tokenMemo) drop(key *[sha256.Size]byte) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.new, *key)
	delete(s.old, *key)
}

// verifyRemembered answers from the memo what verifyFresh would answer: the
// text and so the claims are the same, and all that can have changed since is
// checked again: the gate, the time, the call's own claims, and whether the
// keys are still those that the signature was checked with.
func (v *Verifier) verifyRemembered(ctx context.Context, compact string, o *options) (*Token, error) {
	key := sha256.Sum256([]byte(compact))
	r := v.memo.get(&key)
	if r == nil {
		t, origin, err := v.verifyFresh(ctx, compact, o)
		if err != nil {
			return nil, err
		}
		v.memo.put(&key, &remembered{token: t.copy(), origin: origin})
		return t, nil
	}
	if err := v.gate(ctx, r.origin.issuer, &o.in); err != nil {
		return nil, err
	}
	if err := v.checkTimes(r.token, v.clock.Now()); err != nil {
		v.memo.drop(&key)
		return nil, err
	}
	for _, name := range o.required {
		if absent(r.token.claim(name)) {
			return nil, refuseClaim(ReasonClaimMissing, name)
		}
	}
	snap, stated, _, err := v.keys.get(ctx, r.origin.issuer)
	if err != nil {
		return nil, err
	}
	if snap.Generation != r.origin.generation || stated != r.token.Issuer {
		v.memo.drop(&key)
		t, origin, err := v.verifyFresh(ctx, compact, o)
		if err != nil {
			return nil, err
		}
		v.memo.put(&key, &remembered{token: t.copy(), origin: origin})
		return t, nil
	}
	return r.token.copy(), nil
}
