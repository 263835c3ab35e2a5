package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// doneContext is a context that is done, and its name.
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

// heeded wants a call not to succeed. What its error is like is another check's to
// say.
func (d doneContext) heeded(call string, err error) error {
	if err == nil {
		return fmt.Errorf("%s with %s = nil; want an error that matches %q", call, d.name, d.ctx.Err())
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

// ending is how the context of a call to a hanging backend ends.
type ending struct {
	name string
	want error
	new  func(parent context.Context) (context.Context, context.CancelFunc)
}

// hungAnswer is how soon the context of a call to a hanging backend is done.
const hungAnswer = 25 * time.Millisecond

// byDeadline and byCancel are the two ways. A context of the second has no
// deadline of its own, so that a client cannot take the deadline for all.
var (
	byDeadline = ending{"its deadline", context.DeadlineExceeded, func(parent context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(parent, hungAnswer)
	}}
	byCancel = ending{"its cancellation", context.Canceled, func(parent context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(withoutDeadline{parent})
		timer := time.AfterFunc(hungAnswer, cancel)
		return ctx, func() {
			timer.Stop()
			cancel()
		}
	}}
)

// withoutDeadline hides the deadline of a context, and ends with it.
type withoutDeadline struct{ context.Context }

func (withoutDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }

// promptly makes a call that hangs until its context ends, and wants it back
// soon after with an error that matches.
func promptly(env *Env, call string, end ending, f func(ctx context.Context) error) error {
	ctx, cancel := end.new(env.ctx)
	defer cancel()
	outcome := spawn(func() error {
		err := f(ctx)
		return &returned{err: err, early: ctx.Err() == nil}
	})
	err, ok := await(outcome, hungAnswer)
	if !ok {
		return doubt(fmt.Errorf("%s while the backend hangs is not back %v after %s; want it back promptly", call, patience, end.name))
	}
	var back *returned
	if !errors.As(err, &back) {
		return err // a panic
	}
	if back.err == nil {
		return fmt.Errorf("%s while the backend hangs = nil; want an error that matches %q", call, end.want)
	}
	if !back.early && !errors.Is(back.err, end.want) { // an early refusal may have a reason of its own
		return fmt.Errorf("%s while the backend hangs = %w; want an error that matches %q", call, back.err, end.want)
	}
	return nil
}

// returned carries what a call returned past the errors of spawn.
type returned struct {
	err   error
	early bool // before the end of its context
}

func (r *returned) Error() string { return fmt.Sprint(r.err) }

// follower is a call behind one that hangs.
type follower struct {
	call string
	do   func(ctx context.Context) error
}

// behind makes a call that stays in the hanging backend, and wants others to end with
// their own contexts: the first one alone, as clients share a connection only when
// there is a crowd, and then the rest at once.
func behind(env *Env, first string, occupy func(ctx context.Context) error, followers ...follower) error {
	ctx, cancel := context.WithCancel(env.ctx)
	defer cancel()
	occupied := spawn(func() error { return &returned{err: occupy(ctx)} })
	time.Sleep(hungAnswer)
	ends := func(f follower) error {
		return promptly(env, f.call+" behind a "+first+" that hangs", byDeadline, f.do)
	}
	if err := ends(followers[0]); err != nil {
		return err
	}
	rest := followers[1:]
	if err := together(len(rest), func(i int) error { return ends(rest[i]) }); err != nil {
		return err
	}
	cancel()
	_, _ = await(occupied, 0) // that it does not come back is another check's finding
	return nil
}

// How many calls a hanging backend gets, and how many goroutines may be left.
const (
	flood     = 3000
	mostFloat = flood / 2
)

// heeds reports whether a call to a hanging backend ends with its context at
// all. That it does not is the finding of one check, and others need not wait.
func heeds(env *Env, end ending, f func(ctx context.Context) error) bool {
	ctx, cancel := end.new(env.ctx)
	defer cancel()
	back := spawn(func() error { return f(ctx) })
	_, ok := await(back, hungAnswer)
	return ok
}

// attack lets workers call while there is a fault, and ends it when they are
// done, or soon, if they wait for that.
func attack(undo func(), workers int, f func(worker int)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = together(workers, func(worker int) error {
			f(worker)
			return nil
		})
	}()
	_, _ = await(done, 0)
	undo()
	<-done
}

// flooded makes calls that time out, and counts the goroutines that they leave.
func flooded(env *Env, pkg, call string, f func(ctx context.Context, i int) error) (left int, err error) {
	if !heeds(env, byDeadline, func(ctx context.Context) error { return f(ctx, 0) }) {
		return 0, doubt(skip("%s does not end with its context while the backend hangs, which is another check's finding", call))
	}
	before := env.goroutines(pkg)
	const at = 100
	for round := range flood / at {
		ctx, cancel := context.WithTimeout(env.ctx, time.Millisecond)
		all := spawn(func() error {
			return together(at, func(i int) error {
				if err := f(ctx, round*at+i); err == nil {
					return fmt.Errorf("%s while the backend hangs = nil; want an error", call)
				}
				return nil
			})
		})
		err, ok := await(all, 0)
		cancel()
		if !ok {
			return 0, doubt(fmt.Errorf("%s is not back %v after its deadline, when %d calls before it have timed out at a hanging backend; want it back promptly", call, patience, round*at))
		}
		if err != nil {
			return 0, err
		}
	}
	return env.settled(pkg, before) - before, nil
}

// bounded wants a bound of the calls that are in flight. The goroutines of a
// server or a proxy that the harness runs do not count.
func bounded(env *Env, pkg, call string, f func(ctx context.Context, i int) error) error {
	left, err := flooded(env, pkg, call, f)
	if err != nil {
		return err
	}
	if left > mostFloat {
		return fmt.Errorf("%d calls of %s to a hanging backend left %d goroutines behind; want a bound that is well below", flood, call, left)
	}
	return nil
}

// excessive wants calls beyond the bound to fail at once. A client that has
// contexts leaves no goroutine of the implementation's package behind, and needs
// no bound. One goroutine may carry many calls, so the crowd is larger than any
// bound that the check of the bound lets pass.
func excessive(env *Env, pkg, call string, f func(ctx context.Context, i int) error) error {
	before := env.goroutines(pkg)
	left, err := flooded(env, pkg, call, f)
	if err != nil {
		return doubt(skip("what the check of the bound finds is not this check's: %v", err))
	}
	if left < 8 || left > mostFloat {
		return nil
	}
	const excess, crowd = 32, flood
	const atOnce, until = time.Second, 3 * time.Second
	ctx, cancel := context.WithTimeout(env.ctx, until)
	defer cancel()
	failed := make(chan error, crowd)
	for i := range cap(failed) {
		go func() { failed <- f(ctx, i) }()
	}
	late := time.NewTimer(atOnce)
	defer late.Stop()
	for n := range excess {
		select {
		case <-failed:
		case <-late.C:
			if flying := env.goroutines(pkg) - before; flying > left+excess/2 {
				return nil // each is in flight, and ends with its context
			}
			return doubt(fmt.Errorf("%d of %d calls of %s were back after %v, while %d others were in flight to a hanging backend; want the excess to fail at once", n, cap(failed), call, atOnce, left))
		}
	}
	return nil
}

// letGo wants the goroutines of calls to end when the backend answers again.
func letGo(env *Env, pkg, call string, hang func() (release func()), f func(ctx context.Context, i int) error) error {
	const most = 20
	before := env.goroutines(pkg)
	attack(hang(), 100, func(i int) {
		ctx, cancel := context.WithTimeout(env.ctx, hungAnswer)
		defer cancel()
		_ = f(ctx, i) // that it is an error is another check's to say
	})
	if left := env.settled(pkg, before+most) - before; left > most {
		return doubt(fmt.Errorf("100 calls of %s left %d goroutines behind after the backend answered again; want none", call, left))
	}
	return nil
}
