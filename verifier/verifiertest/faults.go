package verifiertest

import (
	"context"
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/portcullis-go/portcullis/verifier"
)

// faults are failures on request, shared by Cache and ReplayStore.
type faults struct {
	mu      sync.Mutex
	clock   verifier.Clock
	calls   map[string]int
	fail    failure       // before the call does anything
	lose    failure       // after it was done
	hanging chan struct{} // not nil: calls wait for it
}

// failure is an error for a number of calls; negative: all.
type failure struct {
	err  error
	left int
}

func (f *failure) next() error {
	if f.left == 0 {
		return nil
	}
	if f.left > 0 {
		f.left--
	}
	return f.err
}

func newFaults(clock verifier.Clock) faults {
	if clock == nil {
		clock = verifier.ClockFunc(time.Now)
	}
	return faults{clock: clock, calls: make(map[string]int)}
}

// FailNext makes the next n calls return err and do nothing; a negative n makes
// all of them until [faults.Recover].
func (f *faults) FailNext(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = failure{err, n}
}

// LoseNext makes the next n calls do their work and return err, like a backend
// whose answer was lost; a negative n makes all of them until [faults.Recover].
func (f *faults) LoseNext(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lose = failure{err, n}
}

// Hang makes calls wait for [faults.Recover] or the end of their context.
func (f *faults) Hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hanging == nil {
		f.hanging = make(chan struct{})
	}
}

// Recover ends FailNext, LoseNext and Hang.
func (f *faults) Recover() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.lose = failure{}, failure{}
	if f.hanging != nil {
		close(f.hanging)
		f.hanging = nil
	}
}

// Calls returns how often a method, such as "Get", was called.
func (f *faults) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// begin counts a call and returns the failure that was asked for: err for
// instead of the work, lost for after it.
func (f *faults) begin(ctx context.Context, method string) (lost, err error) {
	f.mu.Lock()
	f.calls[method]++
	hanging := f.hanging
	err = f.fail.next()
	if err == nil {
		lost = f.lose.next()
	}
	f.mu.Unlock()
	if hanging != nil {
		select {
		case <-hanging:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return lost, err
}

func (f *faults) now() time.Time { return f.clock.Now() }

const (
	maxKey   = 64 << 10
	maxValue = 512 << 10
)

var (
	errKey   = errors.New("verifiertest: the key is empty, not UTF-8 or longer than 64 KiB")
	errValue = errors.New("verifiertest: the value is longer than 512 KiB")
)

// checkKey refuses what no caller may use and some backend will not take.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey || !utf8.ValidString(key) {
		return errKey
	}
	return nil
}

// QuotaError is what a replay store returns that has no room for more keys of
// one prefix: give it to ReplayStore.FailNext.
type QuotaError struct{}

func (QuotaError) Error() string { return "verifiertest: too many keys of one prefix" }

// QuotaExceeded reports true; see verifier.ReplayStore.
func (QuotaError) QuotaExceeded() bool { return true }
