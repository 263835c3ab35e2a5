package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Add implements verifier.ReplayStore. Clear never removes what it remembers.
func (s *Store) Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	if ttl <= 0 {
		return true, ctx.Err()
	}
	// The record says which call made it. The client repeats a command whose
	// answer was lost, and then finds a record that may be its own.
	record := s.writer + "." + strconv.FormatUint(s.records.Add(1), 36)
	return call(ctx, s, "add", func(ctx context.Context) (bool, error) {
		added, err := s.client.SetNX(ctx, s.replay+key, record, milliseconds(ttl)).Result()
		if added || err != nil {
			return added && err == nil, err
		}
		held, err := s.client.Get(ctx, s.replay+key).Result()
		if errors.Is(err, goredis.Nil) {
			// It expired just now, or a replica is asked that is behind.
			return false, errUndecided
		}
		return held == record && err == nil, err
	})
}
