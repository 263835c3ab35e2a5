package keyset_test

import (
	"crypto"
	"encoding/base64"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// FuzzKey: a key that is taken is one that another implementation takes too,
// with the same thumbprint, and none that is private.
func FuzzKey(f *testing.F) {
	f.Add(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`)
	f.Add(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig"}`)
	f.Add(`{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`)
	f.Add(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`)
	f.Add(`{"kty":"oct","k":"AAAA"}`)
	f.Fuzz(func(t *testing.T, text string) {
		members, err := strictjson.Parse(text, nil)
		if err != nil {
			return
		}
		key, err := keyset.ParseKey(members, nil)
		if err != nil {
			return
		}
		var other jose.JSONWebKey
		if err := other.UnmarshalJSON([]byte(text)); err != nil {
			// The other one also reads what is ignored here, such as x5c.
			for _, name := range []string{"x5c", "x5u", "x5t", "x5t#S256", "use", "key_ops", "kid", "alg"} {
				if strictjson.Find(members, name).Kind() != strictjson.Invalid {
					return
				}
			}
			t.Fatalf("taken here, refused there: %v", err)
		}
		if !other.IsPublic() {
			t.Fatal("a private key was taken")
		}
		sum, err := other.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if want := base64.RawURLEncoding.EncodeToString(sum); key.Thumbprint() != want {
			t.Errorf("thumbprint %q; want %q", key.Thumbprint(), want)
		}
	})
}
