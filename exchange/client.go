package exchange

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier"
)

// Client exchanges tokens. Make one with [New], use it from any number of
// goroutines, and Close it at the end.
type Client struct {
	hidden

	issuer    string
	issuers   map[string][]string // by name: what their metadata may state
	http      *fetch.HTTP         // for issuers that are http URLs
	clientID  string
	auth      Auth
	mutualTLS bool // the token endpoint for mutual TLS is preferred
	form      OnBehalfOfForm
	observer  Observer

	metadata  MetadataSource
	documents *keys.Store // nil when Metadata was given
	doer      fetch.Doer
	clock     verifier.Clock
	timeout   time.Duration

	proof      *signer // nil: no DPoP
	jwk        []byte
	thumbprint string
	nonces     nonces

	results *results // nil: none
	flights flights
	waits   waits

	ctx    context.Context // done after Close
	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	mu     sync.Mutex // guards closed, and work.Add against work.Wait
	closed bool
}

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 5 * time.Minute
	maxDomains     = 100
)

// New returns a Client. The error is a [*ConfigError]. Nothing is fetched
// before the first exchange.
func New(cfg Config) (*Client, error) {
	c := &Client{clientID: cfg.ClientID, metadata: cfg.Metadata, clock: cfg.Clock, timeout: cfg.Timeout, observer: cfg.Observer}
	if c.clock == nil {
		c.clock = verifier.ClockFunc(time.Now)
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.timeout < 0 || c.timeout > maxTimeout {
		return nil, invalid("Timeout", "is not between 0 and 5 minutes")
	}
	for _, apply := range []func(*Config) error{c.applyIssuers, c.applyClient, c.applyProof, c.applyCache} {
		if err := apply(&cfg); err != nil {
			return nil, err
		}
	}
	c.doer = fetch.Client(cfg.Doer)
	if cfg.Doer == nil {
		c.doer = fetch.Client(verifier.NewHTTPClient(verifier.HTTPClientConfig{Timeout: c.timeout}))
	}
	if c.metadata == nil {
		policy := lifecycle.DefaultPolicy()
		policy.MaxIssuers = maxDomains + 1
		sources, err := c.sources(cfg.HTTPHosts)
		if err != nil {
			return nil, err
		}
		c.documents = keys.New(keys.Config{Policy: policy, Now: c.clock.Now})
		c.metadata = stored{c.documents, sources, c.clock}
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c, nil
}

// sources says where the metadata of each issuer is.
func (c *Client) sources(httpHosts []string) (map[string]*keys.Source, error) {
	sources := make(map[string]*keys.Source, len(c.issuers))
	for name, spellings := range c.issuers {
		source, err := keys.NewSource(keys.SourceConfig{Name: name, Spellings: spellings, MetadataOnly: true, HTTPHosts: httpHosts, Doer: c.doer})
		var problem *keys.ConfigError
		if errors.As(err, &problem) && problem.Field == keys.FieldHTTP {
			return nil, invalid("HTTPHosts", "has an entry that is not a host")
		}
		if err != nil {
			return nil, invalid("Domain", "is not an issuer whose metadata can be asked for")
		}
		sources[name] = source
	}
	return sources, nil
}

// Close ends the exchanges under way, waits for them, and lets later ones fail
// with [ErrClosed]. It returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.work.Wait()
	if c.documents != nil {
		c.documents.Close()
	}
	return nil
}

func (c *Client) accessToken(ctx context.Context, k *call) (*Token, error) {
	t, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	return &t.Token, nil
}

// do answers a call from the cache, from a call under way that is equal, or
// from the token endpoint.
func (c *Client) do(ctx context.Context, k *call) (*Tokens, error) {
	began := c.clock.Now()
	t, how, err := c.answer(ctx, k)
	c.observeOutcome(k, began, how, err)
	return t, err
}

func (c *Client) answer(ctx context.Context, k *call) (*Tokens, outcome, error) {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return nil, outcome{}, err
	}
	defer done()
	if err := ended(ctx); err != nil {
		return nil, outcome{}, err
	}
	key := c.key(k)
	if c.results == nil {
		t, err := c.guarded(ctx, k, key)
		return t, outcome{}, err
	}
	if t := c.results.get(ctx, key, c.clock.Now()); t != nil {
		return t, outcome{hit: true}, nil
	}
	if err := ended(ctx); err != nil {
		return nil, outcome{}, err // the caller for whom a call would begin has left
	}
	return c.share(ctx, key, func(ctx context.Context) (*Tokens, bool, error) {
		// The call before this one may have ended since.
		if t := c.results.get(ctx, key, c.clock.Now()); t != nil {
			return t, true, nil
		}
		t, err := c.guarded(ctx, k, key)
		if err == nil {
			c.results.put(ctx, key, k.subjects, t, c.clock.Now())
		}
		return t, false, err
	})
}

// guarded is send for code of the calling program that panics, or whose errors do.
func (c *Client) guarded(ctx context.Context, k *call, key string) (*Tokens, error) {
	t, err := foreign.Guard(func() (*Tokens, error) { return c.send(ctx, k, key) })
	if err == foreign.ErrPanic {
		return nil, unanswered(ctx, foreign.ErrPanic)
	}
	return t, err
}

// begin counts work that Close waits for, and returns a context that ends with
// it or with the time for an exchange. done must be called.
func (c *Client) begin(ctx context.Context) (bounded context.Context, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, closed()
	}
	c.work.Add(1)
	closing, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	bounded, release := context.WithTimeout(closing, c.timeout)
	return bounded, func() {
		release()
		stop()
		cancel(nil)
		c.work.Done()
	}, nil
}
