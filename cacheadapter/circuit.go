package cacheadapter

import (
	"sync"
	"time"
)

// verdict is what the end of a call tells about the cache.
type verdict int

const (
	verdictNone     verdict = iota // nothing
	verdictAnswered                // it answers
	verdictSlow                    // it does not
)

// circuit decides whether a cache is worth being asked.
type circuit struct {
	now       func() time.Time
	slowCalls int
	cooldown  time.Duration

	mu      sync.Mutex
	open    bool
	opened  time.Time // when it opened, or when the last probe failed
	probing bool      // one call is finding out
	slow    int       // calls in a row that timed out, while closed
	epoch   int       // how often it opened or closed
}

// pass is the right to make one call.
type pass struct {
	epoch int
	probe bool
}

// enter lets a call through, or not.
func (c *circuit) enter() (pass, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return pass{epoch: c.epoch}, true
	}
	waited := c.now().Sub(c.opened)
	if c.probing || waited >= 0 && waited < c.cooldown {
		return pass{}, false
	}
	c.probing = true
	return pass{epoch: c.epoch, probe: true}, true
}

// leave takes the verdict of a call that was let through. It returns
// OutcomeOpened or OutcomeClosed when that changed the circuit. Calls that
// began before the last change are ignored: what they tell is old.
func (c *circuit) leave(p pass, v verdict) Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.probe {
		c.probing = false
	}
	switch {
	case p.epoch != c.epoch || v == verdictNone:
		return ""
	case p.probe && v == verdictSlow:
		c.opened = c.now()
		return ""
	case p.probe:
		c.open, c.slow = false, 0
		c.epoch++
		return OutcomeClosed
	case v == verdictAnswered:
		c.slow = 0
		return ""
	}
	c.slow++
	if c.slow < c.slowCalls {
		return ""
	}
	c.open, c.opened = true, c.now()
	c.epoch++
	return OutcomeOpened
}
