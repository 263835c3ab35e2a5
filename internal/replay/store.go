package replay

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// DefaultMaxEntries is the bound of a whole store: about 115 MB when it is
	// full and every entry has a prefix of its own.
	DefaultMaxEntries = 1_000_000
	// DefaultMaxPerPrefix is the bound of one prefix: 30 proofs a second of one
	// DPoP key that are each kept for 330 seconds.
	DefaultMaxPerPrefix = 10_000
)

// ErrFull says that the store holds as many live entries as it may. The key was
// not remembered.
var ErrFull = errors.New("replay: store is full")

// ErrQuota says that the prefix of the key holds as many live entries as it
// may; it has the method QuotaExceeded. The key was not remembered.
var ErrQuota error = quotaError{}

type quotaError struct{}

func (quotaError) Error() string { return "replay: quota of the key's prefix is used up" }

// QuotaExceeded tells this refusal of one prefix from one of the whole store.
func (quotaError) QuotaExceeded() bool { return true }

// Config bounds a [Store]. The zero value of a field means its default.
type Config struct {
	// MaxEntries is how many live entries the store holds; the default is
	// DefaultMaxEntries.
	MaxEntries int
	// MaxPerPrefix is how many live entries may have the same text in front of
	// the first dot of their keys; the default is DefaultMaxPerPrefix. Keys
	// without a dot are bounded by MaxEntries only.
	MaxPerPrefix int
	// Now tells the time; the default is time.Now.
	Now func() time.Time
}

// Store remembers keys in the memory of one process; it is a
// verifier.ReplayStore. It never forgets a live key to make room, starts no
// goroutine and needs no Close. Entries that have expired leave when their
// shard is used next, or when the store is full. It keeps hashes only, so a
// huge key costs no more than a short one. Safe for concurrent use.
//
// The clock may be wrong for a while: an entry that expired while it was ahead by
// up to an hour is live again when it is set right. For that, up to as many
// expired entries as MaxEntries are kept for two hours, at 32 bytes each.
type Store struct {
	maxEntries   int64
	maxPerPrefix uint32
	now          func() time.Time
	seed         maphash.Seed

	entries atomic.Int64 // live
	retired atomic.Int64
	shards  [256]shard
}

// New returns an empty store, or an error when a bound is negative.
func New(config Config) (*Store, error) {
	if config.MaxEntries < 0 || config.MaxPerPrefix < 0 {
		return nil, errors.New("replay: bounds must not be negative")
	}
	if config.MaxEntries == 0 {
		config.MaxEntries = DefaultMaxEntries
	}
	if config.MaxPerPrefix == 0 {
		config.MaxPerPrefix = DefaultMaxPerPrefix
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Store{
		maxEntries:   int64(config.MaxEntries),
		maxPerPrefix: uint32(min(config.MaxPerPrefix, math.MaxUint32)),
		now:          config.Now,
		seed:         maphash.MakeSeed(),
	}, nil
}

// Add remembers key for ttl and reports whether it was not there: of any number
// of concurrent calls with one key, exactly one reports added. The key is live
// while the clock is before the moment of Add plus ttl, to the nanosecond; a
// repeated Add does not extend that. With ttl <= 0 nothing is remembered and
// added is true.
//
// The errors are [ErrFull], [ErrQuota] and that of a ctx that is done already.
// A live key is reported as known even by a full store.
func (s *Store) Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if ttl <= 0 {
		return true, nil
	}
	now := s.now().UnixNano()
	e := entry{digest: digestOf(key), expires: now + int64(ttl)}
	if e.expires < now {
		e.expires = math.MaxInt64
	}
	shard := &s.shards[e.digest[0]]
	if prefix, _, found := strings.Cut(key, "."); found {
		// All entries of a prefix are in one shard, so that its lock guards
		// their count. Zero stands for "no prefix".
		e.prefix = maphash.String(s.seed, prefix) | 1
		shard = &s.shards[e.prefix>>56]
	}

	added, err = s.addTo(shard, e, now)
	if errors.Is(err, ErrFull) && s.sweep(now) {
		added, err = s.addTo(shard, e, now)
	}
	return added, err
}

func (s *Store) addTo(shard *shard, e entry, now int64) (added bool, err error) {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	s.expire(shard, now)
	if _, known := shard.live[e.digest]; known {
		return false, nil
	}
	if e.prefix != 0 && shard.perPrefix[e.prefix] >= s.maxPerPrefix {
		return false, ErrQuota
	}
	if s.entries.Add(1) > s.maxEntries {
		s.entries.Add(-1)
		return false, ErrFull
	}
	shard.add(e)
	return true, nil
}

// expire retires what has expired in a shard, whose lock is held, and bounds what
// is retired in all of them.
func (s *Store) expire(shard *shard, now int64) {
	before := len(shard.retired)
	s.entries.Add(-shard.expire(now))
	retired := s.retired.Add(int64(len(shard.retired) - before))
	before = len(shard.retired)
	most := before - int(min(max(0, retired-s.maxEntries), int64(before)))
	s.retired.Add(int64(shard.forget(now, most) - before))
}

// sweep makes room in a full store by what has expired in any shard, and
// reports whether there is room now. A shard where nothing has expired costs a
// look at its first entry.
func (s *Store) sweep(now int64) bool {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		s.expire(shard, now)
		shard.mu.Unlock()
	}
	return s.entries.Load() < s.maxEntries
}

// Retired returns how many expired entries are kept, for tests.
func (s *Store) Retired() int64 { return s.retired.Load() }
