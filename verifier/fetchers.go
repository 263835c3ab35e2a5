package verifier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keys"
)

// ErrUnknownIssuer is what a shipped [KeyFetcher] returns for an issuer that it
// has no keys of.
var ErrUnknownIssuer = errors.New("verifier: no keys of this issuer")

// NewDiscoveryKeys returns a KeyFetcher that asks the issuer's metadata for the
// place of its keys, each time (OpenID Connect Discovery 1.0). The Verifier
// does that by default, and then caches the metadata too; this one is for use
// inside [NewKeysByIssuer]. Keys must be on the issuer's own host or on one of
// hosts. A nil Doer means [NewHTTPClient].
func NewDiscoveryKeys(doer Doer, hosts ...string) KeyFetcher {
	return fetcherOf(func(name string) keys.SourceConfig {
		return keys.SourceConfig{Name: name, Hosts: hosts, Doer: clientOf(doer)}
	})
}

// fetcherOf makes a KeyFetcher of sources, which are made as they are needed.
func fetcherOf(describe func(name string) keys.SourceConfig) KeyFetcher {
	return KeyFetcherFunc(func(ctx context.Context, req KeyRequest) (KeySet, error) {
		source, err := keys.NewSource(describe(req.Issuer))
		if err != nil {
			return KeySet{}, err
		}
		a, err := source.FetchKeys(ctx, req.ETag)
		if err != nil {
			return KeySet{}, err
		}
		return KeySet{Issuer: a.Stated, JWKS: a.Body, ETag: a.ETag, NotModified: a.NotModified, Freshness: freshness(a.Freshness)}, nil
	})
}

// NewJWKSURLKeys returns a KeyFetcher for one issuer whose key set is at an
// https URL. The issuer is stated as it is given here, if that is a URL. A nil
// Doer means [NewHTTPClient].
func NewJWKSURLKeys(name, url string, doer Doer) KeyFetcher {
	client := clientOf(doer)
	return ofIssuer(name, func(ctx context.Context, stated, etag string) (KeySet, error) {
		return fetchKeySet(ctx, client, name, url, stated, etag)
	})
}

// NewStaticKeys returns a KeyFetcher for one issuer whose key set never
// changes.
func NewStaticKeys(name string, jwks []byte) KeyFetcher {
	jwks = slices.Clone(jwks)
	return ofIssuer(name, func(ctx context.Context, stated, _ string) (KeySet, error) {
		return KeySet{Issuer: stated, JWKS: slices.Clone(jwks)}, ctx.Err()
	})
}

// fileFreshness is how long a key set from a file is used before the file is
// looked at again.
const fileFreshness = 30 * time.Second

// NewFileKeys returns a KeyFetcher for one issuer whose key set is in a file.
// The file is read again when it has changed; a change is noticed after the
// freshness of 30 s, or Refresh.Floor if that is longer. Replace the file by
// renaming: half a file is refused and the keys held stay in use.
func NewFileKeys(name, path string) KeyFetcher {
	return ofIssuer(name, func(ctx context.Context, stated, etag string) (KeySet, error) {
		if err := ctx.Err(); err != nil {
			return KeySet{}, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return KeySet{}, fmt.Errorf("verifier: key file: %w", err)
		}
		set := KeySet{Issuer: stated, Freshness: Freshness{MaxAge: fileFreshness, HasMaxAge: true}}
		set.ETag = fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size())
		if etag == set.ETag {
			set.NotModified = true
			return set, nil
		}
		if info.Size() > fetch.MaxBody {
			return KeySet{}, &fetch.Error{Kind: fetch.TooLarge}
		}
		if set.JWKS, err = os.ReadFile(path); err != nil {
			return KeySet{}, fmt.Errorf("verifier: key file: %w", err)
		}
		return set, nil
	})
}

// NewKeysByIssuer returns a KeyFetcher that asks another one for each issuer.
// The error names an issuer that is invalid or given twice.
func NewKeysByIssuer(fetchers map[string]KeyFetcher) (KeyFetcher, error) {
	byName := make(map[string]KeyFetcher, len(fetchers))
	for domain, fetcher := range fetchers {
		name, err := issuer.Normalize(domain)
		if err != nil || fetcher == nil || byName[name] != nil {
			return nil, invalid("KeyFetcher", fmt.Sprintf("has an invalid or repeated issuer %q", domain))
		}
		byName[name] = fetcher
	}
	return KeyFetcherFunc(func(ctx context.Context, req KeyRequest) (KeySet, error) {
		fetcher := byName[req.Issuer]
		if fetcher == nil {
			return KeySet{}, ErrUnknownIssuer
		}
		return fetcher.FetchKeys(ctx, req)
	}), nil
}

// ofIssuer makes a KeyFetcher that answers for one issuer only.
func ofIssuer(configured string, fetchKeys func(ctx context.Context, stated, etag string) (KeySet, error)) KeyFetcher {
	name, err := issuer.Normalize(configured)
	stated := name
	if len(configured) > len("https://") && configured[:len("https://")] == "https://" {
		stated = configured
	}
	return KeyFetcherFunc(func(ctx context.Context, req KeyRequest) (KeySet, error) {
		if err != nil || req.Issuer != name {
			return KeySet{}, ErrUnknownIssuer
		}
		return fetchKeys(ctx, stated, req.ETag)
	})
}

func clientOf(doer Doer) fetch.Doer {
	if doer == nil {
		return NewHTTPClient(HTTPClientConfig{})
	}
	return fetch.Client(doer)
}

func fetchKeySet(ctx context.Context, doer fetch.Doer, name, url, stated, etag string) (KeySet, error) {
	set, err := fetcherOf(func(name string) keys.SourceConfig {
		return keys.SourceConfig{Name: name, JWKS: url, Doer: doer}
	}).FetchKeys(ctx, KeyRequest{Issuer: name, ETag: etag})
	set.Issuer = stated
	return set, err
}

// freshness is the inverse of directives.
func freshness(d cachecontrol.Directives) Freshness {
	if d.NoCache { // it may be kept, and is fresh no longer
		d.MaxAge, d.HasMaxAge = 0, true
	}
	return Freshness{
		MaxAge: cachecontrol.Duration(d.MaxAge), HasMaxAge: d.HasMaxAge,
		Age: cachecontrol.Duration(d.Age), NoStore: d.NoStore,
	}
}
