package memcache_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"sync/atomic"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/faulttest"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// selector is one of a caller's, which panics on request.
type selector struct {
	gomemcache.ServerList
	panics atomic.Bool
}

func (s *selector) PickServer(key string) (net.Addr, error) {
	if s.panics.Load() {
		panic("secret of a selector")
	}
	return s.ServerList.PickServer(key)
}

func TestCalls(t *testing.T) {
	server := memcachetest.Start(t, "-c", "4096")
	for name, ttl := range map[string]time.Duration{"generation asked for": 0, "generation remembered": time.Second} {
		t.Run(name, func(t *testing.T) {
			faulttest.Calls(t, memcache.ErrBusy, func(t *testing.T, inFlight int) faulttest.Caller {
				proxy := faultproxy.Start(t, server.Addr)
				selector := new(selector)
				if err := selector.SetServers(proxy.Addr); err != nil {
					t.Fatal(err)
				}
				client := gomemcache.NewFromSelector(selector)
				client.Timeout = 3 * time.Second
				sum := sha256.Sum256([]byte(t.Name()))
				return faulttest.Caller{
					Store: newStore(t, client, memcache.Config{Prefix: hex.EncodeToString(sum[:]), MaxInFlight: inFlight, GenerationTTL: ttl}),
					Hang:  proxy.Hang,
					Panic: func() (stop func()) {
						selector.panics.Store(true)
						return func() { selector.panics.Store(false) }
					},
				}
			})
		})
	}
}
