package lifecycle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is the place of one issuer's documents in a Store. It may be kept for
// as long as the Store: one that was evicted comes back with its next use.
type Entry struct {
	store  *Store
	key    Key
	docs   []Document
	pinned bool

	view atomic.Pointer[View]
	// wake is when a request should start a refresh in the background, in Unix
	// nanoseconds.
	wake atomic.Int64
	used atomic.Uint32 // uses that the eviction has not counted yet, up to maxUses
	kept atomic.Bool   // the body of the first document is wanted

	place place // guarded by the store's room

	mu     sync.Mutex
	call   *call
	tries  [maxDocuments]try
	forced window
	sights map[sightKey]sight
	runs   uint64 // how many refreshes were started
}

// try is what became of the last attempts to fetch a document.
type try struct {
	failures int
	err      error
	next     int64 // when the back-off ends
}

// call is one refresh under way; any number of requests wait for it.
type call struct {
	done   chan struct{}
	forced bool
	errs   [maxDocuments]error
	view   *View // what is held after it
}

// Used notes that the documents were of use: that a signature was verified. It
// keeps the entry from being evicted.
func (e *Entry) Used() {
	// Cores do not fight over the memory on every request; a use that is lost
	// to another core does not matter.
	if uses := e.used.Load(); uses < maxUses {
		e.used.Store(uses + 1)
	}
}

// Issuer returns the issuer of the entry's key.
func (e *Entry) Issuer() string { return e.key.Issuer }

// Get returns all documents of the issuer, which must be allowed. It fetches
// what is missing, and waits for a refresh of what is no longer fresh, unless
// the source is known to fail. waited reports that the last document was
// fetched meanwhile. now is the time on the caller's clock. The error is an
// *Unavailable or matches Config.Unusable.
func (e *Entry) Get(ctx context.Context, now time.Time) (v *View, waited bool, err error) {
	return e.get(ctx, now.UnixNano(), len(e.docs))
}

// First is Get for the first document alone. The others may be nil. With body
// the document comes as it was received, too, and the body is kept from the first
// such call on; if the document is there already, that call fetches it again.
func (e *Entry) First(ctx context.Context, now time.Time, body bool) (*Snapshot, error) {
	at := now.UnixNano()
	if body {
		e.kept.Store(true)
	}
	for range 2 {
		v, _, err := e.get(ctx, at, 1)
		if err != nil {
			return nil, err
		}
		if !body || v.docs[0].body != nil {
			return v.docs[0], nil
		}
		e.mu.Lock()
		c := e.call
		if c == nil {
			c = e.start(1, 1, nil)
		}
		e.mu.Unlock()
		if err := e.wait(ctx, c, false, 1); err != nil {
			return nil, e.unavailable(0, err, e.store.now())
		}
		at = e.store.now()
	}
	return nil, e.unavailable(0, errStillWaiting, at)
}

func (e *Entry) get(ctx context.Context, now int64, n int) (v *View, waited bool, err error) {
	v = e.view.Load()
	if v.fresh(now, n) {
		if now > e.wake.Load() {
			e.refreshAhead(v, now)
		}
		return v, false, nil
	}
	return e.slow(ctx, v, now, n)
}

// refreshAhead starts a refresh in the background, unless one is under way or
// the back-off forbids it.
func (e *Entry) refreshAhead(v *View, now int64) {
	if !e.mu.TryLock() {
		return // whoever has the lock is at it
	}
	defer e.mu.Unlock()
	if e.call == nil && e.view.Load() == v && e.due(v, now) != 0 {
		e.start(len(e.docs), 0, nil)
	}
}

// together adds to a mask the documents that will be due so soon that they are
// fetched along: documents that were fetched together stay together, in all
// processes that share them, although chance spreads them.
func (e *Entry) together(mask uint, v *View, now int64) uint {
	p := &e.store.cfg.Policy
	for i := range e.docs {
		snap := snapshot(v, i)
		if mask == 0 || snap == nil || e.pausing(i, now) > 0 {
			continue
		}
		chance := int64(p.Jitter * float64(snap.life.until-snap.life.fetched))
		if now > max(snap.life.refresh-chance, snap.life.fetched+int64(p.Floor)) {
			mask |= 1 << i
		}
	}
	return mask
}

// due returns which documents are to be fetched now, one bit each. The lock
// must be held.
func (e *Entry) due(v *View, now int64) (mask uint) {
	for i := range e.docs {
		snap := snapshot(v, i)
		if snap.fresh(now) && now <= snap.life.refresh {
			continue
		}
		if e.pausing(i, now) == 0 {
			mask |= 1 << i
		} else if !snap.servable(now) {
			break // what comes after it cannot be found
		}
	}
	return mask
}

func snapshot(v *View, i int) *Snapshot {
	if v == nil {
		return nil
	}
	return v.docs[i]
}

// slow serves a request that finds the first n documents not all fresh.
func (e *Entry) slow(ctx context.Context, held *View, now int64, n int) (v *View, waited bool, err error) {
	for range 2 {
		stale := held.servable(now, n)
		e.mu.Lock()
		if v := e.view.Load(); v.fresh(now, n) {
			e.mu.Unlock()
			return v, snapshot(v, n-1) != snapshot(held, n-1), nil
		}
		c, failing := e.call, e.failing(held, now, n)
		if c == nil {
			if e.blocked(held, now, n) {
				i, err := e.lastFailure(held, now, n)
				e.mu.Unlock()
				v, err = e.serveStale(held, stale, i, err, now, n)
				return v, false, err
			}
			c = e.start(n, 0, nil)
		}
		e.mu.Unlock()
		if !failing || !stale {
			// Otherwise the source is known to fail, and there is something to
			// serve: the attempt goes on behind the scenes.
			err = e.wait(ctx, c, stale, n)
		}
		v = e.current(c)
		now = e.store.now()
		switch {
		case replaced(v, held, now, n):
			e.reportStale(v, held, now, n)
			return v, snapshot(v, n-1) != snapshot(held, n-1), nil
		case err != nil || stale:
			v, err = e.serveStale(held, stale, e.blame(c, n), err, now, n)
			return v, false, err
		}
		held = v // the call was about something else
	}
	return nil, false, e.unavailable(0, errStillWaiting, now)
}

// current returns what is held now. When the entry was evicted while the call
// was under way, that is what the call brought.
func (e *Entry) current(c *call) *View {
	if v := e.view.Load(); v != nil {
		return v
	}
	select {
	case <-c.done:
		return c.view
	default:
		return nil
	}
}

// replaced reports whether each of the first n documents was replaced or can
// still be served.
func replaced(v, held *View, now int64, n int) bool {
	for i := range n {
		snap := snapshot(v, i)
		if snap == nil || snap == snapshot(held, i) && !snap.servable(now) {
			return false
		}
	}
	return true
}

// blocked reports that no attempt may be made for any document that is not
// fresh. The lock must be held.
func (e *Entry) blocked(v *View, now int64, n int) bool {
	mask := e.due(v, now)
	for i := range n {
		if mask&(1<<i) != 0 && !snapshot(v, i).fresh(now) {
			return false
		}
	}
	return true
}

// failing reports that the last attempt for a document that is not fresh
// failed. The lock must be held.
func (e *Entry) failing(v *View, now int64, n int) bool {
	for i := range n {
		if e.tries[i].failures > 0 && !snapshot(v, i).fresh(now) {
			return true
		}
	}
	return false
}

// lastFailure returns the first document that is not fresh, and what its last
// attempt failed with. The lock must be held.
func (e *Entry) lastFailure(v *View, now int64, n int) (int, error) {
	i := 0
	for i+1 < n && snapshot(v, i).fresh(now) {
		i++
	}
	return i, e.tries[i].err
}

// blame returns the first document of a call that failed, or the last that was
// wanted.
func (e *Entry) blame(c *call, n int) int {
	select {
	case <-c.done:
		for i := range n {
			if c.errs[i] != nil {
				return i
			}
		}
	default:
	}
	return n - 1
}

var errStillWaiting = errors.New("lifecycle: refresh is still under way")

// wait waits for a call, no longer than the request's context allows, and only
// shortly when there is something stale to serve. It returns the first failure
// among the first n documents.
func (e *Entry) wait(ctx context.Context, c *call, stale bool, n int) error {
	var timer <-chan time.Time
	if stale {
		t := time.NewTimer(e.store.cfg.Policy.StaleWait)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-c.done:
		for _, err := range c.errs[:n] {
			if err != nil {
				return err
			}
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer:
		return nil // what is held will do
	}
}

func (e *Entry) serveStale(held *View, stale bool, document int, err error, now int64, n int) (*View, error) {
	if !stale {
		return nil, e.unavailable(document, err, now)
	}
	e.reportStale(held, held, now, n)
	return held, nil
}

// reportStale tells the observer which of the documents that were held before
// are served past their freshness.
func (e *Entry) reportStale(v, held *View, now int64, n int) {
	for i, snap := range v.docs[:n] {
		if snap == snapshot(held, i) && !snap.fresh(now) {
			e.store.observe(Event{Kind: EventStale, Issuer: e.key.Issuer, Document: e.docs[i].Kind(), Age: time.Duration(now - snap.life.fetched)})
		}
	}
}

func (e *Entry) unavailable(document int, cause error, now int64) error {
	// A source that once had something and now has nothing is out of order;
	// one that never had anything has given its answer.
	if unusable := e.store.cfg.Unusable; unusable != nil && errors.Is(cause, unusable) && snapshot(e.view.Load(), document) == nil {
		return cause
	}
	if cause == nil {
		cause = errStillWaiting
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return &Unavailable{Document: e.docs[document].Kind(), Cause: cause, RetryAfter: e.pausing(document, now)}
}

// pausing returns how much is left of the back-off of a document. One that is
// longer than any back-off was begun before the clock was set back, and is
// over: a clock that was wrong for a moment must not keep a source from being
// asked for as long as it was wrong by. The lock must be held.
func (e *Entry) pausing(i int, now int64) time.Duration {
	t := &e.tries[i]
	left := time.Duration(t.next - now)
	if left < 0 || left > e.store.cfg.Policy.BackoffMax {
		return 0
	}
	return left
}

// Documents returns the length of the chain.
func (e *Entry) Documents() int { return len(e.docs) }

// Kind returns the kind of the i-th document.
func (e *Entry) Kind(i int) string { return e.docs[i].Kind() }

// Last returns the last document of the chain.
func (e *Entry) Last() Document { return e.docs[len(e.docs)-1] }
