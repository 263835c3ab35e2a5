package cacheadapter

import (
	"context"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/internal/seal"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	// SealKeySize is the length of a key of [Sealed]: AES-256.
	SealKeySize = seal.KeySize
	// SealOverhead is how many bytes [Sealed] adds to a value.
	SealOverhead = seal.Overhead + stampSize

	maxSealKeys = 16
)

// SealedConfig are the settings of [Sealed].
type SealedConfig struct {
	// Keys are one to 16 keys of 32 random bytes each. The first seals; all of
	// them open. To rotate, put the new key behind the first everywhere, then
	// in front everywhere, then drop the old one. Rotate before a key has
	// sealed 2^32 values (one hundred a second for a year): nonces are random.
	Keys [][]byte
	// Observe is told of every entry that was not believed: Op, OutcomeRejected
	// and Problem. It must be safe for concurrent use and return quickly.
	// Default none.
	Observe func(Event)
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
}

// Sealed encrypts and authenticates values with AES-256-GCM, so that whoever
// can write to the cache cannot plant a key set, and whoever can read it learns
// nothing but names, sizes and times.
//
//   - An entry that was changed, truncated, or moved from another key is a miss
//     and an event. So is one that was not sealed, or with a key not given.
//   - The end of an entry is sealed into it: nobody can make it live longer. It
//     is measured by the clock of the process that reads it.
//   - What remains to a writer of the cache: to remove entries, and to put an
//     older entry of the same key back until the end that it was sealed with.
//   - Names of keys are bound, not hidden. Entries of two caches with the same
//     seal key can be swapped where the names are equal as Sealed sees them:
//     use a key for each purpose, or wrap Prefixed around Sealed.
//   - A value grows by SealOverhead bytes, which the wrapped cache must accept
//     on top of the largest value.
//   - The result is a Clearer and a ReplayStore when cache is. Replay records
//     have no value to seal; a writer of the store can remove them.
func Sealed(cache verifier.Cache, cfg SealedConfig) (verifier.Cache, error) {
	if cache == nil {
		return nil, refuse("the cache is nil")
	}
	if len(cfg.Keys) == 0 || len(cfg.Keys) > maxSealKeys {
		return nil, refuse("not 1 to %d seal keys", maxSealKeys)
	}
	sealer, err := seal.New("cache", cfg.Keys...)
	var bad *seal.KeyError
	if errors.As(err, &bad) {
		return nil, refuse("seal key %d %s", bad.Index, bad.Problem)
	}
	s := &sealed{cache: cache, sealer: sealer, observe: cfg.Observe, now: nowOf(cfg.Clock)}
	return assemble(s, clearOf(cache), addOf(cache)), nil
}

type sealed struct {
	cache   verifier.Cache
	sealer  *seal.Sealer
	observe func(Event)
	now     func() time.Time
}

func (s *sealed) Get(ctx context.Context, key string) ([]byte, bool, error) {
	entry, ok, err := s.cache.Get(ctx, key)
	if err != nil || !ok {
		return nil, false, err
	}
	plain, problem := s.open(key, entry)
	if problem != "" {
		emit(s.observe, Event{Op: OpGet, Outcome: OutcomeRejected, Problem: problem})
		return nil, false, nil
	}
	expires, value := cutStamp(plain)
	if !live(s.now(), expires) {
		return nil, false, nil
	}
	return value, true, nil
}

func (s *sealed) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.cache.Set(ctx, key, s.seal(key, value, s.now().Add(ttl)), ttl)
}

func (s *sealed) Delete(ctx context.Context, key string) error { return s.cache.Delete(ctx, key) }

// seal returns the sealed stamp and value.
func (s *sealed) seal(key string, value []byte, expires time.Time) []byte {
	plain := appendStamp(make([]byte, 0, stampSize+len(value)), expires)
	return s.sealer.Seal(append(plain, value...), key)
}

// open returns the stamp and the value, or what is wrong with the entry.
func (s *sealed) open(key string, entry []byte) ([]byte, Problem) {
	if len(entry) < SealOverhead {
		return nil, ProblemMalformed
	}
	plain, err := s.sealer.Open(entry, key)
	switch {
	case errors.Is(err, seal.ErrUnknownKey):
		return nil, ProblemUnknownKey
	case errors.Is(err, seal.ErrForged):
		return nil, ProblemForged
	case err != nil:
		return nil, ProblemMalformed
	}
	return plain, ""
}
