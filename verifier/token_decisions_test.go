package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// reasonOf returns the reason of an error, or "" of none.
func reasonOf(t *testing.T, err error) verifier.Reason {
	t.Helper()
	var e *verifier.Error
	if err == nil {
		return ""
	}
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	return e.Reason
}

// change replaces a part of a text, which must be there.
func change(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in %q", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

// tokenDecisions are decisions on a token, each by one small change of a good
// one. They use fixed keys and no network, so that they take next to no time.
var tokenDecisions = []struct {
	name             string
	headerOld, toNew string
	claimOld, newTo  string
	want             verifier.Reason
}{
	{name: "good"},
	{name: "typ JWT", headerOld: `"at+jwt"`, toNew: `"JWT"`},
	{name: "typ jwt", headerOld: `"at+jwt"`, toNew: `"jwt"`},
	{name: "typ AT+JWT", headerOld: `"at+jwt"`, toNew: `"AT+JWT"`},
	{name: "typ with prefix", headerOld: `"at+jwt"`, toNew: `"application/at+jwt"`},
	{name: "typ with prefix in capitals", headerOld: `"at+jwt"`, toNew: `"APPLICATION/at+jwt"`},
	{name: "typ with prefix, another", headerOld: `"at+jwt"`, toNew: `"application/jwt"`},
	{name: "typ of the prefix alone", headerOld: `"at+jwt"`, toNew: `"application/"`, want: reason.TokenType},
	{name: "typ as long as the prefix", headerOld: `"at+jwt"`, toNew: `"dpop+jwtxxxx"`, want: reason.TokenType},
	{name: "typ longer than the prefix", headerOld: `"at+jwt"`, toNew: `"dpopxxxxxxxxat+jwt"`, want: reason.TokenType},
	{name: "typ dpop+jwt", headerOld: `"at+jwt"`, toNew: `"dpop+jwt"`, want: reason.TokenType},
	{name: "typ empty", headerOld: `"at+jwt"`, toNew: `""`, want: reason.TokenType},
	{name: "typ number", headerOld: `"at+jwt"`, toNew: `1`, want: reason.TokenMalformed},
	{name: "no typ", headerOld: `"typ":"at+jwt",`, toNew: ``},
	{name: "alg none", headerOld: `EdDSA`, toNew: `none`, want: reason.Algorithm},
	{name: "alg other", headerOld: `EdDSA`, toNew: `RS256`, want: reason.Algorithm},
	{name: "alg case", headerOld: `EdDSA`, toNew: `eddsa`, want: reason.Algorithm},
	{name: "alg second name", headerOld: `EdDSA`, toNew: `Ed25519`, want: reason.Algorithm},
	{name: "alg number", headerOld: `"EdDSA"`, toNew: `1`, want: reason.TokenMalformed},
	{name: "no alg", headerOld: `"alg":"EdDSA",`, toNew: ``, want: reason.Algorithm},
	{name: "kid other", headerOld: `"kid":"1"`, toNew: `"kid":"2"`, want: reason.KeyUnknown},
	{name: "kid empty", headerOld: `"kid":"1"`, toNew: `"kid":""`, want: reason.KeyUnknown},
	{name: "kid number", headerOld: `"kid":"1"`, toNew: `"kid":1`, want: reason.TokenMalformed},
	{name: "no kid", headerOld: `,"kid":"1"`, toNew: ``},
	{name: "crit", headerOld: `"kid"`, toNew: `"crit":["exp"],"kid"`, want: reason.TokenCritical},
	{name: "crit null", headerOld: `"kid"`, toNew: `"crit":null,"kid"`, want: reason.TokenCritical},
	{name: "b64", headerOld: `"kid"`, toNew: `"b64":true,"kid"`, want: reason.TokenCritical},
	{name: "enc", headerOld: `"kid"`, toNew: `"enc":"A128GCM","kid"`, want: reason.TokenMalformed},
	{name: "zip", headerOld: `"kid"`, toNew: `"zip":"DEF","kid"`, want: reason.TokenMalformed},
	{name: "unknown parameter", headerOld: `"kid"`, toNew: `"x":1,"kid"`},
	{name: "header twice", headerOld: `"kid"`, toNew: `"alg":"EdDSA","kid"`, want: reason.TokenMalformed},
	{name: "header no object", headerOld: fuzzHeader, toNew: `[]`, want: reason.TokenMalformed},

	{name: "iss missing", claimOld: `"iss":"https://tenant.example.com/",`, newTo: ``, want: reason.IssuerMissing},
	{name: "iss empty", claimOld: `"https://tenant.example.com/"`, newTo: `""`, want: reason.IssuerMissing},
	{name: "iss number", claimOld: `"https://tenant.example.com/"`, newTo: `1`, want: reason.IssuerMissing},
	{name: "iss null", claimOld: `"https://tenant.example.com/"`, newTo: `null`, want: reason.IssuerMissing},
	{name: "iss malformed", claimOld: `"https://tenant.example.com/"`, newTo: `"http://tenant.example.com/"`, want: reason.IssuerMalformed},
	{name: "iss other", claimOld: `"https://tenant.example.com/"`, newTo: `"https://other.example.com/"`, want: reason.IssuerNotAllowed},
	{name: "iss spelt otherwise", claimOld: `"https://tenant.example.com/"`, newTo: `"https://TENANT.example.com/"`, want: reason.IssuerMismatch},
	{name: "iss without slash", claimOld: `"https://tenant.example.com/"`, newTo: `"https://tenant.example.com"`, want: reason.IssuerMismatch},
	{name: "ISS beside", claimOld: `"sub"`, newTo: `"ISS":"https://evil.example/","sub"`},
	{name: "iss twice", claimOld: `"sub"`, newTo: `"iss":"https://tenant.example.com/","sub"`, want: reason.TokenMalformed},

	{name: "exp missing", claimOld: `"exp":1767229200,`, newTo: ``, want: reason.ClaimMissing},
	{name: "exp null", claimOld: `1767229200`, newTo: `null`, want: reason.ClaimMalformed},
	{name: "exp text", claimOld: `1767229200`, newTo: `"1767229200"`, want: reason.ClaimMalformed},
	{name: "exp now", claimOld: `1767229200`, newTo: `1767225600`, want: reason.Expired},
	{name: "exp a moment later", claimOld: `1767229200`, newTo: `1767225600.000000001`},
	{name: "exp a moment before", claimOld: `1767229200`, newTo: `1767225599.999999999`, want: reason.Expired},
	{name: "exp with exponent", claimOld: `1767229200`, newTo: `1.7672292e9`},
	{name: "exp with exponent, past", claimOld: `1767229200`, newTo: `1.7e9`, want: reason.Expired},
	{name: "exp negative", claimOld: `1767229200`, newTo: `-1767229200`, want: reason.Expired},
	{name: "exp negative infinite", claimOld: `1767229200`, newTo: `-1e999`, want: reason.Expired},
	{name: "exp infinite", claimOld: `1767229200`, newTo: `1e999`},
	{name: "iat missing", claimOld: `,"iat":1767225540`, newTo: ``, want: reason.ClaimMissing},
	{name: "iat text", claimOld: `1767225540,`, newTo: `"now",`, want: reason.ClaimMalformed},
	{name: "nbf missing", claimOld: `"nbf":1767225540.5,`, newTo: ``},
	{name: "nbf now", claimOld: `1767225540.5`, newTo: `1767225600`},
	{name: "nbf a moment later", claimOld: `1767225540.5`, newTo: `1767225600.000000001`, want: reason.NotYetValid},
	{name: "nbf text", claimOld: `1767225540.5`, newTo: `"0"`, want: reason.ClaimMalformed},
	{name: "nbf null", claimOld: `1767225540.5`, newTo: `null`, want: reason.ClaimMalformed},

	{name: "aud missing", claimOld: `"aud":["x","https://api.example.com/"],`, newTo: ``, want: reason.ClaimMissing},
	{name: "aud one", claimOld: `["x","https://api.example.com/"]`, newTo: `"https://api.example.com/"`},
	{name: "aud one other", claimOld: `["x","https://api.example.com/"]`, newTo: `"https://api.example.com"`, want: reason.Audience},
	{name: "aud others", claimOld: `["x","https://api.example.com/"]`, newTo: `["x","y"]`, want: reason.Audience},
	{name: "aud none", claimOld: `["x","https://api.example.com/"]`, newTo: `[]`, want: reason.Audience},
	{name: "aud mixed", claimOld: `["x",`, newTo: `[1,`, want: reason.ClaimMalformed},
	{name: "aud object", claimOld: `["x","https://api.example.com/"]`, newTo: `{}`, want: reason.ClaimMalformed},
	{name: "sub number", claimOld: `"sub":"s"`, newTo: `"sub":1`, want: reason.ClaimMalformed},
	{name: "jti number", claimOld: `"sub"`, newTo: `"jti":1,"sub"`, want: reason.ClaimMalformed},
	{name: "payload no object", claimOld: fuzzClaims, newTo: `[]`, want: reason.TokenMalformed},
	{name: "text after the payload", claimOld: `"a b"}`, newTo: `"a b"}x`, want: reason.TokenMalformed},

	{name: "cnf null", claimOld: `"sub"`, newTo: `"cnf":null,"sub"`, want: reason.Confirmation},
	{name: "cnf empty", claimOld: `"sub"`, newTo: `"cnf":{},"sub"`, want: reason.Confirmation},
	{name: "cnf text", claimOld: `"sub"`, newTo: `"cnf":"jkt","sub"`, want: reason.Confirmation},
	{name: "cnf unknown", claimOld: `"sub"`, newTo: `"cnf":{"kid":"1"},"sub"`, want: reason.Confirmation},
	{name: "cnf unknown beside", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kid":"1"},"sub"`},
	{name: "cnf jkt", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"sub"`},
	{name: "cnf jkt short", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"sub"`, want: reason.Confirmation},
	{name: "cnf jkt long", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"sub"`, want: reason.Confirmation},
	{name: "cnf jkt much longer", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"sub"`, want: reason.Confirmation},
	{name: "cnf jkt not canonical", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"},"sub"`, want: reason.Confirmation},
	{name: "cnf jkt with a line break", claimOld: `"sub"`, newTo: `"cnf":{"jkt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"},"sub"`, want: reason.Confirmation},
	{name: "cnf jkt number", claimOld: `"sub"`, newTo: `"cnf":{"jkt":1},"sub"`, want: reason.Confirmation},
	{name: "cnf x5t#S256", claimOld: `"sub"`, newTo: `"cnf":{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"sub"`},
	{name: "cnf x5t#S256 short", claimOld: `"sub"`, newTo: `"cnf":{"x5t#S256":"AAAA"},"sub"`, want: reason.Confirmation},
	{name: "cnf x5t#S256 number", claimOld: `"sub"`, newTo: `"cnf":{"x5t#S256":1},"sub"`, want: reason.Confirmation},
}

func TestTokenDecisions(t *testing.T) {
	w := newFuzzWorld(t, nil)
	for _, d := range tokenDecisions {
		header, claims := fuzzHeader, fuzzClaims
		if d.headerOld != "" {
			header = change(t, header, d.headerOld, d.toNew)
		}
		if d.claimOld != "" {
			claims = change(t, claims, d.claimOld, d.newTo)
		}
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(header, claims))
		if got := reasonOf(t, err); got != d.want {
			t.Errorf("%s: %q; want %q", d.name, got, d.want)
		}
	}
}

// TestTokenDecisionsHoldWithMemo: twice, so that the second answer comes from
// the memory of tokens.
func TestTokenDecisionsHoldWithMemo(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.TokenMemo = 1000 })
	for _, d := range tokenDecisions {
		header, claims := fuzzHeader, fuzzClaims
		if d.headerOld != "" {
			header = change(t, header, d.headerOld, d.toNew)
		}
		if d.claimOld != "" {
			claims = change(t, claims, d.claimOld, d.newTo)
		}
		token := w.token(header, claims)
		for range 2 {
			_, err := w.v.VerifyAccessToken(t.Context(), token)
			if got := reasonOf(t, err); got != d.want {
				t.Errorf("%s: %q; want %q", d.name, got, d.want)
			}
		}
	}
}

func TestTokenIsReadInFull(t *testing.T) {
	w := newFuzzWorld(t, nil)
	claims := change(t, fuzzClaims, `"sub"`, `"jti":"id","azp":"other","client_id":"client","scp":"c","sub"`)
	got, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, claims))
	if err != nil {
		t.Fatal(err)
	}
	if got.Issuer != fuzzIssuer || got.Subject != "s" || got.ID != "id" || got.ClientID != "client" || got.Scope != "a b" ||
		got.Algorithm != "EdDSA" || got.KeyID != "1" || got.ExpiresAt.Unix() != 1767229200 || got.IssuedAt.Unix() != 1767225540 ||
		!got.NotBefore.Equal(time.Unix(1767225540, 5e8)) || len(got.Audience) != 2 || got.Audience[1] != fuzzAudience || got.Scheme != "" {
		t.Errorf("token %+v", *got)
	}
	claims = change(t, change(t, fuzzClaims, `"sub"`, `"azp":"other","scp":["c","d"],"sub"`), `"scope":"a b"`, `"x":1`)
	if got, err = w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, claims)); err != nil || got.ClientID != "other" || got.Scope != "c d" {
		t.Errorf("client %q, scope %q, %v; want those of azp and scp", got.ClientID, got.Scope, err)
	}
}

func TestTokenSizeBoundary(t *testing.T) {
	token := newFuzzWorld(t, nil).token(fuzzHeader, fuzzClaims)
	for size, want := range map[int]verifier.Reason{len(token): "", len(token) - 1: reason.TokenTooLarge} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.MaxTokenSize = size })
		_, err := w.v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%d bytes of at most %d: %q; want %q", len(token), size, got, want)
		}
	}
}

func TestLeewayBoundary(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.Leeway = 10 * time.Second })
	for claim, want := range map[string]verifier.Reason{
		`"exp":1767225590`:                                  reason.Expired,
		`"exp":1767225590.000000001`:                        "",
		`"exp":1767229200,"nbf":1767225610,"x":1`:           "",
		`"exp":1767229200,"nbf":1767225610.000000001,"x":1`: reason.NotYetValid,
	} {
		claims := change(t, change(t, fuzzClaims, `"nbf":1767225540.5,`, ``), `"exp":1767229200`, claim)
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, claims))
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", claim, got, want)
		}
	}
}

func TestRequiredClaims(t *testing.T) {
	for _, memo := range []int{0, 100} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.RequiredClaims, cfg.TokenMemo = []string{"tenant"}, memo })
		with := func(claims string) string { return w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, claims+`"sub"`)) }
		for claims, want := range map[string]verifier.Reason{
			``:                          reason.ClaimMissing,
			`"tenant":null,`:            reason.ClaimMissing,
			`"tenant":false,"role":1,`:  "",
			`"tenant":1,`:               reason.ClaimMissing,
			`"tenant":1,"role":null,`:   reason.ClaimMissing,
			`"role":1,"TENANT":1,`:      reason.ClaimMissing,
			`"tenant":"t","role":[""],`: "",
		} {
			token := with(claims)
			_, _ = w.v.VerifyAccessToken(t.Context(), token) // remembered, if good
			_, err := w.v.VerifyAccessToken(t.Context(), token, verifier.WithRequiredClaims("role"))
			if got := reasonOf(t, err); got != want {
				t.Errorf("memo %d, %s: %q; want %q", memo, claims, got, want)
			}
		}
	}
}

func TestProfileDemandsItsTypeAndClaims(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.Profile = verifier.ProfileRFC9068 })
	full := change(t, fuzzClaims, `"sub"`, `"jti":"j","client_id":"c","sub"`)
	for typ, want := range map[string]verifier.Reason{
		`"typ":"at+jwt",`: "", `"typ":"application/at+jwt",`: "",
		`"typ":"JWT",`: reason.TokenType, ``: reason.TokenType,
	} {
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(change(t, fuzzHeader, `"typ":"at+jwt",`, typ), full))
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", typ, got, want)
		}
	}
	for _, claim := range []string{`"jti":"j",`, `"client_id":"c",`, `"sub":"s",`} {
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, change(t, full, claim, ``)))
		if got := reasonOf(t, err); got != reason.ClaimMissing {
			t.Errorf("without %s: %q; want %q", claim, got, reason.ClaimMissing)
		}
	}
}

func TestAlgorithmsOfOneIssuer(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Algorithms = []string{"EdDSA"}
		cfg.Issuers[0].Algorithms = []string{"RS256"}
	})
	_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
	if got := reasonOf(t, err); got != reason.Algorithm {
		t.Errorf("an algorithm of other issuers: %q", got)
	}
}

// TestMemoForgetsWithTheKeys: a remembered token dies with its time, its key
// and the permission of its issuer.
func TestMemoForgetsWithTheKeys(t *testing.T) {
	now := time.Unix(fuzzNow, 0)
	domains, document := []string{"tenant.example.com"}, ""
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Domain, cfg.TokenMemo = "", 100
		cfg.Clock = verifier.ClockFunc(func() time.Time { return now })
		cfg.Domains = verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return domains, nil })
		useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(document)}, nil
		}))
	})
	document = string(w.jwks())
	token := w.token(fuzzHeader, fuzzClaims)
	check := func(what string, want verifier.Reason) {
		t.Helper()
		_, err := w.v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", what, got, want)
		}
	}
	check("first", "")
	check("second", "")
	domains = []string{"other.example.com"}
	check("its issuer is no longer allowed", reason.IssuerNotAllowed)
	domains = []string{"tenant.example.com"}
	check("its issuer is allowed again", "")
	document = change(t, string(w.jwks()), `"kid":"1"`, `"kid":"2"`)
	now = now.Add(20 * time.Minute)
	check("its key is gone", reason.KeyUnknown)
	document = string(w.jwks())
	now = now.Add(20 * time.Minute)
	check("its key is back", "")
	check("and remembered", "")
	now = time.Unix(1767229200, 0)
	check("its time is over", reason.Expired)
}

func TestRequestOptionsReachTheResolver(t *testing.T) {
	var seen verifier.ResolveRequest
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Domain = ""
		cfg.Domains = verifier.DomainResolverFunc(func(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
			seen = req
			_ = req.URL()
			return []string{"TENANT.example.com"}, nil
		})
	})
	token := w.token(fuzzHeader, fuzzClaims)
	h := http.Header{"Host": {"api.example.com"}, "Cookie": {"c"}, "Authorization": {"a"}, "Dpop": {"d"}, "dpop": {"d"}, "cookie": {"c"}, "X-Tenant": {"t"}}
	if _, err := w.v.VerifyAccessToken(t.Context(), token, verifier.WithRequest(fuzzURL, h)); err != nil {
		t.Fatal(err)
	}
	if seen.Header().Get("Host") != "api.example.com" || seen.Header().Get("X-Tenant") != "t" || seen.URL().String() != fuzzURL || len(seen.Header()) != 2 {
		t.Errorf("the resolver saw %v and %v", seen.Header(), seen.URL())
	}
	if _, err := w.v.VerifyAccessToken(t.Context(), token); err != nil || len(seen.Header()) != 0 || seen.URL() != nil {
		t.Errorf("without a request the resolver saw %v and %v, %v", seen.Header(), seen.URL(), err)
	}
	for _, url := range []string{"/relative", "http://\x7f/", "https:///path"} {
		_, err := w.v.VerifyAccessToken(t.Context(), token, verifier.WithRequest(url, nil))
		if got := reasonOf(t, err); got != reason.Argument {
			t.Errorf("URL %q: %q; want %q", url, got, reason.Argument)
		}
	}
}

func TestResolversAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		domains []string
		want    verifier.Reason
	}{
		"normal":           {[]string{"https://tenant.example.com/"}, ""},
		"domain":           {[]string{"other.example.com", "tenant.example.com"}, ""},
		"first of several": {[]string{"tenant.example.com", "other.example.com"}, ""},
		"others":           {[]string{"other.example.com"}, reason.IssuerNotAllowed},
		"nothing":          {nil, reason.Resolver},
		"garbage before":   {[]string{"http://x", "tenant.example.com"}, reason.Resolver},
		"garbage behind":   {[]string{"https://tenant.example.com/", ""}, reason.Resolver},
	} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) {
			cfg.Domain = ""
			cfg.Domains = verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return c.domains, nil })
		})
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
	for name, resolve := range map[string]verifier.DomainResolverFunc{
		"panic": func(context.Context, verifier.ResolveRequest) ([]string, error) { panic("x") },
		"error": func(context.Context, verifier.ResolveRequest) ([]string, error) {
			return []string{"tenant.example.com"}, errors.New("x")
		},
	} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.Domain, cfg.Domains = "", resolve })
		_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims))
		if got := reasonOf(t, err); got != reason.Resolver {
			t.Errorf("%s: %q; want %q", name, got, reason.Resolver)
		}
	}
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Domain = ""
		cfg.Domains = verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) {
			t.Error("the resolver was asked for a request that is over")
			return []string{"tenant.example.com"}, nil
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.v.VerifyAccessToken(ctx, w.token(fuzzHeader, fuzzClaims))
	if got := reasonOf(t, err); got != reason.Resolver {
		t.Errorf("a request that is over: %q", got)
	}
}

func TestIssuersAreFixedAtTheGate(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Domain, cfg.Domains = "", staticDomains{"other.example.com", "tenant.example.com"}
	})
	if _, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims)); err != nil {
		t.Error(err)
	}
	_, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, strings.Replace(fuzzClaims, "tenant.", "third.", 1)))
	if got := reasonOf(t, err); got != reason.IssuerNotAllowed {
		t.Errorf("an issuer that is not listed: %q", got)
	}
}
