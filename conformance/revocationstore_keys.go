package conformance

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// revocationMany asks for more keys than a page of anything holds.
func revocationMany(c *revocationCase) error {
	const many = 1000
	keys := make([]string, many)
	for i := range keys {
		keys[i] = c.env.key(fmt.Sprint("page", i))
	}
	want := make(map[int]time.Time)
	for _, i := range []int{0, 1, 49, 63, 99, 100, 127, 255, 500, many - 1} {
		want[i] = revokedAt.Add(time.Duration(i) * time.Second)
		if err := c.writes(keys[i], want[i], time.Hour); err != nil {
			return err
		}
	}
	times, err := c.ask(c.ctx, c.store, keys...)
	if err != nil {
		return fmt.Errorf("Revoked of %d keys = %w; want their times", many, err)
	}
	for i, at := range times {
		if !at.Equal(want[i]) {
			return fmt.Errorf("Revoked of %d keys: the time of number %d is %v; want %v", many, i, at.UTC(), want[i].UTC())
		}
	}
	return nil
}

func revocationTwice(c *revocationCase) error {
	key, other := c.env.key("twice"), c.env.key("never")
	if err := c.writes(key, revokedAt, time.Hour); err != nil {
		return err
	}
	times, err := c.ask(c.ctx, c.store, key, other, key, key)
	if err != nil {
		return fmt.Errorf("Revoked of a key three times = %w; want its time three times", err)
	}
	for i, want := range []time.Time{revokedAt, {}, revokedAt, revokedAt} {
		if !times[i].Equal(want) {
			return fmt.Errorf("Revoked of a key three times and of another: the time of number %d is %v; want %v", i, times[i].UTC(), want.UTC())
		}
	}
	return nil
}

func revocationLookAlikes() [][2]string {
	return slices.Concat(caseKeys(), blankKeys(), unicodeForms(), nulKeys(), escapeKeys(), splitKeys())
}

// revocationAlike revokes one key of each pair, and asks for both.
func revocationAlike(pairs func() [][2]string) func(*revocationCase) error {
	return func(c *revocationCase) error {
		for i, pair := range pairs() {
			prefix := c.env.key(fmt.Sprint(i, "-"))
			if pair[0] == "liquid" || strings.HasPrefix(pair[0], "key-") {
				prefix = "" // equal without a prefix alone
			}
			revoked, other := prefix+pair[0], prefix+pair[1]
			if err := c.writes(revoked, revokedAt, time.Hour); err != nil {
				return err
			}
			times, err := c.ask(c.ctx, c.store, revoked, other)
			if err != nil {
				return fmt.Errorf("Revoked(%s, %s) = %w; want their times", show(revoked), show(other), err)
			}
			if !times[0].Equal(revokedAt) || !times[1].IsZero() {
				return fmt.Errorf("Revoked(%s, %s) = %v, %v; want the time of the first alone, as the second was not revoked", show(revoked), show(other), times[0].UTC(), times[1].UTC())
			}
		}
		return nil
	}
}

// revocationSlices looks at the keys that it gives, and writes into the times that
// it gets.
func revocationSlices(c *revocationCase) error {
	keys := []string{c.env.key("z"), c.env.key("a"), c.env.key("m")}
	given := slices.Clone(keys)
	for range 3 {
		if err := c.writes(keys[0], revokedAt, time.Hour); err != nil {
			return err
		}
		times, err := c.store.Revoked(c.ctx, given)
		if err != nil || len(times) != len(keys) {
			return fmt.Errorf("Revoked of %d keys = %d times, %v; want one for each", len(keys), len(times), err)
		}
		if !slices.Equal(given, keys) {
			return fmt.Errorf("Revoked changed the keys that it was given; want them left alone")
		}
		if !times[0].Equal(revokedAt) {
			return fmt.Errorf("Revoked after the caller wrote into earlier times = %v; want %v", times[0].UTC(), revokedAt.UTC())
		}
		clear(times)
	}
	return nil
}

// revocationYears takes times that counts of nanoseconds and zero values go wrong
// with, and zones.
func revocationYears(c *revocationCase) error {
	for i, at := range []time.Time{
		time.UnixMilli(1), time.UnixMilli(-1), time.UnixMilli(0), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2038, 1, 20, 0, 0, 0, 0, time.UTC),
		time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		revokedAt.In(time.FixedZone("far", 14*60*60)),
	} {
		key := c.env.key(fmt.Sprint("year", i))
		if err := c.writes(key, at, time.Hour); err != nil {
			return err
		}
		if err := c.has(key, at, " right after Revoke"); err != nil {
			return err
		}
	}
	return nil
}

// revocationUncut finds ttls in whole seconds that are cut.
func revocationUncut(c *revocationCase) error {
	ttl := max(1900*time.Millisecond, 2*c.min)
	key, elapsed := c.env.key("uncut"), c.watch()
	if err := c.writes(key, revokedAt, ttl); err != nil {
		return err
	}
	if err := c.pass(ttl - 100*time.Millisecond); err != nil {
		return err
	}
	return c.stillThere(key, elapsed, ttl)
}

// revocationLong looks at what a large ttl has made of itself.
func revocationLong(c *revocationCase) error {
	ttls := []time.Duration{24 * time.Hour, 31 * 24 * time.Hour, 400 * 24 * time.Hour, 200 * 365 * 24 * time.Hour, math.MaxInt64}
	for i, ttl := range ttls {
		if err := c.writes(c.env.key(fmt.Sprint("long", i)), revokedAt, ttl); err != nil {
			return err
		}
	}
	wait := 23 * time.Hour
	if c.advance == nil {
		wait = 0
	}
	if err := c.pass(wait); err != nil {
		return err
	}
	for i, ttl := range ttls {
		if err := c.has(c.env.key(fmt.Sprint("long", i)), revokedAt, fmt.Sprintf(", with a ttl of %v, after %v", ttl, wait)); err != nil {
			return err
		}
	}
	return nil
}

// revocationSecondLife revokes a key again when its first ttl has passed.
func revocationSecondLife(c *revocationCase) error {
	u := c.unit()
	key := c.env.key("second")
	if err := c.writes(key, revokedAt, u); err != nil {
		return err
	}
	if err := c.pass(u + c.grace()); err != nil {
		return err
	}
	elapsed := c.watch()
	if err := c.writes(key, revokedAt, 4*u); err != nil {
		return err
	}
	if err := c.pass(2 * u); err != nil {
		return err
	}
	return c.stillThere(key, elapsed, 4*u)
}

// revocationUnmixed has callers that ask for keys of their own.
func revocationUnmixed(c *revocationCase) error {
	const callers = 16
	own := func(i int) []string {
		return []string{c.env.key(fmt.Sprint("own", i)), c.env.key("never"), c.env.key(fmt.Sprint("own", i+callers))}
	}
	at := func(i int) time.Time { return revokedAt.Add(time.Duration(i) * time.Minute) }
	for i := range callers {
		if err := c.writes(own(i)[0], at(i), time.Hour); err != nil {
			return err
		}
	}
	return together(callers, func(i int) error {
		for range 25 {
			times, err := c.ask(c.ctx, c.store, own(i)...)
			if err != nil {
				return fmt.Errorf("Revoked beside %d other callers = %w; want times", callers-1, err)
			}
			if !times[0].Equal(at(i)) || !times[1].IsZero() || !times[2].IsZero() {
				return fmt.Errorf("Revoked beside %d other callers = %v; want %v and two zero times", callers-1, times, at(i).UTC())
			}
		}
		return nil
	})
}

// revocationSilent looks at all errors that it can bring about.
func revocationSilent(c *revocationCase) error {
	secret := randomHex(16)
	try := func(d doneContext) error {
		_, asked := c.ask(d.ctx, c.store, secret)
		for name, err := range map[string]error{"Revoked": asked, "Revoke": c.revoke(d.ctx, secret, revokedAt, time.Hour)} {
			if err != nil && leaks(err, secret) {
				return fmt.Errorf("the error of %s with %s has the key or a part of it in it; want an error without", name, d.name)
			}
		}
		return nil
	}
	if err := try(canceled(c.ctx)); err != nil {
		return err
	}
	if c.h.Break == nil {
		return nil
	}
	c.env.Cleanup(c.h.Break(c.store))
	return try(doneContext{"a backend that is down", c.ctx})
}

// revocationRoom fills a store with keys that end, and wants it to take new ones. A
// key may stay for longer than its ttl.
func revocationRoom(c *revocationCase) error {
	if c.h.Capacity == 0 {
		return skip("the harness states no Capacity")
	}
	ttl := c.unit()
	for i := range c.h.Capacity + c.h.Capacity/10 + 10 {
		_ = c.revoke(c.ctx, c.env.key(fmt.Sprint("fills", i)), revokedAt, ttl)
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	wait := ttl + c.grace()
	if c.advance != nil {
		wait = 48 * time.Hour
	}
	if err := c.pass(wait); err != nil {
		return err
	}
	const rounds = 20
	return recovers(c.pace, func(round int) error {
		return c.writes(c.env.key(fmt.Sprint("again", round%rounds)), revokedAt, time.Hour)
	}, func() error { return c.has(c.env.key("again0"), revokedAt, " in a store that was full") })
}
