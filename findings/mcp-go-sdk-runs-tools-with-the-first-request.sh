#!/usr/bin/env bash
# Package:  github.com/modelcontextprotocol/go-sdk v1.8.0
# Expected: what a middleware of net/http puts into the context of a request is
#           what a tool finds there when that request calls it.
# True:     within a session a tool gets the context values of the request that
#           opened it. RequestExtra alone belongs to the call: its Header is that
#           of the second request.
# Matters:  mcpverifier hands the token of the call to a tool by RequestExtra, and
#           not by the context.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/modelcontextprotocol/go-sdk/mcp@v1.8.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type key struct{}

// mark sends its text with each request.
type mark struct{ text string }

func (m *mark) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Mark", m.text)
	return http.DefaultTransport.RoundTrip(r)
}

func main() {
	ctx := context.Background()
	server := mcp.NewServer(&mcp.Implementation{Name: "server", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "mark"}, func(ctx context.Context, r *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		text := fmt.Sprintf("context %v, header %s", ctx.Value(key{}), r.Extra.Header.Get("X-Mark"))
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, r.Header.Get("X-Mark"))))
	}))
	defer site.Close()

	sender := &mark{"first"}
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: site.URL, HTTPClient: &http.Client{Transport: sender}, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		panic(err)
	}
	defer session.Close()
	sender.text = "second"
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "mark"})
	if err != nil {
		panic(err)
	}
	got := result.Content[0].(*mcp.TextContent).Text
	fmt.Println("expected: a tool called by the second request: context second, header second")
	fmt.Println("found:    a tool called by the second request:", got, "(session "+session.InitializeResult().ProtocolVersion+")")
	if got != "context first, header second" {
		os.Exit(1)
	}
}
GO
go run .
