package providers_test

import (
	"encoding/json"
	"net/http"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

// showing is a Doer that shows credentials to the world. accept replaces what it accepts,
// unless empty.
func showing(w *world, authorization, accept string) verifier.Doer {
	transport := w.client().Transport
	return verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", authorization)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		return transport.RoundTrip(r)
	})
}

// cluster is what an API server publishes, to who is authorized. It offers its keys as
// application/jwk-set+json alone, and negotiates as go-restful does.
func cluster(w *world, name, jwks string, k *key) sent {
	w.publish(name+wellKnown, metadata(name, jwks), unless(unauthorized), header("Cache-Control", "public, max-age=3600"))
	w.publish(jwks, keySet(k.jwk(nil)), unless(func(r *http.Request) int {
		if unauthorized(r) != 0 {
			return unauthorized(r)
		}
		return negotiate(r, "application/jwk-set+json")
	}), header("Content-Type", "application/jwk-set+json"))
	return k.sign(nil, object{
		"iss": name, "aud": []string{api}, "nbf": now() - 5, "sub": "system:serviceaccount:shop:web", "kubernetes.io": object{"namespace": "shop"},
	})
}

// workloads are programs and the platforms that they run on.
var workloads = []setup{
	{
		provider: "Kubernetes", about: "in the cluster: the API server's own authority, a token to see the keys, keys on its address", source: "Kubernetes docs, Managing Service Accounts",
		config: verifier.Config{Audience: api, Issuers: issuers(providers.Kubernetes(providers.KubernetesConfig{KeyHosts: []string{"172.20.0.1"}}))},
		adapt: func(w *world, cfg *verifier.Config) {
			cfg.Issuers[0].Doer = showing(w, "Bearer of the pod", "") // the real one: TestKubernetes
		},
		issue: func(w *world) sent {
			return cluster(w, "https://kubernetes.default.svc.cluster.local", "https://172.20.0.1:443/openid/v1/jwks", newKey("k8s-1", "RS256"))
		},
	},
	{
		provider: "Kubernetes", kind: "keys from a file", about: "no access to the API server", source: "Kubernetes docs, Managing Service Accounts",
		config: verifier.Config{Audience: api, Issuers: issuers(verifier.Issuer{Name: "https://kubernetes.default.svc.cluster.local", Keys: verifier.KeysFile("/var/run/jwks.json")})},
		adapt: func(w *world, cfg *verifier.Config) {
			cfg.Issuers[0].Keys = verifier.KeysStatic(must(json.Marshal(keySet(clusterKey.jwk(nil)))))
		},
		issue: func(*world) sent {
			return clusterKey.sign(nil, object{"iss": "https://kubernetes.default.svc.cluster.local", "aud": []string{api}, "sub": "system:serviceaccount:shop:web"})
		},
	},
	{
		provider: "GitHub Actions", about: "anybody on GitHub can have a token with any aud", source: "GitHub docs, OpenID Connect reference",
		config: verifier.Config{Audience: "deploy", Issuers: issuers(providers.GitHubActions("shop"))},
		issue: plain("https://token.actions.githubusercontent.com", "https://token.actions.githubusercontent.com/.well-known/jwks", object{"typ": "JWT", "x5t": "x"}, object{
			"jti": "1", "aud": "deploy", "sub": "repo:shop/orders:ref:refs/heads/main", "nbf": now() - 300, "repository": "shop/orders", "repository_owner": "shop",
			"run_id": "1", "job_workflow_ref": "shop/orders/.github/workflows/x.yml@refs/heads/main",
		}),
	},
	{
		provider: "GitLab CI/CD", about: "anybody on the instance can have a token with any aud", source: "GitLab docs, ID tokens",
		config: verifier.Config{Audience: "deploy", Issuers: issuers(providers.GitLab("gitlab.com", "shop"))},
		issue: plain("https://gitlab.com", "https://gitlab.com/oauth/discovery/keys", jwt, object{
			"jti": "1", "aud": "deploy", "sub": "project_path:shop/orders:ref_type:branch:ref:main", "nbf": now() - 5, "namespace_path": "shop", "project_path": "shop/orders",
		}),
	},
	{
		provider: "SPIFFE", kind: "JWT-SVID", about: "no iss: the trust domain of sub; no iat; keys of the bundle", source: "SPIFFE JWT-SVID specification, Sections 2 and 3",
		config: verifier.Config{Audience: "spiffe://shop.example/orders", Issuers: issuers(providers.SPIFFE("shop.example", "https://spire.shop.example/bundle"))},
		issue: func(w *world) sent {
			k := newKey("spire-1", "ES256")
			w.publish("https://spire.shop.example/bundle", object{"spiffe_sequence": 7, "keys": []object{
				k.jwk(object{"alg": nil, "use": "jwt-svid"}), newKey("", "ES256").jwk(object{"use": "x509-svid", "kid": nil, "alg": nil}),
			}})
			return k.sign(jwt, object{"iat": nil, "sub": "spiffe://shop.example/web", "aud": []string{"spiffe://shop.example/orders"}})
		},
	},
	{
		provider: "SPIFFE", kind: "SPIRE OIDC Discovery Provider", about: "iss is configured; typ may be JOSE", source: "SPIFFE JWT-SVID specification, Section 2.3",
		config: verifier.Config{Audience: "spiffe://shop.example/orders", Algorithms: []string{"ES256"}, Issuers: issuers(verifier.Issuer{Name: "https://oidc.shop.example", Types: []string{"JOSE"}})},
		issue: func(w *world) sent {
			k, name := newKey("spire-1", "ES256"), "https://oidc.shop.example"
			w.issuer(name, name+"/keys", k.jwk(object{"alg": nil, "use": nil}))
			return k.sign(object{"typ": "JOSE"}, object{"iss": name, "sub": "spiffe://shop.example/web", "aud": []string{"spiffe://shop.example/orders"}})
		},
	},
	{
		provider: "HashiCorp Vault", kind: "identity tokens", about: "a port and a path in iss", source: "Vault docs, Identity tokens",
		config: verifier.Config{Domain: "https://vault.shop.example:8200/v1/identity/oidc", Audience: "orders"},
		issue: plain("https://vault.shop.example:8200/v1/identity/oidc", "https://vault.shop.example:8200/v1/identity/oidc/.well-known/keys", nil,
			object{"aud": "orders", "namespace": "root", "sub": "entity"}),
	},
	{
		provider: "Docker registry", about: "iss is a text; kid of libtrust; sub may be empty", source: "Distribution docs, Token Authentication Specification",
		config: verifier.Config{Issuers: issuers(providers.DockerRegistry("auth.shop.example", "hub.shop.example", verifier.KeysFile("/etc/registry/jwks.json")))},
		adapt: func(w *world, cfg *verifier.Config) {
			cfg.Issuers[0].Keys = verifier.KeysStatic(must(json.Marshal(keySet(registryKey.jwk(nil)))))
		},
		issue: func(*world) sent {
			return registryKey.sign(object{"typ": "JWT", "x5c": []string{"MIIC"}}, object{
				"iss": "auth.shop.example", "aud": "hub.shop.example", "sub": "", "nbf": now() - 300, "jti": "x=",
				"access": []any{object{"type": "repository", "name": "shop/orders", "actions": []string{"pull"}}},
			})
		},
	},
	{
		provider: "WLCG", about: "a token for every service of the grid; scopes with paths", source: "WLCG Common JWT Profiles 1.0",
		config: verifier.Config{Issuers: issuers(providers.WLCG("https://wlcg.shop.example/", "https://storage.shop.example"))},
		issue: func(w *world) sent {
			k, name := newKey("rsa1", "RS256"), "https://wlcg.shop.example/"
			w.issuer(name, name+"jwk", k.jwk(object{"alg": nil, "use": nil}))
			return k.sign(nil, object{
				"iss": name, "aud": "https://wlcg.cern.ch/jwt/v1/any", "wlcg.ver": "1.0", "scope": "storage.read:/atlas compute.read", "sub": "s", "jti": "1", "nbf": now() - 60,
			})
		},
		check: scopes("storage.read:/atlas"),
	},
	{
		provider: "INDIGO IAM", kind: "no audience asked for", about: "no aud: client_id takes its place", source: "INDIGO IAM docs, JWT profiles",
		config: verifier.Config{Issuers: issuers(providers.IndigoIAM("https://iam.shop.example/", "c7"))},
		issue: func(w *world) sent {
			k, name := newKey("rsa1", "RS256"), "https://iam.shop.example/"
			w.issuer(name, name+"jwk", k.jwk(object{"alg": nil, "use": nil}))
			return k.sign(nil, object{"iss": name, "sub": "u", "client_id": "c7", "scope": "openid storage.read:/", "nbf": now() - 60, "jti": "1"})
		},
		check: both(scopes("storage.read:/"), client("c7")),
	},
	{
		provider: "SciTokens", about: "RFC 8414 metadata alone; ES256", source: "SciTokens, Claims and scopes language",
		config: verifier.Config{Domain: "https://scitokens.shop.example", Audience: "ANY", Algorithms: []string{"ES256"}},
		issue: func(w *world) sent {
			k, name := newKey("key-es256", "ES256"), "https://scitokens.shop.example"
			w.publish(name+"/.well-known/oauth-authorization-server", object{"issuer": name, "jwks_uri": name + "/oauth2/certs"})
			w.publish(name+"/oauth2/certs", keySet(k.jwk(object{"use": nil})))
			return k.sign(jwt, object{"iss": name, "aud": "ANY", "ver": "scitokens:2.0", "scope": "read:/protected", "nbf": now() - 1, "sub": "s", "jti": "1"})
		},
		check: scopes("read:/protected"),
	},
	{
		provider: "SciTokens", kind: "an issuer with a path", about: "the well-known part stands before the path", source: "RFC 8414, Section 3.1",
		config: verifier.Config{Domain: "https://scitokens.shop.example/vo", Audience: api},
		issue: func(w *world) sent {
			k, name := newKey("k1", "RS256"), "https://scitokens.shop.example/vo"
			w.publish("https://scitokens.shop.example/.well-known/oauth-authorization-server/vo", object{"issuer": name, "jwks_uri": name + "/jwks"})
			w.publish(name+"/jwks", keySet(k.jwk(nil)))
			return k.sign(nil, object{"iss": name, "aud": api, "scope": "read:/", "sub": "s"})
		},
	},
}

var (
	clusterKey  = newKey("k8s-1", "RS256")
	registryKey = newKey("PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6", "ES256")
)
