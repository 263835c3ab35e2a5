//go:build interop

package interop_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/integration/forwardauth"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

// askers are the proxies that ask an authorization service, by their
// configurations in examples/forward-auth.
var askers = []struct {
	path  string
	proxy forwardauth.Proxy
}{
	{"nginx/nginx.conf", forwardauth.Nginx()},
	{"caddy/Caddyfile", forwardauth.Caddy()},
}

func TestForwardAuth(t *testing.T) {
	js := rig.NPM(t, "js")
	for _, asker := range askers {
		path := filepath.Join("../../examples/forward-auth", asker.path)
		set := settingsOf(t, path)
		t.Run(set.name, func(t *testing.T) {
			e := newEdge(t)
			server, mine, other := e.authority.Issue(t, "server"), e.authority.Issue(t, "client"), e.authority.Issue(t, "other")
			e.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprintf(w, "DPoP %s|%s|%s", strings.Join(r.Header.Values("X-Auth-Subject"), ","), strings.Join(r.Header.Values("X-Auth-Tenant"), ","), r.RequestURI)
			}))
			t.Cleanup(e.api.Close)
			e.auth = e.authorizer(t, asker.proxy, &set)
			start(t, path, e.replacements(filepath.Base(path), server, map[string]string{
				"127.0.0.1:8080": e.api.Listener.Addr().String(), "127.0.0.1:9000": e.auth.Listener.Addr().String(),
			}))
			e.undecided(t, 503) // first: nothing of the issuer is held yet
			e.askedByLibraries(t, js)
			e.headersOfTheClient(t)
			e.refusals(t)
			e.boundToCertificates(t, mine, other)
			e.auth.Close()
			rig.Row(t, "the authorization service is down: 503", func(t *testing.T) {
				status, _, body := e.send(t, request(t, "GET", e.url+"/orders", "Authorization", "Bearer "+e.issuer.Sign(audience, nil)), nil)
				if status != 503 {
					t.Errorf("%d %s; want 503", status, body)
				}
			})
		})
	}
}

func (e *edge) authorizer(t *testing.T, proxy forwardauth.Proxy, set *settings) *httptest.Server {
	t.Helper()
	cfg := e.issuer.Config(audience)
	cfg.TrustedProxies, cfg.ProxyFields = set.trusted, set.fields
	cfg.ClientCertificate, cfg.DPoP.Nonces = set.certificate, nonces(t)
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	h, err := forwardauth.New(forwardauth.Config{Verifier: v, Proxy: proxy, Headers: []forwardauth.Header{
		{Name: "X-Auth-Subject", Value: forwardauth.Claim("sub")}, {Name: "X-Auth-Tenant", Value: forwardauth.Claim("tenant")},
	}, Requirements: []verifier.Requirement{verifier.Satisfies(func(t *verifier.Token) bool { return t.Subject != "mallory" })}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// undecided: an outage of the issuer is 503 at the client, with Retry-After.
func (e *edge) undecided(t *testing.T, want int) {
	rig.Row(t, "the issuer is down: 503 with Retry-After, no challenge", func(t *testing.T) {
		e.issuer.FailNext(1, http.StatusInternalServerError)
		status, header, body := e.send(t, request(t, "GET", e.url+"/orders", "Authorization", "Bearer "+e.issuer.Sign(audience, nil)), nil)
		if status != want || header.Get("Retry-After") == "" || header.Get("WWW-Authenticate") != "" {
			t.Errorf("%d %v %s; want %d with Retry-After and no challenge", status, header, body, want)
		}
	})
	rig.Row(t, "the issuer is back: 200", func(t *testing.T) {
		token, status := "Bearer "+e.issuer.Sign(audience, nil), 503
		for deadline := time.Now().Add(10 * time.Second); status == 503 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			status, _, _ = e.send(t, request(t, "GET", e.url+"/orders", "Authorization", token), nil)
		}
		if status != 200 {
			t.Errorf("%d; want 200 after the back-off", status)
		}
	})
}

func (e *edge) askedByLibraries(t *testing.T, js string) {
	for _, library := range libraries {
		for name, c := range map[string]struct{ method, path, seen string }{
			"direct": {"GET", "/orders?a=1", "/orders?a=1"}, "another method": {"DELETE", "/orders/7", "/orders/7"},
			"escaped path": {"GET", "/a%2Fb", "/a%2Fb"}, "prefix stripped": {"GET", "/stripped/orders", "/orders"},
		} {
			rig.Row(t, library+", "+name, func(t *testing.T) {
				got := e.node(t, js, library, c.method, e.url+c.path, 2, nil)
				if len(got) != 2 || got[0].Status != 200 || got[0].Requests != 2 || got[1].Status != 200 || got[1].Requests != 1 || got[1].Nonce == "" || got[1].Body != "DPoP alice||"+c.seen {
					t.Errorf("%+v; want 200 after a nonce, then 200 at once with the next nonce", got)
				}
			})
		}
	}
}

func (e *edge) headersOfTheClient(t *testing.T) {
	token := "Bearer " + e.issuer.Sign(audience, map[string]any{"sub": "carol ü"})
	for _, c := range []struct {
		name   string
		fields []string
	}{
		{"claims come from the token", nil},
		{"a client's claims do not get through", []string{"X-Auth-Subject", "admin", "X-Auth-Tenant", "other"}},
		{"a client's method and URI do not get through", []string{"X-Original-Method", "PUT", "X-Original-URI", "/x", "X-Forwarded-Method", "PUT", "X-Forwarded-Uri", "/x"}},
	} {
		rig.Row(t, c.name, func(t *testing.T) {
			status, header, body := e.send(t, request(t, "GET", e.url+"/orders", append(c.fields, "Authorization", token)...), nil)
			if status != 200 || body != "DPoP carol%20%C3%BC||/orders" || header.Get("Cache-Control") != "" {
				t.Errorf("%d %q %v; want 200 and the claims of the token, cacheable", status, body, header)
			}
		})
	}
	rig.Row(t, "a proof for the URI that the client claims is refused", func(t *testing.T) {
		proof := e.client.Proof("PUT", e.url+"/x", e.bound)
		status, _, body := e.send(t, request(t, "GET", e.url+"/orders", "Authorization", "DPoP "+e.bound, "DPoP", proof,
			"X-Original-Method", "PUT", "X-Original-URI", "/x", "X-Forwarded-Method", "PUT", "X-Forwarded-Uri", "/x"), nil)
		if status != 401 {
			t.Errorf("%d %s; want 401", status, body)
		}
	})
	rig.Row(t, "an answer with a nonce is not cacheable", func(t *testing.T) {
		r := request(t, "GET", e.url+"/orders")
		_, header, _ := e.send(t, request(t, "GET", e.url+"/orders", "Authorization", "DPoP "+e.bound, "DPoP", e.client.Proof("GET", e.url+"/orders", e.bound)), nil)
		r.Header.Set("Authorization", "DPoP "+e.bound)
		r.Header.Set("DPoP", e.client.ProofWith("GET", e.url+"/orders", e.bound, nil, map[string]any{"nonce": header.Get("DPoP-Nonce")}))
		status, header, _ := e.send(t, r, nil)
		if status != 200 || header.Get("DPoP-Nonce") == "" || !strings.Contains(strings.Join(header.Values("Cache-Control"), ","), "no-store") {
			t.Errorf("%d %v; want 200, a nonce and no-store", status, header)
		}
	})
}

func (e *edge) refusals(t *testing.T) {
	for _, c := range []struct {
		name, credentials string
		status            int
		challenges        []string
	}{
		{"no token: both challenges", "", 401, []string{`Bearer realm="api"`, `DPoP algs="ES256"`}},
		{"bad token", "Bearer x", 401, []string{`Bearer error="invalid_token"`, "DPoP algs"}},
		{"not allowed: 403 with its challenge", "Bearer " + e.issuer.Sign(audience, map[string]any{"sub": "mallory"}), 403, []string{`error="insufficient_scope"`}},
		{"two credentials: 400 with its challenge", "Bearer a, Bearer b", 400, []string{`error="invalid_request"`}},
	} {
		rig.Row(t, c.name, func(t *testing.T) {
			r := request(t, "GET", e.url+"/orders")
			if c.credentials != "" {
				r.Header.Set("Authorization", c.credentials)
			}
			status, header, body := e.send(t, r, nil)
			text := strings.Join(header.Values("WWW-Authenticate"), ", ")
			for _, challenge := range c.challenges {
				if status != c.status || !strings.Contains(text, challenge) {
					t.Errorf("%d %q %s; want %d and %s", status, text, body, c.status, challenge)
				}
			}
		})
	}
}

func (e *edge) boundToCertificates(t *testing.T, mine, other *rig.Certificate) {
	sum := sha256.Sum256(mine.Certificate.Certificate[0])
	token := "Bearer " + e.issuer.Sign(audience, map[string]any{"sub": "bob", "cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	for name, c := range map[string]struct {
		certificate *rig.Certificate
		status      int
	}{"its own certificate": {mine, 200}, "another certificate": {other, 401}, "no certificate": {nil, 401}} {
		rig.Row(t, name, func(t *testing.T) {
			if status, _, body := e.send(t, request(t, "GET", e.url+"/orders", "Authorization", token), c.certificate); status != c.status {
				t.Errorf("%d %s; want %d", status, body, c.status)
			}
		})
	}
}
