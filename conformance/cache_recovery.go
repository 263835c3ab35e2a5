package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cacheRecovery are checks of what comes after a fault.
func cacheRecovery() []Check[CacheHarness] {
	const (
		again = "When the backend is back, every method works again within seconds."
		keeps = "A value that Get returns is one that a Set was given, whatever happened to the backend in between."
	)
	check := func(name string, fault func(c *cacheCase) (undo func(), err error)) Check[CacheHarness] {
		return cacheCheck(name, again, func(c *cacheCase) error { return cacheRecovers(c, fault) })
	}
	return append(group(groupBreak,
		check("every-method-works-after-an-outage", (*cacheCase).outage),
		cacheCheck("an-outage-leaves-no-other-values", keeps, cacheAfterwards),
	), group(groupHang,
		check("every-method-works-after-a-hang", (*cacheCase).standstill),
		cacheCheck("hanging-calls-leave-no-goroutines", "A call leaves no goroutine behind once the backend has answered it.", cacheLetGo),
	)...)
}

// outage and standstill begin a fault that the check ends.
func (c *cacheCase) outage() (undo func(), err error) {
	if c.h.Break == nil {
		return nil, skip("the harness has no Break to make the backend fail")
	}
	return c.h.Break(c.cache), nil
}

func (c *cacheCase) standstill() (undo func(), err error) {
	switch {
	case c.h.Hang != nil:
		return c.h.Hang(c.cache), nil
	case c.h.HangWrites != nil:
		return c.h.HangWrites(c.cache), nil
	}
	return nil, skip("the harness has no Hang to make the backend hang")
}

// recovery is how long a client may take to find out that its backend is back.
const recovery = 8 * time.Second

// cacheRecovers calls every method while there is a fault, and wants all to work
// soon after, and from then on.
func cacheRecovers(c *cacheCase, fault func(*cacheCase) (func(), error)) error {
	if err := c.set(c.key("k"), "value", time.Hour); err != nil {
		return err
	}
	undo, err := fault(c)
	if err != nil {
		return err
	}
	attack(undo, 24, func(i int) { // enough for all that a client counts
		for range 3 {
			ctx, cancel := context.WithTimeout(c.ctx, hungAnswer)
			for _, call := range []cacheCall{getCall, setCall, deleteCall, removeCall} {
				_ = call.do(c, ctx, c.key(fmt.Sprint("during-", i)))
			}
			cancel()
		}
	})
	return recovers(c.pace, func(round int) error {
		key := c.key(fmt.Sprint("after-", round))
		if err := c.set(key, "value", time.Hour); err != nil {
			return err
		}
		if _, err := c.holds(key, "value"); err != nil {
			return err
		}
		if _, _, err := c.get(c.ctx, c.key("k")); err != nil {
			return fmt.Errorf("Get of a key from before the fault = %w; want nil", err)
		}
		return c.delete(key)
	}, func() error { return c.stored(c.key("last"), "value", time.Hour) })
}

// recovers wants rounds to succeed within seconds of a repair, then 40 in a row,
// and something to be seen at last.
func recovers(p pace, round func(i int) error, seen func() error) error {
	const inARow = 40
	last, good := error(nil), 0
	deadline := time.Now().Add(recovery)
	for i := 0; good < inARow; i++ {
		if last = round(i); last == nil {
			good++
			continue
		}
		if good = 0; time.Now().After(deadline) {
			return doubt(fmt.Errorf("%v after the backend was repaired: %w", recovery, last))
		}
		time.Sleep(20 * time.Millisecond)
		if p.advance != nil {
			p.advance(200 * time.Millisecond)
		}
		if err := p.ctx.Err(); err != nil {
			return err
		}
	}
	return seen()
}

// cacheAfterwards writes while the backend fails, and reads when it is back.
func cacheAfterwards(c *cacheCase) error {
	const n = 8
	for i := range n {
		if err := c.set(c.key(fmt.Sprint(i)), fmt.Sprint("before ", i), time.Hour); err != nil {
			return err
		}
	}
	undo, err := c.outage()
	if err != nil {
		return err
	}
	for i := range n {
		_ = c.rawSet(c.ctx, c.key(fmt.Sprint(i)), []byte(fmt.Sprint("during ", i)), time.Hour)
		_, _, _ = c.get(c.ctx, c.key(fmt.Sprint(i)))
	}
	undo()
	for i := range n {
		key := c.key(fmt.Sprint(i))
		var found error
		err := recovers(c.pace, func(int) error {
			value, ok, err := c.get(c.ctx, key)
			before, during := fmt.Sprint("before ", i), fmt.Sprint("during ", i)
			if ok && string(value) != before && string(value) != during {
				found = fmt.Errorf("Get(%s) after an outage = %s; want %q, %q or a miss", show(key), show(value), before, during)
			}
			return err
		}, func() error { return found })
		if found != nil {
			return found
		}
		if err != nil {
			return doubt(skip("Get does not work after the outage, which is another check's finding"))
		}
	}
	return nil
}

func cacheLetGo(c *cacheCase) error {
	if c.h.Hang == nil && c.h.HangWrites == nil {
		return skip("the harness has no Hang to make the backend hang")
	}
	for range 5 { // connects, and starts what it keeps
		_ = c.set(c.key("warm"), "value", time.Hour)
	}
	var failed error
	err := letGo(c.env, packageOf(c.cache), "Set", func() func() {
		release, err := c.standstill()
		failed = err
		return release
	}, func(ctx context.Context, i int) error {
		return c.rawSet(ctx, c.key(fmt.Sprint(i)), []byte("value"), time.Hour)
	})
	return errors.Join(failed, err)
}
