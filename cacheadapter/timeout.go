package cacheadapter

import (
	"context"
	"errors"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// TimeoutConfig are the settings of [Timeout]. Zero means the default.
type TimeoutConfig struct {
	// Wait is how long a call may take. Default 250 ms, at most 1 minute.
	Wait time.Duration
	// ClearWait is how long Clear may take, which may have much to remove.
	// Default 1 minute, at most 1 hour.
	ClearWait time.Duration
	// SlowCalls is how many calls in a row have to time out for the circuit to
	// open. Default 3.
	SlowCalls int
	// Cooldown is how long the circuit stays open before one call is let
	// through to see whether the cache answers again. Default 5 seconds, at
	// most 1 hour.
	Cooldown time.Duration
	// MaxInFlight is how many calls may be on their way, those included that
	// nobody waits for any more. Default 256.
	MaxInFlight int
	// Observe is told when the circuit opens and closes: Op of the call that
	// did it, and OutcomeOpened or OutcomeClosed. It must be safe for concurrent
	// use and return quickly. Default none.
	Observe func(Event)
	// Clock is the time of the cooldown. Real timers bound the waiting.
	// Default: time.Now.
	Clock verifier.Clock
}

// Timeout bounds how long a cache may take to answer, so that a frozen server
// costs a few slow calls and then nothing.
//
//   - A call that takes longer than Wait is given up with ErrTimeout. It is
//     given up even if the cache ignores its context; until it returns, it
//     counts against MaxInFlight. Calls beyond that fail with ErrBusy at once.
//   - After SlowCalls calls in a row that timed out, the circuit is open: calls
//     fail with ErrCircuitOpen at once. After Cooldown one call is let through,
//     and the circuit closes if it is answered.
//   - Timed out means given up because of Wait or of the caller's deadline, or
//     answered with an error whose method Timeout returns true. Any other
//     error is an answer, a full quota above all: no client can open the
//     circuit for the others. A caller that cancels counts neither way.
//   - Clear is bounded by ClearWait and has nothing to do with the circuit.
//   - A panic of the cache is ErrPanic.
//   - The result is a Clearer and a ReplayStore when cache is. After an error,
//     a write or an Add may still land.
func Timeout(cache verifier.Cache, cfg TimeoutConfig) (verifier.Cache, error) {
	if cache == nil {
		return nil, refuse("the cache is nil")
	}
	for _, d := range []struct {
		name   string
		value  *time.Duration
		normal time.Duration
		most   time.Duration
	}{
		{"Wait", &cfg.Wait, 250 * time.Millisecond, time.Minute},
		{"ClearWait", &cfg.ClearWait, time.Minute, time.Hour},
		{"Cooldown", &cfg.Cooldown, 5 * time.Second, time.Hour},
	} {
		if *d.value < 0 || *d.value > d.most {
			return nil, refuse("%s is not 0 to %v", d.name, d.most)
		}
		if *d.value == 0 {
			*d.value = d.normal
		}
	}
	if cfg.SlowCalls < 0 || cfg.MaxInFlight < 0 {
		return nil, refuse("SlowCalls or MaxInFlight is negative")
	}
	if cfg.SlowCalls == 0 {
		cfg.SlowCalls = 3
	}
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = 256
	}
	t := &timeout{
		cache: cache, wait: cfg.Wait, slots: make(chan struct{}, cfg.MaxInFlight), observe: cfg.Observe,
		circuit: circuit{now: nowOf(cfg.Clock), slowCalls: cfg.SlowCalls, cooldown: cfg.Cooldown},
	}
	var clear clearFunc
	if inner := clearOf(cache); inner != nil {
		clear = func(ctx context.Context) error {
			_, err := bounded(ctx, t.slots, cfg.ClearWait, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, inner(ctx)
			})
			return err
		}
	}
	var add addFunc
	if inner := addOf(cache); inner != nil {
		add = func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
			return guarded(ctx, t, OpAdd, func(ctx context.Context) (bool, error) { return inner(ctx, key, ttl) })
		}
	}
	return assemble(t, clear, add), nil
}

type timeout struct {
	cache   verifier.Cache
	wait    time.Duration
	slots   chan struct{} // one element for each call that has not returned
	observe func(Event)
	circuit circuit
}

// found is what Get found.
type found struct {
	value []byte
	ok    bool
}

func (t *timeout) Get(ctx context.Context, key string) ([]byte, bool, error) {
	f, err := guarded(ctx, t, OpGet, func(ctx context.Context) (found, error) {
		value, ok, err := t.cache.Get(ctx, key)
		return found{value, ok}, err
	})
	return f.value, f.ok, err
}

// Set hands a copy of the value on: a call that was given up may still read it
// when the caller changes its own.
func (t *timeout) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	value = append([]byte{}, value...)
	_, err := guarded(ctx, t, OpSet, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, t.cache.Set(ctx, key, value, ttl)
	})
	return err
}

func (t *timeout) Delete(ctx context.Context, key string) error {
	_, err := guarded(ctx, t, OpDelete, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, t.cache.Delete(ctx, key)
	})
	return err
}

// guarded makes a call if the circuit lets it through.
func guarded[T any](ctx context.Context, t *timeout, op Op, call func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	pass, ok := t.circuit.enter()
	if !ok {
		return none, ErrCircuitOpen
	}
	result, err := bounded(ctx, t.slots, t.wait, call)
	if changed := t.circuit.leave(pass, verdictOf(ctx, err)); changed != "" {
		emit(t.observe, Event{Op: op, Outcome: changed})
	}
	return result, err
}

// verdictOf says what the end of a call tells about the cache.
func verdictOf(ctx context.Context, err error) verdict {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return verdictAnswered
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, ErrBusy):
		return verdictNone
	case errors.Is(err, ErrTimeout):
		return verdictSlow
	case errors.As(err, &timeout) && timeout.Timeout(): // as that of a deadline does
		return verdictSlow
	default:
		return verdictAnswered
	}
}

// bounded makes a call in a goroutine of its own, which ends when the call
// returns, and gives it up when its time is over.
func bounded[T any](ctx context.Context, slots chan struct{}, wait time.Duration, call func(context.Context) (T, error)) (T, error) {
	type reply struct {
		result T
		err    error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case slots <- struct{}{}:
	default:
		return none, ErrBusy
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	replies := make(chan reply, 1)
	go func() {
		defer func() { <-slots }()
		r := reply{err: ErrPanic}
		defer func() {
			_ = recover()
			replies <- r
		}()
		result, err := call(limited)
		r = reply{result, err}
	}()
	var r reply
	select {
	case r = <-replies:
	case <-limited.Done():
		select {
		case r = <-replies: // both were there
		default:
			r.err = limited.Err()
		}
	}
	switch {
	case r.err == nil:
		return r.result, nil
	case ctx.Err() != nil:
		return none, ctx.Err()
	case limited.Err() != nil:
		return none, ErrTimeout
	default:
		return none, r.err
	}
}
