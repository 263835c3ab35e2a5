package memory_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter/memory"
	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestConformance runs the suites over stores of different makes. What shares
// entries and records in one process is the Store itself.
func TestConformance(t *testing.T) {
	t.Parallel()
	one := func(config memory.Config) func(*testing.T) {
		return func(t *testing.T) {
			clock := verifiertest.NewClock(time.Time{})
			config.Now = clock.Now
			var stores sync.Map // namespace -> *memory.Store
			report := conformance.TestCache(t, conformance.CacheHarness{
				New: func(env *conformance.Env) (verifier.Cache, error) {
					config := config
					config.Prefix = env.Namespace
					made, err := memory.New(nil, config)
					if err != nil {
						return nil, err
					}
					store, _ := stores.LoadOrStore(env.Namespace, made)
					return store.(*memory.Store), nil
				},
				Advance: clock.Advance, Shared: true, Options: named(),
			})
			wantSkipped(t, report)
		}
	}
	t.Run("defaults", one(memory.Config{MaxRecordsPerPrefix: 2900}))
	t.Run("few entries", one(memory.Config{MaxRecordsPerPrefix: 2900, MaxEntries: 10}))
	t.Run("a caller's bigcache", func(t *testing.T) {
		clock, cache := verifiertest.NewClock(time.Time{}), newBigCache(t)
		report := conformance.TestCache(t, conformance.CacheHarness{
			New: func(env *conformance.Env) (verifier.Cache, error) {
				return memory.New(cache, memory.Config{Prefix: env.Namespace, Now: clock.Now, MaxRecordsPerPrefix: 2900})
			},
			Advance: clock.Advance,
		})
		wantSkipped(t, report, "entries-are-shared", "records-are-shared", "one-of-many-adds-by-two-stores",
			"peers-see-writes", "peers-see-deletes", "peers-see-a-ttl-of-zero", "peers-see-the-end-of-a-ttl", "peers-see-a-clear", "clear-removes-what-peers-wrote")
	})
	t.Run("full replay store", func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		report := conformance.TestReplayStore(t, conformance.ReplayStoreHarness{
			New: func(*conformance.Env) (verifier.ReplayStore, error) {
				return memory.New(nil, memory.Config{Now: clock.Now, MaxRecords: 2000, MaxRecordsPerPrefix: 1000})
			},
			Advance: clock.Advance, Capacity: 2000, Options: named(),
		})
		wantSkipped(t, report, "records-are-shared", "one-of-many-adds-by-two-stores")
	})
}

// unproved are what memory has no use for, and what its own tests look at.
var unproved = []string{
	"tiny-ttl-is-rounded-up", "stored-keys-are-keys-like-others", "expired-entries-give-their-room-back", "ended-keys-give-their-room-back", "full-store-takes-keys-again-after-their-ttl",
}

func named() conformance.Options {
	return conformance.Options{Implementation: "cacheadapter/memory", InProcess: true}
}

// wantSkipped compares what was skipped with what memory cannot do: fail, hang,
// or keep a nanosecond for as long as a test takes to look.
func wantSkipped(t *testing.T, report conformance.Report, want ...string) {
	t.Helper()
	var got []string
	for _, skipped := range report.With(conformance.Skipped) {
		backend := skipped.Group == "hang" || skipped.Group == "break"
		if !backend && !slices.Contains(unproved, skipped.Check) && !slices.Contains(want, skipped.Check) {
			t.Errorf("%s was skipped: %s", skipped.Check, skipped.Detail)
		}
		got = append(got, skipped.Check)
	}
	t.Logf("%d checks passed, skipped: %q", report.Count(conformance.Passed), got)
}
