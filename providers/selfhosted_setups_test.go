package providers_test

import (
	"time"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	realm   = "https://sso.shop.example/realms/Shop"
	inside  = "https://keycloak.identity.svc:8443/realms/Shop/protocol/openid-connect/certs"
	devRoot = "http://localhost:8080/realms/dev"
)

// selfHosted are the servers that one runs oneself.
var selfHosted = []setup{
	{
		provider: "Keycloak", kind: "with an audience mapper", about: "keys for encryption beside; typ in the payload; roles", source: "Keycloak Server Administration Guide, Audience support",
		config: verifier.Config{Audience: "orders", Issuers: issuers(providers.Keycloak("https://sso.shop.example", "Shop"))},
		issue: func(w *world) sent {
			k := newKey("kc-sig", "RS256")
			w.issuer(realm, realm+"/protocol/openid-connect/certs",
				another("kc-enc").jwk(object{"use": "enc", "alg": "RSA-OAEP", "x5t#S256": "x"}), k.jwk(object{"x5c": []string{"MIIC"}}))
			return k.sign(jwt, object{
				"iss": realm, "aud": []string{"orders", "account"}, "typ": "Bearer", "azp": "spa", "acr": "1", "nbf": 0, "session_state": "s",
				"realm_access": object{"roles": []string{"clerk"}}, "resource_access": object{"orders": object{"roles": []string{"reader"}}},
				"scope": "openid orders:read", "sub": "s", "jti": "1",
			})
		},
		check: both(scopes("orders:read"), client("spa"), permission("clerk")),
	},
	{
		provider: "Keycloak", kind: "without one", about: "no aud: azp takes its place", source: "Keycloak Server Administration Guide, Audience support",
		config: verifier.Config{Issuers: issuers(providers.KeycloakClients("https://sso.shop.example", "Shop", "batch"))},
		issue:  plain(realm, realm+"/protocol/openid-connect/certs", jwt, object{"typ": "Bearer", "azp": "batch", "scope": "orders:read", "sub": "s"}),
		check:  both(scopes("orders:read"), client("batch")),
	},
	{
		provider: "Keycloak", kind: "roles of a client", about: "permissions from another place", source: "Keycloak Server Administration Guide, Protocol mappers",
		config: verifier.Config{Audience: "orders", Issuers: issuers(change(providers.Keycloak("https://sso.shop.example", "Shop"), func(i *verifier.Issuer) {
			i.Claims.Permissions = []string{"resource_access.orders.roles"}
		}))},
		issue: plain(realm, realm+"/protocol/openid-connect/certs", jwt, object{
			"aud": "orders", "typ": "Bearer", "azp": "spa", "resource_access": object{"orders": object{"roles": []string{"reader"}}}, "sub": "s",
		}),
		check: permission("reader"),
	},
	{
		provider: "Keycloak", kind: "http for development", about: "http on localhost; in compose the keys are under another name", source: "Keycloak docs, Running Keycloak in a container",
		config: verifier.Config{Audience: "orders", HTTPHosts: []string{"keycloak:8080"}, Issuers: issuers(change(providers.Keycloak("http://localhost:8080", "dev"), func(i *verifier.Issuer) {
			i.Keys = verifier.KeysURL("http://keycloak:8080/realms/dev/protocol/openid-connect/certs")
		}))},
		issue: func(w *world) sent {
			k := newKey("kc", "RS256")
			w.publish("http://keycloak:8080/realms/dev/protocol/openid-connect/certs", keySet(k.jwk(nil)))
			return k.sign(jwt, object{"iss": devRoot, "aud": "orders", "typ": "Bearer", "sub": "s"})
		},
	},
	{
		provider: "Keycloak", kind: "http on localhost", about: "nothing but the name", source: "Keycloak docs, Getting started",
		config: verifier.Config{Audience: "orders", Issuers: issuers(providers.Keycloak("http://localhost:8080", "dev"))},
		issue: func(w *world) sent {
			k := newKey("kc", "RS256")
			w.issuer(devRoot, devRoot+"/protocol/openid-connect/certs", k.jwk(nil))
			return k.sign(jwt, object{"iss": devRoot, "aud": "orders", "typ": "Bearer", "sub": "s"})
		},
	},
	{
		provider: "Keycloak", kind: "an inside and an outside name", about: "iss is the public name, the keys are fetched inside of the cluster", source: "Keycloak docs, Configuring the hostname",
		config: verifier.Config{Audience: "orders", Issuers: issuers(change(providers.Keycloak("https://sso.shop.example", "Shop"), func(i *verifier.Issuer) {
			i.Keys = verifier.KeysURL("https://keycloak.identity.svc:8443/realms/Shop/protocol/openid-connect/certs")
		}))},
		issue: onlyKeys(newKey("kc", "RS256"), inside, jwt, object{"iss": realm, "aud": "orders", "typ": "Bearer", "sub": "s"}),
	},
	{
		provider: "Spring Authorization Server", about: "scope is a list; nbf is the moment of issue, so a clock that is a second behind needs Leeway", source: "spring-authorization-server, JwtGenerator",
		config: verifier.Config{Domain: "https://auth.shop.example", Audience: "control-room", Leeway: 5 * time.Second},
		issue: plain("https://auth.shop.example", "https://auth.shop.example/oauth2/jwks", nil, object{
			"sub": "web", "aud": "control-room", "nbf": now() - 1, "scope": []string{"openid", "orders.read"}, "jti": "1",
		}),
		check: scopes("orders.read"),
	},
	{
		provider: "Duende IdentityServer", about: "scope is a list; typ at+jwt; nbf is the moment of issue", source: "Duende docs, Access tokens",
		config: verifier.Config{Audience: "orders", Leeway: 5 * time.Second, Issuers: issuers(providers.IdentityServer("https://id.shop.example"))},
		issue: plain("https://id.shop.example", "https://id.shop.example/.well-known/openid-configuration/jwks", object{"typ": "at+jwt"}, object{
			"sub": "1", "aud": []string{"orders", "https://id.shop.example/resources"}, "nbf": now() - 1, "client_id": "web", "idp": "local", "amr": []string{"pwd"},
			"scope": []string{"openid", "orders.read"}, "jti": "1",
		}),
		check: both(scopes("orders.read"), client("web")),
	},
	{
		provider: "IdentityServer4", kind: "up to version 3", about: "no iat", source: "IdentityServer4 docs",
		config: verifier.Config{Audience: "orders", Issuers: issuers(change(providers.IdentityServer("https://id.shop.example"), func(i *verifier.Issuer) {
			i.Optional = []string{"iat"}
		}))},
		issue: plain("https://id.shop.example", "https://id.shop.example/.well-known/openid-configuration/jwks", object{"typ": "at+jwt"}, object{
			"iat": nil, "nbf": now() - 1, "aud": []string{"orders"}, "client_id": "web", "scope": []string{"orders.read"},
		}),
		check: scopes("orders.read"),
	},
	{
		provider: "Cloud Foundry UAA", about: "iss has a path that the metadata has not; scope is a list", source: "UAA API reference, Token format",
		config: verifier.Config{Audience: "orders", Issuers: issuers(providers.UAA("https://uaa.sys.shop.example"))},
		issue: func(w *world) sent {
			k, name := newKey("key-1", "RS256"), "https://uaa.sys.shop.example/oauth/token"
			w.publish("https://uaa.sys.shop.example"+wellKnown, metadata(name, "https://uaa.sys.shop.example/token_keys"))
			w.publish("https://uaa.sys.shop.example/token_keys", keySet(k.jwk(object{"value": "-----BEGIN PUBLIC KEY-----"})))
			return k.sign(object{"typ": "JWT", "jku": "https://uaa.sys.shop.example/token_keys"}, object{
				"iss": name, "aud": []string{"orders", "web"}, "scope": []string{"orders.read"}, "client_id": "web", "cid": "web", "azp": "web", "zid": "uaa", "sub": "s",
			})
		},
		check: both(scopes("orders.read"), client("web")),
	},
	{
		provider: "ForgeRock AM", about: "a port in iss; scope is a list; one kid for several algorithms", source: "ForgeRock AM docs, OAuth 2.0 guide",
		config: verifier.Config{Domain: "https://am.shop.example:443/am/oauth2/realms/root/realms/shop", Audience: "orders"},
		issue: func(w *world) sent {
			k, ec, name := newKey("wU3ifIIaLOUAReRB/FG6eM1P1QM=", "RS256"), newKey("ec-1", "ES256"), "https://am.shop.example:443/am/oauth2/realms/root/realms/shop"
			list := []object{ec.jwk(nil), k.jwk(object{"use": "enc", "alg": "RSA-OAEP-256"})}
			for _, alg := range []string{"PS256", "RS384", "RS512", "PS384", "PS512", "RS256"} {
				list = append(list, k.jwk(object{"alg": alg, "x5t": "x"}))
			}
			w.issuer(name, name+"/connect/jwk_uri", list...)
			return k.sign(jwt, object{
				"iss": name, "aud": "orders", "scope": []string{"openid", "orders"}, "tokenName": "access_token", "realm": "/shop",
				"cts": "OAUTH2_STATELESS_GRANT", "nbf": now() - 1, "sub": "s", "expires_in": 3600000,
			})
		},
		check: scopes("orders"),
	},
	{
		provider: "PingFederate", about: "no iat and no aud unless configured; scope is a list", source: "PingFederate docs, JSON token management",
		config: verifier.Config{Issuers: issuers(providers.PingFederate("https://sso.shop.example:9031", "web"))},
		issue: func(w *world) sent {
			k, name := newKey("pf-1", "RS256"), "https://sso.shop.example:9031"
			w.issuer(name, name+"/pf/JWKS", k.jwk(object{"alg": nil}))
			return k.sign(object{"pi.atm": "1"}, object{"iss": name, "scope": []string{"orders.read"}, "client_id": "web", "iat": nil})
		},
		check: both(scopes("orders.read"), client("web")),
	},
	{
		provider: "Ory Hydra", kind: "no audience asked for", about: "aud is an empty list; scp is a list", source: "Ory docs, OAuth2 audience",
		config: verifier.Config{Issuers: issuers(providers.Hydra("https://hydra.shop.example", "web"))},
		issue: plain("https://hydra.shop.example/", "https://hydra.shop.example/.well-known/jwks.json", jwt, object{
			"aud": []string{}, "scp": []string{"orders.read"}, "client_id": "web", "ext": object{}, "nbf": now() - 1, "sub": "s", "jti": "1",
		}),
		check: both(scopes("orders.read"), client("web")),
	},
	{
		provider: "Ory Hydra", kind: "with an audience", about: "nothing but the name", source: "Ory docs, OAuth2 audience",
		config: verifier.Config{Domain: "hydra.shop.example", Audience: api},
		issue: plain("https://hydra.shop.example/", "https://hydra.shop.example/.well-known/jwks.json", jwt, object{
			"aud": []string{api}, "scp": []string{"orders.read"}, "client_id": "web", "sub": "s", "jti": "1",
		}),
		check: scopes("orders.read"),
	},
	{
		provider: "FusionAuth", about: "iss is a text of the configuration; roles", source: "FusionAuth docs, JSON Web Tokens",
		config: verifier.Config{Audience: "3c219e58-ed0e-4b18-ad48-f4f92793ae32", Issuers: issuers(providers.FusionAuth("https://auth.shop.example", "acme.com"))},
		issue: onlyKeys(newKey("fa-1", "RS256"), "https://auth.shop.example/.well-known/jwks.json", object{"typ": "JWT", "gty": []string{"authorization_code"}}, object{
			"iss": "acme.com", "aud": "3c219e58-ed0e-4b18-ad48-f4f92793ae32", "applicationId": "3c219e58-ed0e-4b18-ad48-f4f92793ae32",
			"roles": []string{"clerk"}, "sub": "u", "scope": "openid orders", "tid": tenantID,
		}),
		check: both(scopes("orders"), permission("clerk")),
	},
	{
		provider: "Zitadel", about: "JWT access tokens (a setting of the application); aud is the project", source: "Zitadel docs, Claims",
		config: verifier.Config{Domain: "shop.zitadel.cloud", Audience: "264736512345678901"},
		issue: plain("https://shop.zitadel.cloud", "https://shop.zitadel.cloud/oauth/v2/keys", object{"typ": "at+jwt"}, object{
			"aud": []string{"264736512345678902@shop", "264736512345678901"}, "client_id": "264736512345678902@shop", "nbf": now() - 1, "sub": "7", "jti": "V2_7",
			"urn:zitadel:iam:org:project:roles": object{"clerk": object{"7": "shop.zitadel.cloud"}},
		}),
		check: client("264736512345678902@shop"),
	},
	{
		provider: "Logto", about: "ES384; a JWT where the client asks for a resource", source: "Logto docs, Protect your API",
		config: verifier.Config{Audience: api, Issuers: issuers(providers.Logto("https://shop.logto.app"))},
		issue: func(w *world) sent {
			k, name := newKey("lt-1", "ES384"), "https://shop.logto.app/oidc"
			w.issuer(name, name+"/jwks", k.jwk(nil))
			return k.sign(object{"typ": "at+jwt"}, object{"iss": name, "aud": api, "scope": "read:orders", "client_id": "web", "sub": "u", "jti": "1"})
		},
		check: both(scopes("read:orders"), client("web")),
	},
	{
		provider: "OpenAuth", about: "ES256; RFC 8414 metadata alone; mode", source: "OpenAuth, issuer.ts",
		config: verifier.Config{Audience: "web", Issuers: issuers(providers.OpenAuth("https://auth.shop.example"))},
		issue: func(w *world) sent {
			k, name := newKey("oa-1", "ES256"), "https://auth.shop.example"
			w.publish(name+"/.well-known/oauth-authorization-server", object{"issuer": name, "jwks_uri": name + "/.well-known/jwks.json"})
			w.publish(name+"/.well-known/jwks.json", keySet(k.jwk(nil)))
			return k.sign(jwt, object{"iss": name, "aud": "web", "mode": "access", "type": "user", "properties": object{"id": "7"}, "sub": "user:7"})
		},
	},
	{
		provider: "SuperTokens", about: "no aud, no client, no metadata", source: "SuperTokens docs, Session verification with JWT",
		config: verifier.Config{Issuers: issuers(providers.SuperTokens("https://api.shop.example/auth"))},
		issue: func(w *world) sent {
			k, name := newKey("d-1700000000000", "RS256"), "https://api.shop.example/auth"
			w.publish(name+"/jwt/jwks.json", keySet(k.jwk(nil), another("s-2de61246").jwk(nil)))
			return k.sign(object{"typ": "JWT", "version": "5"}, object{
				"iss": name, "sub": "u", "tId": "public", "rsub": "u", "sessionHandle": "h", "refreshTokenHash1": "r",
				"st-role": object{"v": []string{"clerk"}, "t": 1}, "st-perm": object{"v": []string{"orders:read"}, "t": 1},
			})
		},
		check: permission("orders:read"),
	},
	{
		provider: "Spring Authorization Server", kind: "on localhost", about: "http for development", source: "spring-authorization-server, Getting started",
		config: verifier.Config{Audience: "control-room", Leeway: 5 * time.Second, Issuers: issuers(verifier.Issuer{Name: "http://localhost:9000"})},
		issue: plain("http://localhost:9000", "http://localhost:9000/oauth2/jwks", nil, object{
			"sub": "web", "aud": "control-room", "nbf": now() + 1, "scope": []string{"openid", "orders.read"}, "jti": "1",
		}),
		check: scopes("orders.read"),
	},
	{
		provider: "Dex", kind: "on localhost", about: "http for development", source: "Dex docs, Getting started",
		config: verifier.Config{Audience: "orders", Issuers: issuers(verifier.Issuer{Name: "http://127.0.0.1:5556/dex"})},
		issue:  plain("http://127.0.0.1:5556/dex", "http://127.0.0.1:5556/dex/keys", nil, object{"aud": "orders", "sub": "CgE3EgVsb2NhbA"}),
	},
	{
		provider: "Dex", kind: "in compose", about: "http between containers, under the name that iss has", source: "Dex docs, Getting started",
		config: verifier.Config{Audience: "orders", HTTPHosts: []string{"dex:5556"}, Issuers: issuers(verifier.Issuer{Name: "http://dex:5556/dex"})},
		issue:  plain("http://dex:5556/dex", "http://dex:5556/dex/keys", nil, object{"aud": "orders", "sub": "CgE3EgVsb2NhbA"}),
	},
	{
		provider: "Dex", about: "ID tokens; aud is the client", source: "Dex docs, ID tokens",
		config: verifier.Config{Domain: "https://dex.shop.example/dex", Audience: "orders"},
		issue: plain("https://dex.shop.example/dex", "https://dex.shop.example/dex/keys", nil, object{
			"aud": "orders", "sub": "CgE3EgVsb2NhbA", "email": "amy@shop.example", "email_verified": true, "at_hash": "x",
		}),
	},
	{
		provider: "Django OAuth Toolkit", about: "up to version 2.3: the metadata is at another slash, after a redirect", source: "django-oauth-toolkit changelog",
		config: verifier.Config{Domain: "https://idp.shop.example/o", Audience: api},
		issue: func(w *world) sent {
			k, name := newKey("k1", "RS256"), "https://idp.shop.example/o"
			w.publish(name+wellKnown, "", status(301), header("Location", name+wellKnown+"/"))
			w.publish(name+wellKnown+"/", metadata(name, name+"/.well-known/jwks.json"))
			w.publish(name+"/.well-known/jwks.json", keySet(k.jwk(nil)))
			return k.sign(nil, object{"iss": name, "aud": api, "sub": "s"})
		},
	},
}
