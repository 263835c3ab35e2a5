//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// cors stands in front of the middleware: it answers preflight requests, which
// have no credentials, and lets scripts read what they need of every answer.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, DPoP")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// TestBrowser: RFC 9449, Section 8.2, and the Fetch standard.
func TestBrowser(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config(audience)
	cfg.DPoP.Nonces = nonces(t)
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	mux := http.NewServeMux()
	api := httptest.NewServer(mux)
	t.Cleanup(api.Close)
	resource := verifier.ResourceMetadata{Resource: api.URL + "/orders", AuthorizationServers: []string{issuer.URL()}}
	path, metadata, err := verifier.ResourceMetadataHandler(resource)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(path, metadata)
	protect := verifier.Middleware(v, verifier.MiddlewareConfig{ExposeHeaders: true})
	mux.Handle("/orders", cors(protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("orders")) }))))

	pages := http.NewServeMux()
	pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/page.html") })
	pages.HandleFunc("/settings", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"api":%q,"metadata":%q}`, api.URL+"/orders", api.URL+path)
	})
	pages.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(issuer.Sign(audience, map[string]any{"cnf": map[string]any{"jkt": r.FormValue("jkt")}})))
	})
	page := httptest.NewServer(pages)
	t.Cleanup(page.Close)

	var result struct {
		Steps []struct {
			Status                 int
			Challenge, Nonce, Body string
		}
		Error string
	}
	out := rig.Run(t, time.Minute, rig.Command{Name: "node", Args: []string{"browser.mjs", rig.Tool(t, "chromium"), page.URL + "/"}, Dir: rig.NPM(t, "js")})
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	for i, c := range []struct {
		name   string
		status int
		has    []string
	}{
		{"a page of another origin reads 401 with both challenges", 401, []string{`Bearer realm="api"`, `DPoP algs="ES256"`}},
		{"it reads use_dpop_nonce and the nonce", 401, []string{`error="use_dpop_nonce"`, "nonce "}},
		{"its proof by WebCrypto is accepted", 200, []string{"orders"}},
		{"it reads the resource metadata, preflight included", 200, []string{issuer.URL()}},
	} {
		rig.Row(t, c.name, func(t *testing.T) {
			if i >= len(result.Steps) {
				t.Fatalf("the page stopped: %s", result.Error)
			}
			step := result.Steps[i]
			text := step.Challenge + " " + step.Body
			if step.Nonce != "" {
				text += " nonce " + step.Nonce
			}
			for _, want := range c.has {
				if step.Status != c.status || !strings.Contains(text, want) {
					t.Errorf("%+v; want %d with %s", step, c.status, want)
				}
			}
		})
	}
}
