package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
)

type (
	revokeFunc  = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error
	revokedFunc = func(ctx context.Context, keys []string) ([]time.Time, error)
)

// revoking and answeringTimes put a mistake around a method.
func revoking(f func(r *revocations, revoke revokeFunc) revokeFunc) func(*revocations) {
	return func(r *revocations) { r.revoke = f(r, r.revoke) }
}

func answeringTimes(f func(r *revocations, revoked revokedFunc) revokedFunc) func(*revocations) {
	return func(r *revocations) { r.revoked = f(r, r.revoked) }
}

// renaming stores keys under other names.
func renaming(f func(key string) string) func(*revocations) {
	return func(r *revocations) {
		revoking(func(_ *revocations, revoke revokeFunc) revokeFunc {
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return revoke(ctx, f(key), at, ttl)
			}
		})(r)
		answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				names := make([]string, len(keys))
				for i, key := range keys {
					names[i] = f(key)
				}
				return revoked(ctx, names)
			}
		})(r)
	}
}

// retimed changes times, and relived ttls.
func retimed(f func(at time.Time) time.Time) func(*revocations) {
	return revoking(func(_ *revocations, revoke revokeFunc) revokeFunc {
		return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
			return revoke(ctx, key, f(at), ttl)
		}
	})
}

func relived(f func(r *revocations, ttl time.Duration) time.Duration) func(*revocations) {
	return revoking(func(r *revocations, revoke revokeFunc) revokeFunc {
		return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
			return revoke(ctx, key, at, f(r, ttl))
		}
	})
}

func allRevocationDefects() []defect[func(*revocations)] {
	return withManners(append(revocationDefects(), moreRevocationDefects()...), "hanging-backend-ends-with-the-context", func(ill illMannered) func(*revocations) {
		return func(r *revocations) {
			around := ill(&r.outage)
			revoke, revoked := r.revoke, r.revoked
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return around(ctx, func(ctx context.Context) error { return revoke(ctx, key, at, ttl) })
			}
			r.revoked = func(ctx context.Context, keys []string) (times []time.Time, err error) {
				err = around(ctx, func(ctx context.Context) error {
					times, err = revoked(ctx, keys)
					return err
				})
				return times, err
			}
		}
	})
}

func moreRevocationDefects() []defect[func(*revocations)] {
	return []defect[func(*revocations)]{
		{name: "keys are compared without case", fails: "keys-that-look-alike-differ", make: renaming(strings.ToLower)},
		{name: "keys are trimmed", fails: "keys-that-look-alike-differ", make: renaming(strings.TrimSpace)},
		{name: "keys are cut to 250 octets", fails: "long-keys-that-differ", make: renaming(func(key string) string { return key[:min(len(key), 250)] })},
		{name: "keys are kept as CRC-32", fails: "keys-of-equal-weak-hashes-differ", make: renaming(func(key string) string {
			return fmt.Sprint(crc32.ChecksumIEEE([]byte(key)))
		})},
		{name: "keys are kept as FNV-1a of 32 bits", fails: "keys-of-equal-weak-hashes-differ", make: renaming(func(key string) string {
			h := fnv.New32a()
			_, _ = h.Write([]byte(key))
			return fmt.Sprint(h.Sum32())
		})},
		{name: "the first 100 keys are looked up", fails: "many-keys-are-answered-at-once", make: answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := revoked(ctx, keys)
				if len(times) > 100 {
					clear(times[100:])
				}
				return times, err
			}
		})},
		{name: "a key is answered once", fails: "a-key-that-is-asked-for-twice", make: answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := revoked(ctx, keys)
				seen := make(map[string]bool)
				for i := range times {
					if seen[keys[i]] {
						times[i] = time.Time{}
					}
					seen[keys[i]] = true
				}
				return times, err
			}
		})},
		{name: "the caller's keys are sorted", fails: "slices-are-the-callers", make: answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := revoked(ctx, keys)
				slices.Sort(keys)
				return times, err
			}
		})},
		{name: "equal answers are one slice", fails: "slices-are-the-callers", make: answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			var mu sync.Mutex
			given, was := make(map[string][]time.Time), make(map[string][]time.Time)
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := revoked(ctx, keys)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				defer mu.Unlock()
				name := strings.Join(keys, "\n")
				if !slices.EqualFunc(was[name], times, time.Time.Equal) {
					given[name], was[name] = times, slices.Clone(times)
				}
				return given[name], nil
			}
		})},
		{name: "times are counted in nanoseconds", fails: "times-of-any-year", make: retimed(func(at time.Time) time.Time { return time.Unix(0, at.UnixNano()) })},
		{name: "a time of 0 means none", fails: "times-of-any-year", make: answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := revoked(ctx, keys)
				for i, at := range times {
					if at.UnixMilli() == 0 {
						times[i] = time.Time{}
					}
				}
				return times, err
			}
		})},
		{name: "ttls are cut to seconds", fails: "ttl-is-not-cut-short", make: relived(func(_ *revocations, ttl time.Duration) time.Duration { return ttl.Truncate(time.Second) })},
		{name: "an end beyond the range of a count is past", fails: "long-ttls-last", make: relived(func(r *revocations, ttl time.Duration) time.Duration {
			if ttl > 0 && r.now().UnixNano() > math.MaxInt64-int64(ttl) {
				return 0
			}
			return ttl
		})},
		{name: "a ttl of more than 30 days is a date", fails: "long-ttls-last", make: relived(func(_ *revocations, ttl time.Duration) time.Duration {
			if ttl > 30*24*time.Hour {
				return 0
			}
			return ttl
		})},
		{name: "what has ended cannot be revoked again", fails: "second-life-has-its-full-ttl", make: revoking(func(r *revocations, revoke revokeFunc) revokeFunc {
			var had tombstones
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				if _, live := r.get(key); had.has(key) && !live && ctx.Err() == nil && !r.isBroken() && !r.isHung() {
					return nil
				}
				err := revoke(ctx, key, at, ttl)
				if err == nil && ttl > 0 {
					had.add(key)
				}
				return err
			}
		})},
		{name: "the lock is that of a process", fails: "latest-of-concurrent-times-by-two-stores", make: revoking(func(r *revocations, revoke revokeFunc) revokeFunc {
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				if r.isBroken() || r.isHung() {
					return revoke(ctx, key, at, ttl)
				}
				lock := &ctx.Value(processKey{}).(*revocationProcess).lock
				lock.Lock()
				defer lock.Unlock()
				old, known := r.get(key)
				yield()
				if err := revoke(ctx, key, at, ttl); err != nil || ttl <= 0 {
					return err
				}
				if e, _ := r.get(key); known && at.After(old[0]) && at.Truncate(time.Millisecond).Equal(at) {
					r.put(key, at, e[1])
				}
				return nil
			}
		})},
		{name: "callers share a buffer of keys", fails: "concurrent-answers-do-not-mix", make: answeringTimes(func(_ *revocations, revoked revokedFunc) revokedFunc {
			var mu sync.Mutex
			var last []string
			return func(ctx context.Context, keys []string) ([]time.Time, error) {
				mu.Lock()
				last = keys
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				keys = last
				mu.Unlock()
				return revoked(ctx, keys)
			}
		})},
		{name: "the error shows the key", fails: "errors-do-not-show-the-key", make: revoking(func(_ *revocations, revoke revokeFunc) revokeFunc {
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				err := revoke(ctx, key, at, ttl)
				if err != nil {
					err = fmt.Errorf("SET %q: %w", key, err)
				}
				return err
			}
		})},
		{name: "what has ended keeps its room", fails: "full-store-takes-keys-again", make: func(r *revocations) { r.hoards = true }},
		{name: "a write to a backend that is down waits in a queue", fails: "failure-is-an-error", make: revoking(func(_ *revocations, revoke revokeFunc) revokeFunc {
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				if err := revoke(ctx, key, at, ttl); !errors.Is(err, errDown) {
					return err
				}
				return nil
			}
		})},
		{name: "an outage empties the store", fails: "works-after-an-outage", make: revoking(func(r *revocations, revoke revokeFunc) revokeFunc {
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				err := revoke(ctx, key, at, ttl)
				if errors.Is(err, errDown) {
					r.mu.Lock()
					clear(r.entries)
					r.mu.Unlock()
				}
				return err
			}
		})},
	}
}

// TestOddRevocationStores: what is unusual and within the contract passes.
func TestOddRevocationStores(t *testing.T) {
	for name, odd := range map[string]func(*revocations){
		"keys stay for an hour more": relived(func(_ *revocations, ttl time.Duration) time.Duration {
			if ttl <= 0 {
				return ttl
			}
			return min(ttl, forEver) + time.Hour
		}),
		"times are told in a zone":        answeringTimes(inZone),
		"a key is told in twice its room": renaming(func(key string) string { return fmt.Sprintf("%x", key) }),
		"a time lies a little later, within its millisecond": retimed(func(at time.Time) time.Time {
			if whole := at.Truncate(time.Millisecond); !whole.Equal(at) {
				return whole.Add(time.Millisecond)
			}
			return at
		}),
		"refuses keys of more than 64 KiB": revoking(func(_ *revocations, revoke revokeFunc) revokeFunc {
			return func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				if len(key) > 64<<10 && ctx.Err() == nil {
					return errRefused
				}
				return revoke(ctx, key, at, ttl)
			}
		}),
	} {
		t.Run(name, func(t *testing.T) { conformance.TestRevocationStore(t, revocationHarness(odd)) })
	}
}

// inZone tells times far from UTC; the zero time is zero anywhere.
func inZone(_ *revocations, revoked revokedFunc) revokedFunc {
	return func(ctx context.Context, keys []string) ([]time.Time, error) {
		times, err := revoked(ctx, keys)
		for i := range times {
			times[i] = times[i].In(time.FixedZone("far", -11*60*60))
		}
		return times, err
	}
}
