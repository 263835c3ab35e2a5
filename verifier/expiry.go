package verifier

import (
	"context"
	"time"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// ContextUntilExpiry returns a context that ends when the token does: a request
// is authorized when it begins, and a stream should not outlive its token. The
// end is ExpiresAt and the leeway that the token's Verifier allows its issuer.
// [context.Cause] is then an [*Error] that matches [ErrExpired] and has the
// challenges of that Verifier.
//
// A token without ExpiresAt, which no Verifier returns, has no end. The caller
// must call the function that is returned.
func ContextUntilExpiry(ctx context.Context, t *Token) (context.Context, context.CancelFunc) {
	if t.ExpiresAt.IsZero() {
		return context.WithCancel(ctx)
	}
	now := time.Now
	if t.answers != nil {
		now = t.answers.now
	}
	return context.WithTimeoutCause(ctx, t.ExpiresAt.Add(t.leeway).Sub(now()), t.lacks(reason.Expired, ""))
}
