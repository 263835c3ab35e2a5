package conformance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// patience is how long the watchdog waits after the deadline of a check, and
// how long a call may take to notice that its context is done.
const patience = 2 * time.Second

// guard runs f with a fresh environment and a deadline. A panic is an error,
// and so is not returning: the goroutine is then left behind.
func guard(ctx context.Context, limit time.Duration, f func(*Env) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	env := newEnv(ctx)
	outcome := spawn(func() error {
		defer env.clean()
		return f(env)
	})
	watchdog := time.NewTimer(limit + patience)
	defer watchdog.Stop()
	select {
	case err := <-outcome:
		return err
	case <-watchdog.C:
		go env.clean() // may let the hanging call go
		if call := env.inFlight(); call != "" {
			return fmt.Errorf("hangs: %s did not return within %v; want it back when its context is done", call, limit+patience)
		}
		return fmt.Errorf("hangs: the harness did not return within %v", limit+patience)
	}
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
