package conformance_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// clerk is an Introspector with a place for a mistake.
type clerk struct {
	outage
	issued map[string]string // subject of a token
	kept   map[string][]byte
	last   string
	asked  int
	flying atomic.Int64

	unbounded bool
	ask       func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error)
}

// clerkBound is how many calls can be in flight.
const clerkBound = 100

const clerkIssuer = "https://issuer.example/"

func (c *clerk) Introspect(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	return c.ask(ctx, req)
}

var errClerk = errors.New("clerk: another issuer")

func (c *clerk) good(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	if flying := c.flying.Add(1); flying > clerkBound && !c.unbounded {
		c.flying.Add(-1)
		return verifier.Introspection{}, errors.Join(ctx.Err(), errRefused)
	}
	defer c.flying.Add(-1)
	if err := c.enter(ctx); err != nil {
		return verifier.Introspection{}, err
	}
	if req.Issuer != clerkIssuer {
		return verifier.Introspection{}, errClerk
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	subject, ok := c.issued[req.Token]
	if !ok {
		return verifier.Introspection{}, nil
	}
	claims, err := json.Marshal(map[string]any{"active": true, "sub": subject})
	return verifier.Introspection{Active: true, Claims: claims}, err
}

func clerkHarness(change func(*clerk)) conformance.IntrospectorHarness {
	return conformance.IntrospectorHarness{
		Issuer: clerkIssuer,
		New: func(*conformance.Env) (verifier.Introspector, error) {
			c := &clerk{issued: make(map[string]string), kept: make(map[string][]byte)}
			c.ask = c.good
			if change != nil {
				change(c)
			}
			return c, nil
		},
		Issue: func(i verifier.Introspector, subject string) (string, error) {
			c := i.(*clerk)
			c.mu.Lock()
			defer c.mu.Unlock()
			token := rand.Text()
			c.issued[token] = subject
			return token, nil
		},
		Asked: func(i verifier.Introspector) int {
			c := i.(*clerk)
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.asked
		},
		Break: func(i verifier.Introspector) func() { return i.(*clerk).breakIt() },
		Hang:  func(i verifier.Introspector) func() { return i.(*clerk).hangIt() },
	}
}

func TestIntrospectorDefects(t *testing.T) {
	t.Parallel()
	if report := conformance.RunIntrospector(t.Context(), clerkHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	testDefects(t, conformance.IntrospectorChecks(), allIntrospectorDefects(), func(ctx context.Context, d defect[func(*clerk)]) conformance.Report {
		return conformance.RunIntrospector(ctx, clerkHarness(d.make))
	})
}

func introspectorDefects() []defect[func(*clerk)] {
	type asks = func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error)
	asking := func(f func(c *clerk) asks) func(*clerk) { return func(c *clerk) { c.ask = f(c) } }
	return []defect[func(*clerk)]{
		{name: "claims are dropped", fails: "good-token-is-active", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				answer.Claims = nil
				return answer, err
			}
		})},
		{name: "unknown is an error", fails: "unknown-token-is-inactive", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if err == nil && !answer.Active {
					err = errClerk
				}
				return answer, err
			}
		})},
		{name: "the issuer does not matter", fails: "token-of-another-issuer-is-not-asked-about", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				req.Issuer = clerkIssuer
				return c.good(ctx, req)
			}
		})},
		{name: "claims are kept and given out", fails: "caller-owns-the-claims", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if err != nil || !answer.Active {
					return answer, err
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.kept[req.Token] == nil {
					c.kept[req.Token] = answer.Claims
				}
				answer.Claims = c.kept[req.Token]
				return answer, nil
			}
		})},
		{name: "calls share a variable", fails: "concurrent-calls-do-not-mix", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				c.mu.Lock()
				c.last = req.Token
				c.mu.Unlock()
				runtime.Gosched()
				c.mu.Lock()
				req.Token = c.last
				c.mu.Unlock()
				return c.good(ctx, req)
			}
		})},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if c.isHung() {
					return c.good(ctx, req)
				}
				return c.good(context.WithoutCancel(ctx), req)
			}
		})},
		{name: "down is inactive", fails: "failure-is-an-error", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if errors.Is(err, errDown) {
					err = nil
				}
				return answer, err
			}
		})},
		{name: "the error shows the token", fails: "errors-show-no-token", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if err != nil {
					err = fmt.Errorf("%w: %s", err, req.Token)
				}
				return answer, err
			}
		})},
		{name: "waits for ever", fails: "hang-ends-with-the-context", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if c.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return c.good(ctx, req)
			}
		})},
	}
}
