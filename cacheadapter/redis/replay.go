package redis

import (
	"context"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Add implements verifier.ReplayStore. Clear never removes what it remembers.
func (s *Store) Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	if ttl <= 0 {
		return true, ctx.Err()
	}
	key = s.replay + key
	// The record says which call made it. The client repeats a command whose
	// answer was lost, and a whole pipeline with it, and then finds a record
	// that may be its own.
	record := s.writer + "." + strconv.FormatUint(s.records.Add(1), 36)
	c := &call{
		key:   key,
		cmd:   goredis.NewCmd(ctx, "set", key, record, "px", milliseconds(ttl), "nx"),
		size:  len(key) + len(record) + overhead,
		again: func() *goredis.Cmd { return goredis.NewCmd(ctx, "get", key) },
	}
	answer, err := s.do(ctx, "add", proofs, c)
	if err != nil {
		return false, err
	}
	if c.again != nil { // the answer to SET
		if answer != "OK" {
			return false, failure("add", errUnexpected)
		}
		return true, nil
	}
	if answer == nil {
		// To GET: the record ended just now, or a fail-over lost it. In the second
		// case another try would accept a replay.
		return false, failure("add", errUndecided)
	}
	return answer == record, nil
}
