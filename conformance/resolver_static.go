package conformance

import (
	"fmt"
	"slices"

	"github.com/portcullis-go/portcullis/verifier"
)

// resolverStatic are the checks of [verifier.StaticDomains].
func resolverStatic(r resolverRules[DomainResolverHarness]) []Check[DomainResolverHarness] {
	const static = "StaticDomains is an optional interface of a [DomainResolver] whose answer never depends on the request and never changes."
	check := func(name, rule string, run func(*resolverCase, verifier.StaticDomains) error) Check[DomainResolverHarness] {
		made := r.check(name, rule, func(c *resolverCase) error {
			s, ok := c.resolver.(verifier.StaticDomains)
			if !ok {
				return skip("the resolver has no verifier.StaticDomains, which is optional")
			}
			return run(c, s)
		})
		made.Interface = "StaticDomains"
		return made
	}
	return []Check[DomainResolverHarness]{
		check("domains-are-issuers", "The Verifier then reads the list once, at construction, and refuses an invalid one there.", func(_ *resolverCase, s verifier.StaticDomains) error {
			domains := s.Domains()
			if len(domains) == 0 {
				return fmt.Errorf("Domains() = %q; want at least one", domains)
			}
			for _, domain := range domains {
				if _, ok := issuerName(domain); !ok {
					return fmt.Errorf("Domains() lists %s; want domains or https URLs", show(domain))
				}
			}
			return nil
		}),
		check("domains-are-the-answer-to-every-request", static, func(c *resolverCase, s verifier.StaticDomains) error {
			domains := s.Domains()
			if len(domains) == 0 || slices.ContainsFunc(domains, func(domain string) bool { _, ok := issuerName(domain); return !ok }) {
				return skip("Domains is no list of issuers, which is another check's finding")
			}
			want := outcome(listing(domains), nil)
			for _, req := range append(c.requests(), verifier.ResolveRequest{}, verifier.ResolveRequest{UnverifiedIssuer: "https://" + randomHex(8) + ".example/"}) {
				if got := outcome(c.resolve(c.ctx, req)); got != want {
					return c.errorf("= %s; want %s, as Domains says", got, want)
				}
			}
			return nil
		}),
		check("domains-never-change", static, func(_ *resolverCase, s verifier.StaticDomains) error {
			want := outcome(listing(s.Domains()), nil)
			return together(8, func(int) error {
				for range 20 {
					if got := outcome(listing(s.Domains()), nil); got != want {
						return fmt.Errorf("Domains() = %s; want %s as before", got, want)
					}
				}
				return nil
			})
		}),
	}
}
