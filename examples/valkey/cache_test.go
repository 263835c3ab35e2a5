package valkeycache_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
	valkeycache "github.com/portcullis-go/portcullis/examples/valkey"
	"github.com/portcullis-go/portcullis/verifier"
)

// TestCache gives each cache a proxy of its own: what breaks or hangs one of them
// leaves the others alone.
func TestCache(t *testing.T) {
	server := startServer(t)
	var proxies sync.Map // verifier.Cache -> *faultproxy.Proxy
	proxyOf := func(c verifier.Cache) *faultproxy.Proxy {
		proxy, _ := proxies.Load(c)
		return proxy.(*faultproxy.Proxy)
	}
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			proxy, err := faultproxy.New(server.address())
			if err != nil {
				return nil, err
			}
			env.Cleanup(proxy.Close)
			client := server.client(env, proxy.Addr)
			if client == nil {
				return nil, errors.New("no client")
			}
			cache, err := valkeycache.New(client, env.Namespace+":")
			proxies.Store(cache, proxy)
			return cache, err
		},
		MinTTL: time.Millisecond, Shared: true,
		Break: func(c verifier.Cache) func() { return proxyOf(c).Break() },
		Hang:  func(c verifier.Cache) func() { return proxyOf(c).Hang() },
	})
}
