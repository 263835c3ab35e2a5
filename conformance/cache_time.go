package conformance

import (
	"fmt"
	"math"
	"time"
)

func cacheTime() []Check[CacheHarness] {
	const (
		once    = "An entry is a miss once its ttl has passed."
		removes = "ttl <= 0 removes the key and returns nil: nothing is kept for ever."
		tiny    = `A ttl below the backend's resolution is rounded up to that resolution, never to "for ever".`
		long    = "A ttl of more than 30 days works."
		both    = "Set replaces both value and ttl."
	)
	return []Check[CacheHarness]{
		waiting(cacheCheck("entry-expires", once, cacheExpires)),
		waiting(cacheCheck("get-does-not-extend-the-ttl", once, cacheSliding)),
		waiting(cacheCheck("ttl-is-not-cut-short", "ttl is how long a value may be served.", cacheKept)),
		cacheCheck("zero-ttl-removes", removes, func(c *cacheCase) error { return cacheRemoves(c, 0) }),
		cacheCheck("zero-ttl-of-an-absent-key", removes, cacheZeroAbsent),
		cacheCheck("negative-ttl-removes", removes, func(c *cacheCase) error { return cacheRemoves(c, -1, -time.Second, -time.Hour, math.MinInt64) }),
		waiting(cacheCheck("tiny-ttl-is-not-for-ever", tiny, cacheTiny)),
		cacheCheck("tiny-ttl-is-rounded-up", tiny, cacheRoundedUp),
		cacheCheck("ttl-beyond-30-days", long, cacheLong),
		cacheCheck("ttl-beyond-all-bounds", long, func(c *cacheCase) error {
			return cacheFound(c, 100*365*24*time.Hour, math.MaxInt64)
		}),
		waiting(cacheCheck("set-shortens-the-ttl", both, cacheShortens)),
		waiting(cacheCheck("set-extends-the-ttl", both, cacheExtends)),
		waiting(cacheCheck("set-works-after-expiry", "Set stores value under key for ttl, replacing what was there.", cacheRevived)),
	}
}

// cacheExpires does not look at the entry before its time is up.
func cacheExpires(c *cacheCase) error {
	ttl := c.unit()
	if err := c.set(c.key("k"), "value", ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return c.gone(c.missing, c.key("k"), fmt.Sprintf("%v after Set with a ttl of %v", ttl+c.grace(), ttl))
}

// cacheSliding looks often enough to keep an entry for ever, if looking could.
func cacheSliding(c *cacheCase) error {
	ttl := c.unit()
	if err := c.stored(c.key("k"), "value", ttl); err != nil {
		return err
	}
	left := ttl + c.grace()
	for step := ttl / 4; left > 0; left -= step {
		if err := c.pass(min(step, left)); err != nil {
			return err
		}
		_, _, _ = c.get(c.ctx, c.key("k")) // the last one may find it gone
	}
	return c.gone(c.unseen, c.key("k"), fmt.Sprintf("%v after Set with a ttl of %v, and Get in between", ttl+c.grace(), ttl))
}

func cacheKept(c *cacheCase) error {
	ttl := 4 * c.unit()
	if c.h.MaxTTL > 0 {
		ttl = min(ttl, c.h.MaxTTL)
	}
	return c.attempt("Get after half the ttl", func(try int) (bool, error) {
		key, elapsed := c.key(fmt.Sprint(try)), c.watch()
		if err := c.stored(key, "value", ttl); err != nil {
			return false, err
		}
		if err := c.pass(ttl / 2); err != nil {
			return false, err
		}
		lost, err := c.holds(key, "value")
		if lost && elapsed() >= ttl { // this machine is too slow: take more time
			ttl *= 2
		}
		return lost, err
	})
}

func cacheRemoves(c *cacheCase, ttls ...time.Duration) error {
	for i, ttl := range ttls {
		key := c.key(fmt.Sprint(i))
		if err := c.stored(key, "before", time.Hour); err != nil {
			return err
		}
		if err := c.set(key, "after", ttl); err != nil {
			return err
		}
		if err := c.unseen(key, fmt.Sprintf("after Set with a ttl of %v", ttl)); err != nil {
			return err
		}
	}
	return nil
}

func cacheZeroAbsent(c *cacheCase) error {
	if err := c.set(c.key("absent"), "value", 0); err != nil {
		return err
	}
	return c.unseen(c.key("absent"), "after Set with a ttl of 0")
}

// tinyTTLs are below the resolution, the smallest there is among them.
func (c *cacheCase) tinyTTLs() []time.Duration {
	ttls := []time.Duration{1, time.Microsecond / 2, time.Millisecond / 2}
	if c.min > 1 {
		ttls = append(ttls, c.min/2, c.min-1)
	}
	return ttls
}

func cacheTiny(c *cacheCase) error {
	longest := time.Duration(0)
	for i, ttl := range c.tinyTTLs() {
		if err := c.set(c.key(fmt.Sprint(i)), "value", ttl); err != nil {
			return err
		}
		if _, err := c.holds(c.key(fmt.Sprint(i)), "value"); err != nil {
			return err
		}
		longest = max(longest, ttl)
	}
	if err := c.pass(longest + c.grace()); err != nil {
		return err
	}
	for i, ttl := range c.tinyTTLs() {
		if err := c.gone(c.unseen, c.key(fmt.Sprint(i)), fmt.Sprintf("%v after Set with a ttl of %v", longest+c.grace(), ttl)); err != nil {
			return err
		}
	}
	return nil
}

func cacheRoundedUp(c *cacheCase) error {
	if c.min < 10*time.Millisecond && c.advance == nil || c.min < 2 {
		return skip("MinTTL is %v: an entry with a smaller ttl has a right to be gone when the suite looks", c.min)
	}
	return cacheFound(c, c.min/2, c.min-1)
}

// cacheFound wants entries with these ttls to be there right after Set.
func cacheFound(c *cacheCase, ttls ...time.Duration) error {
	for i, ttl := range ttls {
		if err := c.stored(c.key(fmt.Sprint(i)), "value", ttl); err != nil {
			return err
		}
	}
	return nil
}

func cacheLong(c *cacheCase) error {
	const day = 24 * time.Hour
	if err := cacheFound(c, 30*day+time.Second, 31*day, 400*day); err != nil || c.advance == nil {
		return err
	}
	ttl := 400 * day
	if c.h.MaxTTL == 0 || c.h.MaxTTL > 31*day {
		err := c.attempt("Get 31 days after Set with a ttl of 400 days", func(try int) (bool, error) {
			key := c.key(fmt.Sprint("kept-", try))
			if err := c.set(key, "value", ttl); err != nil {
				return false, err
			}
			if err := c.pass(31 * day); err != nil {
				return false, err
			}
			return c.holds(key, "value")
		})
		if err != nil {
			return err
		}
	}
	key := c.key("expires")
	if err := c.stored(key, "value", ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return c.gone(c.unseen, key, "400 days after Set with a ttl of 400 days")
}

func cacheShortens(c *cacheCase) error {
	key, ttl := c.key("k"), c.unit()
	if err := c.stored(key, "first", 500*time.Hour); err != nil {
		return err
	}
	if err := c.stored(key, "second", ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return c.gone(c.unseen, key, fmt.Sprintf("%v after Set with a ttl of %v over an entry with a ttl of 500h", ttl+c.grace(), ttl))
}

func cacheExtends(c *cacheCase) error {
	ttl := c.unit()
	if c.h.MaxTTL > 0 && c.h.MaxTTL <= 2*(ttl+c.grace()) {
		return skip("MaxTTL is %v: the backend drops entries before the suite can look", c.h.MaxTTL)
	}
	return c.attempt("Get after the ttl of the first of two Sets", func(try int) (bool, error) {
		key := c.key(fmt.Sprint(try))
		if err := c.set(key, "first", ttl); err != nil {
			return false, err
		}
		if err := c.stored(key, "second", 500*time.Hour); err != nil {
			return false, err
		}
		if err := c.pass(ttl + c.grace()); err != nil {
			return false, err
		}
		return c.holds(key, "second")
	})
}

func cacheRevived(c *cacheCase) error {
	key, ttl := c.key("k"), c.unit()
	if err := c.set(key, "before", ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return c.stored(key, "after", time.Hour)
}
