package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
)

// durable are the options of a server that forgets nothing that it has
// acknowledged.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}

// rig is what a fault needs of servers and what lies before them.
type rig struct {
	server *redistest.Server
	proxy  *redistest.Proxy
	client goredis.UniversalClient

	cluster  *redistest.Cluster
	sentinel *redistest.Sentinel
	prefix   string
}

func single(t *testing.T, options ...string) *rig {
	server := redistest.Start(t, slices.Concat(durable, options)...)
	proxy := redistest.StartProxy(t, server.Addr)
	return &rig{server: server, proxy: proxy, client: redistest.Client(t, proxy.Addr, nil)}
}

// TestFaults verifies requests while Redis fails in all ways. It prints the
// table of docs/adapters-under-fault.md.
func TestFaults(t *testing.T) {
	faults := []struct {
		name string
		make func(t *testing.T) *rig
		// fault begins the phase during the fault once it is there, and the one
		// after it right before it ends it.
		fault func(t *testing.T, l *load, r *rig)
		// outage: Redis answers nothing, or no writes, during the fault.
		outage bool
		// loses: replays are counted, not forbidden.
		loses bool
	}{
		{"kill -9, restart after 2 s", func(t *testing.T) *rig { return single(t) }, killed, true, false},
		{"SIGSTOP for 10 s", func(t *testing.T) *rig { return single(t) }, frozen, true, false},
		{"all connections reset every 100 ms", func(t *testing.T) *rig { return single(t) }, reset, false, false},
		{"2 s of latency", func(t *testing.T) *rig { return single(t) }, delayed, true, false},
		{"memory full, noeviction", func(t *testing.T) *rig { return single(t) }, full, true, false},
		{"READONLY replica", func(t *testing.T) *rig { return single(t) }, readOnly, true, false},
		{"Cluster slot moves 40 times", moving, move, false, false},
		{"memory full, allkeys-lru", func(t *testing.T) *rig { return single(t, "--maxmemory-policy", "allkeys-lru") }, evicting, false, true},
		{"kill -9 without persistence", func(t *testing.T) *rig { return single(t, "--appendonly", "no") }, killed, true, true},
		{"kill -9 with appendfsync everysec", func(t *testing.T) *rig { return single(t, "--appendfsync", "everysec") }, killed, true, true},
		{"Sentinel fail-over, replica in step", watched, failOver, false, true},
		{"Sentinel fail-over, replica behind", watched, failOverBehind, false, true},
	}
	rows := make([]string, len(faults))
	// Side by side whatever -parallel says, for they wait most of the time, but
	// not all at once, for slow machines.
	var group sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, test := range faults {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(test.name, func(t *testing.T) {
				r := test.make(t)
				l := startLoad(t, newStore(t, r.client, redis.Options{Prefix: r.prefix}))
				l.run(2 * time.Second)
				test.fault(t, l, r)
				recovery := l.recover()
				l.run(1500 * time.Millisecond)
				again, of := l.audit()
				rows[i] = l.row(test.name, recovery, again, of)
				if again > 0 && !test.loses {
					t.Errorf("%d of %d proofs were accepted again; want none", again, of)
				}
				if of == 0 {
					t.Error("no proof was accepted at all")
				}
				if accepted := l.tallies[during][proven].within; test.outage && accepted > 0 {
					t.Errorf("%d proofs were accepted while Redis could not answer", accepted)
				}
			})
		})
	}
	group.Wait()
	t.Log("\n" + rowHeader + "\n" + strings.Join(rows, "\n"))
}

func killed(_ *testing.T, l *load, r *rig) {
	r.server.Kill()
	l.next()
	l.run(time.Second)
	l.cold()
	l.run(time.Second)
	l.next()
	r.server.Restart()
}

func frozen(_ *testing.T, l *load, r *rig) {
	r.server.Freeze()
	l.run(50 * time.Millisecond) // for requests on their way
	l.next()
	l.run(5 * time.Second)
	l.cold()
	l.run(5 * time.Second)
	l.next()
	r.server.Thaw()
}

func reset(_ *testing.T, l *load, r *rig) {
	l.next()
	for range 30 {
		r.proxy.Reset()
		l.run(100 * time.Millisecond)
	}
	l.cold()
	l.next()
}

func delayed(_ *testing.T, l *load, r *rig) {
	r.proxy.Delay(2 * time.Second)
	l.run(50 * time.Millisecond)
	l.next()
	l.run(3 * time.Second)
	l.cold()
	l.next()
	r.proxy.Delay(0)
}

func full(_ *testing.T, l *load, r *rig) {
	// What is there by then is more than the limit.
	r.server.Do("CONFIG", "SET", "maxmemory", "1")
	l.run(50 * time.Millisecond)
	l.next()
	l.run(3 * time.Second)
	l.cold()
	l.next()
	r.server.Do("CONFIG", "SET", "maxmemory", "0")
}

func readOnly(t *testing.T, l *load, r *rig) {
	// Of a master that is not there: the data stays, writes are refused.
	r.server.Do("REPLICAOF", "127.0.0.1", redistest.FreePort(t))
	l.run(50 * time.Millisecond)
	l.next()
	l.run(3 * time.Second)
	l.cold()
	l.next()
	r.server.Do("REPLICAOF", "NO", "ONE")
}

// moving is a Cluster in which all keys of the store are in one slot.
func moving(t *testing.T) *rig {
	cluster := redistest.StartCluster(t, durable...)
	return &rig{cluster: cluster, client: cluster.Client(nil), prefix: "{slot}"}
}

func move(_ *testing.T, l *load, r *rig) {
	slot := r.cluster.Servers[0].Do("CLUSTER", "KEYSLOT", r.prefix)
	var at, other *redistest.Server
	for _, server := range r.cluster.Servers {
		if server.Do("CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			at = server
		} else {
			other = server
		}
	}
	l.next()
	for range 40 {
		r.cluster.MoveSlot(slot, at, other)
		at, other = other, at
		l.run(50 * time.Millisecond)
	}
	l.cold()
	l.next()
}

// evicting writes what others could, until records are dropped.
func evicting(t *testing.T, l *load, r *rig) {
	used := int64(0)
	for line := range strings.Lines(r.server.Do("INFO", "memory")) {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &used)
	}
	r.server.Do("CONFIG", "SET", "maxmemory", used+4<<20)
	l.next()
	client := r.server.Client(nil)
	for i := range 3000 {
		_ = client.Set(t.Context(), fmt.Sprint("others ", i), strings.Repeat("v", 4096), 0)
	}
	l.run(time.Second)
	l.cold()
	l.next()
	r.server.Do("CONFIG", "SET", "maxmemory", "0")
}

func watched(t *testing.T) *rig {
	sentinel := redistest.StartSentinel(t, durable...)
	return &rig{server: sentinel.Master, sentinel: sentinel, client: sentinel.Client(nil)}
}

func failOver(_ *testing.T, l *load, r *rig) {
	r.server.Do("WAIT", 1, 1000)
	r.server.Kill()
	l.next()
	l.cold()
	r.sentinel.WaitForFailover()
	l.next()
}

// failOverBehind lets the master die when it has answered for a second what its
// replica has not heard of, because the connection is full.
func failOverBehind(t *testing.T, l *load, r *rig) {
	r.sentinel.Replica.Freeze()
	client := r.server.Client(nil)
	for i := range 32 {
		if err := client.Set(t.Context(), fmt.Sprint("others ", i), strings.Repeat("v", 1<<20), time.Minute).Err(); err != nil {
			t.Error(err)
		}
	}
	l.run(time.Second)
	r.server.Kill()
	r.sentinel.Replica.Thaw()
	l.next()
	l.cold()
	r.sentinel.WaitForFailover()
	l.next()
}
