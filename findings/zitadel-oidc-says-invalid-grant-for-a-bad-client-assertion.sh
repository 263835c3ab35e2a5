#!/usr/bin/env bash
# Package:  github.com/zitadel/oidc/v3 v3.52.0
# Expected: a client that fails to authenticate is answered with invalid_client (RFC
#           7523, Section 3.2), and with status 401 where it used the Authorization
#           header (RFC 6749, Section 5.2).
# True:     an assertion of private_key_jwt whose key is not known any more is
#           answered with 400 and invalid_grant, as if the code or the subject token
#           were bad. A wrong secret in the header is answered with invalid_client,
#           but with status 400. (Served by op.RegisterLegacyServer.)
# Matters:  invalid_grant of a token endpoint does not say for sure that the user
#           must sign in again.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// keyStorage is that of the example, with a client that signs. Its key is "newer".
type keyStorage struct {
	*storage.Storage
	key *rsa.PublicKey
}

func (s keyStorage) GetKeyByIDAndClientID(_ context.Context, id, _ string) (*jose.JSONWebKey, error) {
	if id != "newer" {
		return nil, errors.New("key not found")
	}
	return &jose.JSONWebKey{KeyID: id, Key: s.key}, nil
}

func (s keyStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	if id == "signing" {
		return signingClient{client}, err
	}
	return client, err
}

type signingClient struct{ op.Client }

func (signingClient) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodPrivateKeyJWT }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	issuer := server.URL
	clients := map[string]*storage.Client{"app": storage.WebClient("app", "secret"), "signing": storage.WebClient("signing", "")}
	older, newer := must(rsa.GenerateKey(rand.Reader, 2048)), must(rsa.GenerateKey(rand.Reader, 2048))
	store := keyStorage{storage.NewStorageWithClients(storage.NewUserStore(issuer), clients), &newer.PublicKey}
	handler = exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), true)

	// ask sends a form to the token endpoint, with a secret in the header or without.
	ask := func(id, secret string, form url.Values) (outcome string) {
		r := must(http.NewRequest("POST", issuer+"/oauth/token", strings.NewReader(form.Encode())))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if secret != "" {
			r.SetBasicAuth(id, secret)
		}
		resp := must(http.DefaultClient.Do(r))
		defer resp.Body.Close()
		var answer struct{ Error string }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			panic(err)
		}
		if answer.Error == "" {
			answer.Error = "and a token"
		}
		return fmt.Sprint(resp.StatusCode, " ", answer.Error)
	}
	// code signs a user in and returns the form for the code.
	code := func(client string) url.Values {
		ctx, callback := context.Background(), "http://localhost:9999/auth/callback"
		request := must(store.CreateAuthRequest(ctx, &oidc.AuthRequest{ClientID: client, RedirectURI: callback, ResponseType: oidc.ResponseTypeCode, Scopes: []string{"openid"}}, ""))
		if err := store.CheckUsernamePassword("test-user@127.0.0.1", "verysecure", request.GetID()); err != nil {
			panic(err)
		}
		name := rand.Text()
		if err := store.SaveAuthCode(ctx, request.GetID(), name); err != nil {
			panic(err)
		}
		return url.Values{"grant_type": {"authorization_code"}, "code": {name}, "redirect_uri": {callback}}
	}
	signed := func(id string, key *rsa.PrivateKey) url.Values {
		form := code("signing")
		signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil))
		now := time.Now()
		form.Set("client_assertion", must(jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: "signing", Subject: "signing", Audience: jwt.Audience{issuer}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
		}).Serialize()))
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		return form
	}
	good, old := ask("", "", signed("newer", newer)), ask("", "", signed("older", older))
	right, wrong := ask("app", "secret", code("app")), ask("app", "wrong", code("app"))
	fmt.Println("expected: new key: 200 and a token, old key: 401 invalid_client; right secret: 200 and a token, wrong secret: 401 invalid_client")
	fmt.Printf("found:    new key: %s, old key: %s; right secret: %s, wrong secret: %s\n", good, old, right, wrong)
	if good != "200 and a token" || old != "400 invalid_grant" || right != "200 and a token" || wrong != "400 invalid_client" {
		os.Exit(1)
	}
}
GO
go get github.com/zitadel/oidc/v3@v3.52.0 github.com/go-jose/go-jose/v4@v4.1.9 2>/dev/null
go mod tidy 2>/dev/null
go run . 2>/dev/null
