package verifier

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/forwarded"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Verifier verifies access tokens and DPoP proofs. Make one with [New], use it
// from any number of goroutines, and Close it at the end.
type Verifier struct {
	issuers          map[string]bool // when the list is fixed
	resolver         DomainResolver  // otherwise
	audiences        []string
	known            *keyset.Algorithms
	algorithms       algorithmList
	issuerAlgorithms map[string]algorithmList
	leeway           time.Duration
	required         []string
	profile          Profile
	maxToken         int

	proofAlgorithms algorithmList
	proof           proofPolicy

	keyURLs       map[string]string
	statedIssuers map[string]string
	keyHosts      map[string]bool

	challenge   *challengePolicy
	forwarding  *forwarded.Policy
	certificate func(*http.Request) (*x509.Certificate, error)

	doer     fetch.Doer
	clock    Clock
	observer Observer

	keys    *keySource
	headers *jws.Headers // of tokens that were verified
	memo    *tokenMemo   // nil: none
}

// maxHeaders is how many different headers of verified tokens are remembered.
// An issuer uses one per signing key.
const maxHeaders = 1024

// New returns a Verifier. The error is a [*ConfigError]. Nothing is fetched
// before the first token comes; see [Verifier.Warmup].
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{observer: cfg.Observer, clock: cfg.Clock, headers: jws.NewHeaders(maxHeaders)}
	if v.clock == nil {
		v.clock = ClockFunc(time.Now)
	}
	v.doer = fetch.Client(cfg.Doer)
	if cfg.Doer == nil {
		v.doer = fetch.Client(NewHTTPClient(HTTPClientConfig{}))
	}
	if err := v.apply(&cfg); err != nil {
		return nil, err
	}
	policy, err := refreshPolicy(&cfg)
	if err != nil {
		return nil, err
	}
	v.keys = newKeySource(&cfg, v, policy)
	return v, nil
}

// Close ends the fetches under way and waits for them. A closed Verifier
// still answers from what it holds while that is fresh, then with
// [ErrUnavailable]. It returns nil.
func (v *Verifier) Close() error {
	v.keys.close()
	return nil
}

// maxWarmup is how many issuers are warmed up at once.
const maxWarmup = 8

// Warmup fetches the metadata and keys of issuers, which must be allowed by
// Domain, a StaticDomains or the caller's own knowledge, so that the first
// request need not wait. Without arguments it fetches those of the fixed list;
// with a resolver that depends on requests there is none, and nothing is done.
// It returns the errors of all that failed, joined; the Verifier can be used
// nevertheless.
func (v *Verifier) Warmup(ctx context.Context, issuers ...string) error {
	names := make([]string, 0, max(len(issuers), len(v.issuers)))
	for _, text := range issuers {
		name, err := issuer.Normalize(text)
		if err != nil || v.issuers != nil && !v.issuers[name] {
			return refuse(reason.IssuerNotAllowed)
		}
		names = append(names, name)
	}
	if len(issuers) == 0 {
		for name := range v.issuers {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	failures := make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxWarmup)
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			_, failures[i] = v.keys.get(ctx, name)
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// Metadata returns what an issuer says about itself, from the same store that
// verification uses. The issuer must be allowed by the configuration; with a
// resolver that depends on requests, the caller answers for it.
func (v *Verifier) Metadata(ctx context.Context, name string) (Metadata, error) {
	normal, err := issuer.Normalize(name)
	if err != nil || v.issuers != nil && !v.issuers[normal] {
		return Metadata{}, refuse(reason.IssuerNotAllowed)
	}
	snap, _, err := v.keys.metadata.Get(ctx, normal)
	if err != nil {
		return Metadata{}, documentFailure(reason.Discovery, err)
	}
	d := snap.Value
	return Metadata{
		Issuer: d.Issuer, JWKSURI: d.JWKSURI, TokenEndpoint: d.TokenEndpoint, MTLSTokenEndpoint: d.MTLSTokenEndpoint,
		TokenEndpointAuthMethods: slices.Clone(d.TokenEndpointAuthMethods), Document: slices.Clone(d.Raw),
	}, nil
}

// State says how well a document can be served.
type State string

// The states of a document.
const (
	StateFresh   State = "fresh"   // current
	StateStale   State = "stale"   // past its freshness, within the hard limit
	StateMissing State = "missing" // none, or past the hard limit: requests get 503
)

// Health is the state of one document of an issuer.
type Health struct {
	// Issuer, normalised.
	Issuer string
	// Document is "discovery" or "jwks".
	Document string
	State    State
	// Failures is how many attempts have failed since the last success, and
	// Problem why the last one did: network, timeout, redirect, status,
	// too_large, bad_url, malformed, issuer, jwks_uri, too_many_keys,
	// no_usable_key, closed, other; "" when it did not.
	Failures int
	Problem  string
	// FetchedAt is when the document held was fetched. NextRefresh is when the
	// next request will cause a refresh; no earlier one will.
	FetchedAt   time.Time
	NextRefresh time.Time
}

// Health returns the state of the documents held, sorted by issuer and
// document. It does no I/O.
func (v *Verifier) Health() []Health {
	var all []Health
	for document, list := range map[string][]lifecycle.Health{"discovery": v.keys.metadata.Health(), "jwks": v.keys.sets.Health()} {
		for _, h := range list {
			state := StateMissing
			switch {
			case h.Fresh:
				state = StateFresh
			case h.Servable:
				state = StateStale
			}
			all = append(all, Health{
				Issuer: h.Issuer, Document: document, State: state, Failures: h.Failures, Problem: problem(h.LastErr),
				FetchedAt: h.FetchedAt, NextRefresh: h.NextRefresh,
			})
		}
	}
	slices.SortFunc(all, func(a, b Health) int {
		if a.Issuer != b.Issuer {
			if a.Issuer < b.Issuer {
				return -1
			}
			return 1
		}
		if a.Document < b.Document {
			return -1
		}
		return 1
	})
	return all
}
