package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// crowd is a store of many issuers that share their sources.
type crowd struct {
	*process
	issuer *issuer
}

func newCrowd(t *testing.T, change func(*lifecycle.Policy)) *crowd {
	i := newIssuer()
	return &crowd{start(t, i, func(cfg *lifecycle.Config) {
		if change != nil {
			change(&cfg.Policy)
		}
	}), i}
}

func (c *crowd) of(n int) *lifecycle.Entry {
	return c.Entry(lifecycle.Key{Issuer: fmt.Sprintf("https://%d.example/", n)}, c.issuer.documents(), false)
}

// serve gets the keys of an issuer, and uses them when they verified something.
func (c *crowd) serve(n int, verified bool) {
	c.Helper()
	e := c.of(n)
	if _, _, err := e.Get(c.Context(), time.Now()); err != nil {
		c.Fatal(err)
	}
	if verified {
		e.Used()
	}
}

// TestStrangersDriveOutNoIssuerInUse: tokens that nobody signed cost at most one
// issuer in use its documents.
func TestStrangersDriveOutNoIssuerInUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxIssuers = 100 })
		for n := range 99 {
			c.serve(n, true)
		}
		for n := range 10_000 {
			c.serve(1000+n, false)
		}
		before := c.issuer.counts()
		for n := range 99 {
			c.serve(n, true)
		}
		if got := c.issuer.keys.count() - before[1]; got > 1 {
			t.Errorf("%d of 99 issuers were driven out by strangers; want at most 1", got)
		}
		if got := c.count(lifecycle.EventEvicted); got > 1 {
			t.Errorf("%d evictions of issuers in use; want at most 1", got)
		}
		if got := c.Len(); got > 100 {
			t.Errorf("%d issuers held; want at most 100", got)
		}
	})
}

func TestEvictionOfIssuersInUseIsReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxIssuers = 10 })
		for n := range 30 {
			c.serve(n, true)
		}
		// The last newcomer is not known to be in use before it has to go.
		if got := c.count(lifecycle.EventEvicted); got < 19 || got > 21 {
			t.Errorf("%d events; want about 20", got)
		}
	})
}

// TestOftenUsedStays: what is used between two newcomers is not what goes.
func TestOftenUsedStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxIssuers = 10 })
		for n := range 9 {
			c.serve(n, true)
		}
		for n := range 1000 {
			for range 3 {
				c.serve(0, true)
			}
			c.serve(100+n, true)
		}
		before := c.issuer.counts()
		c.serve(0, true)
		if c.issuer.counts() != before {
			t.Error("the issuer that is used most was driven out")
		}
	})
}

func TestPinnedEntriesStay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxIssuers = 2 })
		pinned := c.Entry(lifecycle.Key{Issuer: "https://pinned.example/"}, c.issuer.documents(), true)
		first, _, err := pinned.Get(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for n := range 100 {
			c.serve(n, true)
		}
		if again, _, _ := pinned.Get(t.Context(), time.Now()); again != first {
			t.Error("the documents of a pinned entry went")
		}
	})
}

// TestMemoryIsBoundInBytes: large documents make room for fewer issuers.
func TestMemoryIsBoundInBytes(t *testing.T) {
	for size, want := range map[int][2]int{10: {800, 1024}, 64 << 10: {10, 16}, 2 << 20: {1, 1}} {
		bubble(t, func(t *testing.T) {
			c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxBytes = 1 << 20 })
			c.issuer.keys.answer.Body = slices.Repeat([]byte("k"), size)
			for n := range 1200 {
				c.serve(n, true)
			}
			if got := c.Len(); got < want[0] || got > want[1] {
				t.Errorf("%d issuers of %d bytes held in 1 MiB; want %v", got, size, want)
			}
		})
	}
}

// TestEvictedEntryComesBack: whoever holds an entry can use it for ever.
func TestEvictedEntryComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxIssuers = 1 })
		a, b := c.of(1), c.of(2)
		for range 10 {
			for _, e := range []*lifecycle.Entry{a, b} {
				if _, _, err := e.Get(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := c.Len(); got != 1 {
			t.Errorf("%d issuers held; want 1", got)
		}
	})
}

// TestEvictionUnderLoad: requests are answered whatever is driven out meanwhile.
func TestEvictionUnderLoad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCrowd(t, func(p *lifecycle.Policy) { p.MaxIssuers = 5 })
		c.issuer.both(func(p *place) { p.delay = time.Millisecond })
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 200 {
					n := rand.IntN(50)
					c.serve(n, n%2 == 0)
				}
			})
		}
		wg.Wait()
		if got := c.Len(); got > 5 {
			t.Errorf("%d issuers held; want at most 5", got)
		}
	})
}

// TestManyTenantsInTurn: 150, 1,000 and 10,000 tenants in turn, for an hour, cost one
// fetch per issuer and freshness period.
func TestManyTenantsInTurn(t *testing.T) {
	for _, tenants := range []int{150, 1000, 10_000} {
		if tenants > 1000 && testing.Short() {
			continue
		}
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			// Real sizes: metadata 2.6 KB, a set of 4.6 KB.
			i.metadata.answer.Body = append([]byte("url keys\x00"), make([]byte, 2600)...)
			i.keys.answer.Body = append([]byte("k1\x00"), make([]byte, 4600)...)
			p := start(t, i, func(cfg *lifecycle.Config) { cfg.Cache = newMemory() })
			c := &crowd{p, i}
			const rounds = 12
			for range rounds {
				for n := range tenants {
					c.serve(n, true)
				}
				time.Sleep(5 * time.Minute)
			}
			// 10 minutes of freshness: at 0, 10, ... 50 minutes, or at the
			// refresh ahead of that.
			if got := i.counts(); got[0] > 6*tenants || got[1] > 6*tenants {
				t.Errorf("%d tenants: asked %v times in an hour; want at most %d", tenants, got, 6*tenants)
			}
			if got := p.count(lifecycle.EventEvicted); got != 0 {
				t.Errorf("%d tenants: %d were driven out", tenants, got)
			}
		})
	}
}

// TestBudgetColdIssuersAtAFullStore: an eviction costs the same whatever is held.
// With PORTCULLIS_TARGETS=1 it measures in several rounds, and prints the row of
// the performance page instead of judging.
func TestBudgetColdIssuersAtAFullStore(t *testing.T) {
	most, rounds := 100_000, 1
	if testing.Short() {
		most = 10_000
	}
	printed := os.Getenv("PORTCULLIS_TARGETS") != ""
	if printed {
		rounds = 9
	}
	few, many := newFullStore(t, 100), newFullStore(t, most)
	var ratios []float64
	for range rounds {
		a, b := few.cold(), many.cold()
		allowed := 2*a + 100*time.Microsecond
		ratios = append(ratios, float64(b)/float64(allowed))
		if printed {
			continue
		}
		t.Logf("p50 of a cold issuer, 16 at once: %v with 100 held, %v with %d", a, b, most)
		if b > allowed {
			t.Errorf("p50 %v at a full store, %v with 100; want at most twice that and 0.1 ms", b, a)
		}
	}
	if printed {
		slices.Sort(ratios)
		median, verdict := ratios[len(ratios)/2], "met"
		if median > 1 {
			verdict = "missed"
		}
		fmt.Printf("| cold issuer, store full, 16 at once: p50 with 100,000 held, to 2 x that with 100 held + 0.1 ms | %.2f | <= 1.00 | %s |\n", median, verdict)
	}
}

// fullStore holds as many issuers as it may.
type fullStore struct {
	*crowd
	next int // issuer that it has not met
}

func newFullStore(t *testing.T, held int) *fullStore {
	i := newIssuer()
	p := start(t, i, func(cfg *lifecycle.Config) {
		cfg.Policy.MaxBytes, cfg.Policy.MaxIssuers, cfg.Observe = 1<<40, held, nil
	})
	f := &fullStore{&crowd{p, i}, held}
	for n := range held {
		f.serve(n, true)
	}
	return f
}

// cold returns the median time of 1,600 issuers that it has not met, 16 at once.
func (f *fullStore) cold() time.Duration {
	runtime.GC()
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := range 100 {
				began := time.Now()
				f.serve(f.next+g*100+n, true)
				d := time.Since(began)
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.next += 1600
	slices.Sort(took)
	return took[len(took)/2]
}

// TestWarmPathAllocatesNothing.
func TestWarmPathAllocatesNothing(t *testing.T) {
	i := newIssuer()
	p := start(t, i, nil)
	p.want("k1")
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		_, _, _ = p.entry.Get(ctx, time.Now())
		p.entry.Used()
		_ = p.Find(lifecycle.Key{Issuer: name, Source: "test"})
	}); n > 1 { // the key of Find becomes an interface
		t.Errorf("%v allocations; want none", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		_, _, _ = p.entry.Get(ctx, time.Now())
		p.entry.Used()
	}); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}
