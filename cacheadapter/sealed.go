package cacheadapter

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

const (
	// SealKeySize is the length of a key of [Sealed]: AES-256.
	SealKeySize = 32
	// SealOverhead is how many bytes [Sealed] adds to a value.
	SealOverhead = sealHeader + 12 + stampSize + 16 // nonce, stamp, tag

	sealVersion = 0x01
	sealHeader  = 1 + 4 // version, name of the seal key
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
	s := &sealed{cache: cache, observe: cfg.Observe, now: nowOf(cfg.Clock)}
	seen := make(map[string]bool)
	for i, raw := range cfg.Keys {
		if seen[string(raw)] {
			return nil, refuse("seal key %d is there twice", i)
		}
		seen[string(raw)] = true
		key, err := newSealKey(raw)
		if err != nil {
			return nil, refuse("seal key %d %v", i, err)
		}
		s.keys = append(s.keys, key)
	}
	return assemble(s, clearOf(cache), addOf(cache)), nil
}

// sealKey is a key with its name, by which entries tell which key opens them.
type sealKey struct {
	name [4]byte
	aead cipher.AEAD
}

type sealKeyError string

func (e sealKeyError) Error() string { return string(e) }

func newSealKey(raw []byte) (sealKey, error) {
	if len(raw) != SealKeySize {
		return sealKey{}, sealKeyError("is not 32 bytes long")
	}
	if [SealKeySize]byte(raw) == ([SealKeySize]byte{}) {
		return sealKey{}, sealKeyError("is all zeros")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return sealKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealKey{}, err
	}
	sum := sha256.Sum256(append([]byte("portcullis seal key\x00"), raw...))
	return sealKey{[4]byte(sum[:]), aead}, nil
}

type sealed struct {
	cache   verifier.Cache
	keys    []sealKey
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

// seal returns header, nonce, and the sealed stamp and value.
func (s *sealed) seal(key string, value []byte, expires time.Time) []byte {
	entry := make([]byte, 0, len(value)+SealOverhead)
	entry = append(entry, sealVersion)
	entry = append(entry, s.keys[0].name[:]...)
	plain := appendStamp(make([]byte, 0, stampSize+len(value)), expires)
	plain = append(plain, value...)
	return s.keys[0].aead.Seal(entry, nil, plain, bound(entry, key))
}

// open returns the stamp and the value, or what is wrong with the entry.
func (s *sealed) open(key string, entry []byte) ([]byte, Problem) {
	if len(entry) < SealOverhead || entry[0] != sealVersion {
		return nil, ProblemMalformed
	}
	problem := ProblemUnknownKey
	header, body := entry[:sealHeader], entry[sealHeader:]
	for _, k := range s.keys {
		if k.name != [4]byte(header[1:]) {
			continue
		}
		if plain, err := k.aead.Open(nil, nil, body, bound(header, key)); err == nil && len(plain) >= stampSize {
			return plain, ""
		}
		problem = ProblemForged
	}
	return nil, problem
}

// bound is what an entry is bound to beside its content: its header, whose
// length is fixed, and the name of its key.
func bound(header []byte, key string) []byte {
	const purpose = "portcullis sealed\x00"
	b := make([]byte, 0, len(purpose)+len(header)+len(key))
	return append(append(append(b, purpose...), header...), key...)
}
