package providers_test

import (
	"crypto/rsa"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	pool   = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"
	eks    = "https://oidc.eks.eu-west-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9"
	google = "https://www.googleapis.com"
	robot  = "robot@shop.iam.gserviceaccount.com"
)

// clouds are Amazon and Google.
var clouds = []setup{
	{
		provider: "Amazon Cognito", about: "no aud: client_id takes its place; token_use; groups", source: "Amazon Cognito Developer Guide, Verifying JSON web tokens",
		config: verifier.Config{Issuers: issuers(providers.Cognito("eu-west-1", "eu-west-1_AbCdEf123", "app-client"))},
		issue: func(w *world) sent {
			k := newKey("cog-1", "RS256")
			w.issuer(pool, pool+"/.well-known/jwks.json", k.jwk(nil), another("cog-2").jwk(nil))
			return k.sign(nil, object{
				"iss": pool, "sub": "s", "client_id": "app-client", "token_use": "access", "scope": "orders/read openid", "auth_time": now(), "jti": "1",
				"version": 2, "cognito:groups": []string{"clerks"}, "username": "amy", "origin_jti": "o", "event_id": "e",
			})
		},
		check: both(scopes("orders/read"), client("app-client"), permission("clerks")),
	},
	{
		provider: "Amazon EKS", about: "pods that call services outside of the cluster; capitals in the path", source: "Amazon EKS User Guide, IAM roles for service accounts",
		config: verifier.Config{Audience: "orders", Issuers: issuers(providers.EKS("https://oidc.eks.eu-west-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9"))},
		issue: plain(eks, eks+"/keys", nil, object{
			"aud": []string{"orders"}, "kubernetes.io": object{"namespace": "shop", "serviceaccount": object{"name": "web", "uid": "u"}}, "nbf": now() - 5, "sub": "system:serviceaccount:shop:web",
		}),
	},
	{
		provider: "Google", kind: "ID tokens", about: "Cloud Run and service to service; keys on www.googleapis.com", source: "Cloud Run docs, Service-to-service authentication",
		config: verifier.Config{Audience: api, Issuers: issuers(providers.Google())},
		issue: func(w *world) sent {
			k := newKey("g-1", "RS256")
			w.publish("https://accounts.google.com"+wellKnown, metadata("https://accounts.google.com", google+"/oauth2/v3/certs"))
			w.publish(google+"/oauth2/v3/certs", keySet(k.jwk(nil)), header("Cache-Control", "public, max-age=20000, must-revalidate, no-transform"))
			return k.sign(jwt, object{"iss": "https://accounts.google.com", "aud": api, "azp": "7", "email": robot, "email_verified": true, "sub": "7"})
		},
		check: client("7"),
	},
	{
		provider: "Google", kind: "iss without a scheme", about: "the same issuer in its other spelling", source: "Google Identity docs, Verify the Google ID token",
		config: verifier.Config{Audience: api, Issuers: issuers(providers.Google())},
		issue: func(w *world) sent {
			k := newKey("g-1", "RS256")
			w.issuer("https://accounts.google.com", google+"/oauth2/v3/certs", k.jwk(nil))
			return k.sign(jwt, object{"iss": "accounts.google.com", "aud": api, "sub": "7"})
		},
		check: func(t *verifier.Token) string {
			if t.IssuerName != "https://accounts.google.com" {
				return "IssuerName is " + t.IssuerName
			}
			return ""
		},
	},
	{
		provider: "Google IAP", about: "ES256; no metadata; a header field of its own", source: "Google Cloud docs, Securing your app with signed headers",
		config: verifier.Config{Issuers: issuers(providers.GoogleIAP("/projects/7/global/backendServices/1"))},
		issue: onlyKeys(newKey("iap-1", "ES256"), "https://www.gstatic.com/iap/verify/public_key-jwk", jwt, object{
			"iss": "https://cloud.google.com/iap", "aud": "/projects/7/global/backendServices/1", "sub": "accounts.google.com:7", "email": "amy@shop.example",
		}),
	},
	{
		provider: "Google service account", about: "signs its own tokens; iss is an e-mail address", source: "Google Cloud docs, Authenticate with a self-signed JWT",
		config: verifier.Config{Audience: api, Issuers: issuers(providers.GoogleServiceAccount("robot@shop.iam.gserviceaccount.com"))},
		issue: onlyKeys(newKey("sa-1", "RS256"), google+"/service_accounts/v1/jwk/"+robot, jwt,
			object{"iss": robot, "sub": robot, "aud": api}),
	},
	{
		provider: "Firebase", about: "keys on www.googleapis.com, with an octet too many in n", source: "Firebase docs, Verify ID tokens",
		config: verifier.Config{Issuers: issuers(providers.Firebase("shop-7"))},
		issue: func(w *world) sent {
			k, name := newKey("fb-1", "RS256"), "https://securetoken.google.com/shop-7"
			n := k.Public().(*rsa.PublicKey).N.Bytes()
			w.issuer(name, google+"/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com", k.jwk(object{"n": b64.EncodeToString(append([]byte{0}, n...))}))
			return k.sign(jwt, object{"iss": name, "aud": "shop-7", "auth_time": now(), "user_id": "u", "sub": "u", "firebase": object{"sign_in_provider": "password"}})
		},
	},
}
