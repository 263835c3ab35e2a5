// Package foreign calls code that is not ours: caches, stores, resolvers,
// fetchers, clocks, observers and hooks that users of this module write. A panic
// in it becomes an error, a context that has ended is noticed before the call,
// and a call that ignores its context can be left behind.
package foreign

import (
	"context"
	"errors"
	"fmt"
)

// ErrPanic stands for a panic of the called code. What it panicked with is
// dropped: it may hold secrets.
var ErrPanic = errors.New("portcullis: a function or interface of the calling program panicked")

// Call calls f in this goroutine, unless ctx has ended. It turns a panic into
// ErrPanic.
func Call[T any](ctx context.Context, f func() (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		var zero T
		return zero, err
	}
	return Guard(f)
}

// Guard is Call for code that takes no context. An error whose methods panic, such
// as a nil pointer of a type that is an error, becomes ErrPanic too: errors.Is and
// errors.As call them later, where nothing guards.
func Guard[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if recover() != nil {
			var zero T
			value, err = zero, ErrPanic
		}
	}()
	if value, err = f(); err != nil {
		probe(err)
	}
	return value, err
}

// probe calls the methods of an error, and of those that it wraps.
func probe(err error) {
	_ = errors.Is(err, errProbe)
	errors.As(err, new(*probed))
	_ = err.Error()
}

// probed is an error that nobody returns.
type probed struct{}

func (*probed) Error() string { return "" }

var errProbe = new(probed)

// Tell calls f, and drops a panic in it: for observers, whose failures are
// nobody's failure.
func Tell(f func()) {
	defer func() { _ = recover() }()
	f()
}

// Within calls f in a goroutine of its own and returns when f does or when ctx
// ends, whichever is first, so that code which ignores its context holds up
// nobody. The goroutine of such a call lives until f returns; the caller bounds
// how many there can be. An error by the end of ctx matches ctx.Err().
func Within[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := Guard(func() (T, error) { return f(ctx) })
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, fmt.Errorf("portcullis: gave up waiting: %w", ctx.Err())
	}
}
