package conformance

import (
	"context"
	"errors"
	"fmt"
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
	rules := resolverRules[DomainResolverHarness]{
		iface: "DomainResolver", open: newDomainCase, validity: "entries-are-issuers",
		known:     `The result lists allowed issuers as domains ("tenant.auth0.com"), as https URLs, or by the Name of an Issuer of Config.Issuers; the Verifier normalises them.`,
		undecided: `An empty list, a blank or invalid entry, any other error or a panic means "could not decide": the request is answered with 503 and [ErrUnavailable], not with "bad token".`,
		refusal:   "An error that matches [ErrNotAllowed] says that no issuer may: the request is answered with 401.",
		stable:    "Equal requests get equal answers as long as the configuration behind the resolver does not change.",
		done:      "ctx is honoured: when it is done, ResolveDomains returns promptly with an error that matches ctx.Err().",
		unchanged: "The returned slice is not changed by the resolver afterwards.",
		safe:      "Safe for concurrent use.",
	}
	return founded(resolverFoundations(), append(rules.checks(), resolverStatic(rules)...))
}

// TestDomainResolver tests that a resolver keeps the contract of
// [verifier.DomainResolver], each rule in a subtest. A resolver that has
// [verifier.StaticDomains] too is tested as such. For one that has
// [verifier.IssuerResolver], see [TestIssuerResolver].
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

func newDomainCase(env *Env, h DomainResolverHarness) (*resolverCase, error) {
	resolver, err := opened(env, h.New, "a resolver")
	if err != nil {
		return nil, err
	}
	c := &resolverCase{ctx: env.ctx, env: env, method: "ResolveDomains", resolver: resolver, known: h.Known, issuers: h.Issuers}
	c.another = func() (*resolverCase, error) { return newDomainCase(env, h) }
	c.ask = func(ctx context.Context, req verifier.ResolveRequest) (resolution, error) {
		domains, err := resolver.ResolveDomains(ctx, req)
		return listing(domains), err
	}
	if h.Break != nil {
		c.breaks = func() func() { return h.Break(resolver) }
	}
	if h.Hang != nil {
		c.hangs = func() func() { return h.Hang(resolver) }
	}
	return c, nil
}

// listing is the answer of a DomainResolver.
func listing(domains []string) resolution {
	return resolution{
		names: domains,
		sum:   func() string { return fmt.Sprintf("%q", issuerNames(domains)) },
		raw:   func() string { return fmt.Sprintf("%q", domains) },
		fault: func() error {
			for _, domain := range domains {
				if _, ok := issuerName(domain); !ok {
					return errors.New("it lists " + show(domain) + "; want domains or https URLs without credentials, query and fragment")
				}
			}
			return nil
		},
	}
}
