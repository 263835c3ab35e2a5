package conformance

import (
	"context"
	"fmt"
	"time"
)

func cacheFaults() []Check[CacheHarness] {
	const (
		done   = "when ctx is done, every method returns promptly with an error that matches ctx.Err() under errors.Is, even if the backend hangs."
		down   = "A backend that cannot answer is an error, never a miss."
		flight = "Where a client has no contexts, the adapter bounds its calls in flight and fails the excess at once."
	)
	withDone := func(call cacheCall) func(*cacheCase) error {
		return func(c *cacheCase) error { return cacheDone(c, call, canceled(c.ctx)) }
	}
	return []Check[CacheHarness]{
		cacheCheck("get-with-a-done-context", done, withDone(getCall)),
		cacheCheck("set-with-a-done-context", done, withDone(setCall)),
		cacheCheck("delete-with-a-done-context", done, withDone(deleteCall)),
		cacheCheck("past-deadlines-are-told-from-cancellation", done, func(c *cacheCase) error { return cacheDoneAll(c, pastDeadline(c.ctx)) }),
		cacheCheck("causes-do-not-hide-the-context-error", done, func(c *cacheCase) error { return cacheDoneAll(c, canceledForACause(c.ctx)) }),
		cacheCheck("get-from-a-hanging-backend", done, cacheHung(getCall)),
		cacheCheck("set-to-a-hanging-backend", done, cacheHung(setCall)),
		cacheCheck("delete-from-a-hanging-backend", done, cacheHung(deleteCall)),
		cacheCheck("calls-in-flight-are-bounded", flight, cacheBounded),
		cacheCheck("get-from-a-backend-that-is-down", down, cacheDown(getCall)),
		cacheCheck("set-to-a-backend-that-is-down", down, cacheDown(setCall)),
		cacheCheck("delete-from-a-backend-that-is-down", down, cacheDown(deleteCall)),
		cacheCheck("errors-do-not-show-the-value", "Errors never contain the value.", cacheSilent),
	}
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

// with adds Set with a ttl of zero to Set, as adapters often have a way of its
// own for it.
func (call cacheCall) with() []cacheCall {
	if call.name == setCall.name {
		return []cacheCall{call, removeCall}
	}
	return []cacheCall{call}
}

// cacheDone makes a call with a context that is done, on a key that is there
// and on one that is not.
func cacheDone(c *cacheCase, call cacheCall, done doneContext) error {
	if err := c.set(c.key("present"), "value", time.Hour); err != nil {
		return err
	}
	for _, name := range []string{"present", "absent"} {
		for _, call := range call.with() {
			if err := done.refusal(call.name, call.do(c, done.ctx, c.key(name))); err != nil {
				return err
			}
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

// hang makes the backend hang for the rest of the check.
func (c *cacheCase) hang() error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang to make the backend hang")
	}
	c.env.Cleanup(c.h.Hang(c.cache))
	return nil
}

func cacheHung(call cacheCall) func(*cacheCase) error {
	return func(c *cacheCase) error {
		if err := c.set(c.key("present"), "value", time.Hour); err != nil {
			return err
		}
		if err := c.hang(); err != nil {
			return err
		}
		for _, call := range call.with() {
			err := promptly(c.env, call.name, func(ctx context.Context) error { return call.do(c, ctx, c.key("present")) })
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func cacheBounded(c *cacheCase) error {
	if err := c.hang(); err != nil {
		return err
	}
	return bounded(c.env, "Get", func(ctx context.Context, i int) error {
		_, ok, err := c.get(ctx, c.key(fmt.Sprint(i)))
		if ok {
			return nil
		}
		return err
	})
}

// breakDown makes the backend fail for the rest of the check.
func (c *cacheCase) breakDown() error {
	if c.h.Break == nil {
		return skip("the harness has no Break to make the backend fail")
	}
	c.env.Cleanup(c.h.Break(c.cache))
	return nil
}

func cacheDown(call cacheCall) func(*cacheCase) error {
	return func(c *cacheCase) error {
		if err := c.set(c.key("present"), "value", time.Hour); err != nil {
			return err
		}
		if err := c.breakDown(); err != nil {
			return err
		}
		for _, name := range []string{"present", "absent"} {
			for _, call := range call.with() {
				if err := call.do(c, c.ctx, c.key(name)); err == nil {
					return fmt.Errorf("%s of a key that is %s, while the backend is down = nil error; want an error", call.name, name)
				}
			}
		}
		return nil
	}
}

// cacheSilent looks at all errors that it can bring about.
func cacheSilent(c *cacheCase) error {
	key, secret := c.key("k"), "secret-"+randomHex(16)
	try := func(ctx context.Context, value string, what string) error {
		calls := map[string]error{
			"Set":    c.rawSet(ctx, key, []byte(value), time.Hour),
			"Delete": c.rawDelete(ctx, key),
		}
		_, _, calls["Get"] = c.get(ctx, key)
		for name, err := range calls {
			if err != nil && leaks(err, secret) {
				return fmt.Errorf("the error of %s %s has the value in it; want an error without", name, what)
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
