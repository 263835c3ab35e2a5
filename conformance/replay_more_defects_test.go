package conformance_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type replayDefect = defect[func(a *altered)]

// record returns when a key ends, if it was ever added.
func (a *altered) record(key string) (until time.Time, there bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	until, there = a.records[a.path(key)]
	return until, there
}

func (a *altered) setRecord(key string, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records[a.path(key)] = until
}

// after changes the record of a key after an Add.
func after(f func(a *altered, key string, ttl time.Duration, old time.Time, there, live, added bool)) func(a *altered) {
	return adding(func(a *altered, add addFunc) addFunc {
		return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			old, there := a.record(key)
			added, err := add(ctx, key, ttl)
			if err == nil {
				f(a, key, ttl, old, there, there && a.clock.Now().Before(old), added)
			}
			return added, err
		}
	})
}

func moreReplayDefects() []replayDefect {
	var lives sync.Map // ttls of first Adds, by path
	return []replayDefect{
		{name: "no key is ever added", fails: "first-add-is-added", make: adding(func(a *altered, _ addFunc) addFunc {
			return func(ctx context.Context, _ string, _ time.Duration) (bool, error) { return false, a.begin(ctx) }
		})},
		{name: "no key is ever remembered", fails: "second-add-is-not-added", make: unremembered(func(string) bool { return true })},
		{name: "keys that begin with a dot are written under another name", fails: "keys-of-any-form-are-added-once", make: unremembered(func(key string) bool { return strings.HasPrefix(key, ".") })},
		{name: "the first of a crowd is turned away", fails: "concurrent-adds-have-an-order", make: adding(func(_ *altered, add addFunc) addFunc {
			var flying tally
			var turned sync.Map
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				n := flying.add(key, 1)
				defer flying.add(key, -1)
				time.Sleep(20 * time.Microsecond)
				if n == 1 && flying.add(key, 0) > 1 && ctx.Err() == nil {
					if _, before := turned.LoadOrStore(key, true); !before {
						return false, nil
					}
				}
				if n > 1 {
					time.Sleep(time.Millisecond)
				}
				return add(ctx, key, ttl)
			}
		})},
		{name: "an ended record is replaced without a lock", fails: "one-of-many-adds-after-the-ttl", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				until, there := a.record(key)
				if !there || a.clock.Now().Before(until) || ctx.Err() != nil {
					return add(ctx, key, ttl)
				}
				if err := a.begin(ctx); err != nil {
					return false, err
				}
				time.Sleep(time.Millisecond)
				if ttl > 0 {
					a.setRecord(key, a.until(ttl))
				}
				return true, nil
			}
		})},
		{name: "a goroutine waits for the end of each context", fails: "calls-leave-no-goroutines", make: adding(func(_ *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				go func() { <-ctx.Done() }()
				return add(ctx, key, ttl)
			}
		})},
		{name: "a full store stays full", fails: "full-store-takes-keys-again-after-their-ttl", make: adding(func(a *altered, add addFunc) addFunc {
			var added atomic.Int64
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				if _, there := a.record(key); !there && added.Load() > 2900 {
					return false, errRefused
				}
				ok, err := add(ctx, key, ttl)
				if ok && ttl > 0 {
					added.Add(1)
				}
				return ok, err
			}
		})},
		{name: "a ttl is truncated to whole seconds", fails: "key-stays-between-two-steps", make: positive(func(ttl time.Duration) time.Duration {
			if ttl > resolution {
				return ttl.Truncate(resolution)
			}
			return ttl
		})},
		{name: "a sweep takes keys after a third of their ttl", fails: "key-stays-under-traffic", make: func(a *altered) {
			var adds atomic.Int64
			var mu sync.Mutex
			halves := make(map[string]time.Time)
			after(func(a *altered, key string, ttl time.Duration, _ time.Time, _, _, added bool) {
				mu.Lock()
				defer mu.Unlock()
				if added && ttl > 0 {
					halves[a.path(key)] = a.clock.Now().Add(ttl / 3)
				}
				if adds.Add(1)%50 != 0 {
					return
				}
				a.mu.Lock()
				defer a.mu.Unlock()
				for path, half := range halves {
					if !a.clock.Now().Before(half) {
						delete(a.records, path)
						delete(halves, path)
					}
				}
			})(a)
		}},
		{name: "a repeated Add with a shorter ttl shortens", fails: "repeated-adds-do-not-shorten-the-ttl", make: after(func(a *altered, key string, ttl time.Duration, old time.Time, _, live, _ bool) {
			if until := a.until(ttl); live && ttl > 0 && until.Before(old) {
				a.setRecord(key, until)
			}
		})},
		{name: "a repeated Add with the same ttl starts it anew", fails: "repeated-adds-with-any-ttl-do-not-extend-it", make: after(func(a *altered, key string, ttl time.Duration, _ time.Time, _, live, added bool) {
			if added {
				lives.Store(a.path(key), ttl)
			} else if first, ok := lives.Load(a.path(key)); ok && live && first == ttl {
				a.setRecord(key, a.until(ttl))
			}
		})},
		{name: "the second life of a key is half as long", fails: "second-life-has-its-full-ttl", make: after(func(a *altered, key string, ttl time.Duration, _ time.Time, there, live, added bool) {
			if added && there && !live && ttl > 0 && ttl < time.Hour {
				a.setRecord(key, a.until(ttl/2))
			}
		})},
		{name: "the second life of a key does not end", fails: "second-life-ends-too", make: after(func(a *altered, key string, ttl time.Duration, _ time.Time, there, live, added bool) {
			if added && there && !live && ttl > 0 {
				a.setRecord(key, a.until(forEver))
			}
		})},
		{name: "a key lives as long as the one before it", fails: "each-key-has-a-ttl-of-its-own", make: func(a *altered) {
			var mu sync.Mutex
			var last time.Time
			after(func(a *altered, key string, ttl time.Duration, _ time.Time, there, _, added bool) {
				mu.Lock()
				defer mu.Unlock()
				if !added || ttl <= 0 {
					return
				}
				until := a.until(ttl)
				if !there && ttl < 5*time.Minute && ttl > 10*time.Second && last.Sub(until) > 30*time.Minute {
					a.setRecord(key, last)
				}
				last = until
			})(a)
		}},
		{name: "a negative ttl removes the key", fails: "zero-ttl-leaves-the-ttl-of-a-live-key", make: after(func(a *altered, key string, ttl time.Duration, _ time.Time, _, live, _ bool) {
			if live && ttl < 0 {
				a.forget(key)
			}
		})},
		{name: "ttls below two hours are microseconds of 32 bits", fails: "ttl-fits-no-small-integer", make: positive(microseconds)},
		{name: "the longest ttls are kept for a day", fails: "longest-ttl-lasts", make: positive(aDayOfTheLongest)},
		{name: "what has ended is kept", fails: "ended-keys-give-their-room-back", make: func(a *altered) { a.size = func() int64 { return a.kept() } }},
		{name: "keys are hashed by CRC-32", fails: "keys-of-equal-weak-hashes-differ", make: rekeyed(func(key string) string { return fmt.Sprint("crc:", crc32.ChecksumIEEE([]byte(key))) })},
		{name: "keys end at a number sign", fails: "keys-of-equal-beginnings-or-ends-differ", make: rekeyed(func(key string) string {
			before, _, _ := strings.Cut(key, "#")
			return before
		})},
		{name: "the stored name of a long key is a key like others", fails: "stored-keys-are-keys-like-others", make: storedAs(func(key string) string { return fmt.Sprintf("long-%x", sha256.Sum224([]byte(key))) })},
	}
}

// failing changes the errors of Add.
func failing(f func(a *altered, ctx context.Context, before error, key string, err error) error) func(a *altered) {
	return adding(func(a *altered, add addFunc) addFunc {
		return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			before := ctx.Err()
			added, err := add(ctx, key, ttl)
			if err != nil {
				err = f(a, ctx, before, key, err)
			}
			return added, err
		}
	})
}

// givingUp refuses all when there were many errors of a kind.
func givingUp(kind error) func(a *altered) {
	return adding(func(_ *altered, add addFunc) addFunc {
		var errs streak
		return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			if errs.n.Load() >= 44 && ctx.Err() == nil {
				return false, errTimeout
			}
			added, err := add(ctx, key, ttl)
			if ctx.Err() == nil || errors.Is(kind, context.DeadlineExceeded) {
				errs.note(err, kind)
			}
			return added, err
		}
	})
}

// replayContextDefects are of Adds that wait or fail, and of what comes then.
func replayContextDefects() []replayDefect {
	unknown := func(kind error) func(a *altered) {
		return adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				dead := ctx.Err() != nil
				added, err := add(ctx, key, ttl)
				if !dead && errors.Is(err, kind) && ttl > 0 {
					a.setRecord(key, a.clock.Now().Add(forEver))
				}
				return added, err
			}
		})
	}
	return []replayDefect{
		{name: "a done context is a full quota", fails: "a-done-context-is-no-quota", make: failing(func(_ *altered, _ context.Context, before error, _ string, err error) error {
			if before != nil {
				return errors.Join(err, &quotaError{})
			}
			return err
		})},
		{name: "Add knows deadlines alone", fails: "add-is-canceled-while-the-backend-hangs", make: adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				a.withoutEnd(ctx)
				return add(ctx, key, ttl)
			}
		})},
		{name: "Add holds a lock while it asks", fails: "a-hanging-add-holds-up-no-other", make: adding(func(_ *altered, add addFunc) addFunc {
			var mu sync.Mutex
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				return add(ctx, key, ttl)
			}
		})},
		{name: "each Add is a goroutine that outlives its context", fails: "adds-in-flight-are-bounded", make: addsOf(100_000, false)},
		{name: "Adds beyond the bound wait for a place", fails: "adds-beyond-the-bound-fail-at-once", make: addsOf(64, true)},
		{name: "the error of a time-out shows the key", fails: "a-time-out-is-an-error-of-its-own", make: failing(func(a *altered, _ context.Context, before error, key string, err error) error {
			if before == nil && a.isHanging() {
				return fmt.Errorf("SET %q: %w", key, err)
			}
			return err
		})},
		{name: "a time-out is a full quota", fails: "a-time-out-is-an-error-of-its-own", make: failing(func(a *altered, _ context.Context, before error, _ string, err error) error {
			if before == nil && a.isHanging() {
				return errors.Join(err, &quotaError{})
			}
			return err
		})},
		{name: "an outage is a full quota", fails: "an-outage-is-no-quota", make: failing(func(_ *altered, _ context.Context, _ error, _ string, err error) error {
			if errors.Is(err, errDown) {
				return &quotaError{}
			}
			return err
		})},
		{name: "after many errors, Add has given up", fails: "add-works-after-an-outage", make: givingUp(errDown)},
		{name: "after many time-outs, Add has given up", fails: "add-works-after-a-hang", make: givingUp(context.DeadlineExceeded)},
		{name: "a key of an outage is remembered for ever", fails: "a-key-of-an-outage-is-free-after-its-ttl", make: unknown(errDown)},
		{name: "a key of a time-out is remembered for ever", fails: "a-key-of-a-time-out-is-free-after-its-ttl", make: unknown(context.DeadlineExceeded)},
		{name: "an outage empties the store", fails: "an-outage-forgets-no-key", make: failing(func(a *altered, _ context.Context, _ error, _ string, err error) error {
			if errors.Is(err, errDown) {
				a.mu.Lock()
				defer a.mu.Unlock()
				for path := range a.records {
					if strings.HasPrefix(path, a.path("")) {
						delete(a.records, path)
					}
				}
			}
			return err
		})},
		{name: "a time-out leaves a goroutine for a while", fails: "hanging-adds-leave-no-goroutines", make: failing(func(a *altered, _ context.Context, before error, _ string, err error) error {
			if before == nil && a.isHanging() {
				go func() { time.Sleep(20 * time.Second) }()
			}
			return err
		})},
	}
}

// addsOf is Add on goroutines that do not know their contexts.
func addsOf(most int, queue bool) func(a *altered) {
	return adding(func(_ *altered, add addFunc) addFunc {
		var ttls sync.Map
		call := unwatched(func(ctx context.Context, key string) ([]byte, bool, error) {
			ttl, _ := ttls.Load(key)
			added, err := add(ctx, key, ttl.(time.Duration))
			return nil, added, err
		}, most, queue)
		return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			ttls.Store(key, ttl)
			_, added, err := call(ctx, key)
			return added, err
		}
	})
}
