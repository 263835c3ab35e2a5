package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
)

// What is wrong with documents, beside the errors of packages fetch, discovery
// and keyset.
var (
	// ErrForeign says that a FetchFunc returned the keys of another issuer, or
	// more than fetch.MaxBody bytes.
	ErrForeign = errors.New("keys: key set of another issuer, or too large")
	// ErrFile says that the file of a key set could not be read.
	ErrFile = errors.New("keys: key file")
)

// metadata is a parsed metadata document. Its Raw is dropped; the digest is
// what remains of it.
type metadata struct {
	discovery.Document
	digest [sha256.Size]byte
}

// The kinds of documents, as events and health call them.
const (
	metadataKind = "discovery"
	keySetKind   = "jwks"
)

// metadataDocument is the first document of a source that discovers.
type metadataDocument Source

func (d *metadataDocument) Kind() string { return metadataKind }

// MayComeFrom accepts the places where Fetch looks.
func (d *metadataDocument) MayComeFrom(_ any, origin string) bool {
	if d.kind == byMetadata {
		return origin == d.url
	}
	places := discovery.Places(d.name)
	return slices.Contains(places[:], origin)
}

func (d *metadataDocument) Private() bool { return d.private }

func (d *metadataDocument) Fetch(ctx context.Context, _ any, held lifecycle.Reference) (lifecycle.Answer, error) {
	s := (*Source)(d)
	if d.kind == byMetadata {
		return s.get(ctx, fetch.Request{URL: d.url, HTTP: s.http()}, held)
	}
	request := discovery.Request{Issuer: d.name, HTTP: s.http()}
	if d.MayComeFrom(nil, held.Origin) {
		request.Place, request.ETag = held.Origin, held.ETag
	}
	found, err := discovery.Fetch(ctx, d.doer, request)
	if err != nil {
		return lifecycle.Answer{}, err
	}
	if found.Place == d.url {
		found.Place = d.url // one text is kept, not two
	}
	return answer(found.Response, found.Place), nil
}

func (d *metadataDocument) Parse(body []byte, _ string) (any, error) {
	document, err := discovery.Parse(body, (*Source)(d).states)
	if err != nil {
		return nil, err
	}
	m := &metadata{*document, sha256.Sum256(body)}
	m.Raw = nil
	for _, text := range m.texts() {
		*text = strings.Clone(*text) // it must not hold on to the whole document
	}
	return m, nil
}

// texts returns all texts of a document but Raw.
func (m *metadata) texts() []*string {
	all := []*string{
		&m.Issuer, &m.JWKSURI, &m.TokenEndpoint, &m.IntrospectionEndpoint, &m.MTLSTokenEndpoint, &m.MTLSIntrospectionEndpoint,
	}
	for i := range m.TokenEndpointAuthMethods {
		all = append(all, &m.TokenEndpointAuthMethods[i])
	}
	return all
}

func (d *metadataDocument) Same(a, b any) bool { return a.(*metadata).digest == b.(*metadata).digest }

func (d *metadataDocument) Size(value any) int {
	size := 192
	for _, text := range value.(*metadata).texts() {
		size += 16 + len(*text)
	}
	return size
}

// keySetDocument is the last document of every source.
type keySetDocument Source

func (d *keySetDocument) Kind() string { return keySetKind }

// MayComeFrom accepts the one place that Fetch would ask.
func (d *keySetDocument) MayComeFrom(before any, origin string) bool {
	switch d.kind {
	case byURL:
		return origin == d.url
	case byDiscovery, byMetadata:
		m, ok := before.(*metadata)
		return ok && origin == m.JWKSURI && (*Source)(d).checkKeys(m.JWKSURI) == nil
	default:
		return origin == d.tag // none of what is private
	}
}

// Private is true of what is in the process or on its disk already, too.
func (d *keySetDocument) Private() bool {
	return d.private || d.kind == byFile || d.kind == byStatic
}

func (d *keySetDocument) Fetch(ctx context.Context, before any, held lifecycle.Reference) (lifecycle.Answer, error) {
	s := (*Source)(d)
	switch d.kind {
	case byURL:
		return s.get(ctx, fetch.Request{URL: d.url, Accept: fetch.AcceptKeySet, HTTP: s.http()}, held)
	case byStatic:
		return lifecycle.Answer{Body: slices.Clone(d.static)}, ctx.Err()
	case byFile:
		return s.read(ctx, held.ETag)
	case byFetch:
		return d.ask(ctx, held.ETag)
	}
	m := before.(*metadata)
	if err := s.checkKeys(m.JWKSURI); err != nil {
		return lifecycle.Answer{}, err
	}
	answer, err := s.get(ctx, fetch.Request{URL: m.JWKSURI, Accept: fetch.AcceptKeySet, HTTP: s.http()}, held)
	answer.Stated = m.Issuer
	return answer, err
}

func (d *keySetDocument) Parse(body []byte, _ string) (any, error) {
	set, err := keyset.ParseFor(body, d.use, d.algorithms)
	if err != nil {
		return nil, err
	}
	return set, nil
}

func (d *keySetDocument) Same(a, b any) bool { return a.(*keyset.Set).SameKeys(b.(*keyset.Set)) }

func (d *keySetDocument) Size(value any) int { return value.(*keyset.Set).Size() }

// get asks one URL. An entity tag of another URL means nothing to it.
func (s *Source) get(ctx context.Context, r fetch.Request, held lifecycle.Reference) (lifecycle.Answer, error) {
	if held.Origin == r.URL {
		r.ETag = held.ETag
	}
	response, err := fetch.Get(ctx, s.doer, r)
	if err != nil {
		return lifecycle.Answer{}, err
	}
	return answer(response, r.URL), nil
}

func answer(r fetch.Response, origin string) lifecycle.Answer {
	return lifecycle.Answer{Body: r.Body, ETag: r.ETag, NotModified: r.NotModified, Freshness: r.Freshness, Origin: origin, Public: true}
}

// ask calls the FetchFunc.
func (d *keySetDocument) ask(ctx context.Context, etag string) (lifecycle.Answer, error) {
	answer, err := d.fetch(ctx, etag)
	if err != nil {
		return lifecycle.Answer{}, err
	}
	if answer.Stated != "" && !(*Source)(d).states(answer.Stated) || len(answer.Body) > fetch.MaxBody || answer.NotModified && etag == "" {
		return lifecycle.Answer{}, ErrForeign
	}
	answer.Body, answer.Origin, answer.Public = bytes.Clone(answer.Body), d.tag, false
	return answer, nil
}

// fileFreshness is how long a key set from a file is used before the file is
// looked at again.
const fileFreshness = 30 * time.Second

// read gets a key set from a file when that has changed.
func (s *Source) read(ctx context.Context, etag string) (lifecycle.Answer, error) {
	if err := ctx.Err(); err != nil {
		return lifecycle.Answer{}, err
	}
	file, err := os.Open(s.path)
	if err != nil {
		return lifecycle.Answer{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer file.Close()
	answer := lifecycle.Answer{Freshness: cachecontrol.Directives{MaxAge: int64(fileFreshness / time.Second), HasMaxAge: true}}
	if answer.Body, err = io.ReadAll(io.LimitReader(file, fetch.MaxBody+1)); err != nil {
		return lifecycle.Answer{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if len(answer.Body) > fetch.MaxBody {
		return lifecycle.Answer{}, &fetch.Error{Kind: fetch.TooLarge}
	}
	// The content tells whether the file has changed. Its time and size do not: a
	// file that is put in its place may have both.
	sum := sha256.Sum256(answer.Body)
	if answer.ETag = hex.EncodeToString(sum[:]); answer.ETag == etag {
		answer.NotModified, answer.Body = true, nil
	}
	return answer, nil
}

// ErrNoMetadata says that a source has no metadata: its keys are at a URL, in a
// file or in the process.
var ErrNoMetadata = errors.New("keys: this issuer's source has no metadata")
