package providers_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
)

// setup is a provider as it is set up somewhere, and the configuration for it. The
// tables of set-ups are the source of docs/providers.md: what the page tells to write is
// what is tested here.
type setup struct {
	provider string // as the page lists it; "" keeps the set-up out of it
	kind     string // which of its set-ups
	about    string // what is special
	source   string // where that is documented; "" where it is general knowledge

	config verifier.Config
	// adapt replaces what a test cannot have: paths of files, keys, addresses.
	adapt func(w *world, cfg *verifier.Config)
	// issue publishes the provider's documents and returns a token of it.
	issue func(w *world) sent

	check   func(*verifier.Token) string // of the accepted token: what is wrong with it
	refused verifier.Reason              // "": it must be accepted
}

func (s *setup) name() string {
	return strings.ReplaceAll(strings.TrimSpace(s.provider+" "+s.kind), " ", "-")
}

const api = "https://api.example.com"

// tenantID is a GUID as Microsoft and others use them.
const tenantID = "3f1b6f0e-7a54-4f0e-9d53-0a5c1e2b7c11"

func issuers(list ...verifier.Issuer) []verifier.Issuer { return list }

// change returns an issuer with changes.
func change(i verifier.Issuer, f func(*verifier.Issuer)) verifier.Issuer {
	f(&i)
	return i
}

// TestSetups runs all set-ups and prints how many there are.
func TestSetups(t *testing.T) {
	accepted, refused := 0, 0
	seen := make(map[string]bool)
	for _, s := range slices.Concat(hosted, selfHosted, microsoft, clouds, workloads, encryptedOrOpaque, documents, tokens) {
		if seen[s.name()] {
			t.Errorf("two set-ups have the name %q", s.name())
		}
		seen[s.name()] = true
		ok := t.Run(s.name(), func(t *testing.T) {
			w := newWorld(t)
			token, err := s.verify(t, w, s.issue(w).text())
			switch {
			case reasonOf(err) != s.refused:
				t.Errorf("VerifyRequest = %s; want %s", outcome(err), wanted(s.refused))
			case err == nil && s.check != nil && s.check(token) != "":
				t.Errorf("accepted, but %s", s.check(token))
			}
		})
		switch {
		case ok && s.refused == "":
			accepted++
		case ok:
			refused++
		}
	}
	t.Logf("%d set-ups: %d are accepted as their users have a right to, %d are refused as they should be", len(seen), accepted, refused)
}

// verifier makes the one that the set-up's user would have.
func (s *setup) verifier(t testing.TB, w *world) *verifier.Verifier {
	t.Helper()
	cfg := s.config
	cfg.Issuers = slices.Clone(cfg.Issuers)
	if cfg.Doer == nil {
		cfg.Doer = w.client()
	}
	if s.adapt != nil {
		s.adapt(w, &cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func (s *setup) verify(t testing.TB, w *world, token string) (*verifier.Token, error) {
	t.Helper()
	return s.verifier(t, w).VerifyRequest(t.Context(), bearer(token))
}

func bearer(token string) verifier.Request {
	return verifier.Request{Method: "GET", URL: api + "/", Header: http.Header{"Authorization": {"Bearer " + token}}}
}

func reasonOf(err error) verifier.Reason {
	var e *verifier.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Reason
	default:
		return verifier.Reason(err.Error())
	}
}

func wanted(r verifier.Reason) string {
	if r == "" {
		return "a token"
	}
	return string(r)
}

func outcome(err error) string {
	var e *verifier.Error
	switch {
	case err == nil:
		return "a token"
	case errors.As(err, &e):
		return fmt.Sprintf("%s %s: %v", e.Reason, e.Claim, err)
	default:
		return err.Error()
	}
}

// scopes, client, permission and both are checks of a token.
func scopes(want ...string) func(*verifier.Token) string {
	return func(t *verifier.Token) string {
		for _, s := range want {
			if !t.HasScope(s) {
				return fmt.Sprintf("HasScope(%q) is false; Scope = %q", s, t.Scope)
			}
		}
		return ""
	}
}

func client(want string) func(*verifier.Token) string {
	return func(t *verifier.Token) string {
		if t.ClientID != want {
			return fmt.Sprintf("ClientID = %q; want %q", t.ClientID, want)
		}
		return ""
	}
}

func permission(want string) func(*verifier.Token) string {
	return func(t *verifier.Token) string {
		if !t.HasPermission(want) {
			return fmt.Sprintf("HasPermission(%q) is false", want)
		}
		return ""
	}
}

func both(checks ...func(*verifier.Token) string) func(*verifier.Token) string {
	return func(t *verifier.Token) string {
		for _, check := range checks {
			if problem := check(t); problem != "" {
				return problem
			}
		}
		return ""
	}
}

// plain is an issuer whose metadata is where it belongs, with one RSA key.
func plain(name, jwks string, header, payload object) func(*world) sent {
	return func(w *world) sent {
		k := newKey("k1", "RS256")
		w.issuer(name, jwks, k.jwk(nil))
		return k.sign(header, with(object{"iss": name}, payload))
	}
}

// onlyKeys is an issuer without metadata.
func onlyKeys(k *key, jwks string, header, payload object) func(*world) sent {
	return func(w *world) sent {
		w.publish(jwks, keySet(k.jwk(nil)))
		return k.sign(header, payload)
	}
}

var jwt = object{"typ": "JWT"}
