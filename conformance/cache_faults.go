package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What the contract says of contexts and of backends that fail.
const (
	ruleDone    = "when ctx is done, every method returns promptly with an error that matches ctx.Err() under errors.Is, even if the backend hangs."
	ruleWaiting = "A call never waits for another call longer than its own ctx lasts."
	ruleDown    = "A backend that cannot answer is an error, never a miss."
	ruleFlight  = "Where a client has no contexts, the adapter bounds its calls in flight and fails the excess at once."
)

func cacheFaults() []Check[CacheHarness] {
	withDone := func(call cacheCall) func(*cacheCase) error {
		return func(c *cacheCase) error { return cacheDone(c, call, canceled(c.ctx)) }
	}
	checks := []Check[CacheHarness]{
		cacheCheck("get-with-a-done-context", ruleDone, withDone(getCall)),
		cacheCheck("set-with-a-done-context", ruleDone, withDone(setCall)),
		cacheCheck("delete-with-a-done-context", ruleDone, withDone(deleteCall)),
		cacheCheck("past-deadlines-are-told-from-cancellation", ruleDone, func(c *cacheCase) error { return cacheDoneAll(c, pastDeadline(c.ctx)) }),
		cacheCheck("causes-do-not-hide-the-context-error", ruleDone, func(c *cacheCase) error { return cacheDoneAll(c, canceledForACause(c.ctx)) }),
		cacheCheck("a-done-context-harms-no-later-call", ruleDone, cacheAfterDone),
		cacheCheck("errors-do-not-show-the-value", "Errors never contain the value.", cacheSilent),
	}
	hanging := group(groupHang,
		cacheCheck("get-from-a-hanging-backend", ruleDone, cacheHung(getCall, byDeadline)),
		cacheCheck("set-to-a-hanging-backend", ruleDone, cacheHung(setCall, byDeadline)),
		cacheCheck("delete-from-a-hanging-backend", ruleDone, cacheHung(deleteCall, byDeadline)),
		cacheCheck("get-is-canceled-while-the-backend-hangs", ruleDone, cacheHung(getCall, byCancel)),
		cacheCheck("set-is-canceled-while-the-backend-hangs", ruleDone, cacheHung(setCall, byCancel)),
		cacheCheck("delete-is-canceled-while-the-backend-hangs", ruleDone, cacheHung(deleteCall, byCancel)),
		cacheCheck("a-hanging-call-holds-up-no-other", ruleWaiting, cacheBehind),
		cacheCheck("calls-in-flight-are-bounded", ruleFlight, func(c *cacheCase) error { return cacheFlight(c, bounded) }),
		cacheCheck("calls-beyond-the-bound-fail-at-once", ruleFlight, func(c *cacheCase) error { return cacheFlight(c, excessive) }),
		cacheCheck("errors-of-time-outs-do-not-show-the-value", "Errors never contain the value.", cacheSilentHang),
	)
	breaking := group(groupBreak,
		cacheCheck("get-from-a-backend-that-is-down", ruleDown, cacheDown(getCall)),
		cacheCheck("set-to-a-backend-that-is-down", ruleDown, cacheDown(setCall)),
		cacheCheck("delete-from-a-backend-that-is-down", ruleDown, cacheDown(deleteCall)),
		cacheCheck("a-long-outage-stays-an-error", ruleDown, cacheLongOutage),
	)
	return slices.Concat(checks, hanging, breaking)
}

// cacheCall is one method with its arguments, or Set with a ttl of zero.
type cacheCall struct {
	name string
	do   func(c *cacheCase, ctx context.Context, key string) error
}

// The calls.
var (
	getCall = cacheCall{"Get", func(c *cacheCase, ctx context.Context, key string) error {
		_, ok, err := c.get(ctx, key)
		if ok && err != nil {
			return fmt.Errorf("%w with ok == true", err)
		}
		return err
	}}
	setCall = cacheCall{"Set", func(c *cacheCase, ctx context.Context, key string) error {
		return c.rawSet(ctx, key, []byte("value"), time.Hour)
	}}
	removeCall = cacheCall{"Set with a ttl of 0", func(c *cacheCase, ctx context.Context, key string) error {
		return c.rawSet(ctx, key, []byte("value"), 0)
	}}
	deleteCall = cacheCall{"Delete", func(c *cacheCase, ctx context.Context, key string) error {
		return c.rawDelete(ctx, key)
	}}
)

// setSecret is Set of a value.
func setSecret(value string, ttl time.Duration) cacheCall {
	return cacheCall{fmt.Sprintf("Set with a ttl of %v", ttl), func(c *cacheCase, ctx context.Context, key string) error {
		return c.rawSet(ctx, key, []byte(value), ttl)
	}}
}

// with adds Set with a ttl of zero to Set, as adapters often have a way of its
// own for it.
func (call cacheCall) with() []cacheCall {
	if call.name == setCall.name {
		return []cacheCall{call, removeCall}
	}
	return []cacheCall{call}
}

// cacheDone makes a call with a context that is done, on keys that are there, of
// any kind, and on one that is not.
func cacheDone(c *cacheCase, call cacheCall, done doneContext) error {
	keys := []string{c.key("present"), c.key("absent")}
	if err := c.set(keys[0], "value", time.Hour); err != nil {
		return err
	}
	for i, e := range kindsOfEntries() {
		key := c.key(fmt.Sprint(i) + e.key)
		if err := c.set(key, e.value, time.Hour); err != nil {
			return err
		}
		if _, _, err := c.get(c.ctx, key); err != nil { // may keep it near
			return err
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		for _, call := range call.with() {
			if err := done.refusal(call.name, call.do(c, done.ctx, key)); err != nil {
				return err
			}
		}
	}
	if call.name != setCall.name {
		return nil
	}
	for _, value := range [][]byte{nil, randomBytes(maxValue), randomBytes(maxValue + 1)} {
		err := c.rawSet(done.ctx, keys[0], value, time.Hour)
		if err := done.refusal(fmt.Sprintf("Set of %d bytes", len(value)), err); err != nil {
			return err
		}
	}
	return nil
}

func cacheDoneAll(c *cacheCase, done doneContext) error {
	for _, call := range []cacheCall{getCall, setCall, deleteCall} {
		err := call.do(c, done.ctx, c.key("k"))
		if err == nil {
			continue // the checks of one method each say so
		}
		if err := done.refusal(call.name, err); err != nil {
			return err
		}
	}
	return nil
}

// cacheAfterDone finds state that a call which was given up leaves behind.
func cacheAfterDone(c *cacheCase) error {
	for i := range 30 {
		for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
			for _, call := range []cacheCall{getCall, setCall, removeCall, deleteCall} {
				_ = call.do(c, d.ctx, c.key("given-up"))
			}
		}
		if err := c.stored(c.key(fmt.Sprint(i%3)), fmt.Sprint("value ", i), time.Hour); err != nil {
			return fmt.Errorf("after calls with done contexts: %w", err)
		}
		if err := c.delete(c.key(fmt.Sprint(i % 3))); err != nil {
			return fmt.Errorf("after calls with done contexts: %w", err)
		}
	}
	return nil
}

// hang makes the backend hang for the rest of the check. Reads reports whether
// reads hang as well.
func (c *cacheCase) hang(reads bool) error {
	switch {
	case c.h.Hang != nil:
		c.env.Cleanup(c.h.Hang(c.cache))
		return nil
	case c.h.HangWrites != nil && !reads:
		c.env.Cleanup(c.h.HangWrites(c.cache))
		return nil
	case c.h.HangWrites != nil:
		return skip("the harness can hang writes alone")
	}
	return skip("the harness has no Hang to make the backend hang")
}

func cacheHung(call cacheCall, end ending) func(*cacheCase) error {
	return func(c *cacheCase) error {
		keys := []string{c.key("present"), c.key("a key with spaces")}
		for _, key := range keys {
			if err := c.set(key, "value", time.Hour); err != nil {
				return err
			}
		}
		if err := c.hang(call.name == getCall.name); err != nil {
			return err
		}
		for _, key := range keys { // one call at a time: clients have a way of their own for it
			for _, call := range call.with() {
				err := promptly(c.env, call.name, end, func(ctx context.Context) error { return call.do(c, ctx, key) })
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// cacheBehind finds locks that are held, and flights that are shared, while the
// backend hangs.
func cacheBehind(c *cacheCase) error {
	if err := c.hang(false); err != nil {
		return err
	}
	calls := []cacheCall{getCall, setCall, deleteCall}
	if c.h.Hang == nil {
		calls = calls[1:]
	}
	var followers []follower
	for _, second := range calls {
		for _, key := range []string{"the same", "another"} {
			followers = append(followers, follower{second.name + " of " + key + " key", func(ctx context.Context) error {
				return second.do(c, ctx, c.key(key))
			}})
		}
	}
	for _, first := range calls {
		err := behind(c.env, first.name, func(ctx context.Context) error { return first.do(c, ctx, c.key("the same")) }, followers...)
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheFlight looks at reads, or at writes where only those hang.
func cacheFlight(c *cacheCase, look func(*Env, string, string, func(context.Context, int) error) error) error {
	if err := c.hang(false); err != nil {
		return err
	}
	call := getCall
	if c.h.Hang == nil {
		call = setCall
	}
	return look(c.env, packageOf(c.cache), call.name, func(ctx context.Context, i int) error {
		return call.do(c, ctx, c.key(fmt.Sprint(i)))
	})
}

// breakDown makes the backend fail for the rest of the check.
func (c *cacheCase) breakDown() error {
	undo, err := c.outage()
	if err == nil {
		c.env.Cleanup(undo)
	}
	return err
}

func cacheDown(call cacheCall) func(*cacheCase) error {
	return func(c *cacheCase) error {
		keys := map[string]string{"present": c.key("present"), "absent": c.key("absent"), "present, and was read just before": c.key("read")}
		for what, key := range keys {
			if what == "absent" {
				continue
			}
			if err := c.set(key, "value", time.Hour); err != nil {
				return err
			}
		}
		_, _, _ = c.get(c.ctx, keys["present, and was read just before"])
		if err := c.breakDown(); err != nil {
			return err
		}
		for what, key := range keys {
			for _, call := range call.with() {
				if call.name == getCall.name && what == "present, and was read just before" {
					if lost, err := c.holds(key, "value"); err == nil && lost { // the value will do, from wherever
						return fmt.Errorf("Get of a key that is %s, while the backend is down = a miss; want an error", what)
					}
					continue
				}
				if err := call.do(c, c.ctx, key); err == nil {
					return fmt.Errorf("%s of a key that is %s, while the backend is down = nil error; want an error", call.name, what)
				}
			}
		}
		return nil
	}
}

// cacheLongOutage finds clients that give up asking, and say so by a miss.
func cacheLongOutage(c *cacheCase) error {
	if err := c.breakDown(); err != nil {
		return err
	}
	for i := range 40 {
		for _, call := range []cacheCall{getCall, setCall, deleteCall} {
			ctx, cancel := context.WithTimeout(c.ctx, time.Second)
			err := call.do(c, ctx, c.key(fmt.Sprint(i%4)))
			cancel()
			if err == nil && i == 0 {
				return skip("%s while the backend is down is no error, which is another check's finding", call.name)
			}
			if err == nil {
				return fmt.Errorf("%s number %d while the backend is down = nil error; want an error each time", call.name, i+1)
			}
		}
	}
	return nil
}

// errorsOf are the errors of all methods, with a value in hand.
func errorsOf(c *cacheCase, ctx context.Context, key, value string) map[string]error {
	errs := map[string]error{
		"Set":                 c.rawSet(ctx, key, []byte(value), time.Hour),
		"Delete":              c.rawDelete(ctx, key),
		"Set with a ttl of 0": c.rawSet(ctx, key, []byte(value), 0),
	}
	_, _, errs["Get"] = c.get(ctx, key)
	return errs
}

// cacheSilent looks at all errors that it can bring about.
func cacheSilent(c *cacheCase) error {
	key, secret := c.key("k"), "secret-"+randomHex(16)
	try := func(ctx context.Context, value string, what string) error {
		_ = c.rawSet(ctx, key, []byte("another"), time.Hour) // Delete has something to delete, also when Set is refused
		for name, err := range errorsOf(c, ctx, key, value) {
			if err != nil && leaks(err, secret) {
				return fmt.Errorf("the error of %s %s has the value or a part of it in it; want an error without", name, what)
			}
		}
		return nil
	}
	if err := try(c.ctx, secret, "of a small value"); err != nil {
		return err
	}
	large := make([]byte, 2<<20)
	copy(large, secret)
	if err := try(c.ctx, string(large), "of a value of 2 MiB"); err != nil {
		return err
	}
	if err := c.set(key, secret, time.Hour); err != nil {
		return err
	}
	if err := try(canceled(c.ctx).ctx, secret, "with a canceled context"); err != nil {
		return err
	}
	if c.h.Break == nil {
		return nil
	}
	if err := c.breakDown(); err != nil {
		return err
	}
	return try(c.ctx, secret, "while the backend is down")
}

func cacheSilentHang(c *cacheCase) error {
	key, secret := c.key("k"), "secret-"+randomHex(16)
	if err := c.set(key, secret, time.Hour); err != nil {
		return err
	}
	if err := c.hang(false); err != nil {
		return err
	}
	for _, end := range []ending{byDeadline, byCancel} {
		for _, call := range []cacheCall{getCall, setSecret(secret, time.Hour), setSecret(secret, 0), deleteCall} {
			ctx, cancel := end.new(c.ctx)
			back := spawn(func() error { return &returned{err: call.do(c, ctx, key)} })
			outcome, ok := await(back, hungAnswer)
			cancel()
			var got *returned
			switch {
			case !ok:
				return doubt(skip("%s does not end with its context, which is another check's finding", call.name))
			case !errors.As(outcome, &got):
				return outcome // a panic
			case got.err != nil && leaks(got.err, secret):
				return fmt.Errorf("the error of %s while the backend hangs has the value or a part of it in it; want an error without", call.name)
			}
		}
	}
	return nil
}

var errNoClear = errors.New("New() returned a cache without Clear, and one with it before; want one type")
