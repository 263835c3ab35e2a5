package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestContextUntilExpiry: the clock of the Verifier says how long a token has
// left.
func TestContextUntilExpiry(t *testing.T) {
	for _, c := range []struct {
		name   string
		leeway time.Duration
		exp    time.Duration // from now on
		want   time.Duration
	}{
		{"an hour", 0, time.Hour, time.Hour},
		{"an hour and the leeway", time.Minute, time.Hour, time.Hour + time.Minute},
		{"within the leeway", time.Minute, -20 * time.Second, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := verifiertest.NewClock(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
			issuer := verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256"), verifiertest.WithClock(clock))
			cfg := issuer.Config("https://api.example.com")
			cfg.Leeway = c.leeway
			v, err := verifier.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			compact := issuer.Sign("https://api.example.com", map[string]any{"exp": clock.Now().Add(c.exp).Unix()})
			token, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", Header: http.Header{"Authorization": {"Bearer " + compact}}})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, stop := verifier.ContextUntilExpiry(t.Context(), token)
				defer stop()
				<-ctx.Done()
				if got := time.Since(began); got != c.want {
					t.Errorf("the context ended after %v; want %v", got, c.want)
				}
				var e *verifier.Error
				if cause := context.Cause(ctx); !errors.As(cause, &e) || !errors.Is(cause, verifier.ErrExpired) {
					t.Fatalf("Cause = %v; want %v", context.Cause(ctx), verifier.ErrExpired)
				}
				want := `Bearer error="invalid_token", error_description="the access token has expired"`
				if got := e.Challenges(); len(got) != 2 || got[0] != want {
					t.Errorf("challenges = %q; want %q first", got, want)
				}
			})
		})
	}
}

func TestContextOfATokenWithoutEnd(t *testing.T) {
	ctx, stop := verifier.ContextUntilExpiry(t.Context(), &verifier.Token{Subject: "alice"})
	if _, has := ctx.Deadline(); has || ctx.Err() != nil {
		t.Errorf("the context has a deadline or has ended: %v", ctx.Err())
	}
	stop()
	if ctx.Err() == nil {
		t.Error("the context goes on after stop")
	}
}

// TestEndWithToken: a handler that streams ends with its token, if asked for.
func TestEndWithToken(t *testing.T) {
	v := verifiertest.NewRequestVerifier()
	v.Accept("alice", verifiertest.NewToken(t, nil))
	for _, want := range []bool{false, true} {
		var has bool
		h := verifier.Middleware(v, verifier.MiddlewareConfig{EndWithToken: want})(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, has = r.Context().Deadline() }))
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Authorization", "Bearer alice")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if has != want {
			t.Errorf("EndWithToken: %v: the context has a deadline: %v", want, has)
		}
	}
}
