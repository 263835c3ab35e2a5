package resolver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/verifier"
)

// Chain returns a resolver that asks others in order. The first one that does
// not say [ErrNoMatch] decides; any other error is the outcome. When none
// decides, it says ErrNoMatch itself.
//
// Where one of them is a verifier.IssuerResolver, so is the result: what the others
// list then is an Issuer of that name, judged by Config.Issuers and Config's
// defaults. verifier.New refuses a Chain of a list with an invalid domain.
func Chain(resolvers ...verifier.DomainResolver) verifier.DomainResolver {
	c := &chain{slices.Clone(resolvers)}
	for _, r := range resolvers {
		if _, ok := r.(verifier.IssuerResolver); ok {
			return &issuerChain{c}
		}
	}
	return c
}

type chain struct{ resolvers []verifier.DomainResolver }

// Check lets verifier.New refuse members that cannot work.
func (c *chain) Check() error {
	if len(c.resolvers) == 0 {
		return errors.New("resolver: Chain needs a resolver")
	}
	for _, r := range c.resolvers {
		if err := check(r); err != nil {
			return err
		}
	}
	return nil
}

// check says what is wrong with a resolver, as far as that can be told before
// the first request.
func check(r verifier.DomainResolver) error {
	if r == nil {
		return errors.New("resolver: nil instead of a resolver")
	}
	if c, ok := r.(interface{ Check() error }); ok {
		return c.Check()
	}
	if s, ok := r.(verifier.StaticDomains); ok {
		return checkDomains("a fixed list", s.Domains())
	}
	return nil
}

// ResolveDomains implements verifier.DomainResolver.
func (c *chain) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	return firstOf(ctx, c.resolvers, func(r verifier.DomainResolver) ([]string, error) { return r.ResolveDomains(ctx, req) })
}

type issuerChain struct{ *chain }

// ResolveIssuer implements verifier.IssuerResolver.
func (c *issuerChain) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	return firstOf(ctx, c.resolvers, func(r verifier.DomainResolver) (*verifier.Issuer, error) {
		if i, ok := r.(verifier.IssuerResolver); ok {
			return i.ResolveIssuer(ctx, req)
		}
		domains, err := r.ResolveDomains(ctx, req)
		if err != nil {
			return nil, err
		}
		return listed(domains, req.UnverifiedIssuer)
	})
}

func firstOf[T any](ctx context.Context, resolvers []verifier.DomainResolver, ask func(verifier.DomainResolver) (T, error)) (none T, err error) {
	if err := ctx.Err(); err != nil {
		return none, err
	}
	for _, r := range resolvers {
		if found, err := ask(r); !errors.Is(err, ErrNoMatch) {
			return found, err
		}
	}
	return none, ErrNoMatch
}

var errNothing = errors.New("resolver: a member of the chain returned no domain, or an invalid one")

// asDomain returns the Issuer.Name that stands for what a resolver lists: of a
// host both spellings count, as when the Verifier reads the list.
func asDomain(normal string) string {
	if host := strings.TrimSuffix(strings.TrimPrefix(normal, "https://"), "/"); !strings.Contains(host, "/") {
		return host
	}
	return normal
}

// listed returns the entry of a list that is the issuer asked for. As for the
// Verifier, a list that is partly garbage says that its resolver is broken.
func listed(domains []string, unverified string) (*verifier.Issuer, error) {
	var found *verifier.Issuer
	for _, domain := range domains {
		normal, err := issuer.Normalize(domain)
		if err != nil {
			return nil, errNothing
		}
		if normal == unverified {
			found = &verifier.Issuer{Name: asDomain(normal)}
		}
	}
	switch {
	case len(domains) == 0:
		return nil, errNothing
	case found == nil:
		return nil, verifier.ErrNotAllowed
	default:
		return found, nil
	}
}
