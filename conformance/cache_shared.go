package conformance

import (
	"fmt"
	"time"
)

func cacheShared() []Check[CacheHarness] {
	const (
		finds = "Get returns the value stored under key and ok == true, or ok == false when there is none."
		late  = "Another cache over the same backend sees the write no later than the backend's replicas do, and never a value beyond its ttl."
	)
	return group(groupShared,
		cacheCheck("entries-are-shared", finds, cachePeer),
		cacheCheck("peers-see-writes", late, func(c *cacheCase) error {
			return cachePeerSees(c, "Set of another value", func(key string) error { return c.set(key, "new", time.Hour) }, "new")
		}),
		cacheCheck("peers-see-deletes", late, func(c *cacheCase) error {
			return cachePeerSees(c, "Delete", c.delete)
		}),
		cacheCheck("peers-see-a-ttl-of-zero", late, func(c *cacheCase) error {
			return cachePeerSees(c, "Set with a ttl of 0", func(key string) error { return c.set(key, "new", 0) })
		}),
		waiting(cacheCheck("peers-see-the-end-of-a-ttl", late, cachePeerEnds)),
	)
}

// peer is a second cache over the same backend.
func (c *cacheCase) peer() (*cacheCase, error) {
	if !c.h.Shared {
		return nil, skip("the harness does not say Shared: entries are of one process")
	}
	return c.again(c.env)
}

// eventually asks f again for as long as replicas may lag.
func (c *cacheCase) eventually(f func() error) error {
	if c.advance != nil {
		err := f()
		if err != nil && c.h.Lag > 0 {
			c.advance(c.h.Lag)
			err = f()
		}
		return err
	}
	for deadline := time.Now().Add(c.h.Lag); ; time.Sleep(5 * time.Millisecond) {
		if err := f(); err == nil || !time.Now().Before(deadline) {
			return err
		}
	}
}

// cachePeer finds hashes that are seeded by process, among others.
func cachePeer(c *cacheCase) error {
	peer, err := c.peer()
	if err != nil {
		return err
	}
	for _, name := range append(hostileKeys(), "plain") {
		key := c.key(name)
		err := c.attempt("Get("+show(key)+") by a second cache over the same backend", func(int) (bool, error) {
			if err := c.set(key, "value", time.Hour); err != nil {
				return false, err
			}
			lost := true
			err := c.eventually(func() error {
				var err error
				if lost, err = peer.holds(key, "value"); err == nil && lost {
					return errLost
				}
				return err
			})
			if err == errLost {
				err = nil
			}
			return lost, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var errLost = fmt.Errorf("conformance: the entry is not there")

// cachePeerSees lets the peer read an entry, changes it, and lets the peer read
// again. With no value after the change, it wants a miss.
func cachePeerSees(c *cacheCase, change string, do func(key string) error, after ...string) error {
	peer, err := c.peer()
	if err != nil {
		return err
	}
	for i, e := range kindsOfEntries() {
		key := c.key(fmt.Sprint(i) + e.key)
		if err := c.set(key, e.value, time.Hour); err != nil {
			return err
		}
		for range 2 {
			_, _, _ = peer.get(c.ctx, key) // it may keep what it found
		}
		if err := do(key); err != nil {
			return skip("%s = %v, which is another check's finding", change, err)
		}
		err := c.eventually(func() error {
			if len(after) == 0 {
				return peer.unseen(key, "by a second cache, of "+e.name+" after "+change+" by the first")
			}
			_, err := peer.holds(key, after...)
			return err
		})
		if err != nil {
			return fmt.Errorf("a second cache, after %s by the first: %w", change, err)
		}
	}
	return nil
}

func cachePeerEnds(c *cacheCase) error {
	peer, err := c.peer()
	if err != nil {
		return err
	}
	key, ttl := c.key("k"), c.unit()
	if err := c.set(key, "value", ttl); err != nil {
		return err
	}
	for range 2 {
		_, _, _ = peer.get(c.ctx, key) // it may keep what it found
	}
	if err := c.pass(ttl + c.grace()); err != nil {
		return err
	}
	return peer.gone(peer.unseen, key, fmt.Sprintf("by a second cache, %v after Set with a ttl of %v by the first", ttl+c.grace(), ttl))
}
