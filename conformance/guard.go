package conformance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// watch is how often the watchdog looks.
const watch = 100 * time.Millisecond

var errCallTooLong = errors.New("conformance: a call took too long")

// guard runs f with a fresh environment and a deadline. A panic is an error,
// and so is a call that does not return: its goroutine is then left behind. The
// end of the check's own time is told apart from both.
func guard(ctx context.Context, p plan, scale int, f func(*Env) error) error {
	ctx, stop := context.WithTimeout(ctx, p.check())
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	env := newEnv(ctx, p.Seed, scale)
	outcome := env.spawn(func() error {
		defer env.clean()
		return f(env)
	})
	look := time.NewTicker(watch)
	defer look.Stop()
	var ended time.Time
	waited := time.Duration(0) // since then, in turns of the watchdog
	for {
		select {
		case err := <-outcome:
			return env.verdict(err, p)
		case now := <-look.C:
			call, since := env.inFlight()
			if call != "" && ctx.Err() == nil && now.Sub(since) > p.call() {
				env.slow(call)
				cancel(errCallTooLong)
			}
			if ctx.Err() != nil && ended.IsZero() {
				ended = now
			}
			if ended.IsZero() {
				continue
			}
			runtime.Gosched()
			if waited += watch; waited < patience {
				continue
			}
			go env.clean() // may let the hanging call go
			if call != "" && since.Before(ended) {
				return fmt.Errorf("hangs: %s did not return within %v, though its context is done; want it back promptly", call, now.Sub(since).Round(time.Second))
			}
			if call != "" { // it goes on, call by call
				return env.verdict(ctx.Err(), p)
			}
			return fmt.Errorf("hangs: the harness did not return within %v", p.check()+patience)
		}
	}
}

// verdict says what the outcome of a check means when its time was over before.
func (e *Env) verdict(err error, p plan) error {
	if err == nil || e.ctx.Err() == nil {
		return err
	}
	if call := e.slowest(); call != "" {
		return doubt(fmt.Errorf("%s was not back after %v, without a fault of the backend; want it back promptly, or a larger Timeout in the harness", call, p.call()))
	}
	if errors.Is(e.ctx.Err(), context.Canceled) {
		return skip("the run was ended: %v", context.Cause(e.ctx))
	}
	return fmt.Errorf("the check's %v ended after %s, and nothing was found wrong until then; raise Timeout in the harness", p.check(), e.calls())
}

// spawn runs f on a goroutine that carries the label of the environment, as do
// those that it starts.
func (e *Env) spawn(f func() error) <-chan error {
	return spawn(func() (err error) {
		pprof.Do(e.ctx, pprof.Labels(label, e.id), func(context.Context) { err = f() })
		return err
	})
}

// spawn runs f on a goroutine of its own and delivers what it returns, or that
// it panicked.
func spawn(f func() error) <-chan error {
	outcome := make(chan error, 1)
	go func() {
		err := errors.New("the goroutine was ended: harness functions must return an error instead of calling t.Fatal")
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v (%s); want an error", r, panicSite())
			}
			outcome <- err
		}()
		err = f()
	}()
	return outcome
}

// panicSite names the function that panicked.
func panicSite() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") || !more {
			return fmt.Sprintf("%s, %s:%d", frame.Function, filepath.Base(frame.File), frame.Line)
		}
	}
}

// together runs f n times at once and returns the first error by index.
func together(n int, f func(i int) error) error {
	start := make(chan struct{})
	outcomes := make([]<-chan error, n)
	var ready sync.WaitGroup
	ready.Add(n)
	for i := range n {
		outcomes[i] = spawn(func() error {
			ready.Done()
			<-start
			return f(i)
		})
	}
	ready.Wait()
	close(start)
	var first error
	for _, outcome := range outcomes {
		if err := <-outcome; err != nil && first == nil {
			first = err
		}
	}
	return first
}
