package memory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/allegro/bigcache/v3"
)

const (
	// expirySize is what begins the value of an entry: Unix nanoseconds.
	expirySize = 8
	// entryOverhead is more than bigcache and we add to a key and a value.
	entryOverhead = 64
	// maxPooled is the largest buffer for an entry that is kept for another.
	maxPooled = 64 << 10
	// maxKey is the longest key that is used as it is. bigcache keeps the
	// length of keys in 16 bits, and counts its header in them.
	maxKey = 1024
)

// Get implements verifier.Cache.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	entry, err := s.cache.Get(s.key(key))
	if err == nil && !s.expired(entry) {
		return entry[expirySize:], true, nil // a copy already
	}
	return nil, false, broken(err)
}

// Set implements verifier.Cache. It refuses values beyond
// Config.MaxValueSize with [ErrTooLarge].
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return s.Delete(ctx, key)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(value) > s.maxValue {
		return ErrTooLarge
	}
	entry := s.entries.Get().(*[]byte)
	*entry = binary.LittleEndian.AppendUint64((*entry)[:0], uint64(deadline(s.now(), ttl)))
	*entry = append(*entry, value...)
	name := s.key(key)
	err := s.cache.Set(name, *entry) // which copies it
	if cap(*entry) <= maxPooled {
		s.entries.Put(entry)
	}
	if err != nil {
		return ErrTooLarge // for the shards of a caller's bigcache
	}
	if s.maxEntries > 0 && s.cache.Len() > s.maxEntries {
		s.makeRoom(name)
	}
	return nil
}

// Delete implements verifier.Cache.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return broken(s.cache.Delete(s.key(key)))
}

// Clear implements verifier.Clearer: it removes the entries under the prefix.
// Replay records are not among them. Entries that are written while it runs may
// stay.
func (s *Store) Clear(ctx context.Context) error {
	for entries := s.cache.Iterator(); entries.SetNext(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if entry, err := entries.Value(); err == nil && strings.HasPrefix(entry.Key(), s.prefix) {
			_ = s.cache.Delete(entry.Key()) // it may be gone already
		}
	}
	return ctx.Err()
}

var errBroken = errors.New("cacheadapter/memory: bigcache is broken")

// broken returns nil when err says no more than that there is no entry.
func broken(err error) error {
	if err == nil || err == bigcache.ErrEntryNotFound { // as it is, for speed
		return nil
	}
	return errBroken
}

// key returns the key in bigcache. The mark after the prefix tells keys that
// are used as they are from hashes of long ones.
func (s *Store) key(key string) string {
	if len(s.raw)+len(key) <= maxKey {
		return s.raw + key
	}
	sum := sha256.Sum256([]byte(key))
	return s.prefix + "#" + hex.EncodeToString(sum[:])
}

// expired also says so of what is no entry of ours.
func (s *Store) expired(entry []byte) bool {
	return len(entry) < expirySize || int64(binary.LittleEndian.Uint64(entry)) <= s.now().UnixNano()
}

// deadline returns now plus a positive ttl in Unix nanoseconds, or the last
// instant that they can tell.
func deadline(now time.Time, ttl time.Duration) int64 {
	at := now.UnixNano()
	if int64(ttl) > math.MaxInt64-max(at, 0) {
		return math.MaxInt64
	}
	return at + int64(ttl)
}

// makeRoom drops what has expired, and then what expires first, until there is
// room for an eighth of all entries; so a Set seldom pays for it. keep is the
// entry that was just written.
func (s *Store) makeRoom(keep string) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	if s.cache.Len() <= s.maxEntries {
		return
	}
	type candidate struct {
		key     string
		expires int64
	}
	var live []candidate
	now := s.now().UnixNano()
	for entries := s.cache.Iterator(); entries.SetNext(); {
		entry, err := entries.Value()
		if err != nil || entry.Key() == keep || len(entry.Value()) < expirySize {
			continue
		}
		expires := int64(binary.LittleEndian.Uint64(entry.Value()))
		if expires <= now {
			_ = s.cache.Delete(entry.Key())
			continue
		}
		live = append(live, candidate{entry.Key(), expires})
	}
	surplus := s.cache.Len() - max(1, s.maxEntries-s.maxEntries/8)
	if surplus <= 0 {
		return
	}
	slices.SortFunc(live, func(a, b candidate) int { return cmp.Compare(a.expires, b.expires) })
	for _, c := range live[:min(surplus, len(live))] {
		_ = s.cache.Delete(c.key)
	}
}
