package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// look asks for a kid with the view that a request held, and checks what comes of
// it: the outcome, the key set that is returned, and how often keys were fetched.
func (p *process) look(i *issuer, kid string, held *lifecycle.View, outcome lifecycle.Outcome, set string, fetches int) *lifecycle.View {
	p.Helper()
	v, got, err := p.entry.Refetch(p.Context(), kid, held, has(kid))
	if err != nil || v == nil {
		p.Fatalf("Refetch(%q) = %v, %v, %v", kid, v, got, err)
	}
	if text := v.Document(1).Value; got != outcome || text != set || i.keys.count() != fetches {
		p.Errorf("Refetch(%q): outcome %d, set %q after %d fetches; want %d, %q after %d", kid, got, text, i.keys.count(), outcome, set, fetches)
	}
	return v
}

func (i *issuer) publish(kids string) { i.keys.set(func(p *place) { p.answer.Body = []byte(kids) }) }

// TestRefetchWithAnOldView: what another request brought meanwhile answers, as far
// as it was looked for since.
func TestRefetchWithAnOldView(t *testing.T) {
	const yes, limited = lifecycle.Refreshed, lifecycle.Limited
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		old, _ := p.get()
		i.publish("k1 k2")
		p.look(i, "k2", old, yes, "k1 k2", 2)
		p.look(i, "k2", old, yes, "k1 k2", 2) // it is there
		p.look(i, "x", old, yes, "k1 k2", 2)  // it is not, in a set that is newer than the request's
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		old, _ := p.get()
		time.Sleep(11 * time.Minute)
		p.want("k1") // fetched again, with the same content
		now, _ := p.get()
		p.look(i, "x", old, yes, "k1", 3) // nobody looked for it
		p.look(i, "y", old, yes, "k1", 4)
		latest, _ := p.get()
		if got := p.look(i, "z", old, limited, "k1", 4); got != latest || got == now {
			t.Error("a refetch that is limited returned an old view; want what is held")
		}
	})
}

// TestRefetchDuringARefresh with an old view: what is held already needs no wait,
// and anything else waits for what is under way.
func TestRefetchDuringARefresh(t *testing.T) {
	for kid, want := range map[string]struct {
		set  string
		took time.Duration
	}{"k2": {"k1 k2", 0}, "k3": {"k1 k2 k3", time.Second}} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			p := start(t, i, nil)
			old, _ := p.get()
			i.publish("k1 k2")
			p.look(i, "k2", old, lifecycle.Refreshed, "k1 k2", 2)
			i.publish("k1 k2 k3")
			i.keys.set(func(p *place) { p.delay = time.Second })
			time.Sleep(9 * time.Minute)
			p.want("k1 k2") // starts a refresh
			time.Sleep(time.Millisecond)
			began := time.Now().Add(-time.Millisecond)
			p.look(i, kid, old, lifecycle.Refreshed, want.set, 3)
			if took := time.Since(began).Truncate(time.Second); took != want.took {
				t.Errorf("%s: took %v; want %v", kid, took, want.took)
			}
		})
	}
}

// TestRefetchAfterARefresh that it joined: one more fetch if the kid is not in what
// that brought, and none if it is.
func TestRefetchAfterARefresh(t *testing.T) {
	for text, c := range map[string]struct {
		kids, later, kid, set string
		fetches               int
	}{
		"brought by it":            {"k1 k2", "k1 k2", "k2", "k1 k2", 2},
		"published after it":       {"k1", "k1 x", "x", "k1 x", 3},
		"published after a change": {"k1 k2", "k1 k2 x", "x", "k1 k2 x", 3},
		"never published":          {"k1 k2", "k1 k2", "x", "k1 k2", 3},
	} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			p := start(t, i, nil)
			held, _ := p.get()
			i.publish(c.kids)
			i.keys.set(func(p *place) { p.delay = time.Second })
			time.Sleep(9 * time.Minute)
			p.want("k1") // starts a refresh
			go func() {
				time.Sleep(1500 * time.Millisecond)
				i.publish(c.later)
			}()
			t.Log(text)
			p.look(i, c.kid, held, lifecycle.Refreshed, c.set, c.fetches)
			time.Sleep(time.Minute)
		})
	}
}

// TestRefetchDoesNotAskAboutWhatIsHeld: the request knows that, and to find out may
// take a signature.
func TestRefetchDoesNotAskAboutWhatIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		held, _ := p.get()
		var asked []any
		_, outcome, err := p.entry.Refetch(t.Context(), "x", held, func(v any) bool {
			asked = append(asked, v)
			return false
		})
		if len(asked) != 0 || outcome != lifecycle.Refreshed || err != nil {
			t.Errorf("asked about %q, outcome %d, %v; want nothing asked", asked, outcome, err)
		}
	})
}

// TestLimitedRefetchesAreTold, and those that need no attempt are not.
func TestLimitedRefetchesAreTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		held, _ := p.get()
		told := func(want int) {
			t.Helper()
			if got := p.count(lifecycle.EventLimited); got != want {
				t.Errorf("%d events; want %d", got, want)
			}
		}
		held = p.look(i, "x", held, lifecycle.Refreshed, "k1", 2)
		held = p.look(i, "x", held, lifecycle.Refreshed, "k1", 2) // known to be missing
		held = p.look(i, "y", held, lifecycle.Refreshed, "k1", 3)
		told(0)
		if left := p.entry.LimitedFor(time.Now()); left != 30*time.Second {
			t.Errorf("limited for %v; want 30 s", left)
		}
		time.Sleep(10 * time.Second)
		if left := p.entry.LimitedFor(time.Now()); left != 20*time.Second {
			t.Errorf("limited for %v after 10 s; want 20 s", left)
		}
		held = p.look(i, "z", held, lifecycle.Limited, "k1", 3)
		told(1)
		time.Sleep(20 * time.Second) // to the very end of the window, and of the memory of x
		p.look(i, "x", held, lifecycle.Refreshed, "k1", 4)
		told(1)
	})
}

// TestRefetchWhenTheClockIsSetBack: what was seen, and attempted, at a time that is
// still to come is forgotten.
func TestRefetchWhenTheClockIsSetBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		var offset time.Duration
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Now = func() time.Time { return time.Now().Add(offset) } })
		held, _ := p.get()
		held = p.look(i, "x", held, lifecycle.Refreshed, "k1", 2)
		held = p.look(i, "y", held, lifecycle.Refreshed, "k1", 3)
		held = p.look(i, "z", held, lifecycle.Limited, "k1", 3)
		offset = -time.Minute
		held = p.look(i, "x", held, lifecycle.Refreshed, "k1", 4)
		p.look(i, "z", held, lifecycle.Refreshed, "k1", 5)
	})
}

// TestRefetchWhileMetadataFail: keys whose place is known still were looked for.
func TestRefetchWhileMetadataFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.metadata.set(func(p *place) { p.answer.Freshness = cachecontrol.Directives{MaxAge: 120, HasMaxAge: true} })
		p := start(t, i, nil)
		held, _ := p.get()
		i.publish("k1 k2")
		i.metadata.set(func(p *place) { p.err = errDown })
		time.Sleep(3 * time.Minute)
		p.look(i, "k2", held, lifecycle.Refreshed, "k1 k2", 2)
		wantCounts(t, i, 2, 2)
	})
}

// TestRefetchOfAnEntryThatComesBack with its metadata alone: the keys are fetched
// if nothing is under way, and were not looked for by what fetches the metadata.
func TestRefetchOfAnEntryThatComesBack(t *testing.T) {
	type world struct {
		*process
		i    *issuer
		held *lifecycle.View
	}
	for text, c := range map[string]struct {
		back func(*world)
		want lifecycle.Outcome
	}{
		"metadata are held": {func(w *world) { _, _ = w.entry.First(w.Context(), time.Now(), false) }, lifecycle.Refreshed},
		"metadata on the way": {func(w *world) {
			w.i.metadata.set(func(p *place) { p.delay = time.Second })
			go func() { _, _ = w.entry.First(w.Context(), time.Now(), false) }()
			time.Sleep(time.Millisecond)
		}, lifecycle.Failed},
		"metadata that fail": {func(w *world) {
			w.i.metadata.set(func(p *place) { p.delay, p.err = time.Second, errDown })
			go func() { _, _ = w.entry.First(w.Context(), time.Now(), false) }()
			time.Sleep(time.Millisecond)
		}, lifecycle.Failed},
	} {
		bubble(t, func(t *testing.T) {
			i := newIssuer()
			p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.MaxIssuers = 1 })
			held, _ := p.get()
			p.Entry(lifecycle.Key{Issuer: "https://b.example/"}, i.documents(), false)
			c.back(&world{p, i, held})
			v, outcome, err := p.entry.Refetch(t.Context(), "x", held, has("x"))
			if outcome != c.want || err != nil || v == nil || (v == held) != (c.want == lifecycle.Failed) || !strings.Contains(v.Document(1).Value.(string), "k1") {
				t.Errorf("%s: outcome %d, %v, the old view %v; want %d", text, outcome, err, v == held, c.want)
			}
		})
	}
}
