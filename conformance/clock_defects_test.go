package conformance_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// newClock is a mistake in a clock; real ones are tested as such.
type newClock struct {
	real bool
	new  func() verifier.ClockFunc
}

func TestClockDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.ClockChecks(), append(clockDefects(), moreClockDefects()...), func(ctx context.Context, d defect[newClock]) conformance.Report {
		return conformance.RunClock(ctx, conformance.ClockHarness{
			New:  func(*conformance.Env) (verifier.Clock, error) { return d.make.new(), nil },
			Real: d.make.real,
		})
	})
}

func clockDefects() []defect[newClock] {
	return []defect[newClock]{
		{name: "the clock was never set", fails: "tells-a-time", make: newClock{false, func() verifier.ClockFunc {
			return func() time.Time { return time.Time{} }
		}}},
		{name: "milliseconds are taken for seconds", fails: "tells-a-time", make: newClock{false, func() verifier.ClockFunc {
			return func() time.Time { return time.Unix(time.Now().UnixMilli(), 0) }
		}}},
		{name: "the wall clock of a zone is taken for UTC", fails: "zone-does-not-matter", make: newClock{true, func() verifier.ClockFunc {
			return func() time.Time {
				local := time.Now().In(time.FixedZone("", -5*60*60))
				return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), time.UTC)
			}
		}}},
		{name: "the time is that of the start", fails: "moves-on", make: newClock{true, func() verifier.ClockFunc {
			start := time.Now()
			return func() time.Time { return start }
		}}},
		{name: "one of two sources is a little behind", fails: "never-goes-backwards never-goes-backwards-between-goroutines", make: newClock{true, func() verifier.ClockFunc {
			var calls atomic.Int64
			return func() time.Time {
				if calls.Add(1)%3 == 0 {
					return time.Now().Add(-time.Second)
				}
				return time.Now()
			}
		}}},
		{name: "a correction comes now and then", fails: "never-goes-backwards", make: newClock{true, func() verifier.ClockFunc {
			var calls atomic.Int64
			return func() time.Time {
				if calls.Add(1)%18_000 == 0 {
					return time.Now().Add(-time.Second)
				}
				return time.Now()
			}
		}}},
		{name: "whoever is last writes the time that all read", fails: "never-goes-backwards-between-goroutines", make: newClock{true, func() verifier.ClockFunc {
			var shown atomic.Pointer[time.Time]
			return func() time.Time {
				now := time.Now()
				yield()
				shown.Store(&now)
				yield()
				return *shown.Load()
			}
		}}},
	}
}
