#!/usr/bin/env bash
# Package:  golang.org/x/oauth2 v0.38.0
# Expected: a token source asks for the next token when the last one has expired,
#           so three calls at once cost one request for expires_in 5, and three for 0.
# True:     a token counts as expired ten seconds early. One that lives for ten
#           seconds or less is asked for anew by every call. And expires_in 0 is
#           read as "no expiry": that token is kept for ever.
# Matters:  exchange does not keep a result of which it knows no end.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get golang.org/x/oauth2/clientcredentials@v0.38.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"golang.org/x/oauth2/clientcredentials"
)

// requests returns how many requests three calls of Token cause.
func requests(expiresIn int) (n int) {
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"t","token_type":"Bearer","expires_in":%d}`, expiresIn)
	}))
	defer issuer.Close()
	config := clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: issuer.URL}
	source := config.TokenSource(context.Background())
	for range 3 {
		if _, err := source.Token(); err != nil {
			panic(err)
		}
	}
	return n
}

func main() {
	five, twenty, zero := requests(5), requests(20), requests(0)
	fmt.Println("expected: requests for three calls: expires_in 5: 1, 20: 1, 0: 3")
	fmt.Printf("found:    requests for three calls: expires_in 5: %d, 20: %d, 0: %d\n", five, twenty, zero)
	if five != 3 || twenty != 1 || zero != 1 {
		os.Exit(1)
	}
}
GO
go run .
