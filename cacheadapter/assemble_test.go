package cacheadapter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// The kinds of caches, by the optional interfaces that they have.
type (
	bare      struct{ verifier.Cache }
	clearable struct {
		bare
		verifier.Clearer
	}
	addable struct {
		bare
		verifier.ReplayStore
	}
	complete struct {
		bare
		verifier.Clearer
		verifier.ReplayStore
	}
)

// backend is a cache and a replay store with faults on request.
type backend struct {
	cache *verifiertest.Cache
	store *verifiertest.ReplayStore
}

func newBackend(clock verifier.Clock) backend {
	return backend{verifiertest.NewCache(clock, 0), verifiertest.NewReplayStore(clock)}
}

func (b backend) bare() verifier.Cache      { return bare{b.cache} }
func (b backend) clearable() verifier.Cache { return clearable{bare{b.cache}, b.cache} }
func (b backend) addable() verifier.Cache   { return addable{bare{b.cache}, b.store} }
func (b backend) complete() verifier.Cache  { return complete{bare{b.cache}, b.cache, b.store} }

// must takes the result of a constructor.
func must(t *testing.T) func(verifier.Cache, error) verifier.Cache {
	return func(cache verifier.Cache, err error) verifier.Cache {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return cache
	}
}

func sealKey(fill byte) []byte {
	key := make([]byte, cacheadapter.SealKeySize)
	for i := range key {
		key[i] = fill
	}
	return key
}

// decorators wrap a cache with good settings.
func decorators(clock verifier.Clock) map[string]func(verifier.Cache) (verifier.Cache, error) {
	return map[string]func(verifier.Cache) (verifier.Cache, error){
		"Prefixed": func(c verifier.Cache) (verifier.Cache, error) { return cacheadapter.Prefixed(c, "p:") },
		"Sealed": func(c verifier.Cache) (verifier.Cache, error) {
			return cacheadapter.Sealed(c, cacheadapter.SealedConfig{Keys: [][]byte{sealKey(1)}, Clock: clock})
		},
		"Tiered": func(c verifier.Cache) (verifier.Cache, error) {
			return cacheadapter.Tiered(verifiertest.NewCache(clock, 0), c, cacheadapter.TieredConfig{Clock: clock})
		},
		"Timeout": func(c verifier.Cache) (verifier.Cache, error) {
			return cacheadapter.Timeout(c, cacheadapter.TimeoutConfig{Wait: time.Minute, Clock: clock})
		},
		"Observed": func(c verifier.Cache) (verifier.Cache, error) {
			return cacheadapter.Observed(c, cacheadapter.ObservedConfig{Observe: func(cacheadapter.Event) {}, Clock: clock})
		},
	}
}

func TestOptionalInterfacesAreThoseOfTheWrappedCache(t *testing.T) {
	kinds := map[string]struct {
		make       func(backend) verifier.Cache
		clear, add bool
	}{
		"cache":                    {backend.bare, false, false},
		"cache, clearer":           {backend.clearable, true, false},
		"cache, store":             {backend.addable, false, true},
		"cache, clearer and store": {backend.complete, true, true},
	}
	clock := verifiertest.NewClock(time.Time{})
	for name, decorate := range decorators(clock) {
		for kind, k := range kinds {
			b := newBackend(clock)
			c := must(t)(decorate(k.make(b)))
			_, clear := c.(verifier.Clearer)
			_, add := c.(verifier.ReplayStore)
			wantClear := k.clear && name != "Prefixed" // whose wrapped cache would clear its neighbours
			if clear != wantClear || add != k.add {
				t.Errorf("%s over a %s: Clearer %v, ReplayStore %v; want %v, %v", name, kind, clear, add, wantClear, k.add)
			}
		}
	}
}

func TestOptionalMethodsReachTheWrappedCache(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	for name, decorate := range decorators(clock) {
		b := newBackend(clock)
		c := must(t)(decorate(b.complete()))
		if clearer, ok := c.(verifier.Clearer); ok {
			if err := clearer.Clear(t.Context()); err != nil || b.cache.Calls("Clear") != 1 {
				t.Errorf("%s: Clear = %v after %d calls; want nil after 1", name, err, b.cache.Calls("Clear"))
			}
		}
		store := c.(verifier.ReplayStore)
		for _, want := range []bool{true, false} {
			if added, err := store.Add(t.Context(), "hash.hash", time.Minute); added != want || err != nil {
				t.Errorf("%s: Add = %v, %v; want %v, nil", name, added, err, want)
			}
		}
		fault := errors.New("down")
		b.store.FailNext(1, fault)
		if added, err := store.Add(t.Context(), "hash.other", time.Minute); added || !errors.Is(err, fault) {
			t.Errorf("%s: Add with a fault = %v, %v; want false, %v", name, added, err, fault)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	cache := verifiertest.NewCache(nil, 0)
	long := make([]byte, 1<<10+1)
	sealed := func(keys ...[]byte) error {
		_, err := cacheadapter.Sealed(cache, cacheadapter.SealedConfig{Keys: keys})
		return err
	}
	prefixed := func(cache verifier.Cache, prefix string) error {
		_, err := cacheadapter.Prefixed(cache, prefix)
		return err
	}
	tiered := func(near, far verifier.Cache, ttl time.Duration) error {
		_, err := cacheadapter.Tiered(near, far, cacheadapter.TieredConfig{NearTTL: ttl})
		return err
	}
	timeout := func(cache verifier.Cache, cfg cacheadapter.TimeoutConfig) error {
		_, err := cacheadapter.Timeout(cache, cfg)
		return err
	}
	observed := func(cache verifier.Cache, observe func(cacheadapter.Event)) error {
		_, err := cacheadapter.Observed(cache, cacheadapter.ObservedConfig{Observe: observe})
		return err
	}
	_, nilSealed := cacheadapter.Sealed(nil, cacheadapter.SealedConfig{Keys: [][]byte{sealKey(1)}})
	for name, err := range map[string]error{
		"Prefixed, nil cache":          prefixed(nil, "p:"),
		"Prefixed, empty prefix":       prefixed(cache, ""),
		"Prefixed, long prefix":        prefixed(cache, string(long)),
		"Prefixed, prefix not UTF-8":   prefixed(cache, "\xff:"),
		"Prefixed, prefix with a dot":  prefixed(cache, "a.b:"),
		"Sealed, nil cache":            nilSealed,
		"Sealed, no keys":              sealed(),
		"Sealed, short key":            sealed(sealKey(1)[:31]),
		"Sealed, AES-128 key":          sealed(sealKey(1)[:16]),
		"Sealed, long key":             sealed(append(sealKey(1), 1)),
		"Sealed, key of zeros":         sealed(sealKey(0)),
		"Sealed, bad second key":       sealed(sealKey(1), nil),
		"Sealed, a key twice":          sealed(sealKey(1), sealKey(2), sealKey(1)),
		"Sealed, too many keys":        sealed(manyKeys(17)...),
		"Tiered, nil near":             tiered(nil, cache, 0),
		"Tiered, nil far":              tiered(cache, nil, 0),
		"Tiered, negative NearTTL":     tiered(cache, cache, -1),
		"Tiered, NearTTL over an hour": tiered(cache, cache, time.Hour+1),
		"Timeout, nil cache":           timeout(nil, cacheadapter.TimeoutConfig{}),
		"Timeout, negative Wait":       timeout(cache, cacheadapter.TimeoutConfig{Wait: -1}),
		"Timeout, huge Wait":           timeout(cache, cacheadapter.TimeoutConfig{Wait: time.Hour}),
		"Timeout, negative ClearWait":  timeout(cache, cacheadapter.TimeoutConfig{ClearWait: -1}),
		"Timeout, negative Cooldown":   timeout(cache, cacheadapter.TimeoutConfig{Cooldown: -1}),
		"Timeout, negative SlowCalls":  timeout(cache, cacheadapter.TimeoutConfig{SlowCalls: -1}),
		"Timeout, negative calls":      timeout(cache, cacheadapter.TimeoutConfig{MaxInFlight: -1}),
		"Observed, nil cache":          observed(nil, func(cacheadapter.Event) {}),
		"Observed, nil observer":       observed(cache, nil),
	} {
		if !errors.Is(err, cacheadapter.ErrConfig) {
			t.Errorf("%s: %v; want ErrConfig", name, err)
		}
	}
	if err := sealed(manyKeys(16)...); err != nil {
		t.Errorf("Sealed with 16 keys: %v; want nil", err)
	}
}

func manyKeys(n int) [][]byte {
	var keys [][]byte
	for i := range n {
		keys = append(keys, sealKey(byte(i+1)))
	}
	return keys
}

func TestContextThatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	clock := verifiertest.NewClock(time.Time{})
	for name, decorate := range decorators(clock) {
		c := must(t)(decorate(newBackend(clock).complete()))
		_, ok, get := c.Get(ctx, "k")
		added, add := c.(verifier.ReplayStore).Add(ctx, "k", time.Minute)
		if ok || added {
			t.Errorf("%s: a call with a context that is done succeeded", name)
		}
		for op, err := range map[string]error{
			"Get": get, "Add": add, "Set": c.Set(ctx, "k", []byte("v"), time.Minute), "Delete": c.Delete(ctx, "k"),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %s = %v; want %v", name, op, err, context.Canceled)
			}
		}
	}
}

// TestTinyTTL: decorators that carry the end of an entry round it up.
func TestTinyTTL(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	for name, decorate := range decorators(clock) {
		c := must(t)(decorate(newBackend(clock).complete()))
		set(t, c, "k", "v", 1)
		if _, ok, err := c.Get(t.Context(), "k"); !ok || err != nil {
			t.Errorf("%s: Get right after Set with a ttl of 1ns = %v, %v; want true, nil", name, ok, err)
		}
		clock.Advance(time.Microsecond)
		wantMiss(t, c, "k")
	}
}

// wantHit and wantMiss look a key up.
func wantHit(t *testing.T, c verifier.Cache, key, want string) {
	t.Helper()
	if value, ok, err := c.Get(t.Context(), key); string(value) != want || !ok || err != nil {
		t.Errorf("Get(%q) = %q, %v, %v; want %q, true, nil", key, value, ok, err, want)
	}
}

func wantMiss(t *testing.T, c verifier.Cache, key string) {
	t.Helper()
	if value, ok, err := c.Get(t.Context(), key); value != nil || ok || err != nil {
		t.Errorf("Get(%q) = %q, %v, %v; want nil, false, nil", key, value, ok, err)
	}
}

func set(t *testing.T, c verifier.Cache, key, value string, ttl time.Duration) {
	t.Helper()
	if err := c.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("Set(%q, %q, %v) = %v; want nil", key, value, ttl, err)
	}
}
