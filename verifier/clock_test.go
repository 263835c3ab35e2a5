package verifier_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestAClockThatIsSetBackEndsPauses: a back-off that began while the clock was
// a day ahead does not last a day, nor does the memory of a kid that was not
// found.
func TestAClockThatIsSetBackEndsPauses(t *testing.T) {
	now := time.Unix(fuzzNow, 0).Add(24 * time.Hour)
	var document string
	var broken error
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Clock = verifier.ClockFunc(func() time.Time { return now })
		useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(document)}, broken
		}))
	})
	document = string(w.jwks())
	token := w.token(fuzzHeader, strings.Replace(fuzzClaims, "1767229200", "1777229200", 1))
	check := func(what, token string, want verifier.Reason) {
		t.Helper()
		_, err := w.v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", what, got, want)
		}
		var e *verifier.Error
		if errors.As(err, &e) && e.RetryAfter > time.Minute {
			t.Errorf("%s: Retry-After of %v", what, e.RetryAfter)
		}
	}
	broken = errors.New("down")
	check("down", token, reason.Keys)
	broken = nil
	check("up, within the back-off", token, reason.Keys)
	now = now.Add(-24 * time.Hour)
	check("up, and the clock set back", token, "")

	now = now.Add(24 * time.Hour)
	next := w.token(strings.Replace(fuzzHeader, `"kid":"1"`, `"kid":"2"`, 1), strings.Replace(fuzzClaims, "1767229200", "1777229200", 1))
	check("renew", token, "")
	check("a kid that is not there", next, reason.KeyUnknown)
	document = strings.Replace(document, `"kid":"1"`, `"kid":"2"`, 1)
	check("a kid that was not there a moment ago", next, reason.KeyUnknown)
	now = now.Add(-time.Minute)
	check("the clock set back", next, "")
}

// TestUnknownKidInAnOutageIsUndecided: a token with a kid that the keys held do
// not have is not bad while the source cannot be asked, whatever else the
// request caused.
func TestUnknownKidInAnOutageIsUndecided(t *testing.T) {
	now := time.Unix(fuzzNow, 0)
	var w *fuzzWorld
	var broken error
	w = newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Clock = verifier.ClockFunc(func() time.Time { return now })
		useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			return verifier.KeySet{Issuer: req.Issuer, JWKS: w.jwks()}, broken
		}))
	})
	known, unknown := w.token(fuzzHeader, fuzzClaims), w.token(strings.Replace(fuzzHeader, `"kid":"1"`, `"kid":"2"`, 1), fuzzClaims)
	if _, err := w.v.VerifyAccessToken(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	broken = errors.New("down")
	for _, later := range []time.Duration{11 * time.Minute, 0, time.Second, 31 * time.Second, 0} {
		now = now.Add(later)
		_, err := w.v.VerifyAccessToken(t.Context(), unknown)
		if got := reasonOf(t, err); got != reason.Keys {
			t.Errorf("%v later: %q; want %q", later, got, reason.Keys)
		}
		if _, err := w.v.VerifyAccessToken(t.Context(), known); err != nil {
			t.Errorf("%v later, a known kid: %v", later, err)
		}
	}
}
