package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func cacheClear() []Check[CacheHarness] {
	const (
		clears  = "Clear removes what this cache wrote (all keys under its prefix) and nothing else: never a whole shared server, and never the records of a [ReplayStore] on the same server."
		partial = "A Clear that fails may have removed a part; calling it again removes the rest."
	)
	type run = func(*cacheCase, verifier.Clearer) error
	check := func(name, rule string, run run) Check[CacheHarness] {
		made := cacheCheck(name, rule, func(c *cacheCase) error {
			clearer, ok := c.cache.(verifier.Clearer)
			if !ok {
				return skip("the cache is not a verifier.Clearer, which is optional")
			}
			return run(c, clearer)
		})
		made.Interface = "Clearer"
		return made
	}
	content := []Check[CacheHarness]{
		check("clear-removes-all-entries", clears, func(c *cacheCase, clearer verifier.Clearer) error { return cacheClears(c, clearer, 50) }),
		check("clear-removes-more-than-a-page", clears, func(c *cacheCase, clearer verifier.Clearer) error { return cacheClears(c, clearer, manyKeys) }),
		check("clear-of-an-empty-cache-is-nil", clears, cacheClearsNothing),
		check("clear-removes-hashed-keys", clears, cacheClearsHostile),
		check("clear-removes-values-of-any-size", clears, cacheClearsSizes),
		check("set-works-after-clear", clears, cacheClearThenSet),
		check("clear-is-over-when-it-returns", "What is written after Clear has returned stays.", cacheClearLater),
		check("clear-spares-other-caches", clears, func(c *cacheCase, clearer verifier.Clearer) error {
			return cacheSpares(c, clearer, "conformance-"+randomHex(8))
		}),
		check("clear-spares-neighbours-of-its-prefix", clears, cacheSparesNeighbours),
		check("clear-spares-its-prefix-in-other-keys", clears, cacheSparesContained),
		check("clear-takes-its-prefix-literally", clears, cacheLiteralPrefix),
		check("clear-removes-all-under-a-prefix-like-a-pattern", clears, cacheClearsPattern),
		check("clear-spares-replay-records", clears, cacheSparesRecords),
		check("clear-beside-other-calls", "All methods are safe for concurrent use.", cacheClearBeside),
	}
	shared := group(groupShared,
		check("peers-see-a-clear", clears, func(c *cacheCase, clearer verifier.Clearer) error { return cacheClearSeen(c, clearer, false) }),
		check("clear-removes-what-peers-wrote", clears, func(c *cacheCase, clearer verifier.Clearer) error { return cacheClearSeen(c, clearer, true) }),
	)
	contexts := []Check[CacheHarness]{check("clear-with-a-done-context", ruleDone, func(c *cacheCase, clearer verifier.Clearer) error {
		if err := c.set(c.key("k"), "value", time.Hour); err != nil {
			return err
		}
		for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx), canceledForACause(c.ctx)} {
			if err := d.refusal("Clear", c.rawClear(d.ctx, clearer)); err != nil {
				return err
			}
		}
		return nil
	})}
	hung := func(end ending) run {
		return func(c *cacheCase, clearer verifier.Clearer) error {
			if err := c.set(c.key("k"), "value", time.Hour); err != nil {
				return err
			}
			if err := c.hang(false); err != nil {
				return err
			}
			return promptly(c.env, "Clear", end, func(ctx context.Context) error { return c.rawClear(ctx, clearer) })
		}
	}
	hanging := group(groupHang,
		check("clear-of-a-hanging-backend", ruleDone, hung(byDeadline)),
		check("clear-is-canceled-while-the-backend-hangs", ruleDone, hung(byCancel)),
		check("a-hanging-clear-holds-up-no-other-call", ruleWaiting, func(c *cacheCase, clearer verifier.Clearer) error {
			if err := c.hang(false); err != nil {
				return err
			}
			return behind(c.env, "Clear", func(ctx context.Context) error { return c.rawClear(ctx, clearer) },
				follower{"Set", func(ctx context.Context) error { return setCall.do(c, ctx, c.key("k")) }})
		}),
	)
	breaking := group(groupBreak,
		check("clear-of-a-backend-that-is-down", ruleDown, func(c *cacheCase, clearer verifier.Clearer) error {
			if err := c.set(c.key("k"), "value", time.Hour); err != nil {
				return err
			}
			if err := c.breakDown(); err != nil {
				return err
			}
			for range 3 {
				if err := c.rawClear(c.ctx, clearer); err == nil {
					return fmt.Errorf("Clear() while the backend is down = nil; want an error")
				}
			}
			return nil
		}),
		check("clear-works-after-an-outage", partial, cacheClearAgain),
	)
	clearsAll := []string{"Clearer/clear-removes-all-entries"}
	return slices.Concat(basis(clearsAll, content), basis(clearsAll, shared), contexts, hanging, basis(clearsAll, breaking))
}

func (c *cacheCase) rawClear(ctx context.Context, clearer verifier.Clearer) error {
	defer c.env.begin("Clear")()
	return clearer.Clear(ctx)
}

func (c *cacheCase) clear(clearer verifier.Clearer) error {
	if err := c.rawClear(c.ctx, clearer); err != nil {
		return fmt.Errorf("Clear() = %w; want nil", err)
	}
	return nil
}

// manyKeys are more than any backend lists at a time; fewKeys will do for one
// that takes milliseconds for each.
const manyKeys, fewKeys = 5_300, 1_300

// cacheClears writes entries, side by side as there are many.
func cacheClears(c *cacheCase, clearer verifier.Clearer, n int) error {
	const workers = 10
	each := func(n int, f func(key string) error) error {
		return together(workers, func(worker int) error {
			for i := worker; i < n; i += workers {
				if err := f(c.key(fmt.Sprint(i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	write := func(key string) error { return c.set(key, "value", time.Hour) }
	if err := each(min(n, 50), write); err != nil {
		return err
	}
	if c.env.latency() > 4*time.Millisecond {
		n = min(n, fewKeys)
	}
	if err := each(n, write); err != nil {
		return err
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	return each(n, func(key string) error { return c.unseen(key, fmt.Sprintf("after Clear of %d entries", n)) })
}

// cacheClearsNothing clears what was never written, and what was removed.
func cacheClearsNothing(c *cacheCase, clearer verifier.Clearer) error {
	if err := c.clear(clearer); err != nil {
		return err
	}
	if err := c.set(c.key("k"), "value", time.Hour); err != nil {
		return err
	}
	for range 2 {
		if err := c.clear(clearer); err != nil {
			return err
		}
	}
	return nil
}

func cacheClearsHostile(c *cacheCase, clearer verifier.Clearer) error {
	names := append(hostileKeys(), strings.Repeat("l", 5000), strings.Repeat("m", 40_000))
	for _, name := range names {
		if err := c.set(c.key(name), "value", time.Hour); err != nil {
			return err
		}
	}
	if err := c.set("k", "value", time.Hour); err != nil { // without the check's own prefix
		return err
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	for _, name := range names {
		if err := c.unseen(c.key(name), "after Clear"); err != nil {
			return err
		}
	}
	return c.unseen("k", "after Clear")
}

func cacheClearsSizes(c *cacheCase, clearer verifier.Clearer) error {
	sizes := append([]int{0}, sliceSizes()...)
	for _, n := range sizes {
		if err := c.set(c.key(fmt.Sprint(n)), string(randomBytes(n)), time.Hour); err != nil {
			return err
		}
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	for _, n := range sizes {
		if err := c.unseen(c.key(fmt.Sprint(n)), fmt.Sprintf("of %d bytes after Clear", n)); err != nil {
			return err
		}
	}
	return nil
}

func cacheClearThenSet(c *cacheCase, clearer verifier.Clearer) error {
	for range 3 {
		if err := c.stored(c.key("k"), "before", time.Hour); err != nil {
			return err
		}
		if err := c.clear(clearer); err != nil {
			return err
		}
		if err := c.stored(c.key("k"), "after", time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// cacheClearLater finds a Clear that goes on when it has returned.
func cacheClearLater(c *cacheCase, clearer verifier.Clearer) error {
	const rounds, enough = 8, 3 // some may be evicted
	found := 0
	for try := 0; try < rounds && found < enough; try++ {
		for i := range 100 {
			if err := c.set(c.key(fmt.Sprint(i)), "value", time.Hour); err != nil {
				return err
			}
		}
		if err := c.clear(clearer); err != nil {
			return err
		}
		key := c.key(fmt.Sprint("after-", try))
		if err := c.set(key, "after", time.Hour); err != nil {
			return err
		}
		time.Sleep(60 * time.Millisecond)
		lost, err := c.holds(key, "after")
		if err != nil {
			return err
		}
		if !lost {
			found++
		}
	}
	if found < enough {
		return fmt.Errorf("Get 60ms after Clear and Set found the entry in %d of %d rounds; want it to stay, as Clear has returned before", found, rounds)
	}
	return nil
}

// cacheSpares clears a cache and looks at one of another namespace.
func cacheSpares(c *cacheCase, clearer verifier.Clearer, namespace string) error {
	other, err := c.again(c.env.named(namespace))
	if err != nil {
		return skip("New refuses the namespace %q: %v", namespace, err)
	}
	return c.spares(clearer, other, c.key("theirs-"))
}

// spares clears c and wants a key of another cache to stay.
func (c *cacheCase) spares(clearer verifier.Clearer, other *cacheCase, stem string) error {
	return c.attempt("Get from another cache after Clear (did New use env.Namespace?)", func(try int) (bool, error) {
		own, theirs := c.key(fmt.Sprint("own-", try)), fmt.Sprint(stem, try)
		if err := c.set(own, "value", time.Hour); err != nil {
			return false, err
		}
		if err := other.stored(theirs, "value", time.Hour); err != nil {
			return false, err
		}
		if err := c.clear(clearer); err != nil {
			return false, err
		}
		return other.holds(theirs, "value")
	})
}

// cacheSparesNeighbours are namespaces that begin or end alike.
func cacheSparesNeighbours(c *cacheCase, clearer verifier.Clearer) error {
	own := c.env.Namespace
	tried := 0
	for _, other := range []string{
		own + "x", own + "-2", own + "0", own[:len(own)-1], "x" + own, "x-" + own, own[1:],
		own[:len(own)-1] + "z", "z" + own[1:], strings.ToUpper(own), strings.ToUpper(own[:1]) + own[1:],
		strings.Replace(own, "-", "x", 1), own + "-" + own, own + ".", own + "_",
	} {
		err := cacheSpares(c, clearer, other)
		if _, refused := err.(*SkipError); refused {
			continue
		}
		if err != nil {
			return fmt.Errorf("namespace %q beside %q: %w", other, own, err)
		}
		tried++
	}
	if tried == 0 {
		return skip("New refuses all namespaces that are like another one")
	}
	return nil
}

// cacheSparesContained gives another cache keys that hold this one's namespace.
func cacheSparesContained(c *cacheCase, clearer verifier.Clearer) error {
	other, err := c.again(c.env.named("conformance-" + randomHex(8)))
	if err != nil {
		return err
	}
	own := c.env.Namespace
	for _, stem := range []string{own + ":", own + "/", own, "a:" + own + ":", "/" + own + "/", ":" + own + ":" + c.env.prefix} {
		if err := c.spares(clearer, other, stem); err != nil {
			return fmt.Errorf("key %q of another cache: %w", stem, err)
		}
	}
	return nil
}

// patternNamespaces have characters that pattern languages give a meaning, each
// with a namespace that the pattern fits.
func patternNamespaces() [][2]string {
	stem := "conformance-" + randomHex(8)
	return [][2]string{
		{stem + "*", stem + "x"}, {stem + "?", stem + "x"}, {stem + "[a-z]", stem + "x"}, {stem + "%", stem + "xy"}, {stem + "_", stem + "x"},
		{stem + ".", stem + "x"}, {stem + ".*", stem + "xyz"}, {stem + "a+", stem + "aaa"}, {"^" + stem, stem}, {stem + "$", stem}, {stem + "|x", stem},
		{stem + "a{2}", stem + "aa"}, {stem + "{a,b}", stem + "a"}, {stem + "(a)", stem + "a"}, {stem + `\*`, stem + "*"}, {stem + `\a`, stem + "a"}, {stem + ">", stem + ".x"},
	}
}

// cacheLiteralPrefix clears a cache of which the namespace is a pattern that
// fits the other one.
func cacheLiteralPrefix(c *cacheCase, _ verifier.Clearer) error {
	return c.underPatterns(func(wild *cacheCase, clearer verifier.Clearer, fits string) error {
		return cacheSpares(wild, clearer, fits)
	})
}

// underPatterns gives out caches under namespaces that are patterns.
func (c *cacheCase) underPatterns(run func(wild *cacheCase, clearer verifier.Clearer, fits string) error) error {
	tried := 0
	for _, pair := range patternNamespaces() {
		wild, err := c.again(c.env.named(pair[0]))
		if err != nil {
			continue // a prefix that is refused does no harm
		}
		clearer, ok := wild.cache.(verifier.Clearer)
		if !ok {
			return errNoClear
		}
		err = run(wild, clearer, pair[1])
		if _, refused := err.(*SkipError); refused {
			continue
		}
		if err != nil {
			return fmt.Errorf("prefix %q: %w", pair[0], err)
		}
		tried++
	}
	if tried == 0 {
		return skip("New refuses all namespaces that are like a pattern")
	}
	return nil
}

func cacheClearsPattern(c *cacheCase, _ verifier.Clearer) error {
	return c.underPatterns(func(wild *cacheCase, clearer verifier.Clearer, _ string) error {
		return cacheClears(wild, clearer, 12)
	})
}

func cacheSparesRecords(c *cacheCase, clearer verifier.Clearer) error {
	store, ok := c.cache.(verifier.ReplayStore)
	if !ok {
		if c.h.ReplayStore == nil {
			return skip("the harness has no ReplayStore on the same server")
		}
		var err error
		if store, err = c.h.ReplayStore(c.env); err != nil {
			return fmt.Errorf("the harness's ReplayStore = %w; want a store", err)
		}
	}
	keys := []string{c.key("record"), "record", c.key("proof.key"), c.key("a record with spaces"), c.key(strings.Repeat("r", 300)), c.env.Namespace + ":record"}
	for _, key := range keys {
		if added, err := store.Add(c.ctx, key, time.Hour); !added || err != nil {
			return fmt.Errorf("Add(%s) = %v, %v; want true, nil", show(key), added, err)
		}
		if err := c.set(key, "value", time.Hour); err != nil {
			return err
		}
	}
	for range 2 {
		if err := c.clear(clearer); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if added, err := store.Add(c.ctx, key, time.Hour); added || err != nil {
			return fmt.Errorf("Add(%s) again after Clear of the cache = %v, %v; want false, nil", show(key), added, err)
		}
	}
	return nil
}

// cacheClearBeside clears while others write.
func cacheClearBeside(c *cacheCase, clearer verifier.Clearer) error {
	err := together(9, func(worker int) error {
		for round := range 12 {
			if worker == 0 {
				if err := c.clear(clearer); err != nil {
					return fmt.Errorf("beside 8 writers: %w", err)
				}
				continue
			}
			key, value := c.key(fmt.Sprint(worker, "-", round)), fmt.Sprint("value ", worker, round)
			if err := c.set(key, value, time.Hour); err != nil {
				return fmt.Errorf("beside Clear: %w", err)
			}
			if _, err := c.holds(key, value); err != nil {
				return fmt.Errorf("beside Clear: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.stored(c.key("last"), "value", time.Hour)
}

// cacheClearSeen has two caches of one namespace: the first one clears.
func cacheClearSeen(c *cacheCase, clearer verifier.Clearer, writtenByPeer bool) error {
	peer, err := c.peer()
	if err != nil {
		return err
	}
	writer := c
	if writtenByPeer {
		writer = peer
	}
	names := append(hostileKeys(), "plain")
	for _, name := range names {
		if err := writer.set(c.key(name), "value", time.Hour); err != nil {
			return err
		}
		_, _, _ = peer.get(c.ctx, c.key(name)) // it may keep what it found
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	for _, name := range names {
		err := c.eventually(func() error {
			if err := peer.unseen(c.key(name), "by a second cache, after Clear by the first"); err != nil {
				return err
			}
			return c.unseen(c.key(name), "after Clear")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheClearAgain clears after a Clear that failed.
func cacheClearAgain(c *cacheCase, clearer verifier.Clearer) error {
	const n = 60
	for i := range n {
		if err := c.set(c.key(fmt.Sprint(i)), "value", time.Hour); err != nil {
			return err
		}
	}
	undo, err := c.outage()
	if err != nil {
		return err
	}
	_ = c.rawClear(c.ctx, clearer)
	undo()
	err = recovers(c.pace, func(int) error { return c.clear(clearer) }, func() error { return nil })
	if err != nil {
		return err
	}
	for i := range n {
		if err := c.unseen(c.key(fmt.Sprint(i)), "after a Clear that failed and one that did not"); err != nil {
			return err
		}
	}
	return c.stored(c.key("k"), "value", time.Hour)
}
