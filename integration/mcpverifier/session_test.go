package mcpverifier_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/integration/mcpverifier"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestForeignSession: a good token does not open the session of another user.
func TestForeignSession(t *testing.T) {
	f := newFixture(t, unchanged)
	session := f.open(f.token("alice", nil))
	id, tag, _ := strings.Cut(session, ".")
	other := f.open(f.token("bob", nil))
	otherID, otherTag, _ := strings.Cut(other, ".")
	for _, c := range []struct{ name, method, session, body string }{
		{"call", "POST", session, callTool("look")},
		{"notification", "POST", session, initialized},
		{"answer to the server", "POST", session, `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{"stream", "GET", session, ""},
		{"end", "DELETE", session, ""},
		{"without tag", "POST", id, callTool("look")},
		{"own tag", "POST", id + "." + otherTag, callTool("look")},
		{"own session with another tag", "POST", otherID + "." + tag, callTool("look")},
		{"empty tag", "POST", id + ".", callTool("look")},
		{"never opened", "POST", "made-up", callTool("look")},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := f.send(c.method, c.session, "Bearer "+f.token("bob", nil), c.body)
			if a.status != http.StatusNotFound || a.body != "session not found\n" {
				t.Errorf("answer = %d %q; want 404 session not found", a.status, a.body)
			}
		})
	}
	if got := f.send("POST", session, "Bearer "+f.token("alice", nil), callTool("look")).result(t); got.Subject != "alice" {
		t.Errorf("after that, the owner is %q; want alice", got.Subject)
	}
}

// TestOwners: what makes the owner of a session.
func TestOwners(t *testing.T) {
	f := newFixture(t, unchanged)
	withoutNames := map[string]any{"sub": nil, "client_id": nil}
	for _, c := range []struct {
		name     string
		one, two map[string]any
		want     int
	}{
		{"same subject, other client", map[string]any{"sub": "alice"}, map[string]any{"sub": "alice", "client_id": "other"}, http.StatusOK},
		{"another subject", map[string]any{"sub": "alice"}, map[string]any{"sub": "bob"}, http.StatusNotFound},
		{"case of the subject", map[string]any{"sub": "alice"}, map[string]any{"sub": "Alice"}, http.StatusNotFound},
		{"no subject, same client", map[string]any{"sub": nil, "client_id": "c"}, map[string]any{"sub": nil, "client_id": "c"}, http.StatusOK},
		{"no subject, another client", map[string]any{"sub": nil, "client_id": "c"}, map[string]any{"sub": nil, "client_id": "d"}, http.StatusNotFound},
		{"client of the name of a subject", map[string]any{"sub": "alice"}, map[string]any{"sub": nil, "client_id": "alice"}, http.StatusNotFound},
		{"neither", withoutNames, withoutNames, http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			session := f.open(f.issuer.Sign(f.resource, c.one))
			a := f.send("POST", session, "Bearer "+f.issuer.Sign(f.resource, c.two), callTool("look"))
			if a.status != c.want {
				t.Errorf("answer = %d %s; want %d", a.status, a.body, c.want)
			}
		})
	}
}

// TestTokenWithoutNamesKeepsItsSession: such a token is its own owner.
func TestTokenWithoutNamesKeepsItsSession(t *testing.T) {
	f := newFixture(t, unchanged)
	token := f.issuer.Sign(f.resource, map[string]any{"sub": nil, "client_id": nil})
	if a := f.send("POST", f.open(token), "Bearer "+token, callTool("look")); a.status != http.StatusOK {
		t.Errorf("answer = %d %s; want 200", a.status, a.body)
	}
}

// TestTokenOfTheRequest: a tool sees the token of the request that called it,
// not that of the request that opened the session.
func TestTokenOfTheRequest(t *testing.T) {
	f := newFixture(t, unchanged)
	session := f.open(f.token("alice", map[string]any{"scope": "read:orders"}))
	token := f.token("alice", map[string]any{"scope": "read:orders write:orders"})
	r := f.request(t.Context(), "POST", session, "Bearer "+token, callTool("write"))
	r.Header.Set("Cookie", "a=b")
	got := f.do(r).result(t)
	want := seen{Subject: "alice", Scope: "read:orders write:orders", Token: "alice", Sent: token, Info: "read:orders write:orders"}
	if got != want {
		t.Errorf("the tool saw %+v; want %+v", got, want)
	}
}

// TestExpiredToken: the session outlives the token that opened it.
func TestExpiredToken(t *testing.T) {
	f := newFixture(t, unchanged)
	session := f.open(f.token("alice", nil))
	expired := f.token("alice", map[string]any{"exp": 1})
	a := f.send("POST", session, "Bearer "+expired, callTool("look"))
	want := `Bearer error="invalid_token", error_description="the access token has expired", resource_metadata="` + f.origin + `/.well-known/oauth-protected-resource/mcp"`
	if got := a.header.Values("WWW-Authenticate"); a.status != http.StatusUnauthorized || len(got) != 2 || got[0] != want {
		t.Errorf("answer = %d %q; want 401 with %q first", a.status, got, want)
	}
	if got := f.send("POST", session, "Bearer "+f.token("alice", nil), callTool("look")).result(t); got.Subject != "alice" {
		t.Errorf("with the next token the subject is %q; want alice", got.Subject)
	}
}

func TestDelete(t *testing.T) {
	f := newFixture(t, unchanged)
	token := f.token("alice", nil)
	session := f.open(token)
	if a := f.send("DELETE", session, "Bearer "+token, ""); a.status != http.StatusNoContent {
		t.Errorf("DELETE = %d %s; want 204", a.status, a.body)
	}
	if a := f.send("POST", session, "Bearer "+token, callTool("look")); a.status != http.StatusNotFound {
		t.Errorf("after DELETE = %d %s; want 404", a.status, a.body)
	}
}

// TestBoundSession: a session that was opened with a bound token belongs to its
// key.
func TestBoundSession(t *testing.T) {
	f := newFixture(t, unchanged)
	opening := f.request(t.Context(), "POST", "", "", initialize)
	f.proofs.Authorize(opening, f.token("alice", map[string]any{"cnf": f.proofs.Confirmation()}))
	session := f.do(opening).session
	if session == "" {
		t.Fatal("initialize with DPoP opened no session")
	}
	thief := verifiertest.NewDPoPClient(t, nil, "")
	for _, c := range []struct {
		name   string
		client *verifiertest.DPoPClient
		want   int
	}{{"own key", f.proofs, http.StatusOK}, {"another key", thief, http.StatusNotFound}} {
		t.Run(c.name, func(t *testing.T) {
			r := f.request(t.Context(), "POST", session, "", callTool("look"))
			c.client.Authorize(r, f.token("alice", map[string]any{"cnf": c.client.Confirmation()}))
			if a := f.do(r); a.status != c.want {
				t.Errorf("answer = %d %s; want %d", a.status, a.body, c.want)
			}
		})
	}
	if a := f.send("POST", session, "Bearer "+f.token("alice", nil), callTool("look")); a.status != http.StatusNotFound {
		t.Errorf("Bearer in a bound session = %d %s; want 404", a.status, a.body)
	}
}

// TestAnotherIssuer: the same subject of another issuer is somebody else. The
// metadata has both issuers.
func TestAnotherIssuer(t *testing.T) {
	other := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256"))
	var f *fixture
	f = newFixture(t, func(c *mcpverifier.Config) {
		c.Verifier.Issuers = []verifier.Issuer{{Name: c.Verifier.Domain}, {Name: other.Domain()}}
		c.Verifier.Domain = ""
		c.Verifier.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			return verifiertest.Client(f.issuer, other).Do(r)
		})
	})
	session := f.open(f.token("alice", nil))
	token := other.Sign(f.resource, map[string]any{"sub": "alice"})
	if a := f.send("POST", session, "Bearer "+token, callTool("look")); a.status != http.StatusNotFound {
		t.Errorf("alice of another issuer = %d %s; want 404", a.status, a.body)
	}
	if got := f.send("POST", f.open(token), "Bearer "+token, callTool("look")).result(t); got.Subject != "alice" {
		t.Errorf("in her own session she is %q; want alice", got.Subject)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", f.origin+f.handler.MetadataPath(), nil)
	if a := f.do(r); !strings.Contains(a.body, `"authorization_servers":["`+f.issuer.URL()+`","`+other.URL()+`"]`) {
		t.Errorf("metadata = %s; want both issuers", a.body)
	}
}

// FuzzSession: no name but the owner's own opens a session.
func FuzzSession(f *testing.F) {
	fx := newFixture(f, unchanged)
	session := fx.open(fx.token("alice", nil))
	bearer := "Bearer " + fx.token("alice", nil)
	for _, seed := range []string{session, session + " ", session[:len(session)-1], "." + session, session + ".", strings.ToUpper(session), "..", "a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r := httptest.NewRequestWithContext(t.Context(), "DELETE", fx.resource, nil)
		r.Header["Mcp-Session-Id"] = []string{name}
		r.Header.Set("Authorization", bearer)
		if name == session {
			return
		}
		w := httptest.NewRecorder()
		fx.handler.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound && !(name == "" && w.Code == http.StatusBadRequest) {
			t.Errorf("session %q = %d; want 404", name, w.Code)
		}
	})
}
