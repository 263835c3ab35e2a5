package verifier_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestAuthorizationFlowOfAnMCPClient goes the way of a client that knows
// nothing but the server's URL: 401, metadata (RFC 9728, Section 5), issuer,
// token, 403 with the scope, token with the scope, 200.
func TestAuthorizationFlowOfAnMCPClient(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)

	resource := verifier.ResourceMetadata{
		Resource: server.URL + "/mcp", AuthorizationServers: []string{issuer.URL()},
		ScopesSupported: []string{"mcp:read", "mcp:tools"}, Name: "A server of tools",
	}
	path, metadata, err := verifier.ResourceMetadataHandler(resource)
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, issuer, func(cfg *verifier.Config) {
		cfg.Audience, cfg.ChallengeScope = resource.Resource, "mcp:read"
		if cfg.ResourceMetadataURL, err = resource.URL(); err != nil {
			t.Fatal(err)
		}
	})
	protect := verifier.Middleware(v, verifier.MiddlewareConfig{})
	mux.Handle(path, metadata)
	mux.Handle("/mcp", protect(verifier.Require(verifier.AllScopes("mcp:tools"))(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))))

	call := func(token string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/mcp", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}

	first := call("")
	challenges := first.Header.Values("WWW-Authenticate")
	if first.StatusCode != 401 || len(challenges) != 2 {
		t.Fatalf("without a token: %d %q; want 401 with a challenge per scheme", first.StatusCode, challenges)
	}
	for _, challenge := range challenges {
		if parameterOf(challenge, "resource_metadata") != server.URL+"/.well-known/oauth-protected-resource/mcp" || parameterOf(challenge, "scope") != "mcp:read" {
			t.Errorf("challenge %s; want resource_metadata and scope", challenge)
		}
	}

	var document struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Methods  []string `json:"bearer_methods_supported"`
		Scopes   []string `json:"scopes_supported"`
	}
	getJSON(t, server.Client(), parameterOf(challenges[0], "resource_metadata"), &document)
	if document.Resource != server.URL+"/mcp" { // RFC 9728, Section 3.3
		t.Errorf("resource %q; want the URL that was asked", document.Resource)
	}
	if len(document.Servers) != 1 || len(document.Methods) != 1 || document.Methods[0] != "header" || len(document.Scopes) != 2 {
		t.Errorf("metadata %+v; want one authorization server, tokens in the header, two scopes", document)
	}
	var authorizationServer struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	getJSON(t, issuer.Client(), document.Servers[0]+".well-known/openid-configuration", &authorizationServer)
	if authorizationServer.Issuer != document.Servers[0] || authorizationServer.TokenEndpoint == "" {
		t.Errorf("the authorization server is %q; want %q", authorizationServer.Issuer, document.Servers[0])
	}

	step := call(issuer.Sign(document.Resource, map[string]any{"scope": "mcp:read"}))
	challenge := step.Header.Get("WWW-Authenticate")
	if step.StatusCode != 403 || parameterOf(challenge, "error") != "insufficient_scope" || parameterOf(challenge, "scope") != "mcp:tools" || parameterOf(challenge, "resource_metadata") == "" {
		t.Errorf("scope missing: %d %s; want 403 with scope and resource_metadata", step.StatusCode, challenge)
	}
	if last := call(issuer.Sign(document.Resource, map[string]any{"scope": "mcp:read mcp:tools"})); last.StatusCode != 200 {
		t.Errorf("with the scope: %d; want 200", last.StatusCode)
	}
	if other := call(issuer.Sign("https://other.example/mcp", map[string]any{"scope": "mcp:tools"})); other.StatusCode != 401 {
		t.Errorf("token of another server: %d; want 401", other.StatusCode)
	}
}

// TestResourceMetadataDocument: RFC 9728, Sections 2, 3.1 and 3.2.
func TestResourceMetadataDocument(t *testing.T) {
	for resource, want := range map[string]string{
		"https://api.example":          "https://api.example/.well-known/oauth-protected-resource",
		"https://api.example/":         "https://api.example/.well-known/oauth-protected-resource",
		"https://api.example?t=1":      "https://api.example/.well-known/oauth-protected-resource?t=1",
		"https://api.example/?t=1":     "https://api.example/.well-known/oauth-protected-resource?t=1",
		"https://api.example/v1/":      "https://api.example/.well-known/oauth-protected-resource/v1/",
		"https://api.example/a%2Fb%7e": "https://api.example/.well-known/oauth-protected-resource/a%2Fb%7e",
		"https://api.example/%7Bx%7D":  "https://api.example/.well-known/oauth-protected-resource/%7Bx%7D",
		"https://API.example:443/V1":   "https://API.example:443/.well-known/oauth-protected-resource/V1",
		"https://[2001:db8::1]/v1":     "https://[2001:db8::1]/.well-known/oauth-protected-resource/v1",
		"http://127.0.0.2/v1":          "http://127.0.0.2/.well-known/oauth-protected-resource/v1",
		"https://api.example/v1":       "https://api.example/.well-known/oauth-protected-resource/v1",
		"https://api.example:8443/a/b": "https://api.example:8443/.well-known/oauth-protected-resource/a/b",
		"https://api.example/v1?t=1":   "https://api.example/.well-known/oauth-protected-resource/v1?t=1",
		"http://localhost:8080/mcp":    "http://localhost:8080/.well-known/oauth-protected-resource/mcp",
	} {
		m := verifier.ResourceMetadata{Resource: resource}
		if got, err := m.URL(); err != nil || got != want {
			t.Errorf("URL of %q = %q, %v; want %q", resource, got, err, want)
		}
		path, handler, err := verifier.ResourceMetadataHandler(m)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle(path, handler)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", want, nil))
		var members map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
			t.Fatal(err)
		}
		if len(members) != 2 || members["resource"] != resource { // members without a value are left out
			t.Errorf("document of %q = %v; want resource and bearer_methods_supported alone", resource, members)
		}
	}
}

func TestResourcesThatAreNone(t *testing.T) {
	for _, resource := range []string{
		"", "api.example", "//api.example/v1", "http://api.example/v1", "ftp://api.example", "https:///v1", "https://:443/v1", "https:api.example", "https://u@api.example/v1",
		"https://api.example/v1#f", "https://api.example/v1#", "https://api.example/a b", "https://api.example/{x}", "https://api.example/ä", "https://api.example/%zz",
		"https://api.example/a//b", "https://api.example//", "https://api.example/a/../b", "https://api.example/%2E%2e/b", "https://api.example/.", "HTTPS://api.example/v1", "http://localhost.example/",
	} {
		m := verifier.ResourceMetadata{Resource: resource}
		if got, err := m.URL(); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("URL of %q = %q, %v; want ErrConfig", resource, got, err)
		}
		if _, _, err := verifier.ResourceMetadataHandler(m); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("handler of %q: %v; want ErrConfig", resource, err)
		}
	}
	for _, server := range []string{"", "tenant.example.com", "http://tenant.example.com/", "https://tenant.example.com/?a", "https://tenant.example.com/#a", "https://u@tenant.example.com/", "https://tenant.example.com/ "} {
		m := verifier.ResourceMetadata{Resource: "https://api.example", AuthorizationServers: []string{"https://good.example/realms/one", server}}
		_, _, err := verifier.ResourceMetadataHandler(m)
		var e *verifier.ConfigError
		if !errors.As(err, &e) || e.Field != "ResourceMetadata.AuthorizationServers" {
			t.Errorf("authorization server %q: %v; want it refused", server, err)
		}
	}
}

func TestResourceMetadataMethods(t *testing.T) {
	path, handler, err := verifier.ResourceMetadataHandler(verifier.ResourceMetadata{Resource: "https://api.example/mcp/"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	ask := func(method, target string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("Origin", "https://inspector.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		r.Header.Set("Access-Control-Request-Headers", "mcp-protocol-version")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	w := ask("OPTIONS", path)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*", "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "3600",
	} {
		if got := w.Header().Get(name); w.Code != http.StatusNoContent || got != want || w.Body.Len() != 0 {
			t.Errorf("preflight: %d, %s: %q; want 204 and %q", w.Code, name, got, want)
		}
	}
	for _, method := range []string{"GET", "HEAD"} {
		if w := ask(method, path); w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v; want 200 for every origin", method, w.Code, w.Header())
		}
	}
	if w := ask("POST", path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST: %d %v; want 405", w.Code, w.Header())
	}
	if w := ask("GET", path+"other"); w.Code != http.StatusNotFound {
		t.Errorf("below the path: %d; want 404", w.Code)
	}
}

// parameterOf returns a parameter of a challenge.
func parameterOf(challenge, name string) string {
	found := regexp.MustCompile(`[ ,]` + name + `="([^"]*)"`).FindStringSubmatch(challenge)
	if found == nil {
		return ""
	}
	return found[1]
}

func getJSON(t *testing.T, client *http.Client, url string, v any) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s; want 200 and JSON", url, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}
