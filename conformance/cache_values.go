package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxValue is the largest value that must work.
const maxValue = 512 << 10

func cacheValues() []Check[CacheHarness] {
	const (
		sizes  = "Values of up to 512 KiB work."
		larger = "A larger one may be refused with an error; the key then holds nothing or its previous value."
		slice  = "Set does not retain the caller's slice; Get returns a slice the caller owns and may change."
	)
	return []Check[CacheHarness]{
		cacheCheck("values-of-any-bytes", "Get returns the value stored under key and ok == true, or ok == false when there is none.", cacheBinary),
		cacheCheck("values-up-to-512-kib", sizes, cacheSizes),
		cacheCheck("larger-values-are-kept-or-refused", larger, cacheLarger),
		cacheCheck("set-does-not-retain-the-slice", slice, cacheSetSlice),
		cacheCheck("get-returns-a-slice-of-its-own", slice, cacheGetSlice),
		cacheCheck("get-returns-no-room-of-others", slice, cacheGetRoom),
		cacheCheck("later-calls-do-not-change-what-get-returned", slice, cacheGetStable),
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

func cacheSizes(c *cacheCase) error {
	for _, n := range []int{1, 1023, 4096, 64<<10 + 1, maxValue - 1, maxValue} {
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

func cacheSetSlice(c *cacheCase) error {
	key := c.key("k")
	return c.attempt("Get after the slice given to Set was changed", func(int) (bool, error) {
		value := []byte("as it was set")
		if err := c.rawSet(c.ctx, key, value, time.Hour); err != nil {
			return false, fmt.Errorf("Set(%s, ...) = %w; want nil", show(key), err)
		}
		for i := range value {
			value[i] = 'X'
		}
		return c.holds(key, "as it was set")
	})
}

func cacheGetSlice(c *cacheCase) error {
	key := c.key("k")
	return c.attempt("Get after the slice from another Get was changed", func(int) (bool, error) {
		if err := c.stored(key, "as it was set", time.Hour); err != nil {
			return false, err
		}
		value, ok, err := c.get(c.ctx, key)
		if err != nil {
			return false, fmt.Errorf("Get(%s) = %w; want nil", show(key), err)
		}
		for i := range value {
			value[i] = 'X'
		}
		if !ok {
			return true, nil
		}
		return c.holds(key, "as it was set")
	})
}

// cacheGetRoom appends to what Get returned: the room behind it must not be
// that of other entries.
func cacheGetRoom(c *cacheCase) error {
	const n = 8
	name := func(i int) string { return c.key(fmt.Sprint(i)) }
	value := func(i int) string { return fmt.Sprintf("the value number %d", i) }
	for i := range n {
		if err := c.stored(name(i), value(i), time.Hour); err != nil {
			return err
		}
	}
	for i := range n {
		got, _, err := c.get(c.ctx, name(i))
		if err != nil {
			return fmt.Errorf("Get(%s) = %w; want nil", show(name(i)), err)
		}
		if room := got[len(got):cap(got)]; len(room) > 0 {
			copy(room, bytes.Repeat([]byte("X"), len(room)))
		}
	}
	for i := range n {
		if _, err := c.holds(name(i), value(i)); err != nil {
			return fmt.Errorf("after the room behind slices from Get was used: %w", err)
		}
	}
	return nil
}

// cacheGetStable finds buffers that are used again.
func cacheGetStable(c *cacheCase) error {
	key := c.key("k")
	if err := c.stored(key, "the first value", time.Hour); err != nil {
		return err
	}
	value, ok, err := c.get(c.ctx, key)
	if err != nil {
		return fmt.Errorf("Get(%s) = %w; want nil", show(key), err)
	}
	before := slices.Clone(value)
	for _, other := range []string{"k", "k2"} {
		if err := c.stored(c.key(other), "THE OTHER VALUE", time.Hour); err != nil {
			return err
		}
	}
	if err := c.delete(key); err != nil {
		return err
	}
	if ok && !bytes.Equal(value, before) {
		return fmt.Errorf("the slice from Get became %s after later calls; want it to stay %s", show(value), show(before))
	}
	return nil
}
