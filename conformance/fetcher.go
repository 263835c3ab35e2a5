package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// KeyFetcherHarness says how to test a [verifier.KeyFetcher]. New and Issuers
// are required. What is left out is skipped and reported so.
type KeyFetcherHarness struct {
	// New returns a fetcher; all that it returns ask the same sources.
	New func(env *Env) (verifier.KeyFetcher, error)
	// Issuers that the fetcher has keys of, as the Verifier names them:
	// "https://tenant.example/". Two or more let the suite see that keys do not
	// cross.
	Issuers []string
	// Rotate gives the first issuer another key set at its source.
	Rotate func() error
	// Break makes the source fail, until repair is called.
	Break func(fetcher verifier.KeyFetcher) (repair func())
	// Hang makes the source never answer, until release is called.
	Hang func(fetcher verifier.KeyFetcher) (release func())
	// Restate makes the source of the first issuer state another name for itself,
	// until restore is called, and returns that name.
	Restate func() (name string, restore func(), err error)
	// Timeout of a call. Default 10 s. A check may take six times as long.
	Timeout time.Duration

	Options
}

// KeyFetcherChecks returns the checks of [verifier.KeyFetcher] as data.
func KeyFetcherChecks() []Check[KeyFetcherHarness] {
	checks := slices.Concat(fetcherSets(), fetcherFreshness(), fetcherConditional(), fetcherFaults())
	return founded(fetcherFoundations(), basis([]string{"KeyFetcher/known-issuers-have-keys"}, checks))
}

// TestKeyFetcher tests that a fetcher keeps the contract of
// [verifier.KeyFetcher], each rule in a subtest.
func TestKeyFetcher(t *testing.T, h KeyFetcherHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunKeyFetcher is [TestKeyFetcher] without a test.
func RunKeyFetcher(ctx context.Context, h KeyFetcherHarness) Report {
	return h.suite().run(ctx)
}

func (h KeyFetcherHarness) suite() suite[KeyFetcherHarness] {
	return suite[KeyFetcherHarness]{harness: h, checks: KeyFetcherChecks()}
}

func (h KeyFetcherHarness) plan() plan { return plan{Options: h.Options, timeout: h.Timeout} }

// fetcherCase is what a check of a fetcher works with.
type fetcherCase struct {
	ctx     context.Context
	env     *Env
	h       KeyFetcherHarness
	fetcher verifier.KeyFetcher
}

func fetcherCheck(name, rule string, run func(c *fetcherCase) error) Check[KeyFetcherHarness] {
	return newCheck("KeyFetcher", name, rule, newFetcherCase, run)
}

func newFetcherCase(env *Env, h KeyFetcherHarness) (*fetcherCase, error) {
	fetcher, err := opened(env, h.New, "a fetcher")
	if err != nil {
		return nil, err
	}
	if len(h.Issuers) == 0 {
		return nil, errors.New("the harness has no Issuers")
	}
	return &fetcherCase{ctx: env.ctx, env: env, h: h, fetcher: fetcher}, nil
}

func (c *fetcherCase) fetch(ctx context.Context, issuer, etag string) (verifier.KeySet, error) {
	defer c.env.begin("FetchKeys")()
	return c.fetcher.FetchKeys(ctx, verifier.KeyRequest{Issuer: issuer, ETag: etag})
}

// full wants the whole set of an issuer.
func (c *fetcherCase) full(issuer string) (verifier.KeySet, error) {
	set, err := c.fetch(c.ctx, issuer, "")
	if err != nil {
		return set, fmt.Errorf("FetchKeys(%s) = %w; want its key set", issuer, err)
	}
	return set, nil
}

// members of the keys of a set. A document that is none has no keys: another
// check's finding.
func members(set verifier.KeySet) []map[string]any {
	var document struct{ Keys []map[string]any }
	_ = json.Unmarshal(set.JWKS, &document)
	return document.Keys
}

// thumbs are texts that tell the public keys of a set apart.
func thumbs(set verifier.KeySet) []string {
	var all []string
	for _, key := range members(set) {
		if key["n"] == nil && key["x"] == nil { // no public key
			continue
		}
		all = append(all, fmt.Sprint(key["kty"], key["n"], key["e"], key["crv"], key["x"], key["y"]))
	}
	return all
}

func sameKeys(a, b verifier.KeySet) bool {
	if bytes.Equal(a.JWKS, b.JWKS) {
		return true
	}
	one, other := thumbs(a), thumbs(b)
	slices.Sort(one)
	slices.Sort(other)
	return slices.Equal(one, other)
}

// states reports whether the second of two answers says that it may not be
// the source's latest: it is older, or may be kept for less long.
func states(first, second verifier.Freshness) bool {
	return second.Age > first.Age || second.HasMaxAge && second.MaxAge < first.MaxAge
}

func sameSet(a, b verifier.KeySet) bool {
	return a.Issuer == b.Issuer && bytes.Equal(a.JWKS, b.JWKS)
}
