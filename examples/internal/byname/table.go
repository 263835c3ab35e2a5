package byname

import (
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/providers"
)

const (
	clients = "clients whose tokens are accepted"
	guid    = "{tenant}"
)

// all are the providers, those with a more exact iss first.
var all = []Provider{
	{"auth0", "Auth0", "", "https://{tenant}.auth0.com/", "", func(_ map[string]string, in Input) Call {
		return call(providers.Auth0(in.Issuer), "Auth0", host(in.Issuer))
	}},
	{"okta", "Okta", "", "https://{org}/oauth2/{server}", "", func(p map[string]string, _ Input) Call {
		return call(providers.Okta(p["org"], p["server"]), "Okta", p["org"], p["server"])
	}},
	{"entra", "Microsoft Entra ID, version 2", "", "https://login.microsoftonline.com/" + guid + "/v2.0", "", func(p map[string]string, _ Input) Call {
		return call(providers.Entra(p["tenant"]), "Entra", p["tenant"])
	}},
	{"entra-v1", "Microsoft Entra ID, version 1", "", "https://sts.windows.net/" + guid + "/", "", func(p map[string]string, _ Input) Call {
		return call(providers.EntraV1(p["tenant"]), "EntraV1", p["tenant"])
	}},
	{"entra-external-id", "Microsoft Entra External ID", "the subdomain (contoso)", "https://{host}.ciamlogin.com/" + guid + "/v2.0", "", func(p map[string]string, in Input) Call {
		return call(providers.EntraExternalID(first(in.Allow), p["tenant"]), "EntraExternalID", first(in.Allow), p["tenant"])
	}},
	{"entra-b2c", "Azure AD B2C", "policies (B2C_1_signin)", "https://{name}.b2clogin.com/" + guid + "/v2.0/", "tfp", func(p map[string]string, in Input) Call {
		return call(providers.EntraB2C(p["name"], p["tenant"], in.Allow...), "EntraB2C", slices.Concat([]string{p["name"], p["tenant"]}, in.Allow)...)
	}},
	{"adfs", "AD FS", "", "http://{host}/adfs/services/trust", "", func(p map[string]string, _ Input) Call {
		return call(providers.ADFS(p["host"]), "ADFS", p["host"])
	}},
	{"cognito", "Amazon Cognito", "app clients", "https://cognito-idp.{region}.amazonaws.com/{pool}", "client_id", func(p map[string]string, in Input) Call {
		return call(providers.Cognito(p["region"], p["pool"], in.Allow...), "Cognito", slices.Concat([]string{p["region"], p["pool"]}, in.Allow)...)
	}},
	{"eks", "Amazon EKS", "", "https://oidc.eks.{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.EKS(in.Issuer), "EKS", in.Issuer)
	}},
	{"google", "Google", "", "https://accounts.google.com or accounts.google.com", "", func(map[string]string, Input) Call {
		return call(providers.Google(), "Google")
	}},
	{"google-iap", "Google IAP", "", "https://cloud.google.com/iap", "", func(_ map[string]string, in Input) Call {
		return call(providers.GoogleIAP(first(in.Audiences)), "GoogleIAP", first(in.Audiences))
	}},
	{"firebase", "Firebase", "", "https://securetoken.google.com/{project}", "", func(p map[string]string, _ Input) Call {
		return call(providers.Firebase(p["project"]), "Firebase", p["project"])
	}},
	{"github-actions", "GitHub Actions", "owners of the repositories", "https://token.actions.githubusercontent.com", "repository_owner", func(_ map[string]string, in Input) Call {
		return call(providers.GitHubActions(in.Allow...), "GitHubActions", in.Allow...)
	}},
	{"gitlab", "GitLab CI/CD", "groups (namespace_path)", "https://gitlab.com", "namespace_path", func(_ map[string]string, in Input) Call {
		return call(providers.GitLab("gitlab.com", in.Allow...), "GitLab", slices.Concat([]string{"gitlab.com"}, in.Allow)...)
	}},
	{"cloudflare-access", "Cloudflare Access", "", "https://{team}.cloudflareaccess.com", "", func(p map[string]string, in Input) Call {
		team := p["team"] + ".cloudflareaccess.com"
		return call(providers.CloudflareAccess(team, first(in.Audiences)), "CloudflareAccess", team, first(in.Audiences))
	}},
	{"workos", "WorkOS AuthKit", "the application (client_...), then organizations", "https://api.workos.com or https://api.workos.com/user_management/{client}", "", func(_ map[string]string, in Input) Call {
		return call(providers.WorkOS(in.Allow[0], in.Allow[1:]...), "WorkOS", in.Allow...)
	}},
	{"stytch", "Stytch", "", "stytch.com/{project}", "", func(p map[string]string, _ Input) Call {
		return call(providers.Stytch(p["project"]), "Stytch", p["project"])
	}},
	{"supabase", "Supabase", "", "https://{host}.supabase.co/auth/v1", "", func(p map[string]string, _ Input) Call {
		return call(providers.Supabase(p["host"]+".supabase.co"), "Supabase", p["host"]+".supabase.co")
	}},
	{"oracle-idcs", "Oracle IDCS", "the tenant's host (idcs-....identity.oraclecloud.com)", "https://identity.oraclecloud.com/", "", func(_ map[string]string, in Input) Call {
		c := call(providers.OracleIDCS(first(in.Allow), nil), "OracleIDCS", first(in.Allow))
		c.code = c.code[:len(c.code)-1] + ", nil)"
		return c
	}},
	{"keycloak", "Keycloak", "optional: clients whose tokens have no aud", "{base}/realms/{realm}", "", func(p map[string]string, in Input) Call {
		if len(in.Allow) > 0 {
			return call(providers.KeycloakClients(p["base"], p["realm"], in.Allow...), "KeycloakClients", slices.Concat([]string{p["base"], p["realm"]}, in.Allow)...)
		}
		return call(providers.Keycloak(p["base"], p["realm"]), "Keycloak", p["base"], p["realm"])
	}},
	{"uaa", "Cloud Foundry UAA", "", "https://{host}/oauth/token", "", func(p map[string]string, _ Input) Call {
		return call(providers.UAA(p["host"]), "UAA", "https://"+p["host"])
	}},
	{"logto", "Logto", "", "https://{tenant}.logto.app/oidc", "", func(p map[string]string, _ Input) Call {
		base := "https://" + p["tenant"] + ".logto.app"
		return call(providers.Logto(base), "Logto", base)
	}},
	{"sap-ias", "SAP Cloud Identity Services", "", "{host}", "", func(_ map[string]string, in Input) Call {
		return call(providers.SAPIAS(in.Issuer), "SAPIAS", host(in.Issuer))
	}},
	{"descope", "Descope", "", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.Descope(in.Issuer), "Descope", in.Issuer)
	}},
	{"google-service-account", "Google service account", "", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.GoogleServiceAccount(in.Issuer), "GoogleServiceAccount", in.Issuer)
	}},
	{"clerk", "Clerk", "origins of the pages", "{rest}", "azp", func(_ map[string]string, in Input) Call {
		return call(providers.Clerk(in.Issuer, in.Allow...), "Clerk", slices.Concat([]string{host(in.Issuer)}, in.Allow)...)
	}},
	{"hydra", "Ory Hydra", clients, "{rest}", "client_id", func(_ map[string]string, in Input) Call {
		return call(providers.Hydra(in.Issuer, in.Allow...), "Hydra", slices.Concat([]string{in.Issuer}, in.Allow)...)
	}},
	{"identityserver", "Duende IdentityServer", "", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.IdentityServer(in.Issuer), "IdentityServer", in.Issuer)
	}},
	{"pingfederate", "PingFederate", clients, "{rest}", "client_id", func(_ map[string]string, in Input) Call {
		return call(providers.PingFederate(in.Issuer, in.Allow...), "PingFederate", slices.Concat([]string{in.Issuer}, in.Allow)...)
	}},
	{"fusionauth", "FusionAuth", "the server (https://auth.example.com)", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.FusionAuth(first(in.Allow), in.Issuer), "FusionAuth", first(in.Allow), in.Issuer)
	}},
	{"openauth", "OpenAuth", "", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.OpenAuth(in.Issuer), "OpenAuth", in.Issuer)
	}},
	{"supertokens", "SuperTokens", "optional: tenants (public)", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.SuperTokens(in.Issuer, in.Allow...), "SuperTokens", slices.Concat([]string{in.Issuer}, in.Allow)...)
	}},
	{"spiffe", "SPIFFE", "the URL of the bundle", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.SPIFFE(in.Issuer, first(in.Allow)), "SPIFFE", in.Issuer, first(in.Allow))
	}},
	{"wlcg", "WLCG", "", "{rest}", "", func(_ map[string]string, in Input) Call {
		return call(providers.WLCG(in.Issuer, in.Audiences...), "WLCG", slices.Concat([]string{in.Issuer}, in.Audiences)...)
	}},
	{"indigo-iam", "INDIGO IAM", clients, "{rest}", "client_id", func(_ map[string]string, in Input) Call {
		return call(providers.IndigoIAM(in.Issuer, in.Allow...), "IndigoIAM", slices.Concat([]string{in.Issuer}, in.Allow)...)
	}},
}

// host drops the scheme and the slash at the end.
func host(iss string) string {
	return strings.TrimSuffix(strings.TrimPrefix(iss, "https://"), "/")
}
