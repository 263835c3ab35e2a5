package conformance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

func replayAdds() []Check[ReplayStoreHarness] {
	const (
		added = "Add reports added == true when key was not there, and remembers it."
		one   = "Of any number of concurrent Adds of one key, in every process that shares the store, exactly one reports added."
	)
	return []Check[ReplayStoreHarness]{
		replayCheck("first-add-is-added", added, replayMany),
		replayCheck("second-add-is-not-added", added, func(c *replayCase) error {
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
		replayCheck("one-of-many-concurrent-adds", one, func(c *replayCase) error { return replayRace(16, c) }),
		replayCheck("one-of-many-adds-by-two-stores", one, func(c *replayCase) error {
			peer, err := c.peer()
			if err != nil {
				return err
			}
			return replayRace(2, c, peer)
		}),
		replayCheck("records-are-shared", one, replayShared),
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
		replayCheck("no-live-key-is-forgotten-under-pressure", "A store under pressure returns an error; it never forgets a live key to make room.", replayPressure),
		replayCheck("quota-is-per-proof-key", "A full quota for one prefix is reported with an error that has the method QuotaExceeded() bool, found with errors.As, which returns true", replayQuota),
	}
}

// peer is a second store over the same backend.
func (c *replayCase) peer() (*replayCase, error) {
	if !c.h.Shared {
		return nil, skip("the harness does not say Shared: keys are of one process")
	}
	return newReplayCase(c.env, c.h)
}

// replayMany adds enough keys to meet the end of small tables and filters.
func replayMany(c *replayCase) error {
	for i := range 1000 {
		if err := c.firstAdd(c.env.key(fmt.Sprintf("proof-key-%d.k", i)), time.Hour); err != nil {
			return err
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
	for _, name := range []string{"plain", strings.Repeat("a", 251), strings.Repeat("b", 4000)} {
		if err := c.firstAdd(c.key(name), time.Hour); err != nil {
			return err
		}
		if err := peer.repeated(c.key(name), " by a second store over the same backend, after the first added it"); err != nil {
			return err
		}
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
	var live []string
	for i := range c.pressure() {
		key := c.key(fmt.Sprint(i))
		if i%2 == 0 {
			key = c.env.key(fmt.Sprintf("proof-key-%d.k", i))
		}
		added, err := c.add(c.ctx, key, time.Hour)
		switch {
		case added && err != nil:
			return fmt.Errorf("Add(%s) = true, %w; want false with an error", show(key), err)
		case added:
			live = append(live, key)
		}
	}
	for _, key := range live {
		if added, err := c.add(c.ctx, key, time.Hour); added {
			return fmt.Errorf("Add(%s) again, after %d keys were added within its ttl = true, %v; want false, or an error", show(key), len(live), err)
		}
	}
	return nil
}

// replayQuota fills the quota of one proof key, if there is any.
func replayQuota(c *replayCase) error {
	for i := range c.pressure() {
		_, err := c.add(c.ctx, c.key(fmt.Sprint(i)), time.Hour)
		if err == nil {
			continue
		}
		if !quotaExceeded(err) {
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
