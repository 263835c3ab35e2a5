package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/faulttest"
	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// durable are the options of a server that forgets nothing that it has
// acknowledged.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}

// rig is what a fault needs of servers and what lies before them.
type rig struct {
	server *redistest.Server
	proxy  *faultproxy.Proxy
	client goredis.UniversalClient

	cluster  *redistest.Cluster
	sentinel *redistest.Sentinel
	prefix   string
}

func single(t *testing.T, options ...string) *rig {
	server := redistest.Start(t, slices.Concat(durable, options)...)
	proxy := faultproxy.Start(t, server.Addr)
	return &rig{server: server, proxy: proxy, client: redistest.Client(t, proxy.Addr, nil)}
}

// TestFaults verifies requests while Redis fails in all ways. It prints the
// table of docs/adapters-under-fault.md.
func TestFaults(t *testing.T) {
	with := func(start func(t *testing.T) *rig) func(*testing.T) (*rig, faulttest.Store) {
		return func(t *testing.T) (*rig, faulttest.Store) {
			r := start(t)
			return r, newStore(t, r.client, redis.Config{Prefix: r.prefix})
		}
	}
	one := func(options ...string) func(*testing.T) (*rig, faulttest.Store) {
		return with(func(t *testing.T) *rig { return single(t, options...) })
	}
	faulttest.Run(t, []faulttest.Fault[*rig]{
		{Name: "kill -9, restart after 2 s", Make: one(), Cause: killed, Outage: true},
		{Name: "SIGSTOP for 10 s", Make: one(), Cause: frozen, Outage: true},
		{Name: "all connections reset every 100 ms", Make: one(), Cause: reset},
		{Name: "2 s of latency", Make: one(), Cause: delayed, Outage: true},
		{Name: "memory full, noeviction", Make: one(), Cause: full, Outage: true},
		{Name: "READONLY replica", Make: one(), Cause: readOnly, Outage: true},
		{Name: "Cluster slot moves 40 times", Make: with(moving), Cause: move},
		{Name: "memory full, allkeys-lru", Make: one("--maxmemory-policy", "allkeys-lru"), Cause: evicting, Loses: true},
		{Name: "kill -9 without persistence", Make: one("--appendonly", "no"), Cause: killed, Outage: true, Loses: true},
		{Name: "kill -9 with appendfsync everysec", Make: one("--appendfsync", "everysec"), Cause: killed, Outage: true, Loses: true},
		{Name: "Sentinel fail-over, replica in step", Make: with(watched), Cause: failOver, Loses: true},
		{Name: "Sentinel fail-over, replica behind", Make: with(watched), Cause: failOverBehind, Loses: true},
	})
}

func killed(_ *testing.T, l *faulttest.Load, r *rig)  { faulttest.Kill(l, r.server) }
func frozen(_ *testing.T, l *faulttest.Load, r *rig)  { faulttest.Freeze(l, r.server) }
func reset(_ *testing.T, l *faulttest.Load, r *rig)   { faulttest.Reset(l, r.proxy) }
func delayed(_ *testing.T, l *faulttest.Load, r *rig) { faulttest.Delay(l, r.proxy) }

func full(_ *testing.T, l *faulttest.Load, r *rig) {
	// What is there by then is more than the limit.
	r.server.Do("CONFIG", "SET", "maxmemory", "1")
	l.Hold()
	r.server.Do("CONFIG", "SET", "maxmemory", "0")
}

func readOnly(t *testing.T, l *faulttest.Load, r *rig) {
	// Of a master that is not there: the data stays, writes are refused.
	r.server.Do("REPLICAOF", "127.0.0.1", faulttest.FreePort(t))
	l.Hold()
	r.server.Do("REPLICAOF", "NO", "ONE")
}

// moving is a Cluster in which all keys of the store are in one slot.
func moving(t *testing.T) *rig {
	cluster := redistest.StartCluster(t, durable...)
	return &rig{cluster: cluster, client: cluster.Client(nil), prefix: "{slot}"}
}

func move(_ *testing.T, l *faulttest.Load, r *rig) {
	slot := r.cluster.Servers[0].Do("CLUSTER", "KEYSLOT", r.prefix)
	var at, other *redistest.Server
	for _, server := range r.cluster.Servers {
		if server.Do("CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			at = server
		} else {
			other = server
		}
	}
	l.Next()
	for range 40 {
		r.cluster.MoveSlot(slot, at, other)
		at, other = other, at
		l.Run(50 * time.Millisecond)
	}
	l.Cold()
	l.Next()
}

// evicting writes what others could, until records are dropped.
func evicting(t *testing.T, l *faulttest.Load, r *rig) {
	used := int64(0)
	for line := range strings.Lines(r.server.Do("INFO", "memory")) {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &used)
	}
	r.server.Do("CONFIG", "SET", "maxmemory", used+4<<20)
	l.Next()
	client := r.server.Client(nil)
	for i := range 3000 {
		_ = client.Set(t.Context(), fmt.Sprint("others ", i), strings.Repeat("v", 4096), 0)
	}
	l.Run(time.Second)
	l.Cold()
	l.Next()
	r.server.Do("CONFIG", "SET", "maxmemory", "0")
}

func watched(t *testing.T) *rig {
	sentinel := redistest.StartSentinel(t, durable...)
	return &rig{server: sentinel.Master, sentinel: sentinel, client: sentinel.Client(nil)}
}

func failOver(_ *testing.T, l *faulttest.Load, r *rig) {
	r.server.Do("WAIT", 1, 1000)
	r.server.Kill()
	l.Next()
	l.Cold()
	r.sentinel.WaitForFailover()
	l.Next()
}

// failOverBehind lets the master die when it has answered for a second what its
// replica has not heard of, because the connection is full.
func failOverBehind(t *testing.T, l *faulttest.Load, r *rig) {
	r.sentinel.Replica.Freeze()
	client := r.server.Client(nil)
	for i := range 32 {
		if err := client.Set(t.Context(), fmt.Sprint("others ", i), strings.Repeat("v", 1<<20), time.Minute).Err(); err != nil {
			t.Error(err)
		}
	}
	l.Run(time.Second)
	r.server.Kill()
	r.sentinel.Replica.Thaw()
	l.Next()
	l.Cold()
	r.sentinel.WaitForFailover()
	l.Next()
}
