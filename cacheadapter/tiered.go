package cacheadapter

import (
	"context"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// TieredConfig are the settings of [Tiered].
type TieredConfig struct {
	// NearTTL is how long the near cache may serve a value without asking the
	// far one, and so how long this process may miss what another process
	// wrote or deleted. Default 10 seconds, at most 1 hour.
	NearTTL time.Duration
	// Observe is told of faults of the near cache, which do not fail a Get (Op,
	// OutcomeFailed, Err), and of entries of either that [Tiered] did not write
	// (Op, OutcomeRejected, Problem). It must be safe for concurrent use and
	// return quickly. Default none.
	Observe func(Event)
	// Clock is the time. Default: time.Now.
	Clock verifier.Clock
}

const (
	defaultNearTTL = 10 * time.Second
	maxNearTTL     = time.Hour

	tierVersion = 0x74
	tierHeader  = 1 + stampSize
)

// Tiered reads through a near cache, in the memory of this process, in front of
// a far one that processes share.
//
//   - Get asks near, then far, and keeps in near what far had. A fault of near
//     is a miss of near; a fault of far is an error.
//   - Set and Delete first remove the key from near, then write to far; near
//     takes it up with the next Get. What this process wrote or deleted, it
//     never serves again in its old form; what another process wrote, for
//     NearTTL at most. A write whose error left it open whether it landed may
//     land later, and is then seen as one of another process.
//   - An entry ends when its ttl has passed, wherever it is: values carry their
//     end, in 9 bytes in front of them that the far cache must accept on top
//     of the largest value. So all users of a far cache reach it through
//     Tiered, or none does.
//   - Values are believed as they come from far: seal it, as in
//     Tiered(near, sealed, cfg).
//   - The result is a Clearer when both caches are, and a ReplayStore when far
//     is one: Add asks far only.
func Tiered(near, far verifier.Cache, cfg TieredConfig) (verifier.Cache, error) {
	switch {
	case near == nil:
		return nil, refuse("the near cache is nil")
	case far == nil:
		return nil, refuse("the far cache is nil")
	case cfg.NearTTL < 0 || cfg.NearTTL > maxNearTTL:
		return nil, refuse("NearTTL is not 0 to %v", maxNearTTL)
	}
	t := &tiered{near: near, far: far, nearTTL: cfg.NearTTL, observe: cfg.Observe, now: nowOf(cfg.Clock), writes: newWrites()}
	if t.nearTTL == 0 {
		t.nearTTL = defaultNearTTL
	}
	var clear clearFunc
	if clearNear, clearFar := clearOf(near), clearOf(far); clearNear != nil && clearFar != nil {
		clear = func(ctx context.Context) error { return t.clear(ctx, clearNear, clearFar) }
	}
	return assemble(t, clear, addOf(far)), nil
}

type tiered struct {
	near, far verifier.Cache
	nearTTL   time.Duration
	observe   func(Event)
	now       func() time.Time
	writes    *writes
}

func (t *tiered) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if value, _, ok := t.getNear(ctx, key); ok {
		return value, true, nil
	}
	before := t.writes.of(key).look()
	entry, ok, err := t.far.Get(ctx, key)
	if err != nil || !ok {
		return nil, false, err
	}
	value, expires, ok := t.read(entry)
	if !ok {
		return nil, false, nil
	}
	t.fill(ctx, key, value, expires, before)
	return value, true, nil
}

func (t *tiered) getNear(ctx context.Context, key string) (value []byte, expires time.Time, ok bool) {
	entry, ok, err := t.near.Get(ctx, key)
	if err != nil {
		emit(t.observe, Event{Op: OpGet, Outcome: OutcomeFailed, Err: err})
		return nil, time.Time{}, false
	}
	if !ok {
		return nil, time.Time{}, false
	}
	return t.read(entry)
}

// fill keeps a value of far in near, unless its key was written to since.
func (t *tiered) fill(ctx context.Context, key string, value []byte, expires time.Time, before glance) {
	now := t.now()
	if end := now.Add(t.nearTTL); end.Before(expires) {
		expires = end
	}
	entry := write(value, expires)
	err := t.writes.of(key).unlessWritten(ctx, before, func() error {
		return t.near.Set(ctx, key, entry, expires.Sub(now))
	})
	if err != nil {
		emit(t.observe, Event{Op: OpSet, Outcome: OutcomeFailed, Err: err})
	}
}

func (t *tiered) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return t.Delete(ctx, key)
	}
	return t.change(ctx, key, func() error {
		return t.far.Set(ctx, key, write(value, t.now().Add(ttl)), ttl)
	})
}

func (t *tiered) Delete(ctx context.Context, key string) error {
	return t.change(ctx, key, func() error { return t.far.Delete(ctx, key) })
}

// change removes a key from near and keeps it out while far is written to. If
// near cannot remove it, far is left alone: near would go on serving what was.
func (t *tiered) change(ctx context.Context, key string, far func() error) error {
	end, err := t.writes.of(key).begin(ctx, func() error { return t.near.Delete(ctx, key) })
	if err != nil {
		return err
	}
	defer end()
	return far()
}

func (t *tiered) clear(ctx context.Context, near, far clearFunc) error {
	end, err := t.writes.beginAll(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := near(ctx); err != nil {
		return err
	}
	return far(ctx)
}

// write puts the end of a value in front of it.
func write(value []byte, expires time.Time) []byte {
	entry := make([]byte, 0, tierHeader+len(value))
	return append(appendStamp(append(entry, tierVersion), expires), value...)
}

// read returns what write was given, unless its end has come.
func (t *tiered) read(entry []byte) (value []byte, expires time.Time, ok bool) {
	if len(entry) < tierHeader || entry[0] != tierVersion {
		emit(t.observe, Event{Op: OpGet, Outcome: OutcomeRejected, Problem: ProblemMalformed})
		return nil, time.Time{}, false
	}
	expires, value = cutStamp(entry[1:])
	return value, expires, live(t.now(), expires)
}
