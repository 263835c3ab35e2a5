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
		"two without iss":                    {verifier.Config{Issuers: []verifier.Issuer{spiffe("a.example", "spiffe://a/"), spiffe("b.example", "spiffe://b/")}}, "SubjectPrefix, and so has another"},
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
