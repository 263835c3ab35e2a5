package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
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

// ask sends a request to a handler and returns the answer.
func ask(h http.Handler, method, url, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func Example() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		cfg := verifier.Config{Domain: issuer.Domain(), Audience: "https://api.example"}
		cfg.Doer = issuer.Client() // trusts the fake issuer; not needed for a real one
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()

		mux := http.NewServeMux()
		mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
			token, _ := verifier.TokenFromContext(r.Context())
			fmt.Fprintf(w, "orders of %s", token.Subject)
		})
		protected := verifier.Middleware(v, verifier.MiddlewareConfig{})(mux)

		good := ask(protected, "GET", "/orders", "Bearer "+issuer.Sign("https://api.example", nil))
		fmt.Println(good.Code, good.Body)
		fmt.Println(ask(protected, "GET", "/orders", "").Code)
	})
	// Output:
	// 200 orders of user-1
	// 401
}

func ExampleRequire() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		v, err := verifier.New(issuer.Config("https://api.example"))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()

		mux := http.NewServeMux()
		create := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
		mux.Handle("POST /orders", verifier.Require(verifier.AllScopes("write:orders"))(create))
		protected := verifier.Middleware(v, verifier.MiddlewareConfig{})(mux)

		reader := issuer.Sign("https://api.example", map[string]any{"scope": "read:orders"})
		writer := issuer.Sign("https://api.example", map[string]any{"scope": "read:orders write:orders"})
		refused := ask(protected, "POST", "/orders", "Bearer "+reader)
		fmt.Println(refused.Code, refused.Header().Get("WWW-Authenticate"))
		fmt.Println(ask(protected, "POST", "/orders", "Bearer "+writer).Code)
	})
	// Output:
	// 403 Bearer error="insufficient_scope", error_description="the access token lacks a scope that is needed", scope="write:orders"
	// 201
}

func ExampleAuthenticated() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		v, err := verifier.New(issuer.Config("https://api.example"))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		transfer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})
		stepUp := verifier.Authenticated(verifier.StepUp{ACRValues: []string{"urn:example:mfa"}, MaxAge: 5 * time.Minute})
		protected := verifier.Middleware(v, verifier.MiddlewareConfig{})(verifier.Require(stepUp)(transfer))

		refused := ask(protected, "POST", "/transfer", "Bearer "+issuer.Sign("https://api.example", nil))
		fmt.Println(refused.Code, refused.Header().Get("WWW-Authenticate"))
	})
	// Output:
	// 401 Bearer error="insufficient_user_authentication", error_description="a stronger or more recent authentication is needed", acr_values="urn:example:mfa", max_age="300"
}

func ExampleVerifier_VerifyAccessToken() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		v, err := verifier.New(issuer.Config("https://api.example"))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()

		raw := issuer.Sign("https://api.example", map[string]any{"https://example.com/plan": "gold"})
		token, err := v.VerifyAccessToken(context.Background(), raw)
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Plan string `json:"https://example.com/plan"`
		}
		if err := token.Decode(&claims); err != nil {
			t.Fatal(err)
		}
		fmt.Println(token.Subject, claims.Plan)

		_, err = v.VerifyAccessToken(context.Background(), raw, verifier.WithRequiredClaims("org_id"))
		fmt.Println(err)
	})
	// Output:
	// user-1 gold
	// verifier: a required claim of the access token is missing (org_id)
}

// A transport other than net/http, or a proxy that asks before it lets a
// request pass, says what the client's request was.
func ExampleVerifier_VerifyRequest() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		cfg := issuer.Config("https://api.example")
		cfg.DPoP.Mode = verifier.DPoPRequired
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		client := verifiertest.NewDPoPClient(t, nil, "")
		bound := issuer.Sign("https://api.example", map[string]any{"cnf": client.Confirmation()})

		request := verifier.Request{
			Method: "GET",
			URL:    "https://api.example/orders?page=2",
			Header: http.Header{
				"Authorization": {"DPoP " + bound},
				"Dpop":          {client.Proof("GET", "https://api.example/orders", bound)},
			},
		}
		token, err := v.VerifyRequest(context.Background(), request)
		fmt.Println(err, token.Scheme, token.Proof.JWKThumbprint == client.Thumbprint())
		_, err = v.VerifyRequest(context.Background(), request)
		fmt.Println(err)
	})
	// Output:
	// <nil> DPoP true
	// verifier: the DPoP proof was used before
}

// Which issuers are allowed may depend on the request: here on its host.
func ExampleConfig_domains() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		tenants, err := resolver.ByHost(map[string][]string{
			"one.api.example": {issuer.Domain()},
			"two.api.example": {"tenant-two.example"},
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg := issuer.Config("https://api.example")
		cfg.Domain, cfg.Domains = "", tenants
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()

		protected := verifier.Middleware(v, verifier.MiddlewareConfig{})(http.NotFoundHandler())
		token := "Bearer " + issuer.Sign("https://api.example", nil)
		fmt.Println("its own host:", ask(protected, "GET", "http://one.api.example/", token).Code)
		fmt.Println("another tenant's host:", ask(protected, "GET", "http://two.api.example/", token).Code)
	})
	// Output:
	// its own host: 404
	// another tenant's host: 401
}

// Processes that share a cache fetch keys once, and start warm.
func ExampleConfig_cache() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		shared := verifiertest.NewCache(nil, 0) // in production: cacheadapter/redis or memcache, sealed
		for range 3 {
			cfg := issuer.Config("https://api.example")
			cfg.Cache = shared
			v, err := verifier.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Warmup(context.Background()); err != nil {
				t.Fatal(err)
			}
			_ = v.Close() // ends the writes to the cache, too
		}
		fmt.Println("requests for keys:", issuer.Requests().JWKS)
	})
	// Output: requests for keys: 1
}

// An outage is never the client's fault.
func ExampleError() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		v, err := verifier.New(issuer.Config("https://api.example"))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		issuer.FailNext(-1, http.StatusInternalServerError)

		_, err = v.VerifyAccessToken(context.Background(), issuer.Sign("https://api.example", nil))
		var e *verifier.Error
		if errors.As(err, &e) {
			fmt.Println(e.Status, e.Reason, errors.Is(err, verifier.ErrUnavailable), errors.Is(err, verifier.ErrInvalidToken))
		}
	})
	// Output: 503 discovery_unavailable true false
}

// An MCP server, or any other protected resource, tells clients where tokens
// come from (RFC 9728).
func ExampleResourceMetadataHandler() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		resource := verifier.ResourceMetadata{
			Resource:             "https://mcp.example.com/mcp",
			AuthorizationServers: []string{issuer.URL()},
			ScopesSupported:      []string{"mcp:tools"},
		}
		path, metadata, err := verifier.ResourceMetadataHandler(resource)
		if err != nil {
			t.Fatal(err)
		}
		cfg := issuer.Config(resource.Resource)
		if cfg.ResourceMetadataURL, err = resource.URL(); err != nil {
			t.Fatal(err)
		}
		cfg.ChallengeScope, cfg.DPoP.Mode = "mcp:tools", verifier.DPoPDisabled
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		mux := http.NewServeMux()
		mux.Handle(path, metadata)
		mux.Handle("/mcp", verifier.Middleware(v, verifier.MiddlewareConfig{})(http.NotFoundHandler()))

		fmt.Println(ask(mux, "POST", "/mcp", "").Header().Get("WWW-Authenticate"))
		fmt.Println(ask(mux, "GET", path, "").Code, path)
	})
	// Output:
	// Bearer realm="api", scope="mcp:tools", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
	// 200 /.well-known/oauth-protected-resource/mcp
}

// Nonces make clients prove that they have the key now (RFC 9449, Section 9).
func ExampleNewNonceSource() {
	run(func(t testing.TB, issuer *verifiertest.Issuer) {
		nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{make([]byte, 32)}}) // 32 random bytes, the same on every instance
		if err != nil {
			t.Fatal(err)
		}
		cfg := issuer.Config("https://api.example")
		cfg.DPoP = verifier.DPoPConfig{Mode: verifier.DPoPRequired, Nonces: nonces}
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		server := httptest.NewServer(verifier.Middleware(v, verifier.MiddlewareConfig{})(http.NotFoundHandler()))
		defer server.Close()

		client := verifiertest.NewDPoPClient(t, nil, "")
		bound := issuer.Sign("https://api.example", map[string]any{"cnf": client.Confirmation()})
		first, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		first.Header.Set("Authorization", "DPoP "+bound)
		first.Header.Set("DPoP", client.Proof("GET", server.URL, bound))
		resp, err := server.Client().Do(first)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Header.Get("WWW-Authenticate"))

		again, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err = client.Do(server.Client(), again, bound) // repeats with the nonce that it is given
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Header.Get("DPoP-Nonce") != "", resp.Header.Get("Cache-Control"))
	})
	// Output:
	// 401 DPoP error="use_dpop_nonce", error_description="the DPoP proof must have the nonce that is given", algs="ES256"
	// 404 true no-store
}
