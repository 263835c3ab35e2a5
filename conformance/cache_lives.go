package conformance

import (
	"fmt"
	"math"
	"time"
)

// cacheLives are checks of what time does to an entry beyond its one ttl.
func cacheLives() []Check[CacheHarness] {
	const (
		once    = "An entry is a miss once its ttl has passed."
		served  = "ttl is how long a value may be served."
		both    = "Set replaces both value and ttl."
		between = "A ttl between two steps of the resolution is rounded up as well."
		long    = "A ttl of more than 30 days works."
		grows   = "Entries whose ttl has passed do not take room for ever, whether or not they are asked for."
	)
	return []Check[CacheHarness]{
		waiting(cacheCheck("ttl-between-two-steps-is-rounded-up", between, cacheBetween)),
		cacheCheck("entry-is-gone-exactly-at-its-end", once, cacheExactEnd),
		waiting(cacheCheck("entries-of-any-kind-expire", once, cacheKindsExpire)),
		waiting(cacheCheck("each-entry-has-a-ttl-of-its-own", once, cacheOwnTTL)),
		waiting(cacheCheck("expired-miss-has-a-nil-value", "A miss is ok == false and err == nil, with a nil value.", cacheExpiredNil)),
		waiting(cacheCheck("delete-of-an-expired-key-is-nil", "Delete of an absent key is nil.", cacheDeleteExpired)),
		waiting(cacheCheck("set-of-an-equal-value-shortens-the-ttl", both, cacheEqualShortens)),
		waiting(cacheCheck("set-of-an-equal-value-extends-the-ttl", both, cacheEqualExtends)),
		waiting(cacheCheck("second-life-outlasts-the-first-ttl", both, cacheSecondLife)),
		waiting(cacheCheck("second-life-ends-at-its-own-ttl", once, cacheSecondEnd)),
		waiting(cacheCheck("calls-on-others-do-not-end-an-entry", served, cacheTraffic)),
		waiting(cacheCheck("ttl-fits-no-small-integer", long, cacheIntegers)),
		waiting(cacheCheck("longest-ttl-lasts", long, cacheLongest)),
		waiting(cacheCheck("expired-entries-give-their-room-back", grows, cacheRoom)),
	}
}

// steps are ttls between two steps of the resolution, or of resolutions that
// backends often have and do not tell of.
func (p pace) steps() []time.Duration {
	if p.advance == nil {
		unit := max(p.unit(), 120*time.Millisecond*time.Duration(max(p.scale, 1)))
		return []time.Duration{unit + unit/2, 2*unit - unit/10}
	}
	ttls := []time.Duration{1500 * time.Millisecond, 61*time.Second + 900*time.Millisecond, 90 * time.Second, 1001 * time.Millisecond}
	if p.min > 1 {
		ttls = append(ttls, p.min+1, p.min+p.min/2, 2*p.min-1, 3*p.min-p.min/4)
	}
	return ttls
}

// cacheBetween looks when a ttl that was cut to the step below has passed, and
// one that was rounded up has not. What ticks may take a step more from it.
func cacheBetween(c *cacheCase) error {
	for _, ttl := range c.steps() {
		if c.h.MaxTTL > 0 && ttl >= c.h.MaxTTL {
			continue
		}
		err := c.attempt(fmt.Sprintf("Get just before the end of a ttl of %v", ttl), func(try int) (bool, error) {
			key, elapsed := c.key(fmt.Sprint(ttl, try)), c.watch()
			if err := c.pass(time.Duration(try) * c.min / tries); err != nil { // meet another part of the tick
				return false, err
			}
			elapsed = c.watch()
			if err := c.set(key, "value", ttl); err != nil {
				return false, err
			}
			wait := ttl - ttl/16
			if c.advance != nil {
				wait = ttl - 1
			}
			if err := c.pass(wait); err != nil {
				return false, err
			}
			lost, err := c.holds(key, "value")
			if lost && elapsed() >= ttl {
				return true, errTooSlow()
			}
			return lost, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheExactEnd is for a clock of the suite's own and no resolution.
func cacheExactEnd(c *cacheCase) error {
	if c.advance == nil || c.min > 0 {
		return skip("the time of the backend cannot be set to the end of a ttl: without Advance, or with a MinTTL")
	}
	for _, ttl := range []time.Duration{time.Nanosecond, time.Millisecond, time.Second, time.Hour} {
		key := c.key(ttl.String())
		if err := c.set(key, "value", ttl); err != nil {
			return err
		}
		if err := c.pass(ttl); err != nil {
			return err
		}
		if err := c.unseen(key, fmt.Sprintf("exactly %v after Set with that ttl", ttl)); err != nil {
			return err
		}
	}
	return nil
}

func cacheKindsExpire(c *cacheCase) error {
	ttl := c.unit()
	if c.advance == nil {
		ttl = max(ttl, 200*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	for i, e := range kindsOfEntries() {
		if err := c.set(c.key(fmt.Sprint(i)+e.key), e.value, ttl); err != nil {
			return err
		}
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	for i, e := range kindsOfEntries() {
		if err := c.gone(c.unseen, c.key(fmt.Sprint(i)+e.key), fmt.Sprintf("of %s, %v after Set with a ttl of %v", e.name, ttl+c.grace(), ttl)); err != nil {
			return err
		}
	}
	return nil
}

// cacheOwnTTL mixes ttls, so that no order of writing is that of ending.
func cacheOwnTTL(c *cacheCase) error {
	const n = 60
	ttl := c.unit()
	if c.advance == nil {
		ttl = max(ttl, 100*time.Millisecond*time.Duration(max(c.scale, 1)))
	}
	long := func(i int) bool { return i%3 == 1 }
	for i := range n {
		its := ttl
		if long(i) {
			its = time.Hour
		}
		if err := c.set(c.key(fmt.Sprint(i)), fmt.Sprint("value ", i), its); err != nil {
			return err
		}
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	for i := range n {
		if long(i) {
			if _, err := c.holds(c.key(fmt.Sprint(i)), fmt.Sprint("value ", i)); err != nil {
				return err
			}
			continue
		}
		if err := c.gone(c.unseen, c.key(fmt.Sprint(i)), fmt.Sprintf("%v after Set with a ttl of %v, among %d keys with longer and shorter ones", ttl+c.grace(), ttl, n)); err != nil {
			return err
		}
	}
	return nil
}

func cacheExpiredNil(c *cacheCase) error {
	ttl := c.unit()
	if err := c.set(c.key("k"), "value", ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	_, err := c.until(func() (bool, error) {
		value, ok, err := c.get(c.ctx, c.key("k"))
		if !ok && err == nil && value != nil {
			return false, fmt.Errorf("Get() of an expired key = %s; want a nil value", answer(value, ok, err))
		}
		return !ok, nil
	})
	return err
}

// cacheDeleteExpired removes what has expired, in both ways.
func cacheDeleteExpired(c *cacheCase) error {
	ttl := c.unit()
	for _, name := range []string{"delete", "zero"} {
		if err := c.set(c.key(name), "value", ttl); err != nil {
			return err
		}
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	if err := c.delete(c.key("delete")); err != nil {
		return fmt.Errorf("of an expired key: %w", err)
	}
	if err := c.rawSet(c.ctx, c.key("zero"), []byte("value"), 0); err != nil {
		return fmt.Errorf("Set with a ttl of 0 of an expired key = %w; want nil", err)
	}
	return nil
}

func cacheEqualShortens(c *cacheCase) error {
	key, ttl := c.key("k"), c.unit()
	for _, its := range []time.Duration{500 * time.Hour, ttl} {
		if err := c.set(key, "the same value", its); err != nil {
			return err
		}
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return c.gone(c.unseen, key, fmt.Sprintf("%v after Set of an equal value with a ttl of %v over a ttl of 500h", ttl+c.grace(), ttl))
}

func cacheEqualExtends(c *cacheCase) error {
	ttl := c.unit()
	if c.h.MaxTTL > 0 && c.h.MaxTTL <= 2*(ttl+c.grace()) {
		return skip("MaxTTL is %v: the backend drops entries before the suite can look", c.h.MaxTTL)
	}
	return c.attempt("Get after the ttl of the first of two Sets of an equal value", func(try int) (bool, error) {
		key := c.key(fmt.Sprint(try))
		for _, its := range []time.Duration{ttl, 500 * time.Hour} {
			if err := c.set(key, "the same value", its); err != nil {
				return false, err
			}
		}
		if err := c.pass(ttl + c.grace()); err != nil {
			return false, err
		}
		return c.holds(key, "the same value")
	})
}

// cacheSecondLife finds timers of a first life that end the second.
func cacheSecondLife(c *cacheCase) error {
	ttl := c.unit()
	if c.h.MaxTTL > 0 && c.h.MaxTTL <= 3*(ttl+c.grace()) {
		return skip("MaxTTL is %v: the backend drops entries before the suite can look", c.h.MaxTTL)
	}
	for how, end := range map[string]func(key string) error{
		"Delete":              c.delete,
		"Set with a ttl of 0": func(key string) error { return c.set(key, "value", 0) },
		"the end of its ttl":  func(string) error { return c.pass(ttl + c.grace()) },
	} {
		err := c.attempt("Get of an entry set anew after "+how, func(try int) (bool, error) {
			key := c.key(fmt.Sprint(how, try))
			if err := c.set(key, "first", ttl); err != nil {
				return false, err
			}
			if err := end(key); err != nil {
				return false, err
			}
			if err := c.set(key, "second", 500*time.Hour); err != nil {
				return false, err
			}
			if err := c.pass(ttl + c.grace()); err != nil {
				return false, err
			}
			return c.holds(key, "second")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheSecondEnd finds what is left of a first life and keeps the second.
func cacheSecondEnd(c *cacheCase) error {
	ttl := c.unit()
	for how, end := range map[string]func(key string) error{
		"Delete":              c.delete,
		"Set with a ttl of 0": func(key string) error { return c.set(key, "value", 0) },
		"the end of its ttl": func(key string) error {
			if err := c.set(key, "first", ttl); err != nil {
				return err
			}
			return c.pass(ttl + c.grace())
		},
	} {
		key := c.key(how)
		if err := c.set(key, "first", 500*time.Hour); err != nil {
			return err
		}
		if err := end(key); err != nil {
			return err
		}
		if err := c.set(key, "second", ttl); err != nil {
			return err
		}
		if err := c.pass(ttl + c.grace()); err != nil {
			return err
		}
		if err := c.gone(c.unseen, key, fmt.Sprintf("%v after Set with a ttl of %v, in a second life after %s", ttl+c.grace(), ttl, how)); err != nil {
			return err
		}
	}
	return nil
}

// cacheTraffic makes no room necessary: it reads and deletes.
func cacheTraffic(c *cacheCase) error {
	ttl := 4 * c.unit()
	if c.h.MaxTTL > 0 {
		ttl = min(ttl, c.h.MaxTTL)
	}
	return c.attempt("Get before the end of the ttl, after calls on other keys", func(try int) (bool, error) {
		key, elapsed := c.key(fmt.Sprint(try)), c.watch()
		if err := c.set(key, "value", ttl); err != nil {
			return false, err
		}
		for i := range 4 {
			for j := range 40 {
				other := c.key(fmt.Sprint("other-", j))
				_, _, _ = c.get(c.ctx, other)
				if j%4 == i {
					if err := c.delete(other); err != nil {
						return false, err
					}
				}
			}
			if err := c.pass(ttl / 6); err != nil {
				return false, err
			}
		}
		lost, err := c.holds(key, "value")
		if lost && elapsed() >= ttl { // this machine is too slow: take more time
			ttl *= 2
		}
		return lost, err
	})
}

// integers are what milliseconds, microseconds and seconds are often kept in.
// What is over is so little that a ttl of which only that is left ends at once.
func integers() []time.Duration {
	const over = time.Millisecond
	return []time.Duration{
		(1<<31)*time.Microsecond + over, (1<<32)*time.Microsecond + over,
		(1<<31)*time.Millisecond + over, (1<<32)*time.Millisecond + over,
		(1<<16)*time.Second + over, (1<<31)*time.Second + over, (1<<32)*time.Second + over,
	}
}

func cacheIntegers(c *cacheCase) error {
	for _, ttl := range integers() {
		if c.h.MaxTTL > 0 && ttl > c.h.MaxTTL {
			break
		}
		err := c.attempt(fmt.Sprintf("Get soon after Set with a ttl of %v", ttl), func(try int) (bool, error) {
			key := c.key(fmt.Sprint(ttl, try))
			if err := c.set(key, "value", ttl); err != nil {
				return false, err
			}
			if err := c.pass(5*time.Millisecond + 2*c.min); err != nil {
				return false, err
			}
			return c.holds(key, "value")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheLongest looks at the longest ttls again when some time has passed.
func cacheLongest(c *cacheCase) error {
	later := c.unit()
	if c.advance != nil {
		later = 40 * 24 * time.Hour
	}
	if c.h.MaxTTL > 0 {
		later = min(later, c.h.MaxTTL/2)
	}
	for _, ttl := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2, 100 * 365 * 24 * time.Hour} {
		err := c.attempt(fmt.Sprintf("Get %v after Set with a ttl of %v", later, ttl), func(try int) (bool, error) {
			key := c.key(fmt.Sprint(ttl, try))
			if err := c.set(key, "value", ttl); err != nil {
				return false, err
			}
			if err := c.pass(later); err != nil {
				return false, err
			}
			return c.holds(key, "value")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// generations of entries that expire, and how many each has.
const generations, perGeneration = 6, 150

// cacheRoom writes entries that expire, over and over, and never asks for them
// again.
func cacheRoom(c *cacheCase) error {
	if c.h.Size == nil {
		return skip("the harness has no Size to see what the backend keeps")
	}
	value := string(randomBytes(1000))
	return growth(c.pace, func(generation int, ttl time.Duration) error {
		for i := range perGeneration {
			if err := c.set(c.key(fmt.Sprint(generation, "-", i)), value, ttl); err != nil {
				return err
			}
		}
		return nil
	}, func() (int64, error) { return c.h.Size(c.cache) })
}

// growth wants the size after many generations to be no more than that of some.
func growth(p pace, write func(generation int, ttl time.Duration) error, size func() (int64, error)) error {
	const most = 3
	ttl := p.unit()
	var sizes []int64
	measure := func() error {
		n, err := size()
		if err != nil {
			return fmt.Errorf("the harness's Size = %w; want nil", err)
		}
		sizes = append(sizes, n)
		return nil
	}
	if err := measure(); err != nil {
		return err
	}
	for generation := range generations {
		if err := write(generation, ttl); err != nil {
			return err
		}
		if generation == 0 {
			if err := measure(); err != nil {
				return err
			}
		}
		if err := p.pass(ttl + p.grace()); err != nil {
			return err
		}
	}
	if err := measure(); err != nil {
		return err
	}
	if one := max(sizes[1]-sizes[0], 1); sizes[2]-sizes[0] > most*one {
		return fmt.Errorf("the backend's size before, with %d entries, and after %d times as many have expired = %d; want it not to grow without end", perGeneration, generations, sizes)
	}
	return nil
}
