package conformance_test

import (
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
)

// TestChecksComeAfterWhatTheyBuildOn: every basis is a check, and comes first.
func TestChecksComeAfterWhatTheyBuildOn(t *testing.T) {
	ordered(t, conformance.CacheChecks())
	ordered(t, conformance.ReplayStoreChecks())
	ordered(t, conformance.DomainResolverChecks())
	ordered(t, conformance.IssuerResolverChecks())
	ordered(t, conformance.KeyFetcherChecks())
	ordered(t, conformance.ClockChecks())
	ordered(t, conformance.DoerChecks())
	ordered(t, conformance.SignatureAlgorithmChecks())
	ordered(t, conformance.IntrospectorChecks())
	ordered(t, conformance.RevocationStoreChecks())
	ordered(t, conformance.RevocationCheckerChecks())
	ordered(t, conformance.KeyDecrypterChecks())
}

func ordered[H any](t *testing.T, checks []conformance.Check[H]) {
	t.Helper()
	seen := make(map[string]bool)
	for _, c := range checks {
		for _, basis := range c.Basis {
			if !seen[basis] {
				t.Errorf("%s/%s builds on %q, which does not come before it", c.Interface, c.Name, basis)
			}
		}
		seen[c.Interface+"/"+c.Name] = true
	}
}
