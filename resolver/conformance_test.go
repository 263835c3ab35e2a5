package resolver_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

const login = "https://login.example/"

var errDown = errors.New("the registry is down")

// directory is what a template asks; it can be down, or hang.
type directory struct {
	down bool
	hang chan struct{}
}

func (d *directory) allowed(ctx context.Context, tenant string) (bool, error) {
	if d.hang != nil {
		select {
		case <-d.hang:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if d.down {
		return false, errDown
	}
	return tenant == "one" || tenant == "two", nil
}

func asking(issuer string) verifier.ResolveRequest {
	return verifier.NewResolveRequest(issuer, nil, nil)
}

func onHost(host, issuer string) verifier.ResolveRequest {
	return verifier.NewResolveRequest(issuer, &url.URL{Scheme: "https", Host: host, Path: "/"}, nil)
}

// templateHarness makes resolvers with wrap around a template.
func templateHarness(wrap func(verifier.DomainResolver) (verifier.DomainResolver, error)) conformance.DomainResolverHarness {
	var last *directory // of the resolver that the check at work made last
	h := conformance.DomainResolverHarness{
		New: func(*conformance.Env) (verifier.DomainResolver, error) {
			last = &directory{}
			template, err := resolver.Template(resolver.TemplateConfig{
				Name: login + "{tenant}/v2.0", Keys: verifier.KeysURL(login + "keys"), Allowed: last.allowed,
			})
			if err != nil {
				return nil, err
			}
			return wrap(template)
		},
		Known: map[string]verifier.ResolveRequest{login + "one/v2.0": asking(login + "one/v2.0"), login + "two/v2.0": asking(login + "two/v2.0")},
		Break: func(verifier.DomainResolver) func() {
			directory := last
			directory.down = true
			return func() { directory.down = false }
		},
		Hang: func(verifier.DomainResolver) func() {
			hang := make(chan struct{})
			last.hang = hang
			return func() { close(hang) }
		},
	}
	return h
}

// templateWraps are a template, and what resolvers of a program put around it.
func templateWraps() map[string]func(verifier.DomainResolver) (verifier.DomainResolver, error) {
	return map[string]func(verifier.DomainResolver) (verifier.DomainResolver, error){
		"Template": func(r verifier.DomainResolver) (verifier.DomainResolver, error) { return r, nil },
		"Chain": func(r verifier.DomainResolver) (verifier.DomainResolver, error) {
			return resolver.Chain(r), nil
		},
		"Cached": func(r verifier.DomainResolver) (verifier.DomainResolver, error) {
			return resolver.Cached(r, resolver.CacheConfig{Key: resolver.IssuerKey})
		},
	}
}

func TestTemplateConforms(t *testing.T) {
	for name, wrap := range templateWraps() {
		t.Run(name, func(t *testing.T) { conformance.TestDomainResolver(t, templateHarness(wrap)) })
	}
}

// TestIssuerResolversConform: what brings the rules of an issuer keeps the other
// contract too.
func TestIssuerResolversConform(t *testing.T) {
	for name, wrap := range templateWraps() {
		t.Run(name, func(t *testing.T) {
			domains := templateHarness(wrap)
			conformance.TestIssuerResolver(t, conformance.IssuerResolverHarness{
				Options: conformance.Options{Implementation: "resolver." + name},
				New: func(env *conformance.Env) (verifier.IssuerResolver, error) {
					return asIssuerResolver(domains.New(env))
				},
				Known: domains.Known,
				Break: func(verifier.IssuerResolver) func() { return domains.Break(nil) },
				Hang:  func(verifier.IssuerResolver) func() { return domains.Hang(nil) },
			})
		})
	}
	t.Run("IssuersByHost", func(t *testing.T) {
		conformance.TestIssuerResolver(t, conformance.IssuerResolverHarness{
			Options: conformance.Options{Implementation: "resolver.IssuersByHost"},
			New: func(*conformance.Env) (verifier.IssuerResolver, error) {
				return asIssuerResolver(newIssuersByHost(nil))
			},
			Known: map[string]verifier.ResolveRequest{
				"a.example": onHost("one.example", "https://a.example/"), "b.example": onHost("two.example", "https://b.example/"),
			},
		})
	})
}

func asIssuerResolver(made verifier.DomainResolver, err error) (verifier.IssuerResolver, error) {
	if err != nil {
		return nil, err
	}
	return made.(verifier.IssuerResolver), nil
}

func newIssuersByHost(*conformance.Env) (verifier.DomainResolver, error) {
	return resolver.IssuersByHost(map[string][]verifier.Issuer{"one.example": {{Name: "a.example"}}, "two.example": {{Name: "b.example"}}})
}

func TestIssuersByHostConforms(t *testing.T) {
	conformance.TestDomainResolver(t, conformance.DomainResolverHarness{
		Options: conformance.Options{Implementation: "resolver.IssuersByHost"},
		New:     newIssuersByHost,
		Known:   map[string]verifier.ResolveRequest{"a.example": request("https://one.example/", ""), "b.example": request("https://two.example/", "")},
	})
}
