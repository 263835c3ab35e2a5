#!/usr/bin/env bash
# Package:  github.com/rs/cors v1.11.1
# Expected: names of header fields have no case (RFC 9110, Section 5.1) and no
#           order: a preflight that asks for "DPoP, Authorization" is allowed
#           when AllowedHeaders has both.
# True:     only what a browser writes is understood: names in lower case, in
#           alphabetical order. Every other spelling is refused without a word.
# Matters:  a CORS rule for DPoP that is tried out with another client than a
#           browser looks broken, though it is right.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/rs/cors@v1.11.1 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rs/cors"
)

// allowed sends a preflight for these fields.
func allowed(fields string) bool {
	handler := cors.New(cors.Options{
		AllowedOrigins: []string{"https://app.example.com"},
		AllowedHeaders: []string{"Authorization", "DPoP"},
	}).Handler(http.NotFoundHandler())
	r := httptest.NewRequest(http.MethodOptions, "/", nil)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Access-Control-Request-Method", http.MethodGet)
	r.Header.Set("Access-Control-Request-Headers", fields)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Header().Get("Access-Control-Allow-Origin") != ""
}

func main() {
	browser, upper, turned := allowed("authorization,dpop"), allowed("Authorization,DPoP"), allowed("dpop,authorization")
	fmt.Println("expected: allowed: authorization,dpop true; Authorization,DPoP true; dpop,authorization true")
	fmt.Printf("found:    allowed: authorization,dpop %t; Authorization,DPoP %t; dpop,authorization %t\n", browser, upper, turned)
	if !browser || upper || turned {
		os.Exit(1)
	}
}
GO
go run .
