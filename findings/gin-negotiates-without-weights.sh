#!/usr/bin/env bash
# Package:  github.com/gin-gonic/gin v1.12.0
# Expected: Negotiate follows the weights of Accept (RFC 9110, Section 12.5.1):
#           "application/xml;q=0, application/json" is answered with JSON.
# True:     weights are cut off. The first type that is offered wins, also one
#           that the client refuses with q=0.
# Matters:  the form of a refusal does not depend on Accept here, so that it is
#           the same under each router.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/gin-gonic/gin@v1.12.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/gin-gonic/gin"
)

// chosen returns the type that is chosen for this Accept.
func chosen(accept string) string {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest("GET", "/", nil)
	c.Request.Header.Set("Accept", accept)
	return c.NegotiateFormat("application/json", "application/xml")
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	low, refused := chosen("application/xml;q=0.1, application/json"), chosen("application/xml;q=0, application/json")
	fmt.Println("expected: JSON before XML;q=0.1: application/json; JSON and XML;q=0: application/json")
	fmt.Printf("found:    JSON before XML;q=0.1: %s; JSON and XML;q=0: %s\n", low, refused)
	if low != "application/xml" || refused != "application/xml" {
		os.Exit(1)
	}
}
GO
go run .
