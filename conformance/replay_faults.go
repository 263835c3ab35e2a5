package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
	return errTooSlow()
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
		return doubt(skip("the key did not end, which is another check's finding"))
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
			return doubt(skip("the second Add = %v, %v, which is another check's finding", added, err))
		}
		if err := c.pass(ttl - ttl/4 + c.grace()); err != nil {
			return err
		}
		return c.ended(key, fmt.Sprintf("%v after Add with a ttl of %v, and a repeated Add with a longer one in between", ttl+c.grace(), ttl))
	}
	return errTooSlow()
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
			for _, n := range keyLengths() {
				keys = append(keys, strings.Repeat("k", n-len(c.key(""))))
			}
			return works(keys)(c)
		}),
		replayCheck("keys-that-differ-by-case", rule, differ(caseKeys())),
		replayCheck("keys-that-differ-by-other-bytes", rule, differ(append(append(append(blankKeys(), unicodeForms()...), nulKeys()...), escapeKeys()...))),
		replayCheck("long-keys-that-differ", rule, differ(longKeys())),
		replayCheck("keys-of-equal-beginnings-or-ends-differ", rule, differ(splitKeys())),
		replayCheck("keys-of-equal-weak-hashes-differ", rule, func(c *replayCase) error {
			for _, pair := range collisions(c.key("")) {
				for _, key := range pair {
					if err := c.adds(key, time.Hour, true, ", one of two that have the same weak hash"); err != nil {
						return err
					}
				}
			}
			return nil
		}),
		replayCheck("stored-keys-are-keys-like-others", rule, replayStoredKeys),
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

// replayStoredKeys uses what the backend calls a key as a key.
func replayStoredKeys(c *replayCase) error {
	if c.h.StoredKey == nil {
		return skip("the harness has no StoredKey: the suite knows common hashes alone")
	}
	for _, name := range append(hostileKeys(), strings.Repeat("k", 5000), "plain") {
		key := c.key(name)
		stored := c.h.StoredKey(c.store, key)
		if stored == key || stored == "" {
			continue
		}
		if err := c.firstAdd(key, time.Hour); err != nil {
			return err
		}
		if err := c.adds(stored, time.Hour, true, ", under which another key is stored"); err != nil {
			return err
		}
	}
	return nil
}

func replayFaults() []Check[ReplayStoreHarness] {
	withDone := func(make func(context.Context) doneContext) func(*replayCase) error {
		return func(c *replayCase) error {
			d := make(c.ctx)
			_, err := c.add(d.ctx, c.key("k"), time.Hour)
			return d.refusal("Add", err)
		}
	}
	checks := []Check[ReplayStoreHarness]{
		replayCheck("add-with-a-done-context", ruleAddDone, replayDone),
		replayCheck("past-deadlines-are-told-from-cancellation", ruleAddDone, known(withDone(pastDeadline))),
		replayCheck("causes-do-not-hide-the-context-error", ruleAddDone, known(withDone(canceledForACause))),
		replayCheck("an-error-is-not-added", ruleUnknown, func(c *replayCase) error {
			added, err := c.add(canceled(c.ctx).ctx, c.key("k"), time.Hour)
			if added && err != nil {
				return fmt.Errorf("Add() with a canceled context = true, %w; want false with an error", err)
			}
			return nil
		}),
		replayCheck("a-done-context-is-no-quota", ruleOther, func(c *replayCase) error {
			for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
				if _, err := c.add(d.ctx, c.key("k"), time.Hour); quotaExceeded(err) {
					return fmt.Errorf("Add() with %s = %w, a quota error; want another one", d.name, err)
				}
			}
			return nil
		}),
		replayCheck("errors-do-not-show-the-key", "Errors never contain the key.", replaySilent),
	}
	hung := func(end ending) func(c *replayCase) error {
		return func(c *replayCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			for _, key := range []string{c.key("k"), c.key("a key with spaces"), c.key(strings.Repeat("k", 5000))} {
				err := promptly(c.env, "Add", end, func(ctx context.Context) error {
					_, err := c.add(ctx, key, time.Hour)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	flight := func(look func(*Env, string, string, func(context.Context, int) error) error) func(c *replayCase) error {
		return func(c *replayCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			return look(c.env, packageOf(c.store), "Add", func(ctx context.Context, i int) error {
				_, err := c.add(ctx, c.env.key(fmt.Sprintf("proof-key-%d.k", i)), time.Hour)
				return err
			})
		}
	}
	hanging := group(groupHang,
		replayCheck("add-to-a-hanging-backend", ruleAddDone, hung(byDeadline)),
		replayCheck("add-is-canceled-while-the-backend-hangs", ruleAddDone, hung(byCancel)),
		replayCheck("a-hanging-add-holds-up-no-other", ruleWaiting, replayBehind),
		replayCheck("adds-in-flight-are-bounded", ruleFlight, flight(bounded)),
		replayCheck("adds-beyond-the-bound-fail-at-once", ruleFlight, flight(excessive)),
		replayCheck("a-time-out-is-an-error-of-its-own", ruleOther, replayTimeOut),
	)
	breaking := group(groupBreak,
		replayCheck("add-to-a-backend-that-is-down", ruleUnknown, replayDown),
		replayCheck("an-outage-is-no-quota", ruleOther, func(c *replayCase) error {
			if err := c.breakDown(); err != nil {
				return err
			}
			for i := range 10 {
				if _, err := c.add(c.ctx, c.key(fmt.Sprint(i)), time.Hour); quotaExceeded(err) {
					return fmt.Errorf("Add() while the backend is down = %w, a quota error; want another one", err)
				}
			}
			return nil
		}),
	)
	return slices.Concat(checks, hanging, breaking)
}

// What the contract says of errors.
const (
	ruleAddDone = "When ctx is done, Add returns promptly with an error that matches ctx.Err(), even if the backend hangs."
	ruleUnknown = "When the outcome is unknown (time-out, lost connection, full store) Add returns an error, never added == true."
	ruleOther   = `Any other error means "could not decide" (503).`
)

// replayDone makes calls with a done context, on keys of any kind, that are
// there or not.
func replayDone(c *replayCase) error {
	d := canceled(c.ctx)
	for i, name := range []string{"absent", "present", "with spaces in it", strings.Repeat("k", 5000)} {
		if i%2 == 1 {
			if err := c.firstAdd(c.key(name), time.Hour); err != nil {
				return err
			}
		}
		for _, ttl := range []time.Duration{time.Hour, 0, -1} {
			_, err := c.add(d.ctx, c.key(name), ttl)
			if err := d.refusal(fmt.Sprintf("Add with a ttl of %v", ttl), err); err != nil {
				return err
			}
		}
	}
	return nil
}

// hang makes the backend hang for the rest of the check.
func (c *replayCase) hang() error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang to make the backend hang")
	}
	c.env.Cleanup(c.h.Hang(c.store))
	return nil
}

func replayBehind(c *replayCase) error {
	if err := c.hang(); err != nil {
		return err
	}
	add := func(key string, ttl time.Duration) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.add(ctx, c.key(key), ttl)
			return err
		}
	}
	return behind(c.env, "Add", add("the same", time.Hour),
		follower{"Add of the same key", add("the same", time.Hour)}, follower{"Add of another key", add("another", time.Hour)})
}

// replayTimeOut looks at the answers of calls that hang: no key in them, no
// quota, never added.
func replayTimeOut(c *replayCase) error {
	secret := randomHex(16)
	if err := c.hang(); err != nil {
		return err
	}
	for _, end := range []ending{byDeadline, byCancel} {
		heeded := heeds(c.env, end, func(ctx context.Context) error {
			_, err := c.add(ctx, c.key("k"), time.Hour)
			return err
		})
		if !heeded {
			return doubt(skip("Add does not end with its context, which is another check's finding"))
		}
		for i := range 3 {
			ctx, cancel := end.new(c.ctx)
			added, err := c.add(ctx, c.key(secret+fmt.Sprint(i)), time.Hour)
			cancel()
			switch {
			case added:
				return fmt.Errorf("Add() while the backend hangs = true, %v; want false and an error", err)
			case quotaExceeded(err):
				return fmt.Errorf("Add() while the backend hangs = %w, a quota error; want another one", err)
			case err != nil && leaks(err, secret):
				return fmt.Errorf("the error of Add while the backend hangs has the key or a part of it in it; want an error without")
			}
		}
	}
	return nil
}

// replayDown asks often: a client may give up asking.
func replayDown(c *replayCase) error {
	if err := c.firstAdd(c.key("known"), time.Hour); err != nil {
		return err
	}
	if err := c.breakDown(); err != nil {
		return err
	}
	for i := range 40 {
		for _, key := range []string{c.key("k"), c.key("known"), c.key(fmt.Sprint(i))} {
			ctx, cancel := context.WithTimeout(c.ctx, time.Second)
			added, err := c.add(ctx, key, time.Hour)
			cancel()
			if added || err == nil {
				return fmt.Errorf("Add() while the backend is down, call number %d = %v, %v; want false and an error", 3*i+1, added, err)
			}
		}
	}
	return nil
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
