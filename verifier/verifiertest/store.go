package verifiertest

import (
	"container/list"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// Cache is a [verifier.Cache] and [verifier.Clearer] in memory that drops what
// was used longest ago. It takes what the contract promises and no more: keys
// and values beyond its limits are refused, as some backends would. It is safe
// for concurrent use.
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
	lost, err := c.begin(ctx, "Get")
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[key]
	if !ok || lost != nil {
		return nil, false, lost
	}
	e := element.Value.(*cacheEntry)
	if !c.now().Before(e.expires) {
		c.remove(key)
		return nil, false, nil
	}
	c.order.MoveToFront(element)
	return append([]byte{}, e.value...), true, nil
}

// Set implements verifier.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	lost, err := c.begin(ctx, "Set")
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	if ttl <= 0 {
		return lost
	}
	if len(value) > maxValue {
		return errValue
	}
	c.entries[key] = c.order.PushFront(&cacheEntry{key, slices.Clone(value), c.now().Add(ttl)})
	if c.max > 0 && c.order.Len() > c.max {
		c.remove(c.order.Back().Value.(*cacheEntry).key)
	}
	return lost
}

// Delete implements verifier.Cache.
func (c *Cache) Delete(ctx context.Context, key string) error {
	lost, err := c.begin(ctx, "Delete")
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	return lost
}

// Clear implements verifier.Clearer.
func (c *Cache) Clear(ctx context.Context) error {
	lost, err := c.begin(ctx, "Clear")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.order.Init()
	return lost
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
	lost, err := s.begin(ctx, "Add")
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	until, known := s.expires[key]
	known = known && !now.After(until) && ttl > 0
	if !known && ttl > 0 {
		s.expires[key] = now.Add(ttl)
	}
	return !known && lost == nil, lost
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

// RevocationStore is a [verifier.RevocationStore] in memory. It is safe for
// concurrent use.
type RevocationStore struct {
	faults
	entries map[string]revocation
}

type revocation struct{ at, expires time.Time }

// NewRevocationStore returns an empty store. A nil clock means time.Now.
func NewRevocationStore(clock verifier.Clock) *RevocationStore {
	return &RevocationStore{faults: newFaults(clock), entries: make(map[string]revocation)}
}

// Revoke implements verifier.RevocationStore.
func (s *RevocationStore) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	lost, err := s.begin(ctx, "Revoke")
	if err == nil {
		err = checkKey(key)
	}
	if err != nil || ttl <= 0 {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	e := revocation{at: roundUp(at), expires: now.Add(ttl)}
	if old, ok := s.entries[key]; ok && !now.After(old.expires) {
		e.at, e.expires = later(e.at, old.at), later(e.expires, old.expires)
	}
	s.entries[key] = e
	return lost
}

// Revoked implements verifier.RevocationStore.
func (s *RevocationStore) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	lost, err := s.begin(ctx, "Revoked")
	for _, key := range keys {
		if err == nil {
			err = checkKey(key)
		}
	}
	if err != nil || lost != nil {
		return nil, errors.Join(err, lost)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, times := s.now(), make([]time.Time, len(keys))
	for i, key := range keys {
		if e, ok := s.entries[key]; ok && !now.After(e.expires) {
			times[i] = e.at
		}
	}
	return times, nil
}

// Keys returns the keys held, in no particular order, expired ones included.
func (s *RevocationStore) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.entries))
}

func roundUp(t time.Time) time.Time {
	if whole := t.Truncate(time.Millisecond); !whole.Equal(t) {
		return whole.Add(time.Millisecond)
	}
	return t
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
