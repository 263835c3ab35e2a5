package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// bouncer is a RevocationChecker with a place for a mistake.
type bouncer struct {
	outage
	denied map[string]bool
	last   string
	ask    func(ctx context.Context, token verifier.RevocationRequest) (bool, error)
}

func (b *bouncer) Revoked(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	return b.ask(ctx, token)
}

func (b *bouncer) good(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	if err := b.enter(ctx); err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.denied[token.ID], nil
}

func bouncerHarness(change func(*bouncer)) conformance.RevocationCheckerHarness {
	return conformance.RevocationCheckerHarness{
		New: func(*conformance.Env) (verifier.RevocationChecker, error) {
			b := &bouncer{denied: make(map[string]bool)}
			b.ask = b.good
			if change != nil {
				change(b)
			}
			return b, nil
		},
		Revoke: func(c verifier.RevocationChecker, token verifier.RevocationRequest) error {
			b := c.(*bouncer)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.denied[token.ID] = true
			return nil
		},
		Break: func(c verifier.RevocationChecker) func() { return c.(*bouncer).breakIt() },
		Hang:  func(c verifier.RevocationChecker) func() { return c.(*bouncer).hangIt() },
	}
}

func TestRevocationCheckerDefects(t *testing.T) {
	t.Parallel()
	if report := conformance.RunRevocationChecker(t.Context(), bouncerHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	testDefects(t, conformance.RevocationCheckerChecks(), allCheckerDefects(), func(ctx context.Context, d defect[func(*bouncer)]) conformance.Report {
		return conformance.RunRevocationChecker(ctx, bouncerHarness(d.make))
	})
}

func checkerDefects() []defect[func(*bouncer)] {
	type asks = func(ctx context.Context, token verifier.RevocationRequest) (bool, error)
	asking := func(f func(b *bouncer) asks) func(*bouncer) { return func(b *bouncer) { b.ask = f(b) } }
	return []defect[func(*bouncer)]{
		{name: "what nobody has revoked is", fails: "good-token-is-not-revoked", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				return revoked || len(b.denied) == 0 && err == nil, err
			}
		})},
		{name: "nothing is revoked", fails: "revoked-token-is-revoked", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				_, err := b.good(ctx, token)
				return false, err
			}
		})},
		{name: "one revocation is for all that come next", fails: "another-token-is-not-revoked", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.last == "" {
					b.last = token.ID
					revoked = revoked || len(b.denied) > 0 && !b.down && ctx.Err() == nil && err == nil && bytes.HasSuffix([]byte(token.ID), []byte("other"))
				}
				return revoked, err
			}
		})},
		{name: "calls share a variable", fails: "concurrent-calls-do-not-mix", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				b.mu.Lock()
				b.last = token.ID
				b.mu.Unlock()
				runtime.Gosched()
				b.mu.Lock()
				token.ID = b.last
				b.mu.Unlock()
				return b.good(ctx, token)
			}
		})},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if b.isHung() {
					return b.good(ctx, token)
				}
				return b.good(context.WithoutCancel(ctx), token)
			}
		})},
		{name: "down is not revoked", fails: "failure-is-an-error", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				if errors.Is(err, errDown) {
					err = nil
				}
				return revoked, err
			}
		})},
		{name: "the error shows the token", fails: "errors-show-nothing", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				if err != nil {
					err = fmt.Errorf("%w: token %s", err, token.ID)
				}
				return revoked, err
			}
		})},
		{name: "waits for ever", fails: "hang-ends-with-the-context", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if b.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return b.good(ctx, token)
			}
		})},
	}
}
