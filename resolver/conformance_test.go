package resolver_test

import (
	"context"
	"errors"
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
			last.down = true
			return func() {}
		},
		Hang: func(verifier.DomainResolver) func() {
			last.hang = make(chan struct{})
			return func() { close(last.hang) }
		},
	}
	return h
}

func TestTemplateConforms(t *testing.T) {
	for name, wrap := range map[string]func(verifier.DomainResolver) (verifier.DomainResolver, error){
		"Template": func(r verifier.DomainResolver) (verifier.DomainResolver, error) { return r, nil },
		"Chain": func(r verifier.DomainResolver) (verifier.DomainResolver, error) {
			return resolver.Chain(r), nil
		},
		"Cached": func(r verifier.DomainResolver) (verifier.DomainResolver, error) {
			return resolver.Cached(r, resolver.CacheConfig{Key: resolver.IssuerKey})
		},
	} {
		t.Run(name, func(t *testing.T) { conformance.TestDomainResolver(t, templateHarness(wrap)) })
	}
}

func TestIssuersByHostConforms(t *testing.T) {
	conformance.TestDomainResolver(t, conformance.DomainResolverHarness{
		New: func(*conformance.Env) (verifier.DomainResolver, error) {
			return resolver.IssuersByHost(map[string][]verifier.Issuer{"one.example": {{Name: "a.example"}}, "two.example": {{Name: "b.example"}}})
		},
		Known: map[string]verifier.ResolveRequest{"a.example": request("https://one.example/", ""), "b.example": request("https://two.example/", "")},
	})
}
