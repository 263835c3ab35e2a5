package memcache_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/faulttest"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// rig is a server and what lies before it.
type rig struct {
	server *memcachetest.Server
	proxy  *faultproxy.Proxy
	client *gomemcache.Client
	store  *memcache.Store
}

func newRig(t *testing.T, options ...string) *rig {
	server := memcachetest.Start(t, options...)
	proxy := faultproxy.Start(t, server.Addr)
	client := memcachetest.Client(proxy.Addr)
	return &rig{server, proxy, client, newStore(t, client, memcache.Config{})}
}

// TestFaults verifies requests while memcached fails in all ways. It prints the
// table of docs/adapters-under-fault.md.
func TestFaults(t *testing.T) {
	start := func(options ...string) func(*testing.T) (*rig, faulttest.Store) {
		return func(t *testing.T) (*rig, faulttest.Store) {
			r := newRig(t, options...)
			return r, r.store
		}
	}
	faulttest.Run(t, []faulttest.Fault[*rig]{
		{Name: "kill -9, restart after 2 s", Make: start(), Cause: killed, Outage: true, Loses: true},
		{Name: "SIGSTOP for 10 s", Make: start(), Cause: frozen, Outage: true},
		{Name: "all connections reset every 100 ms", Make: start(), Cause: reset},
		{Name: "2 s of latency", Make: start(), Cause: delayed, Outage: true},
		{Name: "memory full, -M", Make: start("-m", "2", "-M"), Cause: full, Outage: true},
		{Name: "memory full, evicting", Make: start("-m", "2"), Cause: evicting, Loses: true},
	})
}

func killed(_ *testing.T, l *faulttest.Load, r *rig)  { faulttest.Kill(l, r.server) }
func frozen(_ *testing.T, l *faulttest.Load, r *rig)  { faulttest.Freeze(l, r.server) }
func reset(_ *testing.T, l *faulttest.Load, r *rig)   { faulttest.Reset(l, r.proxy) }
func delayed(_ *testing.T, l *faulttest.Load, r *rig) { faulttest.Delay(l, r.proxy) }

// filler is a key as long as the Verifier's are, for memcached gives memory to
// items by their size.
func filler(i int) string { return fmt.Sprintf("%087d", i) }

// full fills the server until it refuses more, and makes room again.
func full(t *testing.T, l *faulttest.Load, r *rig) {
	var n int
	for refused := false; !refused && n < 100_000; n++ {
		_, err := r.store.Add(t.Context(), filler(n), time.Hour)
		refused = err != nil && strings.Contains(err.Error(), "out of memory")
	}
	l.Hold()
	for i := range n {
		_ = r.client.Delete("portcullis|r|=" + filler(i))
	}
}

// evicting writes what others could, until records are dropped.
func evicting(t *testing.T, l *faulttest.Load, r *rig) {
	l.Next()
	for i := range 30_000 {
		_, _ = r.store.Add(t.Context(), filler(i), time.Hour)
	}
	l.Cold()
	l.Next()
}
