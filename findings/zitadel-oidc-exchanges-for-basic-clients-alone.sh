#!/usr/bin/env bash
# Package:  github.com/zitadel/oidc/v3 v3.52.0
# Expected: a provider whose metadata list client_secret_post takes a secret from
#           the form for each grant.
# True:     op.Provider does so for a code. For a token exchange it reads the
#           Authorization header alone: the same client with the same secret is
#           answered with invalid_client. (Served by op.RegisterLegacyServer, the
#           same provider takes it.)
# Matters:  which Auth a client of package exchange has there.
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
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// postStorage is that of the example; its clients have client_secret_post.
type postStorage struct{ *storage.Storage }

func (s postStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	return postClient{client}, err
}

type postClient struct{ op.Client }

func (postClient) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodPost }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// ask sends a form to a token endpoint.
func ask(endpoint string, form url.Values) (outcome, token string) {
	resp := must(http.PostForm(endpoint, form))
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		panic(err)
	}
	if answer.Token != "" {
		answer.Error = "and a token"
	}
	return fmt.Sprint(resp.StatusCode, " ", answer.Error), answer.Token
}

// outcomes are those of two grants, at a provider that is served in one of two ways.
func outcomes(server bool) (code, exchange string, listed bool) {
	var handler http.Handler
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer listener.Close()
	issuer := listener.URL
	clients := map[string]*storage.Client{"app": storage.WebClient("app", "secret")}
	store := postStorage{storage.NewStorageWithClients(storage.NewUserStore(issuer), clients)}
	handler = exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), server)

	resp := must(http.Get(issuer + "/.well-known/openid-configuration"))
	defer resp.Body.Close()
	var metadata struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&metadata); err != nil {
		panic(err)
	}
	listed = strings.Contains(strings.Join(metadata.Methods, " "), "client_secret_post")

	// A user signs in.
	ctx, callback := context.Background(), "http://localhost:9999/auth/callback"
	request := must(store.CreateAuthRequest(ctx, &oidc.AuthRequest{ClientID: "app", RedirectURI: callback, ResponseType: oidc.ResponseTypeCode, Scopes: []string{"openid"}}, ""))
	if err := store.CheckUsernamePassword("test-user@127.0.0.1", "verysecure", request.GetID()); err != nil {
		panic(err)
	}
	if err := store.SaveAuthCode(ctx, request.GetID(), "code"); err != nil {
		panic(err)
	}
	client := func(form url.Values) url.Values {
		form.Set("client_id", "app")
		form.Set("client_secret", "secret")
		return form
	}
	code, token := ask(issuer+"/oauth/token", client(url.Values{"grant_type": {"authorization_code"}, "code": {"code"}, "redirect_uri": {callback}}))
	exchange, _ = ask(issuer+"/oauth/token", client(url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:access_token"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
	}))
	return code, exchange, listed
}

func main() {
	code, exchange, listed := outcomes(false)
	serverCode, serverExchange, _ := outcomes(true)
	const good = "200 and a token"
	fmt.Printf("expected: code: %s, exchange: %s\n", good, good)
	fmt.Printf("found:    code: %s, exchange: %s; client_secret_post in the metadata: %v; by the legacy server: code: %s, exchange: %s\n", code, exchange, listed, serverCode, serverExchange)
	if code != good || exchange != "401 invalid_client" || !listed || serverCode != good || serverExchange != good {
		os.Exit(1)
	}
}
GO
go get github.com/zitadel/oidc/v3@v3.52.0 2>/dev/null
go mod tidy 2>/dev/null
go run . 2>/dev/null
