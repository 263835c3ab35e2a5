package lifecycle_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// deaf is a cache whose reads fail while down is set.
type deaf struct {
	*memory
	down bool
	ok   bool // beside the error
	gets []string
}

func (d *deaf) Get(ctx context.Context, key string) ([]byte, bool, error) {
	d.gets = append(d.gets, key)
	if d.down {
		return []byte("of no use"), d.ok, errDown
	}
	return d.memory.Get(ctx, key)
}

func (d *deaf) count(part string) (n int) {
	for _, key := range d.gets {
		if strings.Contains(key, part) {
			n++
		}
	}
	return n
}

// TestCacheThatCannotBeRead: each read that fails is told, and the documents come
// from their source. A process that cannot read back what it wrote takes no lease.
func TestCacheThatCannotBeRead(t *testing.T) {
	for _, leased := range []bool{true, false} {
		for _, ok := range []bool{true, false} {
			bubble(t, func(t *testing.T) {
				i, m := newIssuer(), newMemory()
				d, l := &deaf{memory: m, down: true, ok: ok}, &leases{memory: m}
				p := start(t, i, func(cfg *lifecycle.Config) {
					cfg.Cache = d
					if leased {
						cfg.Lease = l
					}
				})
				p.want("k1")
				time.Sleep(time.Second)
				if p.count(lifecycle.EventCacheFault) < 2 || p.count(lifecycle.EventCacheHit) != 0 || len(l.added) != 0 {
					t.Errorf("leased %v: %d faults and %d hits told, %d leases taken; want two, none and none", leased, p.count(lifecycle.EventCacheFault), p.count(lifecycle.EventCacheHit), len(l.added))
				}
				wantCounts(t, i, 1, 1)
			})
		}
	}
}

// TestCacheThatKeepsTooLong: what is past its hard limit is not served, whoever
// still has it.
func TestCacheThatKeepsTooLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		all, m, _ := fleet(t, 2, i, nil)
		all[0].want("k1")
		time.Sleep(time.Second)
		m.mu.Lock()
		for key, v := range m.values {
			v.until = time.Now().Add(1000 * time.Hour)
			m.values[key] = v
		}
		m.mu.Unlock()
		i.both(func(p *place) { p.err = errDown })
		time.Sleep(time.Hour)
		all[1].want("k1") // within it
		time.Sleep(time.Hour)
		third := start(t, i, func(cfg *lifecycle.Config) { cfg.Cache = m })
		if got := third.text(); !strings.HasPrefix(got, "error: ") || third.count(lifecycle.EventCacheHit) != 0 {
			t.Errorf("served %q after two hours; want an error", got)
		}
	})
}

// TestProbesOfTheCache: one that works is enough, until a write fails.
func TestProbesOfTheCache(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		d, l := &deaf{memory: m}, &leases{memory: m}
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Cache, cfg.Lease = d, l })
		round := func(probes int) {
			t.Helper()
			before := d.count("probe:")
			p.want("k1")
			time.Sleep(2 * time.Hour) // nothing that is held can be served any more
			if got := d.count("probe:") - before; got != probes {
				t.Errorf("%d probes; want %d", got, probes)
			}
		}
		round(1)
		round(0)
		fail := func(err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.fail = err
		}
		fail(errFull)
		round(0) // the write of what was fetched fails
		fail(nil)
		round(1)
		round(0)
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(l.added) != 5 {
			t.Errorf("%d leases; want 5", len(l.added))
		}
	})
}
