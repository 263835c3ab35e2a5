package resolver

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// CacheConfig shapes [Cached].
type CacheConfig struct {
	// Key returns what the answer of the inner resolver depends on, and nothing
	// else, as a text. Two requests of one key get one answer, so a key that
	// leaves something out lets one tenant's issuers into another's. Required.
	Key func(verifier.ResolveRequest) string
	// TTL is how long an answer is kept. Default 1 minute.
	TTL time.Duration
	// MaxEntries bounds the memory. Default 1000.
	MaxEntries int
	// Clock; default time.Now.
	Clock verifier.Clock
}

// HostKey is a Key for resolvers that look at the host of the request alone.
func HostKey(req verifier.ResolveRequest) string { return requestHost(req) }

// IssuerKey is a Key for resolvers that look up the unverified issuer alone.
func IssuerKey(req verifier.ResolveRequest) string { return req.UnverifiedIssuer }

// Cached returns a resolver that remembers the answers of another one. Errors
// are not remembered. Concurrent requests of one key ask once; each waits no
// longer than its own context allows, and the inner call goes on for the
// others: it runs with the values, but not the end, of the first one's
// context, for at most 10 s.
func Cached(inner verifier.DomainResolver, cfg CacheConfig) (verifier.DomainResolver, error) {
	switch {
	case inner == nil:
		return nil, errors.New("resolver: Cached needs a resolver")
	case cfg.Key == nil:
		return nil, errors.New("resolver: CacheConfig.Key is missing")
	case cfg.TTL < 0 || cfg.MaxEntries < 0:
		return nil, errors.New("resolver: CacheConfig.TTL and MaxEntries must not be negative")
	}
	if cfg.TTL == 0 {
		cfg.TTL = time.Minute
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = 1000
	}
	if cfg.Clock == nil {
		cfg.Clock = verifier.ClockFunc(time.Now)
	}
	return &cached{inner: inner, cfg: cfg, order: list.New(), entries: make(map[string]*list.Element), calls: make(map[string]*call)}, nil
}

// innerTimeout bounds a call that nobody waits for any more.
const innerTimeout = 10 * time.Second

type cached struct {
	inner verifier.DomainResolver
	cfg   CacheConfig

	mu      sync.Mutex
	order   *list.List // most recently used first
	entries map[string]*list.Element
	calls   map[string]*call
}

type answer struct {
	key     string
	domains []string
	expires time.Time
}

type call struct {
	done    chan struct{}
	domains []string
	err     error
}

// ResolveDomains implements verifier.DomainResolver.
func (c *cached) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := c.cfg.Key(req)
	c.mu.Lock()
	if element, ok := c.entries[key]; ok {
		if a := element.Value.(*answer); c.cfg.Clock.Now().Before(a.expires) {
			c.order.MoveToFront(element)
			c.mu.Unlock()
			return a.domains, nil
		}
	}
	pending, ok := c.calls[key]
	if !ok {
		pending = &call{done: make(chan struct{})}
		c.calls[key] = pending
		go c.ask(context.WithoutCancel(ctx), key, req, pending)
	}
	c.mu.Unlock()
	select {
	case <-pending.done:
		return pending.domains, pending.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errPanic = errors.New("resolver: the inner resolver panicked")

func (c *cached) ask(ctx context.Context, key string, req verifier.ResolveRequest, pending *call) {
	ctx, cancel := context.WithTimeout(ctx, innerTimeout)
	defer cancel()
	defer func() {
		if recover() != nil {
			pending.domains, pending.err = nil, errPanic
		}
		c.mu.Lock()
		delete(c.calls, key)
		if pending.err == nil {
			c.store(key, pending.domains)
		}
		c.mu.Unlock()
		close(pending.done)
	}()
	pending.domains, pending.err = c.inner.ResolveDomains(ctx, req)
}

// store keeps an answer; the lock must be held.
func (c *cached) store(key string, domains []string) {
	if element, ok := c.entries[key]; ok {
		c.order.Remove(element)
	}
	c.entries[key] = c.order.PushFront(&answer{key, domains, c.cfg.Clock.Now().Add(c.cfg.TTL)})
	if c.order.Len() > c.cfg.MaxEntries {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.entries, oldest.Value.(*answer).key)
	}
}
