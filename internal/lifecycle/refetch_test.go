package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

func has(kid string) func(any) bool {
	return func(v any) bool { return slices.Contains(strings.Fields(v.(string)), kid) }
}

// refetch asks for a kid that the set held does not have.
func (p *process) refetch(kid string) lifecycle.Outcome {
	p.Helper()
	v, err := p.get()
	if err != nil {
		p.Fatal(err)
	}
	got, outcome, err := p.entry.Refetch(p.Context(), kid, v, has(kid))
	if err != nil || got == nil {
		p.Errorf("Refetch(%q) = %v, %v, %v", kid, got, outcome, err)
	}
	return outcome
}

func TestRefetch(t *testing.T) {
	const yes, limited, failed = lifecycle.Refreshed, lifecycle.Limited, lifecycle.Failed
	type step struct {
		kid     string
		want    lifecycle.Outcome
		fetches int // of keys, so far
		before  func(*issuer)
	}
	rotate := func(kids string) func(*issuer) {
		return func(i *issuer) { i.keys.set(func(p *place) { p.answer.Body = []byte(kids) }) }
	}
	down := func(i *issuer) { i.keys.set(func(p *place) { p.err = errDown }) }
	up := func(i *issuer) { i.keys.set(func(p *place) { p.err = nil }) }
	wait := func(d time.Duration) func(*issuer) { return func(*issuer) { time.Sleep(d) } }
	for text, c := range map[string]struct {
		policy func(*lifecycle.Policy)
		steps  []step
	}{
		"a rotation": {steps: []step{{"k2", yes, 2, rotate("k1 k2")}, {"k3", yes, 3, rotate("k3")}}},
		"junk is looked for twice, and then not": {steps: []step{
			{"x", yes, 2, nil}, {"y", yes, 3, nil}, {"z", limited, 3, nil}, {"z", limited, 3, nil},
		}},
		"what was looked for is known to be missing": {steps: []step{{"x", yes, 2, nil}, {"x", yes, 2, nil}, {"y", yes, 3, nil}, {"x", yes, 3, nil}}},
		"a look for another kid since counts":        {steps: []step{{"x", yes, 2, nil}, {"y", yes, 3, nil}, {"z", limited, 3, nil}, {"z", yes, 4, wait(30 * time.Second)}}},
		"the next window": {steps: []step{
			{"x", yes, 2, nil}, {"y", yes, 3, nil}, {"k2", limited, 3, rotate("k2")}, {"k2", yes, 4, wait(30 * time.Second)},
		}},
		"the memory of a missing kid ends": {steps: []step{{"x", yes, 2, nil}, {"x", yes, 3, wait(31 * time.Second)}}},
		"a source that fails":              {steps: []step{{"x", failed, 2, down}, {"y", failed, 2, nil}, {"y", yes, 3, func(i *issuer) { up(i); time.Sleep(time.Second) }}}},
		"failures count":                   {steps: []step{{"x", failed, 2, down}, {"x", failed, 3, wait(2 * time.Second)}, {"x", failed, 3, wait(3 * time.Second)}}},
		"switched off":                     {func(p *lifecycle.Policy) { p.ForcedMax = 0 }, []step{{"x", yes, 1, nil}}},
		"no memory":                        {func(p *lifecycle.Policy) { p.MaxMissing = 0 }, []step{{"x", yes, 2, nil}, {"x", yes, 3, nil}, {"x", limited, 3, nil}}},
		"a small memory": {func(p *lifecycle.Policy) { p.MaxMissing = 1 }, []step{
			{"x", yes, 2, nil}, {"x", yes, 2, nil}, {"y", yes, 3, nil}, {"x", limited, 3, nil},
		}},
	} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				i := newIssuer()
				p := start(t, i, func(cfg *lifecycle.Config) {
					if c.policy != nil {
						c.policy(&cfg.Policy)
					}
				})
				p.want("k1")
				for n, s := range c.steps {
					if s.before != nil {
						s.before(i)
					}
					if got := p.refetch(s.kid); got != s.want || i.keys.count() != s.fetches {
						t.Errorf("step %d, %s: outcome %d after %d fetches; want %d after %d", n, s.kid, got, i.keys.count(), s.want, s.fetches)
					}
				}
				if left := p.entry.LimitedFor(time.Now()); left < 0 || left > 30*time.Second {
					t.Errorf("limited for %v; want 0 to 30 s", left)
				}
			})
		})
	}
}

// TestRefetchAfterARefreshThatBeganBefore: what is under way already may miss a
// kid that came to be meanwhile.
func TestRefetchJoins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		held, _ := p.get()
		i.both(func(p *place) { p.delay = time.Second })
		time.Sleep(9 * time.Minute)
		p.want("k1") // starts a refresh
		time.Sleep(1500 * time.Millisecond)
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				_, outcome, err := p.entry.Refetch(t.Context(), fmt.Sprint("x", n%2), held, has("x"))
				if outcome != lifecycle.Refreshed || err != nil {
					t.Errorf("outcome %d, %v", outcome, err)
				}
			})
		}
		wg.Wait()
		if got := i.keys.count(); got > 3 {
			t.Errorf("%d fetches; want the refresh and one more at most", got)
		}
	})
}

func TestRefetchThatFailsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		v, _ := p.get()
		i.keys.set(func(p *place) { p.delay = time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		got, outcome, err := p.entry.Refetch(ctx, "x", v, has("x"))
		if got != v || outcome != lifecycle.Failed || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %d, %v; want the view held, Failed and the deadline", got, outcome, err)
		}
	})
}

// TestRefetchWithoutMetadata: keys that cannot be looked for because their place
// is not known any more were not looked for.
func TestRefetchWithoutMetadata(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		v, _ := p.get()
		i.metadata.set(func(p *place) { p.err = errDown })
		time.Sleep(3 * time.Hour)
		_, outcome, err := p.entry.Refetch(t.Context(), "x", v, has("x"))
		if outcome != lifecycle.Failed || err != nil || i.keys.count() != 1 {
			t.Errorf("outcome %d, %v after %d fetches of keys; want Failed after 1", outcome, err, i.keys.count())
		}
	})
}

// TestRefetchBringsBackAnEvictedEntry.
func TestRefetchOfAnEvictedEntry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.MaxIssuers = 1 })
		v, _ := p.get()
		p.Entry(lifecycle.Key{Issuer: "https://b.example/"}, i.documents(), false)
		if p.Find(lifecycle.Key{Issuer: name, Source: "test"}) != nil {
			t.Fatal("the entry was not evicted")
		}
		if _, outcome, err := p.entry.Refetch(t.Context(), "x", v, has("x")); outcome != lifecycle.Refreshed || err != nil {
			t.Errorf("outcome %d, %v; want Refreshed", outcome, err)
		}
		p.want("k1")
	})
}
