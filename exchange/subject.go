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
// [OnBehalfOfRequest]. Behind verifier.Middleware it is the token that was verified
// there. Elsewhere it is that of the one Authorization header, Bearer or DPoP,
// which this function does not verify.
//
// A token that an API was sent is for that API. It is not passed on to another
// one; exchange it.
func SubjectToken(r *http.Request) (string, error) {
	if token, verified := verifier.AccessTokenFromContext(r.Context()); verified {
		return token, nil
	}
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
	of    *verifier.Token // that the context carried then
}

type subjectKey struct{}

// ContextWithSubject returns a context that carries the token of the caller on
// whose behalf APIs are called, for [TokenSource]. The token is one that was
// verified. Behind verifier.Middleware it is not needed: the token is found there.
// Where something else verifies tokens and uses verifier.ContextWithToken, call
// this one after it: with another verified token in the context, the subject of
// the earlier one no longer counts.
func ContextWithSubject(ctx context.Context, accessToken string) context.Context {
	verified, _ := verifier.TokenFromContext(ctx)
	return context.WithValue(ctx, subjectKey{}, &subject{token: accessToken, of: verified})
}

// SubjectFromContext returns the token of the caller: that of
// [ContextWithSubject], or the one that verifier.Middleware verified. It returns
// false when there is none.
func SubjectFromContext(ctx context.Context) (accessToken string, ok bool) {
	verified, _ := verifier.TokenFromContext(ctx)
	if s, ok := ctx.Value(subjectKey{}).(*subject); ok && s.token != "" && s.of == verified {
		return s.token, true
	}
	return verifier.AccessTokenFromContext(ctx)
}
