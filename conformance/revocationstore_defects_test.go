package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// revocations is a RevocationStore with places for mistakes; a good one has none.
type revocations struct {
	outage
	now     func() time.Time
	entries map[string][2]time.Time // when, and until when
	max     int
	hoards  bool // what has ended keeps its room

	revoke  func(ctx context.Context, key string, at time.Time, ttl time.Duration) error
	revoked func(ctx context.Context, keys []string) ([]time.Time, error)
}

func (r *revocations) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	return r.revoke(ctx, key, at, ttl)
}

func (r *revocations) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	return r.revoked(ctx, keys)
}

var errStoreFull = errors.New("store: full")

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *revocations) goodRevoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	if err := r.enter(ctx); err != nil || ttl <= 0 {
		return err
	}
	if whole := at.Truncate(time.Millisecond); !whole.Equal(at) {
		at = whole.Add(time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	until := now.Add(ttl)
	if old, ok := r.entries[key]; ok && now.Before(old[1]) {
		at, until = later(at, old[0]), later(until, old[1])
	} else if r.isFull(now) {
		return errStoreFull
	}
	r.entries[key] = [2]time.Time{at, until}
	return nil
}

// isFull makes room of what has ended.
func (r *revocations) isFull(now time.Time) bool {
	if len(r.entries) >= r.max && !r.hoards {
		maps.DeleteFunc(r.entries, func(_ string, e [2]time.Time) bool { return !now.Before(e[1]) })
	}
	return len(r.entries) >= r.max
}

func (r *revocations) goodRevoked(ctx context.Context, keys []string) ([]time.Time, error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	times := make([]time.Time, len(keys))
	for i, key := range keys {
		if e, ok := r.entries[key]; ok && r.now().Before(e[1]) {
			times[i] = e[0]
		}
	}
	return times, nil
}

// put overwrites an entry.
func (r *revocations) put(key string, at, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[key] = [2]time.Time{at, until}
}

// end overwrites the end of an entry that is there.
func (r *revocations) end(key string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.entries[key]; ok {
		r.entries[key] = [2]time.Time{e[0], until}
	}
}

func (r *revocations) get(key string) ([2]time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.entries[key]
	return e, ok && r.now().Before(e[1])
}

func revocationHarness(change func(*revocations)) conformance.RevocationStoreHarness {
	var elapsed atomic.Int64
	began := time.Now()
	var mu sync.Mutex
	stores := make(map[string]*revocations)
	return conformance.RevocationStoreHarness{
		New: func(env *conformance.Env) (verifier.RevocationStore, error) {
			mu.Lock()
			defer mu.Unlock()
			first := stores[env.Namespace]
			if first == nil {
				first = &revocations{now: func() time.Time { return began.Add(time.Duration(elapsed.Load())) }, entries: make(map[string][2]time.Time), max: 400}
				first.revoke, first.revoked = first.goodRevoke, first.goodRevoked
				stores[env.Namespace] = first
				if change != nil {
					change(first)
				}
			}
			return &revocationProcess{revocations: first}, nil
		},
		Advance: func(d time.Duration) { elapsed.Add(int64(d)) },
		Shared:  true, Capacity: 400,
		Break: func(store verifier.RevocationStore) func() { return store.(*revocationProcess).breakIt() },
		Hang:  func(store verifier.RevocationStore) func() { return store.(*revocationProcess).hangIt() },
	}
}

// revocationProcess is one of several that share a store.
type revocationProcess struct {
	*revocations
	lock sync.Mutex // of this process alone
}

// processKey is where a call carries its process.
type processKey struct{}

func (p *revocationProcess) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	return p.revoke(context.WithValue(ctx, processKey{}, p), key, at, ttl)
}

func TestRevocationStoreDefects(t *testing.T) {
	t.Parallel()
	if report := conformance.RunRevocationStore(t.Context(), revocationHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	testDefects(t, conformance.RevocationStoreChecks(), allRevocationDefects(), func(ctx context.Context, d defect[func(*revocations)]) conformance.Report {
		return conformance.RunRevocationStore(ctx, revocationHarness(d.make))
	})
}

func revocationDefects() []defect[func(*revocations)] {

	return []defect[func(*revocations)]{
		{name: "times are a second late", fails: "revoked-key-has-its-time", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return r.goodRevoke(ctx, key, at.Add(time.Second), ttl)
			}
		}},
		{name: "a key that is not there was revoked in 1970", fails: "unknown-key-has-the-zero-time", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				for i := range times {
					if times[i].IsZero() {
						times[i] = time.UnixMilli(0)
					}
				}
				return times, err
			}
		}},
		{name: "answers come sorted", fails: "answers-are-in-order", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				if len(times) < 50 {
					slices.SortFunc(times, time.Time.Compare)
				}
				return times, err
			}
		}},
		{name: "times are cut", fails: "times-are-rounded-up", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return r.goodRevoke(ctx, key, at.Truncate(time.Millisecond), ttl)
			}
		}},
		{name: "an earlier time by far is taken for news", fails: "later-time-stays", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				old, known := r.get(key)
				err := r.goodRevoke(ctx, key, at, ttl)
				if known && old[0].Sub(at) > time.Minute {
					r.put(key, at, old[1])
				}
				return err
			}
		}},
		{name: "the end of the last one counts", fails: "later-end-stays", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				err := r.goodRevoke(ctx, key, at, ttl)
				if err == nil && ttl > 0 {
					r.end(key, r.now().Add(ttl))
				}
				return err
			}
		}},
		{name: "keys end a little early", fails: "key-stays-for-its-ttl", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return r.goodRevoke(ctx, key, at, ttl-ttl/10)
			}
		}},
		{name: "no ttl is a day", fails: "zero-ttl-does-nothing", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				if ttl <= 0 {
					ttl = 24 * time.Hour
				}
				return r.goodRevoke(ctx, key, at, ttl)
			}
		}},
		{name: "a full store forgets", fails: "nothing-makes-room", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				err := r.goodRevoke(ctx, key, at, ttl)
				if !errors.Is(err, errStoreFull) {
					return err
				}
				r.mu.Lock()
				for old := range r.entries {
					delete(r.entries, old)
					break
				}
				r.mu.Unlock()
				return r.goodRevoke(ctx, key, at, ttl)
			}
		}},
		{name: "reads, and writes later", fails: "latest-of-concurrent-times-stays", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				old, known := r.get(key)
				runtime.Gosched()
				if err := r.goodRevoke(ctx, key, at, ttl); err != nil || ttl <= 0 {
					return err
				}
				if e, _ := r.get(key); !known || at.After(old[0]) {
					runtime.Gosched()
					if whole := at.Truncate(time.Millisecond); whole.Equal(at) {
						r.put(key, at, e[1])
					}
				}
				return nil
			}
		}},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				if r.isHung() {
					return r.goodRevoked(ctx, keys)
				}
				return r.goodRevoked(context.WithoutCancel(ctx), keys)
			}
		}},
		{name: "each process has its own", fails: "other-processes-see-it", make: func(r *revocations) {
			// Of the keys of that check: nothing else has two stores.
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				if len(keys) == 1 && bytes.HasSuffix([]byte(keys[0]), []byte("shared")) {
					return make([]time.Time, 1), err
				}
				return times, err
			}
		}},
		{name: "down is not revoked", fails: "failure-is-an-error", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				if errors.Is(err, errDown) {
					return make([]time.Time, len(keys)), nil
				}
				return times, err
			}
		}},
		{name: "waits for ever", fails: "hanging-backend-ends-with-the-context", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				if r.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return r.goodRevoked(ctx, keys)
			}
		}},
	}
}
