package providers

import (
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// GitHubActions is the OIDC tokens of workflow runs, for the repositories of these
// owners (users or organisations): everybody on GitHub can have a token of this issuer
// with any audience. Check repository, ref and environment too where they matter, with
// RequiredValues or a Requirement. Source: GitHub docs, "OpenID Connect reference".
func GitHubActions(owners ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://token.actions.githubusercontent.com",
		RequiredValues: map[string][]string{"repository_owner": owners},
	}
}

// GitLab is the ID tokens of CI/CD jobs of a GitLab instance ("gitlab.com" or its own
// host), for the projects of these namespaces ("group" or "group/subgroup"; a group does
// not stand for its subgroups). The ID tokens of users who sign in through GitLab have
// the same issuer and no namespace, and are refused. Source: GitLab docs, "OpenID
// Connect (OIDC) authentication using ID tokens".
func GitLab(host string, namespaces ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://" + bare(host),
		RequiredValues: map[string][]string{"namespace_path": namespaces},
	}
}

// CloudflareAccess is Cloudflare Access in front of an application: team is the host
// ("acme.cloudflareaccess.com"), audience the application's AUD tag. The token comes in
// the header Cf-Access-Jwt-Assertion (verifier.TokenSource). Source: Cloudflare One
// docs, "Validate JWTs".
func CloudflareAccess(team, audience string) verifier.Issuer {
	return verifier.Issuer{
		Name:      "https://" + bare(team),
		Keys:      verifier.KeysURL("https://" + bare(team) + "/cdn-cgi/access/certs"),
		Audiences: []string{audience},
		// Not "org", the session of the team's own domain.
		RequiredValues: map[string][]string{"type": {"app"}},
	}
}

// SPIFFE is the JWT-SVIDs of a trust domain ("example.org"), with the keys of its
// bundle endpoint. They have no iss: a token is of this issuer when its sub is a SPIFFE
// ID of the trust domain. iat may be absent, and typ may be JOSE. One Issuer of a
// configuration can be known by its subjects. Source: SPIFFE JWT-SVID specification,
// Sections 2 and 3; SPIFFE Trust Domain and Bundle, Section 4.
func SPIFFE(trustDomain, bundleURL string) verifier.Issuer {
	name := "spiffe://" + strings.TrimSuffix(strings.TrimPrefix(trustDomain, "spiffe://"), "/")
	return verifier.Issuer{
		Name:          name,
		SubjectPrefix: name + "/",
		Keys:          verifier.KeysURL(bundleURL).ForUse("jwt-svid"),
		Algorithms:    []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"},
		Types:         []string{"JOSE"},
		Optional:      []string{"iat"},
	}
}
