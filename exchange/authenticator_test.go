package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestAuthenticatorArguments: what New refuses, this one refuses.
func TestAuthenticatorArguments(t *testing.T) {
	for name, c := range map[string]struct {
		clientID, field string
		auth            exchange.Auth
		doer            verifier.Doer
	}{
		"no id":          {"", "ClientID", exchange.ClientSecretBasic(secret), nil},
		"no method":      {clientID, "Auth", nil, nil},
		"no secret":      {clientID, "Auth", exchange.ClientSecretBasic(""), nil},
		"no certificate": {clientID, "Doer", exchange.MutualTLS(), &http.Client{}},
	} {
		a, err := exchange.NewAuthenticator(c.clientID, c.auth, c.doer)
		var e *exchange.ConfigError
		if a != nil || !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s: %v, %v; want a ConfigError of %s", name, a, err, c.field)
		}
	}
}

// TestAuthenticator: what is sent to another endpoint, by method, and that nothing
// is signed for an audience that is not known.
func TestAuthenticator(t *testing.T) {
	key := newKey(t, "ES256")
	signed := exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key})
	atEndpoint := exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key, TokenEndpointAudience: true})
	const issuer, nothing = "https://tenant.example/", ""
	now := time.Unix(1_750_000_000, 0)
	for name, c := range map[string]struct {
		auth             exchange.Auth
		issuer, endpoint string
		method, audience string
		want             error
	}{
		"basic":                       {exchange.ClientSecretBasic(secret), nothing, nothing, "client_secret_basic", "", nil},
		"post":                        {exchange.ClientSecretPost(secret), nothing, nothing, "client_secret_post", "", nil},
		"mutual TLS":                  {exchange.MutualTLS(), nothing, nothing, "tls_client_auth", "", nil},
		"assertion":                   {exchange.ClientAssertion(constant("a.b.c"), ""), nothing, nothing, "client_assertion " + exchange.AssertionJWT, "", nil},
		"key, for the issuer":         {signed, issuer, nothing, "private_key_jwt", issuer, nil},
		"key, for both":               {signed, issuer, tokenURL, "private_key_jwt", issuer, nil},
		"key, for nobody":             {signed, nothing, tokenURL, "private_key_jwt", "", exchange.ErrCredentials},
		"key, for the endpoint":       {atEndpoint, issuer, tokenURL, "private_key_jwt", tokenURL, nil},
		"key, for no endpoint":        {atEndpoint, issuer, nothing, "private_key_jwt", "", exchange.ErrCredentials},
		"key, for an endpoint, alone": {atEndpoint, nothing, tokenURL, "private_key_jwt", "", exchange.ErrCredentials},
		"no secret now":               {exchange.ClientSecretBasicFrom(constant("")), issuer, tokenURL, "client_secret_basic", "", exchange.ErrCredentials},
	} {
		a, err := exchange.NewAuthenticator(clientID, c.auth, answering(200, ""))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		form, header := url.Values{"token": {"t"}}, http.Header{}
		err = a.Authenticate(t.Context(), verifier.Metadata{Issuer: c.issuer, TokenEndpoint: c.endpoint}, now, form, header)
		if !errors.Is(err, c.want) || a.Method() != c.method || a.UsesCertificate() != (name == "mutual TLS") {
			t.Errorf("%s: %v, method %s, by certificate %v; want %v and %s", name, err, a.Method(), a.UsesCertificate(), c.want, c.method)
		}
		if _, _, has := (&http.Request{Header: header}).BasicAuth(); has != (name == "basic") || form.Has("client_secret") != (name == "post") || form.Get("token") != "t" {
			t.Errorf("%s: sent %v with %v", name, form, header)
		}
		if c.want != nil && (form.Has("client_id") || form.Has("client_assertion")) {
			t.Errorf("%s: %v beside an error", name, form)
		}
		if c.audience == "" {
			continue
		}
		if _, claims := assertion(t, verifiertest.Exchange{Form: form}); claims["aud"] != c.audience || claims["iat"] != float64(now.Unix()) {
			t.Errorf("%s: claims %v; want the audience %s", name, claims, c.audience)
		}
	}
	a, err := exchange.NewAuthenticator(clientID, signed, nil)
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Authenticate(done, verifier.Metadata{}, now, url.Values{}, http.Header{}); !errors.Is(err, exchange.ErrCanceled) {
		t.Errorf("nobody waits: %v; want ErrCanceled", err)
	}
}
