package verifiertest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestNewToken(t *testing.T) {
	past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	token := verifiertest.NewToken(t, map[string]any{
		"iss": "https://idp.example.com/realms/one", "sub": "alice", "aud": []string{"a", "b"}, "iat": past.Unix(), "exp": past.Unix() + 60,
		"scope": "read write", "permissions": []string{"p"}, "client_id": nil, "role": map[string]any{"name": "boss"},
	})
	if token.Issuer != "https://idp.example.com/realms/one" || token.Subject != "alice" || len(token.Audience) != 2 || token.ClientID != "" {
		t.Errorf("claims %v", token.Claims())
	}
	if !token.IssuedAt.Equal(past) || !token.ExpiresAt.Equal(past.Add(time.Minute)) {
		t.Errorf("from %v to %v", token.IssuedAt, token.ExpiresAt)
	}
	if !token.HasScope("write") || !token.HasPermission("p") || token.Scheme != verifier.SchemeBearer || token.Proof != nil {
		t.Errorf("scope %q, scheme %q", token.Scope, token.Scheme)
	}
	var claims struct{ Role struct{ Name string } }
	if err := token.Decode(&claims); err == nil && claims.Role.Name != "" {
		t.Error("names are matched by exact case")
	}
}

func TestNewTokenOfNothing(t *testing.T) {
	token := verifiertest.NewToken(t, nil)
	if age := time.Since(token.IssuedAt); token.Subject == "" || age < 0 || age > time.Minute {
		t.Errorf("claims %v", token.Claims())
	}
}

func TestNewTokenThatIsBound(t *testing.T) {
	client := verifiertest.NewDPoPClient(t, nil, "")
	token := verifiertest.NewToken(t, map[string]any{"cnf": client.Confirmation()})
	if token.Confirmation.JWKThumbprint != client.Thumbprint() || token.Scheme != "" {
		t.Errorf("confirmation %v, scheme %q", token.Confirmation, token.Scheme)
	}
	token = verifiertest.NewDPoPToken(t, map[string]any{"sub": "alice"})
	if token.Scheme != verifier.SchemeDPoP || token.Proof == nil || token.Proof.JWKThumbprint != token.Confirmation.JWKThumbprint || token.Subject != "alice" {
		t.Errorf("scheme %q, proof %v", token.Scheme, token.Proof)
	}
}

func TestNewTokenRefusesWhatAVerifierWould(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"expired at once": {"iat": 1000, "exp": 1000},
		"no exp":          {"exp": nil},
		"no issuer":       {"iss": ""},
		"iat":             {"iat": "yesterday"},
		"cnf":             {"cnf": "x"},
		"not JSON":        {"x": func() {}},
	} {
		err := verifiertest.Run(func(t testing.TB) {
			if token := verifiertest.NewToken(t, claims); token == nil {
				t.Fatal("nil")
			}
		})
		if err == nil {
			t.Errorf("%s: a token was made", name)
		}
	}
}

func TestRequestVerifier(t *testing.T) {
	alice := verifiertest.NewToken(t, map[string]any{"sub": "alice", "scope": "read"})
	guard := verifiertest.NewRequestVerifier()
	guard.Accept("alice", alice)
	guard.Refuse("late", reason.Expired)
	handler := verifier.Middleware(guard, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		if token == alice {
			t.Error("two requests share a token")
		}
		token.Audience[0] = "changed"
		_, _ = w.Write([]byte(token.Subject))
	}))
	send := func(authorization string, want int) string {
		t.Helper()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: status %d; want %d", authorization, w.Code, want)
		}
		return w.Body.String()
	}
	for _, scheme := range []string{"Bearer", "DPoP"} {
		if got := send(scheme+" alice", 200); got != "alice" {
			t.Errorf("answer %q; want %q", got, "alice")
		}
	}
	if alice.Audience[0] == "changed" {
		t.Error("a handler changed the token of the script")
	}
	send("Bearer late", 401)
	send("Bearer mallory", 401)
	send("", 401)
	guard.FailNext(2, verifiertest.Refusal(reason.Keys))
	send("Bearer alice", 503)
	send("Bearer alice", 503)
	send("Bearer alice", 200)
	if got := guard.Calls(); got != 8 {
		t.Errorf("Calls() = %d; want 8", got)
	}
}

func TestRefusal(t *testing.T) {
	for _, info := range reason.Catalogue() {
		e := verifiertest.Refusal(info.Reason)
		if e.Status != info.Status || e.Code != verifier.Code(info.Code) || e.Description != info.Description {
			t.Errorf("Refusal(%q) = %+v", info.Reason, e)
		}
		if got := len(e.Challenges()) > 0; got != (info.Status == 401 || info.Status == 403 && info.Code != "") {
			t.Errorf("Refusal(%q), status %d: challenges %q; want some with 401, and with 403 that has a code", info.Reason, info.Status, e.Challenges())
		}
	}
	if e := verifiertest.Refusal("no such reason"); e.Status != 500 {
		t.Errorf("Refusal of an unknown reason: status %d; want 500", e.Status)
	}
}

func TestRequestVerifierOfOtherTransports(t *testing.T) {
	guard := verifiertest.NewRequestVerifier()
	guard.Accept("alice", verifiertest.NewToken(t, map[string]any{"sub": "alice"}))
	for _, c := range []struct {
		header http.Header
		want   error
	}{
		{http.Header{"authorization": {"Bearer alice"}}, nil},
		{http.Header{"Authorization": {"DPoP alice"}}, nil},
		{http.Header{"authorization": {"Bearer bob"}}, verifier.ErrInvalidToken},
		{nil, verifier.ErrNoCredentials},
	} {
		token, err := guard.VerifyRequest(t.Context(), verifier.Request{Header: c.header})
		if !errors.Is(err, c.want) || c.want == nil && token.Subject != "alice" {
			t.Errorf("VerifyRequest(%v) = %v, %v; want %v", c.header, token, err, c.want)
		}
	}
	if got := guard.Calls(); got != 4 {
		t.Errorf("Calls() = %d; want 4", got)
	}
}
