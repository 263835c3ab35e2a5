package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/examples/internal/apitest"
	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const ordersAudience = "https://orders.example.com"

// bearer sends a token with every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// TestTools calls the tools with the client of the SDK. The API of orders is
// protected, too, and accepts no token of the MCP server.
func TestTools(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	issuer.RequireClientSecretBasic("mcp", "secret")
	issuer.AnswerExchanges(func(form url.Values) (int, any) {
		return http.StatusOK, map[string]any{
			"access_token":      issuer.Sign(form.Get("audience"), map[string]any{"sub": "alice", "act": map[string]any{"sub": "mcp"}}),
			"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": 60,
		}
	})
	protect := verifier.Middleware(apitest.NewVerifier(t, issuer.Config(ordersAudience)), verifier.MiddlewareConfig{})
	orders := httptest.NewServer(protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		fmt.Fprintf(w, `{"orders":["one of %s"]}`, token.Subject)
	})))
	defer orders.Close()
	api := &ordersAPI{url: orders.URL, audience: ordersAudience, client: http.DefaultClient}
	var err error
	api.exchange, err = exchange.New(exchange.Config{
		Domain: issuer.Domain(), ClientID: "mcp", Auth: exchange.ClientSecretBasic("secret"), Doer: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	resource := server.URL + "/mcp"
	h, err := newHandler(resource, issuer.Config(""), api)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	handler = h

	for _, c := range []struct{ scope, tool, want string }{
		{"read:orders", "whoami", `{"scopes":["read:orders"],"subject":"alice"}`},
		{"read:orders", "orders", `{"orders":["one of alice"]}`},
		{"other", "orders", "Forbidden"},
	} {
		t.Run(c.tool+" with "+c.scope, func(t *testing.T) {
			token := issuer.Sign(resource, map[string]any{"sub": "alice", "scope": c.scope})
			client, err := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil).Connect(t.Context(),
				&mcp.StreamableClientTransport{Endpoint: resource, HTTPClient: &http.Client{Transport: bearer(token)}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			result, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool})
			got := fmt.Sprint(err)
			if err == nil {
				got = result.Content[0].(*mcp.TextContent).Text
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("CallTool = %s; want %s", got, c.want)
			}
		})
	}
	for _, e := range issuer.Exchanges() {
		if got := e.Form.Get("audience"); got != ordersAudience {
			t.Errorf("exchanged for %q; want %q", got, ordersAudience)
		}
	}
}

func TestRunRefusesAnIncompleteConfiguration(t *testing.T) {
	if err := run(verifier.Config{}, "https://mcp.example.com/mcp", "127.0.0.1:0", "id", &ordersAPI{}); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("run without issuer = %v; want %v", err, verifier.ErrConfig)
	}
}
