package providers

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

const microsoft = "https://login.microsoftonline.com/"

// Entra is one tenant of Microsoft Entra ID, by its ID (a GUID), for an API whose
// application registration accepts tokens of version 2 (accessTokenAcceptedVersion is
// 2). The audience is the application's client ID. Roles of applications and users are
// Token.Permissions. Source: Microsoft identity platform docs, "Access token claims
// reference".
func Entra(tenant string) verifier.Issuer {
	return verifier.Issuer{
		Name:   microsoft + tenant + "/v2.0",
		Claims: verifier.ClaimNames{Permissions: []string{"roles"}},
		// Microsoft shares keys among tenants; tid says whose token it is.
		RequiredValues: map[string][]string{"tid": {tenant}},
	}
}

// EntraV1 is Entra for tokens of version 1, which is the default of an application
// registration that says nothing. The audience is the application ID URI
// ("api://...") or client ID. The client is in appid. Source: as for Entra.
func EntraV1(tenant string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://sts.windows.net/" + tenant + "/",
		Keys:           verifier.KeysDiscovery("login.microsoftonline.com"),
		Claims:         verifier.ClaimNames{Permissions: []string{"roles"}},
		RequiredValues: map[string][]string{"tid": {tenant}},
	}
}

// EntraTenants is Entra, version 2, for many tenants that share one key set, for
// Config.Domains. allowed says which tenants may use this API: it is asked for every
// token, and a tenant that it refuses costs no fetch. Source: Microsoft identity
// platform docs, "Convert single-tenant app to multitenant", "Validate tokens".
func EntraTenants(allowed func(ctx context.Context, tenant string) (bool, error)) (verifier.DomainResolver, error) {
	return resolver.Template(resolver.TemplateConfig{
		Name:        microsoft + "{tenantid}/v2.0",
		Keys:        verifier.KeysMetadata(microsoft + "common/v2.0/.well-known/openid-configuration"),
		Allowed:     allowed,
		TenantClaim: "tid",
		Rules:       verifier.Issuer{Claims: verifier.ClaimNames{Permissions: []string{"roles"}}},
	})
}

// EntraExternalID is a Microsoft Entra External ID tenant: name is its subdomain
// ("contoso"), tenant its ID. Source: Microsoft Entra External ID docs, "Access
// tokens".
func EntraExternalID(name, tenant string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://" + tenant + ".ciamlogin.com/" + tenant + "/v2.0",
		Keys:           verifier.KeysDiscovery(name + ".ciamlogin.com"),
		Claims:         verifier.ClaimNames{Permissions: []string{"roles"}},
		RequiredValues: map[string][]string{"tid": {tenant}},
	}
}

// EntraB2C is an Azure AD B2C tenant: name is its subdomain ("contoso"), tenant its
// ID, policies the user flows whose tokens are accepted ("B2C_1_signin"). iss names no
// policy, and each policy has a key set of its own: with several, the sets are united,
// and the tfp claim must name one of the policies. Source: Azure AD B2C docs,
// "Overview of tokens".
func EntraB2C(name, tenant string, policies ...string) verifier.Issuer {
	host := "https://" + name + ".b2clogin.com/"
	i := verifier.Issuer{Name: host + tenant + "/v2.0/", RequiredValues: map[string][]string{"tfp": policies}}
	urls := make([]string, len(policies))
	for n, policy := range policies {
		urls[n] = host + name + ".onmicrosoft.com/" + policy + "/discovery/v2.0/keys"
	}
	if len(urls) == 1 {
		i.Keys = verifier.KeysURL(urls[0])
	} else {
		i.Keys = verifier.KeysFrom(&united{name: i.Name, urls: urls})
	}
	return i
}

// ADFS is an AD FS server by its host ("adfs.example.com"). The iss of its access
// tokens is an http URL, which is a name alone: the keys come over https. The client
// is in appid. Source: AD FS docs, "AD FS OpenID Connect/OAuth concepts"; MS-OIDCE,
// Section 2.2.3.2 (access_token_issuer).
func ADFS(host string) verifier.Issuer {
	return verifier.Issuer{
		Name: "http://" + bare(host) + "/adfs/services/trust",
		Keys: verifier.KeysURL("https://" + bare(host) + "/adfs/discovery/keys"),
	}
}

// united is a KeyFetcher that unites the key sets of one issuer.
type united struct {
	name string
	urls []string
	doer verifier.Doer // nil: verifier.NewHTTPClient
}

var errNoURLs = errors.New("providers: no policy is named, so there is no key set")

// FetchKeys gets all sets. One that fails makes the whole a failure: a part of the
// keys would refuse good tokens.
func (u *united) FetchKeys(ctx context.Context, _ verifier.KeyRequest) (verifier.KeySet, error) {
	if len(u.urls) == 0 {
		return verifier.KeySet{}, errNoURLs
	}
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	answer := verifier.KeySet{}
	for n, url := range u.urls {
		fetcher, err := verifier.KeysURL(url).Fetcher(u.name, u.doer)
		if err != nil {
			return verifier.KeySet{}, err
		}
		set, err := fetcher.FetchKeys(ctx, verifier.KeyRequest{Issuer: u.name})
		if err != nil {
			return verifier.KeySet{}, err
		}
		var one struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(set.JWKS, &one); err != nil {
			return verifier.KeySet{}, errors.New("providers: one of the key sets is not a JSON Web Key Set")
		}
		all.Keys = append(all.Keys, one.Keys...)
		if f := set.Freshness; n == 0 || f.HasMaxAge && f.MaxAge-f.Age < answer.Freshness.MaxAge-answer.Freshness.Age {
			answer.Freshness = f
		}
	}
	var err error
	answer.JWKS, err = json.Marshal(all)
	return answer, err
}
