package memcache_test

import (
	"encoding/hex"
	"sync"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
	"github.com/portcullis-go/portcullis/verifier"
)

// harness has a proxy for each store, so that one can fail without the others.
func harness(t *testing.T, config memcache.Config) conformance.CacheHarness {
	server := memcachetest.Start(t, "-m", "512", "-c", "4096")
	var proxies sync.Map // *memcache.Store -> *faultproxy.Proxy
	proxyOf := func(cache verifier.Cache) *faultproxy.Proxy {
		proxy, _ := proxies.Load(cache)
		return proxy.(*faultproxy.Proxy)
	}
	return conformance.CacheHarness{
		Options: conformance.Options{
			Implementation: "cacheadapter/memcache",
			ExpectedSkips:  expectedSkips(),
			Profiles:       []conformance.Profile{conformance.FitAsCache()},
		},
		New: func(env *conformance.Env) (verifier.Cache, error) {
			proxy, err := faultproxy.New(server.Addr)
			if err != nil {
				return nil, err
			}
			env.Cleanup(proxy.Close)
			config := config
			config.Prefix = prefix(env.Namespace)
			// A Get that hangs has two connections, each with two goroutines of
			// the proxy, which the suite counts as well.
			config.MaxInFlight = 200
			store, err := memcache.New(memcachetest.Client(proxy.Addr), config)
			if err != nil {
				return nil, err
			}
			proxies.Store(store, proxy)
			return store, nil
		},
		MinTTL: time.Second,
		Shared: true,
		Break:  func(cache verifier.Cache) (repair func()) { return proxyOf(cache).Break() },
		Hang:   func(cache verifier.Cache) (release func()) { return proxyOf(cache).Hang() },
	}
}

// prefix encodes namespaces that have other characters than a prefix may.
func prefix(namespace string) string {
	if _, err := memcache.New(gomemcache.New(), memcache.Config{Prefix: namespace}); err == nil {
		return namespace
	}
	return hex.EncodeToString([]byte(namespace))
}

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.TestCache(t, harness(t, memcache.Config{}))
}

// TestConformanceWithGenerationTTL: all rules hold, with the promise of Clear that
// the option states.
func TestConformanceWithGenerationTTL(t *testing.T) {
	t.Parallel()
	const ttl = 200 * time.Millisecond
	h := harness(t, memcache.Config{GenerationTTL: ttl})
	h.Implementation = "" // the report is of the defaults
	h.Lag = ttl
	conformance.TestCache(t, h)
}

// expectedSkips are the limits of this backend.
func expectedSkips() map[string]string {
	return map[string]string{
		"quota-is-per-proof-key":                      "memcached has no quota of a proof key",
		"entry-is-gone-exactly-at-its-end":            "memcached's time cannot be set",
		"full-store-takes-keys-again-after-their-ttl": "the tests' server has room",
		"expired-entries-give-their-room-back":        "memcached has a bound of its own",
		"ended-keys-give-their-room-back":             "memcached has a bound of its own",
		"stored-keys-are-keys-like-others":            "the suite knows the hash that is used",
	}
}
