package conformance_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// outage can be down or hang, as a harness asks for.
type outage struct {
	mu   sync.Mutex
	down bool
	hang chan struct{}
}

// enter is the beginning of a good call.
func (b *outage) enter(ctx context.Context) error {
	b.mu.Lock()
	down, hang := b.down, b.hang
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if down {
		return errDown
	}
	return nil
}

func (b *outage) isBroken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down
}

func (b *outage) isHung() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hang != nil
}

func (b *outage) breakIt() func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.down = false
	}
}

func (b *outage) hangIt() func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	hang := make(chan struct{})
	b.hang = hang
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hang = nil
		close(hang)
	}
}

// wait lasts until the backend answers again, whatever the caller's context.
func (b *outage) wait() {
	b.mu.Lock()
	hang := b.hang
	b.mu.Unlock()
	if hang != nil {
		<-hang
	}
}

// illMannered makes a mistake around each call to a backend.
type illMannered = func(b *outage) func(ctx context.Context, do func(ctx context.Context) error) error

// stateless is illMannered for mistakes that remember nothing.
func stateless(f func(b *outage, ctx context.Context, do func(ctx context.Context) error) error) illMannered {
	return func(b *outage) func(ctx context.Context, do func(ctx context.Context) error) error {
		return func(ctx context.Context, do func(ctx context.Context) error) error { return f(b, ctx, do) }
	}
}

// givesUp fails for ever after some errors of a kind.
func givesUp(kind error) illMannered {
	return func(*outage) func(ctx context.Context, do func(ctx context.Context) error) error {
		var errs streak
		return func(ctx context.Context, do func(ctx context.Context) error) error {
			if errs.n.Load() > 5 && ctx.Err() == nil {
				return errTimeout
			}
			dead := ctx.Err() != nil
			err := do(ctx)
			if !dead {
				errs.note(err, kind)
			}
			return err
		}
	}
}

// mannersDefects are the mistakes of contexts and faults that every interface which
// asks a backend can have. Hanging is the name of its check of a hanging call.
func mannersDefects(hanging string) []defect[illMannered] {
	return []defect[illMannered]{
		{name: "every end of a context is a cancellation", fails: "past-deadlines-are-told-from-cancellation", make: stateless(func(_ *outage, ctx context.Context, do func(ctx context.Context) error) error {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return do(ctx)
		})},
		{name: "a deadline that has passed is not looked at", fails: "done-context-is-an-error", make: stateless(func(_ *outage, ctx context.Context, do func(ctx context.Context) error) error {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				ctx = context.WithoutCancel(ctx)
			}
			return do(ctx)
		})},
		{name: "the cause replaces the error of the context", fails: "causes-do-not-hide-the-context-error", make: stateless(func(_ *outage, ctx context.Context, do func(ctx context.Context) error) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return do(ctx)
		})},
		{name: "a call that was given up breaks the next", fails: "a-done-context-harms-no-later-call", make: func(*outage) func(ctx context.Context, do func(ctx context.Context) error) error {
			var broken atomic.Bool
			return func(ctx context.Context, do func(ctx context.Context) error) error {
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					broken.Store(true)
				} else if ctx.Err() == nil && broken.Swap(false) {
					return errTimeout
				}
				return do(ctx)
			}
		}},
		{name: "the time-out of the client does not match", fails: hanging, make: stateless(func(b *outage, ctx context.Context, do func(ctx context.Context) error) error {
			hung := b.isHung() && ctx.Err() == nil
			err := do(ctx)
			if hung && ctx.Err() != nil {
				return errTimeout
			}
			return err
		})},
		{name: "the client knows deadlines alone", fails: "canceled-while-the-backend-hangs", make: stateless(func(b *outage, ctx context.Context, do func(ctx context.Context) error) error {
			if _, ok := ctx.Deadline(); !ok && ctx.Err() == nil {
				b.wait()
			}
			return do(ctx)
		})},
		{name: "a lock is held while the backend is asked", fails: "a-hanging-call-holds-up-no-other", make: func(*outage) func(ctx context.Context, do func(ctx context.Context) error) error {
			var mu sync.Mutex
			return func(ctx context.Context, do func(ctx context.Context) error) error {
				mu.Lock()
				defer mu.Unlock()
				return do(ctx)
			}
		}},
		{name: "after some time-outs, the client has given up", fails: "works-after-a-hang", make: givesUp(context.DeadlineExceeded)},
		{name: "after some errors, the client has given up", fails: "works-after-an-outage", make: givesUp(errDown)},
	}
}

// withManners adds the mistakes of contexts and faults to those of an interface. Apply
// puts one around each call.
func withManners[T any](own []defect[T], hanging string, apply func(ill illMannered) T) []defect[T] {
	for _, d := range mannersDefects(hanging) {
		own = append(own, defect[T]{name: d.name, fails: d.fails, make: apply(d.make)})
	}
	return own
}
