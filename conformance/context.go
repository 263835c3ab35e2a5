package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// done are contexts that are done, and what ctx.Err() says of them.
type doneContext struct {
	name string
	ctx  context.Context
}

var errCause = errors.New("conformance: the cause of a cancellation")

func canceled(parent context.Context) doneContext {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return doneContext{"a canceled context", ctx}
}

// canceledForACause has an Err that is not its Cause.
func canceledForACause(parent context.Context) doneContext {
	ctx, cancel := context.WithCancelCause(parent)
	cancel(errCause)
	return doneContext{"a context canceled for a cause", ctx}
}

func pastDeadline(parent context.Context) doneContext {
	ctx, cancel := context.WithDeadline(parent, time.Unix(1, 0))
	cancel()
	return doneContext{"a context past its deadline", ctx}
}

// refusal wants the error of a call to match ctx.Err().
func (d doneContext) refusal(call string, err error) error {
	if !errors.Is(err, d.ctx.Err()) {
		return fmt.Errorf("%s with %s = %v; want an error that matches %q", call, d.name, err, d.ctx.Err())
	}
	return nil
}

// hungAnswer is how soon the context of a call to a hanging backend is done.
const hungAnswer = 25 * time.Millisecond

// promptly makes a call that hangs until its deadline and wants it back soon
// after, with an error that matches.
func promptly(env *Env, call string, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(env.ctx, hungAnswer)
	defer cancel()
	outcome := spawn(func() error { return &returned{f(ctx)} })
	late := time.NewTimer(hungAnswer + patience)
	defer late.Stop()
	select {
	case err := <-outcome:
		var back *returned
		if !errors.As(err, &back) {
			return err // a panic
		}
		if back.err == nil {
			return fmt.Errorf("%s while the backend hangs = nil; want an error that matches %q", call, context.DeadlineExceeded)
		}
		<-ctx.Done() // an answer may come early
		if !errors.Is(back.err, context.DeadlineExceeded) {
			return fmt.Errorf("%s while the backend hangs = %w; want an error that matches %q", call, back.err, context.DeadlineExceeded)
		}
		return nil
	case <-late.C:
		return fmt.Errorf("%s while the backend hangs is not back %v after its context's deadline; want it back promptly", call, patience)
	}
}

// returned carries what a call returned past the errors of spawn.
type returned struct{ err error }

func (r *returned) Error() string { return fmt.Sprint(r.err) }

// How many calls a hanging backend gets, and how many goroutines may be left.
const (
	flood     = 3000
	mostFloat = flood / 2
)

// bounded makes calls that time out and counts the goroutines left behind.
func bounded(env *Env, call string, f func(ctx context.Context, i int) error) error {
	before := runtime.NumGoroutine()
	const at = 100
	for round := range flood / at {
		ctx, cancel := context.WithTimeout(env.ctx, time.Millisecond)
		err := together(at, func(i int) error {
			if err := f(ctx, round*at+i); err == nil {
				return fmt.Errorf("%s while the backend hangs = nil; want an error", call)
			}
			return nil
		})
		cancel()
		if err != nil {
			return err
		}
	}
	if left := runtime.NumGoroutine() - before; left > mostFloat {
		return fmt.Errorf("%d calls of %s to a hanging backend left %d goroutines behind; want a bound that is well below", flood, call, left)
	}
	return nil
}

// refusals looks at the errors of a call with contexts that are done. That
// there is one is another check's to say.
func refusals(call string, f func(ctx context.Context) error, contexts ...doneContext) error {
	for _, d := range contexts {
		if err := f(d.ctx); err != nil {
			if err := d.refusal(call, err); err != nil {
				return err
			}
		}
	}
	return nil
}
