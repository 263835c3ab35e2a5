package cacheadapter

import (
	"context"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// ObservedConfig are the settings of [Observed].
type ObservedConfig struct {
	// Observe is told of every call, after it. It is called on the path of
	// requests and must be safe for concurrent use and return quickly; a panic
	// in it is swallowed. Required.
	Observe func(Event)
	// Clock measures. Default: time.Now.
	Clock verifier.Clock
}

// Observed tells of every call of a cache: which method, how it ended, how long
// it took and how large the value was; never the key, since names of keys may
// hold whom a token belongs to, nor the value. The result is a Clearer and a
// ReplayStore when cache is.
func Observed(cache verifier.Cache, cfg ObservedConfig) (verifier.Cache, error) {
	if cache == nil {
		return nil, refuse("the cache is nil")
	}
	if cfg.Observe == nil {
		return nil, refuse("Observe is nil")
	}
	o := &observed{cache: cache, observe: cfg.Observe, now: nowOf(cfg.Clock)}
	return assemble(o, o.clear(clearOf(cache)), o.add(addOf(cache))), nil
}

type observed struct {
	cache   verifier.Cache
	observe func(Event)
	now     func() time.Time
}

// done tells of a call that began at start.
func (o *observed) done(op Op, start time.Time, outcome Outcome, size int, err error) {
	if err != nil {
		outcome = OutcomeFailed
	}
	emit(o.observe, Event{Op: op, Outcome: outcome, Duration: o.now().Sub(start), Size: size, Err: err})
}

func (o *observed) Get(ctx context.Context, key string) ([]byte, bool, error) {
	start := o.now()
	value, ok, err := o.cache.Get(ctx, key)
	outcome := OutcomeMiss
	if ok {
		outcome = OutcomeHit
	}
	o.done(OpGet, start, outcome, len(value), err)
	return value, ok, err
}

func (o *observed) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	start := o.now()
	err := o.cache.Set(ctx, key, value, ttl)
	o.done(OpSet, start, OutcomeDone, len(value), err)
	return err
}

func (o *observed) Delete(ctx context.Context, key string) error {
	start := o.now()
	err := o.cache.Delete(ctx, key)
	o.done(OpDelete, start, OutcomeDone, 0, err)
	return err
}

func (o *observed) clear(inner clearFunc) clearFunc {
	if inner == nil {
		return nil
	}
	return func(ctx context.Context) error {
		start := o.now()
		err := inner(ctx)
		o.done(OpClear, start, OutcomeDone, 0, err)
		return err
	}
}

func (o *observed) add(inner addFunc) addFunc {
	if inner == nil {
		return nil
	}
	return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
		start := o.now()
		added, err := inner(ctx, key, ttl)
		outcome := OutcomeRepeated
		if added {
			outcome = OutcomeAdded
		}
		o.done(OpAdd, start, outcome, 0, err)
		return added, err
	}
}
