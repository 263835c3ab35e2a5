package redis

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

const (
	defaultPrefix       = "portcullis"
	defaultMaxInFlight  = 1000
	defaultMaxValueSize = 1 << 20

	maxPrefix    = 256
	maxValueSize = 512 << 20 // of Redis

	// separator ends the prefix, which cannot hold it. So no key of one prefix
	// begins like the keys of another.
	separator = "|"
)

// Config tunes a [Store]. The zero value has the defaults.
type Config struct {
	// Prefix begins all keys in Redis, so that several users can share a
	// server. Stores with one prefix share their entries. It can be any text
	// without "|" of up to 256 bytes. Default "portcullis".
	Prefix string
	// MaxInFlight bounds the calls that wait for Redis; a call beyond it fails
	// at once with [ErrBusy]. A call that was given up after it was sent keeps
	// its place until the client's own timeouts end it. Default 1000.
	MaxInFlight int
	// MaxValueSize is the longest value, in bytes, that Set takes. Default
	// 1 MiB.
	MaxValueSize int
}

// Store keeps entries, replay records and revocations in Redis. It is safe for concurrent
// use and needs no close.
type Store struct {
	client   goredis.UniversalClient
	lines    *lines
	cache    string // begins the keys of cache entries
	replay   string // begins the keys of replay records
	revoked  string // begins the keys of revocations
	maxValue int
	slots    chan struct{} // one for each call in flight

	writer  string // stands for this Store in replay records
	records atomic.Uint64
}

// New returns a Store over a client that the caller keeps owning: it must stay
// open while the Store is used. New does not talk to Redis. It refuses a client
// whose options make it unfit with a [*ClientOptionError].
func New(client goredis.UniversalClient, config Config) (*Store, error) {
	if client == nil {
		return nil, errors.New("cacheadapter/redis: client is nil")
	}
	if err := checkClient(client); err != nil {
		return nil, err
	}
	prefix := config.Prefix
	if prefix == "" {
		prefix = defaultPrefix
	}
	inFlight, maxValue := config.MaxInFlight, config.MaxValueSize
	if inFlight == 0 {
		inFlight = defaultMaxInFlight
	}
	if maxValue == 0 {
		maxValue = defaultMaxValueSize
	}
	switch {
	case len(prefix) > maxPrefix || strings.Contains(prefix, separator):
		return nil, errors.New("cacheadapter/redis: Config.Prefix is longer than 256 bytes or contains |")
	case inFlight < 0:
		return nil, errors.New("cacheadapter/redis: Config.MaxInFlight is negative")
	case maxValue < 0 || maxValue > maxValueSize:
		return nil, errors.New("cacheadapter/redis: Config.MaxValueSize is out of range")
	}
	s := &Store{
		client:   client,
		cache:    prefix + separator + "c" + separator,
		replay:   prefix + separator + "r" + separator,
		revoked:  prefix + separator + "v" + separator,
		maxValue: maxValue,
		slots:    make(chan struct{}, inFlight),
		writer:   rand.Text(),
	}
	s.lines = newLines(client, inFlight, s.leave)
	return s, nil
}
