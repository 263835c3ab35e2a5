package providers_test

import (
	"encoding/json"
	"fmt"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

const odd = "https://idp.shop.example"

// simple is what most of the odd set-ups are verified with.
var simple = verifier.Config{Domain: odd, Audience: api}

// documents are metadata and key sets as they come.
var documents = []setup{
	{kind: "byte-order-marks", config: simple, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.publish(odd+wellKnown, "\ufeff"+string(must(json.Marshal(metadata(odd, odd+"/jwks")))))
		w.publish(odd+"/jwks", "\ufeff"+string(must(json.Marshal(keySet(k.jwk(nil))))))
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "content-types", config: simple, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.publish(odd+wellKnown, metadata(odd, odd+"/jwks"), header("Content-Type", "text/html; charset=ISO-8859-1"))
		w.publish(odd+"/jwks", keySet(k.jwk(nil)), header("Content-Type", "application/octet-stream"))
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "member-twice", config: simple, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.publish(odd+wellKnown, `{"issuer":"`+odd+`","jwks_uri":"`+odd+`/jwks","scopes_supported":["openid"],"scopes_supported":["openid"]}`)
		w.publish(odd+"/jwks", keySet(k.jwk(nil)))
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "jwks_uri-twice", config: simple, refused: reason.Discovery, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.publish(odd+wellKnown, `{"issuer":"`+odd+`","jwks_uri":"`+odd+`/jwks","jwks_uri":"`+odd+`/jwks"}`)
		w.publish(odd+"/jwks", keySet(k.jwk(nil)))
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "odd-keys-beside", config: simple, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.publish(odd+wellKnown, metadata(odd, odd+"/jwks"))
		w.publish(odd+"/jwks", `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"q"},{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"k"},`+
			`{"kty":"OKP","crv":"X25519","x":"AA"},{"kty":"oct","k":"AAAA","kid":"o"},{"kty":"RSA","n":"!!","e":"AQAB","kid":"b"},{"kty":7},`+
			`{"kid":9,"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"RSA","kty":"RSA"},{},null,"x",[],`+string(must(json.Marshal(k.jwk(nil))))+`]}`)
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "padded-modulus", config: simple, refused: reason.NoUsableKey, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		jwk := k.jwk(nil)
		jwk["n"] = jwk["n"].(string) + "=="
		w.issuer(odd, odd+"/jwks", jwk)
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "certificate-alone", config: simple, refused: reason.NoUsableKey, issue: func(w *world) sent {
		w.issuer(odd, odd+"/jwks", object{"kty": "RSA", "kid": "k1", "use": "sig", "x5c": []string{"MIIC"}})
		return newKey("k1", "RS256").sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "one-kid-for-two-uses", config: simple, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer(odd, odd+"/jwks", another("k1").jwk(object{"use": "enc", "alg": "RSA-OAEP"}), k.jwk(nil))
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "300-keys", config: simple, issue: func(w *world) sent {
		k := newKey("k-299", "RS256")
		list := make([]object, 0, 300)
		for i := range cap(list) {
			list = append(list, k.jwk(object{"kid": fmt.Sprintf("k-%d", i)}))
		}
		w.issuer(odd, odd+"/jwks", list...)
		return k.sign(nil, object{"iss": odd, "aud": api})
	}},
	{kind: "no-kid-one-key", config: simple, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer(odd, odd+"/jwks", k.jwk(nil), newKey("e", "ES256").jwk(nil))
		return k.sign(object{"kid": nil}, object{"iss": odd, "aud": api})
	}},
	{kind: "no-kid-two-keys", config: simple, refused: reason.KeyUnknown, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer(odd, odd+"/jwks", k.jwk(object{"kid": nil}), another("k2").jwk(object{"kid": nil}))
		return k.sign(object{"kid": nil}, object{"iss": odd, "aud": api})
	}},
	{kind: "x5t-in-place-of-kid", config: simple, refused: reason.KeyUnknown, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer(odd, odd+"/jwks", k.jwk(object{"x5t": "one"}), another("k2").jwk(object{"x5t": "two"}))
		return k.sign(object{"kid": nil, "x5t": "one"}, object{"iss": odd, "aud": api})
	}},
	{kind: "host-in-capitals", config: verifier.Config{Domain: "https://SSO.Shop.example/adfs", Audience: api}, issue: func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer("https://SSO.Shop.example/adfs", "https://sso.shop.example/adfs/discovery/keys", k.jwk(nil))
		return k.sign(nil, object{"iss": "https://SSO.Shop.example/adfs", "aud": api})
	}},
	{kind: "two-slashes-in-the-path", config: verifier.Config{Audience: api, Issuers: issuers(verifier.Issuer{Name: "https://sso.shop.example//realms/Shop"})}, issue: func(w *world) sent {
		k, name := newKey("k1", "RS256"), "https://sso.shop.example//realms/Shop"
		w.issuer(name, name+"/certs", k.jwk(nil))
		return k.sign(nil, object{"iss": name, "aud": api})
	}},
	{
		kind:   "keys-by-URL-for-a-domain",
		config: verifier.Config{Audience: api, Issuers: issuers(verifier.Issuer{Name: "shop.cloudflareaccess.com", Keys: verifier.KeysURL("https://shop.cloudflareaccess.com/certs")})},
		issue:  onlyKeys(newKey("k1", "RS256"), "https://shop.cloudflareaccess.com/certs", nil, object{"iss": "https://shop.cloudflareaccess.com", "aud": api}),
	},
	{
		kind: "a-slash-too-many", config: verifier.Config{Domain: "https://shop.okta.com/oauth2/default/", Audience: api}, refused: reason.IssuerNotAllowed,
		issue: plain("https://shop.okta.com/oauth2/default", "https://shop.okta.com/oauth2/default/v1/keys", nil, object{"aud": api}),
	},
}

// payload signs a payload that is given as text, with places for iat and exp.
func payload(text string) func(*world) sent {
	return func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer(odd, odd+"/jwks", k.jwk(nil))
		return sent{raw: k.seal(`{"alg":"RS256","kid":"k1","typ":"JWT"}`, `{"iss":"`+odd+`",`+fmt.Sprintf(text, now()-5, now()+600)+`}`)}
	}
}

// typed is a token of a type.
func typed(typ string) func(*world) sent {
	return plain(odd, odd+"/jwks", object{"typ": typ}, object{"aud": api})
}

// signedBy is a token of an algorithm.
func signedBy(alg string) func(*world) sent {
	return func(w *world) sent {
		k := newKey("k1", alg)
		w.issuer(odd, odd+"/jwks", k.jwk(nil))
		return k.sign(object{"typ": "at+jwt"}, object{"iss": odd, "aud": api})
	}
}

func allow(alg string) verifier.Config {
	return verifier.Config{Domain: odd, Audience: api, Algorithms: []string{alg}}
}

// tokens are headers and claims as they come.
var tokens = []setup{
	{kind: "times-as-text", config: simple, refused: reason.ClaimMalformed, issue: payload(`"aud":"` + api + `","iat":"%d","exp":"%d"`)},
	{kind: "times-with-fraction-and-exponent", config: simple, issue: payload(`"aud":"` + api + `","iat":%d.5,"exp":1.9e9,"x":%d`)},
	{kind: "nbf-null", config: simple, refused: reason.ClaimMalformed, issue: payload(`"aud":"` + api + `","iat":%d,"exp":%d,"nbf":null`)},
	{kind: "sub-number", config: simple, refused: reason.ClaimMalformed, issue: payload(`"aud":"` + api + `","iat":%d,"exp":%d,"sub":42`)},
	{kind: "aud-with-another-slash", config: simple, refused: reason.Audience, issue: payload(`"aud":"` + api + `/","iat":%d,"exp":%d`)},
	{kind: "cnf-with-a-whole-key", config: simple, refused: reason.Confirmation, issue: payload(`"aud":"` + api + `","iat":%d,"exp":%d,"cnf":{"jwk":{"kty":"EC"}}`)},
	{kind: "nested-act", config: simple, issue: payload(`"aud":"` + api + `","iat":%d,"exp":%d,"sub":"a","act":{"sub":"b","act":{"sub":"c"}},"may_act":{"sub":"d"}`)},
	{kind: "typ-application/jwt", config: simple, issue: typed("application/jwt")},
	{kind: "typ-application/at+jwt", config: simple, issue: typed("application/at+jwt")},
	{kind: "typ-at+JWT", config: simple, issue: typed("at+JWT")},
	{kind: "typ-Bearer", config: simple, refused: reason.TokenType, issue: typed("Bearer")},
	{kind: "ES256", config: allow("ES256"), issue: signedBy("ES256")},
	{kind: "ES512", config: allow("ES512"), issue: signedBy("ES512")},
	{kind: "EdDSA", config: allow("EdDSA"), issue: signedBy("EdDSA")},
	{kind: "PS256", config: allow("PS256"), issue: signedBy("PS256")},
	{kind: "ES512-not-allowed", config: simple, refused: reason.Algorithm, issue: signedBy("ES512")},
}
