package conformance

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// BenchCache measures what a Verifier asks of a cache, each call in a
// sub-benchmark: hits and misses, writes of a key set's size and of the largest
// value, and calls side by side. A cache that is a [verifier.ReplayStore] is
// measured as such too.
func BenchCache(b *testing.B, h CacheHarness) {
	b.Helper()
	c := benched(b, func(env *Env) (*cacheCase, error) { return newCacheCase(env, h) })
	const keySet = 4 << 10
	hit, value := c.key("hit"), string(randomBytes(keySet))
	if err := c.stored(hit, value, time.Hour); err != nil {
		b.Fatal(err)
	}
	b.Run("get-hit-4KiB", func(b *testing.B) {
		b.SetBytes(keySet)
		calls(b, func() error { _, err := c.holds(hit, value); return err })
	})
	b.Run("get-hit-4KiB-parallel", func(b *testing.B) {
		b.SetBytes(keySet)
		besides(b, func(int64) error { _, err := c.holds(hit, value); return err })
	})
	b.Run("get-miss", func(b *testing.B) {
		calls(b, func() error { return c.unseen(c.key("absent"), "of an absent key") })
	})
	for _, n := range []int{keySet, maxValue} {
		large := randomBytes(n)
		b.Run(fmt.Sprintf("set-%dKiB", n>>10), func(b *testing.B) {
			b.SetBytes(int64(n))
			calls(b, func() error { return c.rawSet(c.ctx, c.key("set"), large, time.Hour) })
		})
	}
	b.Run("set-and-delete", func(b *testing.B) {
		calls(b, func() error {
			if err := c.set(c.key("deleted"), "value", time.Hour); err != nil {
				return err
			}
			return c.delete(c.key("deleted"))
		})
	})
	if _, ok := c.cache.(verifier.ReplayStore); ok {
		BenchReplayStore(b, h.asReplayStore())
	}
}

// BenchReplayStore measures Add: of new keys, of a key that is there, and side
// by side.
func BenchReplayStore(b *testing.B, h ReplayStoreHarness) {
	b.Helper()
	c := benched(b, func(env *Env) (*replayCase, error) { return newReplayCase(env, h) })
	var serial atomic.Int64
	fresh := func() error {
		n := serial.Add(1)
		_, err := c.add(c.ctx, c.env.key(fmt.Sprintf("proof-key-%d.%d", n%512, n)), time.Minute)
		return err
	}
	b.Run("add-new", func(b *testing.B) { calls(b, fresh) })
	b.Run("add-new-parallel", func(b *testing.B) { besides(b, func(int64) error { return fresh() }) })
	b.Run("add-again", func(b *testing.B) {
		if _, err := c.add(c.ctx, c.key("again"), time.Hour); err != nil {
			b.Fatal(err)
		}
		calls(b, func() error { return c.repeated(c.key("again"), " again") })
	})
}

// benched makes what is measured, in an environment that ends with b.
func benched[C any](b *testing.B, open func(*Env) (C, error)) C {
	b.Helper()
	env := newEnv(b.Context(), 0, 1)
	b.Cleanup(env.clean)
	c, err := open(env)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func calls(b *testing.B, f func() error) {
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
}

func besides(b *testing.B, f func(i int64) error) {
	b.ReportAllocs()
	var serial atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(serial.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
