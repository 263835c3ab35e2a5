package exchange

import (
	"context"
)

var (
	profileFlow = &flow{name: "profile", argumentCode: codeExchangeArgument, failureCode: codeExchangeFailure}
	onBehalfOf  = &flow{name: "on-behalf-of", argumentCode: codeExchangeArgument, failureCode: codeExchangeFailure, accessOnly: true}
	vaultFlow   = &flow{name: "connection", argumentCode: codeVaultArgument, failureCode: codeVaultFailure, clientID: true, accessOnly: true}
)

// ExchangeProfile exchanges a token for another (RFC 8693): at Auth0, by the
// Token Exchange Profile of the subject token's type. The error is an
// [*Error].
func (c *Client) ExchangeProfile(ctx context.Context, r ProfileRequest) (*Tokens, error) {
	k, err := c.profileCall(profileFlow, &r)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, k)
}

// OnBehalfOf exchanges the access token that this API was sent for one with
// which it calls another API on behalf of the same user. Nothing but an access
// token comes back: other tokens in the answer are dropped, and an answer that
// states another type of token is refused. The error is an [*Error].
func (c *Client) OnBehalfOf(ctx context.Context, r OnBehalfOfRequest) (*Token, error) {
	if r.Audience == "" {
		return nil, missing("the audience")
	}
	k, err := c.profileCall(onBehalfOf, &ProfileRequest{
		SubjectToken: r.AccessToken, SubjectTokenType: TypeAccessToken, RequestedTokenType: TypeAccessToken,
		ActorToken: r.ActorToken, ActorTokenType: r.ActorTokenType,
		Audience: r.Audience, Scope: r.Scope, Resource: r.Resource, Organization: r.Organization,
		Extra: r.Extra, Header: r.Header, Domain: r.Domain,
	})
	if err != nil {
		return nil, err
	}
	return c.accessToken(ctx, k)
}

// ConnectionToken returns the access token that a user has at an external
// provider, from Auth0's Token Vault. The error is an [*Error].
func (c *Client) ConnectionToken(ctx context.Context, r ConnectionRequest) (*Token, error) {
	k, err := c.vaultCall(vaultFlow, &r)
	if err != nil {
		return nil, err
	}
	return c.accessToken(ctx, k)
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
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := ended(ctx); err != nil {
		return nil, err
	}
	key := c.key(k)
	if c.results == nil {
		return c.ask(ctx, k, key)
	}
	if t := c.results.get(ctx, key, c.clock.Now()); t != nil {
		return t, nil
	}
	if err := ended(ctx); err != nil {
		return nil, err // nobody is there for whom to begin a call
	}
	return c.share(ctx, key, func(ctx context.Context) (*Tokens, error) {
		// The call before this one may have ended since.
		if t := c.results.get(ctx, key, c.clock.Now()); t != nil {
			return t, nil
		}
		t, err := c.ask(ctx, k, key)
		if err == nil {
			c.results.put(ctx, key, k.subjects, t, c.clock.Now())
		}
		return t, err
	})
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
