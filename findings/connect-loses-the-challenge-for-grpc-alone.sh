#!/usr/bin/env bash
# Package:  connectrpc.com/connect v1.20.0, with net/http of Go
# Expected: what a handler puts into the Meta of an error reaches the client in
#           each of the three protocols.
# True:     WWW-Authenticate reaches Connect and gRPC-Web clients. For gRPC it
#           would be a trailer of HTTP, which net/http leaves out and logs, as
#           RFC 9110, Section 6.5.1 wants it. DPoP-Nonce beside it arrives.
# Matters:  examples/connect does not send challenges with the error.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get connectrpc.com/connect@v1.20.0 google.golang.org/protobuf/types/known/emptypb@v1.36.12 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
)

const procedure = "/example.Orders/List"

func main() {
	refuse := func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		err := connect.NewError(connect.CodeUnauthenticated, errors.New("no"))
		err.Meta().Set("WWW-Authenticate", "Bearer")
		err.Meta().Set("DPoP-Nonce", "nonce")
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, refuse))
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	metadata := func(protocol connect.ClientOption) string {
		client := connect.NewClient[emptypb.Empty, emptypb.Empty](server.Client(), server.URL+procedure, protocol)
		_, err := client.CallUnary(context.Background(), connect.NewRequest(&emptypb.Empty{}))
		var refusal *connect.Error
		if !errors.As(err, &refusal) {
			panic(err)
		}
		return fmt.Sprintf("%q %q", refusal.Meta().Get("WWW-Authenticate"), refusal.Meta().Get("DPoP-Nonce"))
	}
	got := []string{metadata(connect.WithClientOptions()), metadata(connect.WithGRPCWeb()), metadata(connect.WithGRPC())}
	fmt.Println(`expected: challenge and nonce: Connect "Bearer" "nonce", gRPC-Web "Bearer" "nonce", gRPC "Bearer" "nonce"`)
	fmt.Printf("found:    challenge and nonce: Connect %s, gRPC-Web %s, gRPC %s\n", got[0], got[1], got[2])
	if got[0] != `"Bearer" "nonce"` || got[1] != got[0] || got[2] != `"" "nonce"` {
		os.Exit(1)
	}
}
GO
go run .
