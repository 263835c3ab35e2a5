package introspection

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier"
)

// Client asks one issuer about tokens. It is a [verifier.Introspector]. Make one
// with [New], use it from any number of goroutines, and Close it at the end.
type Client struct {
	hidden

	domain    string // as configured
	name      string
	spellings []string // what the metadata may state, name first
	http      *fetch.HTTP
	clientID  string
	auth      *exchange.Authenticator
	doer      fetch.Doer
	clock     verifier.Clock
	timeout   time.Duration
	observer  Observer

	fixed     *target // nil: the metadata says
	signed    *signed // nil: answers are JSON
	documents *keys.Store
	source    *keys.Source
	last      atomic.Pointer[target] // that the metadata said

	ttl, negativeTTL time.Duration
	active           *active
	inactive         *inactive
	known            *active // whose last answer was active, without what it said
	shared           *shared // nil: none

	flights singleflight.Group
	slots   *slots

	ctx    context.Context // done after Close
	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	mu     sync.Mutex // guards closed, and work.Add against work.Wait
	closed bool
}

var _ verifier.Introspector = (*Client)(nil)

// target is where questions go.
type target struct {
	url      string
	metadata verifier.Metadata
}

// New returns a Client. The error is a [*ConfigError]. Nothing is fetched before
// the first question.
func New(cfg Config) (*Client, error) {
	c := &Client{domain: cfg.Domain, clientID: cfg.ClientID, clock: cfg.Clock, observer: cfg.Observer, http: fetch.NewHTTP(cfg.HTTPHosts...)}
	if c.clock == nil {
		c.clock = verifier.ClockFunc(time.Now)
	}
	for _, apply := range []func(*Config) error{c.applyBounds, c.applyIssuer, c.applyCache} {
		if err := apply(&cfg); err != nil {
			return nil, err
		}
	}
	var err error
	var problem *exchange.ConfigError
	if c.auth, err = exchange.NewAuthenticator(cfg.ClientID, cfg.Auth, cfg.Doer); errors.As(err, &problem) {
		return nil, invalid(problem.Field, problem.Problem)
	}
	c.doer = fetch.Client(cfg.Doer)
	if cfg.Doer == nil {
		c.doer = fetch.Client(verifier.NewHTTPClient(verifier.HTTPClientConfig{Timeout: c.timeout, MaxConnections: c.slots.total()}))
	}
	if c.fixed == nil || cfg.SignedAnswers.Audience != "" {
		c.documents = keys.New(keys.Config{Policy: lifecycle.DefaultPolicy(), Now: c.clock.Now})
	}
	if err := c.applySigned(&cfg); err != nil {
		c.closeDocuments()
		return nil, err
	}
	if c.fixed == nil {
		c.source, err = keys.NewSource(keys.SourceConfig{Name: c.name, Spellings: c.spellings, MetadataOnly: true, HTTPHosts: cfg.HTTPHosts, Doer: c.doer})
		if err != nil {
			c.closeDocuments()
			return nil, invalid("Domain", "or HTTPHosts is not what metadata can be fetched from")
		}
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c, nil
}

// Close ends the questions under way, waits for them, and lets later ones fail
// with [ErrClosed]. It returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.work.Wait()
	c.closeDocuments()
	return nil
}

func (c *Client) closeDocuments() {
	if c.documents != nil {
		c.documents.Close()
	}
}

// Introspect implements [verifier.Introspector]. The error is an [*Error].
func (c *Client) Introspect(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	began := c.clock.Now()
	claims, how, err := c.answer(ctx, &req)
	c.observeOutcome(began, how, err)
	if err != nil || !how.active {
		return verifier.Introspection{}, err
	}
	return verifier.Introspection{Active: true, Claims: claims}, nil
}

// answer answers from memory, from the cache, or from the endpoint.
func (c *Client) answer(ctx context.Context, req *verifier.IntrospectionRequest) ([]byte, outcome, error) {
	if req.Issuer != c.domain && !slices.Contains(c.spellings, req.Issuer) {
		return nil, outcome{}, &Error{kind: ErrIssuer}
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return nil, outcome{}, err
	}
	defer done()
	if err := ended(ctx); err != nil {
		return nil, outcome{}, err
	}
	to, failure := c.target(ctx)
	if to == nil {
		return nil, outcome{}, failure
	}
	k := keyOf(req.Token, c.name, to.url, c.clientID, c.auth.Method(), c.signed.audienceOf())
	if claims, how, ok := c.recall(ctx, k); ok {
		return claims, how, nil
	}
	if failure != nil {
		return nil, outcome{}, failure
	}
	return c.share(ctx, k, to, req.Token)
}

// recall answers from what is remembered.
func (c *Client) recall(ctx context.Context, k key) ([]byte, outcome, bool) {
	now := c.clock.Now()
	if claims := c.active.get(k, now); claims != nil {
		return claims, outcome{active: true, hit: true}, true
	}
	if c.inactive.has(k, now) {
		return nil, outcome{hit: true}, true
	}
	return nil, outcome{}, false
}

// target says where to ask. With an error it may be where the last question went,
// under which answers are remembered.
func (c *Client) target(ctx context.Context) (*target, error) {
	if c.fixed != nil {
		return c.fixed, nil
	}
	d, err := c.documents.Entry(c.source).Metadata(ctx, c.clock.Now(), false)
	if err != nil {
		return c.last.Load(), failed(ctx, ErrMetadata, err)
	}
	to := &target{url: d.IntrospectionEndpoint, metadata: verifier.Metadata{Issuer: d.Issuer, TokenEndpoint: d.TokenEndpoint}}
	if c.auth.UsesCertificate() && d.MTLSIntrospectionEndpoint != "" { // RFC 8705, Section 5
		to.url = d.MTLSIntrospectionEndpoint
	}
	if _, err := c.http.CheckLink(c.name, to.url); err != nil {
		return nil, failed(ctx, ErrMetadata, err)
	}
	c.last.Store(to)
	return to, nil
}

// flight is what equal questions share.
type flight struct {
	claims []byte
	active bool
	hit    bool
}

// share asks once for all that ask the same while it is under way. The question
// runs on a context of its own, so that one caller who leaves does not end it for
// the others; each obeys its own.
func (c *Client) share(ctx context.Context, k key, to *target, token string) ([]byte, outcome, error) {
	first := false
	results := c.flights.DoChan(string(k[:]), func() (any, error) {
		first = true
		return c.fly(ctx, k, to, token)
	})
	select {
	case r := <-results:
		f := r.Val.(flight)
		if r.Err != nil {
			return nil, outcome{shared: !first}, r.Err
		}
		return slices.Clone(f.claims), outcome{active: f.active, hit: f.hit, shared: !first}, nil
	case <-ctx.Done():
		return nil, outcome{}, ended(ctx)
	}
}

// fly asks, within the bound of what is under way. It never panics: no server would
// catch that.
func (c *Client) fly(ctx context.Context, k key, to *target, token string) (f flight, err error) {
	defer func() {
		if recover() != nil {
			f, err = flight{}, &Error{kind: ErrNetwork}
		}
	}()
	// The question before this one may have been answered since.
	if claims, how, ok := c.recall(ctx, k); ok {
		return flight{claims, how.active, true}, nil
	}
	// The first caller's values, such as a trace, stay; its end does not.
	ctx, done, err := c.begin(context.WithoutCancel(ctx))
	if err != nil {
		return f, err
	}
	defer done()
	if a, at := c.shared.get(ctx, k, c.clock.Now()); a.active {
		c.active.put(k, a.claims, at)
		c.recognize(k, &a)
		return flight{a.claims, true, true}, nil
	}
	release, ok := c.slots.take(c.known.has(k, c.clock.Now()))
	if !ok {
		return f, &Error{kind: ErrBusy}
	}
	defer release()
	a, err := c.ask(ctx, to, token)
	if err != nil {
		return f, err
	}
	c.remember(ctx, k, &a)
	return flight{a.claims, a.active, false}, nil
}

// knownFor is for how long a token is known by one active answer. One that is in
// use is asked about again within Config.TTL.
const knownFor = 24 * time.Hour

// recognize notes that an answer was active, for no longer than the token lives.
func (c *Client) recognize(k key, a *answer) {
	now := c.clock.Now()
	until := now.Add(knownFor)
	if !a.until.IsZero() && a.until.Before(until) {
		until = a.until
	}
	c.known.put(k, nil, span{now.UnixNano(), until.UnixNano()})
}

// remember keeps an answer: a positive one for no longer than the token lives (RFC
// 7662, Section 4).
func (c *Client) remember(ctx context.Context, k key, a *answer) {
	now := c.clock.Now()
	if !a.active {
		c.known.drop(k)
		if c.negativeTTL > 0 {
			c.inactive.put(k, span{now.UnixNano(), now.Add(c.negativeTTL).UnixNano()})
		}
		return
	}
	c.recognize(k, a)
	until := now.Add(c.ttl)
	if !a.until.IsZero() && a.until.Before(until) {
		until = a.until
	}
	if until.After(now) {
		at := span{now.UnixNano(), until.UnixNano()}
		c.active.put(k, a.claims, at)
		c.shared.put(ctx, k, a.claims, at)
	}
}

// ask sends the token to the endpoint (RFC 7662, Section 2.1).
func (c *Client) ask(ctx context.Context, to *target, token string) (answer, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	header := make(http.Header)
	if c.signed != nil {
		header.Set("Accept", acceptSigned)
	}
	if err := c.auth.Authenticate(ctx, to.metadata, c.clock.Now(), form, header); err != nil {
		return answer{}, failed(ctx, ErrCredentials, err)
	}
	reply, err := fetch.Post(ctx, c.doer, to.url, c.http, header, form.Encode())
	switch {
	case err != nil:
		return answer{}, failed(ctx, ErrNetwork, err)
	case reply.Status != http.StatusOK:
		return answer{}, &Error{kind: ErrRefused, Status: reply.Status}
	case reply.TooLarge:
		return answer{}, &Error{kind: ErrInvalidResponse}
	}
	if c.signed != nil {
		if reply.Body, err = c.signed.open(ctx, c.clock.Now(), &reply); err != nil {
			return answer{}, err
		}
	}
	a, ok := parseAnswer(reply.Body)
	if !ok {
		return answer{}, &Error{kind: ErrInvalidResponse}
	}
	return a, nil
}

// begin counts work that Close waits for, and returns a context that ends with it
// or with the time for a question. done must be called.
func (c *Client) begin(ctx context.Context) (bounded context.Context, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, &Error{kind: ErrClosed}
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
