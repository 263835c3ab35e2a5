package lifecycle

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Cache is the shared second level.
type Cache interface {
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
}

// Lease is taken by the one process of a fleet that fetches.
type Lease interface {
	Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error)
}

// Config says what a Store keeps and with whose help. Policy and Now are
// required.
type Config struct {
	Policy Policy
	Now    func() time.Time
	Cache  Cache
	Lease  Lease // has no effect without Cache
	// Unusable is an error of Parse that is an answer, not an outage: the
	// document is well-formed but empty of use.
	Unusable error
	Observe  func(Event)
}

// Store holds the documents of a bounded number of issuers. It is safe for
// concurrent use.
type Store struct {
	cfg        Config
	entries    sync.Map // Key -> *Entry
	generation atomic.Uint64
	shared     sharedCache
	room       room

	closing sync.Mutex // guards closed, and work.Go against work.Wait
	closed  bool
	work    sync.WaitGroup
	ctx     context.Context // of all fetches; done after Close
	cancel  context.CancelFunc
}

// Key tells the entries of a Store apart.
type Key struct {
	Issuer string // normalised
	Source string // whatever else tells where the documents come from
	// Instance tells by whom they are fetched, where that counts: something
	// comparable, or nil.
	Instance any
}

// ErrClosed is the cause of failures after Close.
var ErrClosed = errors.New("lifecycle: closed")

// Unavailable is the error when there is no document to serve.
type Unavailable struct {
	// Document is the kind of the document that is missing.
	Document string
	// Cause is what the last attempt failed with.
	Cause error
	// RetryAfter is when another attempt will be made, from now.
	RetryAfter time.Duration
}

func (e *Unavailable) Error() string { return "lifecycle: no document: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Cause }

// New returns an empty Store. Close must be called.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.room.init(&s.cfg.Policy)
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails (Go 1.24)
	s.shared = sharedCache{cache: cfg.Cache, timeout: cfg.Policy.CacheTimeout, probe: hex.EncodeToString(id[:])}
	return s
}

// Close ends the fetches under way and waits for them. What is held is still
// served while it is fresh; nothing is fetched any more.
func (s *Store) Close() {
	s.closing.Lock()
	s.closed = true
	s.closing.Unlock()
	s.cancel()
	s.work.Wait()
}

func (s *Store) now() int64 { return s.cfg.Now().UnixNano() }

// Entry returns the entry of a key, and makes one of these documents when there
// is none. A pinned entry is never evicted. When another one has to go to make
// room, an event says so, provided that it was in use.
func (s *Store) Entry(key Key, docs []Document, pinned bool) *Entry {
	if v, ok := s.entries.Load(key); ok {
		return v.(*Entry)
	}
	// The name may be a part of a token, which is not to be kept.
	key.Issuer = strings.Clone(key.Issuer)
	e := &Entry{store: s, key: key, docs: docs, pinned: pinned}
	if v, loaded := s.entries.LoadOrStore(key, e); loaded {
		return v.(*Entry)
	}
	s.account(e)
	return e
}

// Find returns the entry of a key, or nil.
func (s *Store) Find(key Key) *Entry {
	if v, ok := s.entries.Load(key); ok {
		return v.(*Entry)
	}
	return nil
}

// Len returns how many issuers are held.
func (s *Store) Len() int {
	n := 0
	s.entries.Range(func(any, any) bool { n++; return true })
	return n
}

// spawn runs f in a goroutine that Close waits for, unless the store is closed.
func (s *Store) spawn(f func()) bool {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}
