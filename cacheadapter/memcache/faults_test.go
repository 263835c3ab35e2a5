package memcache_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
)

// rig is a server and what lies before it.
type rig struct {
	server *memcachetest.Server
	proxy  *memcachetest.Proxy
	client *gomemcache.Client
	store  *memcache.Store
}

func newRig(t *testing.T, options ...string) *rig {
	server := memcachetest.Start(t, options...)
	proxy := memcachetest.StartProxy(t, server.Addr)
	client := memcachetest.Client(proxy.Addr)
	return &rig{server, proxy, client, newStore(t, client, memcache.Options{})}
}

// TestFaults verifies requests while memcached fails in all ways. It prints the
// table of docs/adapters-under-fault.md.
func TestFaults(t *testing.T) {
	faults := []struct {
		name    string
		options []string
		// fault begins the phase during the fault once it is there, and the one
		// after it right before it ends it.
		fault func(t *testing.T, l *load, r *rig)
		// outage: memcached answers nothing, or no writes, during the fault.
		outage bool
		// loses: replays are counted, not forbidden.
		loses bool
	}{
		{"kill -9, restart after 2 s", nil, killed, true, true},
		{"SIGSTOP for 10 s", nil, frozen, true, false},
		{"all connections reset every 100 ms", nil, reset, false, false},
		{"2 s of latency", nil, delayed, true, false},
		{"memory full, -M", []string{"-m", "2", "-M"}, full, true, false},
		{"memory full, evicting", []string{"-m", "2"}, evicting, false, true},
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
				r := newRig(t, test.options...)
				l := startLoad(t, r.store)
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
					t.Errorf("%d proofs were accepted while memcached could not answer", accepted)
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

// filler is a key as long as the Verifier's are, for memcached gives memory to
// items by their size.
func filler(i int) string { return fmt.Sprintf("%087d", i) }

// full fills the server until it refuses more, and makes room again.
func full(t *testing.T, l *load, r *rig) {
	var n int
	for refused := false; !refused && n < 100_000; n++ {
		_, err := r.store.Add(t.Context(), filler(n), time.Hour)
		refused = err != nil && strings.Contains(err.Error(), "out of memory")
	}
	l.run(50 * time.Millisecond)
	l.next()
	l.run(3 * time.Second)
	l.cold()
	l.next()
	for i := range n {
		_ = r.client.Delete("portcullis|r|=" + filler(i))
	}
}

// evicting writes what others could, until records are dropped.
func evicting(t *testing.T, l *load, r *rig) {
	l.next()
	for i := range 30_000 {
		_, _ = r.store.Add(t.Context(), filler(i), time.Hour)
	}
	l.cold()
	l.next()
}
