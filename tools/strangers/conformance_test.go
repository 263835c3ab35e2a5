package strangers

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/rueidis"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
	"github.com/portcullis-go/portcullis/verifier"
)

func named(name string) conformance.Options { return conformance.Options{Implementation: name} }

// report fails a test of an adapter that breaks a rule.
func report(t *testing.T, h conformance.CacheHarness) {
	t.Helper()
	r := conformance.RunCache(t.Context(), h)
	t.Log(r)
	for _, one := range r.With(conformance.Failed) {
		t.Errorf("%s/%s: %s", one.Interface, one.Check, one.Detail)
	}
	record(t, r)
}

func TestRistretto(t *testing.T) {
	t.Parallel()
	report(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			b, err := newRistretto()
			if err == nil {
				env.Cleanup(b.c.Close)
			}
			return newCache(b, env.Namespace), err
		},
		Options: named("Ristretto v2 (cache alone)"),
	})
}

func TestFreeCache(t *testing.T) {
	t.Parallel()
	b := newFreeCache()
	report(t, conformance.CacheHarness{
		New:    func(env *conformance.Env) (verifier.Cache, error) { return newCache(b, env.Namespace), nil },
		Shared: true, MinTTL: time.Millisecond,
		Options: named("freecache (cache alone)"),
	})
}

func TestTTLCache(t *testing.T) {
	t.Parallel()
	b := newTTLCache()
	report(t, conformance.CacheHarness{
		New:    func(env *conformance.Env) (verifier.Cache, error) { return store{newCache(b, env.Namespace)}, nil },
		Shared: true, MinTTL: time.Millisecond,
		Options: named("ttlcache v3"),
	})
}

func TestBadger(t *testing.T) {
	t.Parallel()
	db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil).WithMemTableSize(16 << 20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	report(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			return store{newCache(limit(badgerBackend{db}), env.Namespace)}, nil
		},
		Shared: true, MinTTL: time.Millisecond,
		Options: named("Badger v4"),
	})
}

func TestBolt(t *testing.T) {
	t.Parallel()
	b, err := newBolt(filepath.Join(t.TempDir(), "bolt.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close() })
	report(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			return store{newCache(limit(b), env.Namespace)}, nil
		},
		Shared: true, MinTTL: time.Millisecond,
		HangWrites: func(verifier.Cache) func() { // one writer at a time; readers go on
			tx, err := b.db.Begin(true)
			if err != nil {
				t.Error(err)
				return func() {}
			}
			return sync.OnceFunc(func() { _ = tx.Rollback() })
		},
		Options: named("bbolt"),
	})
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	b, err := newSQLite(filepath.Join(t.TempDir(), "sqlite.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close() })
	report(t, conformance.CacheHarness{
		New:    func(env *conformance.Env) (verifier.Cache, error) { return store{newCache(b, env.Namespace)}, nil },
		Shared: true, MinTTL: time.Millisecond,
		Hang: func(verifier.Cache) func() { // the pool's one connection is taken
			conn, err := b.db.Conn(context.Background())
			if err != nil {
				t.Error(err)
				return func() {}
			}
			return sync.OnceFunc(func() { _ = conn.Close() })
		},
		Options: named("SQLite (modernc.org/sqlite)"),
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func TestRueidis(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	server := exec.CommandContext(t.Context(), "redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Wait() })
	address := fmt.Sprint("127.0.0.1:", port)
	proxies := make(map[backend]*faultproxy.Proxy)
	var mu sync.Mutex
	of := func(c verifier.Cache) *faultproxy.Proxy {
		mu.Lock()
		defer mu.Unlock()
		return proxies[c.(store).b]
	}
	report(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			proxy, err := faultproxy.New(address)
			if err != nil {
				return nil, err
			}
			env.Cleanup(proxy.Close)
			var client rueidis.Client
			for range 100 { // until the server listens
				client, err = rueidis.NewClient(rueidis.ClientOption{
					InitAddress: []string{proxy.Addr}, DisableCache: true,
					DisableRetry:     true, // or a call to a server that is down lasts as long as its context
					AlwaysPipelining: true, // or a lone call whose context is canceled lasts until the answer
					Dialer:           net.Dialer{Timeout: time.Second},
				})
				if err == nil {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			if err != nil {
				return nil, err
			}
			env.Cleanup(client.Close)
			b := limit(rueidisBackend{client}) // or a call behind a full ring waits for a place, whatever its context
			mu.Lock()
			defer mu.Unlock()
			proxies[b] = proxy
			return store{newCache(b, env.Namespace)}, nil
		},
		Shared: true, MinTTL: time.Millisecond,
		Break:   func(c verifier.Cache) func() { return of(c).Break() },
		Hang:    func(c verifier.Cache) func() { return of(c).Hang() },
		Options: named("rueidis on redis-server"),
	})
}

func TestNATS(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready")
	}
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "portcullis", Storage: jetstream.MemoryStorage, History: 1})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_portcullis")
	if err != nil {
		t.Fatal(err)
	}
	b := natsBackend{kv, stream}
	report(t, conformance.CacheHarness{
		New:    func(env *conformance.Env) (verifier.Cache, error) { return store{newCache(b, env.Namespace)}, nil },
		Shared: true, MinTTL: time.Millisecond,
		Options: named("NATS JetStream KV"),
	})
}

func TestEtcd(t *testing.T) {
	t.Parallel()
	local := func() url.URL { return url.URL{Scheme: "http", Host: fmt.Sprint("127.0.0.1:", freePort(t))} }
	client, peer := local(), local()
	config := embed.NewConfig()
	config.Dir, config.LogLevel, config.UnsafeNoFsync = t.TempDir(), "fatal", true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("the server is not ready")
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{client.String()}, DialTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b := etcdBackend{c}
	report(t, conformance.CacheHarness{
		New:    func(env *conformance.Env) (verifier.Cache, error) { return store{newCache(b, env.Namespace)}, nil },
		Shared: true, MinTTL: time.Millisecond,
		Options: named("etcd v3"),
	})
}
