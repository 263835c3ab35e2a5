package verifier_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/recorded"
	"github.com/portcullis-go/portcullis/verifier"
)

// actorOutcome signs a token with the claims of the vector, since claims are
// only to be had of a verified token.
func actorOutcome(t testing.TB, req *recorded.Request) recorded.Outcome {
	claims, _ := req.Value("claims").(map[string]any)
	if claims == nil {
		return recorded.Failed(recorded.ErrInexpressible)
	}
	now := time.Unix(1750000000, 0)
	claims["iss"], claims["aud"] = "https://actor.example/", "api"
	claims["iat"], claims["exp"] = now.Unix(), now.Unix()+60
	key := testKey(t)
	v, err := verifier.New(verifier.Config{
		Issuers: []verifier.Issuer{{Name: "actor.example", Keys: verifier.KeysStatic(publicJWKS(&key.PublicKey, "k"))}}, Audience: "api", Clock: verifier.ClockFunc(func() time.Time { return now }),
	})
	if err != nil {
		return recorded.Failed(err)
	}
	defer v.Close()
	token, err := v.VerifyAccessToken(context.Background(), signRS256(t, key, map[string]any{"alg": "RS256", "kid": "k"}, claims))
	if err != nil {
		return parityFailure(err, false)
	}
	if req.Operation == "get_current_actor" {
		actor, err := token.Actor()
		switch {
		case err != nil:
			return parityFailure(err, false)
		case actor == nil:
			return recorded.Outcome{}
		default:
			return recorded.Outcome{Value: actor.Subject}
		}
	}
	chain, err := token.DelegationChain()
	if err != nil {
		return parityFailure(err, false)
	}
	subjects := make([]any, len(chain))
	for i, actor := range chain {
		subjects[i] = actor.Subject
	}
	return recorded.Outcome{Value: subjects}
}

// testKey returns a key that is new in every test.
func testKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicJWKS(key *rsa.PublicKey, kid string) []byte {
	jwk := map[string]any{"kty": "RSA", "kid": kid, "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB"}
	data, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		panic(err)
	}
	return data
}

func signRS256(t testing.TB, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	input := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
