package conformance

import (
	"fmt"
	"strings"
	"time"
)

// maxValue is the largest value that must work.
const maxValue = 512 << 10

func cacheValues() []Check[CacheHarness] {
	const (
		sizes  = "Values of up to 512 KiB work."
		larger = "A larger one may be refused with an error; the key then holds nothing or its previous value."
	)
	return []Check[CacheHarness]{
		cacheCheck("values-of-any-bytes", "Get returns the value stored under key and ok == true, or ok == false when there is none.", cacheBinary),
		cacheCheck("values-up-to-512-kib", sizes, cacheSizes),
		cacheCheck("larger-values-are-kept-or-refused", larger, cacheLarger),
		cacheCheck("overwriting-works-at-every-size", sizes, cacheOverwrites),
		cacheCheck("longest-key-with-the-largest-value", "The longest key works with the largest value.", cacheCorner),
	}
}

func cacheBinary(c *cacheCase) error {
	var all strings.Builder
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	values := []string{
		all.String(), "\x00", "a\x00", "\x00a", "\n", "a\r\nEND\r\n", " ", " a ", "\xff\xfe", "\xc3\x28", "\ufeff{}",
		"null", "nil", "0", "-1", "1e9", "true", `"quoted"`, `{"a":1}`, "\x1f\x8b\x08\x00", "$-1\r\n", "*1\r\n",
	}
	for i, value := range values {
		if err := c.stored(c.key(fmt.Sprint(i)), value, time.Hour); err != nil {
			return err
		}
	}
	return nil
}

// sizes are those at which tables, chunks and lengths often end.
func valueSizes() []int {
	sizes := []int{1, 2}
	for _, n := range []int{128, 250, 256, 1000, 1 << 10, 1500, 4000, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10} {
		sizes = append(sizes, n-1, n, n+1)
	}
	return append(sizes, 100_000, 500_000, maxValue-1, maxValue)
}

func cacheSizes(c *cacheCase) error {
	for _, n := range valueSizes() {
		key, value := c.key(fmt.Sprint(n)), string(randomBytes(n))
		if err := c.stored(key, value, time.Hour); err != nil {
			return err
		}
		if err := c.delete(key); err != nil { // makes room
			return err
		}
	}
	return nil
}

// cacheOverwrites goes from large to small, to large, and to the same size.
func cacheOverwrites(c *cacheCase) error {
	key := c.key("k")
	for _, n := range []int{maxValue, 1, 100_000, 100_000, 64 << 10, 64<<10 + 1, 300, maxValue, maxValue, 4 << 10, 0, 200_000, 1} {
		if err := c.stored(key, string(randomBytes(n)), time.Hour); err != nil {
			return fmt.Errorf("over another size: %w", err)
		}
	}
	return c.delete(key)
}

// cacheCorner multiplies the limits of keys and values.
func cacheCorner(c *cacheCase) error {
	name := "corner-"
	key := c.key(name + strings.Repeat("k", maxKey-len(c.key(name))))
	for _, n := range []int{maxValue, maxValue - 1, 1, 0, maxValue} {
		if err := c.stored(key, string(randomBytes(n)), time.Hour); err != nil {
			return err
		}
	}
	if err := c.delete(key); err != nil {
		return err
	}
	return c.unseen(key, "after Delete")
}

func cacheLarger(c *cacheCase) error {
	for _, n := range []int{maxValue + 1, 1 << 20, 1<<20 + 1, 2 << 20} {
		key, value := c.key(fmt.Sprint(n)), string(randomBytes(n))
		if err := c.stored(key, "previous", time.Hour); err != nil {
			return err
		}
		want := []string{value}
		if err := c.rawSet(c.ctx, key, []byte(value), time.Hour); err != nil {
			want = []string{"previous"}
		}
		if _, err := c.holds(key, want...); err != nil {
			return fmt.Errorf("after Set of %d bytes: %w, or nothing", n, err)
		}
		if err := c.delete(key); err != nil { // makes room
			return err
		}
	}
	return nil
}
