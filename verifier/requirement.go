package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// A Requirement is what a token must have for a route beyond being good. It is
// called with the context of the request, from any number of goroutines. It
// returns nil when the token will do, or says what the answer is:
//
//   - an [*Error]: its Status, such as 401 with [CodeInvalidToken] for a token
//     that was revoked, or 403 with [CodeInsufficientScope]. [Require] adds the
//     challenges. One value may be returned again and again: it is copied.
//   - any other error, and a panic: the Requirement could not decide. The answer
//     is 503 with reason.Requirement, and the error is its cause.
//
// A Requirement that no token can meet, such as AllScopes("a b"), is a mistake of
// the program: every request is answered with 500 and [ErrArgument].
type Requirement func(context.Context, *Token) error

// AnyRequirement is what [Require] takes: a [Requirement], or a function of the
// token alone.
type AnyRequirement interface {
	Requirement | func(context.Context, *Token) error | func(*Token) error
}

// Require returns a middleware that demands something of the token that
// [Middleware] has put into the context. All requirements must be met. Where
// MiddlewareConfig.Optional let a request pass without a token, it is refused as
// Middleware would have. Without Middleware around it, every request is answered
// with 500 and [ErrArgument]. Refusals go to MiddlewareConfig.ErrorHandler, too.
func Require[R AnyRequirement](requirements ...R) func(http.Handler) http.Handler {
	list := make([]Requirement, len(requirements))
	for i, r := range requirements {
		list[i] = requirementOf(r)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := credentialsFrom(r.Context())
			if err := s.meets(r.Context(), list); err != nil {
				s.fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func requirementOf(r any) Requirement {
	switch f := r.(type) {
	case Requirement:
		return f
	case func(context.Context, *Token) error:
		return f
	case func(*Token) error:
		if f != nil {
			return func(_ context.Context, t *Token) error { return f(t) }
		}
	}
	return nil
}

// Meets is [Require] for other transports: it returns why a token does not meet
// the requirements, an [*Error], or nil.
func Meets(ctx context.Context, t *Token, requirements ...Requirement) error {
	if t == nil {
		return mistaken("there is no token in the context: Require stands without Middleware around it")
	}
	for _, requirement := range requirements {
		if requirement == nil {
			return mistaken("a Requirement is nil")
		}
		_, err := foreign.Guard(func() (struct{}, error) { return struct{}{}, requirement(ctx, t) })
		if err != nil {
			return t.refusal(err)
		}
	}
	return nil
}

func (s *credentialsState) meets(ctx context.Context, requirements []Requirement) error {
	if s.token == nil && s.missing != nil {
		return s.missing
	}
	return Meets(ctx, s.token, requirements...)
}

// refusal makes the answer of a requirement's error: a copy, for the scheme that
// the token came with.
func (t *Token) refusal(err error) *Error {
	var found *Error
	if !errors.As(err, &found) || found == nil {
		found = undecided(reason.Requirement, err, 0)
	}
	e := *found
	if e.answers == nil && t.answers != nil {
		e.answers, e.scheme = t.answers, t.Scheme
	}
	return &e
}

// mistaken makes the error of a mistake in the calling program.
func mistaken(what string) *Error {
	e := refuse(reason.Argument)
	e.cause = errors.New("verifier: " + what)
	return e
}

// never is a Requirement that cannot be met.
func never(what string) Requirement {
	return func(context.Context, *Token) error { return mistaken(what) }
}

// AllScopes demands every one of the scopes; without any, nothing.
func AllScopes(scopes ...string) Requirement {
	scopes = slices.Clone(scopes)
	if what := badScope("AllScopes", scopes); what != "" {
		return never(what)
	}
	return func(_ context.Context, t *Token) error {
		for _, scope := range scopes {
			if !t.HasScope(scope) {
				return t.lacks(reason.Scope, strings.Join(scopes, " "))
			}
		}
		return nil
	}
}

// AnyScope demands one of the scopes. The challenge asks for the first one: the
// narrowest should come first.
func AnyScope(scopes ...string) Requirement {
	scopes = slices.Clone(scopes)
	what := badScope("AnyScope", scopes)
	switch {
	case len(scopes) == 0:
		return never("AnyScope has no scopes")
	case what != "":
		return never(what)
	}
	return func(_ context.Context, t *Token) error {
		if slices.ContainsFunc(scopes, t.HasScope) {
			return nil
		}
		return t.lacks(reason.Scope, scopes[0])
	}
}

// badScope finds what is no scope-token (RFC 6749, Section 3.3), and so in no
// token's list.
func badScope(function string, scopes []string) string {
	for _, scope := range scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
			return fmt.Sprintf("%s has %q, which is not one scope", function, scope)
		}
	}
	return ""
}

// AllPermissions demands every one of the permissions; without any, nothing.
func AllPermissions(permissions ...string) Requirement {
	permissions = slices.Clone(permissions)
	if slices.Contains(permissions, "") {
		return never("AllPermissions has an empty permission")
	}
	return func(_ context.Context, t *Token) error {
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
	permissions = slices.Clone(permissions)
	if len(permissions) == 0 || slices.Contains(permissions, "") {
		return never("AnyPermission has no permissions or an empty one")
	}
	return func(_ context.Context, t *Token) error {
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
	if predicate == nil {
		return never("Satisfies has no predicate")
	}
	return func(_ context.Context, t *Token) error {
		if predicate(t) {
			return nil
		}
		return t.lacks(reason.Forbidden, "")
	}
}

// BoundToKey demands that the request used the DPoP scheme: a token that is bound
// to a key, with its proof. Others are challenged with DPoP alone (RFC 9449,
// Section 7.1), for a route of an API that accepts Bearer elsewhere.
func BoundToKey() Requirement {
	return func(_ context.Context, t *Token) error {
		switch {
		case t.Scheme == SchemeDPoP && t.Confirmation.JWKThumbprint != "":
			return nil
		case t.answers != nil && !t.answers.allows(SchemeDPoP):
			return mistaken("BoundToKey stands behind a Verifier with DPoPDisabled")
		}
		return t.challenged(reason.UnsupportedScheme, SchemeDPoP)
	}
}

// BoundToCertificate demands a token that is bound to a client certificate (RFC
// 8705), which the client has then shown. Others are challenged with the scheme
// that they used alone: another scheme would not help.
func BoundToCertificate() Requirement {
	return func(_ context.Context, t *Token) error {
		if t.Confirmation.CertificateThumbprint != "" {
			return nil
		}
		return t.challenged(reason.CertificateBindingMissing, t.Scheme)
	}
}

// challenged makes a refusal with the challenge of one scheme.
func (t *Token) challenged(r Reason, scheme Scheme) *Error {
	e := t.lacks(r, "")
	if t.answers != nil {
		t.answers.attach(e, t.Scheme) // Auth0's statuses
	}
	e.only = scheme
	return e
}

// StepUp says which authentication a route needs (RFC 9470).
type StepUp struct {
	// ACRValues: the acr claim must be one of them. Empty: any will do.
	ACRValues []string
	// MaxAge since the time in the auth_time claim. Zero: any age will do. A time
	// that is more than a minute ahead of Clock is none.
	MaxAge time.Duration
	// Clock; default time.Now.
	Clock Clock
}

// authenticationSkew is how far the issuer's clock may be ahead.
const authenticationSkew = time.Minute

// Authenticated demands an authentication of the user. A token that does not
// tell is refused.
func Authenticated(s StepUp) Requirement {
	now := time.Now
	if s.Clock != nil {
		now = s.Clock.Now
	}
	s.ACRValues = slices.Clone(s.ACRValues)
	if what := s.mistake(); what != "" {
		return never(what)
	}
	return func(_ context.Context, t *Token) error {
		ok := true
		if len(s.ACRValues) > 0 {
			acr, _ := t.claim("acr").Text()
			ok = acr != "" && slices.Contains(s.ACRValues, acr)
		}
		if s.MaxAge > 0 {
			at, has := t.claim("auth_time").Time()
			age := now().Sub(at)
			ok = ok && has && age <= s.MaxAge && age >= -authenticationSkew
		}
		if ok {
			return nil
		}
		e := t.lacks(reason.Authentication, "")
		e.ACRValues, e.MaxAge = strings.Join(s.ACRValues, " "), s.MaxAge
		return e
	}
}

// mistake finds what no challenge can ask for, or what asks for nothing.
func (s *StepUp) mistake() string {
	if len(s.ACRValues) == 0 && s.MaxAge == 0 {
		return "Authenticated has neither ACRValues nor MaxAge"
	}
	if s.MaxAge < 0 || s.MaxAge > 0 && s.MaxAge < time.Second {
		return "Authenticated has a MaxAge of less than a second"
	}
	for _, value := range s.ACRValues {
		if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
			return fmt.Sprintf("Authenticated has %q, which is not one acr value", value)
		}
	}
	return ""
}

// lacks makes the refusal of a good token, for the scheme that it came with.
func (t *Token) lacks(r Reason, scope string) *Error {
	e := refuse(r)
	e.Scope, e.scheme, e.answers = scope, t.Scheme, t.answers
	return e
}
