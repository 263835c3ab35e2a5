package main

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

const ourName = "Portcullis"

// ours is one of our verifiers.
type ours struct {
	*verifier.Verifier
	ctx context.Context
}

func (f *fixture) ours(ctx context.Context, change func(*verifier.Config)) (*ours, error) {
	cfg := verifier.Config{Domain: "issuer.example", Audience: audience, Doer: f.httpClient()}
	if change != nil {
		change(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		return nil, err
	}
	return &ours{v, ctx}, v.Warmup(ctx)
}

func (o *ours) bearer(token string) func() error {
	return func() error {
		_, err := o.VerifyAccessToken(o.ctx, token)
		return err
	}
}

// decoding also decodes the claims into a struct, as other libraries always do.
func (o *ours) decoding(token string) func() error {
	return func() error {
		t, err := o.VerifyAccessToken(o.ctx, token)
		if err != nil {
			return err
		}
		var c claims
		return t.Decode(&c)
	}
}

// reading also reads what the structs of the other libraries hold.
func (o *ours) reading(token string) func() error {
	return func() error {
		t, err := o.VerifyAccessToken(o.ctx, token)
		if err != nil {
			return err
		}
		if !t.HasScope("read:orders") || !t.HasPermission("read:orders") {
			return errClaims
		}
		return nil
	}
}

var errClaims = errors.New("claims are missing")

func (f *fixture) ourJobs(ctx context.Context) ([]job, error) {
	one, err := f.ours(ctx, func(cfg *verifier.Config) { cfg.DPoP.ReplayQuota = 1_000_000 })
	if err != nil {
		return nil, err
	}
	memo, err := f.ours(ctx, func(cfg *verifier.Config) { cfg.TokenMemo = 10_000 })
	if err != nil {
		return nil, err
	}
	many, err := f.ours(ctx, func(cfg *verifier.Config) {
		cfg.Domain, cfg.Domains = "", resolver.Static(f.tenants...)
		cfg.Refresh.MaxIssuers = len(f.tenants)
	})
	if err != nil {
		return nil, err
	}
	limit := f.bareRSA(f.token)
	handler := verifier.Middleware(one, verifier.MiddlewareConfig{})(http.HandlerFunc(handle))
	next := f.round()
	jobs := []job{
		{group: groupBearer, name: ourName, run: one.bearer(f.token), limit: limit},
		{group: groupBearer, name: ourName + ", scope and permissions read", run: one.reading(f.token), limit: limit},
		{group: groupBearer, name: ourName + ", claims decoded", run: one.decoding(f.token), limit: limit},
		{group: groupParallel, name: ourName, run: one.bearer(f.token), limit: limit, workers: 2},
		{group: groupMemo, name: memoName, run: memo.bearer(f.token), limit: limit},
		{group: groupIssuers, name: ourName + ", one of them in use", limit: limit, run: many.bearer(f.perTenant[0])},
		{group: groupIssuers, name: ourName, limit: f.bareMany(), run: func() error {
			_, err := many.VerifyAccessToken(ctx, next())
			return err
		}},
		f.bearerRequests(ourName, func(r *http.Request) error { return serve(handler, r) }),
		f.dpopRequests(ourName+", VerifyHTTPRequest", func(r *http.Request) error {
			_, err := one.VerifyHTTPRequest(r)
			return err
		}),
		f.dpopRequests(ourName, func(r *http.Request) error { return serve(handler, r) }),
	}
	return append(jobs, f.refusals(ourName, func(token string) error { return one.bearer(token)() })...), nil
}

// round returns the tokens of the tenants in turn.
func (f *fixture) round() func() string {
	i := 0
	return func() string {
		i++
		return f.perTenant[i%len(f.perTenant)]
	}
}

// bareMany is the bare check of the tokens of the tenants in turn, with a key of
// its own for each: what many keys and tokens cost the caches of a processor,
// they cost every verifier.
func (f *fixture) bareMany() func() error {
	checks := make([]func() error, len(f.perTenant))
	for i, token := range f.perTenant {
		key := &rsa.PublicKey{N: new(big.Int).Set(f.key.N), E: f.key.E}
		checks[i] = bareRSA(key, token)
	}
	i := 0
	return func() error {
		i++
		return checks[i%len(checks)]()
	}
}

// refusals are the rows of tokens that must be refused.
func (f *fixture) refusals(name string, verify func(string) error) []job {
	var jobs []job
	for _, bad := range []struct{ group, token string }{
		{groupExpired, f.expired}, {groupForeign, f.foreign}, {groupMalformed, f.malformed}, {groupOversize, f.oversize}, {groupForged, f.forged},
	} {
		jobs = append(jobs, job{
			group: bad.group, name: name, limit: f.bareRSA(f.token),
			run: func() error { return expect(false, verify(bad.token)) },
		})
	}
	return jobs
}

// handle is what the middleware protects.
func handle(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func newRequest(authorization, proof string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, requestURL, nil)
	r.TLS = &tls.ConnectionState{}
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "bench")
	if proof != "" {
		r.Header.Set("DPoP", proof)
	}
	return r
}

// answer takes the status, and drops the body.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// serve sends a request through a middleware, which must let it pass.
func serve(handler http.Handler, r *http.Request) error {
	a := answer{header: make(http.Header)}
	handler.ServeHTTP(&a, r)
	if a.status != http.StatusNoContent {
		return errStatus(a.status)
	}
	return nil
}

type errStatus int

func (e errStatus) Error() string {
	return "a good request was answered with " + http.StatusText(int(e))
}

func (f *fixture) bearerRequests(name string, send func(*http.Request) error) job {
	r := newRequest("Bearer "+f.token, "")
	return job{group: groupRequest, name: name, limit: f.bareRSA(f.token), run: func() error { return send(r) }}
}

// dpopRequests sends requests with a proof of their own each. The proofs are
// made in front of each slice.
func (f *fixture) dpopRequests(name string, send func(*http.Request) error) job {
	var requests []*http.Request
	return job{
		group: groupDPoP, name: name, limit: f.bareBoth(),
		prepare: func(n int) error {
			for requests = requests[:0]; len(requests) < n; {
				proof, err := f.newProof()
				if err != nil {
					return err
				}
				requests = append(requests, newRequest("DPoP "+f.bound, proof))
			}
			return nil
		},
		run: func() error {
			last := len(requests) - 1
			r := requests[last]
			requests = requests[:last]
			return send(r)
		},
	}
}
