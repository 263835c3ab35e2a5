package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// faultsOf sends the errors of the cache of a client to list.
func faultsOf(cfg *introspection.Config, list *[]error) {
	cfg.Observer = introspection.ObserverFunc(func(e introspection.Event) {
		if e.Kind == introspection.EventCacheFault {
			*list = append(*list, e.Err)
		}
	})
}

// TestSmallestBounds: what is the least is enough.
func TestSmallestBounds(t *testing.T) {
	b := newBooth(t, func(cfg *introspection.Config) {
		cfg.MaxNegative, cfg.MaxKnown, cfg.MaxInFlight, cfg.MaxMemory = 1, 1, 1, 64<<10
	})
	b.want(t, "a", true)
}

// TestLookupsEnd: each gives its place back.
func TestLookupsEnd(t *testing.T) {
	cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
	with := func(cfg *introspection.Config) { cfg.Cache, cfg.CachePrivate, cfg.MaxInFlight = cache, true, 1 }
	first, second := newBooth(t, with), newBooth(t, with)
	for i := range 10 {
		first.want(t, fmt.Sprint("a", i), true)
	}
	for i := range 10 {
		second.want(t, fmt.Sprint("a", i), false)
	}
}

// TestFaultsOfTheSharedCache: a look and a write that fail are told, each once, with
// the error itself, and cost a question.
func TestFaultsOfTheSharedCache(t *testing.T) {
	boom := errors.New("down")
	cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
	var faults []error
	b := newBooth(t, func(cfg *introspection.Config) {
		cfg.Cache, cfg.CachePrivate = cache, true
		faultsOf(cfg, &faults)
	})
	cache.FailNext(1, boom)
	b.want(t, "a1", true)
	if len(faults) != 1 || !errors.Is(faults[0], boom) {
		t.Errorf("a look that failed: faults %v; want one, %v", faults, boom)
	}
	faults = nil
	cache.FailNext(-1, boom)
	b.want(t, "a2", true)
	if len(faults) != 2 || !errors.Is(faults[0], boom) || !errors.Is(faults[1], boom) {
		t.Errorf("a look and a write that failed: faults %v; want two, %v", faults, boom)
	}
}

// TestQuestionThatEndsInTheSharedCache: the end of its time is no fault of the cache.
func TestQuestionThatEndsInTheSharedCache(t *testing.T) {
	cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
	var faults []error
	b := newBooth(t, func(cfg *introspection.Config) {
		cfg.Cache, cfg.CachePrivate, cfg.Timeout = cache, true, time.Millisecond
		faultsOf(cfg, &faults)
	})
	cache.Hang()
	_, err := b.client.Introspect(t.Context(), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: "a"})
	_ = b.client.Close() // what is under way has ended
	if !errors.Is(err, introspection.ErrTimeout) || b.count != 0 || len(faults) != 0 {
		t.Errorf("Introspect = %v after %d questions, with faults %v; want ErrTimeout alone", err, b.count, faults)
	}
}

// ttls is a cache that notes for how long it was to keep what it was given.
type ttls struct {
	verifier.Cache
	seen *[]time.Duration
}

func (c ttls) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	*c.seen = append(*c.seen, ttl)
	return c.Cache.Set(ctx, key, value, ttl)
}

func TestSharedAnswersAreKeptForTheTTL(t *testing.T) {
	var seen []time.Duration
	b := newBooth(t, func(cfg *introspection.Config) {
		cfg.Cache, cfg.CachePrivate, cfg.TTL = ttls{verifiertest.NewCache(nil, 0), &seen}, true, 90*time.Second
	})
	b.want(t, "a", true)
	if !slices.Equal(seen, []time.Duration{90 * time.Second}) {
		t.Errorf("kept for %v; want 90 s", seen)
	}
}
