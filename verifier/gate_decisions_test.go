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

// onlyIssuers is a resolver that brings the rules, and has no list.
type onlyIssuers func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error)

func (f onlyIssuers) ResolveDomains(context.Context, verifier.ResolveRequest) ([]string, error) {
	return nil, errors.New("not asked")
}

func (f onlyIssuers) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	return f(ctx, req)
}

// TestNewRefusesContradictingIssuers: each configuration has one mistake, which
// the error names.
func TestNewRefusesContradictingIssuers(t *testing.T) {
	key := testKey(t)
	keys := verifier.KeysStatic(publicJWKS(&key.PublicKey, "k"))
	asker := verifier.IntrospectorFunc(func(context.Context, verifier.IntrospectionRequest) (verifier.Introspection, error) {
		return verifier.Introspection{}, nil
	})
	named := func(name string) verifier.Issuer { return verifier.Issuer{Name: name, Keys: keys} }
	spiffe := func(name, prefix string) verifier.Issuer {
		return verifier.Issuer{Name: name, Keys: keys, SubjectPrefix: prefix}
	}
	introspected := func(name string) verifier.Issuer {
		return verifier.Issuer{Name: name, Keys: keys, Opaque: verifier.OpaqueTokens{Introspector: asker}}
	}
	resolver := verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return nil, nil })
	for name, test := range map[string]struct {
		cfg  verifier.Config
		want string // a part of the error; "" if there is none
	}{
		"nothing":                        {verifier.Config{}, "must be set"},
		"a domain":                       {verifier.Config{Domain: "a.example"}, ""},
		"a domain and a resolver":        {verifier.Config{Domain: "a.example", Domains: resolver}, "Config.Domains are both set"},
		"a domain and an issuer":         {verifier.Config{Domain: "a.example", Issuers: []verifier.Issuer{named("b.example")}}, "Config.Issuers are both set"},
		"a domain and one issuer of two": {verifier.Config{Domain: "a.example", Issuers: []verifier.Issuer{named("b.example"), named("c.example")}}, "Config.Issuers are both set"},
		"an issuer and a resolver":       {verifier.Config{Issuers: []verifier.Issuer{named("b.example")}, Domains: resolver}, ""},
		"a domain that is a document":    {verifier.Config{Domain: "https://a.example/.well-known/openid-configuration"}, "is the address of a document"},
		"a listed one that is one":       {verifier.Config{Domains: staticDomains{"https://a.example/x/.well-known/oauth-authorization-server"}}, "is the address of a document"},
		"an empty list":                  {verifier.Config{Domains: staticDomains{}}, "is empty"},
		"an issuer that is not listed":   {verifier.Config{Domains: staticDomains{"a.example"}, Issuers: []verifier.Issuer{named("b.example")}}, "could never be used"},
		"an issuer that is listed":       {verifier.Config{Domains: staticDomains{"a.example", "B.example"}, Issuers: []verifier.Issuer{named("b.example")}}, ""},
		"a listed one that is none":      {verifier.Config{Domains: staticDomains{"a.example", "http://b.example"}}, "Domains[1]"},
		"one listed twice":               {verifier.Config{Domains: staticDomains{"a.example", "https://A.example/"}}, ""},
		"two of one name":                {verifier.Config{Issuers: []verifier.Issuer{named("a.example"), named("https://A.example")}}, "Issuers[1].Name"},
		"an alias that is a name": {verifier.Config{Issuers: []verifier.Issuer{named("a.example"), {Name: "b.example", Keys: keys, Aliases: []string{"https://a.example"}}}},
			"is a spelling of another entry's issuer"},
		"one alias of two": {verifier.Config{Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, Aliases: []string{"the one"}}, {Name: "b.example", Keys: keys, Aliases: []string{"the one"}}}},
			"is a spelling of another entry's issuer"},
		"an alias that is listed":            {verifier.Config{Domains: staticDomains{"the one"}, Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, Aliases: []string{"the one"}}}}, ""},
		"two without iss":                    {verifier.Config{Issuers: []verifier.Issuer{spiffe("a.example", "spiffe://a/"), spiffe("b.example", "spiffe://b/")}}, "SubjectPrefix, and so has another"},
		"a prefix without a slash":           {verifier.Config{Issuers: []verifier.Issuer{spiffe("a.example", "spiffe://a")}}, "is not a URI that ends with a slash"},
		"a prefix with two slashes":          {verifier.Config{Issuers: []verifier.Issuer{spiffe("a.example", "spiffe://a//")}}, "is not a URI that ends with a slash"},
		"a prefix that is no URI":            {verifier.Config{Issuers: []verifier.Issuer{spiffe("a.example", "a/")}}, "is not a URI that ends with a slash"},
		"a value of no claim":                {verifier.Config{Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, RequiredValues: map[string][]string{"": {"x"}}}}}, "has no name or no values"},
		"a claim without values":             {verifier.Config{Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, RequiredValues: map[string][]string{"x": nil}}}}, "has no name or no values"},
		"iat optional with the profile":      {verifier.Config{Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, Profile: verifier.ProfileRFC9068, Optional: []string{"iat"}}}}, "is required by ProfileRFC9068"},
		"aud optional with the profile":      {verifier.Config{Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, Profile: verifier.ProfileRFC9068, Optional: []string{"aud"}, NoAudience: verifier.AudienceRule{Claim: "client_id", Values: []string{"c"}}}}}, ""},
		"one without iss":                    {verifier.Config{Issuers: []verifier.Issuer{spiffe("a.example", "spiffe://a/"), named("b.example")}}, ""},
		"two that are asked":                 {verifier.Config{Issuers: []verifier.Issuer{introspected("a.example"), introspected("b.example")}}, "several entries with an Introspector"},
		"two that are asked, and a resolver": {verifier.Config{Issuers: []verifier.Issuer{introspected("a.example"), introspected("b.example")}, Domains: resolver}, ""},
		"one that is asked":                  {verifier.Config{Issuers: []verifier.Issuer{introspected("a.example"), named("b.example")}}, ""},
	} {
		test.cfg.Audience = audience
		v, err := verifier.New(test.cfg)
		switch {
		case err == nil && test.want != "":
			t.Errorf("%s: New = nil; want an error about %q", name, test.want)
		case err != nil && (test.want == "" || !errors.Is(err, verifier.ErrConfig) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: New = %v; want an error about %q", name, err, test.want)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestIssuerResolverDecides: what a resolver that brings the rules answers, and
// what a request gets for it.
func TestIssuerResolverDecides(t *testing.T) {
	key := testKey(t)
	now := time.Unix(1_750_000_000, 0)
	keys := verifier.KeysStatic(publicJWKS(&key.PublicKey, "k"))
	sign := func(iss any, sub string) string {
		claims := map[string]any{"sub": sub, "aud": audience, "iat": now.Unix(), "exp": now.Unix() + 60}
		if iss != nil {
			claims["iss"] = iss
		}
		return signRS256(t, key, map[string]any{"alg": "RS256", "kid": "k", "typ": "at+jwt"}, claims)
	}
	a := &verifier.Issuer{Name: "a.example", Keys: keys}
	workload := &verifier.Issuer{Name: "a.example", Keys: keys, SubjectPrefix: "spiffe://a/"}
	long := "https://" + strings.Repeat("x", 5000) + ".example/"
	for name, test := range map[string]struct {
		iss    any
		sub    string
		answer *verifier.Issuer
		err    error
		want   reason.Reason
		asked  int
	}{
		"its issuer":               {"https://a.example/", "s", a, nil, "", 1},
		"without a slash":          {"https://a.example", "s", a, nil, "", 1},
		"another issuer":           {"https://b.example/", "s", a, nil, reason.IssuerNotAllowed, 1},
		"refused":                  {"https://a.example/", "s", nil, verifier.ErrNotAllowed, reason.IssuerNotAllowed, 1},
		"refused, with an answer":  {"https://a.example/", "s", a, verifier.ErrNotAllowed, reason.IssuerNotAllowed, 1},
		"failed":                   {"https://a.example/", "s", nil, errors.New("down"), reason.Resolver, 1},
		"failed, with an answer":   {"https://a.example/", "s", a, errors.New("down"), reason.Resolver, 1},
		"no answer":                {"https://a.example/", "s", nil, nil, reason.Resolver, 1},
		"an answer that is wrong":  {"https://a.example/", "s", &verifier.Issuer{}, nil, reason.Resolver, 1},
		"an iss that is no URL":    {"a text", "s", a, nil, reason.IssuerNotAllowed, 1},
		"the longest iss":          {strings.Repeat("x", 2048), "s", a, nil, reason.IssuerNotAllowed, 1},
		"an iss of one more":       {strings.Repeat("x", 2049), "s", a, nil, reason.IssuerMalformed, 0},
		"an iss that is too long":  {long, "s", a, nil, reason.IssuerMalformed, 0},
		"no iss":                   {nil, "spiffe://a/x", workload, nil, "", 1},
		"no iss, another prefix":   {nil, "spiffe://b/x", workload, nil, reason.IssuerMissing, 1},
		"no iss, the prefix alone": {nil, "spiffe://a/", workload, nil, reason.IssuerMissing, 1},
		"no iss, no prefix":        {nil, "spiffe://a/x", a, nil, reason.IssuerMissing, 1},
	} {
		asked := 0
		v, err := verifier.New(verifier.Config{
			Audience: audience, Clock: verifier.ClockFunc(func() time.Time { return now }),
			Domains: onlyIssuers(func(context.Context, verifier.ResolveRequest) (*verifier.Issuer, error) {
				asked++
				return test.answer, test.err
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "https://api.example/", Header: http.Header{"Authorization": {"Bearer " + sign(test.iss, test.sub)}}})
		var got reason.Reason
		if e, ok := errors.AsType[*verifier.Error](err); ok {
			got = e.Reason
		}
		if got != test.want || (err == nil) != (test.want == "") || asked != test.asked {
			t.Errorf("%s: %v (reason %q), asked %d times; want %q and %d", name, err, got, asked, test.want, test.asked)
		}
		if test.iss == "https://a.example/" {
			// Warmup asks the same, without a request.
			warmed := v.Warmup(t.Context(), "A.example")
			if (warmed == nil) != (test.want == "") {
				t.Errorf("%s: Warmup = %v; want an error only for %q", name, warmed, test.want)
			}
			if test.want == reason.IssuerNotAllowed && errors.Is(warmed, verifier.ErrUnavailable) {
				t.Errorf("%s: Warmup = %v; want a refusal", name, warmed)
			}
		}
		_ = v.Close()
	}
}

// TestIssuersByName: a program names issuers by Name, alias or domain.
func TestIssuersByName(t *testing.T) {
	key := testKey(t)
	keys := verifier.KeysStatic(publicJWKS(&key.PublicKey, "k"))
	fixed, err := verifier.New(verifier.Config{Audience: audience, Issuers: []verifier.Issuer{{Name: "a.example", Keys: keys, Aliases: []string{"the a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer fixed.Close()
	for name, ok := range map[string]bool{"a.example": true, "https://A.example": true, "the a": true, "b.example": false, "the b": false, "": false} {
		if err := fixed.Warmup(t.Context(), name); (err == nil) != ok {
			t.Errorf("Warmup(%q) = %v; want an error: %v", name, err, !ok)
		}
	}
}

// looking is a resolver that looks at the URL of the request, and counts.
type looking struct {
	domains []string
	err     error
	asked   []string // the issuers
}

func (l *looking) ResolveDomains(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
	_ = req.URL()
	l.asked = append(l.asked, req.UnverifiedIssuer)
	return l.domains, l.err
}

// lookingForIssuers is one that brings the rules.
type lookingForIssuers struct {
	looking
	issuer *verifier.Issuer
}

func (l *lookingForIssuers) ResolveIssuer(_ context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	_ = req.URL()
	l.asked = append(l.asked, req.UnverifiedIssuer)
	return l.issuer, l.err
}

// TestDomainResolverDecides: what a resolver of domains answers, and what a
// request gets for it. The issuer in the configuration has keys in the process, so
// nothing is fetched.
func TestDomainResolverDecides(t *testing.T) {
	w := newFuzzWorld(t, nil)
	keys := verifier.KeysStatic(w.jwks())
	const known = `"iss":"` + fuzzIssuer + `"`
	iss := func(text string) string { return strings.Replace(fuzzClaims, known, text, 1) }
	nameless := func(sub string) string {
		return strings.Replace(strings.Replace(fuzzClaims, known+",", "", 1), `"sub":"s"`, `"sub":"`+sub+`"`, 1)
	}
	for name, test := range map[string]struct {
		claims  string
		domains []string
		err     error
		url     string
		want    reason.Reason
		asked   string // what the resolver was told, or "-" when it was not asked
	}{
		"listed":                    {fuzzClaims, []string{"tenant.example.com"}, nil, fuzzURL, "", fuzzIssuer},
		"listed among others":       {fuzzClaims, []string{"a.example", "b.example", "TENANT.example.com"}, nil, fuzzURL, "", fuzzIssuer},
		"not listed":                {fuzzClaims, []string{"a.example"}, nil, fuzzURL, reason.IssuerNotAllowed, fuzzIssuer},
		"in another spelling":       {iss(`"iss":"https://TENANT.example.com/"`), []string{"tenant.example.com"}, nil, fuzzURL, reason.IssuerMismatch, fuzzIssuer},
		"an empty list":             {fuzzClaims, nil, nil, fuzzURL, reason.Resolver, fuzzIssuer},
		"an entry that is none":     {fuzzClaims, []string{"tenant.example.com", "http://x"}, nil, fuzzURL, reason.Resolver, fuzzIssuer},
		"refused":                   {fuzzClaims, []string{"tenant.example.com"}, verifier.ErrNotAllowed, fuzzURL, reason.IssuerNotAllowed, fuzzIssuer},
		"failed":                    {fuzzClaims, []string{"tenant.example.com"}, errors.New("down"), fuzzURL, reason.Resolver, fuzzIssuer},
		"a URL that is none":        {fuzzClaims, []string{"tenant.example.com"}, nil, "/relative", reason.Argument, fuzzIssuer},
		"a URL that is none, fails": {fuzzClaims, nil, errors.New("down"), "/relative", reason.Argument, fuzzIssuer},
		"an iss that is no name":    {iss(`"iss":"a text"`), []string{"tenant.example.com"}, nil, fuzzURL, reason.IssuerMalformed, "-"},
		"an alias":                  {iss(`"iss":"the tenant"`), []string{"tenant.example.com"}, nil, fuzzURL, "", "the tenant"},
		"listed by an alias":        {fuzzClaims, []string{"the tenant"}, nil, fuzzURL, "", fuzzIssuer},
		"an alias, not listed":      {iss(`"iss":"the tenant"`), []string{"a.example"}, nil, fuzzURL, reason.IssuerNotAllowed, "the tenant"},
		"no iss":                    {nameless("spiffe://tenant/x"), []string{"tenant.example.com"}, nil, fuzzURL, "", ""},
		"no iss, not listed":        {nameless("spiffe://tenant/x"), []string{"a.example"}, nil, fuzzURL, reason.IssuerNotAllowed, ""},
		"no iss, another subject":   {nameless("spiffe://other/x"), []string{"tenant.example.com"}, nil, fuzzURL, reason.IssuerMissing, "-"},
		"no iss, the prefix alone":  {nameless("spiffe://tenant/"), []string{"tenant.example.com"}, nil, fuzzURL, reason.IssuerMissing, "-"},
	} {
		r := &looking{domains: test.domains, err: test.err}
		v, err := verifier.New(verifier.Config{
			Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, Domains: r, Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
			Issuers: []verifier.Issuer{{Name: "tenant.example.com", Aliases: []string{"the tenant"}, Keys: keys}},
			Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) {
				t.Errorf("%s: something was fetched", name)
				return nil, errors.New("no network")
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "no iss") {
			_ = v.Close()
			if v, err = verifier.New(verifier.Config{
				Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, Domains: r, Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
				Issuers: []verifier.Issuer{{Name: "tenant.example.com", SubjectPrefix: "spiffe://tenant/", Keys: keys}},
			}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: test.url, Header: http.Header{"Authorization": {"Bearer " + w.token(fuzzHeader, test.claims)}}})
		asked := "-"
		if len(r.asked) > 0 {
			asked = r.asked[0]
		}
		if got := reasonOf(t, err); got != test.want || asked != test.asked || len(r.asked) > 1 {
			t.Errorf("%s: %q, asked about %q; want %q and %q", name, got, r.asked, test.want, test.asked)
		}
		_ = v.Close()
	}
}

// TestResolverThatLooksAtAnUnusableURL: the request is at fault, whatever the
// resolver answers, for JWTs and for opaque tokens.
func TestResolverThatLooksAtAnUnusableURL(t *testing.T) {
	w := newFuzzWorld(t, nil)
	d := &desk{}
	issuer := &verifier.Issuer{Name: "tenant.example.com", Keys: verifier.KeysStatic(w.jwks()), Opaque: verifier.OpaqueTokens{Introspector: d}}
	for name, r := range map[string]verifier.DomainResolver{
		"domains": &looking{domains: []string{"tenant.example.com"}}, "domains, failing": &looking{err: errors.New("down")},
		"issuers": &lookingForIssuers{issuer: issuer}, "issuers, failing": &lookingForIssuers{looking: looking{err: errors.New("down")}}, "issuers, none": &lookingForIssuers{},
	} {
		cfg := verifier.Config{Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, Domains: r, Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) })}
		if strings.HasPrefix(name, "domains") {
			cfg.Issuers = []verifier.Issuer{*issuer}
		}
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{w.token(fuzzHeader, fuzzClaims), "opaque"} {
			_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: "/relative", Header: http.Header{"Authorization": {"Bearer " + token}}})
			if got := reasonOf(t, err); got != reason.Argument || d.count() > 0 {
				t.Errorf("%s, %.10s: %q, asked %d times; want %q", name, token, got, d.count(), reason.Argument)
			}
		}
		_ = v.Close()
	}
}

// TestWhoIsAskedAboutOpaqueTokens: what resolvers answer for a token that names no
// issuer. Nobody but the one issuer is shown it.
func TestWhoIsAskedAboutOpaqueTokens(t *testing.T) {
	d := &desk{}
	asked := verifier.Issuer{Name: "a.example", Opaque: verifier.OpaqueTokens{Introspector: d}}
	plain := verifier.Issuer{Name: "b.example"}
	const yes = reason.TokenInactive // of the desk
	for name, test := range map[string]struct {
		resolver verifier.DomainResolver
		want     reason.Reason
		resolved int
	}{
		"listed":                 {&looking{domains: []string{"a.example", "b.example"}}, yes, 1},
		"not listed":             {&looking{domains: []string{"b.example"}}, reason.TokenMalformed, 1},
		"no list":                {&looking{}, reason.Resolver, 1},
		"a wrong list":           {&looking{domains: []string{"http://a.example", "a.example"}}, reason.Resolver, 1},
		"failed":                 {&looking{domains: []string{"a.example"}, err: errors.New("down")}, reason.Resolver, 1},
		"refused":                {&looking{domains: []string{"a.example"}, err: verifier.ErrNotAllowed}, reason.IssuerNotAllowed, 1},
		"refused without a list": {&looking{err: verifier.ErrNotAllowed}, reason.IssuerNotAllowed, 1},
		"an issuer":              {&lookingForIssuers{issuer: &asked}, yes, 1},
		"an issuer by name":      {&lookingForIssuers{issuer: &verifier.Issuer{Name: "a.example"}}, yes, 1},
		"an issuer without desk": {&lookingForIssuers{issuer: &plain}, reason.TokenMalformed, 1},
		"no issuer":              {&lookingForIssuers{}, reason.Resolver, 1},
		"a wrong issuer":         {&lookingForIssuers{issuer: &verifier.Issuer{}}, reason.Resolver, 1},
		"an issuer, failed":      {&lookingForIssuers{issuer: &asked, looking: looking{err: errors.New("down")}}, reason.Resolver, 1},
		"an issuer, refused":     {&lookingForIssuers{issuer: &asked, looking: looking{err: verifier.ErrNotAllowed}}, reason.IssuerNotAllowed, 1},
	} {
		d.asked = nil
		v, err := verifier.New(verifier.Config{Audience: fuzzAudience, Issuers: []verifier.Issuer{asked, plain}, Domains: test.resolver})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.VerifyAccessToken(t.Context(), "opaque")
		resolved := 0
		switch r := test.resolver.(type) {
		case *looking:
			resolved = len(r.asked)
		case *lookingForIssuers:
			resolved = len(r.asked)
		}
		shown := 0
		if test.want == yes {
			shown = 1
		}
		if got := reasonOf(t, err); got != test.want || resolved != test.resolved || d.count() != shown {
			t.Errorf("%s: %q, %d questions to the resolver and %d to the desk; want %q, %d and %d", name, got, resolved, d.count(), test.want, test.resolved, shown)
		}
		_ = v.Close()
	}
	// Where nobody could be asked, the resolver need not be.
	r := &looking{domains: []string{"b.example"}}
	v, err := verifier.New(verifier.Config{Audience: fuzzAudience, Issuers: []verifier.Issuer{plain}, Domains: r})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.VerifyAccessToken(t.Context(), "opaque"); reasonOf(t, err) != reason.TokenMalformed || len(r.asked) > 0 {
		t.Errorf("without a desk: %v, %d questions; want %q and none", err, len(r.asked), reason.TokenMalformed)
	}
}

// checkedResolver is a resolver that says what is wrong with it.
type checkedResolver struct {
	looking
	err error
}

func (c *checkedResolver) Check() error { return c.err }

func TestNewRefusesResolversThatCannotWork(t *testing.T) {
	for name, test := range map[string]struct {
		resolver verifier.DomainResolver
		want     string
	}{
		"a nil pointer": {(*looking)(nil), "is a nil pointer"}, "a wrong one": {&checkedResolver{err: errors.New("it has no members")}, "it has no members"},
		"a good one": {&checkedResolver{}, ""}, "a plain one": {&looking{}, ""},
	} {
		v, err := verifier.New(verifier.Config{Audience: fuzzAudience, Domains: test.resolver})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: New = %v; want an error about %q", name, err, test.want)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestWarmupAsksByNormalForm: a program names issuers in any spelling.
func TestWarmupAsksByNormalForm(t *testing.T) {
	r := &lookingForIssuers{issuer: &verifier.Issuer{Name: "a.example", Keys: verifier.KeysStatic(newFuzzWorld(t, nil).jwks())}}
	v, err := verifier.New(verifier.Config{Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, Domains: r})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, name := range []string{"A.example", "the a"} {
		if err := v.Warmup(t.Context(), name); err != nil {
			t.Errorf("Warmup(%q) = %v", name, err)
		}
	}
	if want := "https://a.example/ the a"; strings.Join(r.asked, " ") != want {
		t.Errorf("the resolver was asked about %q; want %q", r.asked, want)
	}
}

// TestWarmupOfADomain: with a resolver every domain can be named, and nothing else.
func TestWarmupOfADomain(t *testing.T) {
	fetched := 0
	v, err := verifier.New(verifier.Config{Audience: fuzzAudience, Domains: &looking{}, Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) {
		fetched++
		return nil, errors.New("no network")
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for name, want := range map[string]reason.Reason{"not a domain": reason.IssuerNotAllowed, "http://a.example": reason.IssuerNotAllowed, "": reason.IssuerNotAllowed, "a.example": reason.Discovery} {
		fetched = 0
		if got := reasonOf(t, v.Warmup(t.Context(), name)); got != want || (fetched > 0) != (want == reason.Discovery) {
			t.Errorf("Warmup(%q) = %q after %d fetches; want %q", name, got, fetched, want)
		}
	}
}

// TestWhoIsAskedAboutTokensOfTheIssuersOwn: those that are encrypted with a secret
// of the issuer are as good as opaque, where somebody can be asked.
func TestWhoIsAskedAboutTokensOfTheIssuersOwn(t *testing.T) {
	token := b64([]byte(`{"alg":"dir","enc":"A256GCM"}`)) + "..AAAA.AAAA.AAAA"
	d := &desk{}
	asked := verifier.Issuer{Name: "a.example", Opaque: verifier.OpaqueTokens{Introspector: d}}
	for name, test := range map[string]struct {
		cfg  verifier.Config
		want reason.Reason
	}{
		"an issuer":                 {verifier.Config{Issuers: []verifier.Issuer{asked}}, reason.TokenInactive},
		"an issuer without desk":    {verifier.Config{Issuers: []verifier.Issuer{{Name: "a.example"}}}, reason.TokenMalformed},
		"a resolver of issuers":     {verifier.Config{Domains: &lookingForIssuers{issuer: &asked}}, reason.TokenInactive},
		"a resolver of domains":     {verifier.Config{Domains: &looking{domains: []string{"a.example"}}, Issuers: []verifier.Issuer{asked}}, reason.TokenInactive},
		"domains, and nobody to be": {verifier.Config{Domains: &looking{domains: []string{"a.example"}}}, reason.TokenMalformed},
	} {
		test.cfg.Audience = fuzzAudience
		v, err := verifier.New(test.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != test.want {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
		_ = v.Close()
	}
}
