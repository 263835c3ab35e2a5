#!/usr/bin/env bash
# Package:  github.com/grpc-ecosystem/grpc-gateway/v2 v2.33.0
# Expected: the challenge that a service sends as www-authenticate metadata is
#           the WWW-Authenticate of the HTTP answer, and DPoP reaches the service.
# True:     WWW-Authenticate of a 401 is the message of the gRPC status. The
#           service's challenge becomes Grpc-Metadata-Www-Authenticate. DPoP is
#           not passed on, since it is no "permanent" header field.
# Matters:  behind this gateway, header matchers and an error handler of one's
#           own are needed; a message of a refusal must be fit for a header.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/grpc-ecosystem/grpc-gateway/v2/runtime@v2.33.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	mux := runtime.NewServeMux()
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "DPoP token")
	r.Header.Set("DPoP", "proof")
	ctx, err := runtime.AnnotateContext(context.Background(), mux, r, "/example.Orders/List")
	if err != nil {
		panic(err)
	}
	sent, _ := metadata.FromOutgoingContext(ctx)
	// What generated code does with the error of a service.
	ctx = runtime.NewServerMetadataContext(ctx, runtime.ServerMetadata{
		HeaderMD: metadata.Pairs("www-authenticate", `Bearer realm="orders"`),
	})
	w := httptest.NewRecorder()
	_, out := runtime.MarshalerForRequest(mux, r)
	runtime.HTTPError(ctx, mux, out, w, r, status.Error(codes.Unauthenticated, "the token has expired"))
	challenge, moved := w.Header().Get("WWW-Authenticate"), w.Header().Get("Grpc-Metadata-Www-Authenticate")
	fmt.Println(`expected: WWW-Authenticate: Bearer realm="orders"; authorization: 1 value, dpop: 1 value`)
	fmt.Printf("found:    WWW-Authenticate: %s; Grpc-Metadata-Www-Authenticate: %s; authorization: %d value, dpop: %d values\n",
		challenge, moved, len(sent.Get("authorization")), len(sent.Get("dpop"))+len(sent.Get("grpcgateway-dpop")))
	if challenge != "the token has expired" || moved != `Bearer realm="orders"` || len(sent.Get("authorization")) != 1 || len(sent.Get("dpop")) != 0 {
		os.Exit(1)
	}
}
GO
go run .
