package memcache

import "context"

// call runs f with a place among the calls in flight and waits for it, but no
// longer than ctx lasts: the client knows no contexts. f then ends by the
// client's timeout, and gives its place back. cacheadapter/redis has the same
// logic in its call.go, by design: an adapter imports nothing of ours. One table
// tests both (cacheadapter/internal/faulttest).
func call[T any](ctx context.Context, s *Store, op string, f func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, failure(op, err)
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return none, ErrBusy
	}
	run := func() (value T, err error) {
		defer func() { <-s.slots }()
		defer guard(&err)
		return f()
	}

	if ctx.Done() == nil {
		value, err := run()
		return value, failure(op, err)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := run()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		if err := ctx.Err(); err != nil && r.err != nil {
			return none, failure(op, err)
		}
		return r.value, failure(op, r.err)
	case <-ctx.Done():
		return none, failure(op, ctx.Err())
	}
}

// guard turns a panic, of the client at an answer of nonsense, into an error. In
// a goroutine of ours the caller cannot recover it.
func guard(err *error) {
	if recover() != nil {
		*err = errPanic
	}
}
