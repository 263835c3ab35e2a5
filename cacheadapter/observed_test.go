package cacheadapter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// ticking moves the clock with every Get.
type ticking struct {
	complete
	clock *verifiertest.Clock
}

func (s ticking) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.clock.Advance(3 * time.Millisecond)
	return s.complete.Get(ctx, key)
}

func TestObservedTells(t *testing.T) {
	const key, value = "the secret key", "the secret value"
	fault := errors.New("down")
	clock := verifiertest.NewClock(time.Time{})
	b := newBackend(clock)
	var events []cacheadapter.Event
	c := must(t)(cacheadapter.Observed(ticking{b.complete().(complete), clock}, cacheadapter.ObservedConfig{
		Observe: func(e cacheadapter.Event) { events = append(events, e) }, Clock: clock,
	}))
	add := c.(verifier.ReplayStore).Add
	ctx := t.Context()
	wantMiss(t, c, key)
	set(t, c, key, value, time.Minute)
	wantHit(t, c, key, value)
	_ = c.Delete(ctx, key)
	_, _ = add(ctx, key, time.Minute)
	_, _ = add(ctx, key, time.Minute)
	_ = c.(verifier.Clearer).Clear(ctx)
	b.cache.FailNext(4, fault)
	b.store.FailNext(1, fault)
	for op, err := range map[string]error{
		"Get": get(ctx, c, key), "Set": c.Set(ctx, key, nil, time.Minute), "Delete": c.Delete(ctx, key),
		"Clear": c.(verifier.Clearer).Clear(ctx),
	} {
		if !errors.Is(err, fault) {
			t.Errorf("%s = %v; want %v", op, err, fault)
		}
	}
	if _, err := add(ctx, key, time.Minute); !errors.Is(err, fault) {
		t.Errorf("Add = %v; want %v", err, fault)
	}
	type e = cacheadapter.Event
	want := []e{
		{Op: cacheadapter.OpGet, Outcome: cacheadapter.OutcomeMiss, Duration: 3 * time.Millisecond},
		{Op: cacheadapter.OpSet, Outcome: cacheadapter.OutcomeDone, Size: len(value)},
		{Op: cacheadapter.OpGet, Outcome: cacheadapter.OutcomeHit, Size: len(value), Duration: 3 * time.Millisecond},
		{Op: cacheadapter.OpDelete, Outcome: cacheadapter.OutcomeDone},
		{Op: cacheadapter.OpAdd, Outcome: cacheadapter.OutcomeAdded},
		{Op: cacheadapter.OpAdd, Outcome: cacheadapter.OutcomeRepeated},
		{Op: cacheadapter.OpClear, Outcome: cacheadapter.OutcomeDone},
		{Op: cacheadapter.OpGet, Outcome: cacheadapter.OutcomeFailed, Duration: 3 * time.Millisecond, Err: fault},
		{Op: cacheadapter.OpSet, Outcome: cacheadapter.OutcomeFailed, Err: fault},
		{Op: cacheadapter.OpDelete, Outcome: cacheadapter.OutcomeFailed, Err: fault},
		{Op: cacheadapter.OpClear, Outcome: cacheadapter.OutcomeFailed, Err: fault},
		{Op: cacheadapter.OpAdd, Outcome: cacheadapter.OutcomeFailed, Err: fault},
	}
	if !slices.Equal(events, want) {
		t.Errorf("events\n%v; want\n%v", events, want)
	}
	if text := fmt.Sprintf("%+v", events); strings.Contains(text, "secret") {
		t.Errorf("events %s hold a key or a value", text)
	}
}

func TestObservedSurvivesItsObserver(t *testing.T) {
	c := must(t)(cacheadapter.Observed(verifiertest.NewCache(nil, 0), cacheadapter.ObservedConfig{
		Observe: func(cacheadapter.Event) { panic("observer") },
	}))
	set(t, c, "k", "v", time.Minute)
	wantHit(t, c, "k", "v")
}
