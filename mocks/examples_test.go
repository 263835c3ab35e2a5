package mocks_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/mock/gomock"

	"github.com/portcullis-go/portcullis/mocks"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const audience = "https://api.example.com"

// newVerifier closes the Verifier before the controller, which was made
// earlier, counts the calls.
func newVerifier(t *testing.T, cfg verifier.Config) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestKeysAreFetchedOnce(t *testing.T) {
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://login.example.com/"))
	fetcher := mocks.NewMockKeyFetcher(gomock.NewController(t))
	fetcher.EXPECT().
		FetchKeys(gomock.Any(), verifier.KeyRequest{Issuer: issuer.URL()}).
		Return(verifier.KeySet{Issuer: issuer.URL(), JWKS: issuer.JWKS()}, nil).
		Times(1)
	v := newVerifier(t, verifier.Config{Issuers: []verifier.Issuer{{Name: issuer.Domain(), Keys: verifier.KeysFrom(fetcher)}}, Audience: audience})
	for range 3 {
		if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
			t.Errorf("VerifyAccessToken() = %v; want no error", err)
		}
	}
}

func TestCacheFaultDoesNotFailAToken(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	down := errors.New("the cache is down")
	cache := mocks.NewMockCache(gomock.NewController(t))
	cache.EXPECT().Get(gomock.Any(), gomock.Any()).Return(nil, false, down).MinTimes(1)
	cache.EXPECT().Set(gomock.Any(), gomock.Any(), gomock.Any(), gomock.Any()).Return(down).AnyTimes()
	cfg := issuer.Config(audience)
	cfg.Cache = cache
	v := newVerifier(t, cfg)
	if _, err := v.VerifyAccessToken(t.Context(), issuer.Sign(audience, nil)); err != nil {
		t.Errorf("VerifyAccessToken() = %v; want no error", err)
	}
}

func TestResolverIsAskedWithTheHost(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	resolver := mocks.NewMockDomainResolver(gomock.NewController(t))
	ofAcme := gomock.Cond(func(req verifier.ResolveRequest) bool {
		return req.Header().Get("Host") == "acme.api.example.com" && req.Header().Get("Authorization") == ""
	})
	resolver.EXPECT().ResolveDomains(gomock.Any(), ofAcme).Return([]string{issuer.Domain()}, nil)
	cfg := issuer.Config(audience)
	cfg.Domain, cfg.Domains = "", resolver
	v := newVerifier(t, cfg)
	r := httptest.NewRequest("GET", "https://acme.api.example.com/orders", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Sign(audience, nil))
	if _, err := v.VerifyHTTPRequest(r); err != nil {
		t.Errorf("VerifyHTTPRequest() = %v; want no error", err)
	}
}

func TestClockDecidesExpiry(t *testing.T) {
	issued := verifiertest.NewClock(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(issued))
	token := issuer.Sign(audience, nil) // good for an hour
	for _, tt := range []struct {
		name string
		now  time.Time
		want error
	}{
		{"a second before the end", issued.Now().Add(time.Hour - time.Second), nil},
		{"at the end", issued.Now().Add(time.Hour), verifier.ErrExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := mocks.NewMockClock(gomock.NewController(t))
			clock.EXPECT().Now().Return(tt.now).MinTimes(1)
			cfg := issuer.Config(audience)
			cfg.Clock = clock
			v := newVerifier(t, cfg)
			if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("VerifyAccessToken() = %v; want %v", err, tt.want)
			}
		})
	}
}

func TestReplayStoreErrorIs503(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	client := verifiertest.NewDPoPClient(t, nil, "")
	store := mocks.NewMockReplayStore(gomock.NewController(t))
	store.EXPECT().Add(gomock.Any(), gomock.Any(), gomock.Any()).Return(false, errors.New("the store is down"))
	cfg := issuer.Config(audience)
	cfg.DPoP.ReplayStore = store
	protect := verifier.Middleware(newVerifier(t, cfg), verifier.MiddlewareConfig{})
	handler := protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }))
	r := httptest.NewRequest("GET", "https://api.example.com/orders", nil)
	client.Authorize(r, issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q; want 503 and a time", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestReplayIsReported(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	client := verifiertest.NewDPoPClient(t, nil, "")
	observer := mocks.NewMockObserver(gomock.NewController(t))
	replay := gomock.Cond(func(e verifier.Event) bool { return e.Kind == verifier.EventReplay })
	observer.EXPECT().Observe(replay).Times(1)
	observer.EXPECT().Observe(gomock.Not(replay)).AnyTimes()
	cfg := issuer.Config(audience)
	cfg.Observer = observer
	v := newVerifier(t, cfg)
	r := httptest.NewRequest("GET", "https://api.example.com/orders", nil)
	client.Authorize(r, issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()}))
	for _, want := range []error{nil, verifier.ErrReplayed} {
		if _, err := v.VerifyHTTPRequest(r); !errors.Is(err, want) {
			t.Errorf("VerifyHTTPRequest() = %v; want %v", err, want)
		}
	}
}

func TestHandlerGetsTheToken(t *testing.T) {
	guard := mocks.NewMockRequestVerifier(gomock.NewController(t))
	guard.EXPECT().VerifyHTTPRequest(gomock.Any()).Return(&verifier.Token{Subject: "alice"}, nil)
	handler := verifier.Middleware(guard, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		_, _ = w.Write([]byte("hello " + token.Subject))
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Body.String(); got != "hello alice" {
		t.Errorf("answer %q; want %q", got, "hello alice")
	}
}
