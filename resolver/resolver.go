package resolver

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/verifier"
)

// ErrNoMatch says that a resolver has nothing to say about a request. [Chain]
// goes on to the next resolver. When none has anything to say, the request is
// refused with 401: the error matches verifier.ErrNotAllowed.
var ErrNoMatch = fmt.Errorf("resolver: no issuers for this request: %w", verifier.ErrNotAllowed)

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
// Config.ExternalURL fixes the host of all requests, and so leaves nothing to
// choose by.
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
	if len(byHost) == 0 {
		return nil, fmt.Errorf("resolver: ByHost needs a host")
	}
	return Func(func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
		return lookUp(ctx, byHost, req)
	}), nil
}

func lookUp[T any](ctx context.Context, byHost map[string]T, req verifier.ResolveRequest) (found T, err error) {
	if err := ctx.Err(); err != nil {
		return found, err
	}
	found, ok := byHost[requestHost(req)]
	if !ok {
		return found, ErrNoMatch
	}
	return found, nil
}

// IssuersByHost is [ByHost] for issuers with rules of their own: for each host
// those that may sign, with their rules. The result is a
// verifier.IssuerResolver. An Issuer that is wrong in itself is told by the error.
//
// A token that names no issuer, such as an opaque one, is of the one Issuer of its
// host that has an Introspector or a SubjectPrefix. A host can have one of these
// at most.
func IssuersByHost(hosts map[string][]verifier.Issuer) (verifier.DomainResolver, error) {
	all := &issuersByHost{hosts: make(map[string]*issuerList, len(hosts))}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("resolver: IssuersByHost needs a host")
	}
	for host, issuers := range hosts {
		name := normalHost(host)
		if name == "" || strings.ContainsAny(name, "/@ ") || all.hosts[name] != nil {
			return nil, fmt.Errorf("resolver: invalid or repeated host %q", host)
		}
		l := &issuerList{byISS: make(map[string]*verifier.Issuer)}
		for i := range issuers {
			if err := l.add(&issuers[i]); err != nil {
				return nil, fmt.Errorf("resolver: the issuers of host %q: %w", host, err)
			}
		}
		if len(l.names) == 0 {
			return nil, fmt.Errorf("resolver: the list of host %q is empty", host)
		}
		if err := checkIssuers(fmt.Sprintf("the issuers of host %q", host), issuers); err != nil {
			return nil, err
		}
		all.hosts[name] = l
	}
	return all, nil
}

type issuersByHost struct{ hosts map[string]*issuerList }

// issuerList is what may sign for one host, by every spelling of iss.
type issuerList struct {
	byISS    map[string]*verifier.Issuer
	names    []string
	nameless *verifier.Issuer // of tokens that name no issuer, or nil
}

func (l *issuerList) add(i *verifier.Issuer) error {
	value := *i
	for _, iss := range append([]string{value.Name}, value.Aliases...) {
		if l.byISS[iss] != nil {
			return fmt.Errorf("%q stands twice", iss)
		}
		l.byISS[iss] = &value
		if normal, err := issuer.Normalize(iss); err == nil && normal != iss {
			if l.byISS[normal] != nil && l.byISS[normal] != &value {
				return fmt.Errorf("%q stands twice", iss)
			}
			l.byISS[normal] = &value
		}
	}
	if value.Opaque.Introspector != nil || value.SubjectPrefix != "" {
		if l.nameless != nil {
			return fmt.Errorf("%q and %q both have an Introspector or a SubjectPrefix; a token that names no issuer can be of one alone", l.nameless.Name, value.Name)
		}
		l.nameless = &value
	}
	l.names = append(l.names, value.Name)
	return nil
}

// ResolveDomains implements verifier.DomainResolver.
func (r *issuersByHost) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	l, err := lookUp(ctx, r.hosts, req)
	if err != nil {
		return nil, err
	}
	return l.names, nil
}

// ResolveIssuer implements verifier.IssuerResolver.
func (r *issuersByHost) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	l, err := lookUp(ctx, r.hosts, req)
	if err != nil {
		return nil, err
	}
	i := l.byISS[req.UnverifiedIssuer]
	if req.UnverifiedIssuer == "" {
		i = l.nameless
	}
	if i == nil {
		return nil, verifier.ErrNotAllowed
	}
	return i, nil
}

func requestHost(req verifier.ResolveRequest) string {
	if u := req.URL(); u != nil {
		return normalHost(u.Host)
	}
	return normalHost(req.Header().Get("Host"))
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
