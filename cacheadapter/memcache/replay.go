package memcache

import (
	"context"
	"errors"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"
)

// Add implements verifier.ReplayStore, as far as memcached remembers: see the
// package comment. Clear never removes what it remembers.
func (s *Store) Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	if ttl <= 0 {
		return true, ctx.Err()
	}
	seconds, exact := expiration(s.now(), ttl)
	if !exact {
		seconds = 0 // for as long as the server lives: rather than too short
	}
	return call(ctx, s, "add", func() (bool, error) {
		// The client does not repeat commands, so a record that is there is of
		// another call.
		err := s.client.Add(&gomemcache.Item{Key: name(s.replay, key), Expiration: seconds})
		if errors.Is(err, gomemcache.ErrNotStored) {
			return false, nil
		}
		return err == nil, err
	})
}
