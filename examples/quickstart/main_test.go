package main

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
)

func TestDemoEndsAsItSays(t *testing.T) {
	var out strings.Builder
	if err := demo(&out); err != nil {
		t.Fatalf("demo: %v\n%s", err, out.String())
	}
	for _, row := range []string{"Bearer, good token", "DPoP, the same proof again", "DPoP, nonce demanded", "opaque token", "encrypted token", "good token, revoked here"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("the table has no row %q", row)
		}
	}
	if !strings.HasSuffix(out.String(), "\n24 of 24 as expected\n") {
		t.Errorf("the end is not the verdict:\n%s", out.String())
	}
}

// TestConfigure: flags become a configuration that New accepts, or an error that names
// them.
func TestConfigure(t *testing.T) {
	for _, c := range []struct{ domain, provider, issuer, allow, audience, name, says string }{
		{"tenant.auth0.com", "", "", "", "api", "", ""},
		{"", "keycloak", "http://localhost:8080/realms/dev", "", "orders", "http://localhost:8080/realms/dev", ""},
		{"", "cognito", "https://cognito-idp.eu-west-1.amazonaws.com/p", "one,two", "", "https://cognito-idp.eu-west-1.amazonaws.com/p", ""},
		{"tenant.auth0.com", "", "", "", "", "", "belong together"},
		{"", "", "", "", "api", "", "belong together"},
		{"tenant.auth0.com", "keycloak", "", "", "api", "", "exclude each other"},
		{"tenant.auth0.com", "", "https://x.example", "", "api", "", "belong to -provider"},
		{"", "nobody", "", "", "api", "", "known are"},
	} {
		cfg, err := configure(c.domain, c.provider, c.issuer, c.allow, c.audience)
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("configure(%+v) = %v; want an error with %q", c, err, c.says)
			}
			continue
		}
		v, err := verifier.New(cfg)
		if err != nil {
			t.Errorf("New for %+v = %v", c, err)
			continue
		}
		_ = v.Close()
		if len(cfg.Issuers) == 1 && cfg.Issuers[0].Name != c.name || cfg.Domain != c.domain {
			t.Errorf("configure(%+v) = %q, %q; want these names", c, cfg.Domain, cfg.Issuers[0].Name)
		}
	}
}
