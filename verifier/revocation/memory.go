package revocation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// ErrFull: a [Memory] has no room for another revocation.
var ErrFull = errors.New("revocation: the store is full")

var errKey = errors.New("revocation: the key is empty or longer than 64 KiB")

const (
	defaultMemory = 100_000
	maxMemory     = 100_000_000
	maxKey        = 64 << 10
)

// Memory is a verifier.RevocationStore in this process alone: for a single one, and
// for tests. It holds a bounded number of revocations, of about 150 bytes each with
// the keys of a [List], and returns [ErrFull] beyond. It is safe for concurrent use.
type Memory struct {
	max   int
	clock verifier.Clock

	mu      sync.Mutex
	entries map[string]denial
	next    time.Time // before it no entry ends
}

// denial is when something was revoked, and until when that is kept.
type denial struct{ at, until time.Time }

var _ verifier.RevocationStore = (*Memory)(nil)

// NewMemory returns an empty store for a number of revocations: 1 to 100 million,
// or 0 for 100,000. A nil clock means time.Now. The error matches [ErrConfig].
func NewMemory(max int, clock verifier.Clock) (*Memory, error) {
	if max == 0 {
		max = defaultMemory
	}
	if max < 1 || max > maxMemory {
		return nil, configError("the size of a Memory is not between 1 and 100 million")
	}
	if clock == nil {
		clock = verifier.ClockFunc(time.Now)
	}
	return &Memory{max: max, clock: clock, entries: make(map[string]denial)}, nil
}

// Revoke implements verifier.RevocationStore.
func (m *Memory) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	if err := check(ctx, key); err != nil || ttl <= 0 {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	d := denial{roundUp(at), now.Add(ttl)}
	old, known := m.entries[key]
	if old.holds(now) {
		d = d.or(old)
	}
	if !known && len(m.entries) >= m.max {
		if m.sweep(now); len(m.entries) >= m.max {
			return ErrFull
		}
	}
	m.entries[key] = d
	m.next = earlier(m.next, d.until)
	return nil
}

// sweep drops what has ended. It looks at all entries only if one of them has.
func (m *Memory) sweep(now time.Time) {
	if !now.After(m.next) {
		return
	}
	m.next = time.Time{}
	for key, d := range m.entries {
		if d.holds(now) {
			m.next = earlier(m.next, d.until)
		} else {
			delete(m.entries, key)
		}
	}
}

// earlier returns the earlier of two times; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Revoked implements verifier.RevocationStore.
func (m *Memory) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	for _, key := range keys {
		if err := check(ctx, key); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, times := m.clock.Now(), make([]time.Time, len(keys))
	for i, key := range keys {
		if d := m.entries[key]; d.holds(now) {
			times[i] = d.at
		}
	}
	return times, nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if key == "" || len(key) > maxKey {
		return errKey
	}
	return nil
}

// holds reports whether a denial has not ended; the zero denial ended long ago.
func (d denial) holds(now time.Time) bool { return !now.After(d.until) }

// or returns the later times of both.
func (d denial) or(other denial) denial {
	if other.at.After(d.at) {
		d.at = other.at
	}
	if other.until.After(d.until) {
		d.until = other.until
	}
	return d
}

// roundUp rounds up to the millisecond.
func roundUp(t time.Time) time.Time {
	if whole := t.Truncate(time.Millisecond); !whole.Equal(t) {
		return whole.Add(time.Millisecond)
	}
	return t
}
