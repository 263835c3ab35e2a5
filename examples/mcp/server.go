package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

// newHandler serves the tools to clients with good tokens for this server.
func newHandler(resource string, cfg verifier.Config, api *ordersAPI) (*mcpverifier.Handler, error) {
	server := mcp.NewServer(&mcp.Implementation{Name: "orders", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Who the server thinks you are"}, whoami)
	mcp.AddTool(server, &mcp.Tool{Name: "orders", Description: "The orders of the user"},
		mcpverifier.RequireScopes(api.orders, "read:orders"))
	return mcpverifier.New(func(*http.Request) *mcp.Server { return server }, mcpverifier.Config{
		Resource: resource, Verifier: cfg, HTTP: mcp.StreamableHTTPOptions{Stateless: true},
	})
}

type noInput struct{}

type identity struct {
	Subject string   `json:"subject"`
	Scopes  []string `json:"scopes"`
}

// whoami answers from the token of the call.
func whoami(ctx context.Context, _ *mcp.CallToolRequest, _ noInput) (*mcp.CallToolResult, identity, error) {
	token, ok := verifier.TokenFromContext(ctx)
	if !ok {
		return nil, identity{}, errors.New("no token")
	}
	return nil, identity{token.Subject, append([]string{}, token.Scopes()...)}, nil
}

// ordersAPI is another API, which this server calls on behalf of the user. It
// never gets the token that the MCP client sent: that one is for this server.
type ordersAPI struct {
	url, audience string
	exchange      *exchange.Client
	client        verifier.Doer
}

type orderList struct {
	Orders []string `json:"orders"`
}

// orders is a tool that asks the API.
func (a *ordersAPI) orders(ctx context.Context, req *mcp.CallToolRequest, _ noInput) (*mcp.CallToolResult, orderList, error) {
	sent, ok := mcpverifier.AccessToken(req)
	if !ok {
		return nil, orderList{}, errors.New("no token")
	}
	token, err := a.exchange.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: sent, Audience: a.audience, Scope: "read:orders"})
	if err != nil {
		return nil, orderList{}, fmt.Errorf("the orders are not available: %w", err)
	}
	list, err := a.fetch(ctx, token)
	return nil, list, err
}

func (a *ordersAPI) fetch(ctx context.Context, token *exchange.Token) (orderList, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return orderList{}, err
	}
	token.Authorize(r)
	resp, err := a.client.Do(r)
	if err != nil {
		return orderList{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return orderList{}, fmt.Errorf("the API answered with status %d", resp.StatusCode)
	}
	list := orderList{Orders: []string{}}
	return list, json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&list)
}
