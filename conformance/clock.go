package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	// Timeout of a check. Default 10 s.
	Timeout time.Duration
}

// ClockChecks returns the checks of [verifier.Clock] as data.
func ClockChecks() []Check[ClockHarness] {
	const (
		order = "two calls in sequence never go backwards while nobody sets the clock, the time zone does not matter, and Now is safe for concurrent use."
		tells = "Clock tells the time."
	)
	return []Check[ClockHarness]{
		clockCheck("tells-a-time", tells, clockTells),
		clockCheck("zone-does-not-matter", order, clockReal),
		clockCheck("moves-on", tells, clockMoves),
		clockCheck("never-goes-backwards", order, clockOrder),
		clockCheck("never-goes-backwards-between-goroutines", order, clockOrderTogether),
	}
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

func (h ClockHarness) limit() time.Duration { return timeout(h.Timeout, 0) }

// clockCase is what a check of a clock works with.
type clockCase struct {
	ctx   context.Context
	env   *Env
	h     ClockHarness
	clock verifier.Clock
}

func clockCheck(name, rule string, run func(c *clockCase) error) Check[ClockHarness] {
	return Check[ClockHarness]{Interface: "Clock", Name: name, Rule: rule, limit: ClockHarness.limit, run: func(env *Env, h ClockHarness) error {
		if h.New == nil {
			return errors.New("the harness has no New")
		}
		clock, err := h.New(env)
		if err != nil {
			return fmt.Errorf("the harness's New = %w; want a clock", err)
		}
		return run(&clockCase{ctx: env.ctx, env: env, h: h, clock: clock})
	}}
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
