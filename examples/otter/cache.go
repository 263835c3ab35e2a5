// Package ottercache is a cache for Portcullis on a library that Portcullis
// does not know: otter, a cache in the memory of one process. It imports
// nothing of Portcullis but in its test.
package ottercache

import (
	"bytes"
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// Cache is a verifier.Cache and verifier.Clearer. It is no
// verifier.ReplayStore: otter drops entries to make room, and a store must not.
type Cache struct {
	entries *otter.Cache[string, entry]
}

// entry has its own ttl, since otter asks for one when it stores a value, under
// a lock: setting it in a second call would leave a gap.
type entry struct {
	value []byte
	ttl   time.Duration
}

// overhead of an entry is about what otter needs beside key and value.
const overhead = 128

// New returns a cache for keys and values of maxBytes together.
func New(maxBytes uint64) (*Cache, error) {
	entries, err := otter.New(&otter.Options[string, entry]{
		MaximumWeight: maxBytes,
		Weigher:       func(key string, e entry) uint32 { return uint32(min(len(key)+len(e.value)+overhead, 1<<31)) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration {
			return e.Value.ttl
		}),
	})
	if err != nil {
		return nil, err
	}
	return &Cache{entries}, nil
}

// Get returns a copy: the value in the cache is everybody's.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	e, ok := c.entries.GetIfPresent(key)
	if !ok {
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
	c.entries.Set(key, entry{bytes.Clone(value), ttl})
	return nil
}

// Delete removes key.
func (c *Cache) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.entries.Invalidate(key)
	return nil
}

// Clear removes everything: the cache has no other users.
func (c *Cache) Clear(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.entries.InvalidateAll()
	return nil
}

// Close ends what otter runs in the background.
func (c *Cache) Close() { c.entries.StopAllGoroutines() }
