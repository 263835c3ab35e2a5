package redis

import (
	"context"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// overhead is about what a command has besides key and value, in bytes.
const overhead = 64

// Get implements verifier.Cache.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	key = s.cache + key
	answer, err := s.do(ctx, "get", entries, &call{
		key:  key,
		cmd:  goredis.NewCmd(ctx, "get", key),
		size: len(key) + overhead + answerSize,
	})
	if err != nil || answer == nil {
		return nil, false, err
	}
	text, ok := answer.(string)
	if !ok {
		return nil, false, failure("get", errUnexpected)
	}
	// The conversion makes a slice of its own, empty but not nil for an empty
	// value.
	return []byte(text), true, nil
}

// Set implements verifier.Cache. It refuses values beyond
// Config.MaxValueSize with [ErrTooLarge].
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return s.Delete(ctx, key)
	}
	if len(value) > s.maxValue {
		return ErrTooLarge
	}
	key = s.cache + key
	answer, err := s.do(ctx, "set", entries, &call{
		key: key,
		// A call that is given up still writes, when the caller may have
		// changed its slice already.
		cmd:  goredis.NewCmd(ctx, "set", key, slices.Clone(value), "px", milliseconds(ttl)),
		size: len(key) + len(value) + overhead,
	})
	if err == nil && answer != "OK" {
		return failure("set", errUnexpected)
	}
	return err
}

// Delete implements verifier.Cache.
func (s *Store) Delete(ctx context.Context, key string) error {
	key = s.cache + key
	answer, err := s.do(ctx, "delete", entries, &call{
		key:  key,
		cmd:  goredis.NewCmd(ctx, "del", key),
		size: len(key) + overhead,
	})
	if _, ok := answer.(int64); err == nil && !ok {
		return failure("delete", errUnexpected)
	}
	return err
}

// milliseconds rounds a positive ttl up to what Redis counts in.
func milliseconds(ttl time.Duration) int64 {
	n := int64(ttl / time.Millisecond)
	if ttl%time.Millisecond != 0 && n < maxMilliseconds {
		n++
	}
	return n
}

// maxMilliseconds is what the longest ttl has.
const maxMilliseconds = (1<<63 - 1) / int64(time.Millisecond)
