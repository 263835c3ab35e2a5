package verifier_test

import (
	"encoding/json"
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
		"https://api.example/v1":       "https://api.example/.well-known/oauth-protected-resource/v1",
		"https://api.example:8443/a/b": "https://api.example:8443/.well-known/oauth-protected-resource/a/b",
		"https://api.example/v1?t=1":   "https://api.example/.well-known/oauth-protected-resource/v1?t=1",
		"http://localhost:8080/mcp":    "http://localhost:8080/.well-known/oauth-protected-resource/mcp",
	} {
		m := verifier.ResourceMetadata{Resource: resource}
		if got, err := m.URL(); err != nil || got != want {
			t.Errorf("URL of %q = %q, %v; want %q", resource, got, err, want)
		}
		_, handler, err := verifier.ResourceMetadataHandler(m)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var members map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
			t.Fatal(err)
		}
		if len(members) != 2 || members["resource"] != resource { // members without a value are left out
			t.Errorf("document of %q = %v; want resource and bearer_methods_supported alone", resource, members)
		}
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
