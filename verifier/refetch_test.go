package verifier_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestASetFetchedForTheRequestIsNotFetchedAgain: it has all there is. One that
// came from the shared cache may be older than the key.
func TestASetFetchedForTheRequestIsNotFetchedAgain(t *testing.T) {
	now := time.Unix(fuzzNow, 0)
	clock := verifier.ClockFunc(func() time.Time { return now })
	cache := verifiertest.NewCache(clock, 10)
	fetches, document := 0, ""
	configure := func(cfg *verifier.Config) {
		cfg.Clock, cfg.Cache = clock, cache
		useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			fetches++
			return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(document)}, nil
		}))
	}
	first := newFuzzWorld(t, configure)
	document = string(first.jwks())
	next := first.token(strings.Replace(fuzzHeader, `"kid":"1"`, `"kid":"2"`, 1), fuzzClaims)
	_, err := first.v.VerifyAccessToken(t.Context(), next)
	if got := reasonOf(t, err); got != reason.KeyUnknown || fetches != 1 {
		t.Errorf("an unknown kid at first: %q after %d fetches; want one", got, fetches)
	}
	document = strings.Replace(document, `"kid":"1"`, `"kid":"2"`, 1)
	second := newFuzzWorld(t, configure)
	if _, err := second.v.VerifyAccessToken(t.Context(), next); err != nil || fetches != 2 {
		t.Errorf("a kid that the shared set does not have yet: %v after %d fetches; want two", err, fetches)
	}
}

// TestRetryAfterGrowsWithTheBackOff: a client learns when trying again makes
// sense.
func TestRetryAfterGrowsWithTheBackOff(t *testing.T) {
	now := time.Unix(fuzzNow, 0)
	down := errors.New("down")
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Clock = verifier.ClockFunc(func() time.Time { return now })
		useFetcher(cfg, verifier.KeyFetcherFunc(func(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
			return verifier.KeySet{}, down
		}))
	})
	token := w.token(fuzzHeader, fuzzClaims)
	var e *verifier.Error
	for range 7 {
		_, err := w.v.VerifyAccessToken(t.Context(), token)
		if !errors.As(err, &e) || e.Status != 503 || !errors.Is(err, down) {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	if e.RetryAfter < 10*time.Second || e.RetryAfter > 30*time.Second {
		t.Errorf("Retry-After of %v after seven failures; want 15 to 30 s", e.RetryAfter)
	}
}
