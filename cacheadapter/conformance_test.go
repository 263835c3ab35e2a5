package cacheadapter_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// server is what the caches of one test share: a backend for each namespace,
// and which caches were made over it.
type server struct {
	clock    *verifiertest.Clock
	mu       sync.Mutex
	backends map[string]sharedBackend
	of       map[verifier.Cache]backend
}

type sharedBackend struct {
	backend
	roomy *roomy
}

func (s *server) backend(namespace string) sharedBackend {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.backends[namespace]
	if !ok {
		b.backend = newBackend(s.clock)
		b.roomy = &roomy{Cache: b.cache, large: make(map[string][]byte)}
		s.backends[namespace] = b
	}
	return b
}

// fault does something to the backend of a cache, until it is undone.
func (s *server) fault(do func(backend)) func(verifier.Cache) func() {
	return func(cache verifier.Cache) func() {
		s.mu.Lock()
		b := s.of[cache]
		s.mu.Unlock()
		do(b)
		return func() { b.cache.Recover(); b.store.Recover() }
	}
}

// roomy takes values that are as large as the contract's largest one and what
// decorators add, as all shipped adapters do. It keeps large ones beside the
// fake, which is strict.
type roomy struct {
	verifier.Cache
	mu    sync.Mutex
	large map[string][]byte
}

const elsewhere = "9f4c: the value is large and elsewhere"

func (r *roomy) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := r.Cache.Get(ctx, key)
	if string(value) != elsewhere {
		return value, ok, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.large[key]), true, nil
}

func (r *roomy) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if len(value) <= 512<<10 || len(value) > 513<<10 {
		return r.Cache.Set(ctx, key, value, ttl)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.large[key] = slices.Clone(value)
	return r.Cache.Set(ctx, key, []byte(elsewhere), ttl)
}

type down struct{}

func (down) Error() string { return "down" }

// compositions are decorators over decorators.
func compositions(clock verifier.Clock) map[string]func(verifier.Cache) (verifier.Cache, error) {
	all := decorators(clock)
	chain := func(names ...string) func(verifier.Cache) (verifier.Cache, error) {
		return func(c verifier.Cache) (verifier.Cache, error) {
			var err error
			for _, name := range names {
				if c, err = all[name](c); err != nil {
					return nil, err
				}
			}
			return c, nil
		}
	}
	for name, names := range map[string][]string{
		"Observed Tiered Sealed Timeout": {"Timeout", "Sealed", "Tiered", "Observed"},
		"Prefixed Sealed Timeout":        {"Timeout", "Sealed", "Prefixed"},
		"Sealed Prefixed":                {"Prefixed", "Sealed"},
		"Timeout Tiered Prefixed":        {"Prefixed", "Tiered", "Timeout"},
		"Tiered Tiered":                  {"Tiered", "Tiered"},
		"Sealed Sealed":                  {"Sealed", "Sealed"},
	} {
		all[name] = chain(names...)
	}
	return all
}

func TestConformance(t *testing.T) {
	for name, decorate := range compositions(nil) {
		t.Run(name, func(t *testing.T) {
			s := &server{clock: verifiertest.NewClock(time.Time{}), backends: make(map[string]sharedBackend), of: make(map[verifier.Cache]backend)}
			decorate = compositions(s.clock)[name]
			var named conformance.Options
			if _, one := decorators(nil)[name]; one {
				named.Implementation = "cacheadapter." + name
			}
			lag := time.Duration(0)
			if strings.Contains(name, "Tiered") {
				lag = 20 * time.Second // two near caches of 10 s each
			}
			conformance.TestCache(t, conformance.CacheHarness{
				Options: named,
				Lag:     lag,
				New: func(env *conformance.Env) (verifier.Cache, error) {
					b := s.backend(env.Namespace)
					c, err := decorate(complete{bare{b.roomy}, b.cache, b.store})
					s.mu.Lock()
					defer s.mu.Unlock()
					s.of[c] = b.backend
					return c, err
				},
				Advance: s.clock.Advance,
				Shared:  true,
				Break:   s.fault(func(b backend) { b.cache.FailNext(-1, down{}); b.store.FailNext(-1, down{}) }),
				Hang:    s.fault(func(b backend) { b.cache.Hang(); b.store.Hang() }),
			})
		})
	}
}

// TestConformanceOfPrefixesOfOneCache: the namespaces are prefixes, and the
// wrapped cache is one for all.
func TestConformanceOfPrefixesOfOneCache(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	b := newBackend(clock)
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			return cacheadapter.Prefixed(b.complete(), env.Namespace+":")
		},
		Advance: clock.Advance,
		Shared:  true,
	})
}

// ignorant is a backend whose client has no contexts and no bound: Timeout
// gives it both.
type ignorant struct {
	verifier.Cache
	store   verifier.ReplayStore
	hanging atomic.Pointer[chan struct{}]
}

func (i *ignorant) wait(ctx context.Context) context.Context {
	if hanging := i.hanging.Load(); hanging != nil {
		<-*hanging
	}
	return context.WithoutCancel(ctx)
}

func (i *ignorant) Get(ctx context.Context, key string) ([]byte, bool, error) {
	return i.Cache.Get(i.wait(ctx), key)
}

func (i *ignorant) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return i.Cache.Set(i.wait(ctx), key, value, ttl)
}

func (i *ignorant) Delete(ctx context.Context, key string) error {
	return i.Cache.Delete(i.wait(ctx), key)
}

func (i *ignorant) Clear(ctx context.Context) error {
	return i.Cache.(verifier.Clearer).Clear(i.wait(ctx))
}

func (i *ignorant) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return i.store.Add(i.wait(ctx), key, ttl)
}

func TestConformanceOfTimeoutOverAnIgnorantCache(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	var wrapped sync.Map
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) {
			b := newBackend(clock)
			inner := &ignorant{Cache: b.cache, store: b.store}
			c, err := cacheadapter.Timeout(inner, cacheadapter.TimeoutConfig{Wait: time.Minute, MaxInFlight: 100})
			wrapped.Store(c, inner)
			return c, err
		},
		Advance: clock.Advance,
		Hang: func(c verifier.Cache) func() {
			inner, _ := wrapped.Load(c)
			released := make(chan struct{})
			inner.(*ignorant).hanging.Store(&released)
			return func() { inner.(*ignorant).hanging.Store(nil); close(released) }
		},
	})
}
