package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// hooked is a memory that notes its calls and can answer them otherwise.
type hooked struct {
	*memory
	get func(key string, value []byte, ok bool) ([]byte, bool, error)
	set func(key string) error // an error beside what is written all the same

	notes  sync.Mutex
	gets   []string
	puts   []string
	looked []time.Time // for what the holder of a lease says
}

// read returns which keys were read, wrote which were written, and looks when somebody
// looked for what the holder of a lease says.
func (h *hooked) read() []string {
	h.notes.Lock()
	defer h.notes.Unlock()
	return slices.Clone(h.gets)
}

func (h *hooked) wrote() []string {
	h.notes.Lock()
	defer h.notes.Unlock()
	return slices.Clone(h.puts)
}

func (h *hooked) looks() []time.Time {
	h.notes.Lock()
	defer h.notes.Unlock()
	return slices.Clone(h.looked)
}

// forget drops the notes of what was read.
func (h *hooked) forget() {
	h.notes.Lock()
	defer h.notes.Unlock()
	h.gets = nil
}

func (h *hooked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	h.notes.Lock()
	h.gets = append(h.gets, key)
	if strings.Contains(key, "lease.") {
		h.looked = append(h.looked, time.Now())
	}
	h.notes.Unlock()
	value, ok, err := h.memory.Get(ctx, key)
	if h.get != nil && err == nil {
		return h.get(key, value, ok)
	}
	return value, ok, err
}

func (h *hooked) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	h.notes.Lock()
	h.puts = append(h.puts, key)
	h.notes.Unlock()
	err := h.memory.Set(ctx, key, value, ttl)
	if h.set != nil && err == nil {
		return h.set(key)
	}
	return err
}

// count returns how many of the calls were about keys with this part.
func count(calls []string, part string) (n int) {
	for _, key := range calls {
		if strings.Contains(key, part) {
			n++
		}
	}
	return n
}

// asking is a lease that notes what was asked for, and may do something then.
type asking struct {
	*leases
	then  func(key string)
	notes sync.Mutex
	all   []string
}

// asked returns which leases were asked for.
func (a *asking) asked() []string {
	a.notes.Lock()
	defer a.notes.Unlock()
	return slices.Clone(a.all)
}

func (a *asking) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	a.notes.Lock()
	a.all = append(a.all, key)
	a.notes.Unlock()
	if a.then != nil {
		a.then(key)
	}
	return a.leases.Add(ctx, key, ttl)
}

// node is a process with such a cache and lease.
type node struct {
	*process
	issuer *issuer
	cache  *hooked
	lease  *asking
}

func newNode(t *testing.T, i *issuer, m *memory, change func(*lifecycle.Config)) *node {
	n := &node{issuer: i, cache: &hooked{memory: m}}
	n.lease = &asking{leases: &leases{memory: m}}
	n.process = start(t, i, func(cfg *lifecycle.Config) {
		cfg.Cache, cfg.Lease = n.cache, n.lease
		if change != nil {
			change(cfg)
		}
	})
	return n
}

// faults returns the documents of the faults that were told.
func (n *node) faults() (all []string) {
	for _, e := range n.told() {
		if e.Kind == lifecycle.EventCacheFault {
			all = append(all, e.Document)
		}
	}
	return all
}

func (n *node) wantFaults(documents ...string) {
	n.Helper()
	if got := n.faults(); !slices.Equal(got, documents) {
		n.Errorf("faults of %q; want %q", got, documents)
	}
}

// said returns what the holders of leases said in the end.
func (m *memory) said() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, v := range m.values {
		if strings.HasPrefix(key, "portcullis:1:lease.") {
			all = append(all, string(v.value))
		}
	}
	return all
}

// leaseKey is the name of a lease, which all releases of a fleet share.
func leaseKey(document string, fetched time.Time, attempt int) string {
	at := int64(0)
	if !fetched.IsZero() {
		at = fetched.UnixMilli()
	}
	sum := sha256.Sum256([]byte(name + "\x00" + document + "\x00" + strconv.FormatInt(at, 10)))
	return "lease." + hex.EncodeToString(sum[:]) + "." + strconv.Itoa(attempt)
}

// TestWhatTheHolderSays of its fetch: whether those who wait find the documents, and
// for two deadlines of a fetch.
func TestWhatTheHolderSays(t *testing.T) {
	unshared := func(p *place) { p.answer.Public, p.answer.Freshness.NoStore = false, true }
	down := func(p *place) { p.err = errDown }
	large := func(p *place) { p.answer.Body = []byte(strings.Repeat("k", 600<<10)) }
	for text, c := range map[string]struct {
		change func(i *issuer)
		want   string
	}{
		"all is shared":                   {func(*issuer) {}, "shared"},
		"nothing is shared":               {func(i *issuer) { i.both(unshared) }, "nothing"},
		"keys are not shared":             {func(i *issuer) { i.keys.set(unshared) }, "nothing"},
		"metadata are not":                {func(i *issuer) { i.metadata.set(unshared) }, "nothing"},
		"keys are too large":              {func(i *issuer) { i.keys.set(large) }, "nothing"},
		"metadata fail":                   {func(i *issuer) { i.metadata.set(down) }, "failed"},
		"keys fail":                       {func(i *issuer) { i.keys.set(down) }, "failed"},
		"keys fail, metadata not shared":  {func(i *issuer) { i.metadata.set(unshared); i.keys.set(down) }, "failed"},
		"no time to keep them, so not at": {func(i *issuer) { i.freshness(cachecontrol.Directives{NoStore: true}) }, "nothing"},
	} {
		bubble(t, func(t *testing.T) {
			i, m := newIssuer(), newMemory()
			c.change(i)
			n := newNode(t, i, m, func(cfg *lifecycle.Config) { cfg.Policy.Floor = 0 })
			_, _ = n.get()
			time.Sleep(10*time.Second - time.Millisecond)
			if got := m.said(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s: said %q; want %q", text, got, c.want)
			}
			key := "portcullis:1:" + leaseKey("jwks", time.Time{}, 0)
			m.change(func(values map[string]memoryValue) {
				if until := values[key].until.Sub(time.Now()); until != time.Millisecond {
					t.Errorf("%s: it is kept for another %v; want 1 ms", text, until)
				}
			})
		})
	}
	// Metadata that are held and cannot be fetched again, beside keys that are not
	// shared.
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		n := newNode(t, i, m, nil)
		n.want("k1")
		time.Sleep(11 * time.Minute)
		i.metadata.set(down)
		i.keys.set(large)
		_, _ = n.get()
		time.Sleep(time.Second)
		if got := m.said(); !slices.Contains(got, "failed") || slices.Contains(got, "nothing") {
			t.Errorf("said %q; want failed last", got)
		}
	})
}

// TestHolderWaitsForItsWrites, which may take longer than requests wait for them.
func TestHolderWaitsForItsWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), nil)
		n.cache.set = func(key string) error {
			if strings.Contains(key, ":jwks:") {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		n.wantGet("k1", true, 20*time.Millisecond)
		if got := n.cache.said(); len(got) != 0 {
			t.Errorf("said %q while it writes; want nothing yet", got)
		}
		time.Sleep(time.Second)
		if got := n.cache.said(); !slices.Equal(got, []string{"shared"}) {
			t.Errorf("said %q; want shared", got)
		}
	})
}

// TestMetadataOfTheCacheMoveKeys: keys that are held are from a place that the metadata
// of another process no longer name, and are fetched from the new one at once.
func TestMetadataOfTheCacheMoveKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		i.metadata.set(keptFor(120))
		one, two := newNode(t, i, m, nil), newNode(t, i, m, nil)
		one.want("k1")
		time.Sleep(time.Second)
		two.want("k1")
		i.metadata.set(func(p *place) { p.answer.Body = []byte("url other keys") })
		i.publish("k9")
		time.Sleep(2*time.Minute + time.Second)
		one.want("k9")
		time.Sleep(time.Second)
		two.want("k9")
		wantCounts(t, i, 2, 2)
	})
}

// TestNoTimeToKeep: what cannot be kept at all is not written.
func TestNoTimeToKeep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		i.freshness(cachecontrol.Directives{NoStore: true})
		n := newNode(t, i, m, func(cfg *lifecycle.Config) { cfg.Policy.Floor = 0 })
		n.want("k1")
		time.Sleep(time.Second)
		if got := count(n.cache.wrote(), ":jwks:") + count(n.cache.wrote(), ":discovery:"); got != 0 {
			t.Errorf("%d documents written; want none", got)
		}
		n.wantFaults()
	})
}

// TestNamesOfLeases: the document that is replaced, and which attempt it is.
func TestNamesOfLeases(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		n := newNode(t, i, m, nil)
		var want []string
		asked := func(key string) {
			t.Helper()
			if want = append(want, key); !slices.Equal(n.lease.asked(), want) {
				t.Errorf("asked for %q; want %q", n.lease.asked(), want)
			}
		}
		if _, err := n.entry.First(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		asked(leaseKey("discovery", time.Time{}, 0))
		time.Sleep(time.Second)
		n.want("k1")
		began := time.Now()
		asked(leaseKey("jwks", time.Time{}, 0))
		time.Sleep(time.Second)
		v, _ := n.get()
		if _, _, err := n.entry.Refetch(t.Context(), "x", v, has("x")); err != nil {
			t.Fatal(err)
		}
		asked(leaseKey("jwks", began, 0))
		began = time.Now()
		i.both(func(p *place) { p.err = errDown })
		time.Sleep(time.Hour)
		_, _ = n.get()
		asked(leaseKey("jwks", began, 0))
		time.Sleep(2 * time.Second)
		_, _ = n.get()
		time.Sleep(time.Millisecond) // what is held is served meanwhile
		asked(leaseKey("jwks", began, 1))
	})
}

// TestNoLeaseForWhatIsThere: what the shared cache has needs none, and is looked for
// once; what is not due is not looked for at all.
func TestNoLeaseForWhatIsThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		first := newNode(t, i, m, nil)
		first.want("k1")
		if d, k := count(first.cache.read(), ":discovery:"), count(first.cache.read(), ":jwks:"); d != 2 || k != 1 {
			t.Errorf("looked for %d metadata and %d keys; want 2, since another process may have finished meanwhile, and 1", d, k)
		}
		time.Sleep(time.Second)
		second := newNode(t, i, m, nil)
		second.want("k1")
		if len(second.lease.asked()) != 0 || !slices.Equal(second.cache.read(), []string{"portcullis:1:discovery:" + name, "portcullis:1:jwks:" + name}) {
			t.Errorf("asked for the leases %q after looking for %q; want none, and each document once", second.lease.asked(), second.cache.read())
		}
		second.wantFaults()
		second.cache.forget()
		v, _ := second.get()
		if _, _, err := second.entry.Refetch(t.Context(), "x", v, has("x")); err != nil {
			t.Fatal(err)
		}
		if d, k := count(second.cache.read(), ":discovery:"), count(second.cache.read(), ":jwks:"); d != 0 || k != 2 {
			t.Errorf("a refetch looked for %d metadata and %d keys; want none, and 2", d, k)
		}
		if got := second.count(lifecycle.EventCacheHit); got != 2 {
			t.Errorf("%d documents of the cache were of use; want 2: what is no newer than what is held is not", got)
		}
		wantCounts(t, i, 1, 2)
	})
}

// TestKeysWithoutMetadata in the shared cache: they are looked at when it is known
// where they would be from.
func TestKeysWithoutMetadata(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		newNode(t, i, m, nil).want("k1")
		time.Sleep(time.Second)
		m.change(func(values map[string]memoryValue) { delete(values, "portcullis:1:discovery:"+name) })
		n := newNode(t, i, m, nil)
		n.want("k1")
		wantCounts(t, i, 2, 1)
		if got := n.count(lifecycle.EventOtherSource); got != 0 {
			t.Errorf("%d documents of another source; want none", got)
		}
	})
}

// TestFinishedMeanwhile: the holder of the lease looks once more.
func TestFinishedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		other := newNode(t, i, newMemory(), nil)
		other.want("k1")
		time.Sleep(time.Second)
		n := newNode(t, i, m, nil)
		n.lease.then = func(string) {
			other.cache.copyTo(m)
		}
		n.want("k1")
		wantCounts(t, i, 1, 1)
		if got := len(n.lease.added); got != 1 {
			t.Errorf("%d leases; want 1", got)
		}
	})
}

// TestNeitherCacheNorLease alone does what both do.
func TestNeitherCacheNorLease(t *testing.T) {
	for text, change := range map[string]func(*lifecycle.Config){
		"neither":               func(cfg *lifecycle.Config) { cfg.Cache, cfg.Lease = nil, nil },
		"a lease without cache": func(cfg *lifecycle.Config) { cfg.Cache = nil },
		"a cache without lease": func(cfg *lifecycle.Config) { cfg.Lease = nil },
	} {
		bubble(t, func(t *testing.T) {
			i, m := newIssuer(), newMemory()
			n := newNode(t, i, m, change)
			n.want("k1")
			time.Sleep(time.Second)
			n.wantFaults()
			if len(n.lease.asked()) != 0 || count(n.cache.wrote(), "probe:")+count(n.cache.wrote(), "lease.") != 0 {
				t.Errorf("%s: leases %q, writes %q; want none for a lease", text, n.lease.asked(), n.cache.wrote())
			}
			if strings.HasPrefix(text, "a cache") != (len(n.cache.read())+len(n.cache.wrote()) > 0) {
				t.Errorf("%s: %q, %q", text, n.cache.read(), n.cache.wrote())
			}
		})
	}
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		i.private = true
		n := newNode(t, i, m, nil)
		n.want("k1")
		if len(n.cache.read())+len(n.cache.wrote())+len(n.lease.asked()) != 0 {
			t.Errorf("private documents: %q, %q, %q; want no calls", n.cache.read(), n.cache.wrote(), n.lease.asked())
		}
	})
}

// TestProbeThatFails: a process that cannot be sure that the cache keeps what it
// writes takes no lease.
func TestProbeThatFails(t *testing.T) {
	probe := func(answer func(value []byte, ok bool) ([]byte, bool, error)) func(*hooked) {
		return func(h *hooked) {
			h.get = func(key string, value []byte, ok bool) ([]byte, bool, error) {
				if strings.Contains(key, "probe:") {
					return answer(value, ok)
				}
				return value, ok, nil
			}
		}
	}
	for text, c := range map[string]func(*hooked){
		"written, with an error": func(h *hooked) {
			h.set = func(key string) error {
				if strings.Contains(key, "probe:") {
					return errFull
				}
				return nil
			}
		},
		"read, with an error":  probe(func(value []byte, ok bool) ([]byte, bool, error) { return value, ok, errDown }),
		"there, and not there": probe(func(value []byte, _ bool) ([]byte, bool, error) { return value, false, nil }),
		"of another process":   probe(func([]byte, bool) ([]byte, bool, error) { return []byte("0123456789abcdef"), true, nil }),
	} {
		bubble(t, func(t *testing.T) {
			n := newNode(t, newIssuer(), newMemory(), nil)
			c(n.cache)
			n.want("k1")
			if len(n.lease.asked()) != 0 {
				t.Errorf("%s: asked for %q; want no lease", text, n.lease.asked())
			}
			n.wantFaults("discovery")
		})
	}
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), nil)
		n.lease.fail = errDown
		n.want("k1")
		n.wantFaults("discovery")
	})
}

// TestProbesAreFew: one that worked is enough, even if nothing could be written
// since; and so is a write.
func TestProbesAreFew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		n := newNode(t, i, newMemory(), nil)
		i.both(func(p *place) { p.err = errDown })
		for range 3 {
			_, _ = n.get()
			time.Sleep(time.Minute)
		}
		if got := count(n.cache.wrote(), "probe:"); got != 1 {
			t.Errorf("%d probes; want 1", got)
		}
	})
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), nil)
		n.cache.get = func(string, []byte, bool) ([]byte, bool, error) { return nil, false, errDown }
		n.want("k1")
		time.Sleep(time.Second)
		n.cache.get = nil
		time.Sleep(2 * time.Hour)
		n.want("k1")
		if got := count(n.cache.wrote(), "probe:"); got != 1 {
			t.Errorf("%d probes; want the one before the first fetch, whose documents were written", got)
		}
	})
}

// TestCacheThatDoesNotAnswer is asked once in a run, and told of.
func TestCacheThatDoesNotAnswer(t *testing.T) {
	for text, change := range map[string]func(*node){
		"hangs": func(n *node) { n.cache.hang = time.Hour },
		"was closed": func(n *node) {
			n.cache.get = func(string, []byte, bool) ([]byte, bool, error) { return nil, false, context.Canceled }
		},
	} {
		bubble(t, func(t *testing.T) {
			n := newNode(t, newIssuer(), newMemory(), nil)
			change(n)
			began := time.Now()
			n.want("k1")
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("%s: took %v; want one call of the cache at most", text, took)
			}
			if len(n.cache.read()) != 1 || count(n.cache.wrote(), "probe:") != 0 || len(n.lease.asked()) != 0 {
				t.Errorf("%s: looked for %q, wrote %q, asked for %q; want one look", text, n.cache.read(), n.cache.wrote(), n.lease.asked())
			}
			if got := n.faults(); len(got) == 0 || got[0] != "discovery" {
				t.Errorf("%s: faults of %q", text, got)
			}
			time.Sleep(2 * time.Hour)
		})
	}
}

// TestValueBesideAnError of the cache is not used.
func TestValueBesideAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		newNode(t, i, m, nil).want("k1")
		time.Sleep(time.Second)
		n := newNode(t, i, m, nil)
		n.cache.get = func(_ string, value []byte, ok bool) ([]byte, bool, error) { return value, ok, errDown }
		n.want("k1")
		wantCounts(t, i, 2, 2)
	})
}

// TestWritesThatFail are told, one by one.
func TestWritesThatFail(t *testing.T) {
	for part, want := range map[string][]string{":jwks:": {"jwks"}, ":discovery:": {"discovery"}, "lease.": {"discovery"}} {
		bubble(t, func(t *testing.T) {
			n := newNode(t, newIssuer(), newMemory(), nil)
			n.cache.set = func(key string) error {
				if strings.Contains(key, part) {
					return errFull
				}
				return nil
			}
			n.want("k1")
			time.Sleep(time.Second)
			n.wantFaults(want...)
		})
	}
}

// TestRounds: for how many holders of a lease a process waits, and what it waits for
// then.
func TestRounds(t *testing.T) {
	first := leaseKey("jwks", time.Time{}, 0)
	all := []string{first, leaseKey("jwks", time.Time{}, 1), leaseKey("jwks", time.Time{}, 2)}
	for text, c := range map[string]struct {
		said  string
		asked []string
	}{"failed": {"failed", all}, "shared": {"shared", all}, "rubbish": {"\x00", all}, "nothing": {"nothing", []string{first}}} {
		bubble(t, func(t *testing.T) {
			n := newNode(t, newIssuer(), newMemory(), nil)
			n.lease.never = true
			n.cache.get = func(key string, value []byte, ok bool) ([]byte, bool, error) {
				if strings.Contains(key, "lease.") {
					return []byte(c.said), true, nil
				}
				return value, ok, nil
			}
			n.want("k1")
			if !slices.Equal(n.lease.asked(), c.asked) {
				t.Errorf("%s: asked for %q; want %q", text, n.lease.asked(), c.asked)
			}
			n.wantFaults()
		})
	}
}

// TestRoundAfterAnOldDocument: what the holder shared is newer than what was held,
// though not fresh; the next lease is for replacing that, at the first attempt.
func TestRoundAfterAnOldDocument(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		other := newNode(t, i, newMemory(), nil)
		other.want("k1")
		fetched := time.Now()
		time.Sleep(20 * time.Minute)
		n := newNode(t, i, m, nil)
		n.lease.never = true
		n.lease.then = func(string) {
			other.cache.copyTo(m)
		}
		n.cache.get = func(key string, value []byte, ok bool) ([]byte, bool, error) {
			if strings.Contains(key, "lease.") {
				return []byte("shared"), true, nil
			}
			return value, ok, nil
		}
		n.want("k1")
		if want := []string{leaseKey("jwks", time.Time{}, 0), leaseKey("jwks", fetched, 0), leaseKey("jwks", fetched, 1)}; !slices.Equal(n.lease.asked(), want) {
			t.Errorf("asked for %q; want %q", n.lease.asked(), want)
		}
	})
}

// TestNoRoundAfterTheDocuments: nothing is asked for when nothing is due, or when the
// cache has stopped to answer.
func TestNoRoundAfterTheDocuments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		i.both(func(p *place) { p.delay = time.Second })
		one, two := newNode(t, i, m, nil), newNode(t, i, m, nil)
		go func() { _, _ = one.get() }()
		time.Sleep(time.Millisecond)
		two.want("k1")
		if want := []string{leaseKey("jwks", time.Time{}, 0)}; !slices.Equal(two.lease.asked(), want) {
			t.Errorf("asked for %q; want %q", two.lease.asked(), want)
		}
		wantCounts(t, i, 1, 1)
	})
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), nil)
		n.lease.never = true
		n.cache.get = func(key string, value []byte, ok bool) ([]byte, bool, error) {
			if strings.Contains(key, "lease.") {
				return []byte("failed"), true, nil
			}
			if len(n.lease.asked()) > 0 {
				time.Sleep(time.Hour)
			}
			return value, ok, nil
		}
		n.want("k1")
		if len(n.lease.asked()) != 1 {
			t.Errorf("asked for %q; want one lease", n.lease.asked())
		}
		time.Sleep(2 * time.Hour)
	})
}

// TestLooksForTheHolder: soon at first, then at the pace of the policy, to the end of
// the deadline, which is no fault; a look that fails is one, and ends the wait.
func TestLooksForTheHolder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), func(cfg *lifecycle.Config) {
			cfg.Policy.LeasePoll = 80 * time.Millisecond
			cfg.Policy.FetchTimeout = 300 * time.Millisecond
		})
		n.lease.never = true
		began := time.Now()
		n.want("k1")
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("took %v; want the deadline of a fetch", took)
		}
		var at []int64
		for _, look := range n.cache.looks() {
			at = append(at, look.Sub(began).Milliseconds())
		}
		if want := []int64{0, 10, 30, 70, 150, 230}; !slices.Equal(at, want) {
			t.Errorf("looked at %v ms; want %v", at, want)
		}
		n.wantFaults()
	})
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), nil)
		n.lease.never = true
		n.cache.get = func(key string, value []byte, ok bool) ([]byte, bool, error) {
			if strings.Contains(key, "lease.") {
				if len(n.cache.looks()) > 3 {
					return nil, false, errDown
				}
			}
			return value, ok, nil
		}
		began := time.Now()
		n.want("k1")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("took %v; want until the look that failed", took)
		}
		n.wantFaults("discovery")
	})
	// The deadline ends during a look.
	bubble(t, func(t *testing.T) {
		n := newNode(t, newIssuer(), newMemory(), func(cfg *lifecycle.Config) { cfg.Policy.FetchTimeout = time.Second })
		n.lease.never = true
		n.cache.get = func(key string, value []byte, ok bool) ([]byte, bool, error) {
			if strings.Contains(key, "lease.") {
				time.Sleep(300 * time.Millisecond)
			}
			return value, ok, nil
		}
		n.want("k1")
		n.wantFaults()
		time.Sleep(time.Minute)
	})
}

// TestKeysThatMovedToTheSharedCache: keys that are held are from a place that counts
// no more; older ones in the cache, from the one that does, are better.
func TestKeysThatMovedToTheSharedCache(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		moved := newIssuer()
		moved.metadata.answer.Body, moved.keys.answer.Body = []byte("url other keys"), []byte("k9")
		newNode(t, moved, m, nil).want("k9")
		time.Sleep(time.Second)
		i := newIssuer()
		i.metadata.answer.Freshness = cachecontrol.Directives{MaxAge: 120, HasMaxAge: true}
		n := newNode(t, i, m, nil)
		n.cache.get = func(string, []byte, bool) ([]byte, bool, error) { return nil, false, errDown }
		before := newMemory()
		m.copyTo(before)
		m.change(func(values map[string]memoryValue) { clear(values) })
		n.want("k1")
		time.Sleep(time.Second)
		n.cache.get = nil
		m.change(func(values map[string]memoryValue) { clear(values) })
		before.copyTo(m)
		m.change(func(values map[string]memoryValue) { delete(values, "portcullis:1:discovery:"+name) })
		i.metadata.set(func(p *place) { p.answer.Body = []byte("url other keys") })
		time.Sleep(3 * time.Minute)
		n.want("k9")
		wantCounts(t, i, 2, 1)
	})
}

// TestDocumentsWithoutOrigin are of nobody.
func TestDocumentsWithoutOrigin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		newNode(t, i, m, nil).want("k1")
		time.Sleep(time.Second)
		m.change(func(values map[string]memoryValue) {
			for key, v := range values {
				v.value = []byte(strings.Replace(string(v.value), `"origin":"url metadata"`, `"origin":""`, 1))
				values[key] = v
			}
		})
		documents := i.documents()
		documents[0].(*document).origin = func(any) string { return "" }
		n := newNode(t, i, m, nil)
		n.entry = n.Entry(lifecycle.Key{Issuer: name, Source: "no origin"}, documents, false)
		n.want("k1")
		wantCounts(t, i, 2, 1)
		if got := n.count(lifecycle.EventOtherSource); got == 0 {
			t.Error("a document without origin was taken from the shared cache")
		}
		time.Sleep(time.Second)
		if got := count(n.cache.wrote(), ":discovery:"); got != 0 {
			t.Errorf("a document without origin was written %d times", got)
		}
	})
}
