package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

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

// WriteError answers a request with what an error of a verification calls for:
// status, challenges, and a JSON body with error and error_description. Any
// other error is answered with 500, and nothing of it is shown.
func WriteError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Description: "the request could not be checked"}
	}
	e.WriteHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	body := map[string]string{"error_description": e.Description}
	switch {
	case e.Code != CodeNone:
		body["error"] = string(e.Code)
	case e.Status == http.StatusServiceUnavailable:
		body["error"] = "temporarily_unavailable"
	case e.Status >= http.StatusInternalServerError:
		body["error"] = "server_error"
	default:
		delete(body, "error_description") // RFC 6750, Section 3.1: no error information
		body["message"] = e.Description
	}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// A Requirement is what a token must have for a route beyond being good. It
// returns nil or an [*Error], which [Require] answers with; [Satisfies] makes one
// of a predicate.
type Requirement func(*Token) error

// Require returns a middleware that demands something of the token that
// [Middleware] has put into the context. All requirements must be met. A
// request without a token is refused as Middleware would have. Refusals go to
// MiddlewareConfig.ErrorHandler, too.
func Require(requirements ...Requirement) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := credentialsFrom(r.Context())
			if err := s.meets(requirements); err != nil {
				s.fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// meets returns why the credentials do not meet the requirements, or nil.
func (s *credentialsState) meets(requirements []Requirement) error {
	switch {
	case s.token == nil && s.missing != nil:
		return s.missing
	case s.token == nil:
		e := refuse(reason.NoCredentials)
		e.policy = &challengePolicy{mode: DPoPDisabled, realm: "api"}
		return e
	}
	for _, requirement := range requirements {
		if err := requirement(s.token); err != nil {
			return err
		}
	}
	return nil
}

// AllScopes demands every one of the scopes.
func AllScopes(scopes ...string) Requirement {
	return func(t *Token) error {
		for _, scope := range scopes {
			if !t.HasScope(scope) {
				return t.lacks(reason.Scope, strings.Join(scopes, " "))
			}
		}
		return nil
	}
}

// AnyScope demands one of the scopes.
func AnyScope(scopes ...string) Requirement {
	return func(t *Token) error {
		if slices.ContainsFunc(scopes, t.HasScope) {
			return nil
		}
		return t.lacks(reason.Scope, strings.Join(scopes, " "))
	}
}

// AllPermissions demands every one of the permissions.
func AllPermissions(permissions ...string) Requirement {
	return func(t *Token) error {
		have := t.Permissions()
		for _, permission := range permissions {
			if !slices.Contains(have, permission) {
				return t.lacks(reason.Permission, "")
			}
		}
		return nil
	}
}

// AnyPermission demands one of the permissions.
func AnyPermission(permissions ...string) Requirement {
	return func(t *Token) error {
		have := t.Permissions()
		for _, permission := range permissions {
			if slices.Contains(have, permission) {
				return nil
			}
		}
		return t.lacks(reason.Permission, "")
	}
}

// Satisfies demands that a predicate is true.
func Satisfies(predicate func(*Token) bool) Requirement {
	return func(t *Token) error {
		if predicate(t) {
			return nil
		}
		return t.lacks(reason.Forbidden, "")
	}
}

// StepUp says which authentication a route needs (RFC 9470).
type StepUp struct {
	// ACRValues: the acr claim must be one of them. Empty: any will do.
	ACRValues []string
	// MaxAge since the time in the auth_time claim. Zero: any age will do.
	MaxAge time.Duration
	// Clock; default time.Now.
	Clock Clock
}

// Authenticated demands an authentication of the user. A token that does not
// tell is refused.
func Authenticated(s StepUp) Requirement {
	now := time.Now
	if s.Clock != nil {
		now = s.Clock.Now
	}
	return func(t *Token) error {
		ok := true
		if len(s.ACRValues) > 0 {
			acr, _ := t.claim("acr").Text()
			ok = acr != "" && slices.Contains(s.ACRValues, acr)
		}
		if s.MaxAge > 0 {
			at, has := t.claim("auth_time").Time()
			ok = ok && has && now().Sub(at) <= s.MaxAge
		}
		if ok {
			return nil
		}
		e := t.lacks(reason.Authentication, "")
		e.ACRValues, e.MaxAge = strings.Join(s.ACRValues, " "), s.MaxAge
		return e
	}
}

// lacks makes the refusal of a good token, for the scheme that it came with.
func (t *Token) lacks(r Reason, scope string) *Error {
	e := refuse(r)
	e.Scope, e.scheme, e.policy = scope, t.Scheme, t.policy
	if e.policy == nil {
		e.policy = &challengePolicy{mode: DPoPDisabled, realm: "api"}
		e.scheme = SchemeBearer
	}
	return e
}
