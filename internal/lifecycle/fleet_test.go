package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// fleet is some processes with a shared cache and a lease.
func fleet(t *testing.T, n int, i *issuer, change func(index int, cfg *lifecycle.Config)) ([]*process, *memory, *leases) {
	t.Helper()
	m := newMemory()
	l := &leases{memory: m}
	all := make([]*process, n)
	for k := range all {
		all[k] = start(t, i, func(cfg *lifecycle.Config) {
			cfg.Cache, cfg.Lease = m, l
			if change != nil {
				change(k, cfg)
			}
		})
	}
	return all, m, l
}

// readOnly is a cache that this process cannot write to.
type readOnly struct{ *memory }

func (readOnly) Set(context.Context, string, []byte, time.Duration) error {
	return errors.New("read only")
}

// TestNobodyWaitsForNothing: whatever the holder of the lease gets, those who
// wait for it know soon after.
func TestNobodyWaitsForNothing(t *testing.T) {
	const processes, fetch = 20, 200 * time.Millisecond
	type world struct {
		issuer *issuer
		memory *memory
		leases *leases
	}
	for text, c := range map[string]struct {
		change  func(w *world)
		policy  func(*lifecycle.Policy)
		cache   func(m *memory) lifecycle.Cache
		most    int // fetches of each document
		refused bool
	}{
		"silent":    {most: 1},
		"max-age":   {change: func(w *world) { w.issuer.freshness(cachecontrol.Directives{MaxAge: 600, HasMaxAge: true}) }, most: 1},
		"max-age=0": {change: func(w *world) { w.issuer.freshness(cachecontrol.Directives{HasMaxAge: true}) }, most: 1},
		"no-cache":  {change: func(w *world) { w.issuer.freshness(cachecontrol.Directives{NoCache: true}) }, most: 1},
		"no-store":  {change: func(w *world) { w.issuer.freshness(cachecontrol.Directives{NoStore: true}) }, most: 1},
		"obeyed":    {change: func(w *world) { w.issuer.freshness(cachecontrol.Directives{NoStore: true}) }, policy: func(p *lifecycle.Policy) { p.ShareNoStore = false }, most: processes},
		"not public": {change: func(w *world) {
			w.issuer.both(func(p *place) { p.answer.Public = false; p.answer.Freshness.NoStore = true })
		}, most: processes},
		"failed":      {change: func(w *world) { w.issuer.both(func(p *place) { p.err = errDown }) }, most: processes, refused: true},
		"keys failed": {change: func(w *world) { w.issuer.keys.err = errDown }, most: processes, refused: true},
		"empty set":   {change: func(w *world) { w.issuer.keys.answer.Body = []byte("empty") }, most: processes, refused: true},
		"too large":   {change: func(w *world) { w.issuer.keys.answer.Body = []byte(strings.Repeat("k", 600<<10)) }, most: processes},
		"full":        {change: func(w *world) { w.memory.fail = errFull }, most: processes},
		"small":       {change: func(w *world) { w.memory.largest = 100 }, most: processes},
		"drops":       {change: func(w *world) { w.memory.drop = true }, most: processes},
		"read only":   {cache: func(m *memory) lifecycle.Cache { return readOnly{m} }, most: processes},
		"lease down":  {change: func(w *world) { w.leases.fail = errDown }, most: processes},
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				i.both(func(p *place) { p.delay = fetch / 2 })
				all, m, l := fleet(t, processes, i, func(_ int, cfg *lifecycle.Config) {
					if c.policy != nil {
						c.policy(&cfg.Policy)
					}
					if c.cache != nil {
						cfg.Cache = c.cache(cfg.Cache.(*memory))
					}
				})
				if c.change != nil {
					c.change(&world{i, m, l})
				}
				var wg sync.WaitGroup
				took := make([]time.Duration, processes)
				for k, p := range all {
					wg.Go(func() {
						began := time.Now()
						if _, err := p.get(); (err != nil) != c.refused {
							t.Errorf("process %d: %v; want an error %v", k, err, c.refused)
						}
						took[k] = time.Since(began)
					})
				}
				wg.Wait()
				fetches := time.Duration(1) // one after the other, by whoever has the lease
				if c.most > 1 {
					fetches = 2
				}
				if c.refused {
					fetches = 4 // three holders, and then everybody
				}
				for k, d := range took {
					if d > fetches*(fetch+50*time.Millisecond)+50*time.Millisecond {
						t.Errorf("process %d took %v; want at most %d fetches of %v and 100 ms", k, d, fetches, fetch)
					}
				}
				if got := i.counts(); got[0] > c.most || got[1] > c.most || got[0] == 0 {
					t.Errorf("asked %v times; want at most %d", got, c.most)
				}
			})
		})
	}
}

// TestHostileHolders: a holder that died, lies or never lets go costs one fetch
// deadline at the most.
func TestHostileHolders(t *testing.T) {
	mark := func(text string) func(*memory, *leases) {
		return func(m *memory, l *leases) {
			l.never = true
			m.values["*"] = memoryValue{[]byte(text), time.Now().Add(time.Hour)}
		}
	}
	for text, c := range map[string]struct {
		change func(*memory, *leases)
		atMost time.Duration
	}{
		"dead":          {func(_ *memory, l *leases) { l.never = true }, 5 * time.Second},
		"says shared":   {mark("shared"), 0},
		"says nothing":  {mark("nothing"), 0},
		"says failed":   {mark("failed"), 0},
		"says rubbish":  {mark("\x00\xff"), 0},
		"cache hangs":   {func(m *memory, _ *leases) { m.hang = time.Hour }, 500 * time.Millisecond},
		"cache panics":  {func(m *memory, _ *leases) { m.panics = true }, 0},
		"slow cache":    {func(m *memory, l *leases) { m.hang, l.never = 400*time.Millisecond, true }, 5500 * time.Millisecond},
		"lease refuses": {func(_ *memory, l *leases) { l.fail = errDown }, 0},
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				all, m, l := fleet(t, 1, i, func(_ int, cfg *lifecycle.Config) { cfg.Cache = wildcard{cfg.Cache.(*memory)} })
				c.change(m, l)
				began := time.Now()
				all[0].want("k1")
				if took := time.Since(began); took > c.atMost+time.Second {
					t.Errorf("took %v; want at most %v", took, c.atMost)
				}
				wantCounts(t, i, 1, 1)
				time.Sleep(2 * time.Hour) // calls that hang end
			})
		})
	}
}

// wildcard answers for every mark of a lease with the value of "*".
type wildcard struct{ *memory }

func (w wildcard) Get(ctx context.Context, key string) ([]byte, bool, error) {
	w.mu.Lock()
	_, all := w.values["*"]
	w.mu.Unlock()
	if all && strings.Contains(key, "lease.") {
		key = "*"
	}
	return w.memory.Get(ctx, key)
}

// TestOwnLease: a process does not wait for the lease of its own attempt that
// failed, nor for that of another process whose attempt failed.
func TestOwnLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		all, _, l := fleet(t, 2, i, nil)
		i.both(func(p *place) { p.err = errDown })
		_, _ = all[0].get()
		i.both(func(p *place) { p.err = nil })
		began := time.Now()
		all[1].want("k1")
		time.Sleep(1100 * time.Millisecond) // the longest first step of the back-off
		all[0].want("k1")
		if took := time.Since(began); took > 1200*time.Millisecond {
			t.Errorf("took %v; want no wait for a lease", took)
		}
		for _, key := range l.added {
			if !strings.HasPrefix(key, "lease.") {
				t.Errorf("lease %q", key)
			}
		}
	})
}

// TestEntryThatComesBackDoesNotWait: the memory of the lease is lost with the entry;
// what it said in the end is not.
func TestEntryThatComesBackDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.err = errDown })
		all, m, l := fleet(t, 1, i, nil)
		_, _ = all[0].get()
		i.both(func(p *place) { p.err = nil })
		again := start(t, i, func(cfg *lifecycle.Config) {
			cfg.Cache, cfg.Lease = m, l
		})
		began := time.Now()
		again.want("k1")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("took %v; want no wait", took)
		}
	})
}

// TestFleetForAnHour: one fetch of each document per freshness period, whatever
// the source says about keeping.
func TestFleetForAnHour(t *testing.T) {
	for text, c := range map[string]struct {
		d    cachecontrol.Directives
		most int
	}{
		"silent":     {cachecontrol.Directives{}, 9},
		"no-cache":   {cachecontrol.Directives{NoCache: true}, 61},
		"no-store":   {cachecontrol.Directives{NoStore: true}, 61},
		"max-age=0":  {cachecontrol.Directives{HasMaxAge: true}, 61},
		"max-age=90": {cachecontrol.Directives{MaxAge: 90, HasMaxAge: true}, 61},
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				i.freshness(c.d)
				i.both(func(p *place) { p.delay = 20 * time.Millisecond })
				all, _, _ := fleet(t, 50, i, func(_ int, cfg *lifecycle.Config) { cfg.Policy.Jitter = 0.1 })
				for range 3600 / 10 {
					for _, p := range all {
						p.want("k1")
					}
					time.Sleep(10 * time.Second)
				}
				if got := i.counts(); got[0] > c.most || got[1] > c.most {
					t.Errorf("asked %v times in an hour; want at most %d", got, c.most)
				}
			})
		})
	}
}

// TestFleetRotates: a kid that all processes miss at once is looked for once.
func TestFleetRotates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		all, _, _ := fleet(t, 20, i, nil)
		for _, p := range all {
			p.want("k1")
		}
		time.Sleep(time.Second)
		i.keys.set(func(p *place) { p.answer.Body, p.delay = []byte("k1 k2"), 100*time.Millisecond })
		var wg sync.WaitGroup
		for _, p := range all {
			wg.Go(func() {
				v, _ := p.get()
				got, outcome, err := p.entry.Refetch(t.Context(), "k2", v, has("k2"))
				if err != nil || outcome != lifecycle.Refreshed || !has("k2")(got.Document(1).Value) {
					t.Errorf("outcome %v, %v; want the new set", outcome, err)
				}
			})
		}
		wg.Wait()
		wantCounts(t, i, 1, 2)
	})
}

func TestSharedDocuments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		all, m, _ := fleet(t, 2, i, nil)
		all[0].want("k1")
		time.Sleep(time.Second)
		if got := m.documents(); len(got) != 2 {
			t.Fatalf("shared %q; want both documents", got)
		}
		i.both(func(p *place) { p.err = errDown })
		all[1].want("k1")
		wantCounts(t, i, 1, 1)
		v, _ := all[1].get()
		if !v.Document(1).Shared || all[1].count(lifecycle.EventCacheHit) != 2 {
			t.Errorf("shared %v after %d hits; want true after 2", v.Document(1).Shared, all[1].count(lifecycle.EventCacheHit))
		}
		// What is stale in the cache is better than nothing.
		time.Sleep(30 * time.Minute)
		third := start(t, i, func(cfg *lifecycle.Config) { cfg.Cache = m })
		third.want("k1")
		if third.count(lifecycle.EventFetchFailed) == 0 {
			t.Error("the source was not asked")
		}
	})
}

// TestNoStoreIsSharedForTheFloor and no longer.
func TestNoStoreIsSharedForTheFloor(t *testing.T) {
	for text, c := range map[string]struct {
		change func(*issuer)
		policy func(*lifecycle.Policy)
		after  map[time.Duration]int
	}{
		"no-store": {func(i *issuer) { i.freshness(cachecontrol.Directives{NoStore: true}) }, nil, map[time.Duration]int{59 * time.Second: 2, 61 * time.Second: 0}},
		"no-cache": {func(i *issuer) { i.freshness(cachecontrol.Directives{NoCache: true}) }, nil, map[time.Duration]int{59 * time.Second: 2, 59 * time.Minute: 2}},
		"obeyed":   {func(i *issuer) { i.freshness(cachecontrol.Directives{NoStore: true}) }, func(p *lifecycle.Policy) { p.ShareNoStore = false }, map[time.Duration]int{time.Second: 0}},
		"not public": {func(i *issuer) {
			i.both(func(p *place) {
				p.answer = lifecycle.Answer{Body: p.answer.Body, Freshness: cachecontrol.Directives{NoStore: true}}
			})
		}, nil, map[time.Duration]int{time.Second: 0}},
		"no floor": {func(i *issuer) { i.freshness(cachecontrol.Directives{NoStore: true}) }, func(p *lifecycle.Policy) { p.Floor = 0 }, map[time.Duration]int{time.Second: 0}},
	} {
		t.Run(text, func(t *testing.T) {
			for after, want := range c.after {
				bubble(t, func(t *testing.T) {
					i := newIssuer()
					c.change(i)
					all, m, _ := fleet(t, 1, i, func(_ int, cfg *lifecycle.Config) {
						if c.policy != nil {
							c.policy(&cfg.Policy)
						}
					})
					all[0].want("k1")
					time.Sleep(after)
					if got := m.documents(); len(got) != want {
						t.Errorf("after %v the cache has %q; want %d documents", after, got, want)
					}
				})
			}
		})
	}
}

// TestOtherSource: documents that came from where this process would not ask are
// not used.
func TestOtherSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		with := func(cfg *lifecycle.Config) { cfg.Cache = m }
		other := newIssuer()
		other.metadata.answer.Body, other.keys.answer.Body = []byte("url evil"), []byte("planted")
		p := start(t, other, with)
		p.want("planted")
		time.Sleep(time.Second)
		mine := newIssuer()
		mine.metadata.answer.Body = []byte("url keys")
		documents := mine.documents()
		documents[0].(*document).origin = func(any) string { return "url my metadata" }
		q := &process{T: t}
		q.Store = lifecycle.New(lifecycle.Config{Policy: steady(), Now: time.Now, Cache: m, Observe: q.observe})
		defer q.Close()
		q.entry = q.Entry(lifecycle.Key{Issuer: name}, documents, false)
		q.want("k1")
		wantCounts(t, mine, 1, 1)
		if n := q.count(lifecycle.EventOtherSource); n != 2 {
			t.Errorf("%d events; want one per document", n)
		}
	})
}

func TestGarbageInTheCache(t *testing.T) {
	for text, change := range map[string]func(string) string{
		"garbage":      func(string) string { return "garbage" },
		"truncated":    func(v string) string { return v[:10] },
		"bad document": func(v string) string { return v[:strings.IndexByte(v, '\n')+1] + "garbage" },
		"panics":       func(v string) string { return v[:strings.IndexByte(v, '\n')+1] + "panic" },
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				all, m, _ := fleet(t, 1, i, nil)
				all[0].want("k1")
				time.Sleep(time.Second)
				for _, key := range m.documents() {
					v := m.values[key]
					v.value = []byte(change(string(v.value)))
					m.values[key] = v
				}
				p := start(t, i, func(cfg *lifecycle.Config) { cfg.Cache = m })
				p.want("k1")
				if p.count(lifecycle.EventCacheFault) == 0 {
					t.Error("no event about the fault")
				}
			})
		})
	}
}

// TestCloseTellsWhoWaits: a process that stops during its fetch lets go of those
// who wait for it.
func TestCloseTellsWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.delay = 2 * time.Second })
		all, _, _ := fleet(t, 2, i, nil)
		go func() { _, _ = all[0].get() }()
		time.Sleep(time.Second)
		go func() {
			time.Sleep(time.Second / 2)
			all[0].Close()
		}()
		began := time.Now()
		all[1].want("k1")
		if took := time.Since(began); took > time.Second/2+4*time.Second+100*time.Millisecond {
			t.Errorf("took %v; want the time until the other closed, and that of the own fetches", took)
		}
	})
}

// TestPrivateDocuments touch neither the shared cache nor the lease.
func TestPrivateDocuments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.private = true
		all, m, l := fleet(t, 2, i, nil)
		for _, p := range all {
			p.want("k1")
		}
		time.Sleep(time.Second)
		if len(m.sets) != 0 || len(l.added) != 0 || all[1].count(lifecycle.EventCacheHit) != 0 {
			t.Errorf("wrote %q, took %q; want nothing", m.sets, l.added)
		}
		wantCounts(t, i, 2, 2)
	})
}
