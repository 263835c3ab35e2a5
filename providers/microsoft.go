package providers

import (
	"context"
	"strings"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	microsoft = "https://login.microsoftonline.com/"
	sts       = "https://sts.windows.net/"
	metadata  = ".well-known/openid-configuration"
)

// roles is where Microsoft puts the roles of applications and users.
var roles = verifier.ClaimNames{Permissions: []string{"roles"}}

// Entra is one tenant of Microsoft Entra ID, by its ID (a GUID), for an API whose
// application registration accepts tokens of version 2 (accessTokenAcceptedVersion is
// 2). The audience is the application's client ID. Roles of applications and users are
// Token.Permissions. Source: Microsoft identity platform docs, "Access token claims
// reference".
//
// The client (azp) is required: the ID tokens of an application that is API and client
// at once have the same issuer, audience and type, and no client.
func Entra(tenant string) verifier.Issuer {
	return verifier.Issuer{Name: microsoft + tenant + "/v2.0", Claims: roles, RequiredClaims: []string{"azp"}}
}

// EntraV1 is Entra for tokens of version 1, which is the default of an application
// registration that says nothing. The audience is the application ID URI
// ("api://...") or client ID. The client is in appid, and required. Source: as for Entra.
func EntraV1(tenant string) verifier.Issuer {
	return verifier.Issuer{
		Name:           sts + tenant + "/",
		Keys:           verifier.KeysDiscovery("login.microsoftonline.com"),
		Claims:         roles,
		RequiredClaims: []string{"appid"},
	}
}

// EntraTenants is Entra, version 2, for many tenants that share one key set, for
// Config.Domains. allowed says which tenants may use this API: it is asked for every
// token, and a tenant that it refuses costs no fetch. tid must be the tenant of iss.
// Source: Microsoft identity platform docs, "Convert single-tenant app to multitenant",
// "Validate tokens".
func EntraTenants(allowed func(ctx context.Context, tenant string) (bool, error)) (verifier.DomainResolver, error) {
	return tenants(microsoft+"{tenantid}/v2.0", microsoft+"common/v2.0/"+metadata, "azp", allowed)
}

// EntraV1Tenants is EntraTenants for tokens of version 1. Source: as for EntraTenants.
func EntraV1Tenants(allowed func(ctx context.Context, tenant string) (bool, error)) (verifier.DomainResolver, error) {
	return tenants(sts+"{tenantid}/", microsoft+"common/"+metadata, "appid", allowed)
}

func tenants(name, metadata, client string, allowed func(ctx context.Context, tenant string) (bool, error)) (verifier.DomainResolver, error) {
	return resolver.Template(resolver.TemplateConfig{
		Name:        name,
		Keys:        verifier.KeysMetadata(metadata),
		Allowed:     allowed,
		TenantClaim: "tid",
		Rules:       verifier.Issuer{Claims: roles, RequiredClaims: []string{client}},
	})
}

// EntraExternalID is a Microsoft Entra External ID tenant: name is its subdomain
// ("contoso"), tenant its ID. Source: Microsoft Entra External ID docs, "Access
// tokens".
func EntraExternalID(name, tenant string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://" + tenant + ".ciamlogin.com/" + tenant + "/v2.0",
		Keys:           verifier.KeysDiscovery(name + ".ciamlogin.com"),
		Claims:         roles,
		RequiredClaims: []string{"azp"},
	}
}

// EntraB2C is an Azure AD B2C tenant: name is its subdomain ("contoso"), tenant its
// ID, policies the user flows whose tokens are accepted ("B2C_1_signin"), in the
// spelling of the tfp claim. iss names no policy, and each policy has a key set of its
// own: with several, the sets are united. A custom policy may name itself in acr
// instead: change RequiredValues then. Source: Azure AD B2C docs, "Overview of tokens".
func EntraB2C(name, tenant string, policies ...string) verifier.Issuer {
	host := "https://" + name + ".b2clogin.com/"
	keys := make([]verifier.Keys, len(policies))
	for n, policy := range policies {
		keys[n] = verifier.KeysURL(host + name + ".onmicrosoft.com/" + strings.ToLower(policy) + "/discovery/v2.0/keys")
	}
	i := verifier.Issuer{
		Name:           host + tenant + "/v2.0/",
		Keys:           verifier.KeysUnited(keys...),
		RequiredValues: map[string][]string{"tfp": policies},
		RequiredClaims: []string{"azp"},
	}
	if len(keys) == 1 {
		i.Keys = keys[0]
	}
	return i
}

// ADFS is an AD FS server by its host ("adfs.example.com"). The iss of its access
// tokens is an http URL, which is a name alone: the keys come over https. The client
// is in appid. ID tokens have another issuer and are refused. Source: AD FS docs, "AD
// FS OpenID Connect/OAuth concepts"; MS-OIDCE, Section 2.2.3.2 (access_token_issuer).
func ADFS(host string) verifier.Issuer {
	return verifier.Issuer{
		Name: "http://" + bare(host) + "/adfs/services/trust",
		Keys: verifier.KeysURL("https://" + bare(host) + "/adfs/discovery/keys"),
	}
}
