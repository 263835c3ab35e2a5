package conformance

import (
	"fmt"
	"strings"
	"time"
)

func cachePresence() []Check[CacheHarness] {
	const (
		finds  = "Get returns the value stored under key and ok == true, or ok == false when there is none."
		miss   = "A miss is ok == false and err == nil, with a nil value."
		remove = "Delete removes key."
		stores = "Set stores value under key for ttl, replacing what was there."
		reads  = "A cache reads its own writes: a Get that begins after a Set or Delete has returned nil sees it, or what came later."
	)
	return []Check[CacheHarness]{
		cacheCheck("get-finds-what-was-set", finds, func(c *cacheCase) error {
			for i := range 5 {
				if err := c.stored(c.key(fmt.Sprint("k", i)), fmt.Sprint("value ", i), time.Hour); err != nil {
					return err
				}
			}
			return nil
		}),
		cacheCheck("many-keys-have-values-of-their-own", finds, cacheFinds),
		cacheCheck("absent-key-is-a-miss", miss,
			func(c *cacheCase) error { return c.missing(c.key("absent"), "of an absent key") }),
		cacheCheck("miss-has-a-nil-value", miss, cacheMissIsNil),
		cacheCheck("empty-value-is-a-value", "An empty value is a value, not a miss", cacheEmptyValue),
		cacheCheck("empty-value-replaces-and-is-replaced", "An empty value is a value, not a miss", cacheEmptyOver),
		cacheCheck("set-replaces-the-value", "Set replaces both value and ttl.", cacheReplaceValue),
		cacheCheck("delete-removes", remove, func(c *cacheCase) error {
			if err := c.stored(c.key("k"), "value", time.Hour); err != nil {
				return err
			}
			if err := c.delete(c.key("k")); err != nil {
				return err
			}
			return c.missing(c.key("k"), "after Delete")
		}),
		cacheCheck("delete-removes-entries-of-any-kind", remove, cacheDeleteKinds),
		cacheCheck("delete-of-an-absent-key-is-nil", "Delete of an absent key is nil.", cacheDeleteAbsent),
		cacheCheck("delete-spares-other-keys", remove, cacheDeleteOne),
		cacheCheck("set-works-after-delete", stores, func(c *cacheCase) error {
			k := c.key("k")
			if err := c.stored(k, "before", time.Hour); err != nil {
				return err
			}
			if err := c.delete(k); err != nil {
				return err
			}
			return c.stored(k, "after", time.Hour)
		}),
		cacheCheck("writes-are-read-in-their-order", reads, cacheOrder),
		cacheCheck("writes-do-not-land-later", reads, cacheLate),
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

// cacheMissIsNil looks at misses of several reasons.
func cacheMissIsNil(c *cacheCase) error {
	for what, prepare := range map[string]func(key string) error{
		"an absent key":              func(string) error { return nil },
		"a deleted key":              func(key string) error { return c.delete(key) },
		"a key set with a ttl of 0":  func(key string) error { return c.set(key, "value", 0) },
		"a key set with a ttl of -1": func(key string) error { return c.set(key, "value", -1) },
	} {
		key := c.key(what)
		if what != "an absent key" {
			if err := c.set(key, "value", time.Hour); err != nil {
				return err
			}
			if err := prepare(key); err != nil {
				return doubt(skip("the key could not be removed, which is another check's finding"))
			}
		}
		value, ok, err := c.get(c.ctx, key)
		if !ok && err == nil && value != nil {
			return fmt.Errorf("Get() of %s = %s; want a nil value", what, answer(value, ok, err))
		}
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

// cacheEmptyOver puts empty values over others, and others over empty ones.
func cacheEmptyOver(c *cacheCase) error {
	for i, values := range [][]string{{"a value", ""}, {"", "a value"}, {"", ""}, {strings.Repeat("v", 100_000), ""}} {
		key := c.key(fmt.Sprint(i))
		for _, value := range values {
			if err := c.stored(key, value, time.Hour); err != nil {
				return err
			}
		}
	}
	return nil
}

func cacheReplaceValue(c *cacheCase) error {
	for _, value := range []string{"first, which is longer", "second", "third, which is longer again", "SECOND", "second"} {
		if err := c.stored(c.key("k"), value, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// cacheDeleteKinds deletes what an adapter may store in another way.
func cacheDeleteKinds(c *cacheCase) error {
	for i, e := range kindsOfEntries() {
		key := c.key(fmt.Sprint(i) + e.key)
		if err := c.stored(key, e.value, time.Hour); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if err := c.delete(key); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if err := c.unseen(key, "of "+e.name+" after Delete"); err != nil {
			return err
		}
	}
	return nil
}

// kind is an entry that an adapter may store in a way of its own.
type kind struct{ name, key, value string }

func kindsOfEntries() []kind {
	return []kind{
		{"an empty value", "k", ""},
		{"a value of 100 KiB", "k", strings.Repeat("v", 100<<10)},
		{"a value of 512 KiB", "k", strings.Repeat("v", maxValue)},
		{"a key of 300 bytes", strings.Repeat("k", 300), "value"},
		{"a key of 5,000 bytes", strings.Repeat("k", 5000), "value"},
		{"a key with spaces", "a key with spaces", "value"},
		{"a key with control characters", "a\r\nb\x00", "value"},
	}
}

// cacheDeleteAbsent deletes what was never there, and twice what was.
func cacheDeleteAbsent(c *cacheCase) error {
	if err := c.delete(c.key("absent")); err != nil {
		return err
	}
	if err := c.set(c.key("k"), "value", time.Hour); err != nil {
		return err
	}
	for range 2 {
		if err := c.delete(c.key("k")); err != nil {
			return err
		}
	}
	return nil
}

// cacheDeleteOne deletes keys that others could be taken for: as a prefix, a
// pattern, or but for the case.
func cacheDeleteOne(c *cacheCase) error {
	for _, pair := range append(caseKeys(), [][2]string{
		{"a", "b"}, {"a", "a:b"}, {"a", "a/b"}, {"a*", "ab"}, {"a?", "ac"}, {"a%", "ab"}, {"a_", "ab"}, {"a.", "ab"}, {"a.*", "abc"}, {"[ab]", "a"}, {"a:b", "a"}, {"^a", "a"}, {"a|b", "b"}, {"", "a"},
	}...) {
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

// cacheOrder finds writes that are on their way when the next one is made.
func cacheOrder(c *cacheCase) error {
	const rounds = 60
	key, seen := c.key("k"), 0
	for i := range rounds {
		value := fmt.Sprint("value ", i)
		if err := c.set(key, "an earlier value", time.Hour); err != nil {
			return err
		}
		if err := c.set(key, value, time.Hour); err != nil {
			return err
		}
		lost, err := c.holds(key, value)
		if err != nil {
			return fmt.Errorf("after two Sets: %w", err)
		}
		if !lost {
			seen++
		}
		if i%3 != 0 {
			continue
		}
		if err := c.delete(key); err != nil {
			return err
		}
		if err := c.unseen(key, "right after Delete"); err != nil {
			return err
		}
		if err := c.set(key, value, time.Hour); err != nil {
			return err
		}
		if lost, err = c.holds(key, value); err != nil {
			return fmt.Errorf("after Delete and Set: %w", err)
		}
		if lost {
			seen--
		}
	}
	if seen < rounds/3 {
		return fmt.Errorf("Get right after Set found its value in %d of %d rounds at most; want it found, but for evictions", max(seen, 0), rounds)
	}
	return nil
}

// cacheLate waits for writes that a buffer holds back, or does twice.
func cacheLate(c *cacheCase) error {
	key, gone := c.key("k"), c.key("gone")
	for i := range 20 {
		for k, value := range map[string]string{key: fmt.Sprint("value ", i), gone: "value"} {
			if err := c.set(k, value, time.Hour); err != nil {
				return err
			}
		}
	}
	if err := c.delete(gone); err != nil {
		return err
	}
	if err := c.set(key, "the last value", time.Hour); err != nil {
		return err
	}
	time.Sleep(40 * time.Millisecond)
	if _, err := c.holds(key, "the last value"); err != nil {
		return fmt.Errorf("40ms after the last of many Sets: %w", err)
	}
	return c.unseen(gone, "40ms after Delete")
}
