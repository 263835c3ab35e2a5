package verifier_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// brittle is an error whose methods panic when it is a nil pointer or empty.
type brittle struct{ text []string }

func (b *brittle) Error() string { return b.text[0] }
func (b *brittle) Is(error) bool { return b.text[0] == "" }

// looped is an error that wraps one whose Unwrap panics.
type looped struct{ error }

func (looped) Unwrap() error { panic("no") }

// TestErrorsThatPanic: what the calling program's code returns may be a nil pointer
// in an error, or panic when it is looked at. That is "could not decide", wherever
// it comes from, and in goroutines of our own it must not end the process.
func TestErrorsThatPanic(t *testing.T) {
	for kind, bad := range map[string]error{
		"nil *Error": (*verifier.Error)(nil), "nil pointer": (*brittle)(nil), "empty": &brittle{}, "wrapped": looped{errors.New("x")},
		"joined": errors.Join(errors.New("x"), (*brittle)(nil)),
	} {
		one := func(i verifier.Issuer) verifier.Config {
			i.Name = "https://a.example"
			return verifier.Config{Issuers: []verifier.Issuer{i}, Audience: "api"}
		}
		domains := verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) { return nil, bad })
		cached, err := resolver.Cached(domains, resolver.CacheConfig{Key: resolver.IssuerKey})
		if err != nil {
			t.Fatal(err)
		}
		clock, err := resolver.Cached(resolver.Static("a.example"), resolver.CacheConfig{Key: resolver.IssuerKey, Clock: verifier.ClockFunc(func() time.Time { panic("no time") })})
		if err != nil {
			t.Fatal(err)
		}
		template, err := resolver.Template(resolver.TemplateConfig{
			Name: "https://a.example/{tenant}", Keys: verifier.KeysURL("https://a.example/keys"),
			Allowed: func(context.Context, string) (bool, error) { return true, bad },
		})
		if err != nil {
			t.Fatal(err)
		}
		revoking := one(verifier.Issuer{})
		revoking.Revocation.Checker = checkerFunc(func() (bool, error) { return false, bad })
		asking := one(verifier.Issuer{Opaque: verifier.OpaqueTokens{JWTs: true, Introspector: verifier.IntrospectorFunc(
			func(context.Context, verifier.IntrospectionRequest) (verifier.Introspection, error) {
				return verifier.Introspection{}, bad
			})}})
		fetching := one(verifier.Issuer{Keys: verifier.KeysFrom(verifier.KeyFetcherFunc(
			func(context.Context, verifier.KeyRequest) (verifier.KeySet, error) { return verifier.KeySet{}, bad }))})
		doing := one(verifier.Issuer{Keys: verifier.KeysURL("https://a.example/keys"), Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return nil, bad })})
		caching := doing
		caching.Cache = badCache{bad}
		for name, cfg := range map[string]verifier.Config{
			"resolver": {Domains: domains, Audience: "api"}, "chain": {Domains: resolver.Chain(domains, domains), Audience: "api"},
			"cached": {Domains: cached, Audience: "api"}, "clock of the cache": {Domains: clock, Audience: "api"}, "template": {Domains: template, Audience: "api"},
			"issuer resolver": {Domains: &tenants{answer: func(verifier.ResolveRequest) (*verifier.Issuer, error) { return nil, bad }}, Audience: "api"},
			"revocation":      revoking, "introspector": asking, "fetcher": fetching, "doer": doing, "cache": caching,
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				j := newCourt(t, cfg)
				_, err := j.VerifyAccessToken(t.Context(), j.token("", claims{"iss": map[bool]string{true: "https://a.example/x", false: "https://a.example"}[name == "template"]}))
				var e *verifier.Error
				if !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable || !errors.Is(err, verifier.ErrUnavailable) || errors.Is(err, verifier.ErrInvalidToken) {
					t.Errorf("%v; want ErrUnavailable", err)
				}
			})
		}
		t.Run(kind+" requirement", func(t *testing.T) {
			token := verifiertest.NewToken(t, nil)
			err := verifier.Meets(t.Context(), token, func(context.Context, *verifier.Token) error { return bad })
			if !errors.Is(err, verifier.ErrUnavailable) || errors.Is(err, verifier.ErrInvalidToken) {
				t.Errorf("%v; want ErrUnavailable", err)
			}
			verifier.WriteError(httptest.NewRecorder(), err)
		})
	}
}

// TestRequestVerifiersThatSayNothing: a mock that was not told what to return lets
// nobody in, and a nil *Error in an error is one all the same.
func TestRequestVerifiersThatSayNothing(t *testing.T) {
	for name, err := range map[string]error{"nothing": nil, "a nil *Error": (*verifier.Error)(nil)} {
		for _, optional := range []bool{false, true} {
			reached := false
			h := verifier.Middleware(requestVerifierFunc(func() (*verifier.Token, error) { return nil, err }), verifier.MiddlewareConfig{Optional: optional})(
				http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Code != http.StatusInternalServerError || reached {
				t.Errorf("%s, optional %v: status %d, handler reached %v; want 500 and not", name, optional, w.Code, reached)
			}
		}
	}
}

type requestVerifierFunc func() (*verifier.Token, error)

func (f requestVerifierFunc) VerifyHTTPRequest(*http.Request, ...verifier.VerifyOption) (*verifier.Token, error) {
	return f()
}

type checkerFunc func() (bool, error)

func (f checkerFunc) Revoked(context.Context, verifier.RevocationRequest) (bool, error) { return f() }

type badCache struct{ err error }

func (c badCache) Get(context.Context, string) ([]byte, bool, error)        { return nil, false, c.err }
func (c badCache) Set(context.Context, string, []byte, time.Duration) error { return c.err }
func (c badCache) Delete(context.Context, string) error                     { return c.err }

// oddBody is a body of a Doer's own making.
type oddBody struct{ read, close func() }

func (b oddBody) Read([]byte) (int, error) { b.read(); return 0, io.EOF }
func (b oddBody) Close() error             { b.close(); return nil }

// TestOddAnswers: answers that no server gives, but a Doer, a KeyFetcher or a clock
// of the calling program can, decide nothing and harm nothing.
func TestOddAnswers(t *testing.T) {
	boom, calm := func() { panic("no") }, func() {}
	responses := map[string]*http.Response{
		"nothing": nil, "zero": {}, "no header": {StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))},
		"odd length":    {StatusCode: 200, ContentLength: -5, Body: io.NopCloser(strings.NewReader(`{"keys":[]}`))},
		"read panics":   {StatusCode: 200, Body: oddBody{boom, calm}},
		"close panics":  {StatusCode: 200, Body: oddBody{calm, boom}},
		"both panic":    {StatusCode: 503, Body: oddBody{boom, boom}},
		"nil body":      {StatusCode: 200, Body: (*os.File)(nil)},
		"no such state": {StatusCode: -1, Body: http.NoBody}, "redirect to nowhere": {StatusCode: 302, Body: http.NoBody}, "304 unasked": {StatusCode: 304, Body: http.NoBody},
	}
	for name, response := range responses {
		t.Run(name, func(t *testing.T) {
			j := newCourt(t, verifier.Config{Audience: "api", Issuers: []verifier.Issuer{{Name: "https://a.example", Keys: verifier.KeysURL("https://a.example/keys"),
				Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) { return response, nil })}}})
			_, err := j.VerifyAccessToken(t.Context(), j.token("", nil))
			if !errors.Is(err, verifier.ErrUnavailable) && name != "odd length" {
				t.Errorf("%v; want ErrUnavailable", err)
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 2))
	odd := func() time.Duration {
		return []time.Duration{0, 1, -1, time.Hour, math.MinInt64, math.MaxInt64, -time.Hour}[r.IntN(7)]
	}
	for n := range 200 {
		var w *fuzzWorld
		set := verifier.KeySet{
			Freshness: verifier.Freshness{MaxAge: odd(), HasMaxAge: r.IntN(2) == 0, Age: odd(), NoStore: r.IntN(4) == 0},
			ETag:      strings.Repeat("e", []int{0, 1, 1 << 20}[r.IntN(3)]), NotModified: r.IntN(8) == 0,
		}
		j := newCourt(t, verifier.Config{Audience: "api", Cache: verifiertest.NewCache(nil, 0), Issuers: []verifier.Issuer{{Name: "https://a.example", Keys: verifier.KeysFrom(verifier.KeyFetcherFunc(
			func(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
				set.JWKS = w.jwks()
				return set, nil
			}))}}})
		w = j.w
		_, err := j.VerifyAccessToken(t.Context(), j.token("", nil))
		if (err == nil) == set.NotModified || err != nil && !errors.Is(err, verifier.ErrUnavailable) {
			t.Errorf("%d, %+v: %v; want the token accepted, or 503 for NotModified", n, set.Freshness, err)
		}
	}
	for _, now := range []time.Time{{}, time.Unix(1<<62, 0), time.Unix(-1<<62, 0), time.Unix(9_300_000_000, 0)} {
		w := newFuzzWorld(t, nil)
		v, err := verifier.New(verifier.Config{Audience: "api", Algorithms: []string{"EdDSA"}, Clock: verifier.ClockFunc(func() time.Time { return now }),
			Issuers: []verifier.Issuer{{Name: "https://a.example", Keys: verifier.KeysStatic(w.jwks())}}})
		if err != nil {
			t.Fatal(err)
		}
		j := &court{t, v, w}
		if _, err := v.VerifyAccessToken(t.Context(), j.token("", claims{"nbf": issuersNow})); err == nil {
			t.Errorf("at %v: accepted", now)
		}
		_ = v.Close()
	}
}
