#!/usr/bin/env bash
# Package:  github.com/zitadel/oidc/v3 v3.52.0
# Expected: issued_token_type says what access_token holds (RFC 8693, Section 2.2.1):
#           a refresh token that was asked for is there, with token_type N_A.
# True:     issued_token_type is that of a refresh token, token_type is Bearer, and
#           access_token holds an access token. The refresh token is in refresh_token.
#           The comments of op.TokenExchangeStorage say that both come.
# Matters:  where a caller of ExchangeProfile that asks for a refresh token finds it.
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
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// answer is what is read of one of a token endpoint.
type answer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Issued  string `json:"issued_token_type"`
	Type    string `json:"token_type"`
}

// ask sends a form to a token endpoint.
func ask(endpoint string, form url.Values) (a answer) {
	r := must(http.NewRequest("POST", endpoint, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "secret")
	resp := must(http.DefaultClient.Do(r))
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		panic(err)
	}
	return a
}

func main() {
	var handler http.Handler
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer listener.Close()
	issuer := listener.URL
	clients := map[string]*storage.Client{"app": storage.WebClient("app", "secret")}
	store := storage.NewStorageWithClients(storage.NewUserStore(issuer), clients)
	handler = exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), true)

	// A user signs in.
	ctx, callback := context.Background(), "http://localhost:9999/auth/callback"
	request := must(store.CreateAuthRequest(ctx, &oidc.AuthRequest{ClientID: "app", RedirectURI: callback, ResponseType: oidc.ResponseTypeCode, Scopes: []string{"openid"}}, ""))
	if err := store.CheckUsernamePassword("test-user@127.0.0.1", "verysecure", request.GetID()); err != nil {
		panic(err)
	}
	if err := store.SaveAuthCode(ctx, request.GetID(), "code"); err != nil {
		panic(err)
	}
	const types = "urn:ietf:params:oauth:token-type:"
	first := ask(issuer+"/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {"code"}, "redirect_uri": {callback}})
	got := ask(issuer+"/oauth/token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {first.Access},
		"subject_token_type": {types + "access_token"}, "requested_token_type": {types + "refresh_token"}, "scope": {"openid"},
	})
	// The user's data are to be had with access tokens alone.
	r := must(http.NewRequest("GET", issuer+"/userinfo", nil))
	r.Header.Set("Authorization", "Bearer "+got.Access)
	resp := must(http.DefaultClient.Do(r))
	resp.Body.Close()
	fmt.Printf("expected: issued %srefresh_token, token_type N_A, access_token is no access token: userinfo 401\n", types)
	fmt.Printf("found:    issued %s, token_type %s, access_token is one: userinfo %d; refresh_token is there: %v\n", got.Issued, got.Type, resp.StatusCode, got.Refresh != "")
	if got.Issued != types+"refresh_token" || got.Type != "Bearer" || resp.StatusCode != 200 || got.Refresh == "" || got.Refresh == got.Access {
		os.Exit(1)
	}
}
GO
go get github.com/zitadel/oidc/v3@v3.52.0 2>/dev/null
go mod tidy 2>/dev/null
go run . 2>/dev/null
