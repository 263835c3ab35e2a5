package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func cacheClear() []Check[CacheHarness] {
	const (
		clears = "Clear removes what this cache wrote (all keys under its prefix) and nothing else: never a whole shared server, and never the records of a [ReplayStore] on the same server."
		done   = "when ctx is done, every method returns promptly with an error that matches ctx.Err() under errors.Is, even if the backend hangs."
		down   = "A backend that cannot answer is an error, never a miss."
	)
	check := func(name, rule string, run func(*cacheCase, verifier.Clearer) error) Check[CacheHarness] {
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
	return []Check[CacheHarness]{
		check("clear-removes-all-entries", clears, cacheClears),
		check("clear-of-an-empty-cache-is-nil", clears, func(c *cacheCase, clearer verifier.Clearer) error { return c.clear(clearer) }),
		check("clear-removes-hashed-keys", clears, cacheClearsHostile),
		check("set-works-after-clear", clears, func(c *cacheCase, clearer verifier.Clearer) error {
			if err := c.stored(c.key("k"), "before", time.Hour); err != nil {
				return err
			}
			if err := c.clear(clearer); err != nil {
				return err
			}
			return c.stored(c.key("k"), "after", time.Hour)
		}),
		check("clear-spares-other-caches", clears, func(c *cacheCase, clearer verifier.Clearer) error {
			return cacheSpares(c, clearer, "conformance-"+randomHex(8))
		}),
		check("clear-takes-its-prefix-literally", clears, cacheLiteralPrefix),
		check("clear-spares-replay-records", clears, cacheSparesRecords),
		check("clear-with-a-done-context", done, func(c *cacheCase, clearer verifier.Clearer) error {
			for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
				if err := d.refusal("Clear", c.rawClear(d.ctx, clearer)); err != nil {
					return err
				}
			}
			return nil
		}),
		check("clear-of-a-hanging-backend", done, func(c *cacheCase, clearer verifier.Clearer) error {
			if err := c.hang(); err != nil {
				return err
			}
			return promptly(c.env, "Clear", func(ctx context.Context) error { return c.rawClear(ctx, clearer) })
		}),
		check("clear-of-a-backend-that-is-down", down, func(c *cacheCase, clearer verifier.Clearer) error {
			if err := c.breakDown(); err != nil {
				return err
			}
			if err := c.rawClear(c.ctx, clearer); err == nil {
				return fmt.Errorf("Clear() while the backend is down = nil; want an error")
			}
			return nil
		}),
	}
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

// cacheClears writes more entries than a backend lists at a time.
func cacheClears(c *cacheCase, clearer verifier.Clearer) error {
	const n = 1200
	for i := range n {
		if err := c.set(c.key(fmt.Sprint(i)), "value", time.Hour); err != nil {
			return err
		}
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	for i := range n {
		if err := c.unseen(c.key(fmt.Sprint(i)), "after Clear"); err != nil {
			return err
		}
	}
	return nil
}

func cacheClearsHostile(c *cacheCase, clearer verifier.Clearer) error {
	for _, name := range hostileKeys() {
		if err := c.set(c.key(name), "value", time.Hour); err != nil {
			return err
		}
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	for _, name := range hostileKeys() {
		if err := c.unseen(c.key(name), "after Clear"); err != nil {
			return err
		}
	}
	return nil
}

// cacheSpares clears a cache and looks at one of another namespace.
func cacheSpares(c *cacheCase, clearer verifier.Clearer, namespace string) error {
	other, err := newCacheCase(c.env.named(namespace), c.h)
	if err != nil {
		return err
	}
	return c.attempt("Get from another cache after Clear (did New use env.Namespace?)", func(try int) (bool, error) {
		own, theirs := c.key(fmt.Sprint("own-", try)), c.key(fmt.Sprint("theirs-", try))
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

// cacheLiteralPrefix clears a cache of which the namespace is a pattern that
// fits the other one.
func cacheLiteralPrefix(c *cacheCase, _ verifier.Clearer) error {
	stem := "conformance-" + randomHex(8)
	for _, pattern := range []string{"*", "?", "[a-z]"} {
		wild, err := newCacheCase(c.env.named(stem+pattern), c.h)
		if err != nil {
			return skip("New refuses a namespace with %q in it: %v", pattern, err)
		}
		clearer, ok := wild.cache.(verifier.Clearer)
		if !ok {
			return fmt.Errorf("New() returned a cache without Clear, and one with it before; want one type")
		}
		if err := cacheSpares(wild, clearer, stem+"x"); err != nil {
			return fmt.Errorf("prefix with %q in it: %w", pattern, err)
		}
	}
	return nil
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
	key := c.key("record")
	if added, err := store.Add(c.ctx, key, time.Hour); !added || err != nil {
		return fmt.Errorf("Add(%s) = %v, %v; want true, nil", show(key), added, err)
	}
	if err := c.set(key, "value", time.Hour); err != nil {
		return err
	}
	if err := c.clear(clearer); err != nil {
		return err
	}
	if added, err := store.Add(c.ctx, key, time.Hour); added || err != nil {
		return fmt.Errorf("Add(%s) again after Clear of the cache = %v, %v; want false, nil", show(key), added, err)
	}
	return nil
}
