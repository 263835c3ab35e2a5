package exchange

import (
	"sync"
	"time"
)

// waits remembers until when an endpoint asked not to be sent a request again
// (RFC 6585, Section 4; RFC 9110, Section 10.2.3).
type waits struct {
	mu    sync.Mutex
	byKey map[string]wait
}

type wait struct {
	noted   time.Time
	until   time.Time
	failure *Error
}

const (
	maxWaits = 10_000
	// maxWait bounds what one answer can do to the requests after it.
	maxWait = time.Hour
)

// check returns the failure that a request must be answered with, or nil.
func (w *waits) check(key string, now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	held, ok := w.byKey[key]
	if !ok {
		return nil
	}
	left := held.until.Sub(now)
	if left <= 0 || now.Before(held.noted) { // the clock was set back
		delete(w.byKey, key)
		return nil
	}
	again := *held.failure
	again.RetryAfter = left
	return &again
}

// note remembers a failure that asks to wait.
func (w *waits) note(key string, failure *Error, now time.Time) {
	if failure.RetryAfter <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey == nil {
		w.byKey = make(map[string]wait)
	}
	if len(w.byKey) >= maxWaits {
		w.shrink(now)
	}
	w.byKey[key] = wait{now, now.Add(min(failure.RetryAfter, maxWait)), failure}
}

// shrink drops what is over, and an eighth at least, so that a flood does not
// come here for each request.
func (w *waits) shrink(now time.Time) {
	for key, held := range w.byKey {
		if !held.until.After(now) {
			delete(w.byKey, key)
		}
	}
	for key := range w.byKey {
		if len(w.byKey) <= maxWaits-maxWaits/8 {
			return
		}
		delete(w.byKey, key)
	}
}
