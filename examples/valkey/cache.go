// Package valkeycache is a cache and replay store for Portcullis on a client
// that Portcullis does not know: valkey-go, for Valkey and Redis. It imports
// nothing of Portcullis but in its test.
package valkeycache

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// Cache is a verifier.Cache, verifier.Clearer and verifier.ReplayStore. The
// server must not evict (maxmemory-policy noeviction) if it is used as a
// store.
type Cache struct {
	client          valkey.Client
	entries, proofs string // prefixes, neither of which begins the other
	places          chan struct{}
}

// most is how many calls can be in flight. The client's ring has 1024 places, which
// calls that were given up keep until the server answers; who finds it full waits,
// whatever its context.
const most = 512

var errBusy = errors.New("valkeycache: too many calls in flight")

// New returns a cache whose keys begin with prefix. The caller owns client,
// and should make it with DisableRetry, or it repeats what failed until the
// context of the call is done; with AlwaysPipelining, or a call whose context ends
// closes its connection; and with a short Dialer.Timeout, 5 seconds by default: a call
// that needs a new connection waits so long for a server that hangs, whatever its own
// context says.
func New(client valkey.Client, prefix string) (*Cache, error) {
	if client == nil || prefix == "" {
		return nil, errors.New("valkeycache: no client or no prefix")
	}
	return &Cache{client, prefix + "c:", prefix + "r:", make(chan struct{}, most)}, nil
}

// do holds a place until the server has answered, and returns when ctx is done. What
// is beyond the bound fails at once.
func (c *Cache) do(ctx context.Context, command valkey.Completed) (answer valkey.ValkeyResult, err error) {
	if err := ctx.Err(); err != nil {
		return answer, err
	}
	select {
	case c.places <- struct{}{}:
	default:
		return answer, errBusy
	}
	answers := make(chan valkey.ValkeyResult, 1)
	go func() {
		defer func() { <-c.places }()
		answers <- c.client.Do(context.WithoutCancel(ctx), command)
	}()
	select {
	case answer = <-answers:
		return answer, answer.Error()
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

// Get returns the value of key.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	answer, err := c.do(ctx, c.client.B().Get().Key(c.entries+key).Build())
	if valkey.IsValkeyNil(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value, err := answer.AsBytes()
	return value, err == nil, err
}

// Set copies the value with the conversion; valkey.BinaryString would not.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return c.Delete(ctx, key)
	}
	_, err := c.do(ctx, c.client.B().Set().Key(c.entries+key).Value(string(value)).PxMilliseconds(milliseconds(ttl)).Build())
	return err
}

// Delete removes key.
func (c *Cache) Delete(ctx context.Context, key string) error {
	_, err := c.do(ctx, c.client.B().Del().Key(c.entries+key).Build())
	return err
}

// Add reports whether key was not there, and remembers it.
func (c *Cache) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if ttl <= 0 {
		return true, ctx.Err()
	}
	_, err := c.do(ctx, c.client.B().Set().Key(c.proofs+key).Value("").Nx().PxMilliseconds(milliseconds(ttl)).Build())
	if valkey.IsValkeyNil(err) {
		return false, nil
	}
	return err == nil, err
}

// Clear removes the entries, on every node, and no proofs.
func (c *Cache) Clear(ctx context.Context) error {
	for _, node := range c.client.Nodes() {
		for cursor, first := uint64(0), true; first || cursor != 0; first = false {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(literal(c.entries)+"*").Count(1000).Build()).AsScanEntry()
			if err != nil {
				return err
			}
			cursor = page.Cursor
			for _, key := range page.Elements {
				if err := c.client.Do(ctx, c.client.B().Unlink().Key(key).Build()).Error(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// milliseconds rounds up: 0 is refused by the server.
func milliseconds(ttl time.Duration) int64 {
	if ttl%time.Millisecond != 0 {
		return ttl.Milliseconds() + 1
	}
	return ttl.Milliseconds()
}

// literal is the pattern that fits s only.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}
