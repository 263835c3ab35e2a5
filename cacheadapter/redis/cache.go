package redis

import (
	"context"
	"errors"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Get implements verifier.Cache.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	value, err = call(ctx, s, "get", func(ctx context.Context) ([]byte, error) {
		text, err := s.client.Get(ctx, s.cache+key).Result()
		if errors.Is(err, goredis.Nil) {
			return nil, nil
		}
		// The conversion makes a slice of its own, empty but not nil for an
		// empty value.
		return []byte(text), err
	})
	return value, value != nil && err == nil, err
}

// Set implements verifier.Cache. It refuses values beyond
// Options.MaxValueSize with [ErrTooLarge].
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return s.Delete(ctx, key)
	}
	if len(value) > s.maxValue {
		return ErrTooLarge
	}
	// A call that is given up still writes, when the caller may have changed
	// its slice already.
	value = slices.Clone(value)
	_, err := call(ctx, s, "set", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.client.Set(ctx, s.cache+key, value, milliseconds(ttl)).Err()
	})
	return err
}

// Delete implements verifier.Cache.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := call(ctx, s, "delete", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.client.Del(ctx, s.cache+key).Err()
	})
	return err
}

// milliseconds rounds a positive ttl up to what Redis counts in. The result is
// never one of the values that mean something else to the client: 0 for ever,
// -1 for the ttl that is there.
func milliseconds(ttl time.Duration) time.Duration {
	if rest := ttl % time.Millisecond; rest != 0 {
		ttl -= rest
		if ttl <= maxDuration-time.Millisecond {
			ttl += time.Millisecond
		}
	}
	return ttl
}

const maxDuration = time.Duration(1<<63 - 1)
