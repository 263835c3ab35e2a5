package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// named are the options of a test that has no others.
func named(implementation string) conformance.Options {
	return conformance.Options{Implementation: implementation}
}

func byIssuer(name string) verifier.ResolveRequest {
	return verifier.ResolveRequest{UnverifiedIssuer: name}
}

func byHost(name string) verifier.ResolveRequest {
	return verifier.NewResolveRequest("https://a.example/", &url.URL{Scheme: "https", Host: name, Path: "/x"}, nil)
}

func newByHost(*conformance.Env) (verifier.DomainResolver, error) {
	return resolver.ByHost(map[string][]string{"one.example": {"a.example"}, "two.example:8443": {"b.example", "https://c.example/realms/x"}})
}

var knownHosts = map[string]verifier.ResolveRequest{
	"a.example": byHost("ONE.example:443"), "b.example": byHost("two.example:8443"), "https://c.example/realms/x": byHost("two.example:8443"),
}

func TestStaticResolver(t *testing.T) {
	conformance.TestDomainResolver(t, conformance.DomainResolverHarness{Options: named("resolver.Static"),
		New: func(*conformance.Env) (verifier.DomainResolver, error) {
			return resolver.Static("a.example", "b.example"), nil
		},
		Known: map[string]verifier.ResolveRequest{"a.example": byIssuer("https://a.example/"), "b.example": {}},
	})
}

func TestByHostResolver(t *testing.T) {
	conformance.TestDomainResolver(t, conformance.DomainResolverHarness{Options: named("resolver.ByHost"), New: newByHost, Known: knownHosts})
}

func TestChainOfResolvers(t *testing.T) {
	conformance.TestDomainResolver(t, conformance.DomainResolverHarness{Options: named("resolver.Chain"),
		New: func(env *conformance.Env) (verifier.DomainResolver, error) {
			first, err := newByHost(env)
			return resolver.Chain(first, resolver.Static("d.example")), err
		},
		Known:   knownHosts,
		Issuers: []string{"d.example"},
	})
}

// lookup is a resolver that asks elsewhere, as one over a database does.
type lookup struct {
	inner verifier.DomainResolver
	down  bool
	hang  chan struct{}
}

func (l *lookup) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	if l.hang != nil {
		select {
		case <-l.hang:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if l.down {
		return nil, errDown
	}
	return l.inner.ResolveDomains(ctx, req)
}

func TestCachedResolver(t *testing.T) {
	var last *lookup // of the resolver that the check at work made last
	conformance.TestDomainResolver(t, conformance.DomainResolverHarness{Options: named("resolver.Cached"),
		New: func(env *conformance.Env) (verifier.DomainResolver, error) {
			inner, err := newByHost(env)
			if err != nil {
				return nil, err
			}
			last = &lookup{inner: inner}
			return resolver.Cached(last, resolver.CacheConfig{Key: resolver.HostKey})
		},
		Known: knownHosts,
		Break: func(verifier.DomainResolver) func() {
			last.down = true
			return func() {}
		},
		Hang: func(verifier.DomainResolver) func() {
			last.hang = make(chan struct{})
			return func() { close(last.hang) }
		},
	})
}

// source is a fake issuer as the harness of a fetcher.
func source(t *testing.T, name string, newFetcher func(*verifiertest.Issuer, *verifiertest.Issuer) (verifier.KeyFetcher, error)) conformance.KeyFetcherHarness {
	t.Helper()
	a, b := verifiertest.NewIssuer(t), verifiertest.NewIssuer(t)
	recover := func() {
		a.Recover()
		b.Recover()
	}
	return conformance.KeyFetcherHarness{
		Options: named(name),
		New:     func(*conformance.Env) (verifier.KeyFetcher, error) { return newFetcher(a, b) },
		Issuers: []string{a.URL(), b.URL()},
		Rotate: func() error {
			a.RotateKeys()
			return nil
		},
		Break: func(verifier.KeyFetcher) func() {
			a.FailNext(-1, http.StatusServiceUnavailable)
			return recover
		},
		Hang: func(verifier.KeyFetcher) func() {
			a.Hang()
			return recover
		},
	}
}

// byIssuer asks the fetcher of each issuer, as a program does that unites several
// sources of keys.
type issuerFetchers map[string]verifier.KeyFetcher

func (f issuerFetchers) FetchKeys(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
	if fetcher := f[req.Issuer]; fetcher != nil {
		return fetcher.FetchKeys(ctx, req)
	}
	return verifier.KeySet{}, errors.New("no keys of this issuer")
}

// fetcher is what a source of keys looks like as a KeyFetcher.
func fetcher(t *testing.T, keys verifier.Keys, name string, doer verifier.Doer) verifier.KeyFetcher {
	t.Helper()
	f, err := keys.Fetcher(name, doer)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestKeysDiscovery(t *testing.T) {
	conformance.TestKeyFetcher(t, source(t, "verifier.KeysDiscovery", func(a, b *verifiertest.Issuer) (verifier.KeyFetcher, error) {
		return issuerFetchers{
			a.URL(): fetcher(t, verifier.KeysDiscovery(), a.Domain(), a.Client()),
			b.URL(): fetcher(t, verifier.KeysMetadata(b.URL()+".well-known/openid-configuration"), b.Domain(), b.Client()),
		}, nil
	}))
}

func TestKeysURL(t *testing.T) {
	h := source(t, "verifier.KeysURL", func(a, _ *verifiertest.Issuer) (verifier.KeyFetcher, error) {
		return fetcher(t, verifier.KeysURL(a.URL()+".well-known/jwks.json"), a.Domain(), a.Client()), nil
	})
	h.Issuers = h.Issuers[:1]
	conformance.TestKeyFetcher(t, h)
}

const (
	p256 = `{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	okp  = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
)

func TestKeysStatic(t *testing.T) {
	conformance.TestKeyFetcher(t, conformance.KeyFetcherHarness{Options: named("verifier.KeysStatic"),
		New: func(*conformance.Env) (verifier.KeyFetcher, error) {
			return issuerFetchers{
				"https://a.example/": fetcher(t, verifier.KeysStatic([]byte(p256)), "a.example", nil),
				"https://b.example/": fetcher(t, verifier.KeysStatic([]byte(okp)), "b.example", nil),
			}, nil
		},
		Issuers: []string{"https://a.example/", "https://b.example/"},
	})
}

func TestKeysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	write := func(set string) error {
		if err := os.WriteFile(path+".new", []byte(set), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	}
	sets := []string{p256, okp}
	rotate := func() error {
		sets[0], sets[1] = sets[1], sets[0]
		return write(sets[1])
	}
	if err := rotate(); err != nil {
		t.Fatal(err)
	}
	conformance.TestKeyFetcher(t, conformance.KeyFetcherHarness{Options: named("verifier.KeysFile"),
		New: func(*conformance.Env) (verifier.KeyFetcher, error) {
			return fetcher(t, verifier.KeysFile(path), "a.example", nil), nil
		},
		Issuers: []string{"https://a.example/"},
		Rotate:  rotate,
		Break: func(verifier.KeyFetcher) func() {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
			return func() {
				if err := write(sets[1]); err != nil {
					t.Error(err)
				}
			}
		},
	})
}

func TestClocks(t *testing.T) {
	fake := verifiertest.NewClock(time.Time{})
	for name, h := range map[string]conformance.ClockHarness{
		"verifiertest.Clock": {New: func(*conformance.Env) (verifier.Clock, error) { return fake, nil }},
		"time.Now":           {New: func(*conformance.Env) (verifier.Clock, error) { return verifier.ClockFunc(time.Now), nil }, Real: true},
	} {
		t.Run(name, func(t *testing.T) {
			h.Options = named(name)
			conformance.TestClock(t, h)
		})
	}
}

func TestDoers(t *testing.T) {
	for name, doer := range map[string]verifier.Doer{
		"verifier.NewHTTPClient": verifier.NewHTTPClient(verifier.HTTPClientConfig{}),
		"*http.Client":           &http.Client{Transport: &http.Transport{}},
		"verifier.DoerFunc":      verifier.DoerFunc(verifier.NewHTTPClient(verifier.HTTPClientConfig{}).Do),
	} {
		t.Run(name, func(t *testing.T) {
			conformance.TestDoer(t, conformance.DoerHarness{
				New: func(*conformance.Env) (verifier.Doer, error) { return doer, nil }, Options: named(name),
			})
		})
	}
}
