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
)

// issuers are those of npm that js/issuer.mjs starts.
var issuers = []struct {
	name  string
	bound bool // it binds tokens to DPoP keys
}{{"oidc-provider", true}, {"oauth2-mock-server", false}}

func TestIssuers(t *testing.T) {
	js := rig.NPM(t, "js")
	for _, issuer := range issuers {
		t.Run(issuer.name, func(t *testing.T) {
			authority := rig.NewAuthority(t)
			certificate := authority.Issue(t, "issuer")
			process := rig.Start(t, rig.Command{Name: "node", Args: []string{"issuer.mjs", issuer.name, certificate.KeyFile, certificate.File, audience}, Dir: js})
			url := firstLine(t, process)
			api := protected(t, authority, url, audience)
			other := protected(t, authority, url, "https://other.example.com")

			var token string
			rig.Row(t, "a Bearer token is accepted", func(t *testing.T) { token = flow(t, js, authority, url, api, false, 200, "Bearer") })
			if issuer.bound {
				rig.Row(t, "a token bound to a DPoP key is accepted, with nonces", func(t *testing.T) { flow(t, js, authority, url, api, true, 200, "DPoP") })
			}
			rig.Row(t, "a token for another API is refused", func(t *testing.T) { flow(t, js, authority, url, other, false, 401, `error="invalid_token"`) })
			process.Stop()
			rig.Row(t, "a good token is accepted while the issuer is down", func(t *testing.T) { call(t, api, token, 200) })
			rig.Row(t, "a bad token is refused while the issuer is down", func(t *testing.T) { call(t, api, "x.y.z", 401) })
			rig.Row(t, "a process that starts while the issuer is down answers 503", func(t *testing.T) {
				cold := protected(t, authority, url, audience)
				if header := call(t, cold, token, 503); header.Get("Retry-After") == "" {
					t.Errorf("%v; want Retry-After", header)
				}
			})
		})
	}
}

// firstLine waits for the first line of a process.
func firstLine(t *testing.T, p *rig.Process) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for line := range strings.Lines(p.Output()) {
			if line, ended := strings.CutSuffix(line, "\n"); ended && strings.HasPrefix(line, "https://") {
				return line
			}
		}
	}
	t.Fatalf("no URL in:\n%s", p.Output())
	return ""
}

// protected starts an API that accepts the tokens of an issuer.
func protected(t *testing.T, authority *rig.Authority, issuer, audience string) string {
	t.Helper()
	cfg := verifier.Config{Domain: issuer, Audience: audience, Doer: authority.Client()}
	cfg.DPoP.Nonces = nonces(t)
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	server := httptest.NewServer(verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		_, _ = fmt.Fprint(w, token.Scheme)
	})))
	t.Cleanup(server.Close)
	return server.URL + "/orders"
}

func flow(t *testing.T, js string, authority *rig.Authority, issuer, api string, bound bool, status int, has string) (token string) {
	t.Helper()
	task, err := json.Marshal(map[string]any{"issuer": issuer, "api": api, "resource": audience, "scope": "read", "bound": bound})
	if err != nil {
		t.Fatal(err)
	}
	out := rig.Run(t, time.Minute, rig.Command{Name: "node", Args: []string{"flow.mjs"}, Dir: js, Stdin: string(task), Env: []string{"NODE_EXTRA_CA_CERTS=" + authority.File}})
	var got answers
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 2 {
		t.Fatalf("%v in %q", err, out)
	}
	for _, answer := range got {
		if answer.Status != status || !strings.Contains(answer.Body+answer.Challenge, has) {
			t.Errorf("%+v; want %d with %s", answer, status, has)
		}
	}
	return got[0].Token
}

// call sends a Bearer token to an API.
func call(t *testing.T, api, token string, status int) http.Header {
	t.Helper()
	resp, err := http.DefaultClient.Do(request(t, "GET", api, "Authorization", "Bearer "+token))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("%d; want %d", resp.StatusCode, status)
	}
	return resp.Header
}
