//go:build interop

package mcp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

func unchanged(*mcpverifier.Config) {}

func stateless(c *mcpverifier.Config) { c.HTTP.Stateless = true }

// TestTypeScript: discovery from the challenge, registration, authorization
// code with resource indicator, a call, and a step-up, with sessions and
// without.
func TestTypeScript(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		major    string
		name     string
		change   func(*mcpverifier.Config)
		asked    string // at first
		scope    string // after the step-up
		protocol string
	}{
		{"1", "sessions", unchanged, "mcp", "write:orders", "2025-11-25"},
		{"1", "stateless", stateless, "mcp", "write:orders", "2025-11-25"},
		{"1", "union", func(c *mcpverifier.Config) { c.UnionScopes = true }, "mcp", "write:orders mcp", "2025-11-25"},
		{"2", "sessions", unchanged, "mcp offline_access", "mcp write:orders", "2025-11-25"},
		{"2", "stateless", stateless, "mcp offline_access", "mcp write:orders", "2026-07-28"},
	} {
		rig.Row(t, "TypeScript SDK "+c.major+".x, "+c.name+": discovery, authorization code, call, step-up", func(t *testing.T) {
			url := w.serve(t, "/mcp", func(cfg *mcpverifier.Config) {
				cfg.Scopes, cfg.Verifier.ChallengeScope = nil, "mcp" // a challenge for less than the token may lose
				c.change(cfg)
			})
			client := w.typescript(t, c.major)
			r := client.must(map[string]any{"do": "connect", "url": url, "user": "alice"})
			if r.Authorizations != 1 || r.Asked[0].Scope != c.asked || r.Asked[0].Resource != url {
				t.Errorf("connect asked %d times for %+v; want once, for scope %s and %s", r.Authorizations, r.Asked, c.asked, url)
			}
			if r = client.must(map[string]any{"do": "call", "tool": "look"}); r.Result != (seen{"alice", "mcp", "Bearer"}) {
				t.Errorf("the tool saw %+v; want alice with mcp", r.Result)
			}
			r = client.must(map[string]any{"do": "call", "tool": "write"})
			if r.Authorizations != 2 || !sameScopes(r.Result.Scope, c.scope) || r.Result.Subject != "alice" {
				t.Errorf("after the step-up (%d authorizations) the tool saw %+v; want 2 and alice with %s", r.Authorizations, r.Result, c.scope)
			}
			if r.Protocol != c.protocol {
				t.Errorf("protocol = %s; want %s", r.Protocol, c.protocol)
			}
		})
	}
}

func sameScopes(one, two string) bool {
	a, b := strings.Fields(one), strings.Fields(two)
	if len(a) != len(b) {
		return false
	}
	for _, scope := range a {
		if !strings.Contains(" "+two+" ", " "+scope+" ") {
			return false
		}
	}
	return true
}

// TestStepUps: a user of a client that asks for exactly what the challenge names
// is asked for each change of tools, unless the challenge has the union.
func TestStepUps(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		major string
		union bool
		want  int // authorizations after the first
	}{{"1", false, 5}, {"1", true, 2}, {"2", false, 2}, {"2", true, 2}} {
		rig.Row(t, fmt.Sprintf("TypeScript SDK %s.x, union %v: five calls of two tools ask %d times", c.major, c.union, c.want), func(t *testing.T) {
			url := w.serve(t, "/mcp", func(cfg *mcpverifier.Config) {
				cfg.Scopes, cfg.Verifier.ChallengeScope, cfg.UnionScopes = nil, "mcp", c.union
			})
			client := w.typescript(t, c.major)
			client.must(map[string]any{"do": "connect", "url": url, "user": "alice"})
			var r reply
			for _, tool := range []string{"read", "write", "read", "write", "read"} {
				r = client.must(map[string]any{"do": "call", "tool": tool})
			}
			if got := r.Authorizations - 1; got != c.want {
				t.Errorf("%d authorizations; want %d", got, c.want)
			}
		})
	}
}

// TestRefresh: a session goes on when its token expires; the client refreshes.
func TestRefresh(t *testing.T) {
	w := newWorld(t)
	for _, major := range []string{"1", "2"} {
		rig.Row(t, "TypeScript SDK "+major+".x: an expired token is refreshed in the session", func(t *testing.T) {
			client := w.typescript(t, major)
			first := client.must(map[string]any{"do": "connect", "url": w.serve(t, "/short/mcp", unchanged), "user": "alice"})
			time.Sleep(4 * time.Second) // the clock is the provider's
			r := client.must(map[string]any{"do": "call", "tool": "look"})
			if r.Result.Subject != "alice" || r.Authorizations != 1 || r.Tokens < 2 || r.Session != first.Session || r.Session == "" {
				t.Errorf("after the end of the token = %+v; want alice in session %q, one authorization and a refresh", r, first.Session)
			}
		})
	}
}

// TestForeignSession: two users, and one takes the other's session.
func TestForeignSession(t *testing.T) {
	w := newWorld(t)
	url := w.serve(t, "/mcp", unchanged)
	alice, bob := w.typescript(t, "1"), w.typescript(t, "2")
	session := alice.must(map[string]any{"do": "connect", "url": url, "user": "alice"}).Session
	bob.must(map[string]any{"do": "connect", "url": url, "user": "bob"})
	if r := bob.must(map[string]any{"do": "call", "tool": "look"}); r.Result.Subject != "bob" {
		t.Errorf("bob is %q", r.Result.Subject)
	}
	for _, method := range []string{"POST", "GET", "DELETE"} {
		rig.Row(t, "foreign session: "+method+" is refused", func(t *testing.T) {
			r := bob.must(map[string]any{"do": "raw", "tool": "look", "session": session, "method": method})
			if r.Status != http.StatusNotFound || strings.Contains(r.Text, "alice") {
				t.Errorf("bob in the session of alice = %d %s; want 404", r.Status, r.Text)
			}
		})
	}
	if r := alice.must(map[string]any{"do": "call", "tool": "look"}); r.Result.Subject != "alice" {
		t.Errorf("alice is %q", r.Result.Subject)
	}
}

// TestDPoP: the 2.x client proves its key, with and without a nonce; a server
// that demands it hides from 1.x.
func TestDPoP(t *testing.T) {
	w := newWorld(t)
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{make([]byte, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*mcpverifier.Config)
	}{
		{"allowed", unchanged},
		{"required", func(c *mcpverifier.Config) { c.Verifier.DPoP.Mode = verifier.DPoPRequired }},
		{"required, with nonces", func(c *mcpverifier.Config) {
			c.Verifier.DPoP.Mode, c.Verifier.DPoP.Nonces = verifier.DPoPRequired, nonces
		}},
		{"stateless", stateless},
	} {
		rig.Row(t, "TypeScript SDK 2.x: DPoP "+c.name, func(t *testing.T) {
			client := w.typescript(t, "2")
			client.must(map[string]any{"do": "connect", "url": w.serve(t, "/mcp", c.change), "user": "alice", "dpop": true})
			r := client.must(map[string]any{"do": "call", "tool": "look"})
			if r.Result != (seen{"alice", "mcp", "DPoP"}) || r.Type != "DPoP" {
				t.Errorf("the tool saw %+v with a %s token; want alice by DPoP", r.Result, r.Type)
			}
		})
	}
	rig.Row(t, "TypeScript SDK 1.x: finds nothing at a server that demands DPoP, as documented", func(t *testing.T) {
		url := w.serve(t, "/mcp", func(c *mcpverifier.Config) { c.Verifier.DPoP.Mode = verifier.DPoPRequired })
		if r := w.typescript(t, "1").tell(map[string]any{"do": "connect", "url": url, "user": "alice"}); r.Error == "" {
			t.Error("it connected; the documentation says that it cannot")
		}
	})
}
