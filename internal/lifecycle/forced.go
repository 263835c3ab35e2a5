package lifecycle

import (
	"context"
	"crypto/sha256"
	"time"
)

// Outcome says what came of a forced refresh.
type Outcome int

// The outcomes of Refetch.
const (
	// Refreshed: the document was fetched since the name was seen first, by
	// this request or another one. What it does not have does not exist.
	Refreshed Outcome = iota
	// Limited: no attempt was allowed, and none was made since the name was
	// seen first.
	Limited
	// Failed: the attempt failed, or the source is known to fail.
	Failed
)

// window counts attempts in a fixed window of time.
type window struct {
	start    int64
	attempts int
}

// sightKey stands for a name that requests asked for; names are as long as
// clients make them.
type sightKey [16]byte

// Refetch fetches the last document of the chain again because a request misses
// a name (a kid) in it, and returns what is held then. Requests are coalesced,
// and attempts are limited per issuer, successful or not, so that made-up names
// cost next to nothing. want reports whether a value has the name; it is not
// asked about the view that the request held. The error is that of ctx; the
// failure of an attempt is in Health and events.
func (e *Entry) Refetch(ctx context.Context, name string, held *View, want func(any) bool) (*View, Outcome, error) {
	if e.store.cfg.Policy.ForcedMax == 0 {
		return held, Refreshed, nil // there is no looking again
	}
	last := len(e.docs) - 1
	key := sightKey(sha256Prefix(name))
	// A refresh that is under way already may have begun before the name came
	// to be, and is not of this request's making; after it one more is fair.
	for range 2 {
		now := e.store.now()
		e.mu.Lock()
		seen := e.sight(key, now)
		if v := e.view.Load(); v != nil && v != held && v.docs[last] != nil {
			if want(v.docs[last].Value) || e.call == nil && held.docs[last].Generation != v.docs[last].Generation {
				e.mu.Unlock()
				return v, Refreshed, nil
			}
			held = v
		}
		c := e.call
		if c == nil {
			if outcome, ok := e.allowForced(held.docs[last], seen, last, now); !ok {
				e.mu.Unlock()
				if outcome != Refreshed {
					e.observe(EventLimited, last, nil)
				}
				return held, outcome, nil
			}
			c = e.start(len(e.docs), 1<<last, want)
		}
		forced := c.forced
		e.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			return held, Failed, ctx.Err()
		}
		v := e.current(c)
		if c.errs[last] != nil || v == nil || v.docs[last] == nil {
			return held, Failed, nil
		}
		if forced || want(v.docs[last].Value) {
			return v, Refreshed, nil
		}
		held = v
	}
	return held, Refreshed, nil
}

func sha256Prefix(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:len(sightKey{})]
}

// sight is when a name was seen first.
type sight struct {
	at   int64
	runs uint64 // how many refreshes of the entry had been started by then
}

// sight returns when a name was seen first, within the window. The memory is
// bounded; when it is full it starts anew. The lock must be held.
func (e *Entry) sight(key sightKey, now int64) sight {
	p := &e.store.cfg.Policy
	if seen, ok := e.sights[key]; ok && now >= seen.at && now-seen.at < int64(p.ForcedWindow) {
		return seen
	}
	seen := sight{now, e.runs}
	if p.MaxMissing > 0 {
		if len(e.sights) >= p.MaxMissing || e.sights == nil {
			e.sights = make(map[sightKey]sight)
		}
		e.sights[key] = seen
	}
	return seen
}

// allowForced decides, with the lock held, whether an attempt may be made for a
// name that was seen. When not, the outcome says why.
func (e *Entry) allowForced(held *Snapshot, seen sight, last int, now int64) (Outcome, bool) {
	p := &e.store.cfg.Policy
	if held.look > seen.runs {
		return Refreshed, false // somebody looked meanwhile
	}
	outcome := Limited
	if e.tries[last].failures > 0 {
		outcome = Failed
	}
	if e.pausing(last, now) > 0 {
		return outcome, false
	}
	if now-e.forced.start >= int64(p.ForcedWindow) || now < e.forced.start {
		e.forced = window{start: now}
	}
	if e.forced.attempts >= p.ForcedMax {
		return outcome, false
	}
	e.forced.attempts++
	return Refreshed, true
}

// LimitedFor returns how long forced refreshes stay limited, at most.
func (e *Entry) LimitedFor(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := time.Duration(e.forced.start-now.UnixNano()) + e.store.cfg.Policy.ForcedWindow
	return min(max(left, 0), e.store.cfg.Policy.ForcedWindow)
}
