package conformance_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// fakeClockHarness has two skips: the clock is not Real.
func fakeClockHarness(o conformance.Options) conformance.ClockHarness {
	return conformance.ClockHarness{
		New:     func(*conformance.Env) (verifier.Clock, error) { return verifiertest.NewClock(time.Time{}), nil },
		Options: o,
	}
}

func TestExpectedSkips(t *testing.T) {
	all := make(map[string]string)
	for _, one := range conformance.RunClock(t.Context(), fakeClockHarness(conformance.Options{})).With(conformance.Skipped) {
		all[one.Check] = "the clock is a fake"
	}
	if len(all) < 2 {
		t.Fatalf("%d skips; want some to expect", len(all))
	}
	if err := conformance.RunClock(t.Context(), fakeClockHarness(conformance.Options{ExpectedSkips: all})).Err(); err != nil {
		t.Errorf("all skips expected: %v; want nil", err)
	}
	report := conformance.RunClock(t.Context(), fakeClockHarness(conformance.Options{ExpectedSkips: map[string]string{}}))
	if got := report.Count(conformance.Failed); got != len(all) {
		t.Errorf("no skip expected: %d failed; want %d", got, len(all))
	}
	all["no-such-check"] = "a typing error"
	report = conformance.RunClock(t.Context(), fakeClockHarness(conformance.Options{ExpectedSkips: all}))
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "no-such-check") {
		t.Errorf("a name that no check has: %v; want an error with it", err)
	}
}

func TestProfiles(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *conformance.ReplayStoreHarness)
		fit    bool
	}{
		"everything":              {func(*conformance.ReplayStoreHarness) {}, true},
		"no Hang":                 {func(h *conformance.ReplayStoreHarness) { h.Hang = nil }, false},
		"no Hang, in one process": {func(h *conformance.ReplayStoreHarness) { h.Hang, h.InProcess = nil, true }, true},
		"no Capacity":             {func(h *conformance.ReplayStoreHarness) { h.Capacity = 0 }, false},
		"no Size":                 {func(h *conformance.ReplayStoreHarness) { h.Size = nil }, true},
	} {
		h := replayHarness(nil)
		h.Profiles = []conformance.Profile{conformance.FitForDPoP()}
		c.change(&h)
		report := conformance.RunReplayStore(t.Context(), h)
		if len(report.Profiles) != 1 || report.Profiles[0].Fit != c.fit || (report.Err() == nil) != c.fit {
			t.Errorf("%s: %+v, %v; want fit: %v", name, report.Profiles, report.Err(), c.fit)
		}
		if c.fit != strings.Contains(report.String(), "fit for DPoP") {
			t.Errorf("%s: %s; want the profile named: %v", name, report, c.fit)
		}
	}
}

// slow answers late and well.
type slow struct {
	verifier.Clock
	calls atomic.Int64
}

func (s *slow) Now() time.Time {
	s.calls.Add(1)
	time.Sleep(time.Millisecond)
	return s.Clock.Now()
}

// TestTheChecksOwnTime: its end is told apart from what the implementation does.
func TestTheChecksOwnTime(t *testing.T) {
	clock := &slow{Clock: verifier.ClockFunc(time.Now)}
	checks := conformance.ClockChecks()
	i := slices.IndexFunc(checks, func(c conformance.Check[conformance.ClockHarness]) bool { return c.Name == "never-goes-backwards" })
	err := checks[i].Run(t.Context(), conformance.ClockHarness{
		New:     func(*conformance.Env) (verifier.Clock, error) { return clock, nil },
		Timeout: 50 * time.Millisecond,
	})
	if err == nil || !strings.Contains(err.Error(), "ended after") || !strings.Contains(err.Error(), "raise Timeout") {
		t.Errorf("Run with too little time = %v; want that the check's time ended, after how many calls", err)
	}
}

// TestASeedRepeatsTheCalls: random calls are those of the seed.
func TestASeedRepeatsTheCalls(t *testing.T) {
	checks := conformance.CacheChecks()
	i := slices.IndexFunc(checks, func(c conformance.Check[conformance.CacheHarness]) bool {
		return c.Name == "random-calls-keep-to-a-model"
	})
	run := func() (keys []string, err error) {
		h := cacheHarness(func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				_, name, _ := strings.Cut(key, ":")
				keys = append(keys, name)
				return set(ctx, key, value, ttl)
			}
		})
		h.Seed = 7
		err = checks[i].Run(t.Context(), h)
		return keys, err
	}
	first, err := run()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := run(); err != nil || !slices.Equal(first, second) {
		t.Errorf("the second run set %q, %v; want %q", second, err, first)
	}
}
