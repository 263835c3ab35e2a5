package redis_test

import (
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// The pauses before the client tries again are short: many checks break the
// connection, and each call is tried as often as by default.
const minBackoff, maxBackoff = time.Millisecond, 8 * time.Millisecond

// By default a client dials five times, 100 ms apart, in each of its tries and for
// each Sentinel, before it says that nothing listens. The suite has hundreds of calls
// to what is down; TestFaults has the defaults.
const dials, dialBackoff = 2, 5 * time.Millisecond

// TestConformance runs the suites against every kind of Redis. Each store has a
// network of its own, so that one can fail without the others.
func TestConformance(t *testing.T) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, "--maxclients", "4096")
		conform(t, "cacheadapter/redis", func(n *redistest.Network) goredis.UniversalClient {
			return goredis.NewClient(&goredis.Options{Addr: server.Addr, Dialer: n.Dial, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff, DialerRetries: dials, DialerRetryTimeout: dialBackoff})
		})
	})
	t.Run("Cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, "--maxclients", "4096")
		conform(t, "cacheadapter/redis (Cluster)", func(n *redistest.Network) goredis.UniversalClient {
			return goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: cluster.Addrs(), Dialer: n.Dial, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff, DialerRetries: dials, DialerRetryTimeout: dialBackoff})
		})
	})
	t.Run("Sentinel", func(t *testing.T) {
		t.Parallel()
		sentinel := redistest.StartSentinel(t, "--maxclients", "4096")
		conform(t, "cacheadapter/redis (Sentinel)", func(n *redistest.Network) goredis.UniversalClient {
			return goredis.NewFailoverClient(&goredis.FailoverOptions{
				MasterName: redistest.MasterName, SentinelAddrs: sentinel.Addrs(), Dialer: n.Dial, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff,
				DialerRetries: dials, DialerRetryTimeout: dialBackoff,
			})
		})
	})
}

func conform(t *testing.T, subject string, dial func(*redistest.Network) goredis.UniversalClient) {
	var networks sync.Map // *redis.Store -> *redistest.Network
	networkOf := func(cache verifier.Cache) *redistest.Network {
		network, _ := networks.Load(cache)
		return network.(*redistest.Network)
	}
	conformance.TestCache(t, conformance.CacheHarness{
		Options: conformance.Options{
			Implementation: subject,
			ExpectedSkips:  expectedSkips(),
			Profiles:       []conformance.Profile{conformance.FitAsCache()},
		},
		New: func(env *conformance.Env) (verifier.Cache, error) {
			network := new(redistest.Network)
			client := dial(network)
			env.Cleanup(func() {
				network.Close()
				_ = client.Close()
			})
			store, err := redis.New(client, redis.Config{Prefix: env.Namespace})
			if err != nil {
				return nil, err
			}
			networks.Store(store, network)
			return store, nil
		},
		MinTTL: time.Millisecond,
		Shared: true,
		Break:  func(cache verifier.Cache) (repair func()) { return networkOf(cache).Break() },
		Hang:   func(cache verifier.Cache) (release func()) { return networkOf(cache).Hang() },
	})
}

// expectedSkips are the limits of this backend.
func expectedSkips() map[string]string {
	const now = "redis-server's time cannot be set"
	return map[string]string{
		"quota-is-per-proof-key":                      "Redis has no quota of a proof key",
		"tiny-ttl-is-rounded-up":                      "a ttl below its millisecond is a millisecond, which is over before a test looks",
		"entry-is-gone-exactly-at-its-end":            now,
		"full-store-takes-keys-again-after-their-ttl": "the tests' servers have no bound",
		"expired-entries-give-their-room-back":        "redis-server removes what has expired by itself",
		"ended-keys-give-their-room-back":             "redis-server removes what has expired by itself",
		"stored-keys-are-keys-like-others":            "no key is stored under another name",
	}
}
