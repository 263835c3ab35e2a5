package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

type checkFunc = func(ctx context.Context, token verifier.RevocationRequest) (bool, error)

// checking puts a mistake around Revoked.
func checking(f func(b *bouncer, ask checkFunc) checkFunc) func(*bouncer) {
	return func(b *bouncer) { b.ask = f(b, b.ask) }
}

// deniedAs takes a token for a denied one that is like it.
func deniedAs(like func(id, denied string) bool) func(*bouncer) {
	return checking(func(b *bouncer, ask checkFunc) checkFunc {
		return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
			revoked, err := ask(ctx, token)
			b.mu.Lock()
			defer b.mu.Unlock()
			for denied := range b.denied {
				revoked = revoked || err == nil && like(token.ID, denied)
			}
			return revoked, err
		}
	})
}

func allCheckerDefects() []defect[func(*bouncer)] {
	return withManners(append(checkerDefects(), moreCheckerDefects()...), "hang-ends-with-the-context", func(ill illMannered) func(*bouncer) {
		return checking(func(b *bouncer, ask checkFunc) checkFunc {
			around := ill(&b.outage)
			return func(ctx context.Context, token verifier.RevocationRequest) (revoked bool, err error) {
				err = around(ctx, func(ctx context.Context) error {
					revoked, err = ask(ctx, token)
					return err
				})
				return revoked && err == nil, err
			}
		})
	})
}

func moreCheckerDefects() []defect[func(*bouncer)] {
	return []defect[func(*bouncer)]{
		{name: "identifiers are compared without case", fails: "tokens-that-look-alike-are-not-revoked", make: deniedAs(strings.EqualFold)},
		{name: "identifiers are cut to 64 octets", fails: "tokens-that-look-alike-are-not-revoked", make: deniedAs(func(id, denied string) bool {
			return len(id) > 64 && len(denied) > 64 && id[:64] == denied[:64]
		})},
		{name: "a denied identifier is the beginning of others", fails: "tokens-that-look-alike-are-not-revoked", make: deniedAs(func(id, denied string) bool {
			return strings.HasPrefix(id, denied) && !strings.Contains(denied, "many")
		})},
		{name: "16 denials are kept", fails: "every-revoked-token-is-revoked", make: checking(func(b *bouncer, ask checkFunc) checkFunc {
			var first []string // that were asked about
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := ask(ctx, token)
				b.mu.Lock()
				defer b.mu.Unlock()
				if revoked && !slices.Contains(first, token.ID) {
					first = append(first, token.ID)
				}
				return revoked && slices.Index(first, token.ID) < 16, err
			}
		})},
		{name: "a denial is told 40 times", fails: "revoked-token-stays-revoked", make: checking(func(_ *bouncer, ask checkFunc) checkFunc {
			var told sync.Map
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := ask(ctx, token)
				if revoked {
					n, _ := told.LoadOrStore(token.ID, new(atomic.Int64))
					revoked = n.(*atomic.Int64).Add(1) != 41
				}
				return revoked, err
			}
		})},
		{name: "a token that was good is good for ever", fails: "token-that-was-good-is-revoked", make: checking(func(_ *bouncer, ask checkFunc) checkFunc {
			var good tombstones
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if good.has(token.ID) && ctx.Err() == nil {
					return false, nil
				}
				revoked, err := ask(ctx, token)
				if err == nil && !revoked {
					good.add(token.ID)
				}
				return revoked, err
			}
		})},
		{name: "a token without jti is a panic", fails: "tokens-without-identifiers", make: checking(func(_ *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				_ = token.ID[0]
				return ask(ctx, token)
			}
		})},
		{name: "a token without sub is one whose sub is denied", fails: "tokens-without-identifiers", make: checking(func(b *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := ask(ctx, token)
				b.mu.Lock()
				defer b.mu.Unlock()
				return revoked || err == nil && token.Subject == "" && len(b.denied) > 0, err
			}
		})},
		{name: "a long jti is a panic", fails: "hostile-identifiers", make: checking(func(_ *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				var buffer [2048]byte
				_ = buffer[:len(token.ID)]
				return ask(ctx, token)
			}
		})},
		{name: "a jti is a pattern", fails: "hostile-identifiers", make: checking(func(_ *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := ask(ctx, token)
				return revoked || err == nil && token.ID == "*", err
			}
		})},
		{name: "the error of a time-out shows the session", fails: "errors-of-time-outs-show-nothing", make: checking(func(b *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := ask(ctx, token)
				if err != nil && b.isHung() {
					err = fmt.Errorf("session %s: %w", token.SessionID, err)
				}
				return revoked, err
			}
		})},
		{name: "a time-out is not revoked", fails: "hang-ends-with-the-context", make: checking(func(b *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				dead := ctx.Err() != nil
				revoked, err := ask(ctx, token)
				if !dead && ctx.Err() != nil && b.isHung() {
					return false, nil
				}
				return revoked, err
			}
		})},
		{name: "a revoked token of an outage is forgotten", fails: "works-after-an-outage", make: checking(func(b *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := ask(ctx, token)
				if errors.Is(err, errDown) {
					b.mu.Lock()
					defer b.mu.Unlock()
					clear(b.denied)
				}
				return revoked, err
			}
		})},
	}
}

// TestOddRevocationCheckers: what is unusual and within the contract passes.
func TestOddRevocationCheckers(t *testing.T) {
	for name, odd := range map[string]func(*bouncer){
		"a token without jti cannot be decided about": checking(func(_ *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if token.ID == "" && ctx.Err() == nil {
					return false, errRefused
				}
				return ask(ctx, token)
			}
		}),
		"what was revoked is remembered, and told while the backend is down": checking(func(_ *bouncer, ask checkFunc) checkFunc {
			var known tombstones
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if known.has(token.ID) && ctx.Err() == nil {
					return true, nil
				}
				revoked, err := ask(ctx, token)
				if revoked {
					known.add(token.ID)
				}
				return revoked, err
			}
		}),
		"a jti of more than 1000 octets is refused": checking(func(_ *bouncer, ask checkFunc) checkFunc {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if len(token.ID) > 1000 && ctx.Err() == nil {
					return false, errRefused
				}
				return ask(ctx, token)
			}
		}),
	} {
		t.Run(name, func(t *testing.T) { conformance.TestRevocationChecker(t, bouncerHarness(odd)) })
	}
}
