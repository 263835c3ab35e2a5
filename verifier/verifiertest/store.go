package verifiertest

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// faults are failures on request, shared by Cache and ReplayStore.
type faults struct {
	mu    sync.Mutex
	clock verifier.Clock
	calls map[string]int
	err   error
	left  int // calls left to fail; negative: all
	hang  bool
}

// FailNext makes the next n calls return err; a negative n makes all of them
// until [faults.Recover].
func (f *faults) FailNext(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.err = n, err
}

// Hang makes calls wait for the end of their context.
func (f *faults) Hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hang = true
}

// Recover ends FailNext and Hang.
func (f *faults) Recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.hang = 0, false
}

// Calls returns how often a method, such as "Get", was called.
func (f *faults) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// begin counts a call and returns the failure that was asked for.
func (f *faults) begin(ctx context.Context, method string) error {
	f.mu.Lock()
	f.calls[method]++
	hang, err := f.hang, error(nil)
	if f.left != 0 {
		err = f.err
		f.left = max(f.left-1, -1)
	}
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (f *faults) now() time.Time { return f.clock.Now() }

func newFaults(clock verifier.Clock) faults {
	if clock == nil {
		clock = verifier.ClockFunc(time.Now)
	}
	return faults{clock: clock, calls: make(map[string]int)}
}

// Cache is a [verifier.Cache] and [verifier.Clearer] in memory that drops what
// was used longest ago. It is safe for concurrent use.
type Cache struct {
	faults
	max     int
	order   *list.List // most recently used first
	entries map[string]*list.Element
}

type cacheEntry struct {
	key     string
	value   []byte
	expires time.Time
}

// NewCache returns a cache of at most maxEntries; zero means no bound. A nil
// clock means time.Now.
func NewCache(clock verifier.Clock, maxEntries int) *Cache {
	return &Cache{faults: newFaults(clock), max: maxEntries, order: list.New(), entries: make(map[string]*list.Element)}
}

// Get implements verifier.Cache.
func (c *Cache) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := c.begin(ctx, "Get"); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[key]
	if !ok {
		return nil, false, nil
	}
	e := element.Value.(*cacheEntry)
	if c.now().After(e.expires) {
		c.remove(key)
		return nil, false, nil
	}
	c.order.MoveToFront(element)
	return append([]byte{}, e.value...), true, nil
}

// Set implements verifier.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := c.begin(ctx, "Set"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	if ttl <= 0 {
		return nil
	}
	c.entries[key] = c.order.PushFront(&cacheEntry{key, slices.Clone(value), c.now().Add(ttl)})
	if c.max > 0 && c.order.Len() > c.max {
		c.remove(c.order.Back().Value.(*cacheEntry).key)
	}
	return nil
}

// Delete implements verifier.Cache.
func (c *Cache) Delete(ctx context.Context, key string) error {
	if err := c.begin(ctx, "Delete"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	return nil
}

// Clear implements verifier.Clearer.
func (c *Cache) Clear(ctx context.Context) error {
	if err := c.begin(ctx, "Clear"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.order.Init()
	return nil
}

func (c *Cache) remove(key string) {
	if element, ok := c.entries[key]; ok {
		c.order.Remove(element)
		delete(c.entries, key)
	}
}

// Keys returns the keys held, most recently used first, expired ones included.
func (c *Cache) Keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := make([]string, 0, c.order.Len())
	for e := c.order.Front(); e != nil; e = e.Next() {
		keys = append(keys, e.Value.(*cacheEntry).key)
	}
	return keys
}

// Corrupt replaces every value by what f makes of it, as somebody with access
// to a shared cache could.
func (c *Cache) Corrupt(f func(key string, value []byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, element := range c.entries {
		e := element.Value.(*cacheEntry)
		e.value = slices.Clone(f(key, e.value))
	}
}

// ReplayStore is a [verifier.ReplayStore] in memory. It is safe for concurrent
// use.
type ReplayStore struct {
	faults
	expires map[string]time.Time
}

// NewReplayStore returns an empty store. A nil clock means time.Now.
func NewReplayStore(clock verifier.Clock) *ReplayStore {
	return &ReplayStore{faults: newFaults(clock), expires: make(map[string]time.Time)}
}

// Add implements verifier.ReplayStore.
func (s *ReplayStore) Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	if err := s.begin(ctx, "Add"); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if until, ok := s.expires[key]; ok && !now.After(until) {
		return false, nil
	}
	if ttl > 0 {
		s.expires[key] = now.Add(ttl)
	}
	return true, nil
}

// Keys returns the keys held, in no particular order, expired ones included.
func (s *ReplayStore) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.expires))
	for key := range s.expires {
		keys = append(keys, key)
	}
	return keys
}
