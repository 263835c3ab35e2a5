package cacheadapter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// hooked runs a function once, in the middle of a call.
type hooked struct {
	complete
	afterGet, beforeSet, beforeDelete, beforeClear atomic.Pointer[func()]
}

func run(p *atomic.Pointer[func()]) {
	if f := p.Swap(nil); f != nil {
		(*f)()
	}
}

func (h *hooked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := h.complete.Get(ctx, key)
	run(&h.afterGet)
	return value, ok, err
}

func (h *hooked) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	run(&h.beforeSet)
	return h.complete.Set(ctx, key, value, ttl)
}

func (h *hooked) Delete(ctx context.Context, key string) error {
	run(&h.beforeDelete)
	return h.complete.Delete(ctx, key)
}

func (h *hooked) Clear(ctx context.Context) error {
	run(&h.beforeClear)
	return h.complete.Clear(ctx)
}

// tiers are two caches of one process and the far one of all.
type tiers struct {
	verifier.Cache
	clock  *verifiertest.Clock
	near   *verifiertest.Cache
	far    backend
	hooks  *hooked
	other  verifier.Cache // of another process
	events []cacheadapter.Event
}

func newTiers(t *testing.T) *tiers {
	t.Helper()
	clock := verifiertest.NewClock(time.Time{})
	x := &tiers{clock: clock, near: verifiertest.NewCache(clock, 0), far: newBackend(clock)}
	x.hooks = &hooked{complete: x.far.complete().(complete)}
	x.Cache = must(t)(cacheadapter.Tiered(x.near, x.hooks, cacheadapter.TieredConfig{
		NearTTL: 10 * time.Second, Clock: clock, Observe: func(e cacheadapter.Event) { x.events = append(x.events, e) },
	}))
	x.other = must(t)(cacheadapter.Tiered(verifiertest.NewCache(clock, 0), x.hooks, cacheadapter.TieredConfig{NearTTL: 10 * time.Second, Clock: clock}))
	return x
}

func TestTieredAsksFarOncePerNearTTL(t *testing.T) {
	x := newTiers(t)
	set(t, x.other, "k", "v", time.Hour)
	for _, want := range []int{1, 1, 1} {
		wantHit(t, x, "k", "v")
		if got := x.far.cache.Calls("Get"); got != want {
			t.Errorf("far was asked %d times; want %d", got, want)
		}
	}
	x.clock.Advance(10 * time.Second)
	wantHit(t, x, "k", "v")
	if got := x.far.cache.Calls("Get"); got != 2 {
		t.Errorf("far was asked %d times after NearTTL; want 2", got)
	}
}

func TestTieredSeesOtherProcessesAfterNearTTL(t *testing.T) {
	x := newTiers(t)
	set(t, x, "changed", "before", time.Hour)
	set(t, x, "deleted", "before", time.Hour)
	wantHit(t, x, "changed", "before")
	wantHit(t, x, "deleted", "before")
	set(t, x.other, "changed", "after", time.Hour)
	if err := x.other.Delete(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	x.clock.Advance(10 * time.Second)
	wantHit(t, x, "changed", "after")
	wantMiss(t, x, "deleted")
}

// TestTieredEndsWithTheTTL: near takes the value up when it is about to end.
func TestTieredEndsWithTheTTL(t *testing.T) {
	x := newTiers(t)
	set(t, x.other, "k", "v", time.Minute)
	x.clock.Advance(time.Minute - time.Second)
	wantHit(t, x, "k", "v")
	x.clock.Advance(time.Second)
	wantMiss(t, x, "k")
}

// TestTieredEndsWithTheTTLWhateverTheBackends: neither drops anything.
func TestTieredEndsWithTheTTLWhateverTheBackends(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	still := verifiertest.NewClock(time.Time{})
	c := must(t)(cacheadapter.Tiered(verifiertest.NewCache(still, 0), verifiertest.NewCache(still, 0), cacheadapter.TieredConfig{Clock: clock}))
	set(t, c, "near", "v", time.Second)
	set(t, c, "far", "v", time.Second)
	wantHit(t, c, "near", "v")
	clock.Advance(time.Second)
	wantMiss(t, c, "near")
	wantMiss(t, c, "far")
}

func TestTieredServesNoOldValueAfterAWrite(t *testing.T) {
	writes := map[string]func(t *testing.T, x *tiers){
		"Set":             func(t *testing.T, x *tiers) { set(t, x, "k", "new", time.Hour) },
		"Delete":          func(t *testing.T, x *tiers) { _ = x.Delete(t.Context(), "k") },
		"Set with no ttl": func(t *testing.T, x *tiers) { set(t, x, "k", "new", 0) },
		"Clear":           func(t *testing.T, x *tiers) { _ = x.Cache.(verifier.Clearer).Clear(t.Context()) },
	}
	get := func(t *testing.T, x *tiers) {
		if _, _, err := x.Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	for name, write := range writes {
		for when, play := range map[string]func(t *testing.T, x *tiers){
			"after a Get": func(t *testing.T, x *tiers) { get(t, x); write(t, x) },
			"while a Get waits for far": func(t *testing.T, x *tiers) {
				f := func() { write(t, x) }
				x.hooks.afterGet.Store(&f)
				get(t, x)
			},
			"while a Get runs in it": func(t *testing.T, x *tiers) {
				f := func() { get(t, x) }
				x.hooks.beforeSet.Store(&f)
				x.hooks.beforeDelete.Store(&f)
				x.hooks.beforeClear.Store(&f)
				write(t, x)
			},
		} {
			x := newTiers(t)
			set(t, x, "k", "old", time.Hour)
			play(t, x)
			value, _, err := x.Get(t.Context(), "k")
			if string(value) == "old" || err != nil {
				t.Errorf("%s %s: Get = %q, %v; want anything but the old value", name, when, value, err)
			}
			x.hooks.afterGet.Store(nil)
			get(t, x)
			calls := x.far.cache.Calls("Get")
			if name == "Set" {
				wantHit(t, x, "k", "new")
				if x.far.cache.Calls("Get") != calls {
					t.Errorf("%s %s: near did not take the new value up", name, when)
				}
			}
		}
	}
}

// TestTieredNeverGoesBackwards: once a write has returned, every Get sees it or
// a later one.
func TestTieredNeverGoesBackwards(t *testing.T) {
	x := newTiers(t)
	const last = 2000
	var written atomic.Int64
	var group sync.WaitGroup
	set(t, x, "k", "0", time.Hour)
	for range 4 {
		group.Go(func() {
			for written.Load() < last {
				least := written.Load()
				value, ok, err := x.Get(t.Context(), "k")
				if n, _ := strconv.ParseInt(string(value), 10, 64); !ok || err != nil || n < least {
					t.Errorf("Get = %q, %v, %v; want %d or more", value, ok, err, least)
					return
				}
			}
		})
	}
	for i := range int64(last) {
		set(t, x, "k", fmt.Sprint(i+1), time.Hour)
		written.Store(i + 1)
	}
	group.Wait()
}

func TestTieredFaults(t *testing.T) {
	fault := errors.New("down")
	x := newTiers(t)
	set(t, x, "k", "v", time.Hour)

	x.far.cache.FailNext(-1, fault)
	if _, ok, err := x.Get(t.Context(), "k"); ok || !errors.Is(err, fault) {
		t.Errorf("Get of what near has not, with far down = %v, %v; want false, %v", ok, err, fault)
	}
	for op, err := range map[string]error{
		"Set": x.Set(t.Context(), "k", []byte("v"), time.Hour), "Delete": x.Delete(t.Context(), "k"),
		"Clear": x.Cache.(verifier.Clearer).Clear(t.Context()),
	} {
		if !errors.Is(err, fault) {
			t.Errorf("%s with far down = %v; want %v", op, err, fault)
		}
	}
	x.far.cache.Recover()
	wantHit(t, x, "k", "v")
	x.far.cache.FailNext(-1, fault)
	wantHit(t, x, "k", "v") // which near has
	x.far.cache.Recover()

	x.events = nil
	x.near.FailNext(-1, fault)
	wantHit(t, x, "k", "v")
	want := []cacheadapter.Op{cacheadapter.OpGet, cacheadapter.OpSet}
	var got []cacheadapter.Op
	for _, e := range x.events {
		got = append(got, e.Op)
		if e.Outcome != cacheadapter.OutcomeFailed || !errors.Is(e.Err, fault) {
			t.Errorf("event %v; want a fault of near", e)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("events of %v; want of %v", got, want)
	}
}

// TestTieredWritesNothingWhileNearKeepsTheOld: near would go on serving it.
func TestTieredWritesNothingWhileNearKeepsTheOld(t *testing.T) {
	fault := errors.New("down")
	x := newTiers(t)
	set(t, x, "k", "v", time.Hour)
	wantHit(t, x, "k", "v")
	x.near.FailNext(3, fault)
	for op, err := range map[string]error{
		"Set": x.Set(t.Context(), "k", []byte("new"), time.Hour), "Delete": x.Delete(t.Context(), "k"),
		"Clear": x.Cache.(verifier.Clearer).Clear(t.Context()),
	} {
		if !errors.Is(err, fault) {
			t.Errorf("%s with near down = %v; want %v", op, err, fault)
		}
	}
	wantHit(t, x, "k", "v")
	wantHit(t, x.other, "k", "v")
	set(t, x, "k", "new", time.Hour)
	wantHit(t, x, "k", "new")
	calls := x.far.cache.Calls("Get")
	wantHit(t, x, "k", "new")
	if got := x.far.cache.Calls("Get"); got != calls {
		t.Errorf("near takes nothing up after its faults")
	}
}

func TestTieredRejectsWhatItDidNotWrite(t *testing.T) {
	x := newTiers(t)
	for _, entry := range []string{"", "t", `{"keys":[]}`, "t1234567", "u12345678"} {
		x.events = nil
		set(t, x.hooks, "k", entry, time.Hour)
		wantMiss(t, x, "k")
		want := cacheadapter.Event{Op: cacheadapter.OpGet, Outcome: cacheadapter.OutcomeRejected, Problem: cacheadapter.ProblemMalformed}
		if len(x.events) != 1 || x.events[0] != want {
			t.Errorf("entry %q: events %v; want %v", entry, x.events, want)
		}
	}
}

func TestTieredAddsToFarOnly(t *testing.T) {
	near, far := newBackend(nil), newBackend(nil)
	c := must(t)(cacheadapter.Tiered(near.complete(), far.complete(), cacheadapter.TieredConfig{}))
	for _, want := range []bool{true, false} {
		if added, err := c.(verifier.ReplayStore).Add(t.Context(), "a.b", time.Minute); added != want || err != nil {
			t.Errorf("Add = %v, %v; want %v, nil", added, err, want)
		}
	}
	if n, f := near.store.Calls("Add"), far.store.Calls("Add"); n != 0 || f != 2 {
		t.Errorf("%d Adds of near and %d of far; want 0 and 2", n, f)
	}
	for name, test := range map[string]struct {
		near, far  verifier.Cache
		clear, add bool
	}{
		"store near only":   {near.complete(), far.clearable(), true, false},
		"clearer near only": {near.complete(), far.addable(), false, true},
		"clearer far only":  {near.bare(), far.complete(), false, true},
	} {
		c := must(t)(cacheadapter.Tiered(test.near, test.far, cacheadapter.TieredConfig{}))
		_, clear := c.(verifier.Clearer)
		_, add := c.(verifier.ReplayStore)
		if clear != test.clear || add != test.add {
			t.Errorf("%s: Clearer %v, ReplayStore %v; want %v, %v", name, clear, add, test.clear, test.add)
		}
	}
}
