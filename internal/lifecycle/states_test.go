package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// TestStates walks through the diagram of the package comment.
func TestStates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1") // absent to fresh
		wantCounts(t, i, 1, 1)
		time.Sleep(7 * time.Minute)
		p.want("k1") // fresh
		wantCounts(t, i, 1, 1)

		i.both(func(p *place) { p.delay = 100 * time.Millisecond })
		i.keys.set(func(p *place) { p.answer.Body = []byte("k2") })
		time.Sleep(2 * time.Minute)
		began := time.Now()
		p.want("k1") // ahead
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v while the document was fresh; want 0", waited)
		}
		time.Sleep(time.Second)
		p.want("k2") // fresh again
		wantCounts(t, i, 2, 2)
		if n := p.count(lifecycle.EventRotated); n != 1 {
			t.Errorf("%d rotations reported; want 1", n)
		}

		time.Sleep(11 * time.Minute)
		i.keys.set(func(p *place) { p.answer.Body = []byte("k3") })
		p.want("k3") // stale, and the refresh is quick
		i.both(func(p *place) { p.err = errDown })
		time.Sleep(11 * time.Minute)
		p.want("k3") // stale to backing off
		before := i.counts()
		p.want("k3")
		if got := i.counts(); got != before {
			t.Errorf("asked %v times in the back-off; want %v", got, before)
		}
		if p.count(lifecycle.EventStale) == 0 || p.count(lifecycle.EventFetchFailed) != 2 {
			t.Errorf("%d stale serves and %d failures; want some and 2", p.count(lifecycle.EventStale), p.count(lifecycle.EventFetchFailed))
		}
		i.both(func(p *place) { p.err = nil })
		time.Sleep(time.Minute)
		p.want("k3")
		time.Sleep(time.Second)
		for _, h := range p.Health() {
			if !h.Fresh || h.Failures != 0 || h.LastErr != nil {
				t.Errorf("health %+v; want fresh", h)
			}
		}
	})
}

func TestHardLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.both(func(p *place) { p.err = errDown })
		for range 69 {
			time.Sleep(time.Minute)
			p.want("k1")
		}
		time.Sleep(2 * time.Minute)
		_, err := p.get()
		var u *lifecycle.Unavailable
		if !errors.As(err, &u) || !errors.Is(err, errDown) || u.Document != "discovery" {
			t.Errorf("past the hard limit: %v; want *Unavailable of the metadata because of %v", err, errDown)
		}
		_, err = p.get()
		if !errors.As(err, &u) || u.RetryAfter <= 0 || u.RetryAfter > 30*time.Second {
			t.Errorf("in the back-off: %v; want a time to come back of at most 30 s", err)
		}
	})
}

// TestEachDocumentHasItsOwnState: metadata that cannot be fetched does not keep
// the keys from being fetched, and the other way round.
func TestEachDocumentHasItsOwnState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.metadata.set(func(p *place) { p.delay = time.Hour }) // it hangs
		i.keys.set(func(p *place) { p.answer.Body = []byte("k2") })
		time.Sleep(9 * time.Minute)
		p.want("k1")
		time.Sleep(30 * time.Second)
		p.want("k2")
		states := map[string]int{}
		for _, h := range p.Health() {
			states[h.Document] = h.Failures
		}
		if states["discovery"] == 0 || states["jwks"] != 0 {
			t.Errorf("failures %v; want some of the metadata and none of the keys", states)
		}
	})
}

func TestFirstDocuments(t *testing.T) {
	for text, c := range map[string]struct {
		change   func(*issuer)
		unusable bool
		document string
	}{
		"no metadata":       {func(i *issuer) { i.metadata.err = errDown }, false, "discovery"},
		"no keys":           {func(i *issuer) { i.keys.err = errDown }, false, "jwks"},
		"garbage":           {func(i *issuer) { i.keys.answer.Body = []byte("garbage") }, false, "jwks"},
		"empty":             {func(i *issuer) { i.keys.answer.Body = []byte("empty") }, true, ""},
		"panic of fetch":    {func(i *issuer) { i.keys.panics = true }, false, "jwks"},
		"panic of parse":    {func(i *issuer) { i.metadata.answer.Body = []byte("panic") }, false, "discovery"},
		"not modified":      {func(i *issuer) { i.keys.answer.NotModified = true }, false, "jwks"},
		"metadata too slow": {func(i *issuer) { i.metadata.delay = 6 * time.Second }, false, "discovery"},
		"both too slow":     {func(i *issuer) { i.metadata.delay, i.keys.delay = 3*time.Second, 3*time.Second }, false, "jwks"},
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				c.change(i)
				p := start(t, i, nil)
				began := time.Now()
				_, err := p.get()
				var u *lifecycle.Unavailable
				if errors.As(err, &u) == c.unusable || errors.Is(err, errUnusable) != c.unusable || u != nil && u.Document != c.document {
					t.Errorf("error %v of %+v; want unusable %v, document %q", err, u, c.unusable, c.document)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("took %v; want one deadline for both documents", took)
				}
			})
		})
	}
}

func TestEmptySetAfterAGoodOneIsAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.keys.set(func(p *place) { p.answer.Body = []byte("empty") })
		time.Sleep(11 * time.Minute)
		p.want("k1")
		time.Sleep(2 * time.Hour)
		var u *lifecycle.Unavailable
		if _, err := p.get(); !errors.As(err, &u) {
			t.Errorf("past the hard limit: %v; want *Unavailable", err)
		}
	})
}

func TestOneFetchForManyRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.delay = 50 * time.Millisecond })
		p := start(t, i, nil)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { p.want("k1") })
		}
		// One that gives up takes nobody along.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, _, err := p.entry.Get(ctx, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a request with 10 ms: %v; want its own deadline", err)
		}
		wg.Wait()
		wantCounts(t, i, 1, 1)
	})
}

func TestStaleWaitIsShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.both(func(p *place) { p.delay = time.Hour })
		time.Sleep(11 * time.Minute)
		began := time.Now()
		p.want("k1")
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("waited %v with something stale to serve; want 500 ms", took)
		}
	})
}

// TestWaited: only a request during which the last document was fetched knows
// that it has all there is.
func TestWaited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		for _, want := range []bool{true, false} {
			if _, waited, err := p.entry.Get(t.Context(), time.Now()); err != nil || waited != want {
				t.Errorf("waited %v, %v; want %v", waited, err, want)
			}
		}
	})
}

func TestNotModified(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.answer.ETag = `"1"` })
		p := start(t, i, nil)
		p.want("k1")
		v, _ := p.get()
		time.Sleep(11 * time.Minute)
		p.want("k1")
		again, _ := p.get()
		if again == v || again.Document(1).Generation != v.Document(1).Generation {
			t.Errorf("generation %d after %d; want a new view of the same content", again.Document(1).Generation, v.Document(1).Generation)
		}
		if i.keys.tags[1] != `"1"` || p.count(lifecycle.EventRotated) != 0 {
			t.Errorf("tags %q, %d rotations; want the tag of the first answer and none", i.keys.tags, p.count(lifecycle.EventRotated))
		}
	})
}

// TestKeysMove: a key set from a place that the metadata no longer names is
// fetched from the new one at once.
func TestKeysMove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.metadata.set(func(p *place) { p.answer.Freshness = cachecontrol.Directives{MaxAge: 120, HasMaxAge: true} })
		p := start(t, i, nil)
		p.want("k1")
		i.metadata.set(func(p *place) { p.answer.Body = []byte("url other keys") })
		i.keys.set(func(p *place) { p.answer.Body = []byte("k9") })
		time.Sleep(3 * time.Minute)
		p.want("k9")
		wantCounts(t, i, 2, 2)
	})
}

func TestClockSetBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		offset := time.Hour
		i := newIssuer()
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Now = func() time.Time { return time.Now().Add(offset) } })
		get := func() error {
			_, _, err := p.entry.Get(t.Context(), time.Now().Add(offset))
			return err
		}
		if err := get(); err != nil {
			t.Fatal(err)
		}
		offset = 0 // the document is from the future now
		if err := get(); err != nil || i.keys.count() != 2 {
			t.Errorf("%v after %d fetches; want the document fetched again", err, i.keys.count())
		}
		// A back-off that began before the clock was set back is over.
		i.both(func(p *place) { p.err = errDown })
		time.Sleep(11 * time.Minute)
		_ = get()
		offset = -20 * time.Minute
		before := i.counts()
		_ = get()
		if got := i.counts(); got == before {
			t.Error("nothing was asked after the clock was set back; want another attempt")
		}
	})
}

func TestFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		snap, err := p.entry.First(t.Context(), time.Now(), false)
		if err != nil || snap.Value != "url keys" || snap.Body() != nil {
			t.Fatalf("%+v, %v; want the metadata without its body", snap, err)
		}
		wantCounts(t, i, 1, 0) // nobody asked for keys
		snap, err = p.entry.First(t.Context(), time.Now(), true)
		if err != nil || string(snap.Body()) != "url keys" {
			t.Fatalf("%+v, %v; want the body", snap, err)
		}
		wantCounts(t, i, 2, 0)
		_, _ = p.entry.First(t.Context(), time.Now(), true)
		p.want("k1")
		wantCounts(t, i, 2, 1)
		i.metadata.set(func(p *place) { p.err = errDown })
		time.Sleep(3 * time.Hour)
		if _, err := p.entry.First(t.Context(), time.Now(), true); !errors.Is(err, errDown) {
			t.Errorf("source down: %v", err)
		}
	})
}

func TestFirstWhoseBodyCannotBeFetched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.metadata.set(func(p *place) { p.err = errDown })
		var u *lifecycle.Unavailable
		if _, err := p.entry.First(t.Context(), time.Now(), true); !errors.As(err, &u) || !errors.Is(err, errDown) {
			t.Errorf("%v; want *Unavailable", err)
		}
		p.want("k1")
	})
}

func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		i.both(func(p *place) { p.delay = 3 * time.Second })
		time.Sleep(9 * time.Minute)
		p.want("k1") // starts a refresh
		synctest.Wait()
		p.Close()
		p.want("k1")
		time.Sleep(3 * time.Hour)
		before := i.counts()
		if _, err := p.get(); !errors.Is(err, lifecycle.ErrClosed) {
			t.Errorf("after Close: %v; want ErrClosed", err)
		}
		if got := i.counts(); got != before {
			t.Errorf("asked %v times after Close; want %v", got, before)
		}
	})
}

func TestPanicOfTheObserver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := start(t, newIssuer(), func(cfg *lifecycle.Config) { cfg.Observe = func(lifecycle.Event) { panic("observer") } })
		p.want("k1")
	})
}

func TestPanicIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.keys.panics = true
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Observe = nil })
		if _, err := p.get(); !errors.Is(err, foreign.ErrPanic) {
			t.Errorf("%v; want ErrPanic", err)
		}
	})
}

// TestFloor: a document is not refreshed before its floor, and a source that
// allows no freshness costs no request a wait.
func TestFloor(t *testing.T) {
	for text, d := range map[string]cachecontrol.Directives{
		"max-age=0": {HasMaxAge: true}, "no-cache": {NoCache: true}, "no-store": {NoStore: true}, "max-age=15": {MaxAge: 15, HasMaxAge: true},
		"older than its age": {MaxAge: 600, HasMaxAge: true, Age: 700},
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				i.freshness(d)
				p := start(t, i, nil)
				p.want("k1")
				i.both(func(p *place) { p.delay = 100 * time.Millisecond })
				for range 360 { // an hour
					time.Sleep(10 * time.Second)
					began := time.Now()
					p.want("k1")
					if took := time.Since(began); took != 0 {
						t.Fatalf("waited %v; want 0", took)
					}
				}
				if got := i.counts(); got[0] > 61 || got[1] > 61 || got[1] < 50 {
					t.Errorf("asked %v times in an hour with a floor of a minute", got)
				}
			})
		})
	}
}
