package conformance_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type (
	getFunc = func(ctx context.Context, key string) ([]byte, bool, error)
	setFunc = func(ctx context.Context, key string, value []byte, ttl time.Duration) error
	delFunc = func(ctx context.Context, key string) error
)

// getting, setting, deleting and clearing replace one method.
func getting(f func(a *altered, get getFunc) getFunc) func(a *altered) {
	return func(a *altered) { a.get = f(a, a.get) }
}

func setting(f func(a *altered, set setFunc) setFunc) func(a *altered) {
	return func(a *altered) { a.set = f(a, a.set) }
}

func deleting(f func(a *altered, remove delFunc) delFunc) func(a *altered) {
	return func(a *altered) { a.delete = f(a, a.delete) }
}

func clearing(f func(a *altered, wipe func(context.Context) error) func(context.Context) error) func(a *altered) {
	return func(a *altered) { a.clear = f(a, a.clear) }
}

// dropped makes Set forget some writes without a word.
func dropped(which func(a *altered, key string, value []byte, ttl time.Duration) bool) func(a *altered) {
	return setting(func(a *altered, set setFunc) setFunc {
		return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if which(a, key, value, ttl) {
				return a.begin(ctx)
			}
			return set(ctx, key, value, ttl)
		}
	})
}

// tally counts by key.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) add(key string, n int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = make(map[string]int)
	}
	t.n[key] += n
	return t.n[key]
}

func (t *tally) reset(key string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.n[key]
	delete(t.n, key)
	return n
}

// liveEntry returns a copy of what is there and has not expired.
func (a *altered) liveEntry(key string) (found entry, ok bool) {
	a.look(key, func(e *entry) {
		if e != nil && a.live(e) {
			found, ok = entry{slices.Clone(e.value), e.expires}, true
		}
	})
	return found, ok
}

// ends changes the end of an entry after a Set.
func ends(f func(a *altered, key string, old entry, had bool, e *entry, ttl time.Duration)) func(a *altered) {
	return setting(func(a *altered, set setFunc) setFunc {
		return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			old, had := a.liveEntry(key)
			err := set(ctx, key, value, ttl)
			if err == nil && ttl > 0 {
				a.look(key, func(e *entry) {
					if e != nil {
						f(a, key, old, had, e, ttl)
					}
				})
			}
			return err
		}
	})
}

// lifeDefects are of what comes after the first Set.
func lifeDefects() []cacheDefect {
	equal := func(later bool) func(a *altered) {
		return ends(func(a *altered, _ string, old entry, had bool, e *entry, _ time.Duration) {
			if had && bytes.Equal(old.value, e.value) && old.expires.After(e.expires) == later {
				e.expires = old.expires
			}
		})
	}
	// graves remember the end of an entry that was removed.
	graves := func(end func(old, new time.Time) time.Time) func(a *altered) {
		return func(a *altered) {
			var mu sync.Mutex
			old := make(map[string]time.Time)
			set, remove := a.set, a.delete
			a.delete = func(ctx context.Context, key string) error {
				if e, ok := a.liveEntry(key); ok {
					mu.Lock()
					old[key] = e.expires
					mu.Unlock()
				}
				return remove(ctx, key)
			}
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				err := set(ctx, key, value, ttl)
				mu.Lock()
				grave, ok := old[key]
				delete(old, key)
				mu.Unlock()
				if ok && err == nil {
					a.look(key, func(e *entry) {
						if e != nil {
							e.expires = end(grave, e.expires)
						}
					})
				}
				return err
			}
		}
	}
	return []cacheDefect{
		{name: "Set writes nothing", fails: "get-finds-what-was-set", make: dropped(func(*altered, string, []byte, time.Duration) bool { return true })},
		{name: "an empty value over another one is ignored", fails: "empty-value-replaces-and-is-replaced", make: dropped(func(a *altered, key string, value []byte, _ time.Duration) bool {
			e, ok := a.liveEntry(key)
			return ok && len(e.value) > 0 && len(value) == 0
		})},
		{name: "Delete does not find what is stored in chunks", fails: "delete-removes-entries-of-any-kind", make: deleting(func(a *altered, remove delFunc) delFunc {
			return func(ctx context.Context, key string) error {
				if e, _ := a.liveEntry(key); len(e.value) > 64<<10 && len(e.value) < 400<<10 {
					return a.begin(ctx)
				}
				return remove(ctx, key)
			}
		})},
		{name: "a key takes 80 writes, and no more", fails: "writes-are-read-in-their-order", make: func(a *altered) {
			var writes tally
			dropped(func(_ *altered, key string, _ []byte, _ time.Duration) bool { return writes.add(key, 1) > 80 })(a)
		}},
		{name: "a buffered write lands after a Delete", fails: "writes-do-not-land-later", make: func(a *altered) {
			var writes tally
			set, remove := a.set, a.delete
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				writes.add(key, 1)
				return set(ctx, key, value, ttl)
			}
			a.delete = func(ctx context.Context, key string) error {
				n := writes.reset(key)
				err := remove(ctx, key)
				if n >= 20 && err == nil {
					time.AfterFunc(5*time.Millisecond, func() {
						_ = a.reference.Set(context.Background(), key, []byte("value"), time.Hour)
					})
				}
				return err
			}
		}},
		{name: "a ttl is truncated to whole seconds", fails: "ttl-between-two-steps-is-rounded-up", make: positive(func(ttl time.Duration) time.Duration {
			if ttl > resolution {
				return ttl.Truncate(resolution)
			}
			return ttl
		})},
		{name: "an entry is there at the very end of its ttl", fails: "entry-is-gone-exactly-at-its-end", exact: true, make: getting(func(a *altered, get getFunc) getFunc {
			return func(ctx context.Context, key string) (value []byte, ok bool, err error) {
				a.look(key, func(e *entry) {
					if e != nil && e.expires.Equal(a.clock.Now()) {
						value, ok = slices.Clone(e.value), true
					}
				})
				if err := a.begin(ctx); ok || err != nil {
					return value, ok && err == nil, err
				}
				return get(ctx, key)
			}
		})},
		{name: "large values are kept without an expiry", fails: "entries-of-any-kind-expire", make: ends(func(a *altered, _ string, _ entry, _ bool, e *entry, ttl time.Duration) {
			if len(e.value) > 64<<10 {
				e.expires = a.clock.Now().Add(forEver)
			}
		})},
		{name: "a sweep that is full lets entries live", fails: "each-entry-has-a-ttl-of-its-own", make: getting(func(a *altered, get getFunc) getFunc {
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if ok || err != nil {
					return value, ok, err
				}
				a.mu.Lock()
				defer a.mu.Unlock()
				live := 0
				for path, e := range a.entries {
					if strings.HasPrefix(path, a.path("")) && a.live(e) {
						live++
					}
				}
				if e := a.entries[a.path(key)]; e != nil && live > 15 {
					return slices.Clone(e.value), true, nil
				}
				return nil, false, nil
			}
		})},
		{name: "the bytes of an expired entry come with the miss", fails: "expired-miss-has-a-nil-value", make: getting(func(a *altered, get getFunc) getFunc {
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if !ok && err == nil {
					a.look(key, func(e *entry) {
						if e != nil {
							value = slices.Clone(e.value)
						}
					})
				}
				return value, ok, err
			}
		})},
		{name: "Delete of an expired entry is not found", fails: "delete-of-an-expired-key-is-nil", make: deleting(func(a *altered, remove delFunc) delFunc {
			return func(ctx context.Context, key string) error {
				expired := false
				a.look(key, func(e *entry) { expired = e != nil && !a.live(e) })
				if err := remove(ctx, key); err != nil || !expired {
					return err
				}
				return errNotFound
			}
		})},
		{name: "an equal value is not written, and its shorter ttl neither", fails: "set-of-an-equal-value-shortens-the-ttl", make: equal(true)},
		{name: "an equal value is not written, and its longer ttl neither", fails: "set-of-an-equal-value-extends-the-ttl", make: equal(false)},
		{name: "the timer of a deleted entry ends its successor", fails: "second-life-outlasts-the-first-ttl", make: graves(func(old, new time.Time) time.Time {
			if old.Before(new) {
				return old
			}
			return new
		})},
		{name: "the long ttl of a deleted entry is that of its successor", fails: "second-life-ends-at-its-own-ttl", make: graves(func(old, new time.Time) time.Time {
			if old.Sub(new) > 100*time.Hour {
				return old
			}
			return new
		})},
		{name: "many misses in a row flush all", fails: "calls-on-others-do-not-end-an-entry", make: getting(func(a *altered, get getFunc) getFunc {
			var misses atomic.Int64
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				switch {
				case ok:
					misses.Store(0)
				case err == nil && misses.Add(1)%100 == 0:
					a.deleteIf(func(path string) bool { return strings.HasPrefix(path, a.path("")) })
				}
				return value, ok, err
			}
		})},
		{name: "ttls below two hours are microseconds of 32 bits", fails: "ttl-fits-no-small-integer", make: positive(microseconds)},
		{name: "the longest ttls are kept for a day", fails: "longest-ttl-lasts", make: positive(aDayOfTheLongest)},
		{name: "what has expired is kept", fails: "expired-entries-give-their-room-back", make: func(a *altered) { a.size = func() int64 { return a.kept() } }},
	}
}

// kept counts without a sweep.
func (r *reference) kept() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.entries) + len(r.records))
}

func microseconds(ttl time.Duration) time.Duration {
	if ttl >= 2*time.Hour {
		return ttl
	}
	return max(time.Duration(uint32((ttl+time.Microsecond-1)/time.Microsecond))*time.Microsecond, 1)
}

func aDayOfTheLongest(ttl time.Duration) time.Duration {
	if ttl > 90*365*24*time.Hour {
		return 24 * time.Hour
	}
	return ttl
}

// sliceDefects are of bytes that two parties have, and of sizes.
func sliceDefects() []cacheDefect {
	retains := func(over bool) func(a *altered) {
		return setting(func(a *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				_, had := a.liveEntry(key)
				err := set(ctx, key, value, ttl)
				a.look(key, func(e *entry) {
					if e != nil && err == nil && had == over {
						e.value = value
					}
				})
				return err
			}
		})
	}
	return []cacheDefect{
		{name: "Set keeps the slice of a new entry", fails: "set-does-not-retain-the-slice", make: retains(false)},
		{name: "Set keeps the slice of an overwritten entry", fails: "overwriting-does-not-retain-the-slice", make: retains(true)},
		{name: "Set masks the caller's slice", fails: "set-does-not-change-the-slice", make: setting(func(_ *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				err := set(ctx, key, value, ttl)
				for i := range value {
					value[i] ^= 0x5a
				}
				return err
			}
		})},
		{name: "beside others, the end of a value is from elsewhere", fails: "concurrent-calls-do-not-change-what-get-returned", make: getting(func(_ *altered, get getFunc) getFunc {
			var flying atomic.Int64
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				defer flying.Add(-1)
				n := flying.Add(1)
				value, ok, err := get(ctx, key)
				if len(value) > 65_000 && len(value) < 90_000 {
					yield()
					if max(n, flying.Load()) > 1 {
						value[len(value)-1] ^= 1
					}
				}
				return value, ok, err
			}
		})},
		{name: "one byte over a large value is ignored", fails: "overwriting-works-at-every-size", make: dropped(func(a *altered, key string, value []byte, _ time.Duration) bool {
			e, ok := a.liveEntry(key)
			return ok && len(value) == 1 && len(e.value) > 100_000
		})},
		{name: "a key and its value share one limit", fails: "longest-key-with-the-largest-value", make: setting(func(_ *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if len(key)+len(value) > 560<<10 && len(value) <= 512<<10 {
					return errRefused
				}
				return set(ctx, key, value, ttl)
			}
		})},
		{name: "keys of one byte cannot be deleted", fails: "keys-of-one-byte", make: unreachable(func(key string) bool { return len(key) == 1 })},
		{name: "keys are hashed by CRC-32", fails: "keys-of-equal-weak-hashes-differ", make: rekeyed(func(key string) string { return fmt.Sprint("crc:", crc32.ChecksumIEEE([]byte(key))) })},
		{name: "keys end at a number sign", fails: "keys-of-equal-beginnings-or-ends-differ", make: rekeyed(func(key string) string {
			before, _, _ := strings.Cut(key, "#")
			return before
		})},
		{name: "the stored name of a long key is a key like others", fails: "stored-keys-are-keys-like-others", make: storedAs(func(key string) string { return fmt.Sprintf("long-%x", sha256.Sum224([]byte(key))) })},
	}
}

// storedAs renames long keys, and says so.
func storedAs(name func(key string) string) func(a *altered) {
	return func(a *altered) {
		a.stored = func(key string) string {
			if len(key) <= 250 {
				return key
			}
			return name(key)
		}
		a.keyed(a.stored)
	}
}

// togetherDefects are of calls beside each other.
func togetherDefects() []cacheDefect {
	return []cacheDefect{
		{name: "large values are written in two halves", fails: "concurrent-values-are-not-torn", make: setting(func(a *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				old, _ := a.liveEntry(key)
				if half := len(value) / 2; ttl > 0 && len(value) > 100_000 && len(old.value) > half && len(value) < 512<<10-1 && ctx.Err() == nil && !a.isDown() && !a.isHanging() {
					_ = a.reference.Set(ctx, key, slices.Concat(value[:half], old.value[half:]), ttl)
					time.Sleep(4 * time.Millisecond)
				}
				return set(ctx, key, value, ttl)
			}
		})},
		{name: "beyond 20 at once, Set writes nothing", fails: "concurrent-calls-keep-to-a-model", make: setting(func(a *altered, set setFunc) setFunc {
			var flying atomic.Int64
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				defer flying.Add(-1)
				n := flying.Add(1)
				time.Sleep(20 * time.Microsecond) // lets others in
				if n > 20 && a.begin(ctx) == nil {
					return nil
				}
				return set(ctx, key, value, ttl)
			}
		})},
		{name: "a Delete that met a Set makes the next one do nothing", fails: "concurrent-deletes-and-sets", make: func(a *altered) {
			var setting, met tally
			set, remove := a.set, a.delete
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				setting.add(key, 1)
				defer setting.add(key, -1)
				yield()
				return set(ctx, key, value, ttl)
			}
			a.delete = func(ctx context.Context, key string) error {
				if setting.add(key, 0) > 0 {
					met.add(key, 1)
				} else if met.reset(key) > 0 {
					return a.begin(ctx)
				}
				return remove(ctx, key)
			}
		}},
		{name: "the fifth value of a key has no ttl", fails: "random-calls-keep-to-a-model", make: func(a *altered) {
			var writes tally
			ends(func(a *altered, key string, _ entry, _ bool, e *entry, _ time.Duration) {
				if writes.add(key, 1) > 4 {
					e.expires = a.clock.Now().Add(forEver)
				}
			})(a)
		}},
		{name: "a goroutine waits for the end of each context", fails: "calls-leave-no-goroutines", make: setting(func(_ *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				go func() { <-ctx.Done() }()
				return set(ctx, key, value, ttl)
			}
		})},
	}
}

// near keeps what others wrote and this cache has read twice, and serves it
// although it was changed in one way.
func near(change string) func(a *altered) {
	return func(a *altered) {
		type kept struct {
			value   []byte
			expires time.Time
			reads   int
		}
		var mu sync.Mutex
		own, known := make(map[string]bool), make(map[string]*kept)
		get, set, remove := a.get, a.set, a.delete
		a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			mu.Lock()
			own[key] = true
			mu.Unlock()
			err := set(ctx, key, value, ttl)
			if ttl <= 0 && err == nil {
				a.removed(key, "zero")
			} else if err == nil {
				a.removed(key, "")
			}
			return err
		}
		a.delete = func(ctx context.Context, key string) error {
			err := remove(ctx, key)
			if err == nil {
				a.removed(key, "delete")
			}
			return err
		}
		a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			value, ok, err := get(ctx, key)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || own[key] {
				return value, ok, err
			}
			k := known[key]
			if ok && k == nil {
				e, _ := a.liveEntry(key)
				known[key] = &kept{value: slices.Clone(value), expires: e.expires}
				return value, ok, nil
			}
			if k == nil {
				return value, ok, nil
			}
			expired := !a.clock.Now().Before(k.expires)
			serve := ok && change == "write" || !ok && !expired && change != "" && a.wasRemoved(key) == change || !ok && expired && change == "end"
			if serve {
				return slices.Clone(k.value), true, nil
			}
			return value, ok, nil
		}
	}
}

// removals are how keys were removed last.
func (a *altered) removed(key, how string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.removals == nil {
		a.removals = make(map[string]string)
	}
	a.removals[a.path(key)] = how
}

func (a *altered) wasRemoved(key string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if how, ok := a.removals[a.path(key)]; ok && how != "" {
		return how
	}
	return "clear"
}

func peerDefects() []cacheDefect {
	return []cacheDefect{
		{name: "a near cache does not notice writes", fails: "peers-see-writes", make: near("write")},
		{name: "a near cache does not notice a Delete", fails: "peers-see-deletes", make: near("delete")},
		{name: "a near cache does not notice a ttl of zero", fails: "peers-see-a-ttl-of-zero", make: near("zero")},
		{name: "a near cache does not notice the end of a ttl", fails: "peers-see-the-end-of-a-ttl", make: near("end")},
		{name: "a near cache does not notice a Clear", fails: "peers-see-a-clear", make: near("clear")},
	}
}

// withoutEnd makes calls wait for the backend when their context has no
// deadline.
func (a *altered) withoutEnd(ctx context.Context) {
	if _, ok := ctx.Deadline(); !ok && ctx.Err() == nil {
		a.wait()
	}
}

// unwatched is a call on a goroutine of its own that does not know its context.
// At most so many are in flight; with queue, the excess waits.
func unwatched(get getFunc, most int, queue bool) getFunc {
	type answer struct {
		value []byte
		ok    bool
		err   error
	}
	slots := make(chan struct{}, most)
	return func(ctx context.Context, key string) ([]byte, bool, error) {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		select {
		case slots <- struct{}{}:
		default:
			if !queue {
				return nil, false, errRefused
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil, false, ctx.Err()
			}
		}
		answers := make(chan answer, 1)
		go func() {
			defer func() { <-slots }()
			var got answer
			got.value, got.ok, got.err = get(context.WithoutCancel(ctx), key)
			answers <- got
		}()
		select {
		case got := <-answers:
			return got.value, got.ok, got.err
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// contextDefects are of calls that wait, and of what is left of them.
func contextDefects() []cacheDefect {
	return []cacheDefect{
		{name: "a call that was given up breaks the connection", fails: "a-done-context-harms-no-later-call", make: func(a *altered) {
			var broken atomic.Bool
			get, set := a.get, a.set
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				if ctx.Err() != nil {
					broken.Store(true)
				}
				return get(ctx, key)
			}
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if ctx.Err() == nil && broken.Swap(false) {
					return errTimeout
				}
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "Get knows deadlines alone", fails: "get-is-canceled-while-the-backend-hangs", make: getting(func(a *altered, get getFunc) getFunc {
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				a.withoutEnd(ctx)
				return get(ctx, key)
			}
		})},
		{name: "Set knows deadlines alone", fails: "set-is-canceled-while-the-backend-hangs", make: setting(func(a *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				a.withoutEnd(ctx)
				return set(ctx, key, value, ttl)
			}
		})},
		{name: "Delete knows deadlines alone", fails: "delete-is-canceled-while-the-backend-hangs", make: deleting(func(a *altered, remove delFunc) delFunc {
			return func(ctx context.Context, key string) error {
				a.withoutEnd(ctx)
				return remove(ctx, key)
			}
		})},
		{name: "Clear knows deadlines alone", fails: "clear-is-canceled-while-the-backend-hangs", make: clearing(func(a *altered, wipe func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				a.withoutEnd(ctx)
				return wipe(ctx)
			}
		})},
		{name: "Get holds a lock while it asks", fails: "a-hanging-call-holds-up-no-other", make: getting(func(_ *altered, get getFunc) getFunc {
			var mu sync.Mutex
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				mu.Lock()
				defer mu.Unlock()
				return get(ctx, key)
			}
		})},
		{name: "Clear holds the lock of Set while it asks", fails: "a-hanging-clear-holds-up-no-other-call", make: func(a *altered) {
			var mu sync.RWMutex
			set, wipe := a.set, a.clear
			a.clear = func(ctx context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				return wipe(ctx)
			}
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				mu.RLock()
				mu.RUnlock()
				return set(ctx, key, value, ttl)
			}
		}},
		{name: "calls beyond the bound wait for a place", fails: "calls-beyond-the-bound-fail-at-once", make: getting(func(_ *altered, get getFunc) getFunc {
			return unwatched(get, 64, true)
		})},
		{name: "calls that were given up keep 1024 places, and who finds none waits", fails: "calls-in-flight-are-bounded", make: getting(func(a *altered, get getFunc) getFunc {
			var taken atomic.Int64
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				if ctx.Err() == nil && a.isHanging() && taken.Add(1) > 1024 {
					a.wait()
				}
				return get(ctx, key)
			}
		})},
		{name: "the error of a time-out shows the command", fails: "errors-of-time-outs-do-not-show-the-value", make: setting(func(a *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				err := set(ctx, key, value, ttl)
				if err != nil && a.isHanging() {
					err = fmt.Errorf("SET %q %.24q: %w", key, value, err)
				}
				return err
			}
		})},
		{name: "a time-out leaves a goroutine for ever", fails: "hanging-calls-leave-no-goroutines", make: setting(func(a *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				err := set(ctx, key, value, ttl)
				if err != nil && a.isHanging() {
					go func() { time.Sleep(20 * time.Second) }()
				}
				return err
			}
		})},
	}
}

// streak counts errors of a kind in a row.
type streak struct{ n atomic.Int64 }

func (s *streak) note(err, kind error) int64 {
	if errors.Is(err, kind) {
		return s.n.Add(1)
	}
	return s.n.Load()
}

func recoveryDefects() []cacheDefect {
	return []cacheDefect{
		{name: "after 30 errors in a row, Get says miss", fails: "a-long-outage-stays-an-error", make: getting(func(_ *altered, get getFunc) getFunc {
			var errs streak
			return func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if errs.note(err, errDown) > 30 && errors.Is(err, errDown) {
					return nil, false, nil
				}
				if err == nil {
					errs.n.Store(0)
				}
				return value, ok, err
			}
		})},
		{name: "after 50 errors, Set has given up", fails: "every-method-works-after-an-outage", make: setting(func(_ *altered, set setFunc) setFunc {
			var errs streak
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if errs.n.Load() > 50 {
					return errRefused
				}
				err := set(ctx, key, value, ttl)
				errs.note(err, errDown)
				return err
			}
		})},
		{name: "a Set that failed has written a half", fails: "an-outage-leaves-no-other-values", make: setting(func(a *altered, set setFunc) setFunc {
			return func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				err := set(ctx, key, value, ttl)
				if errors.Is(err, errDown) {
					a.look(key, func(e *entry) {
						if e != nil {
							e.value = slices.Clone(value[:len(value)/2])
						}
					})
				}
				return err
			}
		})},
		{name: "after 50 time-outs, Delete has given up", fails: "every-method-works-after-a-hang", make: deleting(func(_ *altered, remove delFunc) delFunc {
			var errs streak
			return func(ctx context.Context, key string) error {
				if errs.n.Load() > 50 && ctx.Err() == nil {
					return errTimeout
				}
				err := remove(ctx, key)
				errs.note(err, context.DeadlineExceeded)
				return err
			}
		})},
	}
}

// moreClearDefects are of what Clear takes, and of when.
func moreClearDefects() []cacheDefect {
	takes := func(gone func(a *altered, path string, value []byte) bool) func(a *altered) {
		return clearing(func(a *altered, _ func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				if err := a.begin(ctx); err != nil {
					return err
				}
				a.mu.Lock()
				defer a.mu.Unlock()
				for path, e := range a.entries {
					if gone(a, path, e.value) {
						delete(a.entries, path)
					}
				}
				return nil
			}
		})
	}
	own := func(a *altered, path string) bool { return strings.HasPrefix(path, a.path("")) }
	return []cacheDefect{
		{name: "Clear does not find large values", fails: "clear-removes-values-of-any-size", make: takes(func(a *altered, path string, value []byte) bool {
			return own(a, path) && len(value) < 256<<10
		})},
		{name: "Clear goes on in the background", fails: "clear-is-over-when-it-returns", make: clearing(func(a *altered, wipe func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				err := wipe(ctx)
				if err == nil {
					time.AfterFunc(20*time.Millisecond, func() { _ = a.reference.Clear(context.Background()) })
				}
				return err
			}
		})},
		{name: "the prefix has no end", fails: "clear-spares-neighbours-of-its-prefix", make: takes(func(a *altered, path string, _ []byte) bool {
			return strings.HasPrefix(path, a.namespace)
		})},
		{name: "the prefix is compared without case", fails: "clear-spares-neighbours-of-its-prefix", make: takes(func(a *altered, path string, _ []byte) bool {
			return strings.HasPrefix(strings.ToLower(path), strings.ToLower(a.path("")))
		})},
		{name: "the prefix is looked for in the middle of keys", fails: "clear-spares-its-prefix-in-other-keys", make: takes(func(a *altered, path string, _ []byte) bool {
			return own(a, path) || strings.Contains(path, "/"+a.namespace)
		})},
		{name: "a prefix with a percent sign is escaped twice", fails: "clear-removes-all-under-a-prefix-like-a-pattern", make: takes(func(a *altered, path string, _ []byte) bool {
			return own(a, path) && !strings.Contains(a.namespace, "%")
		})},
		{name: "Clear beside a Set is refused", fails: "clear-beside-other-calls", make: func(a *altered) {
			var flying atomic.Int64
			set, wipe := a.set, a.clear
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				flying.Add(1)
				defer flying.Add(-1)
				yield()
				return set(ctx, key, value, ttl)
			}
			a.clear = func(ctx context.Context) error {
				for range 20 {
					if flying.Load() > 0 {
						return errRefused
					}
					yield()
				}
				return wipe(ctx)
			}
		}},
		{name: "Clear removes what this process wrote", fails: "clear-removes-what-peers-wrote", make: func(a *altered) {
			var wrote tombstones
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				wrote.add(a.path(key))
				return set(ctx, key, value, ttl)
			}
			takes(func(a *altered, path string, _ []byte) bool { return wrote.has(path) })(a)
		}},
		{name: "a Clear that failed is not tried again", fails: "clear-works-after-an-outage", make: clearing(func(a *altered, wipe func(context.Context) error) func(context.Context) error {
			var failed atomic.Bool
			return func(ctx context.Context) error {
				if failed.Load() && !a.isDown() && ctx.Err() == nil {
					return nil
				}
				err := wipe(ctx)
				if errors.Is(err, errDown) {
					failed.Store(true)
				}
				return err
			}
		})},
	}
}
