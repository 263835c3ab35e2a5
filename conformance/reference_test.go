package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// resolution of the reference backend, unless it is exact.
const resolution = time.Second

// backend is a shared server as adapters meet them: whole seconds, one space
// of keys, and faults on request.
type backend struct {
	clock *verifiertest.Clock
	exact bool // it has no resolution

	mu      sync.Mutex
	down    bool
	hang    chan struct{}
	entries map[string]*entry
	records map[string]time.Time

	removals map[string]string // how a path was removed last, for near caches
}

type entry struct {
	value   []byte
	expires time.Time
}

func newBackend() *backend {
	return &backend{clock: verifiertest.NewClock(time.Time{}), entries: make(map[string]*entry), records: make(map[string]time.Time)}
}

// begin waits or fails as the backend does.
func (b *backend) begin(ctx context.Context) error {
	b.mu.Lock()
	hang, down := b.hang, b.down
	b.mu.Unlock()
	if hang != nil && ctx.Err() == nil {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("reference: %w", ctx.Err())
	case down:
		return errDown
	}
	return nil
}

// wait is how a call that ignores its context meets the backend.
func (b *backend) wait() { _ = b.begin(context.Background()) }

func (b *backend) isHanging() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hang != nil
}

func (b *backend) isDown() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down
}

// setDown and setHang return what ends the fault.
func (b *backend) setDown() func() {
	set := func(down bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.down = down
	}
	set(true)
	return func() { set(false) }
}

func (b *backend) setHang() func() {
	hang := make(chan struct{})
	set := func(hang chan struct{}) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hang = hang
	}
	set(hang)
	return func() {
		set(nil)
		close(hang)
	}
}

// until is when a ttl that starts now ends, rounded up.
func (b *backend) until(ttl time.Duration) time.Time {
	if b.exact {
		return b.clock.Now().Add(ttl)
	}
	whole := ttl.Truncate(resolution)
	if whole < ttl && whole <= ttl+resolution {
		whole += resolution
	}
	return b.clock.Now().Add(max(whole, ttl))
}

func (b *backend) live(e *entry) bool { return b.clock.Now().Before(e.expires) }

// reference is a cache and replay store without mistakes.
type reference struct {
	*backend
	namespace string
}

func (r *reference) path(key string) string { return r.namespace + "/" + key }

func (r *reference) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := r.begin(ctx); err != nil {
		return nil, false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[r.path(key)]
	if e == nil || !r.live(e) {
		return nil, false, nil
	}
	return append([]byte{}, e.value...), true, nil
}

func (r *reference) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, r.path(key))
	if ttl > 0 {
		r.entries[r.path(key)] = &entry{slices.Clone(value), r.until(ttl)}
	}
	return nil
}

func (r *reference) Delete(ctx context.Context, key string) error {
	return r.Set(ctx, key, nil, 0)
}

func (r *reference) Clear(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.deleteIf(func(path string) bool { return strings.HasPrefix(path, r.path("")) })
	return nil
}

func (r *reference) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if err := r.begin(ctx); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.records[r.path(key)]; ok && r.clock.Now().Before(until) {
		return false, nil
	}
	if ttl > 0 {
		r.records[r.path(key)] = r.until(ttl)
	}
	return true, nil
}

// size counts what is kept. As a sweep does, it removes what has expired.
func (r *reference) size() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, e := range r.entries {
		if !r.live(e) {
			delete(r.entries, path)
		}
	}
	for path, until := range r.records {
		if !r.clock.Now().Before(until) {
			delete(r.records, path)
		}
	}
	return int64(len(r.entries) + len(r.records))
}

// What defects and odd implementations need of the backend.

// deleteIf removes entries by their path.
func (r *reference) deleteIf(gone func(path string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for path := range r.entries {
		if gone(path) {
			delete(r.entries, path)
		}
	}
}

// look at an entry, expired ones included; nil when there is none.
func (r *reference) look(key string, f func(e *entry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.entries[r.path(key)])
}

// altered is the reference with some methods replaced.
type altered struct {
	*reference
	get    func(ctx context.Context, key string) ([]byte, bool, error)
	set    func(ctx context.Context, key string, value []byte, ttl time.Duration) error
	delete func(ctx context.Context, key string) error
	clear  func(ctx context.Context) error
	add    func(ctx context.Context, key string, ttl time.Duration) (bool, error)
	size   func() int64
	stored func(key string) string
}

func alter(b *backend, namespace string, change func(a *altered)) *altered {
	r := &reference{b, namespace}
	a := &altered{r, r.Get, r.Set, r.Delete, r.Clear, r.Add, r.size, func(key string) string { return key }}
	if change != nil {
		change(a)
	}
	return a
}

// keyed changes the keys on their way to the backend.
func (a *altered) keyed(f func(key string) string) {
	get, set, remove, add := a.get, a.set, a.delete, a.add
	a.get = func(ctx context.Context, key string) ([]byte, bool, error) { return get(ctx, f(key)) }
	a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		return set(ctx, f(key), value, ttl)
	}
	a.delete = func(ctx context.Context, key string) error { return remove(ctx, f(key)) }
	a.add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) { return add(ctx, f(key), ttl) }
}

// refuse makes calls with some keys errors.
func (a *altered) refuse(which func(key string) bool) {
	get, set, remove, add := a.get, a.set, a.delete, a.add
	err := errors.New("client: malformed key")
	a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
		if which(key) {
			return nil, false, err
		}
		return get(ctx, key)
	}
	a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		if which(key) {
			return err
		}
		return set(ctx, key, value, ttl)
	}
	a.delete = func(ctx context.Context, key string) error {
		if which(key) {
			return err
		}
		return remove(ctx, key)
	}
	a.add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
		if which(key) {
			return false, err
		}
		return add(ctx, key, ttl)
	}
}

// cacheOf hides what is no part of a cache and its Clear.
type cacheOf struct{ a *altered }

func (c cacheOf) Get(ctx context.Context, key string) ([]byte, bool, error) { return c.a.get(ctx, key) }
func (c cacheOf) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return c.a.set(ctx, key, value, ttl)
}
func (c cacheOf) Delete(ctx context.Context, key string) error { return c.a.delete(ctx, key) }
func (c cacheOf) Clear(ctx context.Context) error              { return c.a.clear(ctx) }

// storeOf is a replay store alone.
type storeOf struct{ a *altered }

func (s storeOf) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return s.a.add(ctx, key, ttl)
}

// bothOf is all in one.
type bothOf struct {
	cacheOf
	storeOf
}

// cacheHarness tests a cache over a backend of its own.
func cacheHarness(change func(a *altered)) conformance.CacheHarness {
	return cacheHarnessOn(newBackend(), change)
}

func cacheHarnessOn(b *backend, change func(a *altered)) conformance.CacheHarness {
	h := conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			return cacheOf{alter(b, env.Namespace, change)}, nil
		},
		ReplayStore: func(env *conformance.Env) (verifier.ReplayStore, error) {
			return storeOf{alter(b, env.Namespace, change)}, nil
		},
		Advance:   b.clock.Advance,
		MinTTL:    resolution,
		Shared:    true,
		Break:     func(verifier.Cache) func() { return b.setDown() },
		Hang:      func(verifier.Cache) func() { return b.setHang() },
		Size:      func(cache verifier.Cache) (int64, error) { return cache.(cacheOf).a.size(), nil },
		StoredKey: func(cache verifier.Cache, key string) string { return cache.(cacheOf).a.stored(key) },
	}
	if b.exact {
		h.MinTTL = 0
	}
	return h
}

func replayHarness(change func(a *altered)) conformance.ReplayStoreHarness {
	b := newBackend()
	return conformance.ReplayStoreHarness{
		New: func(env *conformance.Env) (verifier.ReplayStore, error) {
			return storeOf{alter(b, env.Namespace, change)}, nil
		},
		Advance:   b.clock.Advance,
		MinTTL:    resolution,
		Shared:    true,
		Capacity:  3000,
		Break:     func(verifier.ReplayStore) func() { return b.setDown() },
		Hang:      func(verifier.ReplayStore) func() { return b.setHang() },
		Size:      func(store verifier.ReplayStore) (int64, error) { return store.(storeOf).a.size(), nil },
		StoredKey: func(store verifier.ReplayStore, key string) string { return store.(storeOf).a.stored(key) },
	}
}
