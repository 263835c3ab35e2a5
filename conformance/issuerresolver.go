package conformance

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// IssuerResolverHarness says how to test a [verifier.IssuerResolver]. Only New is
// required; Known makes the checks mean something.
type IssuerResolverHarness struct {
	// New returns a resolver; all that it returns are configured alike.
	New func(env *Env) (verifier.IssuerResolver, error)
	// Known maps issuers to a request that each must be returned for. The request has
	// the issuer as its UnverifiedIssuer.
	Known map[string]verifier.ResolveRequest
	// Issuers are names and aliases that may be returned beside the issuers of Known.
	Issuers []string
	// Config is that of the Verifier that the resolver is for, where the Issuers need
	// something of it, such as Decryption. Default: one with an Audience.
	Config verifier.Config
	// Break makes what the resolver asks fail, until repair is called.
	Break func(resolver verifier.IssuerResolver) (repair func())
	// Hang makes what the resolver asks never answer, until release is called.
	Hang func(resolver verifier.IssuerResolver) (release func())
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// IssuerResolverChecks returns the checks of [verifier.IssuerResolver] as data.
func IssuerResolverChecks() []Check[IssuerResolverHarness] {
	const alike = "What DomainResolver says of equal requests, of hosts and issuers that differ in one character, of ctx and of concurrency holds for ResolveIssuer too."
	rules := resolverRules[IssuerResolverHarness]{
		iface: "IssuerResolver", open: newIssuerCase, validity: "returned-issuers-are-taken",
		known:     "The returned Issuer must hold the token's iss among its spellings (Name and Aliases); otherwise the token is refused with 401.",
		undecided: `Any other error, a nil Issuer without an error, an Issuer that [New] would refuse, or a panic means "could not decide": 503.`,
		refusal:   "An error that matches [ErrNotAllowed] is a refusal with 401.",
		stable:    alike, done: alike, safe: alike,
		unchanged: "The returned Issuer and what it points to are not changed afterwards.",
	}
	own := rules.check("doers-are-made-once", "So is a Doer.", issuerDoers)
	return founded(resolverFoundations(), append(rules.checks(), own))
}

// TestIssuerResolver tests that a resolver keeps the contract of
// [verifier.IssuerResolver], each rule in a subtest. Such a resolver is a
// [verifier.DomainResolver] too, which [TestDomainResolver] tests.
func TestIssuerResolver(t *testing.T, h IssuerResolverHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunIssuerResolver is [TestIssuerResolver] without a test.
func RunIssuerResolver(ctx context.Context, h IssuerResolverHarness) Report {
	return h.suite().run(ctx)
}

func (h IssuerResolverHarness) suite() suite[IssuerResolverHarness] {
	return suite[IssuerResolverHarness]{harness: h, checks: IssuerResolverChecks()}
}

func (h IssuerResolverHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

func newIssuerCase(env *Env, h IssuerResolverHarness) (*resolverCase, error) {
	resolver, err := opened(env, h.New, "a resolver")
	if err != nil {
		return nil, err
	}
	c := &resolverCase{ctx: env.ctx, env: env, method: "ResolveIssuer", resolver: resolver, known: h.Known, issuers: h.Issuers}
	c.another = func() (*resolverCase, error) { return newIssuerCase(env, h) }
	c.ask = func(ctx context.Context, req verifier.ResolveRequest) (resolution, error) {
		issuer, err := resolver.ResolveIssuer(ctx, req)
		return described(issuer, h.Config), err
	}
	if h.Break != nil {
		c.breaks = func() func() { return h.Break(resolver) }
	}
	if h.Hang != nil {
		c.hangs = func() func() { return h.Hang(resolver) }
	}
	return c, nil
}

// described is the answer of an IssuerResolver.
func described(issuer *verifier.Issuer, cfg verifier.Config) resolution {
	if issuer == nil {
		nothing := func() string { return "nothing" }
		return resolution{sum: nothing, raw: nothing, fault: func() error { return fmt.Errorf("nil without an error") }}
	}
	describe := func() string { return description(issuer) }
	return resolution{
		names: append([]string{issuer.Name}, issuer.Aliases...), issuer: issuer, sum: describe, raw: describe,
		fault: func() error { return taken(issuer, cfg) },
	}
}

// description is all that an Issuer says, but for where its keys are: that cannot be
// compared from outside.
func description(issuer *verifier.Issuer) string {
	said := *issuer
	said.Keys, said.Doer, said.Opaque.Introspector = verifier.Keys{}, nil, nil
	var fields []string
	value := reflect.ValueOf(said)
	for i := range value.NumField() {
		if field := value.Field(i); !field.IsZero() {
			fields = append(fields, fmt.Sprintf("%s:%+v", value.Type().Field(i).Name, field))
		}
	}
	return "an Issuer {" + strings.Join(fields, ", ") + "}"
}

// taken wants a Verifier to take an Issuer, or to have an entry of its name.
func taken(issuer *verifier.Issuer, cfg verifier.Config) error {
	named := func(other verifier.Issuer) bool { return other.Name == issuer.Name }
	isName := description(issuer) == description(&verifier.Issuer{Name: issuer.Name}) &&
		issuer.Keys == (verifier.Keys{}) && issuer.Doer == nil && issuer.Opaque.Introspector == nil
	if isName && slices.ContainsFunc(cfg.Issuers, named) {
		return nil
	}
	if cfg.Audience == "" && len(cfg.Audiences) == 0 {
		cfg.Audience = "https://api.example/"
	}
	cfg.Domain, cfg.Domains, cfg.Issuers = "", nil, []verifier.Issuer{*issuer}
	v, err := verifier.New(cfg)
	if err != nil {
		return fmt.Errorf("an Issuer that New refuses: %w", err)
	}
	return v.Close()
}

// issuerDoers compares the Doers of two answers to one request. Those that cannot be
// compared belong to one Issuer.
func issuerDoers(c *resolverCase) error {
	for _, req := range c.requests() {
		one, err := c.resolve(c.ctx, req)
		two, err2 := c.resolve(c.ctx, req)
		if err != nil || err2 != nil || one.issuer == nil || two.issuer == nil || one.issuer == two.issuer {
			continue
		}
		if !same(one.issuer.Doer, two.issuer.Doer) {
			return c.errorf("of equal requests = two Issuers of %q, each with a Doer of its own; want one Doer", one.issuer.Name)
		}
	}
	return nil
}

func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
