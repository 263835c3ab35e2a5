package verifier

import (
	"context"
	"errors"
	"net/http"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// RequestVerifier is what the middleware needs; a [*Verifier] is one, and a
// test may have its own.
type RequestVerifier interface {
	VerifyHTTPRequest(r *http.Request, opts ...VerifyOption) (*Token, error)
}

// MiddlewareConfig shapes [Middleware]. The zero value is the default.
type MiddlewareConfig struct {
	// Optional lets requests without credentials pass, without a token. Bad
	// credentials are refused all the same.
	Optional bool
	// ErrorHandler answers instead of [WriteError].
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
	// ExposeHeaders names WWW-Authenticate and DPoP-Nonce in
	// Access-Control-Expose-Headers, for clients in browsers (RFC 9449, Section
	// 8.2). Set it where CORS is in use.
	ExposeHeaders bool
	// Options of every verification.
	Options []VerifyOption
}

// Middleware returns a function that protects handlers: they see only requests
// with a good token, which [TokenFromContext] returns.
func Middleware(v RequestVerifier, cfg MiddlewareConfig) func(http.Handler) http.Handler {
	fail := cfg.ErrorHandler
	if fail == nil {
		fail = writeError
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cfg.ExposeHeaders {
				w.Header().Add("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce")
			}
			t, err := v.VerifyHTTPRequest(r, cfg.Options...)
			var refusal *Error
			if cfg.Optional && errors.As(err, &refusal) && refusal.Reason == reason.NoCredentials {
				next.ServeHTTP(w, r.WithContext(withCredentials(r.Context(), &credentialsState{missing: refusal, fail: fail})))
				return
			}
			if err != nil {
				fail(w, r, err)
				return
			}
			if t.Proof != nil && t.Proof.NextNonce != "" {
				w.Header().Set("DPoP-Nonce", t.Proof.NextNonce)
				w.Header().Set("Cache-Control", "no-store") // RFC 9449, Section 8.2
			}
			next.ServeHTTP(w, r.WithContext(withCredentials(r.Context(), &credentialsState{token: t, fail: fail})))
		})
	}
}

// credentialsState is what the middleware tells the handlers inside it.
type credentialsState struct {
	token   *Token
	missing *Error // instead of token: the challenge, should a route want one
	fail    func(http.ResponseWriter, *http.Request, error)
}

type credentialsKey struct{}

func withCredentials(ctx context.Context, s *credentialsState) context.Context {
	return context.WithValue(ctx, credentialsKey{}, s)
}

func credentialsFrom(ctx context.Context) *credentialsState {
	if s, ok := ctx.Value(credentialsKey{}).(*credentialsState); ok {
		return s
	}
	return &credentialsState{fail: writeError}
}

// ContextWithToken returns a context that carries a token: the work of
// middleware for other transports, and of unit tests of handlers.
func ContextWithToken(ctx context.Context, t *Token) context.Context {
	return withCredentials(ctx, &credentialsState{token: t, fail: credentialsFrom(ctx).fail})
}

// TokenFromContext returns the token of the request, and false when there is
// none: no middleware, or MiddlewareConfig.Optional.
func TokenFromContext(ctx context.Context) (*Token, bool) {
	t := credentialsFrom(ctx).token
	return t, t != nil
}

func writeError(w http.ResponseWriter, _ *http.Request, err error) { WriteError(w, err) }
