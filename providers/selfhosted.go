package providers

import "github.com/portcullis-go/portcullis/verifier"

// Keycloak is a realm of a Keycloak server at base ("https://id.example.com", with
// "/auth" behind it before version 17). Realm roles are Token.Permissions. ID, refresh
// and logout tokens are refused by the typ claim. Its access tokens have an aud only
// where a mapper adds one: without, use KeycloakClients. Source: Keycloak Server
// Administration Guide, "Audience support".
func Keycloak(base, realm string) verifier.Issuer {
	return verifier.Issuer{
		Name:           under(base, "/realms/"+realm),
		RequiredValues: map[string][]string{"typ": {"Bearer", "DPoP"}},
		Claims:         verifier.ClaimNames{Permissions: []string{"realm_access.roles"}},
	}
}

// KeycloakClients is Keycloak for tokens without aud: those of these clients (azp) are
// accepted, and so every API that does the same accepts them. Tokens of users often
// have the aud "account", of Keycloak's own account API, and are refused: give the
// client an audience mapper with this API's name. Source: as for Keycloak.
func KeycloakClients(base, realm string, clients ...string) verifier.Issuer {
	i := Keycloak(base, realm)
	i.NoAudience = verifier.AudienceRule{Claim: "azp", Values: clients}
	return i
}

// Hydra is an Ory Hydra server at base whose clients ask for no audience: aud is an
// empty list then, and client_id takes its place, so every API of the same clients
// accepts the token. A token with an audience must have one of Config's. A server whose
// clients all ask for one needs its name alone ("https://hydra.example.com/", with the
// slash that its issuer has). Source: Ory docs, "OAuth2 audience"; "JWT access tokens".
func Hydra(base string, clients ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:       under(base, "/"),
		NoAudience: verifier.AudienceRule{Claim: "client_id", Values: clients},
	}
}

// IdentityServer is Duende IdentityServer, or IdentityServer4 from version 4 on, at
// base. Scopes are a list, nbf is the moment of issue: allow for a second of clock
// difference with Leeway. The client is required: ID tokens have none. Up to version 3
// there is no iat: set Optional to {"iat"}. Source: Duende docs, "Access tokens".
func IdentityServer(base string) verifier.Issuer {
	return verifier.Issuer{Name: under(base, ""), RequiredClaims: []string{"client_id"}}
}

// UAA is Cloud Foundry UAA at base: iss ends with /oauth/token, while the metadata is
// under base. Scopes are a list. Refresh tokens of the JWT format are signed with the
// same keys, and refused because they have no scope. Source: UAA API reference, "Token
// format" and "OpenID Connect discovery".
func UAA(base string) verifier.Issuer {
	return verifier.Issuer{
		Name:           under(base, "/oauth/token"),
		Keys:           verifier.KeysURL(under(base, "/token_keys")),
		RequiredClaims: []string{"scope", "client_id"},
	}
}

// PingFederate is a PingFederate server at base, with a JWT access token manager that
// writes iss and takes the keys of the server, for these clients. Unless configured its
// tokens have no iat and no aud: client_id takes the place of aud, so every API of the
// same clients accepts the token. Source: PingFederate docs, "JSON token management"
// (issuer, audience and claims are settings there).
func PingFederate(base string, clients ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:       under(base, ""),
		NoAudience: verifier.AudienceRule{Claim: "client_id", Values: clients},
		Optional:   []string{"iat"},
	}
}

// FusionAuth is a FusionAuth server at base. Its iss is a setting of the tenant, of which
// "acme.com" is the default; the audience is the application. Roles are
// Token.Permissions. All tenants share one key set: where they share iss too, the
// audience alone keeps them apart, or the tid claim with RequiredValues. Applications
// must sign with RS256, which is no default. Source: FusionAuth docs, "JSON Web Tokens".
func FusionAuth(base, iss string) verifier.Issuer {
	i := verifier.Issuer{
		Name:   under(base, ""),
		Keys:   verifier.KeysURL(under(base, "/.well-known/jwks.json")),
		Claims: verifier.ClaimNames{Permissions: []string{"roles"}},
	}
	if iss != i.Name {
		i.Aliases = []string{iss}
	}
	return i
}

// Logto is a Logto tenant or server at base ("https://acme.logto.app"). It signs with
// ES384, or with RS256 after a rotation to that. Without a resource it issues opaque
// tokens. Source: Logto docs, "Protect your API" and "Signing keys".
func Logto(base string) verifier.Issuer {
	return verifier.Issuer{
		Name:       under(base, "/oidc"),
		Algorithms: []string{"ES384", "RS256"},
	}
}

// OpenAuth is an OpenAuth issuer (openauth.js) by its origin. The audience is the client
// ID; what the token says of its user is in properties. Source: OpenAuth, issuer.ts.
func OpenAuth(origin string) verifier.Issuer {
	return verifier.Issuer{
		Name:           under(origin, ""),
		Algorithms:     []string{"ES256"},
		RequiredValues: map[string][]string{"mode": {"access"}},
	}
}

// SuperTokens is a SuperTokens core behind the API domain and path of its SDK, such as
// "https://api.example.com/auth". Its session tokens have no aud and name no client;
// the tenant (tId) takes its place and must be one of tenants, of which "public" is
// the default one. Other JWTs that the SDK makes have no sessionHandle and are refused.
// Source: SuperTokens docs, "Session verification with JWT".
func SuperTokens(base string, tenants ...string) verifier.Issuer {
	if len(tenants) == 0 {
		tenants = []string{"public"}
	}
	return verifier.Issuer{
		Name:           under(base, ""),
		Keys:           verifier.KeysURL(under(base, "/jwt/jwks.json")),
		NoAudience:     verifier.AudienceRule{Claim: "tId", Values: tenants},
		RequiredClaims: []string{"sessionHandle"},
		Claims:         verifier.ClaimNames{Permissions: []string{"st-perm.v"}},
	}
}

// DockerRegistry is the authorization server of a container registry: iss is a text of
// its configuration, such as "auth.shop.example", and service the registry's own name.
// keys are those of the server, as a file or a URL: tokens name them by libtrust kids,
// and carry certificates that are not looked at. What the token allows is in access, for
// a Requirement. Source: Distribution docs, "Token Authentication Specification".
func DockerRegistry(iss, service string, keys verifier.Keys) verifier.Issuer {
	return verifier.Issuer{
		Name:           iss,
		Aliases:        []string{iss}, // a text like a host is no https URL here
		Keys:           keys,
		Audiences:      []string{service},
		Algorithms:     []string{"ES256", "RS256"},
		RequiredClaims: []string{"access"},
	}
}

// anyWLCG is the audience of tokens for every service of the grid.
const anyWLCG = "https://wlcg.cern.ch/jwt/v1/any"

// WLCG is an issuer of the Worldwide LHC Computing Grid, such as INDIGO IAM, by its iss.
// audiences are this service's own; tokens for every service are accepted too. Scopes
// are paths ("storage.read:/atlas"), which HasScope compares as a whole. Source: WLCG
// Common JWT Profiles, version 1.0.
func WLCG(iss string, audiences ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           iss,
		Audiences:      append([]string{anyWLCG}, audiences...),
		RequiredClaims: []string{"wlcg.ver"},
	}
}

// IndigoIAM is an INDIGO IAM server by its iss, for these clients when they ask for no
// audience: client_id takes its place then, so every service of the same clients accepts
// the token. Source: INDIGO IAM docs, "JWT profiles".
func IndigoIAM(iss string, clients ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           iss,
		NoAudience:     verifier.AudienceRule{Claim: "client_id", Values: clients},
		RequiredClaims: []string{"scope"},
	}
}
