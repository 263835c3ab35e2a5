package verifier

import (
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

// Keys says where the keys of an issuer are. The zero value is the metadata
// under the issuer's name. [New] checks it.
type Keys struct{ of *keysOf }

// keysOf is what a Keys was made with. It is never changed.
type keysOf struct {
	metadata, url, path string
	static              []byte
	fetcher             KeyFetcher
	isFile, isStatic    bool
	hosts               []string
	shared              string
	use                 string
	err                 string // what is wrong with the arguments
}

// KeysDiscovery finds the keys through the metadata under the issuer's name, as
// the zero value does, and allows the metadata to place them on further hosts
// ("www.googleapis.com"), with port if not 443.
func KeysDiscovery(hosts ...string) Keys { return Keys{&keysOf{hosts: slices.Clone(hosts)}} }

// KeysMetadata finds the keys through metadata at a URL of its own, such as a
// name inside a cluster, and allows it to place them on further hosts beside the
// URL's. The metadata must state the issuer.
func KeysMetadata(url string, hosts ...string) Keys {
	return Keys{&keysOf{metadata: url, hosts: slices.Clone(hosts), err: blank(url)}}
}

// KeysURL takes the key set at a URL. No metadata is fetched to verify tokens.
func KeysURL(url string) Keys { return Keys{&keysOf{url: url, err: blank(url)}} }

// KeysFile takes the key set in a file. The file is looked at again every 30 s,
// and read when it has changed. Replace it by renaming: half a file is refused,
// and the keys held stay in use.
func KeysFile(path string) Keys {
	return Keys{&keysOf{path: path, isFile: true, err: blank(path)}}
}

// KeysStatic takes a key set that never changes (RFC 7517, Section 5). It is
// copied.
func KeysStatic(jwks []byte) Keys {
	return Keys{&keysOf{static: slices.Clone(jwks), isStatic: true, err: blank(string(jwks))}}
}

// KeysFrom asks a [KeyFetcher].
func KeysFrom(f KeyFetcher) Keys {
	k := &keysOf{fetcher: f}
	if f == nil || isNil(f) {
		k.err = "is KeysFrom of a nil KeyFetcher"
	}
	return Keys{k}
}

// KeysShared makes one key set that of several issuers, such as the tenants of
// one server: its documents are fetched and kept once, under name. Metadata, if
// keys finds the set through some, must state name, byte for byte. A key with a
// member "issuer" verifies tokens of exactly that iss, or, where the member equals
// name, those of all the issuers.
//
// Make the value once and give it to all the issuers. keys cannot be the zero
// value or KeysDiscovery.
func KeysShared(name string, keys Keys) Keys {
	k := &keysOf{}
	if keys.of != nil {
		*k = *keys.of
	}
	k.shared = name
	switch {
	case name == "":
		k.err = "is KeysShared without a name"
	case keys.of == nil || keys.of.metadata == "" && keys.of.url == "" && !keys.of.isFile && !keys.of.isStatic && keys.of.fetcher == nil:
		k.err = "is KeysShared of discovery; say where the shared documents are with KeysMetadata or KeysURL"
	}
	return Keys{k}
}

// ForUse takes the keys whose "use" member has this value, in place of "sig"
// (RFC 7517, Section 4.2), such as "jwt-svid" in the bundles of SPIFFE. A key
// without that member is not taken then.
func (k Keys) ForUse(use string) Keys {
	of := &keysOf{}
	if k.of != nil {
		*of = *k.of
	}
	of.use = use
	if use == "" || use == "enc" {
		of.err = "is ForUse of no use for signatures"
	}
	return Keys{of}
}

// Fetcher returns what the source of keys looks like as a [KeyFetcher] for one
// issuer, for a program that unites several sources, and for tests. Each call
// asks the source; nothing is cached. doer may be nil: NewHTTPClient. The error
// is a [*ConfigError].
func (k Keys) Fetcher(name string, doer Doer) (KeyFetcher, error) {
	var m mistakes
	cfg := &Config{Doer: doer}
	defaults := newSourceDefaults(&m, cfg, nil)
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

func blank(text string) string {
	if text == "" {
		return "is empty"
	}
	return ""
}

// identity returns something comparable that tells where the keys come from.
func (k Keys) identity() any {
	if k.of == nil {
		return nil
	}
	if f := k.of.fetcher; f != nil && !reflect.TypeOf(f).Comparable() {
		return k.of
	}
	type content struct {
		metadata, url, path, static, hosts, shared, use string
		fetcher                                         KeyFetcher
	}
	return content{k.of.metadata, k.of.url, k.of.path, string(k.of.static), fmt.Sprintf("%q", k.of.hosts), k.of.shared, k.of.use, k.of.fetcher}
}

// sourceDefaults is what Config says about the documents of all issuers.
type sourceDefaults struct {
	doer            fetch.Doer
	hosts, overHTTP []string
	known           *keyset.Algorithms
}

func newSourceDefaults(m *mistakes, cfg *Config, known *keyset.Algorithms) sourceDefaults {
	d := sourceDefaults{known: known, hosts: slices.Clone(cfg.KeyHosts), overHTTP: slices.Clone(cfg.HTTPHosts)}
	if cfg.Doer != nil && isNil(cfg.Doer) {
		m.add("Doer", "is a nil pointer")
	}
	d.doer = clientOf(cfg.Doer)
	m.hosts("KeyHosts", cfg.KeyHosts)
	m.hosts("HTTPHosts", cfg.HTTPHosts)
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
	k := i.Keys.of
	if k == nil {
		k = &keysOf{hosts: d.hosts}
	}
	if k.err != "" {
		m.add(field+"Keys", k.err)
		return nil
	}
	m.hosts(field+"Keys", k.hosts)
	cfg.Metadata, cfg.JWKS, cfg.File, cfg.Hosts, cfg.Use = k.metadata, k.url, k.path, k.hosts, k.use
	if k.isStatic {
		cfg.Static = k.static
	}
	if k.fetcher != nil {
		cfg.Fetch, cfg.Tag = fetchFrom(k.fetcher, name.name), "KeyFetcher"
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
func fetchFrom(f KeyFetcher, name string) keys.FetchFunc {
	return func(ctx context.Context, etag string) (lifecycle.Answer, error) {
		set, err := foreign.Call(ctx, func() (KeySet, error) { return f.FetchKeys(ctx, KeyRequest{Issuer: name, ETag: etag}) })
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
	return Freshness{
		MaxAge: cachecontrol.Duration(d.MaxAge), HasMaxAge: d.HasMaxAge,
		Age: cachecontrol.Duration(d.Age), NoStore: d.NoStore,
	}
}
