package conformance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

type introspectFunc = func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error)

// introspecting puts a mistake around Introspect.
func introspecting(f func(c *clerk, ask introspectFunc) introspectFunc) func(*clerk) {
	return func(c *clerk) { c.ask = f(c, c.ask) }
}

// activeUnder remembers active answers by a name of the request. Where it has none,
// the server is asked. Early: before a look at the context.
func activeUnder(name func(req verifier.IntrospectionRequest) string, early bool) func(*clerk) {
	return introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
		var mu sync.Mutex
		known := make(map[string]verifier.Introspection)
		return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
			mu.Lock()
			answer, ok := known[name(req)]
			mu.Unlock()
			if ok && (early || ctx.Err() == nil) {
				answer.Claims = bytes.Clone(answer.Claims)
				return answer, nil
			}
			answer, err := ask(ctx, req)
			if err == nil && answer.Active {
				mu.Lock()
				known[name(req)] = verifier.Introspection{Active: true, Claims: bytes.Clone(answer.Claims)}
				mu.Unlock()
			}
			return answer, err
		}
	})
}

// sentAs sends another text than the token.
func sentAs(f func(token string) string) func(*clerk) {
	return introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
		return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
			req.Token = f(req.Token)
			return ask(ctx, req)
		}
	})
}

// question is one that several callers share.
type question struct {
	done    chan struct{}
	answer  verifier.Introspection
	err     error
	callers int
}

// sharing lets the callers of a token share one question. Own makes the answer of
// one of them, and which says when they share.
func sharing(which func(c *clerk) bool, own func(verifier.Introspection) verifier.Introspection) func(*clerk) {
	return introspecting(func(c *clerk, ask introspectFunc) introspectFunc {
		var mu sync.Mutex
		asked := make(map[string]*question)
		return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
			if !which(c) || ctx.Err() != nil {
				return ask(ctx, req)
			}
			mu.Lock()
			q, joined := asked[req.Token]
			if !joined {
				q = &question{done: make(chan struct{})}
				asked[req.Token] = q
			}
			q.callers++
			mu.Unlock()
			if joined {
				select {
				case <-q.done:
					return own(q.answer), q.err
				case <-ctx.Done():
					return verifier.Introspection{}, ctx.Err()
				}
			}
			for range 20 { // until somebody joins, but not for long
				mu.Lock()
				alone := q.callers == 1
				mu.Unlock()
				if !alone {
					break
				}
				<-time.After(100 * time.Microsecond)
			}
			q.answer, q.err = ask(ctx, req)
			mu.Lock()
			delete(asked, req.Token)
			mu.Unlock()
			close(q.done)
			return own(q.answer), q.err
		}
	})
}

func cloned(answer verifier.Introspection) verifier.Introspection {
	answer.Claims = bytes.Clone(answer.Claims)
	return answer
}

func allIntrospectorDefects() []defect[func(*clerk)] {
	return withManners(append(introspectorDefects(), moreIntrospectorDefects()...), "hang-ends-with-the-context", func(ill illMannered) func(*clerk) {
		return introspecting(func(c *clerk, ask introspectFunc) introspectFunc {
			around := ill(&c.outage)
			return func(ctx context.Context, req verifier.IntrospectionRequest) (answer verifier.Introspection, err error) {
				err = around(ctx, func(ctx context.Context) error {
					answer, err = ask(ctx, req)
					return err
				})
				if err != nil {
					return verifier.Introspection{}, err
				}
				return answer, nil
			}
		})
	})
}

func moreIntrospectorDefects() []defect[func(*clerk)] {
	byToken := func(f func(token string) string) func(*clerk) {
		return activeUnder(func(req verifier.IntrospectionRequest) string { return req.Issuer + "\n" + f(req.Token) }, false)
	}
	return []defect[func(*clerk)]{
		{name: "answers are remembered by the first 16 octets", fails: "tokens-that-look-alike-are-inactive", make: byToken(func(token string) string { return token[:min(len(token), 16)] })},
		{name: "answers are remembered without case", fails: "tokens-that-look-alike-are-inactive", make: byToken(strings.ToLower)},
		{name: "tokens are trimmed", fails: "tokens-that-look-alike-are-inactive", make: sentAs(strings.TrimSpace)},
		{name: "tokens are pasted into a form", fails: "tokens-that-look-alike-are-inactive", make: sentAs(func(token string) string {
			first, _, _ := strings.Cut(token, "&")
			return first
		})},
		{name: "the last of several parameters counts", fails: "tokens-that-look-alike-are-inactive", make: sentAs(func(token string) string {
			parts := strings.Split(token, "&token=")
			return parts[len(parts)-1]
		})},
		{name: "answers are remembered without their issuer", fails: "known-token-is-of-its-issuer-alone", make: activeUnder(func(req verifier.IntrospectionRequest) string { return req.Token }, false)},
		{name: "issuers are compared by their beginning", fails: "known-token-is-of-its-issuer-alone", make: introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if strings.HasPrefix(req.Issuer, clerkIssuer) {
					req.Issuer = clerkIssuer
				}
				return ask(ctx, req)
			}
		})},
		{name: "no issuer is the first one", fails: "known-token-is-of-its-issuer-alone", make: introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if req.Issuer == "" {
					req.Issuer = clerkIssuer
				}
				return ask(ctx, req)
			}
		})},
		{name: "an empty token is a panic", fails: "hostile-tokens", make: introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				_ = req.Token[0]
				return ask(ctx, req)
			}
		})},
		{name: "callers at once share the claims", fails: "callers-at-once-own-the-claims", make: sharing(func(c *clerk) bool { return !c.isHung() }, func(answer verifier.Introspection) verifier.Introspection { return answer })},
		{name: "callers share a question with the context of the first", fails: "one-cancellation-ends-no-other-call", make: sharing((*clerk).isHung, cloned)},
		{name: "calls in flight have no bound", fails: "calls-in-flight-are-bounded", make: func(c *clerk) { c.unbounded = true }},
		{name: "calls beyond the bound wait for a place", fails: "calls-in-flight-are-bounded", make: func(c *clerk) {
			c.unbounded = true
			places := make(chan struct{}, clerkBound)
			introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
				return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
					select {
					case places <- struct{}{}:
						defer func() { <-places }()
						return ask(ctx, req)
					case <-ctx.Done():
						return verifier.Introspection{}, ctx.Err()
					}
				}
			})(c)
		}},
		{name: "an answer is remembered, and given without a look at the context", fails: "known-token-with-a-done-context", make: activeUnder(func(req verifier.IntrospectionRequest) string { return req.Issuer + "\n" + req.Token }, true)},
		{name: "the error of a time-out shows the form", fails: "errors-of-time-outs-show-no-token", make: introspecting(func(c *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := ask(ctx, req)
				if err != nil && c.isHung() {
					err = fmt.Errorf("token=%s: %w", req.Token, err)
				}
				return answer, err
			}
		})},
		{name: "the error shows the token in base64", fails: "errors-show-no-token", make: introspecting(func(c *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := ask(ctx, req)
				if err != nil && c.isBroken() {
					err = fmt.Errorf("%w: %s", err, base64.StdEncoding.EncodeToString([]byte(req.Token)))
				}
				return answer, err
			}
		})},
		{name: "a time-out is inactive", fails: "hang-ends-with-the-context", make: introspecting(func(c *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				dead := ctx.Err() != nil
				answer, err := ask(ctx, req)
				if !dead && ctx.Err() != nil && c.isHung() {
					return verifier.Introspection{}, nil
				}
				return answer, err
			}
		})},
	}
}

// TestOddIntrospectors: what is unusual and within the contract passes.
func TestOddIntrospectors(t *testing.T) {
	for name, odd := range map[string]func(*clerk){
		"answers are remembered":     activeUnder(func(req verifier.IntrospectionRequest) string { return req.Issuer + "\n" + req.Token }, false),
		"callers share one question": sharing(func(c *clerk) bool { return !c.isHung() }, cloned),
		"tokens that cannot be are refused with an error": introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if (len(req.Token) > 4096 || strings.ContainsAny(req.Token, " \x00\n&%#")) && ctx.Err() == nil {
					return verifier.Introspection{}, errRefused
				}
				return ask(ctx, req)
			}
		}),
		"an inactive answer has claims": introspecting(func(_ *clerk, ask introspectFunc) introspectFunc {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := ask(ctx, req)
				if err == nil && !answer.Active {
					answer.Claims = []byte(`{"active":false}`)
				}
				return answer, err
			}
		}),
	} {
		t.Run(name, func(t *testing.T) { conformance.TestIntrospector(t, clerkHarness(odd)) })
	}
}
