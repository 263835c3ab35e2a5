// Package lrucache is a cache for Portcullis on a library that Portcullis does
// not know: the expirable LRU of golang-lru, in the memory of one process. It
// imports nothing of Portcullis but in its test.
package lrucache

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
)

// Cache is a verifier.Cache and verifier.Clearer. It is no
// verifier.ReplayStore: an LRU drops entries to make room, and a store must
// not.
type Cache struct {
	entries *expirable.LRU[string, entry]
	now     func() time.Time
}

// entry has its own end, since the library has one ttl for all.
type entry struct {
	value   []byte
	expires time.Time
}

// New returns a cache of at most maxEntries, each as large as its users make
// it. A nil now means time.Now.
func New(maxEntries int, now func() time.Time) (*Cache, error) {
	if maxEntries <= 0 {
		return nil, errors.New("lrucache: maxEntries is not positive")
	}
	if now == nil {
		now = time.Now
	}
	// A ttl of the library would start a goroutine that nothing can end.
	return &Cache{expirable.NewLRU[string, entry](maxEntries, nil, 0), now}, nil
}

// Get returns a copy: the value in the cache is everybody's. What has expired
// stays until the LRU needs the room: removing it here could remove what
// somebody else has set in the meantime.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	e, ok := c.entries.Get(key)
	if !ok || !c.now().Before(e.expires) {
		return nil, false, nil
	}
	return append([]byte{}, e.value...), true, nil
}

// Set keeps a copy: the caller may change its value.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return c.Delete(ctx, key)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.entries.Add(key, entry{bytes.Clone(value), c.now().Add(ttl)})
	return nil
}

// Delete removes key.
func (c *Cache) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.entries.Remove(key)
	return nil
}

// Clear removes everything: the cache has no other users.
func (c *Cache) Clear(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.entries.Purge()
	return nil
}
