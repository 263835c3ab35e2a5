#!/usr/bin/env bash
# Package:  github.com/emicklei/go-restful/v3 v3.14.0
# Expected: "Accept: application/*" is met by application/json
#           (RFC 9110, Section 12.5.1), as "*/*" and the full name are.
# True:     it is answered with 406.
# Matters:  a client that asks for application/* gets 406 instead of what a
#           filter for access tokens would let through.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/emicklei/go-restful/v3@v3.14.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/emicklei/go-restful/v3"
)

func status(accept string) int {
	service := new(restful.WebService).Produces(restful.MIME_JSON)
	service.Route(service.GET("/").To(func(_ *restful.Request, w *restful.Response) { w.WriteEntity(true) }))
	container := restful.NewContainer()
	container.Add(service)
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", accept)
	container.ServeHTTP(w, r)
	return w.Code
}

func main() {
	all, full, part := status("*/*"), status("application/json"), status("application/*")
	fmt.Println("expected: a JSON resource, Accept */*: 200, application/json: 200, application/*: 200")
	fmt.Printf("found:    a JSON resource, Accept */*: %d, application/json: %d, application/*: %d\n", all, full, part)
	if all != 200 || full != 200 || part != 406 {
		os.Exit(1)
	}
}
GO
go run .
