package verifiertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Run calls f outside of a test, with a [testing.TB] that the fakes of this
// package work with: for examples, demonstrations and benchmarks of other
// tools. The context of t ends, and the functions given to Cleanup are called,
// when f has returned. The error holds what was reported with Error and Fatal.
//
// Of testing.TB it has Helper, Name, Context, TempDir, Cleanup, Log, Error,
// Fatal, Fail, FailNow and Failed, and no more: the rest panics.
func Run(f func(t testing.TB)) error {
	r := &runner{}
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx = ctx
	var panicked any
	done := make(chan struct{})
	go func() { // so that FailNow can end it
		defer close(done)
		defer func() { panicked = recover() }()
		f(r)
	}()
	<-done
	cancel()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	if panicked != nil {
		panic(panicked)
	}
	return r.err()
}

type runner struct {
	testing.TB // for its unexported method
	ctx        context.Context

	mu       sync.Mutex
	cleanups []func()
	failures []string
	failed   bool
}

func (r *runner) Helper()                  {}
func (r *runner) Name() string             { return "verifiertest.Run" }
func (r *runner) Context() context.Context { return r.ctx }
func (r *runner) Log(...any)               {}
func (r *runner) Logf(string, ...any)      {}

func (r *runner) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *runner) TempDir() string {
	dir, err := os.MkdirTemp("", "verifiertest")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (r *runner) report(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	if text = strings.TrimSpace(text); text != "" {
		r.failures = append(r.failures, text)
	}
}

func (r *runner) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *runner) Fail()                             { r.report("") }
func (r *runner) FailNow()                          { r.Fail(); runtime.Goexit() }
func (r *runner) Error(args ...any)                 { r.report(fmt.Sprintln(args...)) }
func (r *runner) Errorf(format string, args ...any) { r.report(fmt.Sprintf(format, args...)) }
func (r *runner) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *runner) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }

func (r *runner) err() error {
	switch {
	case len(r.failures) > 0:
		return errors.New(strings.Join(r.failures, "\n"))
	case r.failed:
		return errors.New("verifiertest: failed")
	default:
		return nil
	}
}
