package redis_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/faulttest"
	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

func TestCalls(t *testing.T) {
	server := redistest.Start(t, "--maxclients", "4096")
	faulttest.Calls(t, redis.ErrBusy, func(t *testing.T, inFlight int) faulttest.Caller {
		proxy := faultproxy.Start(t, server.Addr)
		client := redistest.Client(t, proxy.Addr, nil)
		var panics atomic.Bool
		client.AddHook(hook(func(_ context.Context, _ []goredis.Cmder, next func() error) error {
			if panics.Load() {
				panic("secret of a hook")
			}
			return next()
		}))
		return faulttest.Caller{
			Store: newStore(t, client, redis.Config{Prefix: strings.ReplaceAll(t.Name(), "/", "."), MaxInFlight: inFlight}),
			Hang:  proxy.Hang,
			Panic: func() (stop func()) {
				panics.Store(true)
				return func() { panics.Store(false) }
			},
		}
	})
}
