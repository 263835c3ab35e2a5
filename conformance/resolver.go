package conformance

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// DomainResolverHarness says how to test a [verifier.DomainResolver]. Only New
// is required; Known makes the checks mean something.
type DomainResolverHarness struct {
	// New returns a resolver; all that it returns are configured alike.
	New func(env *Env) (verifier.DomainResolver, error)
	// Known maps issuers to a request that each must be listed for.
	Known map[string]verifier.ResolveRequest
	// Issuers are those that may be listed beside the ones of Known.
	Issuers []string
	// Break makes what the resolver asks fail, until repair is called.
	Break func(resolver verifier.DomainResolver) (repair func())
	// Hang makes what the resolver asks never answer, until release is called.
	Hang func(resolver verifier.DomainResolver) (release func())
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// DomainResolverChecks returns the checks of [verifier.DomainResolver] and
// [verifier.StaticDomains] as data.
func DomainResolverChecks() []Check[DomainResolverHarness] {
	checks := slices.Concat(resolverAnswers(), resolverHostile(), resolverNeighbours(), resolverFaults(), resolverStatic())
	return founded(resolverFoundations(), checks)
}

// TestDomainResolver tests that a resolver keeps the contract of
// [verifier.DomainResolver], each rule in a subtest. A resolver that has
// [verifier.StaticDomains] too is tested as such.
func TestDomainResolver(t *testing.T, h DomainResolverHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunDomainResolver is [TestDomainResolver] without a test.
func RunDomainResolver(ctx context.Context, h DomainResolverHarness) Report {
	return h.suite().run(ctx)
}

func (h DomainResolverHarness) suite() suite[DomainResolverHarness] {
	return suite[DomainResolverHarness]{harness: h, checks: DomainResolverChecks()}
}

func (h DomainResolverHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// resolverCase is what a check of a resolver works with.
type resolverCase struct {
	ctx      context.Context
	env      *Env
	h        DomainResolverHarness
	resolver verifier.DomainResolver
}

func resolverCheck(name, rule string, run func(c *resolverCase) error) Check[DomainResolverHarness] {
	return newCheck("DomainResolver", name, rule, newResolverCase, run)
}

func newResolverCase(env *Env, h DomainResolverHarness) (*resolverCase, error) {
	resolver, err := opened(env, h.New, "a resolver")
	if err != nil {
		return nil, err
	}
	return &resolverCase{ctx: env.ctx, env: env, h: h, resolver: resolver}, nil
}

// resolve gives the resolver a request of its own, as the contract says.
func (c *resolverCase) resolve(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	defer c.env.begin("ResolveDomains")()
	return c.resolver.ResolveDomains(ctx, clone(req))
}

// known are the requests of the harness, or one that has nothing special.
func (c *resolverCase) known() []verifier.ResolveRequest {
	var requests []verifier.ResolveRequest
	for _, issuer := range slices.Sorted(maps.Keys(c.h.Known)) {
		requests = append(requests, c.h.Known[issuer])
	}
	if len(requests) == 0 {
		requests = append(requests, newRequest("https://tenant.example/",
			&url.URL{Scheme: "https", Host: "api.example", Path: "/"}, map[string][]string{"Host": {"api.example"}}))
	}
	return requests
}

// issuerName is a domain or https URL as the Verifier reads it.
func issuerName(domain string) (string, bool) {
	text := strings.TrimSpace(domain)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return "https://" + strings.ToLower(u.Host) + u.Path, true
}

// issuerNames is an answer as a sorted set; entries that are none stay as they
// are.
func issuerNames(domains []string) []string {
	var names []string
	for _, domain := range domains {
		name, ok := issuerName(domain)
		if !ok {
			name = domain
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// outcome of a call, to compare with another one: errors count as one.
func outcome(domains []string, err error) string {
	if err != nil {
		return "an error"
	}
	return fmt.Sprintf("%q", issuerNames(domains))
}
