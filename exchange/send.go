package exchange

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/verifier"
)

// send sends a call to the token endpoint and judges the answer.
func (c *Client) send(ctx context.Context, k *call, key string) (*Tokens, error) {
	if err := c.waits.check(key, c.clock.Now()); err != nil {
		return nil, err
	}
	metadata, url, err := c.endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		r := c.request(k, metadata)
		if err := c.auth.authenticate(ctx, r); err != nil {
			return nil, err
		}
		if err := c.prove(r, url); err != nil {
			return nil, err
		}
		reply, err := fetch.Post(ctx, c.doer, url, c.http, r.header, r.form.Encode())
		if err != nil {
			return nil, unanswered(ctx, err)
		}
		now := c.clock.Now()
		renewed := c.proof != nil && c.nonces.learn(url, reply.Header)
		if reply.Status == http.StatusOK {
			return c.accept(k, &reply, now)
		}
		failure := k.refused(r, &reply, now)
		// RFC 9449, Section 8: the proof is repeated with the nonce given, once.
		if attempt == 0 && renewed && failure.Code == "use_dpop_nonce" {
			continue
		}
		c.waits.note(key, failure, now)
		return nil, failure
	}
}

// request starts a request: a new one for each attempt, since assertions and
// proofs are used once.
func (c *Client) request(k *call, metadata *verifier.Metadata) *tokenRequest {
	r := &tokenRequest{
		clientID: c.clientID, metadata: metadata, now: c.clock.Now(),
		form: maps.Clone(k.form), header: k.header.Clone(), secrets: append([]string(nil), k.subjects...),
	}
	if k.flow.clientID {
		r.form.Set("client_id", c.clientID)
	}
	return r
}

// accept reads a successful answer and checks that it is what was asked for.
func (c *Client) accept(k *call, reply *fetch.Reply, now time.Time) (*Tokens, error) {
	t, err := parseTokens(reply, now)
	if err != nil {
		return nil, err
	}
	if err := k.checkTypes(t, c.proof != nil); err != nil {
		return nil, err
	}
	if err := checkOrganization(k.organization, t); err != nil {
		return nil, err
	}
	if k.flow.accessOnly {
		t.onlyAccess()
	}
	return t, nil
}
