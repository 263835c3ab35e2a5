package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"
)

// enter takes a place among the calls in flight.
func (s *Store) enter(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return failure(op, err)
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
		return ErrBusy
	}
}

// leave gives a place back.
func (s *Store) leave() { <-s.slots }

// do hands a call over to the goroutines that send, and waits for the answer,
// but no longer than ctx lasts. A call that is given up before it was sent is
// not sent, and gives its place back at once; one that was sent keeps it until
// the client's timeouts end it. The answer is nil when the server has none
// (goredis.Nil).
func (s *Store) do(ctx context.Context, op string, lane lane, c *call) (answer any, err error) {
	if err := s.enter(ctx, op); err != nil {
		return nil, err
	}
	return s.await(ctx, op, s.hand(ctx, lane, c), c)
}

// doAll is do for several calls, which wait at the same time. Without an answer to
// each of them there is none.
func (s *Store) doAll(ctx context.Context, op string, lane lane, calls []*call) ([]any, error) {
	answers, lines := make([]any, len(calls)), make([]*line, 0, len(calls))
	var failed error
	for _, c := range calls {
		if failed = s.enter(ctx, op); failed != nil {
			break
		}
		lines = append(lines, s.hand(ctx, lane, c))
	}
	for i, line := range lines {
		answer, err := s.await(ctx, op, line, calls[i])
		if answers[i] = answer; failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return nil, failed
	}
	return answers, nil
}

// hand hands a call over that has its place.
func (s *Store) hand(ctx context.Context, lane lane, c *call) *line {
	c.ctx, c.lane, c.done = ctx, lane, make(chan error, 1)
	line := s.lines.of(c.key)
	line.add(c)
	return line
}

// await waits for the answer to a call that was handed over.
func (s *Store) await(ctx context.Context, op string, line *line, c *call) (answer any, err error) {
	select {
	case err = <-c.done:
	case <-ctx.Done():
		line.giveUp(c)
		return nil, failure(op, ctx.Err())
	}
	switch {
	case err == nil:
		return c.cmd.Val(), nil
	case errors.Is(err, goredis.Nil):
		return nil, nil
	case ctx.Err() != nil:
		return nil, failure(op, ctx.Err())
	}
	return nil, failure(op, err)
}

// alone runs f, which makes several calls of the client, in a goroutine with a
// place of its own, and waits for it no longer than ctx lasts: the client
// notices the end of a context while it waits for a connection, not while it
// waits for an answer. cacheadapter/memcache has the same logic in its call.go,
// by design: an adapter imports nothing of ours. One table tests both
// (cacheadapter/internal/faulttest).
func (s *Store) alone(ctx context.Context, op string, f func(context.Context) error) error {
	if err := s.enter(ctx, op); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer s.leave()
		done <- guarded(func() error { return f(ctx) })
	}()
	select {
	case err := <-done:
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		return failure(op, err)
	case <-ctx.Done():
		return failure(op, ctx.Err())
	}
}

// guarded runs f and turns a panic, of the client or of a hook in it, into an
// error. f runs in a goroutine of ours, where the caller cannot recover it.
func guarded(f func() error) (err error) {
	err = errPanic
	defer func() { _ = recover() }()
	return f()
}
