package cacheadapter

import (
	"context"
	"hash/maphash"
	"sync/atomic"
)

// writes keeps track of which keys are being written to, so that a value that
// was read from the far cache before a write is not kept in the near cache
// after it. Keys share a fixed number of stripes; a shared stripe costs a fill
// of the near cache now and then, nothing else.
type writes struct {
	seed    maphash.Seed
	stripes [64]stripe
}

func newWrites() *writes {
	w := &writes{seed: maphash.MakeSeed()}
	for i := range w.stripes {
		w.stripes[i].lock = make(chan struct{}, 1)
	}
	return w
}

func (w *writes) of(key string) *stripe {
	return &w.stripes[maphash.String(w.seed, key)%uint64(len(w.stripes))]
}

// beginAll is begin for all keys.
func (w *writes) beginAll(ctx context.Context) (end func(), err error) {
	ends := make([]func(), 0, len(w.stripes))
	end = func() {
		for _, end := range ends {
			end()
		}
	}
	for i := range w.stripes {
		one, err := w.stripes[i].begin(ctx, func() error { return nil })
		if err != nil {
			end()
			return nil, err
		}
		ends = append(ends, one)
	}
	return end, nil
}

// stripe is the state of the keys of one hash.
type stripe struct {
	// lock is held by who has put something in: a mutex that can be waited for
	// with a context. It is held only while the near cache is called.
	lock    chan struct{}
	running atomic.Int64  // writes that have begun and not ended
	begun   atomic.Uint64 // writes that have ever begun
}

// glance is what a stripe looked like.
type glance struct {
	running int64
	begun   uint64
}

func (s *stripe) look() glance {
	begun := s.begun.Load() // first: a write that begins in between is noticed
	return glance{s.running.Load(), begun}
}

func (s *stripe) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stripe) release() { <-s.lock }

// begin announces a write and runs remove, which must take the old value away.
// The write has ended when end is called; if there is an error, it has ended
// already.
func (s *stripe) begin(ctx context.Context, remove func() error) (end func(), err error) {
	if err := s.acquire(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	s.running.Add(1) // first: who sees the other number sees this one too
	s.begun.Add(1)
	if err := remove(); err != nil {
		s.running.Add(-1)
		return nil, err
	}
	return func() { s.running.Add(-1) }, nil
}

// unlessWritten runs keep if no write was running at the glance, and none has
// begun since.
func (s *stripe) unlessWritten(ctx context.Context, before glance, keep func() error) error {
	if before.running > 0 {
		return nil
	}
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	if s.begun.Load() != before.begun {
		return nil
	}
	return keep()
}
