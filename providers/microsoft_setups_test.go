package providers_test

import (
	"context"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

// allowed stands for a table of the tenants that may use the API.
func allowed(_ context.Context, tenant string) (bool, error) { return tenant == tenantID, nil }

const claimsReference = "Microsoft identity platform docs, Access token claims reference"

// microsoft are the products of Microsoft.
var microsoft = []setup{
	{
		provider: "Microsoft Entra ID", kind: "version 2", about: "keys without alg; scp is a text; client in azp; roles", source: claimsReference,
		config: verifier.Config{Audience: "6731de76-14a6-49ae-97bc-6eba6914391e", Issuers: issuers(providers.Entra(tenantID))},
		issue: func(w *world) sent {
			name := "https://login.microsoftonline.com/" + tenantID + "/v2.0"
			used, other := newKey("x5t-1", "RS256"), another("x5t-2")
			list := make([]object, 0, 2)
			for _, k := range []*key{other, used} {
				list = append(list, k.jwk(object{"alg": nil, "x5t": k.id, "x5c": []string{"MIIC"}, "issuer": name}))
			}
			w.issuer(name, "https://login.microsoftonline.com/"+tenantID+"/discovery/v2.0/keys", list...)
			return used.sign(jwt, object{
				"iss": name, "aud": "6731de76-14a6-49ae-97bc-6eba6914391e", "nbf": now() - 5, "azp": "web", "azpacr": "1", "scp": "Orders.Read Files.Read",
				"oid": "o", "tid": tenantID, "ver": "2.0", "uti": "u", "rh": "r", "sub": "s", "roles": []string{"Clerk"},
			})
		},
		check: both(scopes("Orders.Read"), client("web"), permission("Clerk")),
	},
	{
		provider: "Microsoft Entra ID", kind: "version 1", about: "the default of APIs; iss on another host than the keys; client in appid", source: claimsReference,
		config: verifier.Config{Audience: "api://orders", Issuers: issuers(providers.EntraV1(tenantID))},
		issue: func(w *world) sent {
			name, jwks := "https://sts.windows.net/"+tenantID+"/", "https://login.microsoftonline.com/common/discovery/keys"
			k := newKey("x5t-1", "RS256")
			w.issuer(name, jwks, k.jwk(object{"alg": nil, "x5t": "x5t-1"}))
			return k.sign(object{"typ": "JWT", "x5t": "x5t-1"}, object{
				"iss": name, "aud": "api://orders", "nbf": now() - 5, "appid": "web", "appidacr": "1", "scp": "Orders.Read", "ver": "1.0", "tid": tenantID, "sub": "s",
			})
		},
		check: both(scopes("Orders.Read"), client("web")),
	},
	{
		provider: "Microsoft Entra ID", kind: "application", about: "no user: roles in place of scopes", source: claimsReference,
		config: verifier.Config{Audience: "api", Issuers: issuers(providers.Entra(tenantID))},
		issue: plain("https://login.microsoftonline.com/"+tenantID+"/v2.0", "https://login.microsoftonline.com/"+tenantID+"/discovery/v2.0/keys", jwt,
			object{"aud": "api", "roles": []string{"Orders.Read.All"}, "azp": "job", "idtyp": "app", "tid": tenantID, "sub": "s"}),
		check: both(permission("Orders.Read.All"), client("job")),
	},
	{
		provider: "Microsoft Entra ID", kind: "many tenants", about: "one key set for all tenants; the metadata has a placeholder", source: "Microsoft identity platform docs, Convert single-tenant app to multitenant",
		config: verifier.Config{Audience: "api", Domains: must(providers.EntraTenants(allowed))},
		issue: func(w *world) sent {
			k, name := newKey("x5t-1", "RS256"), "https://login.microsoftonline.com/{tenantid}/v2.0"
			w.publish("https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration", metadata(name, "https://login.microsoftonline.com/common/discovery/v2.0/keys"))
			w.publish("https://login.microsoftonline.com/common/discovery/v2.0/keys", keySet(k.jwk(object{"alg": nil, "issuer": name})))
			return k.sign(jwt, object{
				"iss": "https://login.microsoftonline.com/" + tenantID + "/v2.0", "aud": "api", "tid": tenantID, "azp": "web", "scp": "Orders.Read", "ver": "2.0", "sub": "s",
			})
		},
		check: scopes("Orders.Read"),
	},
	{
		provider: "Microsoft Entra ID", kind: "many tenants, version 1", about: "as version 1, with a placeholder", source: "Microsoft identity platform docs, Convert single-tenant app to multitenant",
		config: verifier.Config{Audience: "api://orders", Domains: must(providers.EntraV1Tenants(allowed))},
		issue: func(w *world) sent {
			k := newKey("x5t-1", "RS256")
			w.publish("https://login.microsoftonline.com/common/.well-known/openid-configuration", metadata("https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.com/common/discovery/keys"))
			w.publish("https://login.microsoftonline.com/common/discovery/keys", keySet(k.jwk(object{"alg": nil})))
			return k.sign(jwt, object{"iss": "https://sts.windows.net/" + tenantID + "/", "aud": "api://orders", "tid": tenantID, "appid": "web", "scp": "Orders.Read", "ver": "1.0", "sub": "s"})
		},
		check: both(scopes("Orders.Read"), client("web")),
	},
	{
		provider: "Microsoft Entra External ID", about: "iss is on the tenant's host, the keys are on the name's", source: "Microsoft Entra External ID docs",
		config: verifier.Config{Audience: "api", Issuers: issuers(providers.EntraExternalID("contoso", tenantID))},
		issue: func(w *world) sent {
			k, name := newKey("ciam-1", "RS256"), "https://"+tenantID+".ciamlogin.com/"+tenantID+"/v2.0"
			w.issuer(name, "https://contoso.ciamlogin.com/"+tenantID+"/discovery/v2.0/keys", k.jwk(object{"alg": nil}))
			return k.sign(jwt, object{"iss": name, "aud": "api", "scp": "Orders.Read", "ver": "2.0", "azp": "web", "sub": "s"})
		},
		check: both(scopes("Orders.Read"), client("web")),
	},
	{
		provider: "Azure AD B2C", about: "no metadata under iss; keys for each policy", source: "Azure AD B2C docs, Overview of tokens",
		config: verifier.Config{Audience: "api", Issuers: issuers(providers.EntraB2C("contoso", tenantID, "B2C_1_signin"))},
		issue: func(w *world) sent {
			k := newKey("b2c-1", "RS256")
			w.publish("https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys", keySet(k.jwk(object{"alg": nil, "nbf": 1493763266})))
			return k.sign(jwt, object{
				"iss": "https://contoso.b2clogin.com/" + tenantID + "/v2.0/", "aud": "api", "tfp": "B2C_1_signin", "scp": "orders.read", "azp": "web", "ver": "1.0", "nbf": now() - 1, "sub": "s",
			})
		},
		check: both(scopes("orders.read"), client("web")),
	},
	{
		provider: "Azure AD B2C", kind: "two policies", about: "one iss, two key sets", source: "Azure AD B2C docs, Overview of tokens",
		config: verifier.Config{Audience: "api", Issuers: issuers(providers.EntraB2C("contoso", tenantID, "B2C_1_signin", "B2C_1_staff"))},
		issue: func(w *world) sent {
			one, two := newKey("b2c-1", "RS256"), another("b2c-2")
			w.publish("https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys", keySet(one.jwk(object{"alg": nil})))
			w.publish("https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_staff/discovery/v2.0/keys", keySet(two.jwk(object{"alg": nil})))
			return two.sign(jwt, object{"iss": "https://contoso.b2clogin.com/" + tenantID + "/v2.0/", "aud": "api", "tfp": "B2C_1_staff", "azp": "web", "scp": "orders.read", "sub": "s"})
		},
		check: scopes("orders.read"),
	},
	{
		provider: "AD FS", about: "iss of access tokens is an http URL (access_token_issuer)", source: "MS-OIDCE, Section 2.2.3.2",
		config: verifier.Config{Audience: "microsoft:identityserver:orders", Issuers: issuers(providers.ADFS("adfs.shop.example"))},
		issue: func(w *world) sent {
			k := newKey("x5t-1", "RS256")
			w.publish("https://adfs.shop.example/adfs/.well-known/openid-configuration", with(metadata("https://adfs.shop.example/adfs", "https://adfs.shop.example/adfs/discovery/keys"),
				object{"access_token_issuer": "http://adfs.shop.example/adfs/services/trust"}))
			w.publish("https://adfs.shop.example/adfs/discovery/keys", keySet(k.jwk(object{"x5t": "x5t-1", "x5c": []string{"MIIC"}})))
			return k.sign(object{"typ": "JWT", "x5t": "x5t-1"}, object{
				"iss": "http://adfs.shop.example/adfs/services/trust", "aud": "microsoft:identityserver:orders", "apptype": "Confidential", "appid": "web",
				"auth_time": "2026-11-29T00:00:00.000Z", "ver": "1.0", "scp": "openid orders", "sub": "s",
			})
		},
		check: both(scopes("orders"), client("web")),
	},
}
