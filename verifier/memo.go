package verifier

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
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

// provenance is whose key signed a token.
type provenance struct {
	policy     *policy
	generation uint64 // of the key set
}
