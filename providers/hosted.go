package providers

import (
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// Auth0 is a tenant ("acme.eu.auth0.com") or its custom domain. A tenant that issues
// tokens under both names needs one entry for each. Permissions of role-based access
// control are Token.Permissions. Source: Auth0 docs, "Access Token Profiles".
func Auth0(domain string) verifier.Issuer {
	return verifier.Issuer{Name: bare(domain)}
}

// Okta is a custom authorization server of an Okta organisation: org is its host
// ("acme.okta.com"), server its ID ("default"). Scopes are in scp and the client in
// cid, which is required: ID tokens have none. The organisation's own authorization
// server issues access tokens for Okta alone. Source: Okta developer docs,
// "Authorization servers" and "Access token payload".
func Okta(org, server string) verifier.Issuer {
	return verifier.Issuer{Name: under(org, "/oauth2/"+server), RequiredClaims: []string{"cid"}}
}

// Clerk is a Clerk application by its Frontend API host. Session tokens have no aud;
// azp is the origin of the page that asked for it, and must be one of origins. Tokens of
// JWT templates, which are made for others, have no sid and are refused. Source: Clerk
// docs, "Session tokens" and "JWT templates".
func Clerk(host string, origins ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://" + bare(host),
		NoAudience:     verifier.AudienceRule{Claim: "azp", Values: origins},
		RequiredClaims: []string{"sid"},
	}
}

// WorkOS is WorkOS AuthKit for one application, by its client ID. Session tokens have
// no aud and no client; what says whose they are is the key set of that client, at a
// URL of its own. organizations are the values of org_id that are accepted; without
// any, all users of the application are, with and without an organization. Source:
// WorkOS docs, "Session tokens".
func WorkOS(clientID string, organizations ...string) verifier.Issuer {
	name := "https://api.workos.com"
	i := verifier.Issuer{
		Name:           name,
		Aliases:        []string{name + "/user_management/" + clientID},
		Keys:           verifier.KeysURL(name + "/sso/jwks/" + clientID),
		NoAudience:     verifier.AudienceRule{Claim: "org_id", Values: organizations},
		RequiredClaims: []string{"sid"},
	}
	if len(organizations) == 0 {
		// What tells the application is the key alone.
		i.NoAudience = verifier.AudienceRule{Claim: "iss", Values: append([]string{name}, i.Aliases...)}
	}
	return i
}

// Stytch is a Stytch project by its ID ("project-live-..." or "project-test-..."),
// which is also the audience of its tokens: iss has no scheme. Session tokens and the
// access tokens of Connected Apps have one key set. Source: Stytch docs, "Sessions",
// "Get JWKS" and "Connected Apps access tokens".
func Stytch(project string) verifier.Issuer {
	host := "https://api.stytch.com"
	if strings.HasPrefix(project, "project-test-") {
		host = "https://test.stytch.com"
	}
	return verifier.Issuer{
		Name:      "stytch.com/" + project,
		Keys:      verifier.KeysURL(host + "/v1/sessions/jwks/" + project),
		Audiences: []string{project},
	}
}

// Descope is a Descope project by its ID, which is the audience, and iss by itself or at
// the end of a URL. Refresh tokens are JWTs of the same issuer, audience and keys, and are refused by drn. Source: Descope
// docs, "Session management" and "Session token structure".
func Descope(project string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://api.descope.com/" + project,
		Aliases:        []string{project},
		Keys:           verifier.KeysURL("https://api.descope.com/" + project + "/.well-known/jwks.json"),
		Audiences:      []string{project},
		RequiredValues: map[string][]string{"drn": {"DS"}},
		Claims:         verifier.ClaimNames{Permissions: []string{"permissions", "roles"}},
	}
}

// Supabase is a project ("abcdefgh.supabase.co") that signs with ES256, as new
// projects do. Every user's token has the audience "authenticated", those of anonymous
// users too (is_anonymous). Source: Supabase docs, "JWT fields".
func Supabase(host string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://" + bare(host) + "/auth/v1",
		Audiences:      []string{"authenticated"},
		Algorithms:     []string{"ES256"},
		RequiredValues: map[string][]string{"role": {"authenticated"}},
	}
}

// SAPIAS is a tenant of SAP Cloud Identity Services ("acme.accounts.ondemand.com").
// The iss of older tenants has no scheme. Source: SAP Cloud Identity Services docs,
// "OpenID Connect"; SAP security client libraries.
func SAPIAS(host string) verifier.Issuer {
	return verifier.Issuer{Name: "https://" + bare(host), Aliases: []string{bare(host)}}
}

// OracleIDCS is a tenant of Oracle Identity Cloud Service by its host
// ("idcs-1234.identity.oraclecloud.com"). All tenants have one iss: whose a token is,
// its key says, so the key set must be the tenant's. doer adds the credentials with
// which the tenant shows its keys; it may be nil where the tenant shows them to
// everybody ("Access signing certificate"). ID tokens are refused by tok_type. Source:
// Oracle Identity Cloud Service docs, "Token validation".
func OracleIDCS(host string, doer verifier.Doer) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://identity.oraclecloud.com/",
		Keys:           verifier.KeysURL("https://" + bare(host) + "/admin/v1/SigningCert/jwk"),
		Doer:           doer,
		RequiredValues: map[string][]string{"tok_type": {"AT"}},
	}
}
