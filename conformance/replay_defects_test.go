package conformance_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
)

func TestReferenceReplayStore(t *testing.T) {
	h := replayHarness(quota(1000))
	report := conformance.TestReplayStore(t, h)
	for _, skipped := range report.With(conformance.Skipped) {
		t.Errorf("%s is skipped: %s; want the reference to run all checks", skipped.Check, skipped.Detail)
	}
}

func TestReplayStoreDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.ReplayStoreChecks(), allReplayDefects(), func(ctx context.Context, d defect[func(*altered)]) conformance.Report {
		return conformance.RunReplayStore(ctx, replayHarness(d.make))
	})
}

func allReplayDefects() []replayDefect {
	return slices.Concat(replayDefects(), moreReplayDefects(), replayContextDefects())
}

// quotaError is what the Verifier looks for.
type quotaError struct{ text string }

func (e *quotaError) Error() string       { return "store: quota exceeded" + e.text }
func (e *quotaError) QuotaExceeded() bool { return true }

// quota bounds the keys of each proof key.
func quota(most int) func(a *altered) {
	return counted(most, func(key string) string {
		proofKey, _, _ := strings.Cut(key, ".")
		return proofKey
	}, &quotaError{})
}

// counted refuses new keys of a group beyond a number of live ones.
func counted(most int, group func(key string) string, full error) func(a *altered) {
	return func(a *altered) {
		var mu sync.Mutex
		live := make(map[string][]time.Time)
		add := a.add
		a.add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			now := a.clock.Now()
			mu.Lock()
			if ends := live[group(key)]; len(ends) >= most {
				live[group(key)] = slices.DeleteFunc(ends, func(end time.Time) bool { return !now.Before(end) })
			}
			n := len(live[group(key)])
			mu.Unlock()
			if n >= most && !a.remembered(key) {
				return false, full
			}
			added, err := add(ctx, key, ttl)
			if added && ttl > 0 {
				mu.Lock()
				live[group(key)] = append(live[group(key)], a.until(ttl))
				mu.Unlock()
			}
			return added, err
		}
	}
}

// remembered reports whether the backend has a live record.
func (a *altered) remembered(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	until, ok := a.records[a.path(key)]
	return ok && a.clock.Now().Before(until)
}

// forget removes a record.
func (a *altered) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.records, a.path(key))
}

// adding replaces Add.
func adding(f func(a *altered, add addFunc) addFunc) func(a *altered) {
	return func(a *altered) { a.add = f(a, a.add) }
}

type addFunc = func(ctx context.Context, key string, ttl time.Duration) (bool, error)

// unremembered keys are those that are written under another name than they
// are looked for.
func unremembered(which func(key string) bool) func(a *altered) {
	return adding(func(_ *altered, add addFunc) addFunc {
		return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			if which(key) {
				ttl = 0
			}
			return add(ctx, key, ttl)
		}
	})
}

// positive changes ttls above zero.
func positive(f func(ttl time.Duration) time.Duration) func(a *altered) {
	return timed(func(ttl time.Duration) time.Duration {
		if ttl <= 0 {
			return ttl
		}
		return f(ttl)
	})
}

func replayDefects() []defect[func(a *altered)] {
	const day = 24 * time.Hour
	return []defect[func(a *altered)]{
		{name: "a filter is full after some hundred keys", fails: "many-keys-are-added-once", make: adding(func(_ *altered, add addFunc) addFunc {
			var mu sync.Mutex
			set := 0
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				mu.Lock()
				defer mu.Unlock()
				if added && ttl >= time.Hour {
					set++
				}
				return added && set <= 500, err
			}
		})},
		{name: "a counter of 8 bits says which Add is the first", fails: "key-is-refused-any-number-of-times", make: adding(func(_ *altered, add addFunc) addFunc {
			var mu sync.Mutex
			counts := make(map[string]uint8)
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				mu.Lock()
				defer mu.Unlock()
				counts[key]++
				return added || err == nil && counts[key] == 0, err
			}
		})},
		{name: "look, then write", fails: "one-of-many-adds-by-two-stores one-of-many-concurrent-adds", make: adding(lookThenWrite)},
		{name: "look, then write, under a lock of this process", fails: "one-of-many-adds-by-two-stores", make: adding(func(a *altered, add addFunc) addFunc {
			var mu sync.Mutex
			inner := lookThenWrite(a, add)
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				return inner(ctx, key, ttl)
			}
		})},
		{name: "concurrent Adds of one key share one answer", fails: "one-of-many-concurrent-adds", make: adding(coalesced)},
		{name: "keys are hashed with the seed of a process", fails: "records-are-shared", make: func(a *altered) {
			seed := maphash.MakeSeed()
			a.keyed(func(key string) string {
				if len(key) <= 250 {
					return "raw:" + key
				}
				return fmt.Sprint("hash:", maphash.String(seed, key), sha256.Sum256([]byte(key)))
			})
		}},
		{name: "records stay in the process", fails: "one-of-many-adds-by-two-stores records-are-shared", make: func(a *altered) {
			seed := maphash.MakeSeed()
			a.keyed(func(key string) string { return fmt.Sprint(maphash.String(seed, ""), key) })
		}},
		{name: "a field of the store holds the key of the call", fails: "concurrent-adds-of-many-keys", make: adding(func(_ *altered, add addFunc) addFunc {
			var mu sync.Mutex
			var current string
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				mu.Lock()
				current = key
				mu.Unlock()
				yield()
				mu.Lock()
				key = current
				mu.Unlock()
				return add(ctx, key, ttl)
			}
		})},
		{name: "a full store forgets the oldest key", fails: "no-live-key-is-forgotten-under-pressure", make: adding(func(a *altered, add addFunc) addFunc {
			var mu sync.Mutex
			var order []string
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				mu.Lock()
				defer mu.Unlock()
				if added && ttl > 0 {
					if order = append(order, key); len(order) > 1500 {
						a.forget(order[0])
						order = order[1:]
					}
				}
				return added, err
			}
		})},
		{name: "a full store does not write, and says added", fails: "no-live-key-is-forgotten-under-pressure", make: adding(func(a *altered, add addFunc) addFunc {
			full := alterAdd(counted(1500, func(string) string { return "" }, errRefused), a, add)
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := full(ctx, key, ttl)
				if err == errRefused {
					return true, nil
				}
				return added, err
			}
		})},
		{name: "a full store is a quota error", fails: "quota-is-per-proof-key", make: counted(1500, func(string) string { return "" }, &quotaError{})},
		{name: "a third of the ttl is kept", fails: "key-stays-for-its-ttl", make: positive(func(ttl time.Duration) time.Duration { return max(ttl/3, resolution) })},
		{name: "a clock that ticks ends a key early", fails: "key-stays-for-its-ttl", make: positive(func(ttl time.Duration) time.Duration {
			return max(ttl-resolution, resolution)
		})},
		{name: "a key that nobody asks for again does not end", fails: "key-does-not-stay-for-ever", make: adding(func(a *altered, add addFunc) addFunc {
			var repeated tombstones
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				a.mu.Lock()
				_, there := a.records[a.path(key)]
				a.mu.Unlock()
				if there && !repeated.has(key) {
					repeated.add(key)
					return false, a.begin(ctx)
				}
				return add(ctx, key, ttl)
			}
		})},
		{name: "the backend has no expiry", fails: "ended-keys-give-their-room-back key-does-not-stay-for-ever repeated-add-does-not-extend-the-ttl tiny-ttl-is-not-for-ever ttl-beyond-30-days zero-ttl-leaves-the-ttl-of-a-live-key", make: positive(func(time.Duration) time.Duration { return forEver })},
		{name: "a ttl below a second is truncated to zero, and zero is for ever", fails: "tiny-ttl-is-not-for-ever", make: positive(func(ttl time.Duration) time.Duration {
			if ttl < resolution {
				return forEver
			}
			return ttl
		})},
		{name: "a ttl below a second is truncated to zero, and zero is nothing", fails: "tiny-ttl-is-rounded-up", make: positive(func(ttl time.Duration) time.Duration {
			return ttl.Truncate(resolution)
		})},
		{name: "a ttl is cut to 30 days", fails: "ttl-beyond-30-days", make: positive(func(ttl time.Duration) time.Duration { return min(ttl, 30*day) })},
		{name: "a ttl beyond 30 days is a Unix time", fails: "ttl-beyond-30-days ttl-beyond-all-bounds ttl-fits-no-small-integer", make: positive(func(ttl time.Duration) time.Duration {
			if ttl > 30*day {
				return 0
			}
			return ttl
		})},
		{name: "the end of a ttl overflows", fails: "ttl-beyond-all-bounds", make: func(a *altered) {
			timed(func(ttl time.Duration) time.Duration {
				if now := a.clock.Now().UnixNano(); ttl > 0 && now+int64(ttl) < now {
					return 0
				}
				return ttl
			})(a)
		}},
		{name: "a ttl of zero is for ever", fails: "zero-ttl-remembers-nothing", make: timed(func(ttl time.Duration) time.Duration {
			if ttl == 0 {
				return forEver
			}
			return ttl
		})},
		{name: "a ttl of zero is not added", fails: "zero-ttl-remembers-nothing", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				return added && ttl != 0, err
			}
		})},
		{name: "a negative ttl is for ever", fails: "negative-ttl-remembers-nothing", make: timed(func(ttl time.Duration) time.Duration {
			if ttl < 0 {
				return forEver
			}
			return ttl
		})},
		{name: "a ttl of zero removes the key, as in a cache", fails: "zero-ttl-spares-a-live-key", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				if ttl == 0 {
					a.forget(key)
				}
				return add(ctx, key, ttl)
			}
		})},
		{name: "a repeated Add starts its ttl", fails: "repeated-add-does-not-extend-the-ttl", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				if !added && err == nil && ttl > 0 {
					a.mu.Lock()
					a.records[a.path(key)] = a.until(ttl)
					a.mu.Unlock()
				}
				return added, err
			}
		})},
		{name: "an ended record is in the way of the next", fails: "key-can-be-added-after-its-ttl", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				a.mu.Lock()
				until, there := a.records[a.path(key)]
				a.mu.Unlock()
				if there && !a.clock.Now().Before(until) {
					err := a.begin(ctx)
					return err == nil, err
				}
				return add(ctx, key, ttl)
			}
		})},
		{name: "keys with spaces are written under another name", fails: "keys-with-spaces", make: unremembered(func(key string) bool { return strings.Contains(key, " ") })},
		{name: "keys with control characters are written under another name", fails: "keys-with-control-characters", make: unremembered(func(key string) bool { return strings.ContainsFunc(key, control) })},
		{name: "keys beyond ASCII are written under another name", fails: "keys-beyond-ascii", make: unremembered(func(key string) bool { return strings.ContainsFunc(key, nonASCII) })},
		{name: "keys beyond 32 KiB are written under another name", fails: "keys-up-to-64-kib", make: unremembered(func(key string) bool { return len(key) > 32<<10 })},
		{name: "keys beyond 250 bytes are refused", fails: "add-with-a-done-context hashed-keys-do-not-collide keys-of-equal-weak-hashes-differ long-keys-that-differ records-are-shared", make: func(a *altered) {
			a.refuse(func(key string) bool { return len(key) > 250 })
		}},
		{name: "keys are lower-cased", fails: "keys-that-differ-by-case", make: rekeyed(func(key string) string { return strings.Map(lower, key) })},
		{name: "keys are trimmed", fails: "keys-that-differ-by-other-bytes", make: rekeyed(strings.TrimSpace)},
		{name: "slashes become underscores", fails: "keys-that-differ-by-other-bytes", make: rekeyed(func(key string) string { return strings.ReplaceAll(key, "/", "_") })},
		{name: "keys are cut to 250 bytes", fails: "long-keys-that-differ", make: rekeyed(func(key string) string { return key[:min(len(key), 250)] })},
		{name: "the hash of a long key is a key like others", fails: "hashed-keys-do-not-collide", make: rekeyed(func(key string) string {
			if len(key) <= 250 {
				return key
			}
			sum := sha256.Sum256([]byte(key))
			return hex.EncodeToString(sum[:])
		})},
		{name: "Add does not look at its context", fails: "add-with-a-done-context", make: adding(func(_ *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				return add(undone(ctx), key, ttl)
			}
		})},
		{name: "every end of a context is a cancellation", fails: "past-deadlines-are-told-from-cancellation", make: func(a *altered) {
			renamed(a, func(_ context.Context, err error) error {
				if a.isHanging() {
					return err
				}
				return context.Canceled
			})
		}},
		{name: "the cause replaces the error of the context", fails: "causes-do-not-hide-the-context-error", make: func(a *altered) {
			renamed(a, func(ctx context.Context, _ error) error { return context.Cause(ctx) })
		}},
		{name: "an Add that was given up is reported as added", fails: "an-error-is-not-added", make: adding(func(_ *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				return added || ctx.Err() != nil, err
			}
		})},
		{name: "the client's time-out does not match", fails: "add-to-a-hanging-backend", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				return added, a.hung(err)
			}
		})},
		{name: "Add waits as long as the backend hangs", fails: "add-to-a-hanging-backend", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				if ctx.Err() == nil {
					a.wait()
				}
				return add(ctx, key, ttl)
			}
		})},
		{name: "a store that is down lets all proofs in", fails: "add-to-a-backend-that-is-down", make: adding(func(_ *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				return added || err == errDown, swallowed(err)
			}
		})},
		{name: "a store that is down takes all proofs for replays", fails: "add-to-a-backend-that-is-down", make: adding(func(_ *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				return added, swallowed(err)
			}
		})},
		{name: "the error of Add shows the command", fails: "errors-do-not-show-the-key", make: adding(func(_ *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				if err != nil {
					err = fmt.Errorf("SET %q 1 NX: %w", key, err)
				}
				return added, err
			}
		})},
	}
}

// alterAdd is what a change makes of Add.
func alterAdd(change func(a *altered), a *altered, add addFunc) addFunc {
	before := a.add
	defer func() { a.add = before }()
	a.add = add
	change(a)
	return a.add
}

// yield lets others in, as the way to the backend and back does.
func yield() {
	for range 50 {
		runtime.Gosched()
	}
}

// lookThenWrite is EXISTS and SET instead of SET NX.
func lookThenWrite(a *altered, _ addFunc) addFunc {
	return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
		if err := a.begin(ctx); err != nil || a.remembered(key) {
			return false, err
		}
		yield()
		if ttl > 0 {
			a.mu.Lock()
			a.records[a.path(key)] = a.until(ttl)
			a.mu.Unlock()
		}
		return true, nil
	}
}

// coalesced gives one answer to all concurrent Adds of a key.
func coalesced(_ *altered, add addFunc) addFunc {
	type call struct {
		done  chan struct{}
		added bool
		err   error
	}
	var mu sync.Mutex
	calls := make(map[string]*call)
	return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
		mu.Lock()
		if c, ok := calls[key]; ok {
			mu.Unlock()
			<-c.done
			return c.added, c.err
		}
		c := &call{done: make(chan struct{})}
		calls[key] = c
		mu.Unlock()
		yield()
		c.added, c.err = add(ctx, key, ttl)
		mu.Lock()
		delete(calls, key)
		mu.Unlock()
		close(c.done)
		return c.added, c.err
	}
}
