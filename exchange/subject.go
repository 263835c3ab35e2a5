package exchange

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"github.com/portcullis-go/portcullis/verifier"
)

// tokenProblem says why a text cannot be a token to send, or "". The mistakes
// are those of callers who pass on a header instead of a token: white space
// around it, and a scheme (whichever) or the header's name before it.
func tokenProblem(token string) string {
	trimmed := strings.TrimFunc(token, isSpace)
	switch {
	case trimmed == "":
		return "is blank"
	case trimmed != token:
		return "has white space around it"
	}
	if end := strings.IndexFunc(token, isSpace); end > 0 && !strings.ContainsFunc(token[:end], func(r rune) bool { return !isTokenRune(r) && r != ':' }) {
		return "has a scheme before it"
	}
	return ""
}

// isSpace reports whether a rune is white space, the separators of ASCII
// included.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// SubjectToken returns the access token that a request came with, for
// [OnBehalfOfRequest]. It takes it from the one Authorization header, Bearer or
// DPoP, and does not verify it: call it behind verifier.Middleware, which has.
//
// A token that an API was sent is for that API. It is not passed on to another
// one; exchange it.
func SubjectToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", missing("one Authorization header")
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	token = strings.TrimLeft(token, " ")
	known := strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP")
	if !known || token == "" || strings.ContainsFunc(token, isSpace) {
		return "", missing("a Bearer or DPoP token in the Authorization header")
	}
	return token, nil
}

// subject is the token of the caller in a context.
type subject struct {
	hidden
	token string
}

type subjectKey struct{}

// ContextWithSubject returns a context that carries the token of the caller on
// whose behalf APIs are called, for [TokenSource] and its transport. The token is
// one that was verified: [Subject] does both for HTTP.
func ContextWithSubject(ctx context.Context, accessToken string) context.Context {
	return context.WithValue(ctx, subjectKey{}, &subject{token: accessToken})
}

// SubjectFromContext returns the token of [ContextWithSubject], and false when
// there is none.
func SubjectFromContext(ctx context.Context) (accessToken string, ok bool) {
	s, ok := ctx.Value(subjectKey{}).(*subject)
	if !ok || s.token == "" {
		return "", false
	}
	return s.token, true
}

// Subject is middleware that puts the access token of a request into its
// context, for [TokenSource]. It goes inside of verifier.Middleware, and takes
// the token of no request that was not verified there.
func Subject(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, verified := verifier.TokenFromContext(r.Context()); verified {
			if token, err := SubjectToken(r); err == nil {
				r = r.WithContext(ContextWithSubject(r.Context(), token))
			}
		}
		next.ServeHTTP(w, r)
	})
}
