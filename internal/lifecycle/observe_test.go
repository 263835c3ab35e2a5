package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// wantHealth checks the state of the documents of one issuer, by their kind.
func (p *process) wantHealth(want ...lifecycle.Health) {
	p.Helper()
	got := p.Health()
	slices.SortFunc(got, func(a, b lifecycle.Health) int { return strings.Compare(a.Document, b.Document) })
	if len(got) != len(want) {
		p.Fatalf("health %+v; want %d documents", got, len(want))
	}
	for n, h := range got {
		w := want[n]
		w.Issuer = name
		if !h.FetchedAt.Equal(w.FetchedAt) || !h.NextRefresh.Equal(w.NextRefresh) || !errors.Is(h.LastErr, w.LastErr) || (h.LastErr == nil) != (w.LastErr == nil) {
			p.Errorf("health %+v; want %+v", h, w)
		}
		h.FetchedAt, h.NextRefresh, h.LastErr = w.FetchedAt, w.NextRefresh, w.LastErr
		if h != w {
			p.Errorf("health %+v; want %+v", h, w)
		}
	}
}

// TestHealth of each document, from when it is asked for.
func TestHealth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.BackoffMin, cfg.Policy.BackoffMax = time.Hour, time.Hour })
		p.wantHealth()
		if _, err := p.entry.First(t.Context(), time.Now(), false); err != nil {
			t.Fatal(err)
		}
		first := time.Now()
		metadata := lifecycle.Health{Document: "discovery", Held: true, Fresh: true, Servable: true, FetchedAt: first, NextRefresh: first.Add(8 * time.Minute)}
		p.wantHealth(metadata)
		time.Sleep(time.Minute)
		p.want("k1")
		second := time.Now()
		keys := lifecycle.Health{Document: "jwks", Held: true, Fresh: true, Servable: true, FetchedAt: second, NextRefresh: second.Add(8 * time.Minute)}
		p.wantHealth(metadata, keys)
		time.Sleep(10*time.Minute - time.Second)
		metadata.Fresh = false
		p.wantHealth(metadata, keys)
		time.Sleep(2 * time.Hour)
		metadata.Servable, keys.Fresh, keys.Servable = false, false, false
		p.wantHealth(metadata, keys)
		i.both(func(p *place) { p.err = errDown })
		_, _ = p.get()
		var u *lifecycle.Unavailable
		if _, err := p.get(); !errors.As(err, &u) {
			t.Fatalf("%v; want *Unavailable", err)
		}
		metadata.Failures, metadata.LastErr, metadata.NextRefresh = 1, errDown, time.Now().Add(u.RetryAfter)
		p.wantHealth(metadata, keys)
	})
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.metadata.err = errDown
		p := start(t, i, func(cfg *lifecycle.Config) { cfg.Policy.BackoffMin, cfg.Policy.BackoffMax = time.Hour, time.Hour })
		_, _ = p.get()
		var u *lifecycle.Unavailable
		if _, err := p.get(); !errors.As(err, &u) {
			t.Fatalf("%v; want *Unavailable", err)
		}
		p.wantHealth(lifecycle.Health{Document: "discovery", Failures: 1, LastErr: errDown, NextRefresh: time.Now().Add(u.RetryAfter)})
	})
}

// TestHealthAfterASuccess forgets the failures before; a refresh that failed comes no
// earlier than its back-off allows, and none later than without it.
func TestHealthAfterASuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		p.want("k1")
		fetched := time.Now()
		v, _ := p.get()
		i.keys.set(func(p *place) { p.err = errDown })
		if _, outcome, err := p.entry.Refetch(t.Context(), "x", v, has("x")); outcome != lifecycle.Failed || err != nil {
			t.Fatal(outcome, err)
		}
		metadata := lifecycle.Health{Document: "discovery", Held: true, Fresh: true, Servable: true, FetchedAt: fetched, NextRefresh: fetched.Add(8 * time.Minute)}
		keys := metadata
		keys.Document, keys.Failures, keys.LastErr = "jwks", 1, errDown
		p.wantHealth(metadata, keys)
		i.keys.set(func(p *place) { p.err = nil })
		time.Sleep(time.Minute)
		if _, outcome, err := p.entry.Refetch(t.Context(), "x", v, has("x")); outcome != lifecycle.Refreshed || err != nil {
			t.Fatal(outcome, err)
		}
		keys.Failures, keys.LastErr, keys.FetchedAt, keys.NextRefresh = 0, nil, time.Now(), time.Now().Add(8*time.Minute)
		p.wantHealth(metadata, keys)
	})
}

// TestStoreOfSome: each entry is found, counted and looked at.
func TestStoreOfSome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		p := start(t, i, nil)
		for n := range 5 {
			key := lifecycle.Key{Issuer: fmt.Sprintf("https://%d.example/", n)}
			e := p.Entry(key, i.documents(), false)
			if _, _, err := e.Get(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if p.Find(key) != e || p.Entry(key, i.documents(), false) != e {
				t.Errorf("entry %d is not found", n)
			}
		}
		if p.Len() != 6 || len(p.Health()) != 10 || p.Find(lifecycle.Key{Issuer: "https://6.example/"}) != nil {
			t.Errorf("%d entries, health of %d documents; want 6, one of which was never asked for, and 10", p.Len(), len(p.Health()))
		}
	})
}

// TestCloseEndsWhatIsUnderWay, at once, and is done when nothing is.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.delay = 3 * time.Second })
		p := start(t, i, nil)
		go func() { _, _ = p.get() }()
		synctest.Wait()
		began := time.Now()
		p.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v; want 0", took)
		}
		if got := p.count(lifecycle.EventFetchFailed); got != 1 {
			t.Errorf("%d fetches have ended; want the one that was under way", got)
		}
	})
}

// TestProbesOfTwoProcesses do not answer for each other.
func TestProbesOfTwoProcesses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var probes []string
		for range 2 {
			n := newNode(t, newIssuer(), newMemory(), nil)
			n.want("k1")
			for _, key := range n.cache.wrote() {
				if strings.Contains(key, "probe:") {
					probes = append(probes, key)
				}
			}
		}
		if len(probes) != 2 || probes[0] == probes[1] {
			t.Errorf("probes %q; want one of each", probes)
		}
	})
}

// TestContextThatEndsWhileWaiting is the cause of the failure, which is the request's
// own.
func TestContextThatEndsWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		i := newIssuer()
		i.both(func(p *place) { p.delay = time.Second })
		p := start(t, i, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := p.entry.Get(ctx, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v", err)
		}
		if _, err := p.entry.First(ctx, time.Now(), true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("First = %v", err)
		}
	})
}
