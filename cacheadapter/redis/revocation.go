package redis

import (
	"context"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// revoke writes the later of two times, with the later of two ends, in one step. A
// client that repeats it does no harm.
const revoke = `local at, ttl = ARGV[1], tonumber(ARGV[2])
local old = redis.call('GET', KEYS[1])
if old then
	ttl = math.max(ttl, redis.call('PTTL', KEYS[1]))
	if tonumber(old) > tonumber(at) then at = old end
end
return redis.call('SET', KEYS[1], at, 'PX', string.format('%.0f', ttl))`

// Revoke implements verifier.RevocationStore. Clear never removes what it
// remembers.
func (s *Store) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	if ttl <= 0 {
		return failure("revoke", ctx.Err())
	}
	key = s.revoked + key
	answer, err := s.do(ctx, "revoke", proofs, &call{
		key: key,
		cmd: goredis.NewCmd(ctx, "eval", revoke, 1, key, ceilMillis(at), milliseconds(ttl)),
		// The script goes with it.
		size: len(key) + len(revoke) + overhead,
	})
	if err == nil && answer != "OK" {
		return failure("revoke", errUnexpected)
	}
	return err
}

// Revoked implements verifier.RevocationStore. It sees at once what any process has
// revoked. The keys are asked for together.
func (s *Store) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	calls := make([]*call, len(keys))
	for i, key := range keys {
		key = s.revoked + key
		calls[i] = &call{key: key, cmd: goredis.NewCmd(ctx, "get", key), size: len(key) + overhead}
	}
	answers, err := s.doAll(ctx, "revoked", proofs, calls)
	if err != nil {
		return nil, err
	}
	times := make([]time.Time, len(keys))
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		text, _ := answer.(string)
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, failure("revoked", errUnexpected)
		}
		times[i] = time.UnixMilli(at)
	}
	return times, nil
}

// ceilMillis returns a time in milliseconds since 1970, rounded up.
func ceilMillis(t time.Time) int64 {
	n := t.UnixMilli()
	if time.UnixMilli(n).Before(t) {
		n++
	}
	return n
}
