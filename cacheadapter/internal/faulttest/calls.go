package faulttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// Caller is an adapter under the tests of [Calls].
type Caller struct {
	Store interface {
		Store
		verifier.Clearer
	}
	// Hang makes the server hang until release is called.
	Hang func() (release func())
	// Panic makes the client panic until stop is called.
	Panic func() (stop func())
}

// Calls tests how an adapter calls a client that knows no contexts, or not
// everywhere: the same table for all of them, for each has code of its own for
// it. start returns an adapter with a bound on the calls in flight, beyond which
// they fail with busy.
func Calls(t *testing.T, busy error, start func(t *testing.T, inFlight int) Caller) {
	for name, test := range map[string]func(t *testing.T, c Caller, call operation){
		"a context that is done": func(t *testing.T, c Caller, call operation) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			wantCall(t, ctx, c, call, context.Canceled)
		},
		"a deadline that passes while the server hangs": func(t *testing.T, c Caller, call operation) {
			defer c.Hang()()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			wantCall(t, ctx, c, call, context.DeadlineExceeded)
		},
		"a cancellation while the server hangs": func(t *testing.T, c Caller, call operation) {
			defer c.Hang()()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(30*time.Millisecond, cancel)
			wantCall(t, ctx, c, call, context.Canceled)
		},
		"as many calls in flight as the bound allows": func(t *testing.T, c Caller, call operation) {
			release := c.Hang()
			ctx, cancel := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for range calls {
				group.Go(func() { _, _ = c.Store.Add(ctx, "another", time.Minute) })
			}
			until(t, func() error { // each of them has its place
				if _, _, err := c.Store.Get(deadline(t), "k"); !errors.Is(err, busy) {
					return errors.New("a call beyond the bound is not refused")
				}
				return nil
			})
			wantCall(t, t.Context(), c, call, busy)
			cancel()
			release()
			group.Wait()
			until(t, func() error { return call(t.Context(), c) }) // the places are given back
		},
		"a client that panics": func(t *testing.T, c Caller, call operation) {
			stop := c.Panic()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			wantCall(t, ctx, c, call, nil)
			stop()
			until(t, func() error { return call(t.Context(), c) })
		},
		"a context without end": func(t *testing.T, c Caller, call operation) {
			if err := call(context.WithoutCancel(t.Context()), c); err != nil {
				t.Errorf("the call = %v; want no error", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for op, call := range operations {
				t.Run(op, func(t *testing.T) {
					t.Parallel()
					test(t, start(t, calls), call)
				})
			}
		})
	}
}

// calls is the bound that [Calls] tests with.
const calls = 3

// operation is a call with a key and a value that no error may show.
type operation func(ctx context.Context, c Caller) error

var operations = map[string]operation{
	"Get": func(ctx context.Context, c Caller) error { _, _, err := c.Store.Get(ctx, "secret-key"); return err },
	"Set": func(ctx context.Context, c Caller) error {
		return c.Store.Set(ctx, "secret-key", []byte("secret-value"), time.Minute)
	},
	"Set without ttl": func(ctx context.Context, c Caller) error {
		return c.Store.Set(ctx, "secret-key", []byte("secret-value"), 0)
	},
	"Delete": func(ctx context.Context, c Caller) error { return c.Store.Delete(ctx, "secret-key") },
	"Add": func(ctx context.Context, c Caller) error {
		_, err := c.Store.Add(ctx, "secret-key", time.Minute)
		return err
	},
	"Clear": func(ctx context.Context, c Caller) error { return c.Store.Clear(ctx) },
}

// wantCall makes a call that must fail soon, without secrets, and with an error
// if one is given.
func wantCall(t *testing.T, ctx context.Context, c Caller, call operation, want error) {
	t.Helper()
	start := time.Now()
	err := call(ctx, c)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the call took %v", took)
	}
	if err == nil || want != nil && !errors.Is(err, want) || strings.Contains(err.Error(), "secret") {
		t.Errorf("the call = %v; want %v and no secrets", err, want)
	}
}

// deadline returns a context for a call that should not hang.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// until waits until f returns nil.
func until(t *testing.T, f func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
