package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// keySource finds the keys of allowed issuers.
type keySource struct {
	store *keys.Store
	now   func() time.Time
	doer  fetch.Doer

	fixed    map[string]*keys.Entry // of the fixed list, and of key set URLs
	stated   map[string]string      // issuer -> as written in the configuration
	template *keys.Source           // of issuers that only a resolver names
	fetcher  KeyFetcher             // nil: discovery
	identity string                 // of the sources of those issuers
}

func newKeySource(cfg *Config, v *Verifier, policy lifecycle.Policy) (*keySource, error) {
	k := &keySource{now: v.clock.Now, doer: v.doer, fetcher: cfg.KeyFetcher, stated: v.statedIssuers, fixed: make(map[string]*keys.Entry)}
	// Interfaces that are nil must stay nil in the store's own interface types.
	var cache lifecycle.Cache
	if cfg.Cache != nil {
		cache = cfg.Cache
	}
	var lease lifecycle.Lease
	if cfg.Lease != nil {
		lease = cfg.Lease
	}
	k.store = keys.New(keys.Config{Policy: policy, Now: v.clock.Now, Cache: cache, Lease: lease, Observe: v.documentEvents()})
	var err error
	if k.template, err = keys.NewSource(keys.SourceConfig{Name: "https://issuer.invalid/", Hosts: cfg.JWKSHosts, Doer: v.doer}); err != nil {
		return nil, err
	}
	k.identity = k.template.Identity()
	if k.fetcher != nil {
		source, err := k.fetched("https://issuer.invalid/")
		if err != nil {
			return nil, err
		}
		k.identity = source.Identity()
	}
	for name, url := range v.keyURLs {
		source, err := keys.NewSource(keys.SourceConfig{Name: name, JWKS: url, Doer: v.doer})
		if err != nil {
			return nil, err
		}
		k.fixed[name] = k.store.Pin(source)
	}
	for name := range v.issuers {
		if k.fixed[name] != nil {
			continue
		}
		source, err := k.source(name)
		if err != nil {
			return nil, err
		}
		k.fixed[name] = k.store.Pin(source)
	}
	return k, nil
}

func (k *keySource) close() { k.store.Close() }

// source returns where the documents of an issuer come from that has no rules
// of its own.
func (k *keySource) source(name string) (*keys.Source, error) {
	if k.fetcher != nil {
		return k.fetched(name)
	}
	return k.template.For(name)
}

// fetched returns the source of an issuer whose keys the KeyFetcher gets.
func (k *keySource) fetched(name string) (*keys.Source, error) {
	return keys.NewSource(keys.SourceConfig{Name: name, Tag: fmt.Sprintf("%T", k.fetcher), Fetch: func(ctx context.Context, etag string) (lifecycle.Answer, error) {
		set, err := k.fetcher.FetchKeys(ctx, KeyRequest{Issuer: name, ETag: etag})
		if err != nil {
			return lifecycle.Answer{}, err
		}
		return lifecycle.Answer{Body: set.JWKS, Stated: set.Issuer, ETag: set.ETag, NotModified: set.NotModified, Freshness: directives(set.Freshness)}, nil
	}})
}

// entry returns the entry of an allowed issuer.
func (k *keySource) entry(name string) (*keys.Entry, error) {
	if e := k.fixed[name]; e != nil {
		return e, nil
	}
	if e := k.store.Find(name, k.identity); e != nil {
		return e, nil
	}
	source, err := k.source(name)
	if err != nil {
		return nil, undecided(reason.Keys, err, 0)
	}
	return k.store.Entry(source), nil
}

// heldKeys is the key set of an issuer as one verification found it.
type heldKeys struct {
	keys.Held
	entry  *keys.Entry
	stated string // the issuer as the source of the keys states it
}

// get returns the key set of an allowed issuer.
func (k *keySource) get(ctx context.Context, name string) (heldKeys, error) {
	return k.getAt(ctx, name, k.now())
}

// getAt is get for a caller that has just looked at the clock.
func (k *keySource) getAt(ctx context.Context, name string, now time.Time) (held heldKeys, err error) {
	if held.entry, err = k.entry(name); err != nil {
		return held, err
	}
	if held.Held, err = held.entry.Keys(ctx, now); err != nil {
		return held, documentFailure(err)
	}
	if held.stated = held.Stated; held.stated == "" {
		held.stated = k.stated[name]
	}
	return held, nil
}

// metadata returns the metadata of an allowed issuer, whether its keys are
// found with it or not.
func (k *keySource) metadata(ctx context.Context, name string) (discovery.Document, error) {
	entry, err := k.entry(name)
	if err != nil {
		return discovery.Document{}, err
	}
	document, err := entry.Metadata(ctx, k.now(), true)
	if errors.Is(err, keys.ErrNoMetadata) {
		source, err := keys.NewSource(keys.SourceConfig{Name: name, MetadataOnly: true, Doer: k.doer})
		if err != nil {
			return discovery.Document{}, undecided(reason.Discovery, err, 0)
		}
		document, err = k.store.Entry(source).Metadata(ctx, k.now(), true)
		return document, documentFailure(err)
	}
	return document, documentFailure(err)
}

// candidates returns the keys that may have signed a token with this header,
// and the generation of the set that they are of: another one than is held when
// the kid was unknown and a refetch brought it.
func (k *keySource) candidates(ctx context.Context, held *heldKeys, h *jws.Header, a *keyset.Algorithm, dst []*keyset.Key) (candidates []*keyset.Key, generation uint64, err error) {
	of := held.Held
	if h.HasKeyID && !of.Set.HasID(h.KeyID) && !of.Waited {
		// A set that was fetched for this very request has all there is.
		fresh, outcome, err := held.entry.Refetch(ctx, h.KeyID, of, func(s *keyset.Set) bool { return s.HasID(h.KeyID) })
		if outcome != keys.Refreshed {
			return nil, 0, k.notLookedFor(held.entry, outcome, err)
		}
		of = fresh
	}
	candidates = of.Set.Candidates(dst, h.KeyID, h.HasKeyID, a)
	if len(candidates) == 0 {
		return nil, 0, refuse(reason.KeyUnknown)
	}
	return candidates, of.Generation, nil
}

// rotated returns the keys that may have signed a token without kid when the one
// key that was held did not: it may have been replaced. That counts as an
// unknown kid. Without candidates the signature is bad.
func (k *keySource) rotated(ctx context.Context, held *heldKeys, signature []byte, a *keyset.Algorithm, tried []*keyset.Key) (candidates []*keyset.Key, generation uint64, err error) {
	if held.Waited || len(tried) != 1 {
		return nil, 0, nil
	}
	old := tried[0].Thumbprint()
	other := func(s *keyset.Set) bool {
		candidates = s.Candidates(candidates[:0], "", false, a)
		return len(candidates) == 1 && candidates[0].Thumbprint() != old
	}
	fresh, outcome, err := held.entry.Refetch(ctx, "\x00"+string(signature), held.Held, other)
	if outcome != keys.Refreshed {
		return nil, 0, k.notLookedFor(held.entry, outcome, err)
	}
	if !other(fresh.Set) {
		return nil, 0, nil
	}
	return candidates, fresh.Generation, nil
}

// notLookedFor is the error of a key that nobody could look for.
func (k *keySource) notLookedFor(entry *keys.Entry, outcome keys.Outcome, err error) error {
	if outcome == keys.Limited {
		return undecided(reason.Keys, keys.ErrLimited, entry.LimitedFor(k.now()))
	}
	return undecided(reason.Keys, err, time.Second)
}

// documentFailure tells an outage from a set without usable keys.
func documentFailure(err error) error {
	var u *lifecycle.Unavailable
	switch {
	case err == nil:
		return nil
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

// directives translates the freshness of a KeyFetcher.
func directives(f Freshness) cachecontrol.Directives {
	return cachecontrol.Directives{
		MaxAge: int64(f.MaxAge / time.Second), HasMaxAge: f.HasMaxAge,
		Age: int64(f.Age / time.Second), NoStore: f.NoStore,
	}
}
