package verifier_test

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestWhenKeysAreFetchedAgain: for what may be signed with a key that is newer than
// the set, once, and for nothing else.
func TestWhenKeysAreFetchedAgain(t *testing.T) {
	const nameless, unknown = `{"alg":"EdDSA","typ":"at+jwt"}`, `{"alg":"EdDSA","typ":"at+jwt","kid":"2"}`
	good := func(header string) func(*memory) string {
		return func(m *memory) string { return m.token(header, fuzzClaims) }
	}
	bad := func(header string) func(*memory) string {
		return func(m *memory) string {
			token := m.token(header, fuzzClaims)
			return token[:len(token)-86] + token[len(token)-86+2:len(token)-4] + "AAAAAA"
		}
	}
	rotated := func(m *memory) { m.issuer = ed25519.NewKeyFromSeed(append(make([]byte, 31), 9)) }
	type step struct {
		before  func(*memory)
		token   func(*memory) string
		want    verifier.Reason
		fetches int
	}
	for name, steps := range map[string][]step{
		"a known kid, a wrong signature": {{nil, bad(fuzzHeader), reason.Signature, 0}, {nil, bad(fuzzHeader), reason.Signature, 0}},
		"an unknown kid":                 {{nil, good(unknown), reason.KeyUnknown, 1}, {nil, good(unknown), reason.KeyUnknown, 0}, {nil, good(fuzzHeader), "", 0}},
		"no kid":                         {{nil, good(nameless), "", 0}},
		"no kid, a wrong signature":      {{nil, bad(nameless), reason.Signature, 1}, {nil, bad(nameless), reason.Signature, 0}, {nil, good(nameless), "", 0}},
		"no kid, a new key":              {{rotated, good(nameless), "", 1}, {nil, good(nameless), "", 0}},
		"no kid, a new key after a wrong signature": {
			{nil, bad(nameless), reason.Signature, 1}, {rotated, good(nameless), "", 1},
		},
		"a new key under an old kid": {{rotated, good(fuzzHeader), reason.Signature, 0}},
		"an unknown kid, the source is down": {
			{func(m *memory) { m.err = errors.New("down") }, good(unknown), reason.Keys, 1}, {nil, good(fuzzHeader), "", 0},
		},
		"no kid, a wrong signature, the source is down": {
			{func(m *memory) { m.err = errors.New("down") }, bad(nameless), reason.Keys, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(t, 0, nil)
			m.checked(t, m.token(fuzzHeader, fuzzClaims), "")
			for i, s := range steps {
				if s.before != nil {
					s.before(m)
				}
				before := m.fetched
				_, err := m.v.VerifyAccessToken(t.Context(), s.token(m))
				if got := reasonOf(t, err); got != s.want || m.fetched-before != s.fetches {
					t.Errorf("step %d: %q after %d fetches; want %q after %d", i, got, m.fetched-before, s.want, s.fetches)
				}
			}
		})
	}
}

// TestSeveralProofsOfWhichOneIsEmpty are several.
func TestSeveralProofsOfWhichOneIsEmpty(t *testing.T) {
	w := newFuzzWorld(t, nil)
	token := w.boundToken()
	proof := w.proof(t, w.proofHeader(), w.proofClaims(token))
	for _, c := range []struct {
		proofs []string
		want   verifier.Reason
	}{
		{[]string{proof}, ""}, {[]string{""}, reason.ProofMissing}, {nil, reason.ProofMissing},
		{[]string{"", proof}, reason.ProofMultiple}, {[]string{proof, ""}, reason.ProofMultiple}, {[]string{"", ""}, reason.ProofMultiple},
	} {
		_, err := w.v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: fuzzURL, Header: http.Header{"Authorization": {"DPoP " + token}, "Dpop": c.proofs}})
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%d proofs: %q; want %q", len(c.proofs), got, c.want)
		}
	}
}

// TestAliasOfADomain: the documents state the domain, in one of its spellings, and
// tokens may have that spelling or the alias.
func TestAliasOfADomain(t *testing.T) {
	m := newMemory(t, 0, func(cfg *verifier.Config) { cfg.Issuers[0].Aliases = []string{"the tenant"} })
	for iss, want := range map[string]verifier.Reason{fuzzIssuer: "", "https://tenant.example.com": reason.IssuerMismatch, "the tenant": "", "the other": reason.IssuerMalformed} {
		_, err := m.v.VerifyAccessToken(t.Context(), m.token(fuzzHeader, change(t, fuzzClaims, `"iss":"`+fuzzIssuer+`"`, `"iss":"`+iss+`"`)))
		if got := reasonOf(t, err); got != want {
			t.Errorf("iss %q: %q; want %q", iss, got, want)
		}
	}
}

// TestIssuerMemberOfAKey counts in a set of several issuers alone: elsewhere it is
// a member like any other.
func TestIssuerMemberOfAKey(t *testing.T) {
	m := newMemory(t, 0, nil)
	m.keys = change(t, string(m.jwks()), `"use":"sig"`, `"use":"sig","issuer":"https://other.example/"`)
	m.checked(t, m.token(fuzzHeader, fuzzClaims), "")
}

// TestOptionsOfARequest count for each way in.
func TestOptionsOfARequest(t *testing.T) {
	w := newFuzzWorld(t, nil)
	token := w.token(fuzzHeader, fuzzClaims)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fuzzURL, nil)
	request.Header.Set("Authorization", "Bearer "+token)
	for name, verify := range map[string]func(...verifier.VerifyOption) (*verifier.Token, error){
		"token": func(o ...verifier.VerifyOption) (*verifier.Token, error) {
			return w.v.VerifyAccessToken(t.Context(), token, o...)
		},
		"request": func(o ...verifier.VerifyOption) (*verifier.Token, error) {
			return w.v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: fuzzURL, Header: request.Header}, o...)
		},
		"HTTP request": func(o ...verifier.VerifyOption) (*verifier.Token, error) {
			return w.v.VerifyHTTPRequest(request, o...)
		},
	} {
		for want, options := range map[verifier.Reason][]verifier.VerifyOption{
			"": {verifier.WithAudience("x"), verifier.WithRequiredClaims("scope")}, reason.Audience: {verifier.WithAudience("y")}, reason.ClaimMissing: {verifier.WithRequiredClaims("role")},
		} {
			if _, err := verify(options...); reasonOf(t, err) != want {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
	}
}

// TestKeysForEncryptedTokens say nothing of tokens that are not encrypted.
func TestKeysForEncryptedTokens(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Decryption.Keys = []verifier.DecryptionKey{{ID: "k1", Private: tokensKey}}
		cfg.Issuers[0].Encryption.Keys = []string{"k1"}
	})
	if _, err := w.v.VerifyAccessToken(t.Context(), w.token(fuzzHeader, fuzzClaims)); err != nil {
		t.Error(err)
	}
}
