package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// keyServer has the key sets of two issuers.
type keyServer struct {
	*backend
	lock    sync.Mutex
	version int    // of the first issuer's set
	name    string // that the first issuer states, if it is another one
}

const (
	firstIssuer  = "https://a.example/"
	secondIssuer = "https://b.example/"
)

func (s *keyServer) answer(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
	if err := s.begin(ctx); err != nil {
		return verifier.KeySet{}, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	version := 1
	switch req.Issuer {
	case firstIssuer:
		version = s.version
	case secondIssuer:
	default:
		return verifier.KeySet{}, errUnknownIssuer
	}
	set := verifier.KeySet{Issuer: req.Issuer, ETag: fmt.Sprintf(`"%s-%d"`, req.Issuer, version)}
	set.Freshness = verifier.Freshness{MaxAge: 10 * time.Minute, HasMaxAge: true}
	if req.Issuer == firstIssuer && s.name != "" {
		set.Issuer = s.name
	}
	if req.ETag == set.ETag {
		set.NotModified = true
		return set, nil
	}
	set.JWKS = fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"%x"}]}`, fmt.Sprint(req.Issuer, version))
	return set, nil
}

var errUnknownIssuer = errors.New("no keys of this issuer")

type fetchFunc = verifier.KeyFetcherFunc

// fetching is a mistake in a fetcher.
type fetching = func(s *keyServer, fetch fetchFunc) fetchFunc

func fetcherHarness(change fetching) conformance.KeyFetcherHarness {
	s := &keyServer{backend: newBackend()}
	return conformance.KeyFetcherHarness{
		New: func(*conformance.Env) (verifier.KeyFetcher, error) {
			if change == nil {
				return fetchFunc(s.answer), nil
			}
			return change(s, s.answer), nil
		},
		Issuers: []string{firstIssuer, secondIssuer},
		Rotate: func() error {
			s.lock.Lock()
			defer s.lock.Unlock()
			s.version++
			return nil
		},
		Restate: func() (string, func(), error) {
			restate := func(name string) {
				s.lock.Lock()
				defer s.lock.Unlock()
				s.name = name
			}
			restate("https://c.example/")
			return "https://c.example/", func() { restate("") }, nil
		},
		Break: func(verifier.KeyFetcher) func() { return s.setDown() },
		Hang:  func(verifier.KeyFetcher) func() { return s.setHang() },
	}
}

func TestReferenceKeyFetcher(t *testing.T) {
	report := conformance.TestKeyFetcher(t, fetcherHarness(nil))
	for _, skipped := range report.With(conformance.Skipped) {
		t.Errorf("%s is skipped: %s; want the reference to run all checks", skipped.Check, skipped.Detail)
	}
}

func TestKeyFetcherDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.KeyFetcherChecks(), append(fetcherDefects(), moreFetcherDefects()...), func(ctx context.Context, d defect[fetching]) conformance.Report {
		return conformance.RunKeyFetcher(ctx, fetcherHarness(d.make))
	})
}

// edited changes good answers.
func edited(f func(req verifier.KeyRequest, set *verifier.KeySet)) fetching {
	return func(_ *keyServer, fetch fetchFunc) fetchFunc {
		return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			set, err := fetch(ctx, req)
			if err == nil {
				f(req, &set)
			}
			return set, err
		}
	}
}

func replaced(old, new string) fetching {
	return edited(func(_ verifier.KeyRequest, set *verifier.KeySet) {
		set.JWKS = bytes.ReplaceAll(set.JWKS, []byte(old), []byte(new))
	})
}

func fetcherDefects() []defect[fetching] {
	return []defect[fetching]{
		{name: "an HTML page is taken for keys", fails: "keys-are-a-jwks every-call-asks-the-source a-changed-set-is-modified", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) {
			if !set.NotModified {
				set.JWKS = []byte("<html>sign in</html>")
			}
		})},
		{name: "keys lack their type", fails: "keys-are-a-jwks", make: replaced(`"kty":"OKP",`, "")},
		{name: "the answer is not bounded", fails: "keys-have-a-size-limit", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) {
			if !set.NotModified {
				set.JWKS = append(set.JWKS, bytes.Repeat([]byte(" "), 1<<20)...)
			}
		})},
		{name: "private keys are handed out", fails: "keys-are-public", make: replaced(`"crv"`, `"d":"c2VjcmV0","crv"`)},
		{name: "the set lists a shared secret", fails: "keys-are-public", make: replaced(`{"kty":"OKP"`, `{"kty":"oct","k":"c2VjcmV0"},{"kty":"OKP"`)},
		{name: "the issuer is not stated", fails: "issuer-is-stated", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) { set.Issuer = "" })},
		{name: "all issuers are stated as the first", fails: "issuer-is-stated", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) { set.Issuer = firstIssuer })},
		{name: "the sets of all issuers are merged", fails: "keys-do-not-cross-issuers", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				if err != nil || set.NotModified {
					return set, err
				}
				all := "{\"keys\":["
				for i, issuer := range []string{firstIssuer, secondIssuer} {
					one, err := fetch(ctx, verifier.KeyRequest{Issuer: issuer})
					if err != nil {
						return set, err
					}
					all += strings.Repeat(",", i) + strings.TrimSuffix(strings.TrimPrefix(string(one.JWKS), `{"keys":[`), "]}")
				}
				set.JWKS = []byte(all + "]}")
				return set, nil
			}
		}},
		{name: "an unknown issuer gets the keys of the first", fails: "look-alike-issuers-are-unknown unknown-issuer-is-an-error", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				if errors.Is(err, errUnknownIssuer) {
					req.Issuer = firstIssuer
					return fetch(ctx, req)
				}
				return set, err
			}
		}},
		{name: "an unknown domain is an empty set", fails: "unknown-issuer-is-an-error", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				domain := strings.TrimSuffix(strings.TrimPrefix(req.Issuer, "https://"), "/")
				if errors.Is(err, errUnknownIssuer) && strings.Count(domain, ".") == 1 && !strings.ContainsAny(domain, "/@:") {
					return verifier.KeySet{Issuer: req.Issuer, JWKS: []byte(`{"keys":[]}`)}, nil
				}
				return set, err
			}
		}},
		{name: "issuers are compared by their beginning", fails: "look-alike-issuers-are-unknown", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				for _, known := range []string{firstIssuer, secondIssuer} {
					if strings.HasPrefix(req.Issuer, strings.TrimSuffix(known, "/")) {
						req.Issuer = known
					}
				}
				return fetch(ctx, req)
			}
		}},
		{name: "the stored bytes are handed out", fails: "returned-bytes-are-the-callers", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var mu sync.Mutex
			stored := make(map[string][]byte)
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && !set.NotModified {
					if stored[set.ETag] == nil {
						stored[set.ETag] = set.JWKS
					}
					set.JWKS = stored[set.ETag]
				}
				return set, err
			}
		}},
		{name: "a field of the fetcher holds the issuer of the call", fails: "concurrent-calls", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var mu sync.Mutex
			var current verifier.KeyRequest
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				mu.Lock()
				current = req
				mu.Unlock()
				yield()
				mu.Lock()
				req = current
				mu.Unlock()
				return fetch(ctx, req)
			}
		}},
		{name: "the fetcher's own ETag makes the set not modified", fails: "not-modified-needs-an-etag", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var known tombstones
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				if err == nil && req.ETag == "" {
					set.NotModified = known.has(set.ETag)
					known.add(set.ETag)
				}
				return set, err
			}
		}},
		{name: "every conditional request is not modified", fails: "a-changed-set-is-modified not-modified-is-for-no-other-issuer not-modified-is-for-the-etag-given", make: edited(func(req verifier.KeyRequest, set *verifier.KeySet) {
			if req.ETag != "" {
				set.NotModified, set.JWKS = true, nil
			}
		})},
		{name: "weak ETags always match", fails: "not-modified-is-for-the-etag-given", make: edited(func(req verifier.KeyRequest, set *verifier.KeySet) {
			if strings.HasPrefix(req.ETag, "W/") {
				set.NotModified, set.JWKS = true, nil
			}
		})},
		{name: "a set that is not modified comes with the body", fails: "not-modified-has-no-keys", make: edited(func(req verifier.KeyRequest, set *verifier.KeySet) {
			if set.NotModified && req.ETag != "" {
				set.JWKS = []byte(`{"keys":[]}`)
			}
		})},
		{name: "the ETag is that of the name", fails: "a-changed-set-is-modified", make: edited(func(req verifier.KeyRequest, set *verifier.KeySet) {
			set.ETag = fmt.Sprintf("%q", set.Issuer)
			if req.ETag == set.ETag {
				set.NotModified, set.JWKS = true, nil
			}
		})},
		{name: "the fetcher has a cache of its own", fails: "a-changed-set-is-modified every-call-asks-the-source source-that-is-down", make: cachedKeys(func(*keyServer, context.Context, verifier.KeyRequest) error { return nil }, true)},
		{name: "the fetcher asks the source whether it is there, and answers itself", fails: "every-call-asks-the-source", make: cachedKeys(func(s *keyServer, ctx context.Context, _ verifier.KeyRequest) error { return s.begin(ctx) }, false)},
		{name: "the last good set stands in for a source that is down", fails: "source-that-is-down", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			var mu sync.Mutex
			last := make(map[string]verifier.KeySet)
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				mu.Lock()
				defer mu.Unlock()
				if before, ok := last[req.Issuer]; ok && errors.Is(err, errDown) {
					return before, nil
				}
				if err == nil && !set.NotModified {
					kept := set
					kept.JWKS = slices.Clone(set.JWKS)
					last[req.Issuer] = kept
				}
				return set, err
			}
		}},
		{name: "seconds are taken for a time.Duration", fails: "freshness-is-sane", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) { set.Freshness.MaxAge = 600 })},
		{name: "an expiry that has passed is a negative max-age", fails: "freshness-is-sane", make: edited(func(_ verifier.KeyRequest, set *verifier.KeySet) { set.Freshness.MaxAge = -time.Hour })},
		{name: "the context is not looked at", fails: "done-context", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				return fetch(undone(ctx), req)
			}
		}},
		{name: "every end of a context is a cancellation", fails: "past-deadlines-are-told-from-cancellation", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				if ctx.Err() != nil {
					return verifier.KeySet{}, context.Canceled
				}
				return fetch(ctx, req)
			}
		}},
		{name: "the cause replaces the error of the context", fails: "causes-do-not-hide-the-context-error", make: func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				if ctx.Err() != nil {
					return verifier.KeySet{}, context.Cause(ctx)
				}
				return fetch(ctx, req)
			}
		}},
		{name: "the client's time-out does not match", fails: "hanging-source", make: func(s *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				set, err := fetch(ctx, req)
				if err != nil && s.isHanging() {
					err = errTimeout
				}
				return set, err
			}
		}},
		{name: "the fetcher waits as long as the source hangs", fails: "hanging-source", make: func(s *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				if ctx.Err() == nil && s.isHanging() {
					s.wait()
				}
				return fetch(ctx, req)
			}
		}},
	}
}

// cachedKeys keeps the first set of an issuer for ever, with its max-age.
func cachedKeys(admit func(s *keyServer, ctx context.Context, req verifier.KeyRequest) error, conditional bool) fetching {
	return func(s *keyServer, fetch fetchFunc) fetchFunc {
		var mu sync.Mutex
		first := make(map[string]verifier.KeySet)
		return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			mu.Lock()
			set, ok := first[req.Issuer]
			mu.Unlock()
			if !ok || ctx.Err() != nil || req.ETag != "" && !conditional {
				set, err := fetch(ctx, req)
				if err == nil && !set.NotModified {
					kept := set
					kept.JWKS = slices.Clone(set.JWKS)
					mu.Lock()
					first[req.Issuer] = kept
					mu.Unlock()
				}
				return set, err
			}
			if err := admit(s, ctx, req); err != nil {
				return verifier.KeySet{}, err
			}
			set.JWKS = slices.Clone(set.JWKS)
			if req.ETag == set.ETag {
				set.NotModified, set.JWKS = true, nil
			}
			return set, nil
		}
	}
}
