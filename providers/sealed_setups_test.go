package providers_test

import (
	"context"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

var (
	introspector = verifier.IntrospectorFunc(func(_ context.Context, r verifier.IntrospectionRequest) (verifier.Introspection, error) {
		claims, err := json.Marshal(object{
			"iss": r.Issuer, "aud": api, "iat": now(), "exp": now() + 60, "scope": "orders", "client_id": "web", "token_type": "Bearer", "active": true,
		})
		return verifier.Introspection{Active: r.Token == "ory_at_7x1QfDq", Claims: claims}, err
	})
	// ownKey is the private key to which tokens for the API are encrypted.
	ownKey = rsaKey(1)
)

// encrypt seals a token to the API.
func encrypt(alg jose.KeyAlgorithm, enc jose.ContentEncryption, keyID, typ, inner string) sent {
	options := (&jose.EncrypterOptions{}).WithContentType("JWT")
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	e := must(jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: &ownKey.PublicKey, KeyID: keyID}, options))
	return sent{raw: must(must(e.Encrypt([]byte(inner))).CompactSerialize())}
}

// encryptedOrOpaque are tokens that are more, or less, than signed JWTs.
var encryptedOrOpaque = []setup{
	{
		provider: "Auth0", kind: "encrypted tokens", about: "a signed token inside of an encrypted one", source: "Auth0 docs, JSON Web Encryption",
		config: verifier.Config{Domain: "shop.eu.auth0.com", Audience: api, Decryption: verifier.DecryptionConfig{
			Keys: []verifier.DecryptionKey{{ID: "mine", Private: ownKey}},
		}},
		issue: func(w *world) sent {
			return encrypt(jose.RSA_OAEP_256, jose.A256GCM, "mine", "",
				plain("https://shop.eu.auth0.com/", "https://shop.eu.auth0.com/.well-known/jwks.json", object{"typ": "at+jwt"}, object{"sub": "a", "aud": api, "client_id": "web", "scope": "orders"})(w).text())
		},
		check: both(scopes("orders"), client("web")),
	},
	{
		provider: "OpenIddict", about: "access tokens are encrypted by default, with RSA-OAEP", source: "OpenIddict docs, Encryption and signing credentials",
		config: verifier.Config{Domain: "id.shop.example", Audience: api, Decryption: verifier.DecryptionConfig{
			Keys:       []verifier.DecryptionKey{{ID: "e", Private: ownKey}},
			Algorithms: []string{"RSA-OAEP"}, Encodings: []string{"A256CBC-HS512"},
		}},
		issue: func(w *world) sent {
			return encrypt(jose.RSA_OAEP, jose.A256CBC_HS512, "e", "at+jwt",
				plain("https://id.shop.example/", "https://id.shop.example/.well-known/jwks", object{"typ": "at+jwt"}, object{"sub": "a", "aud": api, "client_id": "web", "scope": "orders"})(w).text())
		},
		check: both(scopes("orders"), client("web")),
	},
	{
		provider: "Okta, Zitadel, Hydra, Logto, IdentityServer, ID-porten", kind: "opaque tokens", about: "no JWT: the issuer is asked about each", source: "RFC 7662",
		config: verifier.Config{Audience: api, Issuers: issuers(verifier.Issuer{Name: "https://idp.shop.example", Opaque: verifier.OpaqueTokens{Introspector: introspector}})},
		issue:  func(*world) sent { return sent{raw: "ory_at_7x1QfDq"} },
		check:  both(scopes("orders"), client("web")),
	},
	{
		kind: "opaque-inactive", about: "a token that the issuer does not know",
		config:  verifier.Config{Audience: api, Issuers: issuers(verifier.Issuer{Name: "https://idp.shop.example", Opaque: verifier.OpaqueTokens{Introspector: introspector}})},
		issue:   func(*world) sent { return sent{raw: "ory_at_other"} },
		refused: reason.TokenInactive,
	},
	{
		kind: "opaque-not-configured", about: "nobody is asked",
		config:  verifier.Config{Domain: "idp.shop.example", Audience: api},
		issue:   func(*world) sent { return sent{raw: "ory_at_7x1QfDq"} },
		refused: reason.TokenMalformed,
	},
	{
		kind: "encrypted-by-default-algorithms", about: "RSA-OAEP only where it is asked for",
		config: verifier.Config{Domain: "id.shop.example", Audience: api, Decryption: verifier.DecryptionConfig{
			Keys: []verifier.DecryptionKey{{ID: "e", Private: ownKey}}, Encodings: []string{"A256CBC-HS512"},
		}},
		issue: func(w *world) sent {
			return encrypt(jose.RSA_OAEP, jose.A256CBC_HS512, "e", "at+jwt", "a.b.c")
		},
		refused: reason.TokenDecryption,
	},
}
