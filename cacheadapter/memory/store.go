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

// Config tunes a [Store]. The zero value has the defaults.
type Config struct {
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
	// ErrTooLarge says that a value is longer than Config.MaxValueSize. The
	// key holds what it held before.
	ErrTooLarge = errors.New("cacheadapter/memory: value is too large")
	// ErrFull says that Config.MaxRecords replay records are live. The key was
	// not remembered.
	ErrFull = errors.New("cacheadapter/memory: replay records are full")
	// ErrQuota says that Config.MaxRecordsPerPrefix records of the key's
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
func New(cache *bigcache.BigCache, config Config) (*Store, error) {
	for _, n := range []int{config.MaxBytes, config.MaxEntries, config.MaxValueSize, config.MaxRecords, config.MaxRecordsPerPrefix} {
		if n < 0 {
			return nil, errors.New("cacheadapter/memory: Config has a negative bound")
		}
	}
	orDefault(&config.Prefix, defaultPrefix)
	orDefault(&config.MaxValueSize, defaultMaxValueSize)
	orDefault(&config.MaxRecords, defaultMaxRecords)
	orDefault(&config.MaxRecordsPerPrefix, defaultMaxPerPrefix)
	if config.Now == nil {
		config.Now = time.Now
	}
	switch {
	case len(config.Prefix) > maxPrefix || strings.Contains(config.Prefix, separator):
		return nil, errors.New("cacheadapter/memory: Config.Prefix is longer than 256 bytes or contains |")
	case cache != nil && (config.MaxBytes != 0 || config.MaxEntries != 0):
		return nil, errors.New("cacheadapter/memory: Config.MaxBytes and MaxEntries are of a cache that New makes")
	case cache == nil:
		orDefault(&config.MaxBytes, defaultMaxBytes)
		var err error
		if cache, err = newCache(config.MaxBytes, config.MaxValueSize); err != nil {
			return nil, err
		}
	}
	prefix := config.Prefix + separator + "c" + separator
	return &Store{
		cache:      cache,
		prefix:     prefix,
		raw:        prefix + "=",
		maxValue:   config.MaxValueSize,
		maxEntries: config.MaxEntries,
		now:        config.Now,
		entries:    sync.Pool{New: func() any { return new([]byte) }},
		records:    newRecords(config.MaxRecords, config.MaxRecordsPerPrefix),
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
		return nil, errors.New("cacheadapter/memory: Config.MaxBytes has no room for two of the longest values")
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
