package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

func keptFor(seconds int64) func(*place) {
	return func(p *place) { p.answer.Freshness = cachecontrol.Directives{MaxAge: seconds, HasMaxAge: true} }
}

// wantGet checks what a request gets: the key set, whether it waited for it, and how
// long it took.
func (p *process) wantGet(set string, waited bool, took time.Duration) *lifecycle.View {
	p.Helper()
	began := time.Now()
	v, was, err := p.entry.Get(p.Context(), began)
	if err != nil {
		p.Fatal(err)
	}
	if got := v.Document(1).Value; got != set || was != waited || time.Since(began) != took {
		p.Errorf("served %q, waited %v, after %v; want %q, %v, after %v", got, was, time.Since(began), set, waited, took)
	}
	return v
}

// wantUnavailable checks why a request gets nothing, and that it is told when the next
// attempt will be.
func (p *process) wantUnavailable(document string, cause error) {
	p.Helper()
	_, waited, err := p.entry.Get(p.Context(), time.Now())
	var u *lifecycle.Unavailable
	if !errors.As(err, &u) || waited || u.Document != document || !errors.Is(err, cause) {
		p.Errorf("%v, waited %v; want that %s is not available because of %v", err, waited, document, cause)
		return
	}
	for _, h := range p.Health() {
		if h.Document == document && h.Failures > 0 && u.RetryAfter != max(0, time.Until(h.NextRefresh)) {
			p.Errorf("come back in %v; want %v, when the back-off ends", u.RetryAfter, time.Until(h.NextRefresh))
		}
	}
}

// TestWaits: for what is absent, for what is stale a little, for nothing while the
// source is known to fail.
func TestWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		i.keys.set(func(p *place) { p.delay = time.Second })
		p.wantGet("k1", true, time.Second)
		p.wantGet("k1", false, 0)
		i.publish("k2")
		i.keys.set(func(p *place) { p.delay = 100 * time.Millisecond })
		time.Sleep(11 * time.Minute)
		p.wantGet("k2", true, 100*time.Millisecond)
		i.keys.set(func(p *place) { p.err = errDown })
		time.Sleep(11 * time.Minute)
		p.wantGet("k2", false, 100*time.Millisecond)
		p.wantGet("k2", false, 0) // in the back-off
		time.Sleep(2 * time.Second)
		asked := i.keys.count()
		p.wantGet("k2", false, 0) // after it: the attempt goes on behind the scenes
		time.Sleep(time.Second)
		if got := i.keys.count() - asked; got != 1 {
			t.Errorf("%d attempts; want 1", got)
		}
		i.keys.set(func(p *place) { p.err = nil })
		time.Sleep(time.Minute)
		p.wantGet("k2", false, 0)
		time.Sleep(time.Second)
		p.wantGet("k2", false, 0)
		if got := p.count(lifecycle.EventRotated); got != 1 {
			t.Errorf("%d changes told; want 1", got)
		}
	})
}

// TestStaleIsTold of what is stale, and of nothing else.
func TestStaleIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.set(keptFor(120))
		p := start(t, i, nil)
		p.want("k1")
		i.keys.set(func(p *place) { p.err = errDown })
		time.Sleep(3 * time.Minute)
		p.want("k1")
		var told []lifecycle.Event
		for _, e := range p.told() {
			if e.Kind == lifecycle.EventStale {
				told = append(told, e)
			}
		}
		if want := (lifecycle.Event{Kind: lifecycle.EventStale, Issuer: name, Document: "jwks", Age: 3 * time.Minute}); !slices.Equal(told, []lifecycle.Event{want}) {
			t.Errorf("told %+v; want %+v", told, want)
		}
		before := p.count(lifecycle.EventStale)
		p.want("k1") // in the back-off, too
		if got := p.count(lifecycle.EventStale) - before; got != 1 {
			t.Errorf("told %d times in the back-off; want once", got)
		}
	})
}

// TestWaitedIsOfTheLastDocument: metadata that are fetched alone say nothing of keys,
// and keys need no metadata.
func TestWaitedIsOfTheLastDocument(t *testing.T) {
	for text, c := range map[string]struct {
		short  func(*issuer) *place
		waited bool
	}{"keys": {func(i *issuer) *place { return i.keys }, true}, "metadata": {func(i *issuer) *place { return i.metadata }, false}} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			c.short(i).set(keptFor(120))
			p := start(t, i, nil)
			p.wantGet("k1", true, 0)
			time.Sleep(3 * time.Minute)
			t.Log(text)
			p.wantGet("k1", c.waited, 0)
			if got := i.counts(); got[0]+got[1] != 3 {
				t.Errorf("%s: asked %v times; want one document again", text, got)
			}
		})
	}
}

// TestFailuresOfEach: the document that is missing, why, and when to come back, also
// while nothing may be asked.
func TestFailuresOfEach(t *testing.T) {
	for document, at := range map[string]func(*issuer) *place{
		"discovery": func(i *issuer) *place { return i.metadata }, "jwks": func(i *issuer) *place { return i.keys },
	} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			at(i).set(func(p *place) { p.err, p.delay = errDown, 3*time.Second })
			p := start(t, i, nil)
			p.wantUnavailable(document, errDown)
			asked := i.counts()
			p.wantUnavailable(document, errDown) // in the back-off
			if got := i.counts(); got != asked || document == "discovery" && got[1] != 0 {
				t.Errorf("asked %v times; want %v, and for no keys without metadata", got, asked)
			}
			var f *failure
			if _, err := p.get(); !errors.As(err, &f) || f.document != document {
				t.Errorf("%v; want the failure as the document describes it", err)
			}
			for _, e := range p.told() {
				if e.Kind == lifecycle.EventFetched && (e.Err != nil || e.Document == document) || e.Kind == lifecycle.EventFetchFailed && (!errors.As(e.Err, &f) || e.Document != document || e.Duration != 3*time.Second) {
					t.Errorf("told %+v", e)
				}
			}
		})
	}
	// A request that ends before its fetches does not know more.
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.delay = time.Second })
		p := start(t, i, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var u *lifecycle.Unavailable
		if _, _, err := p.entry.Get(ctx, time.Now()); !errors.As(err, &u) || u.Document != "jwks" || !errors.Is(err, context.DeadlineExceeded) || u.RetryAfter != 0 {
			t.Errorf("%v; want the keys not available because of its deadline", err)
		}
	})
	// One attempt per request, however short the pauses are.
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.err = errDown
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.BackoffMin, cfg.Policy.BackoffMax = 1, 1 })
		p.wantUnavailable("jwks", errDown)
		wantCounts(t, i, 1, 1)
	})
}

// TestBackingOffAlone: a document whose source fails waits for its pause, whatever is
// due beside it.
func TestBackingOffAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(keptFor(120))
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.BackoffMin, cfg.Policy.BackoffMax = time.Hour, time.Hour })
		p.want("k1")
		i.keys.set(func(p *place) { p.err = errDown })
		time.Sleep(3 * time.Minute)
		p.want("k1")
		time.Sleep(3 * time.Minute)
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 3, 2)
		i.metadata.set(func(p *place) { p.answer.Body = []byte("url other keys") }) // where they fail, too
		time.Sleep(3 * time.Minute)
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 4, 2)
	})
}

// TestBackingOffBeside what is due: metadata that cannot be fetched keep no keys from
// being, nor keys metadata; what is fresh is not waited for, nor asked for.
func TestBackingOffBeside(t *testing.T) {
	hour := func(cfg *lifecycle.Config) { cfg.Policy.BackoffMin, cfg.Policy.BackoffMax = time.Hour, time.Hour }
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(keptFor(120))
		p := start(t, i, hour)
		p.want("k1")
		i.metadata.set(func(p *place) { p.err = errDown })
		for range 3 {
			time.Sleep(3 * time.Minute)
			p.want("k1")
			time.Sleep(time.Second)
		}
		wantCounts(t, i, 2, 4)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.err = errDown
		p := start(t, i, hour)
		p.wantUnavailable("jwks", errDown)
		time.Sleep(9 * time.Minute) // the metadata are fresh, though due soon
		p.wantUnavailable("jwks", errDown)
		time.Sleep(time.Second)
		wantCounts(t, i, 1, 1)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.metadata.set(keptFor(120))
		p := start(t, i, nil)
		held, _ := p.get()
		time.Sleep(90 * time.Second)
		i.keys.set(func(p *place) { p.err = errDown })
		p.look(i, "x", held, lifecycle.Failed, "k1", 2)
		i.metadata.set(func(p *place) { p.delay = 100 * time.Millisecond })
		time.Sleep(40 * time.Second)
		p.wantGet("k1", false, 100*time.Millisecond) // the source of the metadata is not known to fail
	})
}

// TestWhatEndsAtOnce is served to those who waited for it, and is not stale.
func TestWhatEndsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.answer.Freshness.NoStore, p.delay = true, time.Second })
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.Floor, cfg.Policy.StaleIfError = 0, 0 })
		for range 2 {
			p.wantGet("k1", true, 2*time.Second)
		}
		if got := p.count(lifecycle.EventStale); got != 0 {
			t.Errorf("%d documents were served stale; want none", got)
		}
	})
}

// TestStaleBesideFresh: of two documents that a request waited for, one was fetched,
// and the other one is served as it was, which is told.
func TestStaleBesideFresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.keys.set(func(p *place) { p.err = errDown })
		time.Sleep(11 * time.Minute)
		p.wantGet("k1", false, 0)
		var told []string
		for _, e := range p.told() {
			if e.Kind == lifecycle.EventStale {
				told = append(told, e.Document)
			}
		}
		if !slices.Equal(told, []string{"jwks"}) {
			t.Errorf("told that %q are stale; want the keys", told)
		}
	})
}

// TestGetDuringFirst: what fetches the metadata alone is waited for, and then the keys
// are fetched.
func TestGetDuringFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.delay = time.Second })
		p := start(t, i, nil)
		go func() { _, _ = p.entry.First(t.Context(), time.Now(), false) }()
		time.Sleep(time.Millisecond)
		p.wantGet("k1", true, 2*time.Second-time.Millisecond)
		wantCounts(t, i, 1, 1)
	})
}

// TestDocumentOfFirst is the one that is blamed when it fails, and the last of the
// chain is another one.
func TestDocumentOfFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.metadata.set(func(p *place) { p.err = errDown })
		var u *lifecycle.Unavailable
		if _, err := p.entry.First(t.Context(), time.Now(), true); !errors.As(err, &u) || u.Document != "discovery" || !errors.Is(err, errDown) {
			t.Errorf("%v; want that the metadata are not available", err)
		}
		if e := p.entry; e.Documents() != 2 || e.Kind(0) != "discovery" || e.Kind(1) != "jwks" || e.Last().Kind() != "jwks" || e.Issuer() != name {
			t.Errorf("%d documents: %s, %s, the last is %s", e.Documents(), e.Kind(0), e.Kind(1), e.Last().Kind())
		}
	})
}

// TestOneRefreshAhead at a time, and none before its moment.
func TestOneRefreshAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		time.Sleep(8 * time.Minute)
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 1, 1)
		i.both(func(p *place) { p.delay = time.Second })
		for range 3 {
			p.wantGet("k1", false, 0)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		wantCounts(t, i, 2, 2)
	})
}

// TestFetchedTogether: what will be due within the share of chance is fetched along,
// but no document before its floor, and nothing beside a forced refresh.
func TestFetchedTogether(t *testing.T) {
	chance := func(cfg *lifecycle.Config) { cfg.Policy.Jitter = 0.1 }
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, chance)
		held, _ := p.get()
		time.Sleep(429 * time.Second) // metadata are due in 432 s at the earliest, give or take 60
		p.look(i, "x", held, lifecycle.Refreshed, "k1", 2)
		wantCounts(t, i, 1, 2)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.set(keptFor(120))
		p := start(t, i, chance)
		p.want("k1")
		time.Sleep(2*time.Minute + time.Second)
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 1, 2) // the metadata are not due for long
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.metadata.set(keptFor(380)) // due in 274 to 304 s
		i.keys.set(keptFor(440))     // due in 317 to 352 s, give or take 44
		p := start(t, i, chance)
		p.want("k1")
		time.Sleep(310 * time.Second)
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 2, 2)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.set(keptFor(120))
		p := start(t, i, chance)
		p.want("k1")
		time.Sleep(100 * time.Second) // ahead
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 1, 2)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		held, _ := p.get()
		time.Sleep(8 * time.Minute) // to the last moment in which nothing is due
		p.look(i, "x", held, lifecycle.Refreshed, "k1", 2)
		wantCounts(t, i, 1, 2)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(keptFor(60))
		p := start(t, i, chance)
		if _, err := p.entry.First(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		p.want("k1")
		time.Sleep(57 * time.Second) // the keys are younger than the floor
		p.want("k1")
		time.Sleep(time.Second)
		wantCounts(t, i, 2, 1)
	})
}

// TestFirstJoins a refresh that is under way, and takes no harm from its keys.
func TestFirstJoins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.both(func(p *place) { p.delay = time.Second })
		i.keys.set(func(p *place) { p.err = errDown })
		time.Sleep(9 * time.Minute)
		p.want("k1") // starts a refresh, which does not know that the body will be wanted
		synctest.Wait()
		began := time.Now()
		snap, err := p.entry.First(t.Context(), time.Now(), true)
		if err != nil || string(snap.Body()) != "url keys" || time.Since(began) != 2*time.Second {
			t.Errorf("%+v, %v after %v; want the body after that of another fetch", snap, err, time.Since(began))
		}
		if got := i.metadata.count(); got != 2 {
			t.Errorf("metadata were asked %d times; want 2", got)
		}
	})
}

// TestTagsOfMetadata: a body that is wanted again is not asked for with the tag of
// what is held without it.
func TestTagsOfMetadata(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.metadata.answer.ETag = `"1"`
		p := start(t, i, nil)
		first := func(body bool, want string) {
			t.Helper()
			snap, err := p.entry.First(t.Context(), time.Now(), body)
			if err != nil || body && string(snap.Body()) != "url keys" {
				t.Fatalf("%+v, %v; want the metadata, with their body %v", snap, err, body)
			}
			if got := strings.Join(i.metadata.tags, ","); got != want {
				t.Errorf("asked with the tags %s; want %s", got, want)
			}
		}
		first(false, ``)
		time.Sleep(11 * time.Minute)
		first(false, `,"1"`)
		first(true, `,"1",`)
		time.Sleep(11 * time.Minute)
		first(true, `,"1",,"1"`)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.answer.ETag = `"1"`
		p := start(t, i, nil)
		if _, err := p.entry.First(t.Context(), time.Now(), true); err != nil {
			t.Fatal(err)
		}
		p.want("k1")
		time.Sleep(11 * time.Minute)
		p.want("k1")
		if got := strings.Join(i.keys.tags, ","); got != `,"1"` {
			t.Errorf("keys, whose body nobody wants, were asked for with the tags %s", got)
		}
	})
}

// TestNotModifiedUnasked: nobody asked whether it is, so nothing is known.
func TestNotModifiedUnasked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.keys.set(func(p *place) { p.answer.NotModified, p.answer.Body = true, nil })
		time.Sleep(11 * time.Minute)
		p.want("k1")
		if got := p.count(lifecycle.EventFetchFailed); got != 1 {
			t.Errorf("%d failures; want 1", got)
		}
	})
}

// TestBodiesThatAreKept: those that somebody will ask for, and all where they may have
// to be shared again.
func TestBodiesThatAreKept(t *testing.T) {
	for text, c := range map[string]struct {
		pinned, shared bool
		metadata, keys string
	}{"neither": {}, "pinned": {true, false, "url keys", ""}, "shared": {false, true, "url keys", "k1"}, "both": {true, true, "url keys", "k1"}} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			p := start(t, i, func(cfg *lifecycle.Config) {
				if c.shared {
					cfg.Cache = newMemory()
				}
			})
			e := p.Entry(lifecycle.Key{Issuer: name, Source: text}, i.documents(), c.pinned)
			v, _, err := e.Get(t.Context(), time.Now())
			if err != nil || string(v.Document(0).Body()) != c.metadata || string(v.Document(1).Body()) != c.keys {
				t.Errorf("%s: bodies %q and %q, %v; want %q and %q", text, v.Document(0).Body(), v.Document(1).Body(), err, c.metadata, c.keys)
			}
		})
	}
}

// TestStatedCounts: the same content of an issuer that calls itself otherwise is
// another one.
func TestStatedCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		var last uint64
		for n, c := range []struct {
			stated string
			other  bool
		}{{"a", true}, {"a", false}, {"b", true}} {
			i.keys.set(func(p *place) { p.answer.Stated = c.stated })
			v, err := p.get()
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, e := range p.told() {
				if e.Kind == lifecycle.EventRotated {
					told = append(told, e.Document)
				}
			}
			if want := c.other && n > 0; slices.Equal(told, []string{"jwks"}) != want || !want && len(told) > 0 {
				t.Errorf("fetch %d: told of changes of %q", n, told)
			}
			if got := v.Document(1).Generation; (got != last) != c.other {
				t.Errorf("fetch %d: generation %d after %d; want another one %v", n, got, last, c.other)
			}
			last = v.Document(1).Generation
			time.Sleep(11 * time.Minute)
		}
	})
}

// TestNothingChangesByAFailure: no change is told, and the view is the same.
func TestNothingChangesByAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		before, _ := p.get()
		i.both(func(p *place) { p.err = errDown })
		time.Sleep(11 * time.Minute)
		if after, err := p.get(); err != nil || after != before || p.count(lifecycle.EventRotated) != 0 {
			t.Errorf("%v, another view %v, %d changes told; want the same one and none", err, after != before, p.count(lifecycle.EventRotated))
		}
	})
}

// TestTimeOfEachFetch: metadata that are held leave half of the time to the keys, and
// the keys have what is left.
func TestTimeOfEachFetch(t *testing.T) {
	for text, c := range map[string]struct {
		metadata, keys time.Duration
		failed         []string
	}{
		"slow keys":           {0, 4900 * time.Millisecond, nil},
		"too slow keys":       {0, 5100 * time.Millisecond, []string{"jwks"}},
		"slow metadata":       {2400 * time.Millisecond, 2400 * time.Millisecond, nil},
		"too slow metadata":   {2600 * time.Millisecond, 2400 * time.Millisecond, []string{"discovery"}},
		"both are a bit slow": {2400 * time.Millisecond, 2700 * time.Millisecond, []string{"jwks"}},
	} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			p := start(t, i, nil)
			p.want("k1")
			i.metadata.set(func(p *place) { p.delay = c.metadata })
			i.keys.set(func(p *place) { p.delay = c.keys })
			time.Sleep(9 * time.Minute)
			p.want("k1")
			time.Sleep(10 * time.Second)
			var failed []string
			for _, e := range p.told() {
				if e.Kind == lifecycle.EventFetchFailed {
					failed = append(failed, e.Document)
				}
			}
			if !slices.Equal(failed, c.failed) {
				t.Errorf("%s: %q failed; want %q", text, failed, c.failed)
			}
		})
	}
}

// TestEvictedDuringARefresh: whoever waits gets what the refresh brings, or its
// failure.
func TestEvictedDuringARefresh(t *testing.T) {
	for _, err := range []error{nil, errDown} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.MaxIssuers = 1 })
			p.want("k1")
			i.both(func(p *place) { p.delay, p.err = time.Second, err })
			i.publish("k2")
			time.Sleep(2 * time.Hour)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err != nil {
					p.wantUnavailable("discovery", errDown)
				} else {
					p.wantGet("k2", true, 2*time.Second)
				}
			})
			synctest.Wait()
			p.Entry(lifecycle.Key{Issuer: "https://b.example/"}, newIssuer().documents(), false)
			wg.Wait()
		})
	}
}

// TestKeysAreNotAskedForWithoutMetadata, also when they alone are looked for.
func TestKeysAreNotAskedForWithoutMetadata(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, func(cfg *lifecycle.Config) {
			cfg.Policy.MaxIssuers = 1
			cfg.Policy.BackoffMin, cfg.Policy.BackoffMax = time.Hour, time.Hour
		})
		held, _ := p.get()
		p.Entry(lifecycle.Key{Issuer: "https://b.example/"}, i.documents(), false)
		i.metadata.set(func(p *place) { p.err = errDown })
		if _, err := p.entry.First(t.Context(), time.Now(), false); !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		v, outcome, err := p.entry.Refetch(t.Context(), "x", held, has("x"))
		if v != held || outcome != lifecycle.Failed || err != nil {
			t.Errorf("outcome %d, %v; want Failed and the old view", outcome, err)
		}
		wantCounts(t, i, 2, 1)
	})
}

// TestSharedSetThatDoesNotSuffice: one that is newer but lacks the kid is no reason
// not to ask, nor is any for a body.
func TestSharedSetThatDoesNotSuffice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		a, b := newNode(t, i, m, nil), newNode(t, i, m, nil)
		a.want("k1")
		b.want("k1")
		held, _ := b.get()
		time.Sleep(time.Second)
		i.publish("k1 k2")
		v, _ := a.get()
		a.look(i, "k2", v, lifecycle.Refreshed, "k1 k2", 2)
		time.Sleep(time.Second)
		b.look(i, "k2", held, lifecycle.Refreshed, "k1 k2", 2)
		held, _ = b.get()
		b.look(i, "x", held, lifecycle.Refreshed, "k1 k2", 3)
		time.Sleep(time.Second)
		v, _ = a.get()
		a.look(i, "y", v, lifecycle.Refreshed, "k1 k2", 4)
	})
}

// TestSharedAgain: what was not modified is shared anew, body and all, and is there
// when the request is answered.
func TestSharedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i, m := newIssuer(), newMemory()
		i.both(func(p *place) { p.answer.ETag = `"1"` })
		m.hang = 5 * time.Millisecond
		n := newNode(t, i, m, nil)
		for range 2 {
			n.want("k1")
			if got := m.documents(); len(got) != 2 {
				t.Errorf("the cache has %q when the request is answered; want both", got)
			}
			time.Sleep(2 * time.Hour)
		}
		n.want("k1")
		if i.keys.tags[1] != `"1"` {
			t.Fatalf("tags %q", i.keys.tags)
		}
		other := newNode(t, i, m, nil)
		before := i.counts()
		other.want("k1")
		other.wantFaults()
		if got := i.counts(); got != before {
			t.Errorf("another process asked %v times; want %v", got, before)
		}
	})
}
