package cacheadapter_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// deaf waits for release in every Get, whatever its context says. It answers
// "late" with the error of a client's own timeout at once, and "slow" after
// release.
type deaf struct {
	verifier.Cache
	entered, release chan struct{}
}

func newDeaf() *deaf {
	return &deaf{verifiertest.NewCache(nil, 0), make(chan struct{}, 100), make(chan struct{})}
}

func (d *deaf) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if key == "late" {
		return nil, false, os.ErrDeadlineExceeded
	}
	d.entered <- struct{}{}
	<-d.release
	if key == "slow" {
		return nil, false, os.ErrDeadlineExceeded
	}
	return d.Cache.Get(context.WithoutCancel(ctx), key)
}

func get(ctx context.Context, c verifier.Cache, key string) error {
	_, _, err := c.Get(ctx, key)
	return err
}

func TestTimeoutOfAFrozenServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		b := newBackend(clock)
		var events []cacheadapter.Outcome
		c := must(t)(cacheadapter.Timeout(b.complete(), cacheadapter.TimeoutConfig{
			Wait: 5 * time.Millisecond, SlowCalls: 3, Cooldown: time.Minute, Clock: clock,
			Observe: func(e cacheadapter.Event) { events = append(events, e.Outcome) },
		}))
		// phase makes calls and says which errors are wanted: timeouts, then an
		// open circuit, and how often the server was asked in all.
		phase := func(when string, timeouts, asked int) {
			t.Helper()
			for i := range 100 {
				want := cacheadapter.ErrCircuitOpen
				if i < timeouts {
					want = cacheadapter.ErrTimeout
				}
				if err := get(t.Context(), c, "k"); !errors.Is(err, want) {
					t.Fatalf("call %d %s: Get = %v; want %v", i, when, err, want)
				}
			}
			if got := b.cache.Calls("Get"); got != asked {
				t.Errorf("%s: the server was asked %d times; want %d", when, got, asked)
			}
		}
		set(t, c, "k", "v", time.Hour)
		wantHit(t, c, "k", "v")
		b.cache.Hang()
		phase("when it freezes", 3, 4)
		if _, err := c.(verifier.ReplayStore).Add(t.Context(), "a.b", time.Minute); !errors.Is(err, cacheadapter.ErrCircuitOpen) {
			t.Errorf("Add with the circuit open = %v; want ErrCircuitOpen", err)
		}
		clock.Advance(time.Minute - 1)
		phase("before the cooldown is over", 0, 4)
		clock.Advance(1)
		phase("after the cooldown", 1, 5)
		clock.Advance(time.Minute)
		b.cache.Recover()
		for range 100 {
			wantHit(t, c, "k", "v")
		}
		if want := []cacheadapter.Outcome{cacheadapter.OutcomeOpened, cacheadapter.OutcomeClosed}; !slices.Equal(events, want) {
			t.Errorf("events %v; want %v", events, want)
		}
		b.cache.Hang()
		phase("when it freezes again", 3, 5+100+3)
	})
}

func TestTimeoutGivesUpACacheThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeaf()
		c := must(t)(cacheadapter.Timeout(d, cacheadapter.TimeoutConfig{Wait: time.Millisecond, SlowCalls: 100, MaxInFlight: 2}))
		for i, want := range []error{cacheadapter.ErrTimeout, cacheadapter.ErrTimeout, cacheadapter.ErrBusy, cacheadapter.ErrBusy} {
			if err := get(t.Context(), c, "k"); !errors.Is(err, want) {
				t.Errorf("call %d: Get = %v; want %v", i, err, want)
			}
		}
		if got := len(d.entered); got != 2 {
			t.Errorf("%d calls are in flight; want 2", got)
		}
		close(d.release)
		for errors.Is(get(t.Context(), c, "k"), cacheadapter.ErrBusy) {
			time.Sleep(time.Millisecond) // until the two have returned
		}
	})
}

func TestTimeoutCallerWhoIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeaf()
		defer close(d.release)
		c := must(t)(cacheadapter.Timeout(d, cacheadapter.TimeoutConfig{Wait: time.Minute}))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-d.entered; cancel() }()
		if err := get(ctx, c, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get = %v; want %v", err, context.Canceled)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := get(ctx, c, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v; want %v", err, context.DeadlineExceeded)
		}
	})
}

type quotaError struct{}

func (quotaError) Error() string       { return "quota" }
func (quotaError) QuotaExceeded() bool { return true }

func TestTimeoutWhatOpensTheCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Millisecond, cancel)
			return ctx
		}
		short := func(ctx context.Context) context.Context {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		}
		same := func(ctx context.Context) context.Context { return ctx }
		for name, test := range map[string]struct {
			fault error // nil: the server hangs
			ctx   func(context.Context) context.Context
			opens bool
		}{
			"refused connection":   {errors.New("connection refused"), same, false},
			"full quota":           {quotaError{}, same, false},
			"client's own timeout": {os.ErrDeadlineExceeded, same, true},
			"deadline of a caller": {nil, short, true},
			"callers who cancel":   {nil, canceled, false},
		} {
			b := newBackend(nil)
			c := must(t)(cacheadapter.Timeout(b.complete(), cacheadapter.TimeoutConfig{Wait: time.Minute, SlowCalls: 3}))
			b.store.FailNext(-1, test.fault)
			if test.fault == nil {
				b.store.Hang()
			}
			for range 5 {
				added, err := c.(verifier.ReplayStore).Add(test.ctx(t.Context()), "a.b", time.Hour)
				if added || err == nil {
					t.Errorf("%s: Add = %v, %v; want false and an error", name, added, err)
				}
				if errors.Is(err, cacheadapter.ErrTimeout) || test.fault != nil && !errors.Is(err, test.fault) && !errors.Is(err, cacheadapter.ErrCircuitOpen) {
					t.Errorf("%s: Add = %v; want %v", name, err, test.fault)
				}
			}
			b.store.Recover()
			_, err := c.(verifier.ReplayStore).Add(t.Context(), "a.c", time.Hour)
			if got := errors.Is(err, cacheadapter.ErrCircuitOpen); got != test.opens {
				t.Errorf("%s: circuit open is %v; want %v", name, got, test.opens)
			}
		}
	})
}

func TestTimeoutCountsSlowCallsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(nil)
		c := must(t)(cacheadapter.Timeout(b.bare(), cacheadapter.TimeoutConfig{SlowCalls: 3}))
		for range 10 {
			b.cache.FailNext(2, os.ErrDeadlineExceeded)
			for _, slow := range []bool{true, true, false} {
				if err := get(t.Context(), c, "k"); errors.Is(err, os.ErrDeadlineExceeded) != slow || errors.Is(err, cacheadapter.ErrCircuitOpen) {
					t.Fatalf("Get = %v; want a timeout: %v", err, slow)
				}
			}
		}
	})
}

// openCircuit returns a cache whose circuit has opened.
func openCircuit(t *testing.T, clock verifier.Clock) (verifier.Cache, *deaf) {
	t.Helper()
	d := newDeaf()
	c := must(t)(cacheadapter.Timeout(d, cacheadapter.TimeoutConfig{Wait: time.Minute, SlowCalls: 1, Cooldown: time.Minute, Clock: clock}))
	if err := get(t.Context(), c, "late"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Get = %v; want %v", err, os.ErrDeadlineExceeded)
	}
	return c, d
}

func TestTimeoutSendsOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		c, d := openCircuit(t, clock)
		clock.Advance(time.Minute)
		probe := make(chan error)
		go func() { probe <- get(t.Context(), c, "k") }()
		<-d.entered
		for range 10 {
			if err := get(t.Context(), c, "k"); !errors.Is(err, cacheadapter.ErrCircuitOpen) {
				t.Errorf("Get beside the probe = %v; want ErrCircuitOpen", err)
			}
		}
		close(d.release)
		if err := <-probe; err != nil {
			t.Errorf("probe = %v; want nil", err)
		}
		wantMiss(t, c, "k")
	})
}

// TestTimeoutProbeThatIsCanceled: the next call is a probe.
func TestTimeoutProbeThatIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		c, d := openCircuit(t, clock)
		clock.Advance(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-d.entered; cancel() }()
		if err := get(ctx, c, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("probe = %v; want %v", err, context.Canceled)
		}
		close(d.release)
		wantMiss(t, c, "k")
	})
}

// TestTimeoutOldAnswerDoesNotClose: it was on its way before the server froze.
func TestTimeoutOldAnswerDoesNotClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeaf()
		c := must(t)(cacheadapter.Timeout(d, cacheadapter.TimeoutConfig{Wait: time.Minute, SlowCalls: 1}))
		old := make(chan error)
		go func() { old <- get(t.Context(), c, "k") }()
		<-d.entered
		_ = get(t.Context(), c, "late")
		close(d.release)
		if err := <-old; err != nil {
			t.Errorf("Get from before = %v; want nil", err)
		}
		if err := get(t.Context(), c, "k"); !errors.Is(err, cacheadapter.ErrCircuitOpen) {
			t.Errorf("Get = %v; want ErrCircuitOpen", err)
		}
	})
}

// TestTimeoutOldTimeoutDoesNotCount: it was on its way before the circuit
// opened, and would keep it open for longer.
func TestTimeoutOldTimeoutDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		d := newDeaf()
		c := must(t)(cacheadapter.Timeout(d, cacheadapter.TimeoutConfig{Wait: time.Minute, SlowCalls: 1, Cooldown: time.Minute, Clock: clock}))
		old := make(chan error)
		go func() { old <- get(t.Context(), c, "slow") }()
		<-d.entered
		_ = get(t.Context(), c, "late")
		clock.Advance(time.Minute / 2)
		close(d.release)
		if err := <-old; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Get from before = %v; want %v", err, os.ErrDeadlineExceeded)
		}
		clock.Advance(time.Minute / 2)
		wantMiss(t, c, "k") // the cooldown is that of the first
	})
}

// TestTimeoutCountsAnewOnceClosed: one slow call right after the probe does not
// open the circuit again.
func TestTimeoutCountsAnewOnceClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		b := newBackend(clock)
		c := must(t)(cacheadapter.Timeout(b.bare(), cacheadapter.TimeoutConfig{SlowCalls: 2, Cooldown: time.Minute, Clock: clock}))
		b.cache.FailNext(2, os.ErrDeadlineExceeded)
		_, _ = get(t.Context(), c, "k"), get(t.Context(), c, "k")
		clock.Advance(time.Minute)
		wantMiss(t, c, "k")
		b.cache.FailNext(1, os.ErrDeadlineExceeded)
		_ = get(t.Context(), c, "k")
		wantMiss(t, c, "k")
	})
}

type slowSet struct {
	verifier.Cache
	release chan struct{}
	got     chan string
}

func (s slowSet) Set(_ context.Context, _ string, value []byte, _ time.Duration) error {
	<-s.release
	s.got <- string(value)
	return nil
}

func TestTimeoutSetCopiesTheValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowSet{verifiertest.NewCache(nil, 0), make(chan struct{}), make(chan string, 1)}
		c := must(t)(cacheadapter.Timeout(s, cacheadapter.TimeoutConfig{Wait: time.Millisecond}))
		value := []byte("as it was set")
		if err := c.Set(t.Context(), "k", value, time.Minute); !errors.Is(err, cacheadapter.ErrTimeout) {
			t.Errorf("Set = %v; want ErrTimeout", err)
		}
		clear(value)
		close(s.release)
		if got := <-s.got; got != "as it was set" {
			t.Errorf("the cache was given %q; want %q", got, "as it was set")
		}
	})
}

type panicking struct{ verifier.Cache }

func (panicking) Get(context.Context, string) ([]byte, bool, error) { panic("secret") }

func TestTimeoutPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := must(t)(cacheadapter.Timeout(panicking{}, cacheadapter.TimeoutConfig{}))
		for range 10 {
			if err := get(t.Context(), c, "k"); err != cacheadapter.ErrPanic {
				t.Errorf("Get = %v; want ErrPanic", err)
			}
		}
	})
}

func TestTimeoutClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(nil)
		c := must(t)(cacheadapter.Timeout(b.clearable(), cacheadapter.TimeoutConfig{SlowCalls: 1, ClearWait: time.Millisecond}))
		clear := c.(verifier.Clearer).Clear
		b.cache.Hang()
		for range 3 {
			if err := clear(t.Context()); !errors.Is(err, cacheadapter.ErrTimeout) {
				t.Errorf("Clear of a frozen server = %v; want ErrTimeout", err)
			}
		}
		b.cache.Recover()
		wantMiss(t, c, "k") // the circuit is closed
		b.cache.FailNext(1, os.ErrDeadlineExceeded)
		_ = get(t.Context(), c, "k")
		if err := get(t.Context(), c, "k"); !errors.Is(err, cacheadapter.ErrCircuitOpen) {
			t.Errorf("Get = %v; want ErrCircuitOpen", err)
		}
	})
}
