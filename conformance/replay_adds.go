package conformance

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

func replayAdds() []Check[ReplayStoreHarness] {
	const (
		added = "Add reports added == true when key was not there, and remembers it."
		one   = "Of any number of concurrent Adds of one key, in every process that shares the store, exactly one reports added."
	)
	checks := []Check[ReplayStoreHarness]{
		replayCheck("first-add-is-added", added, func(c *replayCase) error {
			for i := range 5 {
				if err := c.firstAdd(c.key(fmt.Sprint("k", i)), time.Hour); err != nil {
					return err
				}
			}
			return nil
		}),
		replayCheck("second-add-is-not-added", added, func(c *replayCase) error {
			if err := c.firstAdd(c.key("k"), time.Hour); err != nil {
				return err
			}
			return c.repeated(c.key("k"), " again")
		}),
		replayCheck("many-keys-are-added-once", added, replayMany),
		replayCheck("key-is-refused-any-number-of-times", added, func(c *replayCase) error {
			if err := c.firstAdd(c.key("k"), time.Hour); err != nil {
				return err
			}
			for range 300 {
				if err := c.repeated(c.key("k"), " again"); err != nil {
					return err
				}
			}
			return nil
		}),
		replayCheck("keys-of-any-form-are-added-once", added, replayForms),
		replayCheck("one-of-many-concurrent-adds", one, func(c *replayCase) error { return replayRace(16, c) }),
		replayCheck("concurrent-adds-have-an-order", one, replayOrder),
		waiting(replayCheck("one-of-many-adds-after-the-ttl", one, replayRaceAgain)),
		replayCheck("concurrent-adds-of-many-keys", "Safe for concurrent use.", func(c *replayCase) error {
			return together(16, func(i int) error {
				for round := range 25 {
					if err := c.firstAdd(c.env.key(fmt.Sprintf("proof-key-%d.%d", i, round)), time.Hour); err != nil {
						return err
					}
				}
				return nil
			})
		}),
		replayCheck("calls-leave-no-goroutines", "A call leaves no goroutine behind once the backend has answered it.", replayGoroutines),
	}
	shared := group(groupShared,
		replayCheck("one-of-many-adds-by-two-stores", one, func(c *replayCase) error {
			peer, err := c.peer()
			if err != nil {
				return err
			}
			return replayRace(2, c, peer)
		}),
		replayCheck("records-are-shared", one, replayShared),
	)
	full := group(groupCapacity,
		replayCheck("no-live-key-is-forgotten-under-pressure", "A store under pressure returns an error; it never forgets a live key to make room.", replayPressure),
		waiting(replayCheck("full-store-takes-keys-again-after-their-ttl", "Keys whose ttl has passed take no room for ever; a full store takes new keys again.", replayFullAgain)),
	)
	quota := []Check[ReplayStoreHarness]{
		replayCheck("quota-is-per-proof-key", "A full quota for one prefix is reported with an error that has the method QuotaExceeded() bool, found with errors.As, which returns true", replayQuota),
	}
	return slices.Concat(checks, shared, full, quota)
}

// peer is a second store over the same backend.
func (c *replayCase) peer() (*replayCase, error) {
	if !c.h.Shared {
		return nil, skip("the harness does not say Shared: keys are of one process")
	}
	return newReplayCase(c.env, c.h)
}

// replayMany adds enough keys to meet the end of small tables and filters, and
// then all of them again.
func replayMany(c *replayCase) error {
	for again := range 2 {
		for i := range 900 {
			if err := c.adds(c.env.key(fmt.Sprintf("proof-key-%d.k", i)), time.Hour, again == 0, fmt.Sprintf(", one of 900 keys, for the time number %d", again+1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replayRace adds one key at once from many goroutines, over and over. Each of
// two stores gets one call at a time, as what they share is to be seen.
func replayRace(racers int, stores ...*replayCase) error {
	const rounds = 60
	for round := range rounds {
		key := stores[0].key(fmt.Sprint("race-", round))
		var winners atomic.Int64
		err := together(racers, func(i int) error {
			store := stores[i%len(stores)]
			added, err := store.add(store.ctx, key, time.Hour)
			if err != nil {
				return fmt.Errorf("Add(%s) by one of %d at once = %w; want nil", show(key), racers, err)
			}
			if added {
				winners.Add(1)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n := winners.Load(); n != 1 {
			return fmt.Errorf("%d of %d concurrent Adds of one key reported added; want 1", n, racers)
		}
	}
	return nil
}

func replayShared(c *replayCase) error {
	peer, err := c.peer()
	if err != nil {
		return err
	}
	for _, name := range append(hostileKeys(), "plain", strings.Repeat("b", 4000)) {
		if err := c.firstAdd(c.key(name), time.Hour); err != nil {
			return err
		}
		if err := peer.repeated(c.key(name), " by a second store over the same backend, after the first added it"); err != nil {
			return err
		}
	}
	return nil
}

// replayForms are keys without the check's prefix, and with other dots.
func replayForms(c *replayCase) error {
	for _, key := range []string{"a", "a.b", ".", "..", ".a", "a.", "a.b.c", "a..b", "ab", "b", "0", " ", "a.b.", "proof-key", "proof-key.", "\x00", "lease:a", "a:b", "a:c"} {
		if err := c.firstAdd(key, time.Hour); err != nil {
			return err
		}
		if err := c.repeated(key, " again"); err != nil {
			return err
		}
	}
	return nil
}

// replayOrder compares concurrent Adds of one key with the orders that they
// could have had: the one that reports added must not begin after another one
// was back with false.
func replayOrder(c *replayCase) error {
	const racers, rounds = 64, 25
	type span struct {
		began, back time.Time
		added       bool
	}
	for round := range rounds {
		key := c.key(fmt.Sprint("order-", round))
		spans := make([]span, racers)
		err := together(racers, func(i int) error {
			for range i % 8 { // not all at once
				runtime.Gosched()
			}
			began := time.Now()
			added, err := c.add(c.ctx, key, time.Hour)
			spans[i] = span{began, time.Now(), added}
			if err != nil {
				return fmt.Errorf("Add(%s) by one of %d at once = %w; want nil", show(key), racers, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, winner := range spans {
			for _, other := range spans {
				if winner.added && !other.added && other.back.Before(winner.began) {
					return fmt.Errorf("Add(%s) = false was back %v before the Add began that reported added; want the first one added", show(key), winner.began.Sub(other.back))
				}
			}
		}
	}
	return nil
}

// replayRaceAgain adds a key from many goroutines when its first ttl is over.
func replayRaceAgain(c *replayCase) error {
	ttl := c.unit()
	const keys, racers = 12, 12
	for i := range keys {
		if err := c.firstAdd(c.key(fmt.Sprint("again-", i)), ttl); err != nil {
			return err
		}
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	if c.advance == nil {
		if err := c.pass(max(c.min, 200*time.Millisecond)); err != nil {
			return err
		}
	}
	for i := range keys {
		var winners atomic.Int64
		err := together(racers, func(int) error {
			added, err := c.add(c.ctx, c.key(fmt.Sprint("again-", i)), time.Hour)
			if added {
				winners.Add(1)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("Add after the ttl, by one of %d at once = %w; want nil", racers, err)
		}
		if n := winners.Load(); n > 1 {
			return fmt.Errorf("%d of %d concurrent Adds of a key whose ttl is over reported added; want 1", n, racers)
		}
	}
	return nil
}

func replayGoroutines(c *replayCase) error {
	const calls, most = 200, 40
	work := func(n int, name string) error {
		for i := range n {
			if _, err := c.add(c.ctx, c.key(fmt.Sprint(name, i%20)), time.Hour); err != nil {
				return fmt.Errorf("Add = %w; want nil", err)
			}
		}
		return nil
	}
	if err := work(5, "warm"); err != nil { // connects, and starts what it keeps
		return err
	}
	pkg := packageOf(c.store)
	before := c.env.goroutines(pkg)
	if err := work(calls, "k"); err != nil {
		return err
	}
	if left := c.env.settled(pkg, before+most) - before; left > most {
		return doubt(fmt.Errorf("%d Adds left %d goroutines behind; want none", calls, left))
	}
	return nil
}

// pressure is how many keys are added when no capacity is given.
const pressure = 3000

func (c *replayCase) pressure() int {
	if c.h.Capacity > 0 {
		return c.h.Capacity + c.h.Capacity/10 + 100
	}
	return pressure
}

// replayPressure adds keys of many proof keys and of one, and then all of them
// again: none may be added twice. Refusing them is fine.
func replayPressure(c *replayCase) error {
	live, err := c.fill(time.Hour)
	if err != nil {
		return err
	}
	for _, key := range live {
		if added, err := c.add(c.ctx, key, time.Hour); added {
			return fmt.Errorf("Add(%s) again, after %d keys were added within its ttl = true, %v; want false, or an error", show(key), len(live), err)
		}
	}
	return nil
}

// fill adds as many keys as fill the store, and returns those that were added.
func (c *replayCase) fill(ttl time.Duration) (live []string, err error) {
	const workers = 10
	n := c.pressure()
	added := make([][]string, workers)
	err = together(workers, func(worker int) error {
		for i := worker; i < n; i += workers {
			key := c.key(fmt.Sprint(i))
			if i%2 == 0 {
				key = c.env.key(fmt.Sprintf("proof-key-%d.k", i))
			}
			is, err := c.add(c.ctx, key, ttl)
			switch {
			case is && err != nil:
				return fmt.Errorf("Add(%s) = true, %w; want false with an error", show(key), err)
			case is:
				added[worker] = append(added[worker], key)
			case c.ctx.Err() != nil:
				return c.ctx.Err()
			}
		}
		return nil
	})
	return slices.Concat(added...), err
}

// replayFullAgain fills the store, lets the ttls pass, and adds new keys.
func replayFullAgain(c *replayCase) error {
	if c.h.Capacity == 0 {
		return skip("the harness has no Capacity: the store is not bounded, or it does not say")
	}
	ttl := c.unit()
	if c.advance == nil {
		ttl = max(ttl, 2*time.Second)
	}
	if _, err := c.fill(ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	added, err := false, error(nil)
	ok, stopped := c.until(func() (bool, error) {
		added, err = c.add(c.ctx, c.env.key("new-proof-key.k"), time.Hour)
		return added, nil
	})
	if stopped != nil || ok {
		return stopped
	}
	return fmt.Errorf("Add of a new key %v after a full store's keys were added with a ttl of %v = %v, %v; want true, nil", ttl+c.grace(), ttl, added, err)
}

// replayQuota fills the quota of one proof key, if there is any.
func replayQuota(c *replayCase) error {
	for i := range c.pressure() {
		_, err := c.add(c.ctx, c.key(fmt.Sprint(i)), time.Hour)
		if err == nil {
			continue
		}
		if !quotaExceeded(err) {
			if c.ctx.Err() != nil {
				return c.ctx.Err() // the check's own time
			}
			return skip("the store refused a key after %d of one proof key, but not for a quota", i)
		}
		other := c.env.key("other-proof-key.k")
		if _, err := c.add(c.ctx, other, time.Hour); quotaExceeded(err) {
			return fmt.Errorf("Add(%s) after the quota of another proof key was full = %w; want no quota error: the part before the dot is another", show(other), err)
		}
		if strings.Contains(err.Error(), c.key("")) {
			return fmt.Errorf("the quota error has the key in it; want an error without")
		}
		return nil
	}
	return skip("no quota was full after %d keys of one proof key", c.pressure())
}
