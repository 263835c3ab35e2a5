package conformance

import (
	"context"
	"time"
)

// pace makes time pass: by Advance, or by waiting.
type pace struct {
	ctx     context.Context
	advance func(time.Duration)
	min     time.Duration // the backend's resolution
	scale   int           // of short ttls on real time
}

// unit is a ttl that the backend can keep well.
func (p pace) unit() time.Duration {
	if p.advance != nil {
		return max(time.Minute, 10*p.min)
	}
	return max(50*time.Millisecond, p.min) * time.Duration(max(p.scale, 1))
}

// grace is how long after its ttl an entry may be there: once for rounding up,
// once for a clock that ticks.
func (p pace) grace() time.Duration { return 2*p.min + time.Millisecond }

// pass lets d pass.
func (p pace) pass(d time.Duration) error {
	if p.advance != nil {
		p.advance(d)
		return p.ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// watch begins to measure: what it returns says how much time has passed at
// most. Advance passes none beside what it is told.
func (p pace) watch() (elapsed func() time.Duration) {
	if p.advance != nil {
		return func() time.Duration { return 0 }
	}
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// reach lets time pass until a moment after the beginning of a watch. Calls on the
// way have taken real time; Advance is told the step from the last such moment.
func (p pace) reach(elapsed func() time.Duration, moment, step time.Duration) error {
	if p.advance == nil {
		step = max(0, moment-elapsed())
	}
	return p.pass(step)
}

// until asks gone until it says yes, for as long as real time is imprecise.
func (p pace) until(gone func() (bool, error)) (bool, error) {
	for deadline := time.Now().Add(max(p.min, 500*time.Millisecond)); ; {
		ok, err := gone()
		if ok || err != nil || p.advance != nil || time.Now().After(deadline) {
			return ok, err
		}
		if err := p.pass(10 * time.Millisecond); err != nil {
			return false, err
		}
	}
}
