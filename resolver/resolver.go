package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/verifier"
)

// ErrNoMatch says that a resolver has nothing to say about a request. [Chain]
// goes on to the next resolver; the Verifier answers with 503.
var ErrNoMatch = errors.New("resolver: no issuers for this request")

// checkDomains returns an error that says what is wrong with a list.
func checkDomains(what string, domains []string) error {
	if len(domains) == 0 {
		return fmt.Errorf("resolver: %s is empty", what)
	}
	for _, domain := range domains {
		if _, err := issuer.Normalize(domain); err != nil {
			return fmt.Errorf("resolver: %s has an invalid domain %q", what, domain)
		}
	}
	return nil
}

// StaticResolver is a fixed list of issuers; see [Static].
type StaticResolver struct{ domains []string }

// Static returns a resolver that allows the same issuers for every request. An
// empty list or an invalid domain is refused by verifier.New.
func Static(domains ...string) StaticResolver { return StaticResolver{slices.Clone(domains)} }

// Domains implements verifier.StaticDomains.
func (s StaticResolver) Domains() []string { return slices.Clone(s.domains) }

// ResolveDomains implements verifier.DomainResolver.
func (s StaticResolver) ResolveDomains(ctx context.Context, _ verifier.ResolveRequest) ([]string, error) {
	return s.domains, ctx.Err()
}

// Func makes a resolver of a function.
type Func = verifier.DomainResolverFunc

// ByHost returns a resolver that allows the issuers listed for the host of the
// request: that of its URL, or without one its Host header. Hosts are compared
// without case and default port; a host that is not listed is [ErrNoMatch].
// The error names an invalid entry.
func ByHost(hosts map[string][]string) (verifier.DomainResolver, error) {
	byHost := make(map[string][]string, len(hosts))
	for host, domains := range hosts {
		name := normalHost(host)
		if name == "" || strings.ContainsAny(name, "/@ ") || byHost[name] != nil {
			return nil, fmt.Errorf("resolver: invalid or repeated host %q", host)
		}
		if err := checkDomains("the list of host "+name, domains); err != nil {
			return nil, err
		}
		byHost[name] = slices.Clone(domains)
	}
	return Func(func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		domains, ok := byHost[requestHost(req)]
		if !ok {
			return nil, ErrNoMatch
		}
		return domains, nil
	}), nil
}

func requestHost(req verifier.ResolveRequest) string {
	if req.URL != nil {
		return normalHost(req.URL.Host)
	}
	return normalHost(req.Header.Get("Host"))
}

// normalHost lower-cases a host and drops the default ports of http and https.
func normalHost(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	if name, port, err := net.SplitHostPort(host); err == nil && (port == "443" || port == "80") {
		if strings.Contains(name, ":") {
			return "[" + name + "]"
		}
		return name
	}
	return host
}

// Chain returns a resolver that asks others in order. The first one that does
// not say [ErrNoMatch] decides; any other error is the outcome. When none
// decides, it says ErrNoMatch itself.
func Chain(resolvers ...verifier.DomainResolver) verifier.DomainResolver {
	resolvers = slices.Clone(resolvers)
	return Func(func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, r := range resolvers {
			domains, err := r.ResolveDomains(ctx, req)
			if !errors.Is(err, ErrNoMatch) {
				return domains, err
			}
		}
		return nil, ErrNoMatch
	})
}
