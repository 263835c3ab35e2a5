package resolver_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// tenantsOf is a template for all tenants but "closed"; "down" cannot be decided.
func tenantsOf(t *testing.T, change func(*resolver.TemplateConfig)) verifier.IssuerResolver {
	t.Helper()
	cfg := resolver.TemplateConfig{
		Name: login + "{tenant}/v2.0", Keys: verifier.KeysURL(login + "keys"),
		Allowed: func(_ context.Context, tenant string) (bool, error) {
			if tenant == "down" {
				return true, errDown
			}
			return tenant != "closed", nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	r, err := resolver.Template(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r.(verifier.IssuerResolver)
}

// TestTenants: which iss is a tenant's.
func TestTenants(t *testing.T) {
	r := tenantsOf(t, nil)
	for iss, want := range map[string]error{
		login + "azAZ09-/v2.0": nil, login + "x/v2.0": nil, login + strings.Repeat("x", 128) + "/v2.0": nil,
		login + "closed/v2.0": verifier.ErrNotAllowed, login + "down/v2.0": errDown,
		login + "/v2.0": resolver.ErrNoMatch, login + strings.Repeat("x", 129) + "/v2.0": resolver.ErrNoMatch, "": resolver.ErrNoMatch, login: resolver.ErrNoMatch,
		login + "v2.0": resolver.ErrNoMatch, "https://login.examplf/x/v2.0": resolver.ErrNoMatch, login + "x/v2.1": resolver.ErrNoMatch,
		login + "a`/v2.0": resolver.ErrNoMatch, login + "a{/v2.0": resolver.ErrNoMatch, login + "a@/v2.0": resolver.ErrNoMatch, login + "a[/v2.0": resolver.ErrNoMatch,
		login + "a//v2.0": resolver.ErrNoMatch, login + "a:/v2.0": resolver.ErrNoMatch, login + "a./v2.0": resolver.ErrNoMatch, login + "a_/v2.0": resolver.ErrNoMatch,
	} {
		i, err := r.ResolveIssuer(t.Context(), asking(iss))
		if !errors.Is(err, want) || (err == nil) != (want == nil) || (i != nil) != (want == nil) || want != resolver.ErrNoMatch && errors.Is(err, resolver.ErrNoMatch) {
			t.Errorf("ResolveIssuer(%.60q) = %v, %v; want %v", iss, i, err, want)
		}
		if i != nil && i.Name != iss {
			t.Errorf("ResolveIssuer(%.60q) is %q", iss, i.Name)
		}
		domains, err := r.(verifier.DomainResolver).ResolveDomains(t.Context(), asking(iss))
		if !errors.Is(err, want) || want == nil && (len(domains) != 1 || domains[0] != iss) || want != nil && domains != nil {
			t.Errorf("ResolveDomains(%.60q) = %q, %v; want %v", iss, domains, err, want)
		}
	}
}

// TestRulesOfTenants: those of the template, and the tenant's own claim.
func TestRulesOfTenants(t *testing.T) {
	r := tenantsOf(t, func(cfg *resolver.TemplateConfig) {
		cfg.TenantClaim = "tid"
		cfg.Rules = verifier.Issuer{Audiences: []string{"api"}, RequiredValues: map[string][]string{"env": {"prod"}}}
	})
	for _, tenant := range []string{"one", "two", "one"} {
		i, err := r.ResolveIssuer(t.Context(), asking(login+tenant+"/v2.0"))
		if err != nil {
			t.Fatal(err)
		}
		values := maps.Collect(maps.All(i.RequiredValues))
		if len(values) != 2 || len(values["tid"]) != 1 || values["tid"][0] != tenant || len(values["env"]) != 1 || values["env"][0] != "prod" || i.Audiences[0] != "api" {
			t.Errorf("the rules of %s are %+v", tenant, i)
		}
	}
	plain := tenantsOf(t, func(cfg *resolver.TemplateConfig) { cfg.Rules.RequiredValues = map[string][]string{"env": {"prod"}} })
	if i, err := plain.ResolveIssuer(t.Context(), asking(login+"one/v2.0")); err != nil || len(i.RequiredValues) != 1 || i.RequiredValues["env"] == nil {
		t.Errorf("without a tenant claim: %+v, %v", i, err)
	}
}

// TestIssuersAreKept: the Verifier compiles a value once, if it is the same one.
func TestIssuersAreKept(t *testing.T) {
	r := tenantsOf(t, nil)
	first := make(map[string]*verifier.Issuer)
	for range 2 {
		for n := range 20 {
			name := login + strconv.Itoa(n) + "/v2.0"
			i, err := r.ResolveIssuer(t.Context(), asking(name))
			if err != nil {
				t.Fatal(err)
			}
			if first[name] == nil {
				first[name] = i
			}
			if i != first[name] {
				t.Errorf("%s is another value the second time", name)
			}
		}
	}
}

func TestTemplateRefusesHalfAPlaceholder(t *testing.T) {
	for _, name := range []string{login + "{tenant", login + "tenant}", login + "{a}/b}", login + "{a}/{", login + "}{a}", login + "{a}}", login + "{{a}"} {
		_, err := resolver.Template(resolver.TemplateConfig{Name: name, Keys: verifier.KeysURL(login + "keys"), Allowed: func(context.Context, string) (bool, error) { return true, nil }})
		if err == nil {
			t.Errorf("Template(%q): no error", name)
		}
	}
}

// TestCacheSettings: each counts.
func TestCacheSettings(t *testing.T) {
	inner, clock := &counting{}, verifiertest.NewClock(time.Time{})
	r, err := resolver.Cached(inner, resolver.CacheConfig{Key: resolver.IssuerKey, Clock: clock, TTL: time.Second, MaxEntries: 2})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(issuer string, want int64) {
		t.Helper()
		if got, err := r.ResolveDomains(t.Context(), asking(issuer)); err != nil || got[0] != issuer {
			t.Errorf("ResolveDomains(%s) = %q, %v", issuer, got, err)
		}
		if got := inner.calls.Load(); got != want {
			t.Errorf("%s: %d calls; want %d", issuer, got, want)
		}
	}
	ask("a", 1)
	ask("b", 2)
	clock.Advance(time.Second - 1)
	ask("a", 2)
	ask("c", 3) // b goes, which was used longest ago
	ask("a", 3)
	ask("c", 3)
	ask("b", 4) // a goes
	ask("b", 4)
	ask("c", 4)
	clock.Advance(1)
	ask("c", 4) // asked for within the second
	ask("a", 5)
	clock.Advance(-2 * time.Second) // set back: an answer of the future is none
	ask("c", 6)
	ask("a", 7)
	clock.Advance(time.Second - 1)
	ask("a", 7)
	clock.Advance(1)
	ask("a", 8)
	ask("a", 8) // the new answer counts, and takes no further room
	ask("c", 9)
	ask("a", 9)
}

// TestNewRefusesACacheOfNothing: what cannot work does not work behind a cache.
func TestNewRefusesACacheOfNothing(t *testing.T) {
	for name, test := range map[string]struct {
		inner verifier.DomainResolver
		good  bool
	}{
		"a good list": {resolver.Static("a.example"), true}, "an empty list": {resolver.Static(), false}, "a wrong list": {resolver.Static("http://a.example"), false}, "an empty chain": {resolver.Chain(), false},
	} {
		r, err := resolver.Cached(test.inner, resolver.CacheConfig{Key: resolver.HostKey})
		if err != nil {
			t.Fatal(err)
		}
		v, err := verifier.New(verifier.Config{Audience: "api", Domains: r})
		if (err == nil) != test.good {
			t.Errorf("%s: New = %v; want an error: %v", name, err, !test.good)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}
