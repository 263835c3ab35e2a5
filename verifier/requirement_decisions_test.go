package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestRequirementsThatNoTokenCanMeet are mistakes of the program, each character
// that no scope and no acr value can have.
func TestRequirementsThatNoTokenCanMeet(t *testing.T) {
	token := &verifier.Token{Scope: "a !#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"}
	const odd = "!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"
	acr := func(value string) verifier.Requirement {
		return verifier.Authenticated(verifier.StepUp{ACRValues: []string{value}})
	}
	age := func(d time.Duration) verifier.Requirement {
		return verifier.Authenticated(verifier.StepUp{MaxAge: d})
	}
	for name, test := range map[string]struct {
		requirement verifier.Requirement
		want        verifier.Reason
	}{
		"a scope": {verifier.AllScopes("a"), ""}, "all characters": {verifier.AllScopes(odd), ""}, "no scope": {verifier.AllScopes(), ""},
		"a scope that it lacks": {verifier.AllScopes("a", "b"), reason.Scope}, "any": {verifier.AnyScope("b", "a"), ""}, "any of those that it lacks": {verifier.AnyScope("b", "c"), reason.Scope},
		"an empty scope": {verifier.AllScopes(""), reason.Argument}, "two in one": {verifier.AllScopes("a b"), reason.Argument}, "a quote": {verifier.AllScopes(`a"`), reason.Argument},
		"a backslash": {verifier.AllScopes(`a\`), reason.Argument}, "DEL": {verifier.AnyScope("a\x7f"), reason.Argument}, "beyond ASCII": {verifier.AnyScope("\u00e9"), reason.Argument}, "a control character": {verifier.AllScopes("a\x1f"), reason.Argument},
		"an acr value": {acr(odd), reason.Authentication}, "an empty acr": {acr(""), reason.Argument}, "an acr with a space": {acr("a b"), reason.Argument}, "an acr with a quote": {acr(`"`), reason.Argument},
		"an acr with a backslash": {acr(`\`), reason.Argument}, "an acr with DEL": {acr("\x7f"), reason.Argument}, "an acr beyond ASCII": {acr("\u00e9"), reason.Argument},
		"an age of a second": {age(time.Second), reason.Authentication}, "an age of less": {age(time.Second - 1), reason.Argument}, "a negative age": {age(-time.Second), reason.Argument}, "no age": {age(0), reason.Argument},
	} {
		if got := reasonOf(t, verifier.Meets(t.Context(), token, test.requirement)); got != test.want {
			t.Errorf("%s: %q; want %q", name, got, test.want)
		}
	}
}

// TestRequirementThatReturnsNoError of its own type, but something that is not nil,
// has not decided.
func TestRequirementThatReturnsNoError(t *testing.T) {
	var none *verifier.Error
	err := verifier.Meets(t.Context(), &verifier.Token{}, func(context.Context, *verifier.Token) error { return none })
	if reasonOf(t, err) != reason.Requirement || !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("Meets = %v; want %q", err, reason.Requirement)
	}
}

// TestTokenOfNoVerifier, as tests of programs make it, ends by the time of this
// machine.
func TestTokenOfNoVerifier(t *testing.T) {
	for name, test := range map[string]struct {
		at    time.Time
		ended bool
	}{"long ago": {time.Unix(1, 0), true}, "much later": {time.Now().Add(1000 * time.Hour), false}, "never": {time.Time{}, false}} {
		ctx, cancel := verifier.ContextUntilExpiry(t.Context(), &verifier.Token{ExpiresAt: test.at})
		if ended := ctx.Err() != nil; ended != test.ended || ended && !errors.Is(context.Cause(ctx), verifier.ErrExpired) {
			t.Errorf("%s: %v, %v", name, ctx.Err(), context.Cause(ctx))
		}
		cancel()
	}
}

// TestAnswersAboutOtherTokens: types of the issuer's tokens are no kinds of answers,
// and a claim that is no text spoils an answer as it does a token.
func TestAnswersAboutOtherTokens(t *testing.T) {
	o := newOffice(t, func(cfg *verifier.Config) { cfg.Issuers[0].Types = []string{"custom"} })
	for name, test := range map[string]struct {
		claims map[string]any
		want   verifier.Reason
	}{
		"plain": {nil, ""}, "typ": {map[string]any{"typ": "custom"}, ""}, "token_type": {map[string]any{"token_type": "custom"}, reason.TokenType}, "token_use": {map[string]any{"token_use": "custom"}, reason.TokenType},
		"another typ": {map[string]any{"typ": "refresh"}, reason.TokenType}, "a number": {map[string]any{"token_type": 1}, reason.TokenType}, "empty": {map[string]any{"token_type": ""}, reason.TokenType},
		"a malformed exp": {map[string]any{"exp": "soon"}, reason.ClaimMalformed}, "cnf not understood": {map[string]any{"cnf": map[string]any{"kid": "k"}}, reason.Confirmation},
		"a key not told": {map[string]any{"token_type": "DPoP"}, reason.Confirmation}, "a key": {map[string]any{"token_type": "DPoP", "cnf": map[string]any{"jkt": b64(make([]byte, 32))}}, reason.BoundTokenAsBearer},
		"client_id": {map[string]any{"client_id": 1}, reason.ClaimMalformed}, "scope": {map[string]any{"scope": 1}, reason.ClaimMalformed}, "permissions": {map[string]any{"permissions": 1}, reason.ClaimMalformed},
	} {
		_, err := o.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: tokensAPI, Header: http.Header{"Authorization": {"Bearer " + o.opaque("abc-"+b64([]byte(name)), test.claims)}}})
		if got := reasonOf(t, err); got != test.want {
			t.Errorf("%s: %q; want %q", name, got, test.want)
		}
	}
}

// TestBoundToKeyWantsTheKey, not the scheme alone.
func TestBoundToKeyWantsTheKey(t *testing.T) {
	bound := verifier.Confirmation{JWKThumbprint: "k"}
	for _, test := range []struct {
		token *verifier.Token
		want  verifier.Reason
	}{
		{&verifier.Token{Scheme: verifier.SchemeDPoP, Confirmation: bound}, ""}, {&verifier.Token{Scheme: verifier.SchemeDPoP}, reason.UnsupportedScheme},
		{&verifier.Token{Scheme: verifier.SchemeBearer, Confirmation: bound}, reason.UnsupportedScheme}, {&verifier.Token{}, reason.UnsupportedScheme},
	} {
		if got := reasonOf(t, verifier.Meets(t.Context(), test.token, verifier.BoundToKey())); got != test.want {
			t.Errorf("%+v: %q; want %q", *test.token, got, test.want)
		}
	}
}

// TestRequirementsKeepTheirLists: what a program does with its slices afterwards
// changes nothing.
func TestRequirementsKeepTheirLists(t *testing.T) {
	list := []string{"a"}
	all := map[string]verifier.Requirement{
		"AllScopes": verifier.AllScopes(list...), "AnyScope": verifier.AnyScope(list...), "AllPermissions": verifier.AllPermissions(list...),
		"AnyPermission": verifier.AnyPermission(list...), "Authenticated": verifier.Authenticated(verifier.StepUp{ACRValues: list}),
	}
	list[0] = "b"
	w := newFuzzWorld(t, nil)
	token, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, change(t, fuzzClaims, `"scope":"a b"`, `"scope":"a","permissions":["a"],"acr":"a"`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, requirement := range all {
		if err := verifier.Meets(t.Context(), token, requirement); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTrustsPeer: for handlers that believe proxies more.
func TestTrustsPeer(t *testing.T) {
	w := newFuzzWorld(t, trust)
	for remote, want := range map[string]bool{proxies[0].Addr().String() + ":1": true, "198.51.100.7:1": false, "": false} {
		if got := w.v.TrustsPeer(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("TrustsPeer(%q) = %v; want %v", remote, got, want)
		}
	}
}

// TestAuthenticationOfBothKinds: values and an age, each of which counts.
func TestAuthenticationOfBothKinds(t *testing.T) {
	w := newFuzzWorld(t, nil)
	clock := verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) })
	requirement := verifier.Authenticated(verifier.StepUp{ACRValues: []string{"high"}, MaxAge: time.Minute, Clock: clock})
	for claims, want := range map[string]verifier.Reason{
		`"acr":"high","auth_time":1767225590,`: "", `"acr":"low","auth_time":1767225590,`: reason.Authentication, `"acr":"high","auth_time":1767225000,`: reason.Authentication,
		`"acr":"high",`: reason.Authentication, `"auth_time":1767225590,`: reason.Authentication,
	} {
		token, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, claims+`"sub"`)))
		if err != nil {
			t.Fatal(err)
		}
		if got := reasonOf(t, verifier.Meets(t.Context(), token, requirement)); got != want {
			t.Errorf("%s: %q; want %q", claims, got, want)
		}
	}
}

// TestBindingThatAnAnswerStates is that of the JWT, or another one.
func TestBindingThatAnAnswerStates(t *testing.T) {
	d := &desk{}
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.Issuers[0].Opaque = verifier.OpaqueTokens{Introspector: d, JWTs: true} })
	one, two := b64(make([]byte, 32)), b64(append(make([]byte, 31), 1))
	token := w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, `"cnf":{"jkt":"`+one+`"},"sub"`))
	for answer, want := range map[string]verifier.Reason{
		`{"active":true}`: "", `{"active":true,"cnf":{"jkt":"` + one + `"}}`: "", `{"active":true,"cnf":{"jkt":"` + two + `"}}`: reason.Confirmation,
	} {
		d.answer = &verifier.Introspection{Active: true, Claims: []byte(answer)}
		if _, err := w.v.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != want {
			t.Errorf("%s: %v; want %q", answer, err, want)
		}
	}
}

// TestRevocationSettingsWithoutChecker are a mistake, each of them.
func TestRevocationSettingsWithoutChecker(t *testing.T) {
	for _, r := range []verifier.RevocationConfig{{Timeout: time.Second}, {AllowFailure: true}} {
		if _, err := verifier.New(verifier.Config{Domain: "a.example", Audience: "a", Revocation: r}); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("%+v: New = %v; want ErrConfig", r, err)
		}
	}
}
