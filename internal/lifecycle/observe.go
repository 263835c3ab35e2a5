package lifecycle

import (
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// EventKind says what happened.
type EventKind int

// The events of a Store.
const (
	EventFetched     EventKind = iota // the source answered with a good document
	EventFetchFailed                  // it did not
	EventRotated                      // a refresh changed the content
	EventStale                        // a stale document was served
	EventLimited                      // a forced refresh was not allowed
	EventCacheHit                     // the shared cache had a document
	EventCacheFault                   // the shared cache or lease failed, or held garbage
	EventOtherSource                  // the shared cache had a document from a source that is not this issuer's
	EventEvicted                      // an issuer in use was driven out
)

// Event is one thing that happened to a document of an issuer.
type Event struct {
	Kind     EventKind
	Issuer   string
	Document string // "" of EventEvicted
	Err      error
	Duration time.Duration // of a fetch
	Age      time.Duration // of a document served stale
}

func (s *Store) observe(e Event) {
	if s.cfg.Observe != nil {
		foreign.Tell(func() { s.cfg.Observe(e) })
	}
}

func (e *Entry) observe(kind EventKind, document int, err error) {
	e.store.observe(Event{Kind: kind, Issuer: e.key.Issuer, Document: e.docs[document].Kind(), Err: err})
}

// Health is the state of one document of an issuer.
type Health struct {
	Issuer      string
	Document    string
	Held        bool
	Fresh       bool
	Servable    bool // fresh, or stale within the hard limit
	Failures    int  // attempts that failed since the last success
	LastErr     error
	FetchedAt   time.Time
	NextRefresh time.Time // when the next request will start a refresh
}

// Health returns the state of every document that is held or was asked for, in
// no particular order.
func (s *Store) Health() []Health {
	var all []Health
	now := s.now()
	s.entries.Range(func(_, v any) bool {
		all = v.(*Entry).health(all, now)
		return true
	})
	return all
}

func (e *Entry) health(all []Health, now int64) []Health {
	e.mu.Lock()
	defer e.mu.Unlock()
	view := e.view.Load()
	for i, d := range e.docs {
		t := &e.tries[i]
		h := Health{Issuer: e.key.Issuer, Document: d.Kind(), Failures: t.failures, LastErr: t.err}
		var next int64
		if view != nil && view.docs[i] != nil {
			snap := view.docs[i]
			h.Held, h.Fresh, h.Servable = true, snap.fresh(now), snap.servable(now)
			h.FetchedAt, next = time.Unix(0, snap.life.fetched), snap.life.refresh
		}
		next = max(next, t.next)
		if !h.Held && t.failures == 0 {
			continue
		}
		h.NextRefresh = time.Unix(0, next)
		all = append(all, h)
	}
	return all
}
