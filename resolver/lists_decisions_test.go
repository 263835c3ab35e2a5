package resolver_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

// of is a request for a host, with a token of an issuer.
func of(host, issuer string) verifier.ResolveRequest {
	return verifier.NewResolveRequest(issuer, &url.URL{Scheme: "https", Host: host, Path: "/"}, http.Header{})
}

// both resolves domains and issuers.
type both interface {
	verifier.DomainResolver
	verifier.IssuerResolver
}

func mustIssuersByHost(t *testing.T, hosts map[string][]verifier.Issuer) both {
	t.Helper()
	r, err := resolver.IssuersByHost(hosts)
	if err != nil {
		t.Fatal(err)
	}
	return r.(both)
}

// nobody answers no question.
type nobody struct{ verifier.Introspector }

func TestNobodyIsAskedForARequestThatHasEnded(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	asked := false
	byHost, err := resolver.ByHost(map[string][]string{"one": {"a.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]verifier.DomainResolver{
		"Static": resolver.Static("a.example"), "ByHost": byHost, "IssuersByHost": mustIssuersByHost(t, map[string][]verifier.Issuer{"one": {{Name: "a.example"}}}),
		"Chain": resolver.Chain(resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) {
			asked = true
			return []string{"a.example"}, nil
		})),
	} {
		if _, err := r.ResolveDomains(ended, of("one", "https://a.example/")); !errors.Is(err, context.Canceled) || asked {
			t.Errorf("%s: %v, asked: %v; want the end of the context alone", name, err, asked)
		}
	}
}

// TestHostsOfIssuers: hosts are compared without case and default port, and issuers
// in every spelling that stands for one.
func TestHostsOfIssuers(t *testing.T) {
	r := mustIssuersByHost(t, map[string][]verifier.Issuer{
		"One.example:80": {{Name: "A.example", Aliases: []string{"https://a.example"}}, {Name: "https://login.example/realms/x"}},
		"[::1]:443":      {{Name: "b.example"}},
	})
	for _, c := range []struct {
		host, issuer, name string
		want               error
	}{
		{"one.example", "https://a.example/", "A.example", nil},
		{"ONE.example:443", "https://a.example", "A.example", nil},
		{"one.example:80", "https://login.example/realms/x", "https://login.example/realms/x", nil},
		{"[::1]:80", "https://b.example/", "b.example", nil},
		{"one.example", "https://b.example/", "", verifier.ErrNotAllowed},
		{"one.example", "https://login.example/realms/y", "", verifier.ErrNotAllowed},
		{"one.example", "https://a.example/x", "", verifier.ErrNotAllowed},
		{"one.example", "", "", verifier.ErrNotAllowed},
		{"two.example", "https://a.example/", "", resolver.ErrNoMatch},
		{"one.example:8080", "https://a.example/", "", resolver.ErrNoMatch},
	} {
		i, err := r.ResolveIssuer(t.Context(), of(c.host, c.issuer))
		if !errors.Is(err, c.want) || (c.want == nil) != (i != nil) || i != nil && i.Name != c.name {
			t.Errorf("%q at %s = %v, %v; want %q, %v", c.issuer, c.host, i, err, c.name, c.want)
		}
	}
}

// TestListsThatCannotBe names the mistake, and where it is.
func TestListsThatCannotBe(t *testing.T) {
	type hosts = map[string][]verifier.Issuer
	named := func(names ...string) (list []verifier.Issuer) {
		for _, name := range names {
			list = append(list, verifier.Issuer{Name: name})
		}
		return list
	}
	for name, c := range map[string]struct {
		hosts hosts
		want  string
	}{
		"none":                    {nil, "needs a host"},
		"empty":                   {hosts{"one": nil}, `the list of host "one" is empty`},
		"blank host":              {hosts{" ": named("a.example")}, "invalid or repeated host"},
		"URL":                     {hosts{"https://one": named("a.example")}, "invalid or repeated host"},
		"host twice":              {hosts{"one": named("a.example"), "ONE:443": named("b.example")}, "invalid or repeated host"},
		"name twice":              {hosts{"one": named("a.example", "a.example")}, `"a.example" stands twice`},
		"two spellings":           {hosts{"one": named("a.example", "https://a.example")}, `"https://a.example" stands twice`},
		"two spellings, one host": {hosts{"one": named("A.example", "a.example")}, `"a.example" stands twice`},
		"an alias of another":     {hosts{"one": {{Name: "a.example"}, {Name: "b.example", Aliases: []string{"https://a.example/"}}}}, `"https://a.example/" stands twice`},
		"no name":                 {hosts{"one": {{Name: ""}}}, `the issuers of host "one".Name`},
		"a bad rule, alone":       {hosts{"one": {{Name: "a.example", Algorithms: []string{"none"}}}}, `the issuers of host "one".Algorithms`},
		"a bad rule, second":      {hosts{"one": {{Name: "a.example"}, {Name: "b.example", Algorithms: []string{"none"}}}}, `the issuers of host "one"[1].Algorithms`},
		"an algorithm with secret": {hosts{"one": {{Name: "a.example", Algorithms: []string{"HS256"}}}},
			`the issuers of host "one".Algorithms`},
		"nobody to ask": {hosts{"one": {{Name: "a.example", Opaque: verifier.OpaqueTokens{JWTs: true}}}}, `the issuers of host "one".Opaque`},
		"no keys":       {hosts{"one": {{Name: "a.example", Keys: verifier.KeysFrom(nil)}}}, `the keys of the issuers of host "one"`},
	} {
		if _, err := resolver.IssuersByHost(c.hosts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
	if _, err := resolver.ByHost(nil); err == nil || !strings.Contains(err.Error(), "needs a host") {
		t.Errorf("ByHost of none: %v; want an error", err)
	}
}

// TestRulesOfTheConfiguration are left to it: hosts over http, keys for encrypted
// tokens, further algorithms.
func TestRulesOfTheConfiguration(t *testing.T) {
	mustIssuersByHost(t, map[string][]verifier.Issuer{
		"one": {{Name: "a.example", Keys: verifier.KeysURL("http://keys.internal/jwks"), Algorithms: []string{"ML-DSA-44"}, Encryption: verifier.EncryptionRule{Required: true}}},
	})
}

func TestChainsThatCannotBe(t *testing.T) {
	good := resolver.Static("a.example")
	for name, c := range map[string]struct {
		chain verifier.DomainResolver
		ok    bool
	}{
		"empty":                  {resolver.Chain(), false},
		"good":                   {resolver.Chain(good, good), true},
		"nil":                    {resolver.Chain(good, nil), false},
		"a list of nothing":      {resolver.Chain(good, resolver.Static()), false},
		"a chain of bad ones":    {resolver.Chain(good, resolver.Chain(resolver.Static("http://a.example"))), false},
		"a chain of good chains": {resolver.Chain(good, resolver.Chain(good)), true},
	} {
		if err := c.chain.(interface{ Check() error }).Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v; want an error: %v", name, err, !c.ok)
		}
	}
}

// TestChainOfLists resolves issuers only where one of its members does, and what the
// others list is an Issuer of the name that Config would give it.
func TestChainOfLists(t *testing.T) {
	lists := resolver.Static("https://a.example/", "https://login.example/realms/x", "https://b.example")
	if _, ok := resolver.Chain(lists, lists).(verifier.IssuerResolver); ok {
		t.Error("a chain of lists resolves issuers")
	}
	byHost := mustIssuersByHost(t, map[string][]verifier.Issuer{"one": {{Name: "c.example"}}})
	r := resolver.Chain(byHost, lists).(verifier.IssuerResolver)
	for issuer, name := range map[string]string{
		"https://a.example/": "a.example", "https://b.example/": "b.example", "https://login.example/realms/x": "https://login.example/realms/x",
		"https://c.example/": "", "https://login.example/realms/y": "",
	} {
		i, err := r.ResolveIssuer(t.Context(), of("two", issuer))
		if name == "" && !errors.Is(err, verifier.ErrNotAllowed) || name != "" && (err != nil || i.Name != name) {
			t.Errorf("%s = %v, %v; want %q", issuer, i, err, name)
		}
	}
	if i, err := r.ResolveIssuer(t.Context(), of("one", "https://c.example/")); err != nil || i.Name != "c.example" {
		t.Errorf("https://c.example/ = %v, %v; want c.example", i, err)
	}
	broken := resolver.Chain(byHost, resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) {
		return []string{"https://a.example/", "no domain"}, nil
	})).(verifier.IssuerResolver)
	if _, err := broken.ResolveIssuer(t.Context(), of("two", "https://a.example/")); err == nil || errors.Is(err, verifier.ErrNotAllowed) || errors.Is(err, resolver.ErrNoMatch) {
		t.Errorf("a list that is partly garbage: %v; want an error of its own", err)
	}
}

// TestListedByWhom: a token that names no issuer is of the one issuer that can judge
// it.
func TestListedByWhom(t *testing.T) {
	r := mustIssuersByHost(t, map[string][]verifier.Issuer{
		"one": {{Name: "a.example"}, {Name: "b.example", SubjectPrefix: "spiffe://b.example/"}}, "two": {{Name: "c.example", Opaque: verifier.OpaqueTokens{Introspector: nobody{}}}},
	})
	for host, want := range map[string]string{"one": "b.example", "two": "c.example"} {
		if i, err := r.ResolveIssuer(t.Context(), of(host, "")); err != nil || i.Name != want {
			t.Errorf("%s: %v, %v; want %s", host, i, err, want)
		}
	}
}
