package conformance

import (
	"fmt"
	"strings"
	"time"
)

func cacheKeys() []Check[CacheHarness] {
	const (
		anyKey = "Any non-empty UTF-8 key of up to 64 KiB works, spaces and control characters included."
		bytes  = "Keys are compared byte by byte."
		hashes = "An implementation hashes what its backend refuses, without collisions between a raw key and a hashed one."
	)
	works := func(keys []string) func(*cacheCase) error {
		return func(c *cacheCase) error { return cacheKeysWork(c, keys) }
	}
	differ := func(pairs [][2]string) func(*cacheCase) error {
		return func(c *cacheCase) error { return cacheKeysDiffer(c, pairs) }
	}
	return []Check[CacheHarness]{
		cacheCheck("keys-with-spaces", anyKey, works(spaceKeys())),
		cacheCheck("keys-with-control-characters", anyKey, works(controlKeys())),
		cacheCheck("keys-beyond-ascii", anyKey, works(unicodeKeys())),
		cacheCheck("keys-like-patterns-and-paths", anyKey, works(patternKeys())),
		cacheCheck("keys-of-one-byte", anyKey, cacheShortKeys),
		cacheCheck("keys-up-to-64-kib", anyKey, func(c *cacheCase) error {
			var keys []string
			for _, n := range keyLengths() {
				keys = append(keys, strings.Repeat("k", n-len(c.env.prefix)))
			}
			return cacheKeysWork(c, keys)
		}),
		cacheCheck("keys-that-differ-by-case", bytes, differ(caseKeys())),
		cacheCheck("keys-that-differ-by-spaces", bytes, differ(blankKeys())),
		cacheCheck("keys-that-differ-by-unicode-form", bytes, differ(unicodeForms())),
		cacheCheck("keys-that-differ-after-nul", bytes, differ(nulKeys())),
		cacheCheck("keys-that-differ-by-escaping", bytes, differ(escapeKeys())),
		cacheCheck("long-keys-that-differ", bytes, differ(longKeys())),
		cacheCheck("keys-of-equal-weak-hashes-differ", bytes, cacheWeakHashes),
		cacheCheck("keys-of-equal-beginnings-or-ends-differ", bytes, differ(splitKeys())),
		cacheCheck("stored-keys-are-keys-like-others", hashes, cacheStoredKeys),
		cacheCheck("hashed-keys-do-not-collide", hashes, cacheHashedKeys),
	}
}

// cacheKeysWork takes each key through all methods.
func cacheKeysWork(c *cacheCase, names []string) error {
	for i, name := range names {
		key, value := c.key(name), fmt.Sprint("value ", i)
		if err := c.stored(key, value, time.Hour); err != nil {
			return err
		}
		if err := c.delete(key); err != nil {
			return err
		}
		if err := c.unseen(key, "after Delete"); err != nil {
			return err
		}
	}
	return nil
}

// cacheKeysDiffer wants neither key of a pair to stand for the other, in either
// order. The two need not be there at once.
func cacheKeysDiffer(c *cacheCase, pairs [][2]string) error {
	for i, pair := range pairs {
		for j := range 2 {
			base := fmt.Sprintf("%d.%d.", i, j)
			first, second := c.key(base+pair[j]), c.key(base+pair[1-j])
			if err := c.stored(first, "first", time.Hour); err != nil {
				return err
			}
			if err := c.unseen(second, "after Set of "+show(first)); err != nil {
				return err
			}
			if err := c.stored(second, "second", time.Hour); err != nil {
				return err
			}
			if _, err := c.holds(first, "first"); err != nil {
				return err
			}
		}
	}
	return nil
}

// cacheHashedKeys asks for the hash of a key that backends refuse.
func cacheHashedKeys(c *cacheCase) error {
	for _, name := range []string{strings.Repeat("k", 300), "a b\n", strings.Repeat("k", 40<<10)} {
		key := c.key(name)
		if err := c.stored(key, "value", time.Hour); err != nil {
			return err
		}
		for _, input := range []string{key, c.env.Namespace + key, c.env.Namespace + ":" + key} {
			for _, hash := range hashesOf(input) {
				if err := c.unseen(hash, "after Set of "+show(key)+", of which it is the hash"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// keyLengths are those at which backends stop.
func keyLengths() []int {
	var lengths []int
	for _, n := range []int{128, 250, 256, 512, 1 << 10, 1500, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10} {
		lengths = append(lengths, n-1, n, n+1)
	}
	return append(lengths, maxKey-1, maxKey)
}

// cacheShortKeys has keys without the check's own prefix.
func cacheShortKeys(c *cacheCase) error {
	for _, key := range []string{"a", "0", " ", "*", ":", "/", ".", "\x00", "\n", "-", "%"} {
		if err := c.stored(key, "value of "+key, time.Hour); err != nil {
			return err
		}
		if err := c.delete(key); err != nil {
			return err
		}
		if err := c.unseen(key, "after Delete"); err != nil {
			return err
		}
	}
	return nil
}

func cacheWeakHashes(c *cacheCase) error {
	for _, pair := range collisions(c.env.prefix) {
		for j := range 2 {
			first, second := pair[j], pair[1-j]
			if err := c.stored(first, "first", time.Hour); err != nil {
				return err
			}
			if err := c.unseen(second, "after Set of "+show(first)+", which has the same weak hash"); err != nil {
				return err
			}
			if err := c.delete(first); err != nil {
				return err
			}
		}
	}
	return nil
}

// cacheStoredKeys uses what the backend calls a key as a key.
func cacheStoredKeys(c *cacheCase) error {
	if c.h.StoredKey == nil {
		return skip("the harness has no StoredKey: the suite knows common hashes alone")
	}
	for _, name := range append(hostileKeys(), strings.Repeat("k", 5000), "plain") {
		key := c.key(name)
		stored := c.h.StoredKey(c.cache, key)
		if stored == key || stored == "" {
			continue
		}
		if err := c.stored(key, "value", time.Hour); err != nil {
			return err
		}
		if err := c.unseen(stored, "after Set of "+show(key)+", which is stored under it"); err != nil {
			return err
		}
		if err := c.stored(stored, "other", time.Hour); err != nil {
			return err
		}
		if _, err := c.holds(key, "value"); err != nil {
			return fmt.Errorf("after Set of the key that it is stored under: %w", err)
		}
	}
	return nil
}
