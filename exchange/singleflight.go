package exchange

import (
	"context"
	"sync"

	"github.com/portcullis-go/portcullis/internal/foreign"
)

// flights are the calls under way, of which equal ones share one.
type flights struct {
	mu    sync.Mutex
	byKey map[string]*flight
}

type flight struct {
	done   chan struct{}
	tokens *Tokens
	hit    bool // from the cache
	err    error
}

// share runs work once for all callers of a key that come while it runs. It
// runs on a context of its own, so that one caller who leaves does not end it
// for the others; each caller obeys its own.
func (c *Client) share(ctx context.Context, key string, work func(context.Context) (*Tokens, bool, error)) (*Tokens, outcome, error) {
	f, joined, err := c.flight(ctx, key, work)
	if err != nil {
		return nil, outcome{}, err
	}
	how := outcome{shared: joined}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, how, ended(ctx)
	}
	if f.err != nil {
		return nil, how, f.err
	}
	how.hit = f.hit
	own := *f.tokens
	return &own, how, nil
}

// flight joins a call, or starts one.
func (c *Client) flight(ctx context.Context, key string, work func(context.Context) (*Tokens, bool, error)) (f *flight, joined bool, err error) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if f := c.flights.byKey[key]; f != nil {
		return f, true, nil
	}
	// The first caller's values, such as a trace, stay; its end does not.
	shared, done, err := c.begin(context.WithoutCancel(ctx))
	if err != nil {
		return nil, false, err
	}
	f = &flight{done: make(chan struct{})}
	if c.flights.byKey == nil {
		c.flights.byKey = make(map[string]*flight)
	}
	c.flights.byKey[key] = f
	go func() {
		defer done()
		defer c.finish(key, f)
		f.tokens, f.hit, f.err = work(shared)
	}()
	return f, false, nil
}

// finish ends a call. A panic of a Doer, cache or key given by the user would end
// the program here, where no server catches it.
func (c *Client) finish(key string, f *flight) {
	if recover() != nil {
		f.tokens, f.err = nil, unanswered(context.Background(), foreign.ErrPanic)
	}
	c.flights.mu.Lock()
	delete(c.flights.byKey, key)
	c.flights.mu.Unlock()
	close(f.done)
}
