package resolver

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/portcullis-go/portcullis/internal/foreign"
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

// HostAndIssuerKey is a Key for resolvers that look at both, as [Chain] and
// [IssuersByHost] do for one that brings the rules of an issuer.
func HostAndIssuerKey(req verifier.ResolveRequest) string {
	return requestHost(req) + "\n" + req.UnverifiedIssuer // no host has a line end
}

// Cached returns a resolver that remembers the answers of another one. Errors
// are not remembered. Concurrent requests of one key ask once; each waits no
// longer than its own context allows, and the inner call goes on for the
// others: it runs with the values, but not the end, of the first one's
// context, for at most 10 s.
//
// An answer that was kept by a clock that has been set back since is asked for
// again.
//
// Where the inner resolver is a verifier.IssuerResolver, so is the result. Its
// answer then depends on the unverified issuer too: Key must have that in it
// ([IssuerKey], [HostAndIssuerKey]).
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
	domains := newAnswers(&cfg, inner.ResolveDomains)
	issuers, ok := inner.(verifier.IssuerResolver)
	if !ok {
		return &cached{inner, domains}, nil
	}
	return &cachedIssuers{cached{inner, domains}, newAnswers(&cfg, issuers.ResolveIssuer)}, nil
}

// innerTimeout bounds a call that no request waits for any more.
const innerTimeout = 10 * time.Second

type cached struct {
	inner   verifier.DomainResolver
	domains *answers[[]string]
}

// ResolveDomains implements verifier.DomainResolver.
func (c *cached) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	return c.domains.get(ctx, req)
}

// Check lets verifier.New refuse an inner resolver that cannot work.
func (c *cached) Check() error { return check(c.inner) }

type cachedIssuers struct {
	cached
	issuers *answers[*verifier.Issuer]
}

// ResolveIssuer implements verifier.IssuerResolver.
func (c *cachedIssuers) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	return c.issuers.get(ctx, req)
}

// answers remembers the answers of one method.
type answers[T any] struct {
	cfg *CacheConfig
	ask func(context.Context, verifier.ResolveRequest) (T, error)

	mu      sync.Mutex
	order   *list.List // most recently used first
	entries map[string]*list.Element
	calls   singleflight.Group
}

type answer[T any] struct {
	key   string
	value T
	kept  time.Time
}

func newAnswers[T any](cfg *CacheConfig, ask func(context.Context, verifier.ResolveRequest) (T, error)) *answers[T] {
	return &answers[T]{cfg: cfg, ask: ask, order: list.New(), entries: make(map[string]*list.Element)}
}

func (a *answers[T]) get(ctx context.Context, req verifier.ResolveRequest) (value T, err error) {
	if err := ctx.Err(); err != nil {
		return value, err
	}
	key := a.cfg.Key(req)
	if value, ok := a.load(key); ok {
		return value, nil
	}
	// The call may outlive this request, and reads nothing of it then.
	req = verifier.NewResolveRequest(req.UnverifiedIssuer, req.URL(), req.Header())
	done := a.calls.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), innerTimeout)
		defer cancel()
		return foreign.Guard(func() (T, error) {
			value, err := a.ask(ctx, req)
			if err == nil {
				a.store(key, value)
			}
			return value, err
		})
	})
	select {
	case r := <-done:
		value, _ = r.Val.(T)
		return value, r.Err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// load returns an answer that is not older than the TTL, nor from the future.
func (a *answers[T]) load(key string) (value T, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	element, ok := a.entries[key]
	if !ok {
		return value, false
	}
	kept := element.Value.(*answer[T])
	if age := a.cfg.Clock.Now().Sub(kept.kept); age < 0 || age >= a.cfg.TTL {
		return value, false
	}
	a.order.MoveToFront(element)
	return kept.value, true
}

func (a *answers[T]) store(key string, value T) {
	now := a.cfg.Clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if element, ok := a.entries[key]; ok {
		a.order.Remove(element)
	}
	a.entries[key] = a.order.PushFront(&answer[T]{key, value, now})
	if a.order.Len() > a.cfg.MaxEntries {
		oldest := a.order.Back()
		a.order.Remove(oldest)
		delete(a.entries, oldest.Value.(*answer[T]).key)
	}
}
