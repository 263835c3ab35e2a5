package conformance

import (
	"context"
	"fmt"
	"math"
	"time"
)

// replayLives are checks of what time does to a key beyond its one ttl.
func replayLives() []Check[ReplayStoreHarness] {
	const (
		stays  = "A key stays for at least its ttl, rounded up to the backend's resolution, and never for ever."
		extend = "A repeated Add does not extend the ttl of the first."
		zero   = "An Add with ttl <= 0 of a live key leaves the key and its ttl as they are; what it reports is open."
	)
	return []Check[ReplayStoreHarness]{
		waiting(replayCheck("key-stays-between-two-steps", stays, replayBetween)),
		waiting(replayCheck("key-stays-under-traffic", stays, replayTraffic)),
		waiting(replayCheck("repeated-adds-do-not-shorten-the-ttl", stays, replayShortens)),
		waiting(replayCheck("repeated-adds-with-any-ttl-do-not-extend-it", extend, replayRepeats)),
		waiting(replayCheck("second-life-has-its-full-ttl", stays, replaySecondLife)),
		waiting(replayCheck("second-life-ends-too", stays, replaySecondEnd)),
		waiting(replayCheck("each-key-has-a-ttl-of-its-own", stays, replayOwnTTL)),
		waiting(replayCheck("zero-ttl-leaves-the-ttl-of-a-live-key", zero, replayZeroTTL)),
		waiting(replayCheck("ttl-fits-no-small-integer", stays, replayIntegers)),
		waiting(replayCheck("longest-ttl-lasts", stays, replayLongest)),
		waiting(replayCheck("ended-keys-give-their-room-back", "Keys whose ttl has passed take no room for ever; a full store takes new keys again.", replayRoom)),
	}
}

// within adds a key, and looks just before the end of its ttl: the key must be
// there. Between is what happens in the meantime; wait is what is left of the time
// after it.
func (c *replayCase) within(name string, ttl, wait time.Duration, between func(key string, elapsed func() time.Duration) error) error {
	key, elapsed := c.key(name), c.watch()
	if err := c.firstAdd(key, ttl); err != nil {
		return err
	}
	if between != nil {
		if err := between(key, elapsed); err != nil {
			if elapsed() >= ttl {
				return errTooSlow()
			}
			return err
		}
	}
	if err := c.reach(elapsed, c.justBefore(ttl), wait); err != nil {
		return err
	}
	added, err := c.add(c.ctx, key, ttl)
	if elapsed() >= ttl {
		return errTooSlow()
	}
	if added || err != nil {
		return c.early(fmt.Errorf("Add(%s) again %v after Add with a ttl of %v = %v, %v; want false, nil", show(key), c.justBefore(ttl), ttl, added, err))
	}
	return nil
}

// early is an end that came too soon. On real time it is worth another look: a
// server's clock may stand still on a busy machine, and then jump.
func (p pace) early(err error) error {
	if p.advance == nil {
		return doubt(err)
	}
	return err
}

// just before the end of a ttl, as near as the machine allows.
func (p pace) justBefore(ttl time.Duration) time.Duration {
	if p.advance != nil {
		return ttl - 1
	}
	return ttl - ttl/16 - time.Millisecond
}

func replayBetween(c *replayCase) error {
	for i, ttl := range c.steps() {
		for part := range 4 { // meet several parts of a tick
			if err := c.pass(time.Duration(part) * c.min / 4); err != nil {
				return err
			}
			if err := c.within(fmt.Sprint(i, "-", part), ttl, c.justBefore(ttl), nil); err != nil {
				return err
			}
			if c.advance == nil && c.min < 100*time.Millisecond {
				break
			}
		}
	}
	return nil
}

// replayTraffic adds other keys, some of which end, as sweeps come with writes.
func replayTraffic(c *replayCase) error {
	ttl := 6 * c.unit()
	if c.advance == nil {
		ttl = max(ttl, 600*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	quarter := c.justBefore(ttl) / 4
	return c.within("k", ttl, quarter, func(_ string, elapsed func() time.Duration) error {
		for round := range 3 {
			for i := range 60 {
				its := time.Hour
				if i%2 == 0 {
					its = c.unit() / 2
				}
				if _, err := c.add(c.ctx, c.env.key(fmt.Sprintf("proof-key-%d.%d", i%5, 100*round+i)), its); err != nil && !quotaExceeded(err) {
					return fmt.Errorf("Add of another key = %w; want nil", err)
				}
			}
			if err := c.reach(elapsed, time.Duration(round+1)*quarter, quarter); err != nil {
				return err
			}
		}
		return nil
	})
}

// otherTTLs are what a repeated Add may come with.
func otherTTLs(ttl time.Duration) []time.Duration {
	return []time.Duration{1, ttl / 8, ttl, ttl + 1, 3 * ttl, 1000 * ttl, math.MaxInt64}
}

func replayShortens(c *replayCase) error {
	ttl := 4 * c.unit()
	if c.advance == nil {
		ttl = max(ttl, 400*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	return c.within("k", ttl, c.justBefore(ttl), func(key string, _ func() time.Duration) error {
		for _, other := range otherTTLs(ttl) {
			if added, err := c.add(c.ctx, key, other); added || err != nil {
				return doubt(skip("a repeated Add = %v, %v, which is another check's finding", added, err))
			}
		}
		return nil
	})
}

func replayRepeats(c *replayCase) error {
	ttl := c.unit()
	if c.advance == nil {
		ttl = max(ttl, 300*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	name := func(other time.Duration) string { return c.key(other.String()) }
	elapsed := c.watch()
	for _, other := range otherTTLs(ttl) {
		if err := c.firstAdd(name(other), ttl); err != nil {
			return err
		}
	}
	if err := c.pass(ttl / 4); err != nil {
		return err
	}
	for _, other := range otherTTLs(ttl) {
		for range 2 {
			added, err := c.add(c.ctx, name(other), other)
			if elapsed() >= ttl {
				return errTooSlow()
			}
			if added || err != nil {
				return doubt(skip("a repeated Add = %v, %v, which is another check's finding", added, err))
			}
		}
	}
	if err := c.pass(ttl - ttl/4 + c.grace()); err != nil {
		return err
	}
	for _, other := range otherTTLs(ttl) {
		if err := c.ended(name(other), fmt.Sprintf("%v after Add with a ttl of %v, and repeated ones with %v", ttl+c.grace(), ttl, other)); err != nil {
			return err
		}
	}
	return nil
}

// replaySecondLife finds timers of a first life that end the second.
func replaySecondLife(c *replayCase) error {
	ttl := c.unit()
	key := c.key("k")
	if err := c.firstAdd(key, ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	long := 6 * ttl
	if c.advance == nil {
		long = max(long, 600*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	began, elapsed := false, c.watch()
	if ok, err := c.until(func() (bool, error) {
		elapsed = c.watch()
		added, err := c.add(c.ctx, key, long)
		began = added && err == nil
		return began, nil
	}); err != nil || !ok {
		return doubt(skip("the key did not end, which is another check's finding"))
	}
	for i := range 4 {
		if err := c.reach(elapsed, time.Duration(i+1)*c.justBefore(long)/4, c.justBefore(long)/4); err != nil {
			return err
		}
		added, err := c.add(c.ctx, key, time.Hour)
		if elapsed() >= long {
			return errTooSlow()
		}
		if added || err != nil {
			return c.early(fmt.Errorf("Add(%s) within the %v of its second life = %v, %v; want false, nil", show(key), long, added, err))
		}
	}
	return nil
}

func replaySecondEnd(c *replayCase) error {
	key, ttl := c.key("k"), c.unit()
	for life := range 3 {
		ok, err := c.until(func() (bool, error) {
			added, err := c.add(c.ctx, key, ttl)
			return added && err == nil, nil
		})
		if err != nil {
			return err
		}
		if !ok && life == 1 {
			return doubt(skip("the key did not end, which is another check's finding"))
		}
		if !ok {
			return fmt.Errorf("Add(%s) %v after its Add number %d with a ttl of %v = false; want true", show(key), ttl+c.grace(), life, ttl)
		}
		if err := c.pass(ttl + c.grace()); err != nil {
			return err
		}
	}
	return nil
}

// replayOwnTTL mixes ttls, so that no order of writing is that of ending.
func replayOwnTTL(c *replayCase) error {
	const n = 60
	ttl := c.unit()
	if c.advance == nil {
		ttl = max(ttl, 100*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	for i := range n {
		its := ttl
		if i%3 == 1 {
			its = time.Hour
		}
		if err := c.firstAdd(c.key(fmt.Sprint(i)), its); err != nil {
			return err
		}
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	for i := range n {
		key := c.key(fmt.Sprint(i))
		if i%3 == 1 {
			if err := c.repeated(key, " within an hour, after others have ended"); err != nil {
				return err
			}
		} else if err := c.ended(key, fmt.Sprintf("%v after Add with a ttl of %v, among others with longer ones", ttl+c.grace(), ttl)); err != nil {
			return err
		}
	}
	return nil
}

// replayZeroTTL: what Add reports is open.
func replayZeroTTL(c *replayCase) error {
	ttl := 4 * c.unit()
	if c.advance == nil {
		ttl = max(ttl, 400*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	for _, other := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		err := c.within(fmt.Sprint("kept", other), ttl, c.justBefore(ttl), func(key string, _ func() time.Duration) error {
			_, err := c.add(c.ctx, key, other)
			return err
		})
		if err != nil {
			return fmt.Errorf("with an Add with a ttl of %v in between: %w", other, err)
		}
	}
	key := c.key("ends")
	if err := c.firstAdd(key, c.unit()); err != nil {
		return err
	}
	_, _ = c.add(c.ctx, key, 0)
	_, _ = c.add(c.ctx, key, -1)
	if err := c.pass(c.unit() + c.grace()); err != nil {
		return err
	}
	return c.ended(key, "after its ttl, and Adds with a ttl of 0 and -1 in between")
}

func replayIntegers(c *replayCase) error {
	for _, ttl := range integers() {
		if err := c.firstAdd(c.key(ttl.String()), ttl); err != nil {
			return err
		}
	}
	if err := c.pass(5*time.Millisecond + 2*c.min); err != nil {
		return err
	}
	for _, ttl := range integers() {
		if err := c.repeated(c.key(ttl.String()), fmt.Sprintf(" soon after Add with a ttl of %v", ttl)); err != nil {
			return err
		}
	}
	return nil
}

func replayLongest(c *replayCase) error {
	ttls := []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2, 100 * 365 * 24 * time.Hour}
	for _, ttl := range ttls {
		if err := c.firstAdd(c.key(ttl.String()), ttl); err != nil {
			return err
		}
	}
	later := c.unit()
	if c.advance != nil {
		later = 40 * 24 * time.Hour
	}
	if err := c.pass(later); err != nil {
		return err
	}
	for _, ttl := range ttls {
		if err := c.repeated(c.key(ttl.String()), fmt.Sprintf(" %v after Add with a ttl of %v", later, ttl)); err != nil {
			return err
		}
	}
	return nil
}

func replayRoom(c *replayCase) error {
	if c.h.Size == nil {
		return skip("the harness has no Size to see what the backend keeps")
	}
	return growth(c.pace, func(generation int, ttl time.Duration) error {
		for i := range perGeneration {
			if err := c.firstAdd(c.env.key(fmt.Sprintf("proof-key-%d.%d", i%10, 1000*generation+i)), ttl); err != nil {
				return err
			}
		}
		return nil
	}, func() (int64, error) { return c.h.Size(c.store) })
}

// replayRecovery are checks of what comes after a fault.
func replayRecovery() []Check[ReplayStoreHarness] {
	const (
		again   = "When the backend is back, Add works again within seconds."
		unknown = "A key of which the outcome was unknown may be remembered, for no longer than its ttl."
	)
	check := func(name string, fault func(*replayCase) (func(), error)) Check[ReplayStoreHarness] {
		return replayCheck(name, again, func(c *replayCase) error { return replayRecovers(c, fault) })
	}
	free := func(name string, fault func(*replayCase) (func(), error)) Check[ReplayStoreHarness] {
		return waiting(replayCheck(name, unknown, func(c *replayCase) error { return replayFree(c, fault) }))
	}
	return append(group(groupBreak,
		check("add-works-after-an-outage", (*replayCase).outage),
		free("a-key-of-an-outage-is-free-after-its-ttl", (*replayCase).outage),
		replayCheck("an-outage-forgets-no-key", "A key stays for at least its ttl, rounded up to the backend's resolution, and never for ever.", replayRemembers),
	), group(groupHang,
		check("add-works-after-a-hang", (*replayCase).standstill),
		free("a-key-of-a-time-out-is-free-after-its-ttl", (*replayCase).standstill),
		replayCheck("hanging-adds-leave-no-goroutines", "A call leaves no goroutine behind once the backend has answered it.", func(c *replayCase) error {
			if c.h.Hang == nil {
				return skip("the harness has no Hang to make the backend hang")
			}
			for i := range 5 { // connects, and starts what it keeps
				_, _ = c.add(c.ctx, c.key(fmt.Sprint("warm-", i)), time.Hour)
			}
			return letGo(c.env, packageOf(c.store), "Add", func() func() { return c.h.Hang(c.store) }, func(ctx context.Context, i int) error {
				_, err := c.add(ctx, c.key(fmt.Sprint(i)), time.Hour)
				return err
			})
		}),
	)...)
}

func (c *replayCase) outage() (undo func(), err error) {
	if c.h.Break == nil {
		return nil, skip("the harness has no Break to make the backend fail")
	}
	return c.h.Break(c.store), nil
}

func (c *replayCase) standstill() (undo func(), err error) {
	if c.h.Hang == nil {
		return nil, skip("the harness has no Hang to make the backend hang")
	}
	return c.h.Hang(c.store), nil
}

// attacked makes Adds while there is a fault, and ends it.
func (c *replayCase) attacked(fault func(*replayCase) (func(), error), ttl time.Duration, n int) error {
	undo, err := fault(c)
	if err != nil {
		return err
	}
	attack(undo, 8, func(worker int) {
		for i := range n {
			ctx, cancel := context.WithTimeout(c.ctx, hungAnswer)
			_, _ = c.add(ctx, c.key(fmt.Sprint("during-", worker, "-", i)), ttl)
			cancel()
		}
	})
	return nil
}

func replayRecovers(c *replayCase, fault func(*replayCase) (func(), error)) error {
	if err := c.firstAdd(c.key("k"), time.Hour); err != nil {
		return err
	}
	if err := c.attacked(fault, time.Hour, 6); err != nil {
		return err
	}
	return recovers(c.pace, func(round int) error {
		key := c.key(fmt.Sprint("after-", round))
		if err := c.firstAdd(key, time.Hour); err != nil {
			return err
		}
		return c.repeated(key, " again")
	}, func() error { return nil })
}

// replayFree adds keys of which the outcome is unknown, and again after their
// ttl.
func replayFree(c *replayCase, fault func(*replayCase) (func(), error)) error {
	ttl := c.unit()
	if err := c.attacked(fault, ttl, 2); err != nil {
		return err
	}
	err := recovers(c.pace, func(round int) error { return c.firstAdd(c.key(fmt.Sprint("after-", round)), time.Hour) }, func() error { return nil })
	if err != nil {
		return doubt(skip("Add does not work after the fault, which is another check's finding"))
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	for worker := range 8 {
		for i := range 2 {
			key := c.key(fmt.Sprint("during-", worker, "-", i))
			if err := c.ended(key, fmt.Sprintf("%v after Adds with a ttl of %v of which the outcome was unknown", ttl+c.grace(), ttl)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replayRemembers adds keys, has an outage, and adds them again.
func replayRemembers(c *replayCase) error {
	const n = 30
	for i := range n {
		if err := c.firstAdd(c.key(fmt.Sprint(i)), time.Hour); err != nil {
			return err
		}
	}
	if err := c.attacked((*replayCase).outage, time.Hour, 6); err != nil {
		return err
	}
	for i := range n {
		var last error
		err := recovers(pace{ctx: c.ctx}, func(int) error {
			added, err := c.add(c.ctx, c.key(fmt.Sprint(i)), time.Hour)
			if added {
				last = fmt.Errorf("Add(%s) again after an outage = true, %v; want false, nil", show(c.key(fmt.Sprint(i))), err)
			}
			return err
		}, func() error { return last })
		if last != nil {
			return last
		}
		if err != nil {
			return doubt(skip("Add does not work after the outage, which is another check's finding"))
		}
	}
	return nil
}
