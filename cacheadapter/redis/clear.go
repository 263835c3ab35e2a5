package redis

import (
	"context"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// scanCount is how many keys Redis looks at in one step of a scan. It blocks
// for about as many microseconds.
const scanCount = 500

// Clear implements verifier.Clearer: it removes the cache entries under the
// prefix from every master, and no replay records. It walks through the key
// space of the servers step by step, so it takes as long as they are large.
// Entries that are written while it runs may stay, and so may those of a
// Cluster slot that moves meanwhile.
func (s *Store) Clear(ctx context.Context) error {
	return s.alone(ctx, "clear", func(ctx context.Context) error {
		return s.eachMaster(ctx, s.clearServer)
	})
}

type masters interface {
	ForEachMaster(ctx context.Context, f func(context.Context, *goredis.Client) error) error
}

type shards interface {
	ForEachShard(ctx context.Context, f func(context.Context, *goredis.Client) error) error
}

// eachMaster refuses clients of a kind that it does not know: one that hides a
// Cluster would scan a single server of it.
func (s *Store) eachMaster(ctx context.Context, f func(context.Context, *goredis.Client) error) error {
	switch client := s.client.(type) {
	case masters:
		return client.ForEachMaster(ctx, f)
	case shards:
		return client.ForEachShard(ctx, f)
	case *goredis.Client:
		return f(ctx, client)
	default:
		return errUnknownClient
	}
}

func (s *Store) clearServer(ctx context.Context, server *goredis.Client) error {
	pattern := escapeGlob(s.cache) + "*"
	for cursor := uint64(0); ; {
		keys, next, err := server.Scan(ctx, cursor, pattern, scanCount).Result()
		if err != nil {
			return err
		}
		if err := s.unlink(ctx, keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// unlink goes through the client as a whole, which knows where a slot is now,
// with a command for each key, for they are of different slots.
func (s *Store) unlink(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for _, key := range keys {
			p.Unlink(ctx, key)
		}
		return nil
	})
	return err
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// escapeGlob makes a pattern that matches the text only.
func escapeGlob(text string) string { return globEscaper.Replace(text) }
