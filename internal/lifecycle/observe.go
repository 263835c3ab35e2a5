package lifecycle

import "time"

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
)

// Event is one thing that happened to the document of an issuer.
type Event struct {
	Kind     EventKind
	Issuer   string
	Err      error
	Duration time.Duration // of a fetch
	Age      time.Duration // of a document served stale
}

func (s *Store[T]) observe(e Event) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(e)
	}
}

// Health is the state of the document of one issuer.
type Health struct {
	Issuer      string
	Held        bool
	Fresh       bool
	Servable    bool // fresh, or stale within the hard limit
	Failures    int  // attempts that failed since the last success
	LastErr     error
	FetchedAt   time.Time
	NextRefresh time.Time // when the next request will start a refresh
}

// Health returns the state of every issuer held, in no particular order.
func (s *Store[T]) Health() []Health {
	var all []Health
	now := s.cfg.Now()
	s.entries.Range(func(_, v any) bool {
		e := v.(*entry[T])
		e.mu.Lock()
		h := Health{Issuer: e.issuer, Failures: e.failures, LastErr: e.lastErr}
		e.mu.Unlock()
		if snap := e.snap.Load(); snap != nil {
			h.Held, h.Fresh, h.Servable = true, snap.fresh(now), snap.servable(now)
			h.FetchedAt, h.NextRefresh = snap.life.fetched, snap.life.refresh
		}
		if next := e.nextTry.Load(); next != 0 && time.Unix(0, next).After(h.NextRefresh) {
			h.NextRefresh = time.Unix(0, next)
		}
		all = append(all, h)
		return true
	})
	return all
}
