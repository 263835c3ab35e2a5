package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

func replayTime() []Check[ReplayStoreHarness] {
	const (
		stays   = "A key stays for at least its ttl, rounded up to the backend's resolution, and never for ever."
		nothing = "ttl <= 0 remembers nothing and reports added == true: the key has already expired."
	)
	return []Check[ReplayStoreHarness]{
		waiting(replayCheck("key-stays-for-its-ttl", stays, replayStays)),
		waiting(replayCheck("key-does-not-stay-for-ever", stays, replayEnds)),
		waiting(replayCheck("tiny-ttl-is-not-for-ever", stays, replayTiny)),
		replayCheck("tiny-ttl-is-rounded-up", stays, replayRoundedUp),
		replayCheck("ttl-beyond-30-days", stays, replayLong),
		replayCheck("ttl-beyond-all-bounds", stays, func(c *replayCase) error {
			return replayRemembered(c, 100*365*24*time.Hour, math.MaxInt64)
		}),
		replayCheck("zero-ttl-remembers-nothing", nothing, func(c *replayCase) error { return replayNothing(c, 0) }),
		replayCheck("negative-ttl-remembers-nothing", nothing, func(c *replayCase) error { return replayNothing(c, -1, -time.Second, -time.Hour, math.MinInt64) }),
		replayCheck("zero-ttl-spares-a-live-key", stays, replaySpared),
		waiting(replayCheck("repeated-add-does-not-extend-the-ttl", "A repeated Add does not extend the ttl of the first.", replayRepeated)),
		waiting(replayCheck("key-can-be-added-after-its-ttl", "Add reports added == true when key was not there, and remembers it.", replayAgain)),
	}
}

// replayStays looks right before the end of the ttl. On real time that is as
// near as the machine allows.
func replayStays(c *replayCase) error {
	ttl := 2 * c.unit()
	for try := range tries {
		key, elapsed := c.key(fmt.Sprint(try)), c.watch()
		if err := c.firstAdd(key, ttl); err != nil {
			return err
		}
		wait := ttl - time.Millisecond
		if c.advance == nil {
			wait = ttl - ttl/8
		}
		if err := c.pass(wait); err != nil {
			return err
		}
		added, err := c.add(c.ctx, key, ttl)
		if elapsed() >= ttl { // this machine is too slow: take more time
			ttl *= 2
			continue
		}
		if added || err != nil {
			return fmt.Errorf("Add(%s) again %v after Add with a ttl of %v = %v, %v; want false, nil", show(key), wait, ttl, added, err)
		}
		return nil
	}
	return skip("this machine is too slow to look within a ttl of %v", ttl)
}

// ended wants a key to be gone, looking once: Add brings it back.
func (c *replayCase) ended(key, when string) error {
	added, last := false, error(nil)
	gone, err := c.until(func() (bool, error) {
		added, last = c.add(c.ctx, key, time.Hour)
		return added && last == nil, nil
	})
	if err != nil || gone {
		return err
	}
	return fmt.Errorf("Add(%s) again %s = %v, %v; want true, nil", show(key), when, added, last)
}

func replayEnds(c *replayCase) error {
	ttl := c.unit()
	if err := c.firstAdd(c.key("k"), ttl); err != nil {
		return err
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return c.ended(c.key("k"), fmt.Sprintf("%v after Add with a ttl of %v", ttl+c.grace(), ttl))
}

// replayAgain remembers a key for a second time.
func replayAgain(c *replayCase) error {
	if err := replayEnds(c); err != nil {
		return skip("the key did not end, which is another check's finding")
	}
	return c.repeated(c.key("k"), " after it was added a second time")
}

func (c *replayCase) tinyTTLs() []time.Duration {
	ttls := []time.Duration{1, time.Microsecond / 2, time.Millisecond / 2}
	if c.min > 1 {
		ttls = append(ttls, c.min/2, c.min-1)
	}
	return ttls
}

func replayTiny(c *replayCase) error {
	longest := time.Duration(0)
	for i, ttl := range c.tinyTTLs() {
		if err := c.firstAdd(c.key(fmt.Sprint(i)), ttl); err != nil {
			return err
		}
		_, _ = c.add(c.ctx, c.key(fmt.Sprint(i)), ttl) // asked for again
		longest = max(longest, ttl)
	}
	if err := c.pass(longest + c.grace()); err != nil {
		return err
	}
	for i, ttl := range c.tinyTTLs() {
		if err := c.ended(c.key(fmt.Sprint(i)), fmt.Sprintf("%v after Add with a ttl of %v", longest+c.grace(), ttl)); err != nil {
			return err
		}
	}
	return nil
}

func replayRoundedUp(c *replayCase) error {
	if c.min < 10*time.Millisecond && c.advance == nil || c.min < 2 {
		return skip("MinTTL is %v: a key with a smaller ttl has a right to be gone when the suite looks", c.min)
	}
	return replayRemembered(c, c.min/2, c.min-1)
}

// replayRemembered wants keys with these ttls to be there right after Add.
func replayRemembered(c *replayCase, ttls ...time.Duration) error {
	for i, ttl := range ttls {
		key := c.key(fmt.Sprint(i))
		if err := c.firstAdd(key, ttl); err != nil {
			return err
		}
		if err := c.repeated(key, fmt.Sprintf(" right after Add with a ttl of %v", ttl)); err != nil {
			return err
		}
	}
	return nil
}

func replayLong(c *replayCase) error {
	const day = 24 * time.Hour
	if err := replayRemembered(c, 30*day+time.Second, 31*day, 400*day); err != nil || c.advance == nil {
		return err
	}
	key := c.key("kept")
	if err := c.firstAdd(key, 400*day); err != nil {
		return err
	}
	if err := c.pass(31 * day); err != nil {
		return err
	}
	if err := c.repeated(key, " 31 days after Add with a ttl of 400 days"); err != nil {
		return err
	}
	if err := c.pass(369*day + c.grace()); err != nil {
		return err
	}
	return c.ended(key, "after the 400 days")
}

func replayNothing(c *replayCase, ttls ...time.Duration) error {
	for i, ttl := range ttls {
		for range 2 {
			if err := c.firstAdd(c.key(fmt.Sprint(i)), ttl); err != nil {
				return err
			}
		}
		if err := c.adds(c.key(fmt.Sprint(i)), time.Hour, true, fmt.Sprintf(" after Add with a ttl of %v", ttl)); err != nil {
			return err
		}
	}
	return nil
}

// replaySpared: what Add reports of a live key with a ttl of 0 is left open.
func replaySpared(c *replayCase) error {
	if err := c.firstAdd(c.key("k"), time.Hour); err != nil {
		return err
	}
	_, _ = c.add(c.ctx, c.key("k"), 0)
	return c.repeated(c.key("k"), " after Add with a ttl of 0 of the live key")
}

func replayRepeated(c *replayCase) error {
	ttl := 2 * c.unit()
	for try := range tries {
		key := c.key(fmt.Sprint(try))
		if err := c.firstAdd(key, ttl); err != nil {
			return err
		}
		elapsed := c.watch()
		if err := c.pass(ttl / 4); err != nil {
			return err
		}
		added, err := c.add(c.ctx, key, 1000*ttl)
		if added && elapsed() >= ttl { // this machine is too slow: take more time
			ttl *= 2
			continue
		}
		if added || err != nil {
			return skip("the second Add = %v, %v, which is another check's finding", added, err)
		}
		if err := c.pass(ttl - ttl/4 + c.grace()); err != nil {
			return err
		}
		return c.ended(key, fmt.Sprintf("%v after Add with a ttl of %v, and a repeated Add with a longer one in between", ttl+c.grace(), ttl))
	}
	return skip("this machine is too slow to add a key twice within %v", ttl)
}

func replayKeys() []Check[ReplayStoreHarness] {
	const rule = "Any non-empty UTF-8 key of up to 64 KiB works, as for [Cache]."
	works := func(keys []string) func(*replayCase) error {
		return func(c *replayCase) error {
			for _, name := range keys {
				if err := c.firstAdd(c.key(name), time.Hour); err != nil {
					return err
				}
				if err := c.repeated(c.key(name), " again"); err != nil {
					return err
				}
			}
			return nil
		}
	}
	differ := func(pairs [][2]string) func(*replayCase) error {
		return func(c *replayCase) error {
			for i, pair := range pairs {
				for _, name := range pair {
					if err := c.adds(c.key(fmt.Sprint(i, ".", name)), time.Hour, true, fmt.Sprintf(", one of two like %q", pair)); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}
	return []Check[ReplayStoreHarness]{
		replayCheck("keys-with-spaces", rule, works(spaceKeys())),
		replayCheck("keys-with-control-characters", rule, works(controlKeys())),
		replayCheck("keys-beyond-ascii", rule, works(unicodeKeys())),
		replayCheck("keys-up-to-64-kib", rule, func(c *replayCase) error {
			var keys []string
			for _, n := range []int{251, 256, 1025, 4097, maxKey} {
				name := fmt.Sprint(n, "-")
				keys = append(keys, name+strings.Repeat("k", n-len(c.key(name))))
			}
			return works(keys)(c)
		}),
		replayCheck("keys-that-differ-by-case", rule, differ(caseKeys())),
		replayCheck("keys-that-differ-by-other-bytes", rule, differ(append(append(append(blankKeys(), unicodeForms()...), nulKeys()...), escapeKeys()...))),
		replayCheck("long-keys-that-differ", rule, differ(longKeys())),
		replayCheck("hashed-keys-do-not-collide", rule, func(c *replayCase) error {
			key := c.key(strings.Repeat("k", 300))
			if err := c.firstAdd(key, time.Hour); err != nil {
				return err
			}
			for _, input := range []string{key, c.env.Namespace + key, c.env.Namespace + ":" + key} {
				for _, hash := range unique(hashesOf(input)) {
					if strings.ContainsAny(hash, "+/=") { // of one that is there in another form
						continue
					}
					if err := c.adds(hash, time.Hour, true, " after that of the key of which it is the hash"); err != nil {
						return err
					}
				}
			}
			return nil
		}),
	}
}

// unique keeps the order.
func unique(keys []string) []string {
	seen := make(map[string]bool)
	var kept []string
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			kept = append(kept, key)
		}
	}
	return kept
}

func replayFaults() []Check[ReplayStoreHarness] {
	const (
		done    = "When ctx is done, Add returns promptly with an error that matches ctx.Err(), even if the backend hangs."
		unknown = "When the outcome is unknown (time-out, lost connection, full store) Add returns an error, never added == true."
	)
	withDone := func(make func(context.Context) doneContext) func(*replayCase) error {
		return func(c *replayCase) error {
			d := make(c.ctx)
			_, err := c.add(d.ctx, c.key("k"), time.Hour)
			return d.refusal("Add", err)
		}
	}
	return []Check[ReplayStoreHarness]{
		replayCheck("add-with-a-done-context", done, func(c *replayCase) error {
			d := canceled(c.ctx)
			for _, ttl := range []time.Duration{time.Hour, 0} {
				_, err := c.add(d.ctx, c.key("k"), ttl)
				if err := d.refusal(fmt.Sprintf("Add with a ttl of %v", ttl), err); err != nil {
					return err
				}
			}
			return nil
		}),
		replayCheck("past-deadlines-are-told-from-cancellation", done, known(withDone(pastDeadline))),
		replayCheck("causes-do-not-hide-the-context-error", done, known(withDone(canceledForACause))),
		replayCheck("an-error-is-not-added", unknown, func(c *replayCase) error {
			added, err := c.add(canceled(c.ctx).ctx, c.key("k"), time.Hour)
			if added && err != nil {
				return fmt.Errorf("Add() with a canceled context = true, %w; want false with an error", err)
			}
			return nil
		}),
		replayCheck("add-to-a-hanging-backend", done, func(c *replayCase) error {
			if c.h.Hang == nil {
				return skip("the harness has no Hang to make the backend hang")
			}
			c.env.Cleanup(c.h.Hang(c.store))
			return promptly(c.env, "Add", func(ctx context.Context) error {
				_, err := c.add(ctx, c.key("k"), time.Hour)
				return err
			})
		}),
		replayCheck("add-to-a-backend-that-is-down", unknown, func(c *replayCase) error {
			if err := c.breakDown(); err != nil {
				return err
			}
			if added, err := c.add(c.ctx, c.key("k"), time.Hour); added || err == nil {
				return fmt.Errorf("Add() while the backend is down = %v, %v; want false and an error", added, err)
			}
			return nil
		}),
		replayCheck("errors-do-not-show-the-key", "Errors never contain the key.", replaySilent),
	}
}

// known passes over errors that are missing altogether: another check's
// finding.
func known(run func(*replayCase) error) func(*replayCase) error {
	return func(c *replayCase) error {
		if _, err := c.add(canceled(c.ctx).ctx, c.key("probe"), time.Hour); err == nil {
			return skip("Add with a done context is no error, which is another check's finding")
		}
		return run(c)
	}
}

func (c *replayCase) breakDown() error {
	if c.h.Break == nil {
		return skip("the harness has no Break to make the backend fail")
	}
	c.env.Cleanup(c.h.Break(c.store))
	return nil
}

// replaySilent looks at all errors that it can bring about.
func replaySilent(c *replayCase) error {
	secret := randomHex(16)
	look := func(ctx context.Context, what string) error {
		if _, err := c.add(ctx, c.key(secret), time.Hour); err != nil && leaks(err, secret) {
			return fmt.Errorf("the error of Add %s has the key in it; want an error without", what)
		}
		return nil
	}
	if err := look(canceled(c.ctx).ctx, "with a canceled context"); err != nil {
		return err
	}
	if c.h.Break == nil {
		return nil
	}
	if err := c.breakDown(); err != nil {
		return err
	}
	return look(c.ctx, "while the backend is down")
}

// quotaExceeded reports what the Verifier looks for in an error.
func quotaExceeded(err error) bool {
	var quota interface{ QuotaExceeded() bool }
	return errors.As(err, &quota) && quota.QuotaExceeded()
}
