package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// start begins a refresh in a goroutine of its own: its fate does not hang on
// the request that asked for it. The entry's lock must be held.
func (s *Store[T]) start(e *entry[T], held *Snapshot[T], want func(T) bool) *call {
	c := &call{done: make(chan struct{}), forced: want != nil}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.err = ErrClosed
		close(c.done)
		return c
	}
	e.call = c
	s.wg.Go(func() { s.run(e, c, held, want) })
	return c
}

func (s *Store[T]) run(e *entry[T], c *call, held *Snapshot[T], want func(T) bool) {
	snap, err := s.obtain(e.issuer, held, want)
	rotated := false
	e.mu.Lock()
	if snap != nil {
		rotated = s.publish(e, held, snap)
	}
	if err == nil {
		e.failures, e.lastErr = 0, nil
		e.nextTry.Store(0)
	} else {
		e.failures++
		e.lastErr = err
		e.nextTry.Store(s.cfg.Now().Add(s.pause(e.failures, err)).UnixNano())
	}
	e.mu.Unlock()
	if rotated {
		s.observe(Event{Kind: EventRotated, Issuer: e.issuer})
	}
	e.mu.Lock()
	c.err = err
	e.call = nil
	e.mu.Unlock()
	close(c.done)
	if err == nil && !snap.Shared {
		s.share(e.issuer, snap) // nobody waits for that
	}
}

// pause returns how long not to try again. When the failure lies in a document
// that this one depends on, its back-off is ours, so that the two do not add
// up.
func (s *Store[T]) pause(failures int, err error) time.Duration {
	var u *Unavailable
	if errors.As(err, &u) {
		return max(u.RetryAfter, 0)
	}
	return s.cfg.Policy.backoff(failures)
}

// publish replaces the document of an entry and reports whether it replaced
// one of other content. The entry's lock must be held.
func (s *Store[T]) publish(e *entry[T], held, snap *Snapshot[T]) (rotated bool) {
	snap.Generation = s.generation.Add(1)
	if held != nil {
		rotated = held.Stated != snap.Stated || !s.cfg.Same(held.Value, snap.Value)
		if !rotated {
			snap.Generation = held.Generation
		}
	}
	clear(e.missing)
	e.snap.Store(snap)
	return rotated
}

// obtain gets a document newer than the one held: from the shared cache, from
// the process that holds the lease, or from the source. When the source fails,
// the document is what the shared cache had, if that can still be served.
func (s *Store[T]) obtain(issuer string, held *Snapshot[T], want func(T) bool) (snap *Snapshot[T], err error) {
	defer func() {
		// Parsers and fetchers are other people's code.
		if p := recover(); p != nil {
			snap, err = nil, errPanic
			s.observe(Event{Kind: EventFetchFailed, Issuer: issuer, Err: err})
		}
	}()
	shared := s.load(issuer, held)
	if s.suffices(shared, want) {
		return shared, nil
	}
	if other := s.awaitLease(issuer, held, want); other != nil {
		return other, nil
	}
	snap, err = s.fetch(issuer, held)
	if err != nil {
		return shared, err
	}
	return snap, nil
}

// suffices reports whether a document from the shared cache makes a fetch
// unnecessary: it is fresh and, for a forced refresh, has the name missed.
func (s *Store[T]) suffices(shared *Snapshot[T], want func(T) bool) bool {
	return shared != nil && shared.fresh(s.cfg.Now()) && (want == nil || want(shared.Value))
}

var (
	errPanic  = errors.New("lifecycle: panic in a fetch")
	errNoHeld = errors.New("lifecycle: not modified, but nothing is held")
)

func (s *Store[T]) fetch(issuer string, held *Snapshot[T]) (*Snapshot[T], error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Policy.FetchTimeout)
	defer cancel()
	etag := ""
	if held != nil {
		etag = held.etag
	}
	began, start := s.cfg.Now(), time.Now()
	snap, err := s.ask(ctx, issuer, held, etag, began)
	event := Event{Kind: EventFetched, Issuer: issuer, Duration: time.Since(start)}
	if err != nil {
		event.Kind, event.Err = EventFetchFailed, err
	}
	s.observe(event)
	return snap, err
}

func (s *Store[T]) ask(ctx context.Context, issuer string, held *Snapshot[T], etag string, began time.Time) (*Snapshot[T], error) {
	answer, err := bounded(ctx, func(ctx context.Context) (Answer, error) {
		return s.cfg.Fetch(ctx, issuer, etag)
	})
	if err != nil {
		return nil, err
	}
	snap := &Snapshot[T]{
		Stated:  answer.Stated,
		life:    s.cfg.Policy.jittered(s.cfg.Policy.lifetime(began, answer.Freshness)),
		etag:    answer.ETag,
		body:    answer.Body,
		noStore: answer.Freshness.NoStore,
	}
	if answer.NotModified {
		if held == nil || etag == "" {
			return nil, errNoHeld
		}
		snap.Value, snap.Stated, snap.etag, snap.body = held.Value, held.Stated, held.etag, held.body
		return snap, nil
	}
	snap.Value, err = s.cfg.Parse(issuer, answer.Body, answer.Stated)
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// load returns what the shared cache has, if that is newer than what is held
// and can be served. Whatever goes wrong is a miss and an event.
func (s *Store[T]) load(issuer string, held *Snapshot[T]) *Snapshot[T] {
	if s.cfg.Cache == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Policy.CacheTimeout)
	defer cancel()
	value, ok, err := s.cacheGet(ctx, s.cacheKey(issuer))
	if err == nil && !ok {
		return nil
	}
	var snap *Snapshot[T]
	if err == nil {
		snap, err = s.open(issuer, value)
	}
	if err != nil {
		s.observe(Event{Kind: EventCacheFault, Issuer: issuer, Err: err})
		return nil
	}
	if held != nil && !snap.life.fetched.After(held.life.fetched) || !snap.servable(s.cfg.Now()) {
		return nil
	}
	s.observe(Event{Kind: EventCacheHit, Issuer: issuer})
	return snap
}

func (s *Store[T]) open(issuer string, value []byte) (*Snapshot[T], error) {
	snap, err := decodeEnvelope[T](s.cfg.Name, issuer, value, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	snap.Shared = true
	snap.life = s.cfg.Policy.jittered(s.cfg.Policy.clamp(snap.life))
	if snap.Value, err = s.cfg.Parse(issuer, snap.body, snap.Stated); err != nil {
		return nil, errEnvelope
	}
	return snap, nil
}

// share writes a fetched document to the shared cache. It is finished even when
// the store is being closed, in the time that a call of the cache may take: what
// was fetched is worth keeping for other processes.
func (s *Store[T]) share(issuer string, snap *Snapshot[T]) {
	if s.cfg.Cache == nil || snap.noStore {
		return
	}
	ttl := snap.life.stale.Sub(s.cfg.Now())
	value, err := encodeEnvelope(s.cfg.Name, issuer, snap)
	if err == nil && ttl > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.cfg.Policy.CacheTimeout)
		defer cancel()
		err = s.cacheSet(ctx, s.cacheKey(issuer), value, ttl)
	}
	if err != nil {
		s.observe(Event{Kind: EventCacheFault, Issuer: issuer, Err: err})
	}
}

func (s *Store[T]) cacheKey(issuer string) string {
	return "portcullis:" + strconv.Itoa(envelopeVersion) + ":" + s.cfg.Name + ":" + issuer
}

// awaitLease returns nil when this process is to fetch: it got the lease, or
// nobody brought a new document while a lease lasted. Otherwise it returns
// what another process put into the shared cache.
func (s *Store[T]) awaitLease(issuer string, held *Snapshot[T], want func(T) bool) *Snapshot[T] {
	if s.cfg.Lease == nil || s.cfg.Cache == nil {
		return nil
	}
	for round := range leaseRounds {
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Policy.CacheTimeout)
		added, err := s.leaseAdd(ctx, s.leaseKey(issuer, held, round), s.cfg.Policy.FetchTimeout)
		cancel()
		if err != nil {
			s.observe(Event{Kind: EventCacheFault, Issuer: issuer, Err: err})
			return nil
		}
		if added {
			// Another process may have finished between our look and the lease.
			if snap := s.load(issuer, held); s.suffices(snap, want) {
				return snap
			}
			return nil
		}
		if snap := s.poll(issuer, held, want); snap != nil {
			return snap
		}
	}
	return nil
}

// leaseKey names the fetch that replaces the document held, so that the lease
// needs no release: the next document has another key.
func (s *Store[T]) leaseKey(issuer string, held *Snapshot[T], round int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00", s.cfg.Name, issuer)
	if held != nil {
		fmt.Fprintf(h, "%d\x00%s", held.life.fetched.UnixMilli(), held.body)
	}
	return "lease." + hex.EncodeToString(h.Sum(nil)) + "." + strconv.Itoa(round)
}

// poll looks into the shared cache until the lease of the other process has
// run out.
func (s *Store[T]) poll(issuer string, held *Snapshot[T], want func(T) bool) *Snapshot[T] {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Policy.FetchTimeout)
	defer cancel()
	ticker := time.NewTicker(s.cfg.Policy.LeasePoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if snap := s.load(issuer, held); s.suffices(snap, want) {
				return snap
			}
		}
	}
}
