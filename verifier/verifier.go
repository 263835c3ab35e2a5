package verifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Verifier verifies access tokens and DPoP proofs. Make one with [New], use it
// from any number of goroutines, and Close it at the end.
type Verifier struct {
	gate        *gate
	keys        *keys.Store
	headers     *jws.Headers // of tokens that were verified
	memo        *tokenMemo   // nil: none
	opener      *opener      // nil: encrypted tokens are refused
	revocations revocations
	maxToken    int

	proofs  *proofs
	edge    *edge
	answers *answers

	clock Clock
	watcher
}

// maxHeaders is how many different headers of verified tokens are remembered.
// An issuer uses one per signing key.
const maxHeaders = 1024

// New returns a Verifier. The error joins a [*ConfigError] for every mistake.
// Nothing is fetched before the first token comes; see [Verifier.Warmup].
func New(cfg Config) (*Verifier, error) {
	var m mistakes
	if cfg.Clock != nil && isNil(cfg.Clock) {
		m.add("Clock", "is a nil pointer")
		cfg.Clock = nil
	}
	if cfg.Observer != nil && isNil(cfg.Observer) {
		m.add("Observer", "is a nil pointer")
	}
	v := &Verifier{watcher: watcher{cfg.Observer}, clock: cfg.Clock, headers: jws.NewHeaders(maxHeaders)}
	if v.clock == nil {
		v.clock = ClockFunc(time.Now)
	}
	standard := newStandard(&m, &cfg)
	v.gate = newGate(&m, &cfg, standard)
	v.maxToken = m.size("MaxTokenSize", cfg.MaxTokenSize, defaultMaxTokenSize, minMaxTokenSize, maxMaxTokenSize)
	if entries := m.size("TokenMemo", cfg.TokenMemo, 0, 1, maxTokenMemo); entries > 0 {
		v.memo = newTokenMemo(entries)
	}
	v.opener = newOpener(&m, &cfg.Decryption, v.maxToken)
	v.revocations = newRevocations(&m, cfg.Revocation, v.watcher)
	v.proofs = newProofs(&m, &cfg.DPoP, standard.known, v.clock, v.watcher)
	v.edge = newEdge(&m, &cfg)
	v.answers = newAnswers(&m, &cfg, v.clock, v.proofs.algorithms)
	refresh := newRefreshPolicy(&m, cfg.CacheTTL, &cfg.Refresh)
	m.shared(cfg.Cache, cfg.Lease)
	if err := m.err(); err != nil {
		return nil, err
	}
	if refresh.MaxIssuers > 0 {
		v.gate.compiled.most = min(maxCompiled, max(minCompiled, 2*int64(refresh.MaxIssuers)))
	}
	v.keys = keys.New(keys.Config{Policy: refresh, Now: v.clock.Now, Cache: cfg.Cache, Lease: cfg.Lease, Observe: v.documentEvents()})
	if v.gate.resolver == nil {
		for _, p := range v.gate.all {
			p.entry = v.keys.Pin(p.source)
		}
	}
	return v, nil
}

// Close ends the fetches under way and waits for them. A closed Verifier
// still answers from what it holds while that is fresh, then with
// [ErrUnavailable]. It returns nil.
func (v *Verifier) Close() error {
	v.keys.Close()
	return nil
}

// maxWarmup is how many issuers are warmed up at once.
const maxWarmup = 8

// Warmup fetches the metadata and keys of issuers, so that the first request
// need not wait. The issuers must be allowed by Domain, Issuers or a
// StaticDomains, or else by the caller's own knowledge. Without arguments it
// fetches those of the fixed list; with a resolver that depends on requests there
// is none, and nothing is done. It returns the errors of all that failed, joined,
// each with the name of its issuer, the document, the host
// and the cause; the Verifier can be used nevertheless.
func (v *Verifier) Warmup(ctx context.Context, issuers ...string) error {
	var policies []*policy
	for _, text := range issuers {
		p, err := v.gate.warm(ctx, text)
		if err != nil {
			return err
		}
		policies = append(policies, p)
	}
	if len(issuers) == 0 && v.gate.resolver == nil {
		policies = v.gate.all
	}
	failures := make([]error, len(policies))
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxWarmup)
	for i, p := range policies {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := v.keysOf(ctx, p, v.clock.Now()); err != nil {
				failures[i] = fmt.Errorf("%s: %w", p.name, err)
				if t := troubleOf(err); t.detail != "" {
					failures[i] = fmt.Errorf("%w: %s", failures[i], t.detail)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// Metadata returns what an issuer says about itself, from the same store that
// verification uses. The issuer must be allowed by the configuration; with a
// resolver that depends on requests, the caller answers for it. An issuer whose
// Keys are at a URL, in a file or in the program has none.
func (v *Verifier) Metadata(ctx context.Context, name string) (Metadata, error) {
	p, err := v.gate.named(name)
	if err != nil {
		return Metadata{}, err
	}
	entry := p.entry
	if entry == nil {
		entry = v.keys.Entry(p.source)
	}
	d, err := entry.Metadata(ctx, v.clock.Now(), true)
	if err != nil {
		return Metadata{}, documentFailure(err)
	}
	return metadataOf(d), nil
}

func metadataOf(d discovery.Document) Metadata {
	return Metadata{
		Issuer: d.Issuer, JWKSURI: d.JWKSURI, TokenEndpoint: d.TokenEndpoint, MTLSTokenEndpoint: d.MTLSTokenEndpoint,
		TokenEndpointAuthMethods: slices.Clone(d.TokenEndpointAuthMethods), Document: slices.Clone(d.Raw),
	}
}

// documentFailure tells an outage from a set without usable keys.
func documentFailure(err error) error {
	var u *lifecycle.Unavailable
	switch {
	case errors.As(err, &u) && u.Document == "discovery":
		return undecided(reason.Discovery, u.Cause, u.RetryAfter)
	case errors.As(err, &u):
		return undecided(reason.Keys, u.Cause, u.RetryAfter)
	case errors.Is(err, keyset.ErrNoUsable):
		return refuse(reason.NoUsableKey)
	default:
		return undecided(reason.Keys, err, 0)
	}
}
