package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func revocationKept(c *revocationCase) error {
	for i, key := range []string{c.env.key("a"), c.env.key("portcullis:revoked:1:ÄÖ 日本 \x00"), c.env.key(strings.Repeat("k", 4096))} {
		at := revokedAt.Add(time.Duration(i) * time.Hour)
		if err := c.writes(key, at, time.Hour); err != nil {
			return err
		}
		if err := c.has(key, at, " right after Revoke"); err != nil {
			return err
		}
	}
	return nil
}

func revocationUnknown(c *revocationCase) error { return c.has(c.env.key("never"), time.Time{}, "") }

func revocationOrder(c *revocationCase) error {
	var keys []string
	for i := range 20 {
		key := c.env.key(fmt.Sprint("order", i))
		keys = append(keys, key)
		if i%3 == 0 {
			continue
		}
		if err := c.writes(key, revokedAt.Add(time.Duration(i)*time.Millisecond), time.Hour); err != nil {
			return err
		}
	}
	times, err := c.ask(c.ctx, c.store, keys...)
	if err != nil {
		return fmt.Errorf("Revoked of %d keys = %w; want their times", len(keys), err)
	}
	for i, at := range times {
		want := revokedAt.Add(time.Duration(i) * time.Millisecond)
		if i%3 == 0 {
			want = time.Time{}
		}
		if !at.Equal(want) {
			return fmt.Errorf("Revoked of %d keys: the time of number %d is %v; want %v", len(keys), i, at.UTC(), want.UTC())
		}
	}
	if times, err := c.ask(c.ctx, c.store); err != nil || len(times) != 0 {
		return fmt.Errorf("Revoked of no keys = %v, %v; want none, nil", times, err)
	}
	return nil
}

func revocationRounded(c *revocationCase) error {
	for i, odd := range []time.Duration{1, time.Microsecond, 500_001, time.Millisecond - 1} {
		key := c.env.key(fmt.Sprint("odd", i))
		if err := c.writes(key, revokedAt.Add(odd), time.Hour); err != nil {
			return err
		}
		times, err := c.ask(c.ctx, c.store, key)
		if err != nil {
			return err
		}
		if at := times[0]; at.Before(revokedAt.Add(odd)) || at.After(revokedAt.Add(time.Millisecond)) {
			return fmt.Errorf("Revoked after Revoke at %v = %v; want it up to the next millisecond, never earlier", revokedAt.Add(odd).UTC(), at.UTC())
		}
	}
	return nil
}

func revocationLater(c *revocationCase) error {
	early, late := revokedAt, revokedAt.Add(time.Hour)
	for name, order := range map[string][2]time.Time{"up": {early, late}, "down": {late, early}} {
		key := c.env.key(name)
		for _, at := range order {
			if err := c.writes(key, at, time.Hour); err != nil {
				return err
			}
		}
		if err := c.has(key, late, fmt.Sprintf(" after Revoke at %v and at %v", order[0].UTC(), order[1].UTC())); err != nil {
			return err
		}
	}
	return nil
}

// stillThere wants a key after some time; on real time it may be too late to look.
func (c *revocationCase) stillThere(key string, elapsed func() time.Duration, end time.Duration) error {
	err := c.has(key, revokedAt, " before its end")
	if elapsed() >= end {
		return doubt(errTooSlow())
	}
	return c.early(err)
}

func revocationLaterEnd(c *revocationCase) error {
	u := c.unit()
	for name, ttls := range map[string][2]time.Duration{"longer": {u, 4 * u}, "shorter": {4 * u, u}} {
		key, elapsed := c.env.key(name), c.watch()
		for _, ttl := range ttls {
			if err := c.writes(key, revokedAt, ttl); err != nil {
				return err
			}
		}
		if err := c.pass(2 * u); err != nil {
			return err
		}
		if err := c.stillThere(key, elapsed, 4*u); err != nil {
			return fmt.Errorf("with a ttl of %v and then of %v: %w", ttls[0], ttls[1], err)
		}
	}
	return nil
}

func revocationStays(c *revocationCase) error {
	ttl := 2 * c.unit()
	key, elapsed := c.env.key("stays"), c.watch()
	if err := c.writes(key, revokedAt, ttl); err != nil {
		return err
	}
	wait := ttl - time.Millisecond
	if c.advance == nil {
		wait = ttl - ttl/4
	}
	if err := c.pass(wait); err != nil {
		return err
	}
	return c.stillThere(key, elapsed, ttl)
}

func revocationZero(c *revocationCase) error {
	for _, ttl := range []time.Duration{0, -1, -time.Hour} {
		if err := c.writes(c.env.key("zero"), revokedAt, ttl); err != nil {
			return err
		}
		if err := c.has(c.env.key("zero"), time.Time{}, fmt.Sprintf(" after Revoke with a ttl of %v", ttl)); err != nil {
			return err
		}
	}
	if err := c.writes(c.env.key("live"), revokedAt, time.Hour); err != nil {
		return err
	}
	if err := c.writes(c.env.key("live"), revokedAt.Add(time.Hour), 0); err != nil {
		return err
	}
	return c.has(c.env.key("live"), revokedAt, " after another Revoke without ttl")
}

// manyRevocations are written where the harness states no capacity.
const manyRevocations = 3000

// revocationFull looks for what was acknowledged.
func revocationFull(c *revocationCase) error {
	most := c.h.Capacity + c.h.Capacity/10 + 10
	if c.h.Capacity == 0 {
		most = manyRevocations
	}
	var kept []string
	for i := range most {
		key := c.env.key(fmt.Sprint("many", i))
		if c.revoke(c.ctx, key, revokedAt, time.Hour) == nil {
			kept = append(kept, key)
		}
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	for len(kept) > 0 {
		some := kept[:min(100, len(kept))]
		kept = kept[len(some):]
		times, err := c.ask(c.ctx, c.store, some...)
		if err != nil {
			return err
		}
		for i, at := range times {
			if at.IsZero() {
				return fmt.Errorf("of %d keys that Revoke took, %s is gone; want an error from Revoke instead", most, show(some[i]))
			}
		}
	}
	return nil
}

// revocationTogether revokes a key by many callers at once, and wants the latest time to stay.
func revocationTogether(c *revocationCase) error {
	const callers = 32
	for round := range 8 {
		key := c.env.key(fmt.Sprint("together", round))
		err := together(callers, func(i int) error {
			return c.revoke(c.ctx, key, revokedAt.Add(time.Duration((i*11+round)%callers)*time.Millisecond), time.Hour)
		})
		if err != nil {
			return err
		}
		if err := c.has(key, revokedAt.Add((callers-1)*time.Millisecond), fmt.Sprintf(" after %d Revokes at once", callers)); err != nil {
			return err
		}
	}
	return nil
}

// revocationTogetherShared revokes a key by two stores at once, time after time: one
// that reads, and writes what it finds later, lets the earlier time win now and then.
func revocationTogetherShared(c *revocationCase) error {
	if !c.h.Shared {
		return skip("the harness does not say Shared")
	}
	other, err := opened(c.env, c.h.New, "a second store")
	if err != nil {
		return err
	}
	stores := []verifier.RevocationStore{c.store, other}
	for round := range 60 {
		key := c.env.key(fmt.Sprint("together", round))
		if err := c.writes(key, revokedAt, time.Hour); err != nil {
			return err
		}
		err := together(len(stores), func(i int) error {
			defer c.env.begin("Revoke")()
			return stores[i].Revoke(c.ctx, key, revokedAt.Add(time.Duration(1+(i+round)%2)*time.Millisecond), time.Hour)
		})
		if err != nil {
			return err
		}
		if err := c.later(key, revokedAt.Add(2*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// later wants a time that another process has written, when it can be seen.
func (c *revocationCase) later(key string, want time.Time) error {
	if c.h.Delay > 0 {
		if err := c.pass(c.h.Delay); err != nil {
			return err
		}
	}
	return c.has(key, want, " after two Revokes at once by two stores")
}

func revocationShared(c *revocationCase) error {
	if !c.h.Shared {
		return skip("the harness does not say Shared")
	}
	other, err := opened(c.env, c.h.New, "a second store")
	if err != nil {
		return err
	}
	key := c.env.key("shared")
	if err := c.writes(key, revokedAt, time.Hour); err != nil {
		return err
	}
	if c.h.Delay > 0 {
		if err := c.pass(c.h.Delay); err != nil {
			return err
		}
	}
	times, err := c.ask(c.ctx, other, key)
	if err != nil {
		return fmt.Errorf("Revoked of another process = %w; want what the first has written", err)
	}
	if !times[0].Equal(revokedAt) {
		return fmt.Errorf("Revoked of another process = %v; want %v, as the first has written", times[0].UTC(), revokedAt.UTC())
	}
	return nil
}

func revocationDown(c *revocationCase) error {
	if c.h.Break == nil {
		return skip("the harness has no Break")
	}
	key := c.env.key("down")
	if err := c.writes(key, revokedAt, time.Hour); err != nil {
		return err
	}
	defer c.h.Break(c.store)()
	if times, err := c.ask(c.ctx, c.store, key); err == nil {
		return fmt.Errorf("Revoked while the backend is down = %v, nil; want an error", times)
	}
	if err := c.revoke(c.ctx, c.env.key("down2"), revokedAt, time.Hour); err == nil {
		return errors.New("Revoke while the backend is down = nil; want an error")
	}
	return nil
}
