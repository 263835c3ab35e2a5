package verifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Verifier verifies access tokens and DPoP proofs. Make one with [New], use it
// from any number of goroutines, and Close it at the end.
type Verifier struct {
	gate       *gate
	keys       *keys.Store
	headers    *jws.Headers // of tokens that were verified
	memo       *tokenMemo   // nil: none
	opener     *opener      // nil: encrypted tokens are refused
	revocation RevocationConfig
	maxToken   int
	// refetches: unknown kids may cause a fetch.
	refetches bool

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
	v.opener = newOpener(&m, &cfg, v.maxToken)
	v.revocation = m.revocation(cfg.Revocation)
	v.proofs = newProofs(&m, &cfg, standard.known, v.clock, v.watcher)
	v.edge = newEdge(&m, &cfg)
	v.answers = newAnswers(&m, &cfg, v.proofs.algorithms)
	refresh := newRefreshPolicy(&m, &cfg)
	if err := m.err(); err != nil {
		return nil, err
	}
	v.refetches = refresh.ForcedMax > 0
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
// each with the name of its issuer; the Verifier can be used nevertheless.
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
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// warm is named for a resolver that brings the rules too: it is asked, without a
// request.
func (g *gate) warm(ctx context.Context, text string) (*policy, error) {
	if g.issuers == nil {
		return g.named(text)
	}
	name := text
	if normal, err := issuer.Normalize(text); err == nil {
		name = normal
	}
	value, err := foreign.Call(ctx, func() (*Issuer, error) {
		return g.issuers.ResolveIssuer(ctx, NewResolveRequest(name, nil, nil))
	})
	switch {
	case errors.Is(err, ErrNotAllowed):
		return nil, refuse(reason.IssuerNotAllowed)
	case err == nil && value == nil:
		err = errResolverNil
	}
	if err != nil {
		return nil, undecided(reason.Resolver, err, 0)
	}
	return g.policyOf(value)
}

// named returns the policy of an issuer that the calling program names: by Name,
// an alias or a domain in any form.
func (g *gate) named(text string) (*policy, error) {
	if p := g.exact[text]; p != nil {
		return p, nil
	}
	if i := slices.IndexFunc(g.all, func(p *policy) bool { return p.name == text }); i >= 0 {
		return g.all[i], nil
	}
	normal, err := issuer.Normalize(text)
	if err != nil {
		return nil, refuse(reason.IssuerNotAllowed)
	}
	if p := g.normal[normal]; p != nil {
		return p, nil
	}
	if g.resolver == nil {
		return nil, refuse(reason.IssuerNotAllowed)
	}
	return g.compiled.domain(normal)
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
