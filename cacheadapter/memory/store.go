package memory

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/allegro/bigcache/v3"
)

const (
	defaultPrefix       = "portcullis"
	defaultMaxBytes     = 64 << 20
	defaultMaxValueSize = 1 << 20
	defaultMaxRecords   = 1_000_000
	defaultMaxPerPrefix = 10_000

	maxPrefix = 256
	maxShards = 64

	// separator ends the prefix, which cannot hold it. So no key of one prefix
	// begins like the keys of another.
	separator = "|"
)

// Options tune a [Store]. Zero values are the defaults.
type Options struct {
	// Prefix begins all keys in bigcache, so that several users can share one.
	// Stores over one bigcache with one prefix share their entries. It can be
	// any text without "|" of up to 256 bytes. Default "portcullis".
	Prefix string
	// MaxBytes bounds the entries of the cache that New makes, in whole MiB. It
	// must have room for two of the longest values. Default 64 MiB.
	MaxBytes int
	// MaxEntries bounds their number. Default: MaxBytes alone does.
	MaxEntries int
	// MaxValueSize is the longest value, in bytes, that Set takes. Default
	// 1 MiB.
	MaxValueSize int
	// MaxRecords bounds the live replay records; Add beyond it fails with
	// [ErrFull]. Default 1,000,000.
	MaxRecords int
	// MaxRecordsPerPrefix bounds those with the same text before the first dot
	// of their key, which is one DPoP key; Add beyond it fails with an error
	// that has the method QuotaExceeded. Keys without a dot are bounded by
	// MaxRecords only. Default 10,000.
	MaxRecordsPerPrefix int
	// Now tells the time. Default time.Now.
	Now func() time.Time
}

var (
	// ErrTooLarge says that a value is longer than Options.MaxValueSize. The
	// key holds what it held before.
	ErrTooLarge = errors.New("cacheadapter/memory: value is too large")
	// ErrFull says that Options.MaxRecords replay records are live. The key was
	// not remembered.
	ErrFull = errors.New("cacheadapter/memory: replay records are full")
	// ErrQuota says that Options.MaxRecordsPerPrefix records of the key's
	// prefix are live. The key was not remembered.
	ErrQuota error = quotaError{}
)

type quotaError struct{}

func (quotaError) Error() string {
	return "cacheadapter/memory: replay records of the key's prefix are at their quota"
}

// QuotaExceeded tells the refusal of one prefix from a full store.
func (quotaError) QuotaExceeded() bool { return true }

// Store keeps entries and replay records in memory. It is safe for concurrent
// use.
type Store struct {
	cache      *bigcache.BigCache
	prefix     string // begins the keys of cache entries
	raw        string // and of those that are used as they are
	maxValue   int
	maxEntries int // 0: not bounded
	now        func() time.Time
	sweeping   sync.Mutex // one sweep makes room for all
	entries    sync.Pool  // *[]byte, to put entries together

	records *records
}

// New returns a Store over a bigcache of the caller's, or over one of its own
// when cache is nil, which is the choice for most. The bounds and the life
// window of a caller's bigcache are the caller's: entries leave it early when
// that says so, MaxBytes and MaxEntries cannot be given, and its shards should
// have room for two of the longest values, because bigcache empties a shard
// before it refuses a value.
func New(cache *bigcache.BigCache, options Options) (*Store, error) {
	for _, n := range []int{options.MaxBytes, options.MaxEntries, options.MaxValueSize, options.MaxRecords, options.MaxRecordsPerPrefix} {
		if n < 0 {
			return nil, errors.New("cacheadapter/memory: Options has a negative bound")
		}
	}
	orDefault(&options.Prefix, defaultPrefix)
	orDefault(&options.MaxValueSize, defaultMaxValueSize)
	orDefault(&options.MaxRecords, defaultMaxRecords)
	orDefault(&options.MaxRecordsPerPrefix, defaultMaxPerPrefix)
	if options.Now == nil {
		options.Now = time.Now
	}
	switch {
	case len(options.Prefix) > maxPrefix || strings.Contains(options.Prefix, separator):
		return nil, errors.New("cacheadapter/memory: Options.Prefix is longer than 256 bytes or contains |")
	case cache != nil && (options.MaxBytes != 0 || options.MaxEntries != 0):
		return nil, errors.New("cacheadapter/memory: Options.MaxBytes and MaxEntries are of a cache that New makes")
	case cache == nil:
		orDefault(&options.MaxBytes, defaultMaxBytes)
		var err error
		if cache, err = newCache(options.MaxBytes, options.MaxValueSize); err != nil {
			return nil, err
		}
	}
	prefix := options.Prefix + separator + "c" + separator
	return &Store{
		cache:      cache,
		prefix:     prefix,
		raw:        prefix + "=",
		maxValue:   options.MaxValueSize,
		maxEntries: options.MaxEntries,
		now:        options.Now,
		entries:    sync.Pool{New: func() any { return new([]byte) }},
		records:    newRecords(options.MaxRecords, options.MaxRecordsPerPrefix),
	}, nil
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// newCache makes a bigcache in which nothing leaves by age. Without a clean
// window it has no goroutine.
func newCache(maxBytes, maxValue int) (*bigcache.BigCache, error) {
	const mebibyte = 1 << 20
	// The queue of a shard refuses what is more than half of it when it cannot
	// grow any more.
	least := 2 * (maxValue + maxKey + entryOverhead)
	maxBytes -= maxBytes % mebibyte
	if maxBytes < least || maxBytes/mebibyte > math.MaxInt32 {
		return nil, errors.New("cacheadapter/memory: Options.MaxBytes has no room for two of the longest values")
	}
	shards := 1
	for shards < maxShards && maxBytes/(2*shards) >= least {
		shards *= 2
	}
	return bigcache.New(context.Background(), bigcache.Config{
		Shards:             shards,
		LifeWindow:         math.MaxInt64, // 292 years
		MaxEntriesInWindow: shards,        // for the first allocation only
		MaxEntrySize:       256,           // likewise
		HardMaxCacheSize:   maxBytes / mebibyte,
	})
}
