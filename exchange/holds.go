package exchange

import (
	"sync"
	"time"
)

// holds remembers until when an endpoint asked not to be sent a request again
// (RFC 6585, Section 4; RFC 9110, Section 10.2.3).
type holds struct {
	mu    sync.Mutex
	byKey map[string]hold
}

type hold struct {
	until   time.Time
	failure *Error
}

const (
	maxHolds = 10_000
	// maxHold bounds what one answer can do to the requests after it.
	maxHold = time.Hour
)

// check returns the failure that a request must be answered with, or nil.
func (h *holds) check(key string, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	held, ok := h.byKey[key]
	if !ok {
		return nil
	}
	left := held.until.Sub(now)
	if left <= 0 || left > maxHold { // the clock was set back
		delete(h.byKey, key)
		return nil
	}
	again := *held.failure
	again.RetryAfter = left
	return &again
}

// note remembers a failure that asks to wait.
func (h *holds) note(key string, failure *Error, now time.Time) {
	if failure.RetryAfter <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byKey == nil {
		h.byKey = make(map[string]hold)
	}
	if len(h.byKey) >= maxHolds {
		h.shrink(now)
	}
	h.byKey[key] = hold{now.Add(min(failure.RetryAfter, maxHold)), failure}
}

// shrink drops what is over, and an eighth at least, so that a flood does not
// come here for each request.
func (h *holds) shrink(now time.Time) {
	for key, held := range h.byKey {
		if !held.until.After(now) {
			delete(h.byKey, key)
		}
	}
	for key := range h.byKey {
		if len(h.byKey) <= maxHolds-maxHolds/8 {
			return
		}
		delete(h.byKey, key)
	}
}
