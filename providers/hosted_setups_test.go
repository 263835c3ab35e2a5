package providers_test

import (
	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// hosted are the services that others run.
var hosted = []setup{
	{
		provider: "Auth0", about: "a slash at the end of iss; aud lists the userinfo endpoint too; permissions", source: "Auth0 docs, Access Token Profiles",
		config: verifier.Config{Domain: "shop.eu.auth0.com", Audience: api},
		issue: plain("https://shop.eu.auth0.com/", "https://shop.eu.auth0.com/.well-known/jwks.json", jwt, object{
			"sub": "auth0|7", "aud": []string{api, "https://shop.eu.auth0.com/userinfo"}, "azp": "web", "scope": "openid read:orders",
			"permissions": []string{"read:orders"}, "org_id": "org_7",
		}),
		check: both(scopes("read:orders"), client("web"), permission("read:orders")),
	},
	{
		provider: "Auth0", kind: "custom domain", about: "tokens under two names", source: "Auth0 docs, Custom Domains",
		config: verifier.Config{Domains: resolver.Static("login.shop.example", "shop.eu.auth0.com"), Audience: api},
		issue: func(w *world) sent {
			k := newKey("k1", "RS256")
			for _, name := range []string{"https://shop.eu.auth0.com/", "https://login.shop.example/"} {
				w.issuer(name, name+".well-known/jwks.json", k.jwk(nil))
			}
			return k.sign(object{"typ": "at+jwt"}, object{"iss": "https://login.shop.example/", "sub": "a", "aud": api, "client_id": "web", "jti": "1"})
		},
		check: client("web"),
	},
	{
		provider: "Okta", about: "an issuer with a path; scp is a list; cid; no typ", source: "Okta developer docs, Authorization servers",
		config: verifier.Config{Audience: "api://default", Issuers: issuers(providers.Okta("shop.okta.com", "default"))},
		issue: plain("https://shop.okta.com/oauth2/default", "https://shop.okta.com/oauth2/default/v1/keys", nil, object{
			"ver": 1, "jti": "AT.7", "aud": "api://default", "cid": "0oa7", "uid": "00u7", "scp": []string{"openid", "orders.read"}, "sub": "amy@shop.example",
		}),
		check: both(scopes("orders.read"), client("0oa7")),
	},
	{
		provider: "Okta", kind: "organisation", about: "access tokens of the organisation's own server are for Okta alone", source: "Okta developer docs, Authorization servers",
		config: verifier.Config{Domain: "shop.okta.com", Audience: "https://shop.okta.com"},
		issue: plain("https://shop.okta.com", "https://shop.okta.com/oauth2/v1/keys", object{"typ": "application/okta-internal-at+jwt"},
			object{"aud": "https://shop.okta.com", "scp": []string{"openid"}, "sub": "u"}),
		refused: reason.TokenType,
	},
	{
		provider: "Clerk", about: "no aud; azp is the origin of the page", source: "Clerk docs, Session tokens",
		config: verifier.Config{Issuers: issuers(providers.Clerk("clerk.shop.example", "https://www.shop.example"))},
		issue: plain("https://clerk.shop.example", "https://clerk.shop.example/.well-known/jwks.json", object{"typ": "JWT", "cat": "cl_B7d4PD222AAA"}, object{
			"azp": "https://www.shop.example", "nbf": now() - 10, "sid": "sess_7", "sub": "user_7", "v": 2, "fva": []int{3, -1}, "sts": "active",
		}),
	},
	{
		provider: "WorkOS AuthKit", about: "no aud; keys at a URL for each application, no metadata; permissions", source: "WorkOS docs, Session tokens",
		config: verifier.Config{Issuers: issuers(providers.WorkOS("client_7"))},
		issue: onlyKeys(newKey("sso_7", "RS256"), "https://api.workos.com/sso/jwks/client_7", nil, object{
			"iss": "https://api.workos.com", "sub": "user_7", "sid": "session_7", "org_id": "org_7", "role": "member", "roles": []string{"member"},
			"permissions": []string{"orders:read"}, "jti": "1", "act": object{"sub": "admin@shop.example"},
		}),
		check: permission("orders:read"),
	},
	{
		provider: "WorkOS AuthKit", kind: "one organization", about: "the newer iss, which has the application", source: "WorkOS docs, Session tokens",
		config: verifier.Config{Issuers: issuers(providers.WorkOS("client_7", "org_7"))},
		issue: onlyKeys(newKey("sso_7", "RS256"), "https://api.workos.com/sso/jwks/client_7", nil, object{
			"iss": "https://api.workos.com/user_management/client_7", "sub": "user_7", "sid": "session_7", "org_id": "org_7", "jti": "1",
		}),
	},
	{
		provider: "Stytch", about: "iss without a scheme; no metadata", source: "Stytch docs, Sessions",
		config: verifier.Config{Issuers: issuers(providers.Stytch("project-test-7"))},
		issue: onlyKeys(newKey("jwk-test-7", "RS256"), "https://test.stytch.com/v1/sessions/jwks/project-test-7", jwt, object{
			"iss": "stytch.com/project-test-7", "aud": []string{"project-test-7"}, "nbf": now() - 1, "sub": "user-test-7", "https://stytch.com/session": object{},
		}),
	},
	{
		provider: "Descope", about: "iss is the project's ID; refresh tokens are JWTs too", source: "Descope docs, Session management",
		config: verifier.Config{Issuers: issuers(providers.Descope("P2bQ7Kd0dCeXJm2kzYcGx5bqZ7aT"))},
		issue: onlyKeys(newKey("SK7", "RS256"), "https://api.descope.com/P2bQ7Kd0dCeXJm2kzYcGx5bqZ7aT/.well-known/jwks.json", jwt, object{
			"iss": "P2bQ7Kd0dCeXJm2kzYcGx5bqZ7aT", "aud": []string{"P2bQ7Kd0dCeXJm2kzYcGx5bqZ7aT"}, "amr": []string{"oauth"}, "drn": "DS",
			"rexp": "2027-01-29T00:00:00Z", "sub": "U7", "roles": []string{"clerk"},
		}),
		check: permission("clerk"),
	},
	{
		provider: "Supabase", about: "ES256; aud is the same for all users", source: "Supabase docs, JWT fields",
		config: verifier.Config{Issuers: issuers(providers.Supabase("abcdefghij.supabase.co"))},
		issue: func(w *world) sent {
			k, name := newKey("sb7", "ES256"), "https://abcdefghij.supabase.co/auth/v1"
			w.issuer(name, name+"/.well-known/jwks.json", k.jwk(object{"key_ops": []string{"verify"}, "ext": true}))
			return k.sign(jwt, object{
				"iss": name, "aud": "authenticated", "role": "authenticated", "aal": "aal1", "session_id": "s", "email": "amy@shop.example",
				"is_anonymous": false, "sub": "7", "amr": []any{object{"method": "password", "timestamp": now()}},
			})
		},
	},
	{
		provider: "SAP Cloud Identity Services", about: "iss of older tenants without a scheme", source: "SAP security client libraries",
		config: verifier.Config{Audience: "orders", Issuers: issuers(providers.SAPIAS("shop.accounts.ondemand.com"))},
		issue: func(w *world) sent {
			k := newKey("ias7", "RS256")
			w.issuer("https://shop.accounts.ondemand.com", "https://shop.accounts.ondemand.com/oauth2/certs", k.jwk(nil))
			return k.sign(nil, object{"iss": "shop.accounts.ondemand.com", "aud": []string{"orders"}, "azp": "web", "user_uuid": "u", "zone_uuid": "z", "sub": "s"})
		},
		check: client("web"),
	},
	{
		provider: "Oracle IDCS", about: "one iss for all tenants; keys at the tenant, for who is authorized", source: "Oracle Identity Cloud Service docs, Token validation",
		config: verifier.Config{Audience: api, Issuers: issuers(providers.OracleIDCS("idcs-7.identity.oraclecloud.com", withToken))},
		adapt: func(w *world, cfg *verifier.Config) {
			cfg.Issuers[0].Doer = showing(w, "Bearer of the administrator", "")
		},
		issue: func(w *world) sent {
			k := newKey("SIGNING_KEY", "RS256")
			w.publish("https://idcs-7.identity.oraclecloud.com/admin/v1/SigningCert/jwk", keySet(k.jwk(object{"x5t": "x", "key_ops": []string{"sign", "verify"}})), unless(unauthorized))
			return k.sign(object{"typ": "JWT", "x5t": "x"}, object{
				"iss": "https://identity.oraclecloud.com/", "aud": []string{api}, "scope": "orders", "client_id": "web", "tok_type": "AT", "user_tenantname": "idcs-7", "sub": "s",
			})
		},
		check: both(scopes("orders"), client("web")),
	},
	{
		provider: "Maskinporten", about: "RFC 8414 metadata alone; aud where the client asks for a resource; no sub", source: "Digdir docs, Maskinporten access tokens",
		config: verifier.Config{Domain: "maskinporten.no", Audience: api},
		issue: func(w *world) sent {
			k := newKey("mp7", "RS256")
			w.publish("https://maskinporten.no/.well-known/oauth-authorization-server", object{"issuer": "https://maskinporten.no/", "jwks_uri": "https://maskinporten.no/jwk"})
			w.publish("https://maskinporten.no/jwk", keySet(k.jwk(nil)))
			return k.sign(nil, object{
				"iss": "https://maskinporten.no/", "aud": api, "client_amr": "virksomhetssertifikat", "token_type": "Bearer", "scope": "shop:orders.read",
				"client_id": "c7", "jti": "1", "consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:7"},
			})
		},
		check: both(scopes("shop:orders.read"), client("c7")),
	},
	{
		provider: "Databricks", about: "the issuer is a path of the workspace", source: "Databricks docs, OAuth",
		config: verifier.Config{Domain: "https://shop.cloud.databricks.com/oidc", Audience: "shop"},
		issue: plain("https://shop.cloud.databricks.com/oidc", "https://shop.cloud.databricks.com/oidc/jwks.json", object{"typ": "at+jwt"},
			object{"client_id": "job", "scope": "all-apis", "aud": "shop", "sub": "u", "jti": "1"}),
		check: both(scopes("all-apis"), client("job")),
	},
	{
		provider: "Cloudflare Access", about: "no metadata; certificates beside the keys; a header field of its own", source: "Cloudflare One docs, Validate JWTs",
		config: verifier.Config{Issuers: issuers(providers.CloudflareAccess("shop.cloudflareaccess.com", "4714c1358e65fe4b"))},
		issue: func(w *world) sent {
			k := newKey("cf7", "RS256")
			set := keySet(k.jwk(nil))
			set["public_cert"] = object{"kid": "cf7", "cert": "-----BEGIN CERTIFICATE-----"}
			set["public_certs"] = []any{set["public_cert"]}
			w.publish("https://shop.cloudflareaccess.com/cdn-cgi/access/certs", set)
			return k.sign(nil, object{
				"iss": "https://shop.cloudflareaccess.com", "aud": []string{"4714c1358e65fe4b"}, "email": "amy@shop.example", "type": "app",
				"identity_nonce": "n", "nbf": now() - 1, "sub": "s", "country": "NO",
			})
		},
	},
	{
		provider: "Solid-OIDC", about: "bound to a key: as Bearer it is refused", source: "Solid-OIDC, Section 6",
		config: verifier.Config{Domain: "https://solid.example", Audience: "solid", Algorithms: []string{"ES256"}},
		issue: func(w *world) sent {
			k := newKey("s7", "ES256")
			w.issuer("https://solid.example", "https://solid.example/jwks", k.jwk(nil))
			return k.sign(object{"typ": "at+jwt"}, object{
				"iss": "https://solid.example", "aud": []string{"solid", "c"}, "webid": "https://amy.solid.example/card#me", "client_id": "https://app.example/id",
				"sub": "s", "cnf": object{"jkt": b64.EncodeToString(make([]byte, 32))},
			})
		},
		refused: reason.BoundTokenAsBearer,
	},
}

// withToken stands for a Doer that adds credentials.
var withToken verifier.Doer
