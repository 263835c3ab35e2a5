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
	// Source says where the token is, instead of the Authorization header.
	Source TokenSource
	// EndWithToken ends the context of a request when its token does, as
	// [ContextUntilExpiry] has it, for handlers that stream and look at their
	// context. What takes the context no further is not stopped.
	EndWithToken bool
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
	source := cfg.Source.compile()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cfg.ExposeHeaders {
				w.Header().Add("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce")
			}
			t, err := source.verify(v, r, cfg.Options)
			if err == nil && t == nil {
				err = mistaken("the RequestVerifier returned neither a token nor an error")
			}
			var refusal *Error
			if cfg.Optional && errors.As(err, &refusal) && refusal != nil && refusal.Reason == reason.NoCredentials {
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
			ctx := withCredentials(r.Context(), &credentialsState{token: t, sent: source.sent(r), fail: fail})
			if cfg.EndWithToken {
				var stop context.CancelFunc
				ctx, stop = ContextUntilExpiry(ctx, t)
				defer stop()
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// credentialsState is what the middleware tells the handlers inside it.
type credentialsState struct {
	token   *Token
	sent    string // the token as it was sent, or ""
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

// TokenFromContext returns the token of the request whose context this is, and
// false when there is none: no middleware, or MiddlewareConfig.Optional. A
// library that runs later requests with the context of an earlier one hands out
// the earlier token: see integration/mcpverifier for the one of MCP.
func TokenFromContext(ctx context.Context) (*Token, bool) {
	t := credentialsFrom(ctx).token
	return t, t != nil
}

// AccessTokenFromContext returns the access token of the request as it was sent
// and verified by [Middleware], wherever it was in the request, and false when
// there is none, or another middleware put the token there. It is for token
// exchange (package exchange finds it by itself), and is not to be passed on: it is
// for this API.
func AccessTokenFromContext(ctx context.Context) (string, bool) {
	sent := credentialsFrom(ctx).sent
	return sent, sent != ""
}

// ClaimsFromContext decodes the claims of the token of the request into a T, by
// the rules of [Token.Decode]: names are matched by exact case, and claims that T
// has no field for are left out. The claims have been verified, but a claim that
// is missing leaves its field as it is: see Config.RequiredClaims. Without a
// token the error is the one that [Require] would answer with; when the claims do
// not fit T, it shows none of them.
func ClaimsFromContext[T any](ctx context.Context) (T, error) {
	var claims T
	s := credentialsFrom(ctx)
	if err := s.meets(ctx, nil); err != nil {
		return claims, err
	}
	if err := s.token.Decode(&claims); err != nil {
		var none T // and no half of the claims
		return none, err
	}
	return claims, nil
}

func writeError(w http.ResponseWriter, _ *http.Request, err error) { WriteError(w, err) }
