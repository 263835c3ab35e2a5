package verifier_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestKeyWithoutKidThatAnotherProcessFetched: the set in the shared cache is enough if
// one of its keys verifies the token.
func TestKeyWithoutKidThatAnotherProcessFetched(t *testing.T) {
	const nameless = `{"alg":"EdDSA","typ":"at+jwt"}`
	rotated := ed25519.NewKeyFromSeed(append(make([]byte, 31), 9))
	for name, c := range map[string]struct {
		key     ed25519.PrivateKey // that signs the token of the second process
		want    verifier.Reason
		fetches int
	}{"the new key": {rotated, "", 0}, "no key": {ed25519.NewKeyFromSeed(append(make([]byte, 31), 8)), reason.Signature, 1}} {
		now := time.Unix(fuzzNow, 0)
		clock := verifier.ClockFunc(func() time.Time { return now })
		cache := verifiertest.NewCache(clock, 10)
		fetches, document := 0, ""
		world := func() *fuzzWorld {
			return newFuzzWorld(t, func(cfg *verifier.Config) {
				cfg.Clock, cfg.Cache = clock, cache
				useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
					fetches++
					return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(document)}, nil
				}))
			})
		}
		check := func(w *fuzzWorld, want verifier.Reason) {
			t.Helper()
			_, err := w.v.VerifyAccessToken(t.Context(), w.token(nameless, fuzzClaims))
			if got := reasonOf(t, err); got != want {
				t.Errorf("%s: %q; want %q", name, got, want)
			}
		}
		first, second := world(), world()
		document = string(first.jwks())
		check(first, "")
		_ = first.v.Close() // what it fetched is in the cache
		check(second, "")
		now = now.Add(time.Second)
		third := world()
		third.issuer = rotated
		document = string(third.jwks())
		check(third, "") // it takes the old set from the cache, and then asks
		_ = third.v.Close()
		before := fetches
		second.issuer = c.key
		check(second, c.want)
		if fetches-before != c.fetches {
			t.Errorf("%s: %d fetches; want %d", name, fetches-before, c.fetches)
		}
	}
}

// TestIssuersWhoseKeysVerifiedAreKept: tokens that nobody signed drive out issuers
// alone that verified nothing.
func TestIssuersWhoseKeysVerifiedAreKept(t *testing.T) {
	fetches := make(map[string]int)
	w := newFuzzWorld(t, nil)
	v, err := verifier.New(func() verifier.Config {
		cfg := verifier.Config{
			Audience: fuzzAudience, Algorithms: []string{"EdDSA"},
			Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
			Domains: verifier.DomainResolverFunc(func(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
				return []string{req.UnverifiedIssuer}, nil
			}),
			Refresh: verifier.RefreshConfig{MaxIssuers: 2},
		}
		useFetcher(&cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			fetches[req.Issuer]++
			return verifier.KeySet{Issuer: req.Issuer, JWKS: w.jwks()}, nil
		}))
		return cfg
	}())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token := func(n int) string {
		return w.token(fuzzHeader, change(t, fuzzClaims, fuzzIssuer, fmt.Sprintf("https://%d.example.com/", n)))
	}
	verify := func(n int, token string, want verifier.Reason) {
		t.Helper()
		_, err := v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); got != want {
			t.Errorf("issuer %d: %q; want %q", n, got, want)
		}
	}
	verify(0, token(0), "")
	for n := 1; n < 5; n++ {
		forged := token(n)
		verify(n, forged[:len(forged)-6]+"AAAAAA", reason.Signature)
	}
	verify(0, token(0), "")
	if got := fetches["https://0.example.com/"]; got != 1 {
		t.Errorf("the keys of the issuer in use were fetched %d times; want once", got)
	}
}

// TestMistakesOfTheCallerComeFirst: without a URL nothing is verified, good or bad.
func TestMistakesOfTheCallerComeFirst(t *testing.T) {
	w := newFuzzWorld(t, nil)
	token := w.boundToken()
	proof := w.proof(t, w.proofHeader(), w.proofClaims(token))
	forged := proof[:len(proof)-6] + "AAAAAA"
	for text, c := range map[string]struct{ token, proof string }{"good": {token, proof}, "a bad token": {token + "x", proof}} {
		_, err := w.v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", Header: http.Header{"Authorization": {"DPoP " + c.token}, "Dpop": {c.proof}}})
		if got := reasonOf(t, err); got != reason.Argument {
			t.Errorf("%s: %q; want %q", text, got, reason.Argument)
		}
	}
	for text, p := range map[string]string{"good": proof, "a bad proof": forged} {
		for _, req := range []verifier.ProofRequest{{Proof: p, Method: "GET"}, {Proof: p, URL: fuzzURL}} {
			_, err := w.v.VerifyDPoPProof(t.Context(), req)
			if got := reasonOf(t, err); got != reason.Argument {
				t.Errorf("%s: %q; want %q", text, got, reason.Argument)
			}
		}
	}
}
