package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
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

type cached struct {
	value []byte
	ok    bool
}

func (s *Store[T]) cacheGet(ctx context.Context, key string) ([]byte, bool, error) {
	r, err := bounded(ctx, func(ctx context.Context) (cached, error) {
		value, ok, err := s.cfg.Cache.Get(ctx, key)
		return cached{value, ok}, err
	})
	return r.value, r.ok, err
}

func (s *Store[T]) cacheSet(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := bounded(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.cfg.Cache.Set(ctx, key, value, ttl)
	})
	return err
}

func (s *Store[T]) leaseAdd(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return bounded(ctx, func(ctx context.Context) (bool, error) {
		return s.cfg.Lease.Add(ctx, key, ttl)
	})
}
