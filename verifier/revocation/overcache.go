package revocation

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// CacheConfig describes what [OverCache] returns. Cache and NeverEvicts are
// required.
type CacheConfig struct {
	// Cache keeps the revocations.
	Cache verifier.Cache
	// NeverEvicts is the caller's word that the cache keeps an entry for its ttl and
	// returns an error when it has no room: a Redis with the policy noeviction, a
	// table of a database. Most caches drop entries to make room, and a revocation
	// with them.
	NeverEvicts bool
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
}

// OverCache returns a verifier.RevocationStore over a verifier.Cache that does not
// evict. A Cache has no atomic update: when two processes revoke under one key at
// the same moment, the earlier of the two times may win. Of the denials of a [List]
// that concerns RevokeSubject with two different times. Store with
// cacheadapter/redis where that matters. The error matches [ErrConfig].
func OverCache(cfg CacheConfig) (verifier.RevocationStore, error) {
	switch {
	case cfg.Cache == nil:
		return nil, configError("CacheConfig.Cache is missing")
	case !cfg.NeverEvicts:
		return nil, configError("CacheConfig.NeverEvicts is not stated; a cache that evicts forgets revocations")
	}
	if cfg.Clock == nil {
		cfg.Clock = verifier.ClockFunc(time.Now)
	}
	return &overCache{cache: cfg.Cache, clock: cfg.Clock, turn: make(chan struct{}, 1)}, nil
}

type overCache struct {
	cache verifier.Cache
	clock verifier.Clock
	turn  chan struct{} // a lock whose wait obeys a context
}

// entrySize is the length of a value: when it was revoked, and until when that is
// kept, in milliseconds since 1970.
const entrySize = 16

var errEntry = errors.New("revocation: an entry of the cache is not a revocation")

// Revoke implements verifier.RevocationStore.
func (c *overCache) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	if err := check(ctx, key); err != nil || ttl <= 0 {
		return err
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := c.clock.Now()
	d := denial{roundUp(at), roundUp(now.Add(ttl))}
	old, err := c.get(ctx, key)
	if err != nil {
		return err
	}
	if old.holds(now) {
		d = d.or(old)
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(d.at.UnixMilli()))
	value = binary.BigEndian.AppendUint64(value, uint64(d.until.UnixMilli()))
	return c.cache.Set(ctx, key, value, d.until.Sub(now))
}

// get returns the zero denial for a key that is not there.
func (c *overCache) get(ctx context.Context, key string) (denial, error) {
	value, ok, err := c.cache.Get(ctx, key)
	switch {
	case err != nil:
		return denial{}, err
	case !ok:
		return denial{}, nil
	case len(value) != entrySize:
		return denial{}, errEntry
	}
	return denial{
		time.UnixMilli(int64(binary.BigEndian.Uint64(value))), time.UnixMilli(int64(binary.BigEndian.Uint64(value[8:]))),
	}, nil
}

// Revoked implements verifier.RevocationStore.
func (c *overCache) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	now, times := c.clock.Now(), make([]time.Time, len(keys))
	for i, key := range keys {
		if err := check(ctx, key); err != nil {
			return nil, err
		}
		d, err := c.get(ctx, key)
		if err != nil {
			return nil, err
		}
		if d.holds(now) {
			times[i] = d.at
		}
	}
	return times, ctx.Err()
}
