package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

func cacheSlices() []Check[CacheHarness] {
	const (
		kept  = "Set does not retain the caller's slice; Get returns a slice the caller owns and may change."
		owned = "A slice from Get has no room that others use, and stays as it is until the caller changes it."
	)
	return []Check[CacheHarness]{
		cacheCheck("set-does-not-retain-the-slice", kept, func(c *cacheCase) error { return cacheSetSlice(c, false) }),
		cacheCheck("overwriting-does-not-retain-the-slice", kept, func(c *cacheCase) error { return cacheSetSlice(c, true) }),
		cacheCheck("set-does-not-change-the-slice", kept, cacheSetSame),
		cacheCheck("get-returns-a-slice-of-its-own", kept, cacheGetSlice),
		cacheCheck("get-returns-no-room-of-others", owned, cacheGetRoom),
		cacheCheck("later-calls-do-not-change-what-get-returned", owned, cacheGetStable),
		cacheCheck("concurrent-calls-do-not-change-what-get-returned", owned, cacheGetStableTogether),
	}
}

// sliceSizes are one byte, beyond every usual chunk, and the largest.
func sliceSizes() []int { return []int{1, 60, 300, 5_000, 70_000, 270_000, maxValue} }

// spoil changes every byte.
func spoil(value []byte) {
	for i := range value {
		value[i] += 85
	}
}

func cacheSetSlice(c *cacheCase, over bool) error {
	for _, n := range sliceSizes() {
		err := c.attempt(fmt.Sprintf("Get after the slice of %d bytes given to Set was changed", n), func(try int) (bool, error) {
			key, value := c.key(fmt.Sprint(n, "-", try)), randomBytes(n)
			if over {
				if err := c.set(key, string(randomBytes(n)), time.Hour); err != nil {
					return false, err
				}
			}
			want := string(value)
			if err := c.rawSet(c.ctx, key, value, time.Hour); err != nil {
				return false, fmt.Errorf("Set(%s, ...) = %w; want nil", show(key), err)
			}
			spoil(value)
			return c.holds(key, want)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheSetSame also looks at the room behind the slice.
func cacheSetSame(c *cacheCase) error {
	for _, n := range sliceSizes() {
		buffer := randomBytes(n + 64)
		before := slices.Clone(buffer)
		if err := c.rawSet(c.ctx, c.key(fmt.Sprint(n)), buffer[:n], time.Hour); err != nil {
			return fmt.Errorf("Set of %d bytes = %w; want nil", n, err)
		}
		if !bytes.Equal(buffer, before) {
			return fmt.Errorf("Set changed the caller's slice of %d bytes or the room behind it; want it as it was", n)
		}
	}
	return nil
}

func cacheGetSlice(c *cacheCase) error {
	for _, n := range sliceSizes() {
		err := c.attempt(fmt.Sprintf("Get after the slice of %d bytes from another Get was changed", n), func(try int) (bool, error) {
			key, value := c.key(fmt.Sprint(n, "-", try)), string(randomBytes(n))
			if err := c.set(key, value, time.Hour); err != nil {
				return false, err
			}
			for range 2 { // the second may come from somewhere else
				got, ok, err := c.get(c.ctx, key)
				if !ok || err != nil {
					return true, err
				}
				spoil(got)
			}
			return c.holds(key, value)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheGetRoom appends to what Get returned: the room behind it must not be
// that of other entries, nor of other answers.
func cacheGetRoom(c *cacheCase) error {
	const n = 8
	for _, size := range []int{20, 300, 5_000, 70_000} {
		name := func(i int) string { return c.key(fmt.Sprint(size, "-", i)) }
		values := make([]string, n)
		for i := range values {
			values[i] = string(randomBytes(size))
			if err := c.stored(name(i), values[i], time.Hour); err != nil {
				return err
			}
		}
		var answers [][]byte
		for round := range 2 * n {
			got, ok, err := c.get(c.ctx, name(round%n))
			if err != nil {
				return fmt.Errorf("Get(%s) = %w; want nil", show(name(round%n)), err)
			}
			if ok && string(got) != values[round%n] {
				return fmt.Errorf("Get(%s) after the room behind slices from Get was used = %s; want %s", show(name(round%n)), show(got), show(values[round%n]))
			}
			answers = append(answers, got)
			_ = append(got, bytes.Repeat([]byte("X"), cap(got)-len(got))...)
		}
		for round, got := range answers {
			if len(got) > 0 && string(got) != values[round%n] {
				return fmt.Errorf("a slice from Get became %s when another one was appended to; want %s", show(got), show(values[round%n]))
			}
		}
		for i := range n {
			if _, err := c.holds(name(i), values[i]); err != nil {
				return fmt.Errorf("after the room behind slices from Get was used: %w", err)
			}
		}
	}
	return nil
}

// cacheGetStable finds buffers that are used again: all answers are compared
// at the end.
func cacheGetStable(c *cacheCase) error {
	type kept struct{ got, was []byte }
	var all []kept
	read := func(key string) error {
		value, ok, err := c.get(c.ctx, key)
		if err != nil {
			return fmt.Errorf("Get(%s) = %w; want nil", show(key), err)
		}
		if ok {
			all = append(all, kept{value, slices.Clone(value)})
		}
		return nil
	}
	for _, n := range sliceSizes() {
		key := c.key(fmt.Sprint(n))
		steps := []func() error{
			func() error { return c.stored(key, string(randomBytes(n)), time.Hour) },
			func() error { return read(key) },
			func() error { return read(key) },
			func() error { return c.stored(key, string(randomBytes(n)), time.Hour) },
			func() error { return read(key) },
			func() error { return c.stored(c.key("other"), string(randomBytes(n)), time.Hour) },
			func() error { return read(c.key("other")) },
			func() error { return c.delete(key) },
			func() error { return c.stored(key, string(randomBytes(n)), time.Hour) },
			func() error { return c.set(key, "value", 0) },
			func() error { return c.stored(c.key("next"), string(randomBytes(n)), time.Hour) },
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
	}
	for _, k := range all {
		if !bytes.Equal(k.got, k.was) {
			return fmt.Errorf("a slice of %d bytes from Get became %s after later calls; want it to stay %s", len(k.was), show(k.got), show(k.was))
		}
	}
	return nil
}

func cacheGetStableTogether(c *cacheCase) error {
	const workers, rounds = 8, 6
	return together(workers, func(worker int) error {
		type kept struct {
			got []byte
			was string
		}
		var all []kept
		for round := range rounds {
			n := sliceSizes()[(worker+round)%(len(sliceSizes())-1)]
			key, value := c.key(fmt.Sprint(worker, "-", n)), string(randomBytes(n))
			slice := []byte(value)
			if err := c.rawSet(c.ctx, key, slice, time.Hour); err != nil {
				return fmt.Errorf("Set(%s, ...) = %w; want nil", show(key), err)
			}
			spoil(slice)
			got, ok, err := c.get(c.ctx, key)
			if err != nil || ok && string(got) != value {
				return fmt.Errorf("Get(%s) beside %d others = %s; want the %d bytes that were set", show(key), workers-1, answer(got, ok, err), n)
			}
			if ok {
				all = append(all, kept{got, value})
			}
		}
		for _, k := range all {
			if string(k.got) != k.was {
				return fmt.Errorf("a slice of %d bytes from Get changed beside the calls of %d others; want it to stay", len(k.was), workers-1)
			}
		}
		return nil
	})
}
