package redis

import (
	"container/list"
	"context"
	"errors"
	"runtime"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// lane is a kind of call. A batch has calls of one kind.
type lane int

const (
	proofs  lane = iota // replay records and revocations: small, and each is on the way of a request
	entries             // cache entries, which can be large
	lanes
)

// call is a command and who waits for its answer.
type call struct {
	key  string       // in Redis
	cmd  *goredis.Cmd // its value is nil as long as there is no answer
	size int          // bytes to send and, roughly, to receive
	// again makes the question that follows when the answer is goredis.Nil. It
	// is nil once that was asked, and where there is none.
	again func() *goredis.Cmd

	ctx  context.Context // of the caller: a call that is sent alone runs under it
	lane lane
	done chan error // has room for the one result

	// Of the line:
	place *list.Element // while it waits
	batch *batch        // once it is sent
	gone  bool          // its caller has left
}

// batch is what is sent together.
type batch struct {
	calls  []*call
	lane   lane
	ctx    context.Context
	cancel context.CancelFunc
	left   int // calls whose callers still wait
}

// line is the way to one server. Calls that wait are sent in pipelines by
// goroutines that drain it: a call starts one when fewer than the limit run, and
// it ends when nothing waits. So a line needs no close, an idle one has no
// goroutine, and under load a batch holds what came during the one before it.
// What hangs is a batch: its calls, and one drain of several.
type line struct {
	client goredis.UniversalClient
	limits limits
	leave  func()          // gives the place of a call back
	sent   func(err error) // is told how a batch ended

	mu      sync.Mutex
	waiting [lanes]list.List // of *call
	drains  int              // run
	ready   int              // of them, will look for calls in a moment
	batches [lanes]int       // are under way
	last    lane             // of the batch that was taken last
}

// add lets a call wait for its turn.
func (l *line) add(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.place = l.waiting[c.lane].PushBack(c)
	l.start()
}

// start starts a drain if there is something to send that no other one is about to
// take. l.mu is held.
func (l *line) start() {
	if l.ready == 0 && l.drains < l.limits.drains && l.next() != nil {
		l.drains++
		l.ready++
		go l.drain(l.drains > 1)
	}
}

// next returns the lane whose turn it is, or nil. l.mu is held. Proofs come
// first, and entries never take all drains; but a flood of proofs does not keep
// out entries either: one batch of them may always be next after one of proofs.
func (l *line) next() *list.List {
	someProofs, someEntries := l.waiting[proofs].Len() > 0, l.waiting[entries].Len() > 0
	switch {
	case someEntries && l.batches[entries] == 0 && l.last == proofs:
		return &l.waiting[entries]
	case someProofs:
		return &l.waiting[proofs]
	case someEntries && l.batches[entries] < l.limits.entries:
		return &l.waiting[entries]
	}
	return nil
}

// drain sends batches until nothing waits. What else is ready to run may have calls
// for the same batch, and is let run first: the callers of the last one, and where
// this drain is not the only one, all others too.
func (l *line) drain(others bool) {
	done := false
	// Also when a hook of the client ends the goroutine.
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !done {
			l.ready-- // settle has counted on this one
		}
		l.drains--
		l.start()
	}()
	if others {
		runtime.Gosched()
	}
	for b := l.take(); b != nil; b = l.take() {
		l.send(b)
		runtime.Gosched()
	}
	done = true
}

// take returns the next batch for a drain that is ready, or nil.
func (l *line) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready--
	waiting := l.next()
	if waiting == nil {
		return nil
	}
	defer l.start() // for what is left
	b := &batch{}
	for size := 0; len(b.calls) < l.limits.commands && waiting.Len() > 0; {
		c := waiting.Front().Value.(*call)
		if size += c.size; size > maxBytes && len(b.calls) > 0 {
			break
		}
		waiting.Remove(c.place)
		c.place, c.batch = nil, b
		b.calls = append(b.calls, c)
	}
	b.lane, b.left = b.calls[0].lane, len(b.calls)
	l.batches[b.lane]++
	l.last = b.lane
	if len(b.calls) == 1 {
		b.ctx, b.cancel = b.calls[0].ctx, func() {}
	} else {
		// No caller's: one that leaves must not end the calls of the others.
		b.ctx, b.cancel = context.WithCancel(context.Background())
	}
	return b
}

// giveUp is for a caller that waits no longer.
func (l *line) giveUp(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.place != nil {
		l.waiting[c.lane].Remove(c.place)
		l.leave()
		return
	}
	c.gone = true
	if c.batch.left--; c.batch.left == 0 {
		c.batch.cancel() // the client stops waiting for connections and trying again
	}
}

// send sends a batch and gives each call its answer. An error of the whole is
// the error of each call that has no answer of its own, and a panic that of all.
func (l *line) send(b *batch) {
	err := errPanic
	defer func() {
		b.cancel()
		l.settle(b, err)
	}()
	err = guarded(func() error {
		if len(b.calls) == 1 {
			return l.client.Process(b.ctx, b.calls[0].cmd)
		}
		pipeline := l.client.Pipeline()
		for _, c := range b.calls {
			_ = pipeline.Process(b.ctx, c.cmd)
		}
		_, err := pipeline.Exec(b.ctx)
		return err
	})
	l.sent(err)
}

// settle tells the callers, and lets those wait again that have to ask again.
func (l *line) settle(b *batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches[b.lane]--
	l.ready++
	for _, c := range b.calls {
		result := c.result(err)
		if errors.Is(result, goredis.Nil) && c.again != nil && !c.gone {
			c.cmd, c.again, c.batch = c.again(), nil, nil
			c.place = l.waiting[c.lane].PushBack(c)
			continue
		}
		l.leave()
		c.done <- result
	}
	l.start()
}

// result is the outcome of a call in a batch that ended with err.
func (c *call) result(err error) error {
	switch {
	case err == errPanic:
		return err
	case c.cmd.Err() != nil:
		return c.cmd.Err()
	case c.cmd.Val() != nil:
		return nil
	case err != nil:
		return err
	}
	return errNoAnswer // of a hook that sends nothing, say
}
