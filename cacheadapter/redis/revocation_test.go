package redis_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

var _ verifier.RevocationStore = (*redis.Store)(nil)

func TestRevocations(t *testing.T) {
	server := redistest.Start(t)
	at := time.UnixMilli(1777636800123)
	a, b := newStore(t, server.Client(nil), redis.Config{}), newStore(t, server.Client(nil), redis.Config{})
	revoked := func(key string) time.Time {
		t.Helper()
		times, err := b.Revoked(t.Context(), []string{"never", key})
		if err != nil || len(times) != 2 || !times[0].IsZero() {
			t.Fatalf("Revoked = %v, %v", times, err)
		}
		return times[1]
	}
	if err := a.Revoke(t.Context(), "k", at.Add(1), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := revoked("k"); !got.Equal(at.Add(time.Millisecond)) {
		t.Errorf("another process sees %v; want the time, rounded up", got)
	}
	if err := b.Revoke(t.Context(), "k", at.Add(-time.Hour), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := revoked("k"); !got.Equal(at.Add(time.Millisecond)) {
		t.Errorf("an earlier time replaced the later one: %v", got)
	}
	if ttl := server.Client(nil).PTTL(t.Context(), "portcullis|v|k").Val(); ttl < 59*time.Minute {
		t.Errorf("the key ends in %v; want the later end", ttl)
	}
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if revoked("k").IsZero() {
		t.Error("Clear removed a revocation")
	}
	if err := a.Revoke(t.Context(), "nothing", at, 0); err != nil || !revoked("nothing").IsZero() {
		t.Errorf("Revoke without ttl = %v; want nil and no effect", err)
	}
	if err := a.Revoke(t.Context(), "long", at, 292*365*24*time.Hour); err != nil || revoked("long").IsZero() {
		t.Errorf("Revoke with the longest ttl = %v", err)
	}
	server.Do("SET", "portcullis|v|odd", "x")
	if _, err := b.Revoked(t.Context(), []string{"odd"}); err == nil || strings.Contains(err.Error(), "x\"") {
		t.Errorf("Revoked = %v; what cannot be read must be an error", err)
	}
}

// Of many times that are written at once the latest stays.
func TestRevocationsAtOnce(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server.Client(nil), redis.Config{})
	base := time.UnixMilli(1777636800000)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := store.Revoke(t.Context(), "k", base.Add(time.Duration(i*7%200)*time.Millisecond), time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	times, err := store.Revoked(t.Context(), []string{"k"})
	if err != nil || !times[0].Equal(base.Add(199*time.Millisecond)) {
		t.Errorf("Revoked = %v, %v; want the latest", times, err)
	}
}

func TestRevocationsOfACluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	client := cluster.Client(func(*goredis.ClusterOptions) {})
	store := newStore(t, client, redis.Config{})
	var keys []string
	for i := range 50 { // on all masters
		keys = append(keys, fmt.Sprint("key-", i))
		if err := store.Revoke(t.Context(), keys[i], time.UnixMilli(int64(1000+i)), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		times, err := store.Revoked(t.Context(), keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range times {
			if at.UnixMilli() != int64(1000+i) {
				t.Errorf("key %d was revoked at %v", i, at)
			}
		}
	}
}

// TestRevocationConformance runs the suite of revocation stores against a server
// and a Cluster.
func TestRevocationConformance(t *testing.T) {
	run := func(t *testing.T, dial func(*redistest.Network) goredis.UniversalClient) {
		var networks sync.Map // *redis.Store -> *redistest.Network
		networkOf := func(store verifier.RevocationStore) *redistest.Network {
			network, _ := networks.Load(store)
			return network.(*redistest.Network)
		}
		conformance.TestRevocationStore(t, conformance.RevocationStoreHarness{
			Options: conformance.Options{ExpectedSkips: map[string]string{"full-store-takes-keys-again": "its operator says how much a server holds"}},
			New: func(env *conformance.Env) (verifier.RevocationStore, error) {
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
			Break:  func(store verifier.RevocationStore) (repair func()) { return networkOf(store).Break() },
			Hang:   func(store verifier.RevocationStore) (release func()) { return networkOf(store).Hang() },
		})
	}
	t.Run("single", func(t *testing.T) {
		server := redistest.Start(t)
		run(t, func(n *redistest.Network) goredis.UniversalClient {
			return goredis.NewClient(&goredis.Options{Addr: server.Addr, Dialer: n.Dial})
		})
	})
	t.Run("Cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t)
		run(t, func(n *redistest.Network) goredis.UniversalClient {
			return goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: cluster.Addrs(), Dialer: n.Dial})
		})
	})
}
