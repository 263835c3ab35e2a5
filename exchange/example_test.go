package exchange_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// run lets the examples use the fake issuer, which takes the place of a real
// tenant here.
func run(f func(t testing.TB, issuer *verifiertest.Issuer)) {
	if err := verifiertest.Run(func(t testing.TB) { f(t, verifiertest.NewIssuer(t)) }); err != nil {
		log.Fatal(err)
	}
}

// A token of a system of one's own becomes an access token of the issuer.
func ExampleClient_ExchangeProfile() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "my-client", Auth: exchange.ClientSecretBasic("my-secret"),
			Doer: issuer.Client(), // trusts the fake issuer; not needed for a real one
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()

		tokens, err := c.ExchangeProfile(context.Background(), exchange.ProfileRequest{
			SubjectToken: "token-of-the-old-system", SubjectTokenType: "urn:example:old-system-token",
			Audience: "https://api.example.com", Scope: "read:orders",
			Extra: url.Values{"device_id": {"d-1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(tokens.TokenType, tokens.ExpiresIn)
		fmt.Println(tokens) // shows nothing
	})
	// Output:
	// Bearer 1h0m0s
	// (hidden)
}

// An API gets a token with which it calls another API for the same user.
func ExampleClient_OnBehalfOf() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "orders-api", Auth: exchange.ClientSecretBasic("my-secret"), Doer: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()

		token, err := c.OnBehalfOf(context.Background(), exchange.OnBehalfOfRequest{
			AccessToken: issuer.Sign("https://orders.example.com", nil), Audience: "https://billing.example.com", Scope: "read:invoices",
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodGet, "https://billing.example.com/invoices", nil)
		if err != nil {
			t.Fatal(err)
		}
		token.Authorize(r)
		fmt.Println(r.Header.Get("Authorization"))
	})
	// Output: Bearer exchanged
}

// The user's token at an external provider, from Auth0's Token Vault.
func ExampleClient_ConnectionToken() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		issuer.AnswerExchanges(func(url.Values) (int, any) {
			return 200, map[string]any{"access_token": "token-at-the-provider", "expires_in": 1800, "scope": "calendar.read"}
		})
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "my-client", Auth: exchange.ClientSecretPost("my-secret"), Doer: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()

		token, err := c.ConnectionToken(context.Background(), exchange.ConnectionRequest{
			Connection: "google-oauth2", RefreshToken: "refresh-token-of-the-user", LoginHint: "user@example.com",
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(token.Scope, token.ExpiresIn)
	})
	// Output: calendar.read 30m0s
}

// No secret is shared: the client signs what it sends. The fake issuer verifies
// the assertion.
func ExamplePrivateKeyJWT() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // or any crypto.Signer, such as one of a KMS
		if err != nil {
			t.Fatal(err)
		}
		issuer.RequirePrivateKeyJWT("my-client", key.Public(), "ES256")
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "my-client", Doer: issuer.Client(),
			Auth: exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key, KeyID: "2026-11"}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		token, err := c.OnBehalfOf(context.Background(), exchange.OnBehalfOfRequest{AccessToken: "token", Audience: "https://billing.example.com"})
		fmt.Println(token.TokenType, err)
	})
	// Output: Bearer <nil>
}

// The client is known by its certificate, which is the HTTP client's.
func ExampleMutualTLS() {
	client := verifier.NewHTTPClient(verifier.HTTPClientConfig{})
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair("client.crt", "client.key") // again for each connection, so that it can be renewed
		return &certificate, err
	}
	c, err := exchange.New(exchange.Config{Domain: "tenant.auth0.com", ClientID: "my-client", Auth: exchange.MutualTLS(), Doer: client})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c)
	// Output: (hidden)
}

// Results are kept for equal requests, sealed, in a cache that others can read.
func ExampleConfig_cache() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "my-client", Auth: exchange.ClientSecretBasic("my-secret"), Doer: issuer.Client(),
			Cache:    verifiertest.NewCache(nil, 0), // or cacheadapter/redis, cacheadapter/memcache, ...
			SealKeys: [][]byte{[]byte("32 random bytes from your vault!")},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 3 {
			if _, err := c.OnBehalfOf(context.Background(), exchange.OnBehalfOfRequest{AccessToken: "token", Audience: "https://billing.example.com"}); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println(issuer.Requests().Token)
	})
	// Output: 1
}

// Tokens are bound to a key of the client, and each request to the API has a
// proof.
func ExampleClient_Proof() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		issuer.RequireDPoP("nonce-of-the-issuer") // asks once; the client repeats by itself
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "my-client", Auth: exchange.ClientSecretBasic("my-secret"), DPoPKey: key, Doer: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		token, err := c.OnBehalfOf(context.Background(), exchange.OnBehalfOfRequest{AccessToken: "token", Audience: "https://billing.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodGet, "https://billing.example.com/invoices", nil)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := c.Proof(r.Method, r.URL.String(), token, "")
		if err != nil {
			t.Fatal(err)
		}
		token.Authorize(r)
		r.Header.Set("DPoP", proof)
		fmt.Println(r.Header.Get("Authorization"), len(strings.Split(r.Header.Get("DPoP"), ".")))
	})
	// Output: DPoP exchanged 3
}

func ExampleError() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		issuer.AnswerExchanges(func(url.Values) (int, any) {
			return 400, map[string]any{"error": "invalid_target", "error_description": "The target API is not allowed"}
		})
		c, err := exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "my-client", Auth: exchange.ClientSecretBasic("my-secret"), Doer: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.OnBehalfOf(context.Background(), exchange.OnBehalfOfRequest{AccessToken: "token", Audience: "https://other.example.com"})
		var e *exchange.Error
		if errors.As(err, &e) && errors.Is(err, exchange.ErrRefused) {
			fmt.Println(e.Status, e.Code)
		}
		fmt.Println(err)
	})
	// Output:
	// 400 invalid_target
	// exchange: the token endpoint refused the request
}

// mcpServer is an MCP-style server: one endpoint for tool calls in JSON-RPC,
// and one tool, which calls another API on behalf of the user.
type mcpServer struct {
	exchange *exchange.Client
	backend  string // URL of the other API
	audience string // and its identifier
	doer     verifier.Doer
}

func (s *mcpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&call); err != nil || call.Method != "tools/call" || call.Params.Name != "list_invoices" {
		http.Error(w, "no such tool", http.StatusBadRequest)
		return
	}
	text, err := s.listInvoices(r)
	if err != nil {
		writeExchangeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"jsonrpc": "2.0", "id": call.ID, "result": map[string]any{"content": []any{map[string]string{"type": "text", "text": text}}},
	})
}

// listInvoices never sends on the token that came in: that one is for this
// server alone.
func (s *mcpServer) listInvoices(r *http.Request) (string, error) {
	subject, err := exchange.SubjectToken(r)
	if err != nil {
		return "", err
	}
	token, err := s.exchange.OnBehalfOf(r.Context(), exchange.OnBehalfOfRequest{AccessToken: subject, Audience: s.audience, Scope: "read:invoices"})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.backend+"/invoices", nil)
	if err != nil {
		return "", err
	}
	token.Authorize(request)
	response, err := s.doer.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return string(text), err
}

// writeExchangeError tells "this user cannot" from "this cannot be done now".
func writeExchangeError(w http.ResponseWriter, err error) {
	if errors.Is(err, exchange.ErrRefused) {
		http.Error(w, "not possible for this user", http.StatusForbidden)
		return
	}
	w.Header().Set("Retry-After", "5")
	http.Error(w, "not possible now", http.StatusServiceUnavailable)
}

// An MCP-style server calls a downstream API on behalf of its user. Both are
// protected; the downstream API sees who the user is and who acts for them.
func Example_mcpServer() {
	const server, billing = "https://mcp.example.com", "https://billing.example.com"
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		issuer.AnswerExchanges(func(form url.Values) (int, any) { // what a tenant with such a grant does
			return 200, map[string]any{"token_type": "Bearer", "expires_in": 600, "access_token": issuer.Sign(form.Get("audience"), map[string]any{
				"scope": form.Get("scope"), "act": map[string]any{"sub": "mcp-server"},
			})}
		})
		protect := func(audience string, h http.Handler, requirements ...verifier.Requirement) (*verifier.Verifier, http.Handler) {
			v, err := verifier.New(verifier.Config{Domain: issuer.Domain(), Audience: audience, Doer: issuer.Client()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = v.Close() })
			return v, verifier.Middleware(v, verifier.MiddlewareConfig{})(verifier.Require(requirements...)(h))
		}

		// The downstream API.
		_, api := protect(billing, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, _ := verifier.TokenFromContext(r.Context())
			actor, err := token.Actor()
			if err != nil || actor == nil {
				http.Error(w, "for agents only", http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, "invoices of %s, asked for by %s", token.Subject, actor.Subject)
		}), verifier.AllScopes("read:invoices"))
		downstream := httptest.NewServer(api)
		defer downstream.Close()

		// The MCP server. It shares metadata between verification and exchange.
		mcp := &mcpServer{backend: downstream.URL, audience: billing, doer: downstream.Client()}
		v, protected := protect(server, mcp)
		var err error
		mcp.exchange, err = exchange.New(exchange.Config{
			Domain: issuer.Domain(), ClientID: "mcp-server", Auth: exchange.ClientSecretBasic("secret"), Doer: issuer.Client(), Metadata: v,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer mcp.exchange.Close()

		call := func(token string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_invoices"}}`))
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			protected.ServeHTTP(w, r)
			return w
		}
		fmt.Println(strings.TrimSpace(call(issuer.Sign(server, nil)).Body.String()))
		fmt.Println(call(issuer.Sign(billing, nil)).Code) // a token for another API
	})
	// Output:
	// {"id":1,"jsonrpc":"2.0","result":{"content":[{"text":"invoices of user-1, asked for by mcp-server","type":"text"}]}}
	// 401
}
