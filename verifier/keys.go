package verifier

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

type keySnapshot = lifecycle.Snapshot[*keyset.Set]

// keySource keeps the metadata and key sets of allowed issuers.
type keySource struct {
	metadata *discovery.Store
	sets     *lifecycle.Store[*keyset.Set]

	now     func() time.Time
	doer    fetch.Doer
	fetcher KeyFetcher        // nil: discovery
	urls    map[string]string // issuer -> URL of its key set
	stated  map[string]string // issuer -> as written in the configuration
	hosts   map[string]bool   // where metadata may place key sets
}

func newKeySource(cfg *Config, v *Verifier, policy lifecycle.Policy) *keySource {
	k := &keySource{now: v.clock.Now, doer: v.doer, fetcher: cfg.KeyFetcher, urls: v.keyURLs, stated: v.statedIssuers, hosts: v.keyHosts}
	// Interfaces that are nil must stay nil in the stores' own interface types.
	var cache lifecycle.Cache
	if cfg.Cache != nil {
		cache = cfg.Cache
	}
	var lease lifecycle.Lease
	if cfg.Lease != nil {
		lease = cfg.Lease
	}
	k.metadata = discovery.New(discovery.Config{
		Doer: v.doer, Policy: policy, Now: v.clock.Now, Cache: cache, Lease: lease,
		Observe: v.documentEvents("discovery"),
	})
	k.sets = lifecycle.New(lifecycle.Config[*keyset.Set]{
		Name:     "jwks",
		Fetch:    k.fetch,
		Parse:    func(_ string, body []byte, _ string) (*keyset.Set, error) { return keyset.Parse(body, v.known) },
		Unusable: keyset.ErrNoUsable,
		Same:     (*keyset.Set).SameKeys,
		Policy:   policy, Now: v.clock.Now, Cache: cache, Lease: lease,
		Observe: v.documentEvents("jwks"),
	})
	return k
}

func (k *keySource) close() {
	k.sets.Close()
	k.metadata.Close()
}

// discovers reports whether the keys of an issuer are found through its
// metadata.
func (k *keySource) discovers(name string) bool {
	return k.fetcher == nil && (k.urls == nil || k.urls[name] == "")
}

// heldKeys is the key set of an issuer as one verification found it.
type heldKeys struct {
	snap   *keySnapshot
	stated string // the issuer as the source of the keys states it
	waited bool   // the set was fetched while the request waited
}

// get returns the key set of an allowed issuer.
func (k *keySource) get(ctx context.Context, name string) (heldKeys, error) {
	return k.getAt(ctx, name, k.now())
}

// getAt is get for a caller that has just looked at the clock.
func (k *keySource) getAt(ctx context.Context, name string, now time.Time) (held heldKeys, err error) {
	if k.discovers(name) {
		// The metadata is kept fresh in its own right: it says whose keys
		// these are.
		document, waited, err := k.metadata.GetAt(ctx, name, now)
		if err != nil {
			return held, documentFailure(reason.Discovery, err)
		}
		held.stated = document.Value.Issuer
		if waited {
			now = k.now()
		}
	}
	held.snap, held.waited, err = k.sets.GetAt(ctx, name, now)
	if err != nil {
		return held, documentFailure(reason.Keys, err)
	}
	if held.stated == "" {
		held.stated = held.snap.Stated
	}
	return held, nil
}

// candidates returns the keys that may have signed a token with this header,
// and the set that they are of: another one than is held when the kid was
// unknown and a refetch brought it.
func (k *keySource) candidates(ctx context.Context, name string, held *heldKeys, h *jws.Header, a *keyset.Algorithm, dst []*keyset.Key) (keys []*keyset.Key, snap *keySnapshot, err error) {
	snap = held.snap
	if h.HasKeyID && !snap.Value.HasID(h.KeyID) && (!held.waited || snap.Shared) {
		// A set that was fetched for this very request has all there is.
		fresh, outcome, err := k.sets.RefreshMissing(ctx, name, h.KeyID, snap, func(s *keyset.Set) bool { return s.HasID(h.KeyID) })
		if outcome == lifecycle.Failed {
			return nil, nil, undecided(reason.Keys, err, time.Second)
		}
		snap = fresh
	}
	keys = snap.Value.Candidates(dst, h.KeyID, h.HasKeyID, a)
	if len(keys) == 0 {
		return nil, nil, refuse(reason.KeyUnknown)
	}
	return keys, snap, nil
}

// documentFailure tells an outage from a set without usable keys.
func documentFailure(r Reason, err error) error {
	if errors.Is(err, keyset.ErrNoUsable) {
		var u *lifecycle.Unavailable
		if !errors.As(err, &u) {
			return refuse(reason.NoUsableKey)
		}
	}
	var u *lifecycle.Unavailable
	if errors.As(err, &u) {
		return undecided(r, u.Cause, u.RetryAfter)
	}
	return undecided(r, err, 0)
}

var (
	// errKeysURL says that metadata places the keys where they must not be.
	errKeysURL = errors.New("verifier: the key set is not on an allowed host")
	// errKeySet says that a KeyFetcher broke its contract.
	errKeySet = errors.New("verifier: key set of another issuer, or too large")
)

// fetch gets the key set of an issuer from wherever its keys are.
func (k *keySource) fetch(ctx context.Context, name, etag string) (lifecycle.Answer, error) {
	switch {
	case k.fetcher != nil:
		return k.fetchCustom(ctx, name, etag)
	case !k.discovers(name):
		return fetchKeys(ctx, k.doer, k.urls[name], k.stated[name], etag)
	}
	document, _, err := k.metadata.Get(ctx, name)
	if err != nil {
		return lifecycle.Answer{}, err
	}
	if err := k.checkKeysURL(name, document.Value.JWKSURI); err != nil {
		return lifecycle.Answer{}, err
	}
	return fetchKeys(ctx, k.doer, document.Value.JWKSURI, document.Value.Issuer, etag)
}

// fetchKeys asks one URL. The entity tag that is kept says which URL it is of:
// tags of one resource mean nothing to another.
func fetchKeys(ctx context.Context, d fetch.Doer, url, stated, etag string) (lifecycle.Answer, error) {
	tag := ""
	if of, t, found := strings.Cut(etag, "\n"); found && of == url {
		tag = t
	}
	r, err := fetch.Get(ctx, d, url, tag)
	if err != nil {
		return lifecycle.Answer{}, err
	}
	answer := lifecycle.Answer{Body: r.Body, Stated: stated, NotModified: r.NotModified, Freshness: r.Freshness}
	if r.ETag != "" {
		answer.ETag = url + "\n" + r.ETag
	}
	return answer, nil
}

// checkKeysURL allows key sets on the issuer's own host and on those that the
// configuration names: metadata is data, not authority over our network.
func (k *keySource) checkKeysURL(name, raw string) error {
	u, err := fetch.CheckURL(raw)
	if err != nil {
		return errKeysURL
	}
	host := strings.ToLower(u.Host)
	if u.Hostname() == "" || hostOnly(host) != hostOnly(issuer.Host(name)) && !k.hosts[hostPort(host)] {
		return errKeysURL
	}
	return nil
}

// hostOnly drops the port: whoever has the certificate of a host has all of its
// ports.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

// hostPort drops the default port.
func hostPort(host string) string { return strings.TrimSuffix(host, ":443") }

func (k *keySource) fetchCustom(ctx context.Context, name, etag string) (lifecycle.Answer, error) {
	set, err := k.fetcher.FetchKeys(ctx, KeyRequest{Issuer: name, ETag: etag})
	if err != nil {
		return lifecycle.Answer{}, err
	}
	if stated, err := issuer.Normalize(set.Issuer); err != nil || stated != name || len(set.JWKS) > fetch.MaxBody || set.NotModified && etag == "" {
		return lifecycle.Answer{}, errKeySet
	}
	return lifecycle.Answer{
		Body: slices.Clone(set.JWKS), Stated: set.Issuer, ETag: set.ETag, NotModified: set.NotModified,
		Freshness: directives(set.Freshness),
	}, nil
}

// directives translates the freshness of a KeyFetcher.
func directives(f Freshness) cachecontrol.Directives {
	return cachecontrol.Directives{
		MaxAge: int64(f.MaxAge / time.Second), HasMaxAge: f.HasMaxAge,
		Age: int64(f.Age / time.Second), NoStore: f.NoStore,
	}
}
