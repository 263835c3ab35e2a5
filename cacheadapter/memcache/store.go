package memcache

import (
	"errors"
	"strings"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"
)

const (
	defaultPrefix       = "portcullis"
	defaultMaxInFlight  = 500          // a Get can have two questions under way
	defaultMaxValueSize = 1<<20 - 1024 // an item of 1 MiB has keys and headers too

	maxPrefix    = 100
	maxValueSize = 1 << 30 // of memcached

	// separator ends the prefix, which cannot hold it. So no key of one prefix
	// begins like the keys of another.
	separator = "|"
)

// Config tunes a [Store]. The zero value has the defaults.
type Config struct {
	// Prefix begins all keys in memcached, so that several users can share a
	// server. Stores with one prefix share their entries. It can be up to 100
	// visible ASCII characters without "|". Default "portcullis".
	Prefix string
	// MaxInFlight bounds the calls that wait for memcached; a call beyond it
	// fails at once with [ErrBusy]. A call that was given up keeps its place
	// until the client's Timeout ends it. Default 500.
	MaxInFlight int
	// MaxValueSize is the longest value, in bytes, that Set takes. More than
	// the default needs servers with a larger -I. Default 1 MiB less 1 KiB.
	MaxValueSize int
	// GenerationTTL is how long the Store uses a generation that it has read
	// without asking for it again, up to a minute. It saves each Get and Set a
	// round trip, and changes what Clear promises: a Clear by another Store
	// counts here after GenerationTTL at the latest, or as soon as an entry
	// that was written after it is read; what this Store writes until then is a
	// miss for the others, and for this one later. A Clear by this Store counts
	// for it at once. Default 0: the generation is read on every call, and a
	// Clear counts for all at once.
	GenerationTTL time.Duration
	// Now tells the time. Default time.Now.
	Now func() time.Time
}

// Store keeps entries and replay records in memcached. It is safe for
// concurrent use and needs no close.
type Store struct {
	client     *gomemcache.Client
	cache      string // begins the keys of cache entries
	replay     string // begins the keys of replay records
	generation string // key of the generation
	maxValue   int
	now        func() time.Time
	slots      chan struct{} // one for each call in flight

	generations generations
}

// New returns a Store over a client that the caller keeps owning. New does not
// talk to memcached.
func New(client *gomemcache.Client, config Config) (*Store, error) {
	if client == nil {
		return nil, errors.New("cacheadapter/memcache: client is nil")
	}
	prefix, inFlight, maxValue, now := config.Prefix, config.MaxInFlight, config.MaxValueSize, config.Now
	if prefix == "" {
		prefix = defaultPrefix
	}
	if inFlight == 0 {
		inFlight = defaultMaxInFlight
	}
	if maxValue == 0 {
		maxValue = defaultMaxValueSize
	}
	if now == nil {
		now = time.Now
	}
	switch {
	case len(prefix) > maxPrefix || !visible(prefix) || strings.Contains(prefix, separator):
		return nil, errors.New("cacheadapter/memcache: Config.Prefix is longer than 100 characters or has others than visible ASCII without |")
	case inFlight < 0:
		return nil, errors.New("cacheadapter/memcache: Config.MaxInFlight is negative")
	case maxValue < 0 || maxValue > maxValueSize:
		return nil, errors.New("cacheadapter/memcache: Config.MaxValueSize is out of range")
	case config.GenerationTTL < 0 || config.GenerationTTL > maxGenerationTTL:
		return nil, errors.New("cacheadapter/memcache: Config.GenerationTTL is negative or longer than a minute")
	}
	return &Store{
		client:     client,
		cache:      prefix + separator + "c" + separator,
		replay:     prefix + separator + "r" + separator,
		generation: prefix + separator + "g",
		maxValue:   maxValue,
		now:        now,
		slots:      make(chan struct{}, inFlight),

		generations: generations{ttl: config.GenerationTTL, now: now},
	}, nil
}
