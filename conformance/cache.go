package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// CacheHarness says how to test a [verifier.Cache]. Only New is required. What
// is left out is skipped and reported so. The fields tell what the backend can
// and what the test can do with it; none of them exempts from a rule.
type CacheHarness struct {
	// New returns a cache whose keys are apart from those of other Namespaces:
	// a new one, or one over a shared server with env.Namespace in its prefix.
	// Without Advance it is called by several goroutines at once.
	New func(env *Env) (verifier.Cache, error)
	// Advance makes time pass for the cache. Without it the suite waits for
	// short ttls on real time.
	Advance func(d time.Duration)
	// MinTTL is the backend's resolution, such as a second: an entry may be
	// there for up to twice this time beyond its ttl (it is rounded up, and the
	// backend's clock ticks).
	MinTTL time.Duration
	// MaxTTL is set when the backend drops every entry after this time,
	// whatever its ttl.
	MaxTTL time.Duration
	// Shared: caches made with one Env see each other's entries, as processes
	// that share a server do.
	Shared bool
	// Lag is how long a write may take until another cache of the same Env sees
	// it, where the backend has replicas. Default 0: at once.
	Lag time.Duration
	// ReplayStore returns a store on the same server and with the same
	// Namespace as New, for the rule that Clear spares its records. Not needed
	// when the cache itself is one.
	ReplayStore func(env *Env) (verifier.ReplayStore, error)
	// Break makes the backend of a cache fail: refuse connections, say, until
	// repair is called.
	Break func(cache verifier.Cache) (repair func())
	// Hang makes the backend of a cache accept calls and never answer, until
	// release is called.
	Hang func(cache verifier.Cache) (release func())
	// HangWrites is Hang for backends whose reads cannot be made to wait. It is
	// used where Hang is nil.
	HangWrites func(cache verifier.Cache) (release func())
	// Size tells how much the backend of a cache keeps, in any unit that grows
	// with it: entries, bytes, or the length of a file. It may run or wait for
	// what the backend does to clear up.
	Size func(cache verifier.Cache) (int64, error)
	// StoredKey tells the key under which the backend keeps a key of the
	// caller's, without the prefix, if it is another one. The suite then uses it
	// as a key of the caller's.
	StoredKey func(cache verifier.Cache, key string) string
	// Timeout of a call. Default 10 s. A check may take six times as long, and
	// the time that it waits for ttls.
	Timeout time.Duration

	Options
}

// CacheChecks returns the checks of [verifier.Cache] and [verifier.Clearer] as
// data.
func CacheChecks() []Check[CacheHarness] {
	checks := slices.Concat(cachePresence(), cacheTime(), cacheLives(), cacheKeys(), cacheValues(), cacheSlices(),
		cacheConcurrency(), cacheFaults(), cacheRecovery(), cacheShared(), cacheClear())
	return founded(cacheFoundations(), basis([]string{"Cache/get-finds-what-was-set"}, checks))
}

// TestCache tests that a cache keeps the contract of [verifier.Cache], each
// rule in a subtest. A cache that is a [verifier.Clearer] or a
// [verifier.ReplayStore] too is tested as such.
func TestCache(t *testing.T, h CacheHarness) Report {
	t.Helper()
	return h.suite(t.Context()).test(t)
}

// RunCache is [TestCache] without a test.
func RunCache(ctx context.Context, h CacheHarness) Report {
	return h.suite(ctx).run(ctx)
}

func (h CacheHarness) suite(ctx context.Context) suite[CacheHarness] {
	s := suite[CacheHarness]{harness: h, checks: CacheChecks()}
	if !h.isReplayStore(ctx) {
		return s
	}
	for _, c := range ReplayStoreChecks() {
		s.checks = append(s.checks, Check[CacheHarness]{
			Interface: c.Interface, Name: c.Name, Rule: c.Rule, Group: c.Group, Basis: c.Basis, waits: c.waits, plan: CacheHarness.plan,
			run: func(env *Env, h CacheHarness) error { return c.run(env, h.asReplayStore()) },
		})
	}
	return s
}

func (h CacheHarness) plan() plan {
	p := plan{Options: h.Options, timeout: h.Timeout, beside: h.Advance == nil}
	if p.beside {
		p.waits = h.MinTTL
	}
	return p
}

// isReplayStore makes a cache to see. If that fails, the checks will say so.
func (h CacheHarness) isReplayStore(ctx context.Context) bool {
	is := false
	err := guard(ctx, h.plan(), 1, func(env *Env) error {
		_, err := h.asReplayStore().New(env)
		is = err == nil
		return err
	})
	return err == nil && is
}

var errNoReplayStore = errors.New("the cache is not a verifier.ReplayStore")

// asReplayStore is the harness for a cache that is a replay store too.
func (h CacheHarness) asReplayStore() ReplayStoreHarness {
	r := ReplayStoreHarness{Advance: h.Advance, MinTTL: h.MinTTL, Shared: h.Shared, Timeout: h.Timeout, Options: h.Options}
	r.New = func(env *Env) (verifier.ReplayStore, error) {
		cache, err := h.New(env)
		if err != nil {
			return nil, err
		}
		store, ok := cache.(verifier.ReplayStore)
		if !ok {
			return nil, errNoReplayStore
		}
		return store, nil
	}
	r.Break, r.Hang = ofStore(h.Break), ofStore(h.Hang)
	if r.Hang == nil {
		r.Hang = ofStore(h.HangWrites) // Add writes
	}
	if h.Size != nil {
		r.Size = func(store verifier.ReplayStore) (int64, error) {
			cache, _ := store.(verifier.Cache)
			return h.Size(cache)
		}
	}
	if h.StoredKey != nil {
		r.StoredKey = func(store verifier.ReplayStore, key string) string {
			cache, _ := store.(verifier.Cache)
			return h.StoredKey(cache, key)
		}
	}
	return r
}

// ofStore is a fault of a cache for one that is a replay store too.
func ofStore(fault func(verifier.Cache) func()) func(verifier.ReplayStore) func() {
	if fault == nil {
		return nil
	}
	return func(store verifier.ReplayStore) func() {
		cache, _ := store.(verifier.Cache)
		return fault(cache)
	}
}

// cacheCase is what a check of a cache works with.
type cacheCase struct {
	pace
	env   *Env
	h     CacheHarness
	cache verifier.Cache
}

func cacheCheck(name, rule string, run func(c *cacheCase) error) Check[CacheHarness] {
	return newCheck("Cache", name, rule, newCacheCase, run)
}

func newCacheCase(env *Env, h CacheHarness) (*cacheCase, error) {
	cache, err := opened(env, h.New, "a cache")
	if err != nil {
		return nil, err
	}
	return &cacheCase{pace: pace{ctx: env.ctx, advance: h.Advance, min: h.MinTTL, scale: env.scale}, env: env, h: h, cache: cache}, nil
}

// again is the same check with another cache.
func (c *cacheCase) again(env *Env) (*cacheCase, error) { return newCacheCase(env, c.h) }

func (c *cacheCase) key(name string) string { return c.env.key(name) }

func (c *cacheCase) get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	defer c.env.begin("Get")()
	return c.cache.Get(ctx, key)
}

func (c *cacheCase) rawSet(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	defer c.env.begin("Set")()
	return c.cache.Set(ctx, key, value, ttl)
}

func (c *cacheCase) rawDelete(ctx context.Context, key string) error {
	defer c.env.begin("Delete")()
	return c.cache.Delete(ctx, key)
}

// set stores a value of which nobody else holds the bytes.
func (c *cacheCase) set(key, value string, ttl time.Duration) error {
	if err := c.rawSet(c.ctx, key, []byte(value), ttl); err != nil {
		return fmt.Errorf("Set(%s, %s, %v) = %w; want nil", show(key), show(value), ttl, err)
	}
	return nil
}

func (c *cacheCase) delete(key string) error {
	if err := c.rawDelete(c.ctx, key); err != nil {
		return fmt.Errorf("Delete(%s) = %w; want nil", show(key), err)
	}
	return nil
}

// holds looks for one of the values under key; lost means that there is none,
// which eviction may be the reason for.
func (c *cacheCase) holds(key string, values ...string) (lost bool, err error) {
	value, ok, err := c.get(c.ctx, key)
	switch {
	case err != nil || ok && !slices.Contains(values, string(value)):
		return false, fmt.Errorf("Get(%s) = %s; want %s", show(key), answer(value, ok, err), show(values[0]))
	default:
		return !ok, nil
	}
}

// missing wants nothing under key.
func (c *cacheCase) missing(key, when string) error {
	value, ok, err := c.get(c.ctx, key)
	if ok || err != nil {
		return fmt.Errorf("Get(%s) %s = %s; want a miss: ok == false and a nil error", show(key), when, answer(value, ok, err))
	}
	return nil
}

// unseen wants no value under key. Whether a miss is an error is a finding of
// few checks, so that one mistake does not show up everywhere.
func (c *cacheCase) unseen(key, when string) error {
	if value, ok, err := c.get(c.ctx, key); ok {
		return fmt.Errorf("Get(%s) %s = %s; want a miss", show(key), when, answer(value, ok, err))
	}
	return nil
}

// gone asks again for as long as real time is imprecise.
func (c *cacheCase) gone(absent func(key, when string) error, key, when string) error {
	var last error
	gone, err := c.until(func() (bool, error) {
		last = absent(key, when)
		return last == nil, nil
	})
	if err != nil || gone {
		return err
	}
	return last
}

// tries is how often an entry may be lost to eviction in a row.
const tries = 8

// attempt repeats f while it finds its entry lost. Each try should have keys of
// its own.
func (c *cacheCase) attempt(what string, f func(try int) (lost bool, err error)) error {
	for try := range tries {
		for range try { // out of step with what is evicted every so many calls
			_, _, _ = c.get(c.ctx, c.key("out-of-step"))
		}
		if lost, err := f(try); err != nil || !lost {
			return err
		}
	}
	return fmt.Errorf("%s = (nil, false, nil) in each of %d tries; want the value at least once, as eviction is not the reason each time", what, tries)
}

// stored sets a value and sees it there.
func (c *cacheCase) stored(key, value string, ttl time.Duration) error {
	return c.attempt(fmt.Sprintf("Get(%s) right after Set(..., %s, %v)", show(key), show(value), ttl), func(int) (bool, error) {
		if err := c.set(key, value, ttl); err != nil {
			return false, err
		}
		return c.holds(key, value)
	})
}

func answer(value []byte, ok bool, err error) string {
	if value == nil {
		return fmt.Sprintf("(nil, %v, %v)", ok, err)
	}
	return fmt.Sprintf("(%s, %v, %v)", show(value), ok, err)
}
