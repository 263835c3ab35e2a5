package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// ballast is a document that is where it should be, with a body of its own.
type ballast struct {
	body []byte
	err  error
}

func (b *ballast) Kind() string                      { return "ballast" }
func (b *ballast) MayComeFrom(any, string) bool      { return true }
func (b *ballast) Private() bool                     { return false }
func (b *ballast) Failed(_ any, err error) error     { return err }
func (b *ballast) Same(a, c any) bool                { return a == c }
func (b *ballast) Size(value any) int                { return value.(int) }
func (b *ballast) Parse([]byte, string) (any, error) { return len(b.body), nil }
func (b *ballast) Fetch(context.Context, any, Reference) (Answer, error) {
	return Answer{Body: b.body}, b.err
}

// crew is a small store whose entries have names of one letter.
type crew struct {
	*Store
	t       *testing.T
	evicted []string
}

func newCrew(t *testing.T, change func(*Policy)) *crew {
	c := &crew{t: t}
	p := DefaultPolicy()
	change(&p)
	c.Store = New(Config{Policy: p, Now: func() time.Time { return envelopeNow }, Observe: func(e Event) {
		if e.Kind == EventEvicted {
			c.evicted = append(c.evicted, e.Issuer)
		}
	}})
	t.Cleanup(c.Close)
	return c
}

// add makes an entry that holds so many bytes, and was used so often.
func (c *crew) add(name string, bytes, uses int) *Entry {
	e := c.Entry(Key{Issuer: name}, []Document{&ballast{}}, false)
	c.hold(e, bytes)
	for range uses {
		e.Used()
	}
	return e
}

// hold lets an entry hold so many bytes, half of them as a body.
func (c *crew) hold(e *Entry, bytes int) {
	at := envelopeNow.UnixNano()
	e.view.Store(&View{docs: [maxDocuments]*Snapshot{{Value: bytes - bytes/2, body: make([]byte, bytes/2), life: lifetime{fetched: at, fresh: at + 1, stale: at + 2}}}})
	c.account(e)
}

// names returns what is held, sorted.
func (c *crew) names() string {
	var all []string
	c.entries.Range(func(key, _ any) bool { all = append(all, key.(Key).Issuer); return true })
	slices.Sort(all)
	return strings.Join(all, "")
}

func (c *crew) want(names string) {
	c.t.Helper()
	if got := c.names(); got != names {
		c.t.Errorf("held %q; want %q", got, names)
	}
	c.check()
}

// check looks at the lists and sums of the room.
func (c *crew) check() {
	c.t.Helper()
	var bytes int64
	seen := 0
	for _, l := range []*list{&c.room.strangers, &c.room.proven} {
		n := 0
		var last *Entry
		for e := l.head; e != nil; e = e.place.next {
			if e.place.prev != last || e.place.in != l {
				c.t.Fatalf("the list is broken at %q", e.key.Issuer)
			}
			if held, _ := c.entries.Load(e.key); held != e || e.place.bytes != e.size() {
				c.t.Errorf("%q is in a list, in the store: %v; it counts %d bytes of %d", e.key.Issuer, held == e, e.place.bytes, e.size())
			}
			bytes += e.place.bytes
			last = e
			n++
		}
		if l.tail != last || l.len != n {
			c.t.Errorf("a list of %d entries says %d", n, l.len)
		}
		seen += n
	}
	if c.room.bytes != bytes || seen != c.Len() {
		c.t.Errorf("the room says %d bytes of %d, the store has %d entries of %d", c.room.bytes, bytes, c.Len(), seen)
	}
}

// TestOrderOfEvictions: strangers first, the oldest first; then, by the hand, the first
// that has no use left.
func TestOrderOfEvictions(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxIssuers = 3 })
	a, b := c.add("a", 0, 1), c.add("b", 0, 0)
	c.add("c", 0, 0)
	c.want("abc")
	c.add("d", 0, 0)
	c.want("acd") // b is the oldest stranger
	c.add("e", 0, 0)
	c.want("ade")
	if len(c.evicted) != 0 {
		t.Errorf("told of %q, which were not in use", c.evicted)
	}
	if a.place.in != &c.room.proven || b.place != (place{bytes: entryCost}) || b.view.Load() != nil {
		t.Errorf("a is proven: %v; b has the place %+v", a.place.in == &c.room.proven, b.place)
	}
}

// TestHand: it takes one use off each entry that it passes, drops the first that has
// none, and goes on from there.
func TestHand(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxIssuers = 3 })
	a, b, d := c.add("a", 0, 1), c.add("b", 0, 1), c.add("d", 0, 1)
	c.add("e", 0, 1)
	c.want("bde") // all lost their one use; a is the oldest
	if a.used.Load() != 0 || b.used.Load() != 0 || d.used.Load() != 0 || c.room.hand != b {
		t.Errorf("uses %d, %d, %d; want none, and b next", a.used.Load(), b.used.Load(), d.used.Load())
	}
	c.add("f", 0, 1)
	c.want("def")
	d.Used()
	d.Used()
	c.add("g", 0, 1)
	c.want("dfg") // d had two uses, e and f one: in the second turn it is e that has none
	if d.used.Load() != 0 || c.room.hand.key.Issuer != "f" {
		t.Errorf("d has %d uses, %s is next; want 0, and f", d.used.Load(), c.room.hand.key.Issuer)
	}
	if got := strings.Join(c.evicted, ""); got != "abe" {
		t.Errorf("told of %q; want abe", got)
	}
}

// TestUses are counted to three.
func TestUses(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	e := c.add("a", 0, 0)
	for _, want := range []uint32{1, 2, 3, 3, 3} {
		e.Used()
		if got := e.used.Load(); got != want {
			t.Errorf("%d uses; want %d", got, want)
		}
	}
	for _, want := range []bool{true, true, true, false, false} {
		if got := e.spared(); got != want {
			t.Errorf("spared %v; want %v", got, want)
		}
	}
}

// TestHandIsBounded: after so many entries with uses left it drops the next one.
func TestHandIsBounded(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxIssuers = 200 })
	for n := range 200 {
		c.add(fmt.Sprint(n), 0, 3)
	}
	c.add("x", 0, 0)
	if c.Find(Key{Issuer: "128"}) != nil || c.Len() != 200 {
		t.Errorf("entry 128 is held: %v, of %d", c.Find(Key{Issuer: "128"}) != nil, c.Len())
	}
	c.check()
}

// TestEntryThatIsAddedStays, however little room there is, and whatever else has to go.
func TestEntryThatIsAddedStays(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxBytes = 5000 })
	c.add("x", 10_000, 0)
	c.want("x")              // a stranger, alone and too large
	a := c.add("a", 1000, 1) // 2024 bytes
	c.add("b", 1000, 0)
	c.want("ab")
	c.hold(a, 10_000)
	c.want("a") // alone, and too large
	c.hold(a, 1000)
	b := c.add("b", 1000, 1)
	c.add("c", 10, 0) // a and b are proven
	c.want("bc")
	c.add("d", 0, 0)
	c.want("bcd")
	c.hold(b, 4000) // b is the only proven one, and it is b that grows
	c.want("b")
	c.check()
}

// TestGrowthOfTheOldest makes others go, not itself.
func TestGrowthOfTheOldest(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxBytes = 3*entryCost + 10 })
	c.add("a", 0, 1)
	b := c.add("b", 0, 1)
	c.add("c", 0, 1)
	c.add("d", 0, 0)
	c.want("bcd")
	c.hold(b, 100)
	c.want("bc")
	c.hold(b, 1100)
	c.want("b")
	c.add("e", 0, 0) // the one that is proven is the only other
	c.want("e")
}

// TestExactRoom: what fits to the byte, and to the entry, fits.
func TestExactRoom(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxBytes, p.MaxIssuers = 3*(entryCost+101), 3 })
	for _, name := range []string{"a", "b", "c"} {
		c.add(name, 101, 0)
	}
	c.want("abc")
	c.hold(c.Find(Key{Issuer: "c"}), 102)
	c.want("bc")
	c.add("d", 100, 0)
	c.want("bcd")
	c.add("e", 0, 0)
	c.want("cde")
}

// TestEvictionsOfWhatIsOfNoUse are not told.
func TestEvictionsOfWhatIsOfNoUse(t *testing.T) {
	c := newCrew(t, func(p *Policy) { p.MaxIssuers = 1 })
	a := c.add("a", 0, 1)
	old := envelopeNow.Add(-time.Hour).UnixNano()
	a.view.Store(&View{docs: [maxDocuments]*Snapshot{{Value: 0, life: lifetime{fetched: old, fresh: old, stale: old}}}})
	c.add("b", 0, 0)
	c.want("b")
	if len(c.evicted) != 0 {
		t.Errorf("told of %q; want nothing about what could not be served", c.evicted)
	}
}

// TestFetchedBytesCount as soon as they are there.
func TestFetchedBytesCount(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	e := c.Entry(Key{Issuer: "a"}, []Document{&ballast{body: make([]byte, 500)}}, false)
	c.check()
	if _, _, err := e.Get(t.Context(), envelopeNow); err != nil {
		t.Fatal(err)
	}
	if c.room.bytes != entryCost+500 {
		t.Errorf("%d bytes; want %d", c.room.bytes, entryCost+500)
	}
	c.check()
}

// TestRoomAtRandom: the lists and sums are right after any order of things.
func TestRoomAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := newCrew(t, func(p *Policy) { p.MaxBytes, p.MaxIssuers = 20_000, 12 })
	all := make(map[string]*Entry) // the entries that are known by their names now
	for n := range 3000 {
		switch random.IntN(4) {
		case 0:
			name := fmt.Sprint(random.IntN(40))
			all[name] = c.add(name, random.IntN(3000), random.IntN(4))
		case 1:
			c.add(fmt.Sprint("x", n), random.IntN(3000), 0)
		default:
			if e := all[fmt.Sprint(random.IntN(40))]; e != nil {
				c.hold(e, random.IntN(5000)) // one that was evicted comes back
			}
		}
		if c.Len() > 12 || c.room.bytes > 20_000 {
			t.Fatalf("step %d: %d entries of %d bytes", n, c.Len(), c.room.bytes)
		}
		c.check()
		if t.Failed() {
			t.Fatalf("step %d", n)
		}
	}
}

// TestRefreshThatEndsInThisMoment: a request that found nothing fresh, and is told by
// the lock that there is, neither waits nor fetches.
func TestRefreshThatEndsInThisMoment(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	e := c.Entry(Key{Issuer: "a"}, []Document{&ballast{err: errors.New("asked")}}, false)
	c.hold(e, 10)
	for range 2 { // the lock is free after it
		v, waited, err := e.slow(t.Context(), nil, envelopeNow.UnixNano(), 1)
		if v != e.view.Load() || !waited || err != nil {
			t.Errorf("slow = %v, %v, %v; want what is held, which is newer than what was found", v, waited, err)
		}
	}
	old := &View{docs: e.view.Load().docs}
	if v, waited, err := e.slow(t.Context(), old, envelopeNow.UnixNano(), 1); v != e.view.Load() || waited || err != nil {
		t.Errorf("slow = %v, %v, %v; want what is held, of which nothing is newer", v, waited, err)
	}
	if e.runs != 0 {
		t.Errorf("%d refreshes; want none", e.runs)
	}
}

// TestEvictedWhenTheRefreshEnds: what the refresh brought is still there for those who
// waited for it; what was not brought is not.
func TestEvictedWhenTheRefreshEnds(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	e := c.Entry(Key{Issuer: "a"}, []Document{&ballast{}}, false)
	brought := &View{}
	ended := &call{done: make(chan struct{}), view: brought}
	if got := e.current(ended); got != nil {
		t.Errorf("%v before the end; want nothing", got)
	}
	close(ended.done)
	if got := e.current(ended); got != brought {
		t.Errorf("%v; want what was brought", got)
	}
	if c.hold(e, 1); e.current(ended) != e.view.Load() {
		t.Error("want what is held")
	}
}

// TestNamesAreCopied: the name may be a part of a token, which is not to be kept.
func TestNamesAreCopied(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	token := "header https://a.example/ signature"
	part := token[7:25]
	e := c.Entry(Key{Issuer: part}, []Document{&ballast{}}, false)
	if e.Issuer() != "https://a.example/" || unsafe.StringData(e.Issuer()) == unsafe.StringData(part) {
		t.Errorf("the entry of %q holds on to the whole token", e.Issuer())
	}
}

// TestLastFailure is that of the first document that is not fresh, or of the last one.
func TestLastFailure(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	e := c.Entry(Key{Issuer: "a"}, []Document{&ballast{}, &ballast{}}, false)
	one, two := errors.New("one"), errors.New("two")
	e.tries[0].err, e.tries[1].err = one, two
	now := envelopeNow.UnixNano()
	fresh, stale := &Snapshot{life: lifetime{fetched: now, fresh: now}}, &Snapshot{life: lifetime{fetched: now, fresh: now - 1}}
	for _, test := range []struct {
		docs [maxDocuments]*Snapshot
		n    int
		want int
		err  error
	}{
		{[maxDocuments]*Snapshot{stale, stale}, 2, 0, one}, {[maxDocuments]*Snapshot{fresh, stale}, 2, 1, two}, {[maxDocuments]*Snapshot{fresh, fresh}, 2, 1, two},
		{[maxDocuments]*Snapshot{fresh, stale}, 1, 0, one}, {[maxDocuments]*Snapshot{stale, fresh}, 1, 0, one},
	} {
		if i, err := e.lastFailure(&View{test.docs}, now, test.n); i != test.want || err != test.err {
			t.Errorf("lastFailure = %d, %v; want %d, %v", i, err, test.want, test.err)
		}
	}
}

// TestUnavailableHasACause, whatever is known.
func TestUnavailableHasACause(t *testing.T) {
	c := newCrew(t, func(*Policy) {})
	e := c.Entry(Key{Issuer: "a"}, []Document{&ballast{}}, false)
	var u *Unavailable
	if err := e.unavailable(0, nil, 0); !errors.As(err, &u) || !errors.Is(err, errStillWaiting) || u.Error() == "" {
		t.Errorf("unavailable = %v", err)
	}
}
