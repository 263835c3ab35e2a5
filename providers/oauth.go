package providers

import "github.com/portcullis-go/portcullis/verifier"

// Auth0 is a tenant ("acme.eu.auth0.com") or its custom domain. A tenant that issues
// tokens under both names needs one entry for each. Permissions of role-based access
// control are Token.Permissions. Source: Auth0 docs, "Access Token Profiles".
func Auth0(domain string) verifier.Issuer {
	return verifier.Issuer{Name: bare(domain)}
}

// Okta is a custom authorization server of an Okta organisation: org is its host
// ("acme.okta.com"), server its ID ("default"). Scopes are in scp and the client in
// cid, which are read by default. The organisation's own authorization server issues
// tokens for Okta alone. Source: Okta developer docs, "Authorization servers" and
// "Build a JWT for client authentication".
func Okta(org, server string) verifier.Issuer {
	return verifier.Issuer{Name: under(org, "/oauth2/"+server)}
}

// Keycloak is a realm of a Keycloak server at base ("https://id.example.com", with
// "/auth" behind it before version 17). Realm roles are Token.Permissions. Its access
// tokens have an aud only where a mapper adds one: without, use KeycloakClients.
// Source: Keycloak Server Administration Guide, "Audience support".
func Keycloak(base, realm string) verifier.Issuer {
	return verifier.Issuer{
		Name:   under(base, "/realms/"+realm),
		Claims: verifier.ClaimNames{Permissions: []string{"realm_access.roles"}},
	}
}

// KeycloakClients is Keycloak for tokens without aud: those of these clients (azp) are
// accepted, and so every API that does the same accepts them. ID tokens are refused by
// their typ claim, which is "Bearer" in access tokens. Source: as for Keycloak.
func KeycloakClients(base, realm string, clients ...string) verifier.Issuer {
	i := Keycloak(base, realm)
	i.NoAudience = verifier.AudienceRule{Claim: "azp", Values: clients}
	i.RequiredValues = map[string][]string{"typ": {"Bearer"}}
	return i
}

// Clerk is a Clerk application by its Frontend API host. Session tokens have no aud;
// azp is the origin of the page that asked for it, and must be one of origins.
// Source: Clerk docs, "Session tokens".
func Clerk(host string, origins ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:       "https://" + bare(host),
		NoAudience: verifier.AudienceRule{Claim: "azp", Values: origins},
	}
}

// SuperTokens is a SuperTokens core at base, such as
// "https://auth.example.com/auth". Its session tokens have no aud and name no client;
// the tenant (tId) takes its place and must be one of tenants, of which "public" is
// the default one. Source: SuperTokens docs, "Session verification with JWT".
func SuperTokens(base string, tenants ...string) verifier.Issuer {
	if len(tenants) == 0 {
		tenants = []string{"public"}
	}
	return verifier.Issuer{
		Name:       under(base, ""),
		Keys:       verifier.KeysURL(under(base, "/jwt/jwks.json")),
		NoAudience: verifier.AudienceRule{Claim: "tId", Values: tenants},
	}
}

// WorkOS is WorkOS AuthKit for one application, by its client ID. Session tokens have
// no aud and no client; what says whose they are is the key set of that client, at a
// URL of its own. organizations are the values of org_id that are accepted. Source:
// WorkOS docs, "Sessions".
func WorkOS(clientID string, organizations ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:       "https://api.workos.com",
		Keys:       verifier.KeysURL("https://api.workos.com/sso/jwks/" + clientID),
		NoAudience: verifier.AudienceRule{Claim: "org_id", Values: organizations},
	}
}

// Stytch is a Stytch project by its ID ("project-live-..."), which is also the
// audience of its tokens: iss has no scheme. Source: Stytch docs, "Connected Apps",
// "Access tokens".
func Stytch(project string) verifier.Issuer {
	return verifier.Issuer{
		Name:      "stytch.com/" + project,
		Keys:      verifier.KeysURL("https://api.stytch.com/v1/public/" + project + "/.well-known/jwks.json"),
		Audiences: []string{project},
	}
}

// IdentityServer is Duende IdentityServer, or IdentityServer4 from version 4 on, at
// base. Scopes are a list, nbf is the moment of issue: allow for a second of clock
// difference with Leeway. Source: Duende docs, "Access tokens".
func IdentityServer(base string) verifier.Issuer {
	return verifier.Issuer{Name: under(base, "")}
}

// Supabase is a project ("abcdefgh.supabase.co") that signs with ES256, as new
// projects do. Every user's token has the audience "authenticated". Source: Supabase
// docs, "JWT fields".
func Supabase(host string) verifier.Issuer {
	return verifier.Issuer{
		Name:       "https://" + bare(host) + "/auth/v1",
		Audiences:  []string{"authenticated"},
		Algorithms: []string{"ES256"},
	}
}

// UAA is Cloud Foundry UAA at base: iss ends with /oauth/token, while the metadata is
// under base. Scopes are a list. Source: UAA API reference, "Token format" and "OpenID
// Connect discovery".
func UAA(base string) verifier.Issuer {
	return verifier.Issuer{
		Name: under(base, "/oauth/token"),
		Keys: verifier.KeysURL(under(base, "/token_keys")),
	}
}
