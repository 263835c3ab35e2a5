package verifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// Fetcher returns what the source of keys looks like as a [KeyFetcher] for one
// issuer, for a program that unites several sources, and for tests. Each call
// asks the source; nothing is cached. doer may be nil: NewHTTPClient. The error
// is a [*ConfigError].
func (k Keys) Fetcher(name string, doer Doer) (KeyFetcher, error) {
	var m mistakes
	defaults := newSourceDefaults(&m, doer, nil, nil)
	s, problem := nameOf(name)
	if problem != "" {
		m.of("Name", name, problem)
	}
	var source *keys.Source
	if len(m.list) == 0 {
		source = defaults.source(&m, "", s, &Issuer{Name: name, Keys: k})
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	return KeyFetcherFunc(func(ctx context.Context, req KeyRequest) (KeySet, error) {
		if !slices.Contains(s.exact, req.Issuer) && req.Issuer != name {
			return KeySet{}, errOtherIssuer
		}
		a, err := source.FetchKeys(ctx, req.ETag)
		// What the end of ctx broke off may look like a bad answer, or like an answer.
		if done := ctx.Err(); done != nil && !errors.Is(err, done) {
			return KeySet{}, done
		}
		if err != nil {
			return KeySet{}, err
		}
		if a.Stated == "" {
			a.Stated = req.Issuer
		}
		return KeySet{Issuer: a.Stated, JWKS: a.Body, ETag: a.ETag, NotModified: a.NotModified, Freshness: freshness(a.Freshness)}, nil
	}), nil
}

var errOtherIssuer = errors.New("verifier: these are keys of another issuer")

// sourceDefaults is what Config says about the documents of all issuers.
type sourceDefaults struct {
	doer            fetch.Doer
	given           Doer // what doer was made of
	hosts, overHTTP []string
	known           *keyset.Algorithms // whose keys are read
	dynamic         bool               // for Issuers that a resolver returns
}

func newSourceDefaults(m *mistakes, doer Doer, keyHosts, httpHosts []string) sourceDefaults {
	d := sourceDefaults{hosts: slices.Clone(keyHosts), overHTTP: slices.Clone(httpHosts)}
	if doer != nil && isNil(doer) {
		m.add("Doer", "is a nil pointer")
	}
	d.doer, d.given = clientOf(doer), doer
	m.hosts("KeyHosts", keyHosts)
	m.hosts("HTTPHosts", httpHosts)
	return d
}

func (m *mistakes) hosts(field string, list []string) {
	for i, text := range list {
		if _, err := keys.ParseHost(text); err != nil {
			m.of(fmt.Sprintf("%s[%d]", field, i), text, `is not a host name or address with an optional port, such as "keys.example.com"`)
		}
	}
}

func clientOf(doer Doer) fetch.Doer {
	if isNil(doer) {
		return fetch.Client(NewHTTPClient(HTTPClientConfig{}))
	}
	return fetch.Client(doer)
}

// source says where the documents of an issuer come from.
func (d *sourceDefaults) source(m *mistakes, field string, name spellings, i *Issuer) *keys.Source {
	cfg := keys.SourceConfig{
		Name: name.name, Spellings: slices.Concat(name.exact, i.Aliases), Hosts: d.hosts, HTTPHosts: d.overHTTP, Doer: d.doer, Algorithms: d.known,
	}
	if i.Doer != nil {
		if isNil(i.Doer) {
			m.add(field+"Doer", "is a nil pointer")
		}
		cfg.Doer = clientOf(i.Doer)
	}
	d.ownDoer(&cfg, i)
	k := i.Keys.of
	if k == nil {
		k = &keysOf{hosts: d.hosts}
	}
	if k.err != "" {
		m.add(field+"Keys", k.err)
		return nil
	}
	m.hosts(field+"Keys", k.hosts)
	cfg.Metadata, cfg.JWKS, cfg.File, cfg.Static, cfg.Hosts, cfg.Use = k.metadata, k.url, k.path, k.static, k.hosts, k.use
	if k.fetcher != nil {
		cfg.Fetch, cfg.Instance, cfg.Private = fetchFrom(k, cmp.Or(k.shared, name.name)), k.instance(), false
		if !d.dynamic {
			// A resolver may know several fetchers for one issuer: what one of them
			// returned must not come back through the cache as another's.
			cfg.Tag = "KeyFetcher"
		}
	}
	if len(k.parts) > 0 {
		cfg.Fetch, cfg.Tag = d.united(m, field, name, i, k.parts)
	}
	if k.shared != "" {
		cfg.Name, cfg.Spellings = k.shared, []string{k.shared}
	}
	if discovers := cfg.Metadata == "" && cfg.JWKS == "" && cfg.File == "" && cfg.Static == nil && cfg.Fetch == nil; discovers && !hasHTTPS(name.name) && !isHTTP(name.name) {
		m.of(field+"Name", i.Name, "is not an https URL or a domain, so no metadata can be found under it; set Keys, such as KeysURL")
		return nil
	}
	source, err := keys.NewSource(cfg)
	if err != nil {
		m.source(field, i, err)
	}
	return source
}

// ownDoer keeps apart what the Doers of several Issuers of one name fetch. Only a
// resolver can know such Issuers, and sets of keys can be shared by mistake; in a
// fixed list a name is of one Issuer.
func (d *sourceDefaults) ownDoer(cfg *keys.SourceConfig, i *Issuer) {
	shared := i.Keys.of != nil && i.Keys.of.shared != ""
	if i.Doer == nil || !d.dynamic && !shared {
		return
	}
	switch comparable := reflect.ValueOf(i.Doer).Comparable(); {
	case comparable && d.given != nil && reflect.TypeOf(d.given) == reflect.TypeOf(i.Doer) && d.given == i.Doer:
		return // it is that of all issuers
	case comparable:
		cfg.Instance = i.Doer
	case shared:
		cfg.Instance = i.Keys.of
	default:
		cfg.Instance = new(Issuer) // of this policy alone
	}
	cfg.Private = true
}

// source tells what is wrong with the source of an issuer's keys.
func (m *mistakes) source(field string, i *Issuer, err error) {
	var e *keys.ConfigError
	if !errors.As(err, &e) {
		m.add(field+"Keys", "cannot be used")
		return
	}
	at := field + "Keys"
	if e.Field == keys.FieldName {
		at = field + "Name"
	}
	switch {
	case errors.Is(err, keys.ErrHTTP):
		m.of(at, e.Entry, "is http, which is fetched from loopback hosts and those of Config.HTTPHosts alone; use https, list the host, or set Keys to a source over https")
	case errors.Is(err, keys.ErrURL):
		m.of(at, e.Entry, "is not an https URL without credentials and fragment")
	case errors.Is(err, keys.ErrHost):
		// Told by hosts.
	default:
		m.of(at, e.Entry, "cannot be used: "+e.Err.Error())
	}
}

// fetchFrom makes a FetchFunc of a KeyFetcher.
func fetchFrom(k *keysOf, name string) keys.FetchFunc {
	return func(ctx context.Context, etag string) (lifecycle.Answer, error) {
		set, err := foreign.Call(ctx, func() (KeySet, error) { return k.fetcher.FetchKeys(ctx, KeyRequest{Issuer: name, ETag: etag}) })
		if err != nil {
			return lifecycle.Answer{}, err
		}
		return lifecycle.Answer{
			Body: set.JWKS, Stated: set.Issuer, ETag: set.ETag, NotModified: set.NotModified, Freshness: directives(set.Freshness),
		}, nil
	}
}

// directives translates the freshness of a KeyFetcher; freshness is its inverse.
func directives(f Freshness) cachecontrol.Directives {
	return cachecontrol.Directives{
		MaxAge: int64(f.MaxAge / time.Second), HasMaxAge: f.HasMaxAge,
		Age: int64(f.Age / time.Second), NoStore: f.NoStore,
	}
}

func freshness(d cachecontrol.Directives) Freshness {
	if d.NoCache { // it may be kept, and is not fresh for longer than the floor
		d.MaxAge, d.HasMaxAge = 0, true
	}
	return Freshness{
		MaxAge: cachecontrol.Duration(d.MaxAge), HasMaxAge: d.HasMaxAge,
		Age: cachecontrol.Duration(d.Age), NoStore: d.NoStore,
	}
}
