package verifier

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

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
		e.answers = &answers{mode: DPoPDisabled, realm: "api"}
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
	e.Scope, e.scheme, e.answers = scope, t.Scheme, t.answers
	if e.answers == nil {
		e.answers = &answers{mode: DPoPDisabled, realm: "api"}
		e.scheme = SchemeBearer
	}
	return e
}
