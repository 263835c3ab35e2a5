package conformance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// ClockHarness says how to test a [verifier.Clock]. Only New is required.
// Nobody may set the clock while a check runs.
type ClockHarness struct {
	// New makes what is tested, afresh for each check.
	New func(env *Env) (verifier.Clock, error)
	// Real: the clock shows the time of this machine, as time.Now does.
	Real bool
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// ClockChecks returns the checks of [verifier.Clock] as data.
func ClockChecks() []Check[ClockHarness] {
	const (
		order = "two calls in sequence never go backwards while nobody sets the clock, the time zone does not matter, and Now is safe for concurrent use."
		tells = "Clock tells the time."
		spans = "A second on a clock of real time is as long as a second."
	)
	checks := []Check[ClockHarness]{
		clockCheck("tells-a-time", tells, clockTells),
		clockCheck("zone-does-not-matter", order, clockReal),
		clockCheck("moves-on", tells, clockMoves),
		clockCheck("never-goes-backwards", order, clockOrder),
		clockCheck("never-goes-backwards-between-goroutines", order, clockOrderTogether),
		clockCheck("never-goes-backwards-across-a-second", order, clockBorder),
		clockCheck("spans-are-as-long-as-they-are", spans, clockSpans),
		clockCheck("calls-are-safe-for-concurrent-use", order, clockTogether),
	}
	return founded(clockFoundations(), basis([]string{"Clock/tells-a-time"}, checks))
}

// TestClock tests that a clock keeps the contract of [verifier.Clock], each
// rule in a subtest.
func TestClock(t *testing.T, h ClockHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunClock is [TestClock] without a test.
func RunClock(ctx context.Context, h ClockHarness) Report { return h.suite().run(ctx) }

func (h ClockHarness) suite() suite[ClockHarness] {
	return suite[ClockHarness]{harness: h, checks: ClockChecks()}
}

func (h ClockHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// clockCase is what a check of a clock works with.
type clockCase struct {
	ctx   context.Context
	env   *Env
	h     ClockHarness
	clock verifier.Clock
}

func clockCheck(name, rule string, run func(c *clockCase) error) Check[ClockHarness] {
	return newCheck("Clock", name, rule, newClockCase, run)
}

func newClockCase(env *Env, h ClockHarness) (*clockCase, error) {
	clock, err := opened(env, h.New, "a clock")
	if err != nil {
		return nil, err
	}
	return &clockCase{ctx: env.ctx, env: env, h: h, clock: clock}, nil
}

func (c *clockCase) now() time.Time {
	defer c.env.begin("Now")()
	return c.clock.Now()
}

// clockTells wants a time that a token can have.
func clockTells(c *clockCase) error {
	if now := c.now(); now.Unix() <= 0 || now.Year() > 9999 {
		return fmt.Errorf("Now() = %v; want a time from 1970 to 9999", now)
	}
	return nil
}

// clockSlack is more than a machine under load needs, and less than the
// smallest difference of time zones.
const clockSlack = time.Minute

// clockReal finds wall clocks of one zone that are taken for those of another.
func clockReal(c *clockCase) error {
	if !c.h.Real {
		return skip("the harness does not say Real: the clock shows a time of its own")
	}
	if now, want := c.now(), time.Now(); now.Sub(want).Abs() > clockSlack {
		return fmt.Errorf("Now() = %v; want %v", now.UTC(), want.UTC())
	}
	return nil
}

func clockMoves(c *clockCase) error {
	if !c.h.Real {
		return skip("the harness does not say Real: the clock may stand still")
	}
	const soon = 2 * time.Second
	first, start := c.now(), time.Now()
	for p := (pace{ctx: c.ctx}); time.Since(start) < soon; {
		if c.now().After(first) {
			return nil
		}
		if err := p.pass(time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("Now() is %v still after %v; want a later time", first, soon)
}

// clockCalls are enough to meet the ticks of a coarse clock.
const clockCalls = 20_000

func clockOrder(c *clockCase) error {
	last := c.now()
	for range clockCalls {
		now := c.now()
		if now.Before(last) {
			return fmt.Errorf("Now() = %v after %v; want no earlier time", now, last)
		}
		last = now
	}
	return nil
}

// clockOrderTogether compares what goroutines saw in the order of a lock, and
// so in sequence.
func clockOrderTogether(c *clockCase) error {
	var mu sync.Mutex
	last := c.now()
	return together(8, func(int) error {
		for range clockCalls / 20 {
			_ = c.now() // beside the others
			mu.Lock()
			before, now := last, c.now()
			last = now
			mu.Unlock()
			if now.Before(before) {
				return fmt.Errorf("Now() = %v after another goroutine saw %v; want no earlier time", now, before)
			}
		}
		return nil
	})
}

// sampled calls Now densely for a while, in order, and compares neighbours: by
// the wall clock, without the monotonic reading that time.Now adds.
func (c *clockCase) sampled(d time.Duration, compare func(last, now time.Time) error) error {
	last := c.now().Round(0)
	for start := time.Now(); time.Since(start) < d; {
		for range 200 {
			now := c.clock.Now().Round(0)
			if err := compare(last, now); err != nil {
				return err
			}
			last = now
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// clockBorder looks closely where one second ends and the next begins.
func clockBorder(c *clockCase) error {
	if !c.h.Real {
		return skip("the harness does not say Real: the clock shows a time of its own")
	}
	const around, borders, most = 4 * time.Millisecond, 2, 8
	for met, tries := 0, 0; met < borders && tries < most; tries++ { // a machine under load may come too late
		now := c.now()
		border := now.Truncate(time.Second).Add(time.Second)
		if err := (pace{ctx: c.ctx}).pass(max(border.Sub(now)-around, 0)); err != nil {
			return err
		}
		if c.now().Before(border) {
			met++
		}
		err := c.sampled(3*around, func(last, now time.Time) error {
			if now.Before(last) {
				return fmt.Errorf("Now() = %v after %v, across a second's border; want no earlier time", now, last)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// clockSpans compares a span on the clock with one of this machine. A machine
// under load makes both longer, so the one is measured inside of the other.
func clockSpans(c *clockCase) error {
	if !c.h.Real {
		return skip("the harness does not say Real: the clock may stand still")
	}
	const step, steps = 15 * time.Millisecond, 20
	slack := 120 * time.Millisecond
	outer := time.Now()
	first := c.now()
	inner := time.Now()
	shown := make(map[int64]bool)
	for range steps {
		if err := (pace{ctx: c.ctx}).pass(step); err != nil {
			return err
		}
		shown[c.now().UnixNano()] = true
	}
	if len(shown) < steps/2 { // a clock of seconds
		slack += time.Second
	}
	shortest := time.Since(inner)
	second := c.now()
	longest := time.Since(outer)
	for how, got := range map[string]time.Duration{"": second.Sub(first), " by its wall clock": second.Round(0).Sub(first.Round(0))} {
		if got < shortest-slack || got > longest+slack {
			return doubt(fmt.Errorf("two Now() around %v are %v apart%s; want %v to %v", shortest, got, how, shortest-slack, longest+slack))
		}
	}
	return nil
}

// clockTogether compares calls of many goroutines with the time around them.
func clockTogether(c *clockCase) error {
	var latest atomic.Int64
	latest.Store(c.now().UnixNano())
	return together(64, func(int) error {
		for range 200 {
			before := latest.Load()
			now := c.now().UnixNano()
			if now < before {
				return fmt.Errorf("Now() beside 63 other calls is %v behind one that had returned; want no earlier time", time.Duration(before-now))
			}
			for seen := latest.Load(); now > seen && !latest.CompareAndSwap(seen, now); seen = latest.Load() {
			}
		}
		return nil
	})
}
