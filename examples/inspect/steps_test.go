package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestEveryReasonHasOneStep, but for those that this program cannot meet.
func TestEveryReasonHasOneStep(t *testing.T) {
	elsewhere := []verifier.Reason{
		reason.ForwardedMalformed, reason.RequestURL, // of net/http
		reason.NonceRequired, reason.NonceNotAccepted, reason.NonceSource, // no nonces here
		reason.Scope, reason.Permission, reason.Forbidden, reason.Authentication, // of routes
		reason.CertificateBindingMissing, reason.Requirement,
		reason.CrossOrigin,                                                  // of cookies
		reason.TokenDecryption, reason.TokenNotEncrypted, reason.Decryption, // no keys for decryption here
		reason.TokenInactive, reason.Introspection, reason.Revoked, reason.Revocation, // nor what asks the issuer
	}
	count := make(map[verifier.Reason]int)
	for _, s := range steps(true) {
		for _, reason := range s.reasons {
			count[reason]++
		}
	}
	for _, info := range reason.Catalogue() {
		want := 1
		if slices.Contains(elsewhere, info.Reason) {
			want = 0
		}
		if count[info.Reason] != want {
			t.Errorf("%d steps have %q; want %d", count[info.Reason], info.Reason, want)
		}
	}
}

// attempt is a token with a proof, good unless something is changed.
type attempt struct {
	issuer                                   *verifiertest.Issuer
	holder, signer                           *verifiertest.DPoPClient
	header, claims, proofHeader, proofClaims map[string]any
	algorithms                               string
	finish, finishProof                      func(string) string
}

// fault fails one step. Faults that change the same thing exclude each other.
type fault struct {
	step, changes string
	spoil         func(a *attempt)
}

func unchanged(text string) string { return text }

// faults are one for each step that one token alone can fail, in any order.
func faults(thief *verifiertest.DPoPClient) []fault {
	return []fault{
		{"authorization header", "text", func(a *attempt) { a.finish = func(t string) string { return t + "," + t } }},
		{"proof syntax", "proof text", func(a *attempt) { a.finishProof = func(string) string { return "garbage" } }},
		{"token size", "pad", func(a *attempt) { a.claims["pad"] = strings.Repeat("x", 20_000) }},
		{"token syntax", "text", func(a *attempt) { a.finish = func(t string) string { return t[1:] } }},
		{"token type", "typ", func(a *attempt) { a.header["typ"] = "logout+jwt" }},
		{"types of claims", "sub", func(a *attempt) { a.claims["sub"] = 5 }},
		{"issuer allowed", "iss", func(a *attempt) { a.claims["iss"] = "https://evil.example.com/" }},
		{"algorithm allowed", "algorithms", func(a *attempt) { a.algorithms = "RS256" }},
		{"claims present", "iat", func(a *attempt) { delete(a.claims, "iat") }},
		{"exp and nbf", "exp", func(a *attempt) { a.claims["exp"] = time.Now().Add(-time.Hour).Unix() }},
		{"audience", "aud", func(a *attempt) { a.claims["aud"] = "other" }},
		{"metadata of the issuer", "metadata", func(a *attempt) { a.issuer.SetDiscovery([]byte("<html>")) }},
		{"keys of the issuer", "keys", func(a *attempt) { a.issuer.SetJWKS([]byte("<html>")) }},
		{"key of the token", "kid", func(a *attempt) { a.header["kid"] = "unknown" }},
		{"signature", "text", func(a *attempt) { a.finish = tampered }},
		{"issuer of the keys", "iss", func(a *attempt) { a.claims["iss"] = strings.TrimSuffix(a.issuer.URL(), "/") }},
		{"confirmation", "cnf", func(a *attempt) { a.claims["cnf"] = map[string]any{"jwk": "something"} }},
		{"binding", "cnf", func(a *attempt) { delete(a.claims, "cnf") }},
		{"client certificate", "cnf", func(a *attempt) {
			a.claims["cnf"] = map[string]any{"jkt": a.holder.Thumbprint(), "x5t#S256": a.holder.Thumbprint()}
		}},
		{"proof type and key", "proof typ", func(a *attempt) { a.proofHeader["typ"] = "JWT" }},
		{"proof signature", "proof text", func(a *attempt) { a.finishProof = tampered }},
		{"proof claims", "jti", func(a *attempt) { a.proofClaims["jti"] = nil }},
		{"proof method", "htm", func(a *attempt) { a.proofClaims["htm"] = "POST" }},
		{"proof URL", "htu", func(a *attempt) { a.proofClaims["htu"] = "https://other.example.com/" }},
		{"proof age", "proof iat", func(a *attempt) { a.proofClaims["iat"] = time.Now().Add(-time.Hour).Unix() }},
		{"proof of this token", "ath", func(a *attempt) { a.proofClaims["ath"] = "other" }},
		{"proof by the bound key", "signer", func(a *attempt) { a.signer = thief }},
	}
}

// TestOrderOfSteps makes tokens with two faults each, and looks which one the
// Verifier finds: the order of the steps is its order.
func TestOrderOfSteps(t *testing.T) {
	issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256"))
	holder, thief := verifiertest.NewDPoPClient(t, nil, ""), verifiertest.NewDPoPClient(t, nil, "")
	all := faults(thief)
	position := make(map[string]int)
	for i, s := range steps(true) {
		position[s.name] = i
	}
	for _, first := range all {
		for _, second := range all {
			excluded := first.changes == second.changes && first.step != second.step
			if position[first.step] > position[second.step] || excluded {
				continue
			}
			a := &attempt{
				issuer: issuer, holder: holder, signer: holder, algorithms: "ES256",
				header: map[string]any{}, claims: issuer.Claims(audience, map[string]any{"cnf": holder.Confirmation()}),
				proofHeader: map[string]any{}, proofClaims: map[string]any{}, finish: unchanged, finishProof: unchanged,
			}
			first.spoil(a)
			second.spoil(a)
			got := a.refusedAt(t)
			issuer.SetDiscovery(nil)
			issuer.SetJWKS(nil)
			if got != first.step {
				t.Errorf("with faults in %q and %q the Verifier stopped at %q; want the first", first.step, second.step, got)
			}
		}
	}
	covered := slices.Collect(maps.Keys(position))
	covered = slices.DeleteFunc(covered, func(name string) bool {
		return name == "replay" || slices.ContainsFunc(all, func(f fault) bool { return f.step == name })
	})
	if len(covered) > 0 {
		t.Errorf("no fault fails the steps %q", covered)
	}
}

// refusedAt runs the program and returns the step that was not passed.
func (a *attempt) refusedAt(t *testing.T) string {
	t.Helper()
	const url = "https://api.example.com/orders"
	token := a.finish(a.issuer.SignWith(a.header, a.claims))
	proof := a.finishProof(a.signer.ProofWith(http.MethodGet, url, token, a.proofHeader, a.proofClaims))
	_, out := inspect(t, a.issuer, token, "-algorithms", a.algorithms, "-proof", proof, "-method", http.MethodGet, "-url", url)
	at, got := "", outcomes(out)
	for _, s := range steps(true) {
		outcome := got[s.name]
		switch {
		case at == "" && (strings.HasPrefix(outcome, "REFUSED") || strings.HasPrefix(outcome, "UNDECIDED")):
			at = s.name
		case at == "" && !strings.HasPrefix(outcome, "ok"), at != "" && outcome != "":
			t.Errorf("%s = %q; want ok before the step that failed, and nothing after it", s.name, outcome)
		}
	}
	return at
}
