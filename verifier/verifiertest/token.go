package verifiertest

import (
	"encoding/json"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

const anyURL = "https://api.example.com/"

// NewToken returns a verified token for unit tests of handlers, to be put into
// a request with verifier.ContextWithToken. The claims come on top of those of
// [Issuer.Claims]; nil removes one. The token is signed and verified for real,
// without a network, at the time of its iat, so what no Verifier would return
// ends the test here.
//
// A token with a cnf claim is returned as VerifyAccessToken does, which leaves
// the binding unchecked. See [NewDPoPToken].
func NewToken(t testing.TB, claims map[string]any) *verifier.Token {
	t.Helper()
	issuer, v, audience := tokenSource(t, claims)
	compact := issuer.Sign(audience, claims)
	var token *verifier.Token
	var err error
	if claims["cnf"] != nil {
		token, err = v.VerifyAccessToken(t.Context(), compact)
	} else {
		token, err = v.VerifyRequest(t.Context(), verifier.Request{Header: http.Header{"Authorization": {"Bearer " + compact}}})
	}
	if err != nil {
		t.Fatalf("verifiertest: no Verifier returns such a token: %v", err)
	}
	return token
}

// NewDPoPToken is NewToken for a token that was sent with a proof, by a client
// of its own.
func NewDPoPToken(t testing.TB, claims map[string]any) *verifier.Token {
	t.Helper()
	issuer, v, audience := tokenSource(t, claims)
	client := NewDPoPClient(t, issuer.clock, "")
	all := map[string]any{"cnf": client.Confirmation()}
	for name, value := range claims {
		all[name] = value
	}
	compact := issuer.Sign(audience, all)
	token, err := v.VerifyRequest(t.Context(), verifier.Request{
		Method: http.MethodGet,
		URL:    anyURL,
		Header: http.Header{"Authorization": {"DPoP " + compact}, "Dpop": {client.Proof(http.MethodGet, anyURL, compact)}},
	})
	if err != nil {
		t.Fatalf("verifiertest: no Verifier returns such a token: %v", err)
	}
	return token
}

// tokenSource makes an issuer of the name, and a Verifier for the audience and
// time, that the claims have.
func tokenSource(t testing.TB, claims map[string]any) (*Issuer, *verifier.Verifier, string) {
	t.Helper()
	text := func(value any, byDefault string) string {
		if s, ok := value.(string); ok {
			return s
		}
		return byDefault
	}
	var iat float64
	if data, err := json.Marshal(claims["iat"]); err != nil || json.Unmarshal(data, &iat) != nil {
		t.Fatalf("verifiertest: iat is no number")
	}
	clock := NewClock(time.Time{})
	if iat != 0 {
		seconds, fraction := math.Modf(iat)
		clock.Set(time.Unix(int64(seconds), int64(fraction*1e9)))
	}
	issuer := NewIssuer(t, WithURL(text(claims["iss"], "https://issuer.example.com/")), WithClock(clock), WithAlgorithm("ES256"))
	audience := text(claims["aud"], anyURL)
	if list, ok := claims["aud"].([]string); ok && len(list) > 0 {
		audience = list[0]
	}
	v, err := verifier.New(issuer.Config(audience))
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return issuer, v, audience
}
