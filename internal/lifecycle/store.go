// Package lifecycle keeps documents of issuers (discovery documents, key sets)
// current: fetched once by whoever needs them first, refreshed ahead of time,
// served stale for a bounded time when their source is down, never replaced by
// a bad answer, and shared by a fleet of processes through a cache.
//
// The warm path takes no lock and does no I/O.
package lifecycle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// Answer is what a source returned.
type Answer struct {
	Body        []byte
	Stated      string // the issuer as the source states it
	ETag        string
	NotModified bool
	Freshness   cachecontrol.Directives
}

// Cache is the shared second level.
type Cache interface {
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
}

// Lease is taken by the one process of a fleet that fetches.
type Lease interface {
	Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error)
}

// Config says what a Store keeps and with whose help. All of it but Cache and
// Lease is required.
type Config[T any] struct {
	// Name tells the kinds of documents apart: in cache keys and events.
	Name string
	// Fetch asks the source. etag is that of the document held, or "".
	Fetch func(ctx context.Context, issuer, etag string) (Answer, error)
	// Parse validates a document. An error that matches Unusable says that it
	// is well-formed but empty of use.
	Parse func(issuer string, body []byte, stated string) (T, error)
	// Unusable is the error of Parse that is an answer, not an outage.
	Unusable error
	// Same reports whether a refresh brought the same content.
	Same    func(a, b T) bool
	Policy  Policy
	Now     func() time.Time
	Cache   Cache
	Lease   Lease
	Observe func(Event)
}

// Store holds one document of a kind for each of a bounded number of issuers.
// It is safe for concurrent use.
type Store[T any] struct {
	cfg     Config[T]
	entries sync.Map // issuer -> *entry[T]
	count   atomic.Int64
	epoch   atomic.Uint64 // moves with uses; see touch

	generation atomic.Uint64

	mu     sync.Mutex // guards inserting, evicting and closing
	closed bool
	ctx    context.Context // of all fetches; done after Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Snapshot is an immutable document with its times.
type Snapshot[T any] struct {
	Value T
	// Stated is the issuer as the source stated it.
	Stated string
	// Generation is unique among the contents that this store has held.
	Generation uint64
	// Shared says that the document came from the shared cache, so that its
	// source may have a newer one.
	Shared bool

	life lifetime
	etag string
	body []byte
	// noStore documents do not go to the shared cache.
	noStore bool
}

type entry[T any] struct {
	issuer string
	snap   atomic.Pointer[Snapshot[T]]
	used   atomic.Uint64

	// nextTry is when the back-off ends, as Unix nanoseconds; 0 without
	// failures. It is read without the lock on the way to a refresh ahead.
	nextTry atomic.Int64

	mu       sync.Mutex
	call     *call
	failures int
	lastErr  error
	forced   window
	missing  map[string]time.Time
}

// window counts attempts in a fixed window of time.
type window struct {
	start    time.Time
	attempts int
}

// call is one refresh under way; any number of requests wait for it.
type call struct {
	done   chan struct{}
	err    error
	forced bool
}

// ErrClosed is the cause of failures after Close.
var ErrClosed = errors.New("lifecycle: closed")

// Unavailable is the error when there is no document to serve.
type Unavailable struct {
	// Cause is what the last attempt failed with.
	Cause error
	// RetryAfter is when another attempt will be made, from now.
	RetryAfter time.Duration
}

func (e *Unavailable) Error() string { return "lifecycle: no document: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Cause }

// New returns an empty Store. Close must be called.
func New[T any](cfg Config[T]) *Store[T] {
	s := &Store[T]{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the fetches under way and waits for them. What is held is still
// served while it is fresh; nothing is fetched any more.
func (s *Store[T]) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

// Get returns the document of an issuer, which must be allowed. It fetches
// when there is none, and waits for a refresh when the one held is no longer
// fresh, unless the source is known to fail; waited reports that. The error is
// an *Unavailable or matches the Unusable one.
func (s *Store[T]) Get(ctx context.Context, issuer string) (snap *Snapshot[T], waited bool, err error) {
	return s.GetAt(ctx, issuer, s.cfg.Now())
}

// GetAt is Get for a caller that has just looked at the clock.
func (s *Store[T]) GetAt(ctx context.Context, issuer string, now time.Time) (snap *Snapshot[T], waited bool, err error) {
	e := s.entry(issuer)
	snap = e.snap.Load()
	if snap != nil && snap.fresh(now) {
		if now.After(snap.life.refresh) {
			s.refreshAhead(e, snap, now)
		}
		return snap, false, nil
	}
	return s.slow(ctx, e, snap, now)
}

// Held returns the document that is held for an issuer, fresh or not, or nil.
func (s *Store[T]) Held(issuer string) *Snapshot[T] {
	v, ok := s.entries.Load(issuer)
	if !ok {
		return nil
	}
	return v.(*entry[T]).snap.Load()
}

// fresh also refuses a document from the future: a clock that was set back
// must not keep it for longer than intended.
func (s *Snapshot[T]) fresh(now time.Time) bool {
	return !now.After(s.life.fresh) && !now.Before(s.life.fetched.Add(-clockSkew))
}

func (s *Snapshot[T]) servable(now time.Time) bool {
	return !now.After(s.life.stale) && !now.Before(s.life.fetched.Add(-clockSkew))
}

// clockSkew is how much the clocks of a fleet may differ, and a clock be set
// back, without a document counting as one from the future.
const clockSkew = 2 * time.Minute

// refreshAhead starts a refresh in the background, unless one is under way or
// the back-off forbids it.
func (s *Store[T]) refreshAhead(e *entry[T], held *Snapshot[T], now time.Time) {
	if s.pausing(e, now) > 0 || !e.mu.TryLock() {
		return // whoever has the lock is at it
	}
	defer e.mu.Unlock()
	if e.call == nil && e.snap.Load() == held {
		s.start(e, held, nil)
	}
}

// slow serves a request that finds nothing fresh.
func (s *Store[T]) slow(ctx context.Context, e *entry[T], held *Snapshot[T], now time.Time) (snap *Snapshot[T], waited bool, err error) {
	stale := held != nil && held.servable(now)
	e.mu.Lock()
	if snap := e.snap.Load(); snap != held && snap.fresh(now) {
		e.mu.Unlock()
		return snap, true, nil
	}
	if e.call == nil && s.pausing(e, now) > 0 {
		err := e.lastErr
		e.mu.Unlock()
		snap, err = s.serveStale(e, held, stale, err, now)
		return snap, false, err
	}
	failing := e.failures > 0
	c := e.call
	if c == nil {
		c = s.start(e, held, nil)
	}
	e.mu.Unlock()
	if !failing || !stale {
		// Otherwise the source is known to fail, and there is something to
		// serve: the attempt goes on behind the scenes.
		err = s.wait(ctx, c, stale)
	}
	if snap := e.snap.Load(); snap != nil && snap != held && (err == nil || snap.servable(s.cfg.Now())) {
		return snap, true, nil
	}
	// What was waited for, if anything, did not come: a name that is missing in
	// the document held may well be in the one that could not be fetched.
	snap, err = s.serveStale(e, held, stale, err, now)
	return snap, false, err
}

var errStillWaiting = errors.New("lifecycle: refresh is still under way")

// wait waits for a call, no longer than the request's context allows, and only
// shortly when there is something stale to serve.
func (s *Store[T]) wait(ctx context.Context, c *call, stale bool) error {
	var timer <-chan time.Time
	if stale {
		t := time.NewTimer(s.cfg.Policy.StaleWait)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer:
		return errStillWaiting
	}
}

func (s *Store[T]) serveStale(e *entry[T], held *Snapshot[T], stale bool, err error, now time.Time) (*Snapshot[T], error) {
	if !stale {
		return nil, s.unavailable(e, err, now)
	}
	s.observe(Event{Kind: EventStale, Issuer: e.issuer, Age: now.Sub(held.life.fetched)})
	return held, nil
}

func (s *Store[T]) unavailable(e *entry[T], cause error, now time.Time) error {
	// A source that once had something and now has nothing is out of order;
	// one that never had anything has given its answer.
	if s.cfg.Unusable != nil && errors.Is(cause, s.cfg.Unusable) && e.snap.Load() == nil {
		return cause
	}
	if cause == nil {
		cause = errStillWaiting
	}
	return &Unavailable{Cause: cause, RetryAfter: s.pausing(e, now)}
}

// pausing returns how much of the back-off is left. One that is longer than any
// back-off was begun before the clock was set back, and is over: a clock that
// was wrong for a moment must not keep a source from being asked for as long as
// it was wrong by.
func (s *Store[T]) pausing(e *entry[T], now time.Time) time.Duration {
	left := time.Duration(e.nextTry.Load() - now.UnixNano())
	if left < 0 || left > s.cfg.Policy.BackoffMax {
		return 0
	}
	return left
}

// Forced is the outcome of RefreshMissing.
type Forced int

// The outcomes of RefreshMissing.
const (
	Refreshed Forced = iota // the document was refreshed since it was looked at
	Limited                 // no attempt was allowed; what is held is the last good answer
	Failed                  // the attempt failed, or the source is known to fail
)

// RefreshMissing refreshes a document in which a request misses a name (a
// kid), and returns the current one. Requests are coalesced, and attempts are
// limited per issuer, successful or not, so that made-up names cost next to
// nothing. want reports whether a document has the name.
func (s *Store[T]) RefreshMissing(ctx context.Context, issuer, name string, held *Snapshot[T], want func(T) bool) (*Snapshot[T], Forced, error) {
	e := s.entry(issuer)
	// A refresh that is under way already may have begun before the name came
	// to be, and is not of this request's making; after it one more is fair.
	for range 2 {
		now := s.cfg.Now()
		e.mu.Lock()
		if snap := e.snap.Load(); snap != nil && snap != held {
			if want(snap.Value) || e.call == nil && snap.Generation != held.Generation {
				e.mu.Unlock()
				return snap, Refreshed, nil
			}
			held = snap
		}
		c := e.call
		if c == nil {
			outcome, ok := s.allowForced(e, name, now)
			if !ok {
				e.mu.Unlock()
				s.observe(Event{Kind: EventLimited, Issuer: issuer})
				return held, outcome, nil
			}
			c = s.start(e, held, want)
		}
		forced := c.forced
		e.mu.Unlock()
		if err := s.wait(ctx, c, false); err != nil {
			if ctx.Err() != nil {
				return held, Failed, ctx.Err()
			}
			return held, Failed, nil
		}
		snap := e.snap.Load()
		if forced || snap != nil && want(snap.Value) {
			if !want(snap.Value) {
				e.remember(name, s.cfg.Now().Add(s.cfg.Policy.ForcedWindow), s.cfg.Policy.MaxMissing)
			}
			return snap, Refreshed, nil
		}
	}
	return e.snap.Load(), Refreshed, nil
}

// allowForced decides, with the lock held, whether an attempt may be made.
func (s *Store[T]) allowForced(e *entry[T], name string, now time.Time) (Forced, bool) {
	p := &s.cfg.Policy
	outcome := Limited
	if e.failures > 0 {
		outcome = Failed
	}
	if p.ForcedMax == 0 || s.pausing(e, now) > 0 {
		return outcome, false
	}
	if until, ok := e.missing[name]; ok && now.Before(until) && until.Sub(now) <= p.ForcedWindow {
		return outcome, false
	}
	if now.Sub(e.forced.start) >= p.ForcedWindow || now.Before(e.forced.start) {
		e.forced = window{start: now}
	}
	if e.forced.attempts >= p.ForcedMax {
		return outcome, false
	}
	e.forced.attempts++
	return Refreshed, true
}

// remember notes a name that a good refresh did not bring. The memory is
// bounded; when it is full it starts anew.
func (e *entry[T]) remember(name string, until time.Time, max int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.missing) >= max || e.missing == nil {
		e.missing = make(map[string]time.Time)
	}
	if max > 0 && len(name) <= maxMissingName {
		e.missing[name] = until
	}
}

// maxMissingName bounds the length of remembered names; longer ones are
// limited by attempts alone.
const maxMissingName = 256
