package lifecycle

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// start begins a refresh in a goroutine of its own: its fate does not hang on
// the request that asked for it. It fetches what is due among the first n
// documents, and those of the mask. The entry's lock must be held, and no call under way.
func (e *Entry) start(n int, force uint, want func(any) bool) *call {
	c := &call{done: make(chan struct{}), forced: want != nil}
	now := e.store.now()
	held := e.view.Load()
	r := &run{entry: e, call: c, held: held, force: force, want: want, due: e.together(e.due(held, now)&(1<<n-1), held, now) | force}
	for i := range e.docs {
		r.docs[i] = snapshot(held, i)
		r.attempt = max(r.attempt, e.tries[i].failures)
	}
	e.runs++
	r.number = e.runs
	e.call = c
	if !e.store.spawn(r.run) {
		for i := range c.errs {
			c.errs[i] = ErrClosed
		}
		e.call = nil
		close(c.done)
	}
	return c
}

// run is one refresh of the documents of an issuer: from the shared cache, from
// the process that holds the lease, or from their sources.
type run struct {
	entry  *Entry
	call   *call
	held   *View
	force  uint
	want   func(any) bool // of a forced refresh of the last document
	number uint64         // among the refreshes of the entry

	docs    [maxDocuments]*Snapshot // the best so far
	due     uint                    // what is still to be got, one bit each
	loaded  uint                    // what was looked for in the shared cache
	errs    [maxDocuments]error
	attempt int    // how often these documents could not be fetched
	lease   string // the lease that is held, or ""
	down    bool   // the shared cache does not answer in time

	writing bool // something is being written
	writes  sync.WaitGroup
	refused [maxDocuments]bool // fetched, and not written to the shared cache
}

func (r *run) run() {
	s := r.entry.store
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Policy.FetchTimeout)
	r.look(ctx)
	cancel()
	r.fetchAll()
	r.settle()
	r.finish()
	r.writes.Wait()
	r.announce()
}

// writeGrace is how long requests wait for what was fetched for them to be in the
// shared cache.
const writeGrace = 20 * time.Millisecond

// settle gives a shared cache that works the time to take what was fetched, so that
// a process which starts when a request was answered finds it there. One that does
// not answer in time is waited for by nobody.
func (r *run) settle() {
	if !r.writing || r.down {
		return
	}
	written := make(chan struct{})
	r.entry.store.work.Go(func() { // run is among the work
		r.writes.Wait()
		close(written)
	})
	timer := time.NewTimer(writeGrace)
	defer timer.Stop()
	select {
	case <-written:
	case <-timer.C:
	}
}

// look gets what other processes have, or takes the lease.
func (r *run) look(ctx context.Context) {
	r.load(ctx)
	if r.due != 0 {
		r.awaitLease(ctx)
	}
}

// suffices reports whether a document from the shared cache makes a fetch
// unnecessary: it is fresh and, for a forced refresh, has the name missed.
func (r *run) suffices(i int, snap *Snapshot) bool {
	if !snap.fresh(r.entry.store.now()) {
		return false
	}
	if r.force&(1<<i) == 0 {
		return true
	}
	return r.want != nil && r.want(snap.Value)
}

var errNoHeld = errors.New("lifecycle: not modified, but nothing is held")

// fetchAll asks the sources of what is due, within one deadline, and of what is not
// where the document before it, from wherever that came, says that it is. A document
// whose predecessor is held and can be served does not depend on how the fetch
// of that one ends, so it gets its half of the time.
func (r *run) fetchAll() {
	e := r.entry
	s := e.store
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Policy.FetchTimeout)
	defer cancel()
	for i := range e.docs {
		if i > 0 {
			r.misplaced(i)
		}
		if r.due&(1<<i) == 0 {
			continue
		}
		if i > 0 && r.docs[i-1] == nil {
			return // where it would be is not known
		}
		if r.loaded&(1<<i) == 0 {
			r.loadOne(ctx, i)
			if r.due&(1<<i) == 0 {
				continue
			}
		}
		step, done := ctx, context.CancelFunc(func() {})
		if i+1 < len(e.docs) && r.docs[i].servable(s.now()) {
			step, done = context.WithTimeout(ctx, s.cfg.Policy.FetchTimeout/2)
		}
		r.fetch(step, i)
		done()
		if r.errs[i] != nil && !r.docs[i].servable(s.now()) {
			return // what comes after it cannot be found
		}
	}
}

// misplaced makes a document due that is from another place than the document
// before it says.
func (r *run) misplaced(i int) {
	if snap := r.docs[i]; snap != nil && r.entry.pausingNow(i) == 0 && !r.entry.docs[i].MayComeFrom(r.before(i), snap.Origin) {
		r.due |= 1 << i
	}
}

func (e *Entry) pausingNow(i int) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pausing(i, e.store.now())
}

// before returns the value of the document before the i-th.
func (r *run) before(i int) any {
	if i == 0 || r.docs[i-1] == nil {
		return nil
	}
	return r.docs[i-1].Value
}

func (r *run) fetch(ctx context.Context, i int) {
	e := r.entry
	s := e.store
	began, start := s.cfg.Now(), time.Now()
	snap, err := r.ask(ctx, i, began)
	if err != nil {
		err = e.docs[i].Failed(r.before(i), err)
	}
	event := Event{Kind: EventFetched, Issuer: e.key.Issuer, Document: e.docs[i].Kind(), Duration: time.Since(start)}
	if err != nil {
		event.Kind, event.Err = EventFetchFailed, err
	}
	s.observe(event)
	if r.errs[i] = err; err != nil {
		return
	}
	r.docs[i] = snap
	r.due &^= 1 << i
	r.refused[i] = true
	if s.shared.cache != nil && snap.share != shareNot && !e.docs[i].Private() {
		r.writing = true
		r.writes.Add(1)
		s.work.Go(func() { // run is among the work, so that Close waits for it
			defer r.writes.Done()
			r.refused[i] = !e.save(i, snap)
		})
	}
}

// ask gets a document from its source. Parsers and fetchers are other people's
// code.
func (r *run) ask(ctx context.Context, i int, began time.Time) (snap *Snapshot, err error) {
	d, before, held := r.entry.docs[i], r.before(i), r.docs[i]
	var ref Reference
	if held != nil {
		ref.Origin = held.Origin
		if held.body != nil || i > 0 || !r.entry.kept.Load() { // otherwise the body is wanted again
			ref.ETag = held.etag
		}
	}
	answer, err := foreign.Within(ctx, func(ctx context.Context) (Answer, error) { return d.Fetch(ctx, before, ref) })
	if err != nil {
		return nil, err
	}
	p := &r.entry.store.cfg.Policy
	snap = &Snapshot{
		Stated: answer.Stated, Origin: answer.Origin, etag: answer.ETag, body: slices.Clip(slices.Clone(answer.Body)),
		life: p.lifetime(began, answer.Freshness), share: p.sharing(&answer), look: r.number,
	}
	if answer.NotModified {
		if ref.ETag == "" { // as when nothing is held
			return nil, errNoHeld
		}
		snap.Value, snap.Stated, snap.Origin, snap.etag, snap.body = held.Value, held.Stated, held.Origin, held.etag, held.body
		return snap, nil
	}
	snap.Value, err = parse(d, answer.Body, answer.Stated)
	if err != nil {
		return nil, err
	}
	return snap, nil
}

func parse(d Document, body []byte, stated string) (any, error) {
	return foreign.Guard(func() (any, error) { return d.Parse(body, stated) })
}

// sharing decides whether an answer goes to the shared cache.
func (p *Policy) sharing(a *Answer) sharing {
	switch {
	case a.Origin == "":
		return shareNot // another source without a name could not be told from it
	case !a.Freshness.NoStore:
		return shareForLife
	case a.Public && p.ShareNoStore:
		return shareForFloor
	default:
		return shareNot
	}
}

// finish publishes what the run brought and ends the call.
func (r *run) finish() {
	e, c := r.entry, r.call
	s := e.store
	e.mu.Lock()
	view, rotated := r.publish()
	now := s.now()
	for i := range e.docs {
		t := &e.tries[i]
		switch {
		case r.errs[i] != nil:
			t.failures++
			t.err = r.errs[i]
			t.next = now + int64(s.cfg.Policy.backoff(t.failures))
		case r.docs[i] != snapshot(r.held, i):
			*t = try{}
		}
	}
	e.wake.Store(e.nextWake(view))
	// Whoever sees what was published may begin the next refresh.
	c.errs, c.view = r.outcome(), view
	e.call = nil
	e.mu.Unlock()
	s.account(e)
	for i := range e.docs {
		if rotated&(1<<i) != 0 {
			e.observe(EventRotated, i, nil)
		}
	}
	close(c.done)
}

// outcome returns why each document that was due was not got. Of one that could
// not be asked for, the failure of the one before it says more.
func (r *run) outcome() [maxDocuments]error {
	errs := r.errs
	for i := range r.entry.docs {
		if r.due&(1<<i) != 0 && errs[i] == nil {
			errs[i] = errStillWaiting
		}
	}
	return errs
}

// publish replaces the documents of the entry that have changed and reports
// which of them have other content now. The entry's lock must be held.
func (r *run) publish() (view *View, rotated uint) {
	e := r.entry
	view = &View{}
	changed := false
	for i := range e.docs {
		held, snap := snapshot(r.held, i), r.docs[i]
		view.docs[i] = snap
		if snap == held {
			continue
		}
		changed = true
		if e.store.shared.cache == nil && (i > 0 || !e.pinned && !e.kept.Load()) {
			snap.body = nil // nobody will ask for it
		}
		same := held != nil && held.Stated == snap.Stated && e.docs[i].Same(held.Value, snap.Value)
		switch {
		case same:
			snap.Generation = held.Generation
		default:
			snap.Generation = e.store.generation.Add(1)
			if held != nil {
				rotated |= 1 << i
			}
		}
	}
	if !changed {
		return e.view.Load(), 0
	}
	e.view.Store(view)
	return view, rotated
}

// nextWake returns when the next refresh ahead is due. The lock must be held.
func (e *Entry) nextWake(v *View) int64 {
	wake := int64(1<<63 - 1)
	for i := range e.docs {
		if snap := snapshot(v, i); snap != nil { // what nobody asked for yet is not refreshed
			wake = min(wake, max(snap.life.refresh, e.tries[i].next))
		}
	}
	return wake
}
