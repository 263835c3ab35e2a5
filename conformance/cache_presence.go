package conformance

import (
	"fmt"
	"time"
)

func cachePresence() []Check[CacheHarness] {
	return []Check[CacheHarness]{
		cacheCheck("get-finds-what-was-set", "Get returns the value stored under key and ok == true, or ok == false when there is none.",
			cacheFinds),
		cacheCheck("absent-key-is-a-miss", "A miss is ok == false and err == nil, with a nil value.",
			func(c *cacheCase) error { return c.missing(c.key("absent"), "of an absent key") }),
		cacheCheck("miss-has-a-nil-value", "A miss is ok == false and err == nil, with a nil value.", cacheMissIsNil),
		cacheCheck("empty-value-is-a-value", "An empty value is a value, not a miss", cacheEmptyValue),
		cacheCheck("set-replaces-the-value", "Set replaces both value and ttl.", cacheReplaceValue),
		cacheCheck("delete-removes", "Delete removes key.", func(c *cacheCase) error {
			if err := c.stored(c.key("k"), "value", time.Hour); err != nil {
				return err
			}
			if err := c.delete(c.key("k")); err != nil {
				return err
			}
			return c.missing(c.key("k"), "after Delete")
		}),
		cacheCheck("delete-of-an-absent-key-is-nil", "Delete of an absent key is nil.", func(c *cacheCase) error {
			return c.delete(c.key("absent"))
		}),
		cacheCheck("delete-spares-other-keys", "Delete removes key.", cacheDeleteOne),
		cacheCheck("set-works-after-delete", "Set stores value under key for ttl, replacing what was there.", func(c *cacheCase) error {
			k := c.key("k")
			if err := c.stored(k, "before", time.Hour); err != nil {
				return err
			}
			if err := c.delete(k); err != nil {
				return err
			}
			return c.stored(k, "after", time.Hour)
		}),
		cacheCheck("entries-are-shared", "Get returns the value stored under key and ok == true, or ok == false when there is none.", cachePeer),
		cacheCheck("concurrent-calls", "All methods are safe for concurrent use.", cacheConcurrent),
	}
}

// cacheFinds writes enough to meet the end of small tables and rings.
func cacheFinds(c *cacheCase) error {
	const n = 1000
	value := func(i int) string { return fmt.Sprint("value ", i) }
	for i := range n {
		if err := c.set(c.key(fmt.Sprint(i)), value(i), time.Hour); err != nil {
			return err
		}
	}
	for i := range n {
		if _, err := c.holds(c.key(fmt.Sprint(i)), value(i)); err != nil {
			return err
		}
	}
	return c.stored(c.key("k"), "value", time.Hour)
}

func cacheMissIsNil(c *cacheCase) error {
	value, ok, err := c.get(c.ctx, c.key("absent"))
	if ok || err != nil {
		return skip("the key was no miss, which is another check's finding")
	}
	if value != nil {
		return fmt.Errorf("Get() of an absent key = %s; want a nil value", answer(value, ok, err))
	}
	return nil
}

func cacheEmptyValue(c *cacheCase) error {
	for name, value := range map[string][]byte{"[]byte{}": {}, "nil": nil} {
		key := c.key(name)
		err := c.attempt("Get after Set of "+name, func(int) (bool, error) {
			if err := c.rawSet(c.ctx, key, value, time.Hour); err != nil {
				return false, fmt.Errorf("Set(%s, %s, 1h) = %w; want nil", show(key), name, err)
			}
			return c.holds(key, "")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func cacheReplaceValue(c *cacheCase) error {
	if err := c.stored(c.key("k"), "first, which is longer", time.Hour); err != nil {
		return err
	}
	if err := c.stored(c.key("k"), "second", time.Hour); err != nil {
		return err
	}
	return c.stored(c.key("k"), "third, which is longer again", time.Hour)
}

// cacheDeleteOne deletes keys that others could be taken for: as a prefix or a
// pattern.
func cacheDeleteOne(c *cacheCase) error {
	for _, pair := range [][2]string{{"a", "b"}, {"a", "a:b"}, {"a", "a/b"}, {"a*", "ab"}, {"a?", "ac"}} {
		err := c.attempt("Get of a key after Delete of another", func(try int) (bool, error) {
			deleted, kept := c.key(fmt.Sprint(try, pair[0])), c.key(fmt.Sprint(try, pair[1]))
			for _, key := range []string{deleted, kept} {
				if err := c.set(key, "value", time.Hour); err != nil {
					return false, err
				}
			}
			if lost, err := c.holds(kept, "value"); lost || err != nil {
				return lost, err
			}
			if err := c.delete(deleted); err != nil {
				return false, err
			}
			return c.holds(kept, "value")
		})
		if err != nil {
			return fmt.Errorf("keys %q and %q: %w", pair[0], pair[1], err)
		}
	}
	return nil
}

// cachePeer finds hashes that are seeded by process, among others.
func cachePeer(c *cacheCase) error {
	if !c.h.Shared {
		return skip("the harness does not say Shared: entries are of one process")
	}
	peer, err := newCacheCase(c.env, c.h)
	if err != nil {
		return err
	}
	for _, name := range append(hostileKeys(), "plain") {
		key := c.key(name)
		err := c.attempt("Get("+show(key)+") by a second cache over the same backend", func(int) (bool, error) {
			if err := c.set(key, "value", time.Hour); err != nil {
				return false, err
			}
			return peer.holds(key, "value")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheConcurrent mixes calls on keys of one goroutine and on a key of all.
func cacheConcurrent(c *cacheCase) error {
	const workers, rounds = 16, 12
	shared := c.key("shared")
	var written []string
	for i := range workers {
		written = append(written, fmt.Sprintf("written by %02d", i))
	}
	return together(workers, func(i int) error {
		own := c.key(fmt.Sprint("own-", i))
		for round := range rounds {
			value := fmt.Sprintf("%02d in round %02d", i, round)
			if err := c.set(own, value, time.Hour); err != nil {
				return err
			}
			if _, err := c.holds(own, value); err != nil {
				return fmt.Errorf("own key of a goroutine: %w", err)
			}
			if err := c.set(shared, written[i], time.Hour); err != nil {
				return err
			}
			if _, err := c.holds(shared, written...); err != nil {
				return fmt.Errorf("key of all goroutines: %w", err)
			}
			if round%5 != i%5 {
				continue
			}
			if err := c.delete(own); err != nil {
				return err
			}
		}
		return nil
	})
}
