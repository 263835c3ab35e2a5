package lifecycle

import (
	"context"
	"errors"
	"fmt"
)

// errCachePanic stands for a panic of somebody's cache or lease store.
var errCachePanic = errors.New("lifecycle: panic in the cache")

// bounded runs a call of other people's code in a goroutine, so that one which
// ignores its context cannot hold a refresh up for longer than that context.
func bounded[R any](ctx context.Context, f func(context.Context) (R, error)) (R, error) {
	type result struct {
		value R
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = errCachePanic
			}
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var zero R
		return zero, fmt.Errorf("lifecycle: cache: %w", ctx.Err())
	}
}
