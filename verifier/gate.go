package verifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// gate decides whether tokens of an issuer are allowed for a request, and by
// which policy they are judged. It is passed before any network call.
type gate struct {
	exact    map[string]*policy // by every spelling of iss that the configuration has
	normal   map[string]*policy // by the normal form of those that have one
	all      []*policy          // in the order of the configuration
	nameless *policy            // of tokens without iss, or nil

	resolver DomainResolver // nil: what is in exact is allowed
	issuers  IssuerResolver // resolver, if it can say more
	compiled compiledPolicies
	lists    normalLists
}

// admit returns the policy for a token, or why it has none. iss is "" for a
// token without one, which is known by its subject alone.
func (g *gate) admit(ctx context.Context, iss, subject string, in *incoming) (*policy, error) {
	if g.resolver == nil {
		return g.known(iss, subject)
	}
	return g.ask(ctx, iss, subject, in)
}

// known finds the policy of an iss in the configuration: by exact spelling
// first, by normal form second, so that a wrong spelling of a known issuer is
// told as such.
func (g *gate) known(iss, subject string) (*policy, error) {
	if iss == "" {
		return g.withoutIssuer(subject)
	}
	if p := g.exact[iss]; p != nil {
		return p, nil
	}
	normal, err := issuer.Normalize(iss)
	if err != nil {
		return nil, refuse(reason.IssuerMalformed)
	}
	if p := g.normal[normal]; p != nil {
		return p, nil
	}
	return nil, refuse(reason.IssuerNotAllowed)
}

func (g *gate) withoutIssuer(subject string) (*policy, error) {
	if g.nameless == nil || len(subject) <= len(g.nameless.subjectPrefix) || subject[:len(g.nameless.subjectPrefix)] != g.nameless.subjectPrefix {
		return nil, refuse(reason.IssuerMissing)
	}
	return g.nameless, nil
}

// ask lets the resolver decide.
func (g *gate) ask(ctx context.Context, iss, subject string, in *incoming) (*policy, error) {
	unverified, p := iss, g.exact[iss]
	if normal, err := issuer.Normalize(iss); err == nil {
		unverified = normal
		if p == nil {
			p = g.normal[normal]
		}
	} else if iss != "" && p == nil && (g.issuers == nil || len(iss) > maxIssuer) {
		return nil, refuse(reason.IssuerMalformed)
	}
	if iss == "" && g.issuers == nil {
		var err error
		if p, err = g.withoutIssuer(subject); err != nil {
			return nil, err
		}
	}
	name := unverified
	if p != nil {
		name = p.name
	}
	req := ResolveRequest{UnverifiedIssuer: unverified, in: in.copy()}
	if g.issuers != nil {
		return g.askForIssuer(ctx, iss, subject, req)
	}
	return g.askForDomains(ctx, name, p, req)
}

// resolverFailure tells a refusal from a failure to decide. A request that the
// resolver looked at and that cannot be read is the request's own fault.
func resolverFailure(err error, in *incoming) error {
	switch {
	case in.fault.Load() != nil:
		return in.fault.Load()
	case errors.Is(err, ErrNotAllowed):
		return refuse(reason.IssuerNotAllowed)
	default:
		return undecided(reason.Resolver, err, 0)
	}
}

func (g *gate) askForDomains(ctx context.Context, name string, p *policy, req ResolveRequest) (*policy, error) {
	domains, err := foreign.Call(ctx, func() ([]string, error) { return g.resolver.ResolveDomains(ctx, req) })
	if err == nil && len(domains) == 0 {
		err = errResolverEmpty
	}
	if err != nil || req.in.fault.Load() != nil {
		return nil, resolverFailure(err, req.in)
	}
	listed, err := g.lists.has(domains, name, g.nameOfListed)
	switch {
	case err != nil:
		return nil, undecided(reason.Resolver, err, 0)
	case !listed:
		return nil, refuse(reason.IssuerNotAllowed)
	case p != nil:
		return p, nil
	default:
		return g.compiled.domain(name)
	}
}

func (g *gate) askForIssuer(ctx context.Context, iss, subject string, req ResolveRequest) (*policy, error) {
	value, err := foreign.Call(ctx, func() (*Issuer, error) { return g.issuers.ResolveIssuer(ctx, req) })
	if err == nil && value == nil {
		err = errResolverNil
	}
	if err != nil || req.in.fault.Load() != nil {
		return nil, resolverFailure(err, req.in)
	}
	p, err := g.policyOf(value)
	switch {
	case err != nil:
		return nil, undecided(reason.Resolver, err, 0)
	case iss == "" && (p.subjectPrefix == "" || len(subject) <= len(p.subjectPrefix) || subject[:len(p.subjectPrefix)] != p.subjectPrefix):
		return nil, refuse(reason.IssuerMissing)
	case iss != "" && !p.has(iss):
		return nil, refuse(reason.IssuerNotAllowed)
	default:
		return p, nil
	}
}

// policyOf returns the policy of what a resolver returned. An Issuer that is no
// more than a Name stands for the one of Config.Issuers, if there is one.
func (g *gate) policyOf(value *Issuer) (*policy, error) {
	if value.isName() {
		if p := g.configured(value.Name); p != nil {
			return p, nil
		}
	}
	return g.compiled.issuer(value)
}

// newGate compiles the issuers of a configuration.
func newGate(m *mistakes, cfg *Config, s *standard) *gate {
	g := &gate{exact: make(map[string]*policy), normal: make(map[string]*policy)}
	dynamic := *s
	dynamic.sources.dynamic = true
	g.compiled.standard, g.compiled.most = &dynamic, maxCompiled
	for i := range cfg.Issuers {
		field := fmt.Sprintf("Issuers[%d].", i)
		g.add(m, field+"Name", s.compile(m, field, &cfg.Issuers[i]))
	}
	static, isStatic := cfg.Domains.(StaticDomains)
	switch {
	case cfg.Domain != "" && cfg.Domains != nil:
		m.add("Domain", "and Config.Domains are both set; set one")
	case cfg.Domain != "" && len(cfg.Issuers) > 0:
		m.add("Domain", "and Config.Issuers are both set; make it one of Issuers: {Name: ...}")
	case cfg.Domain != "":
		g.addDomain(m, "Domain", cfg.Domain, s)
	case isNil(cfg.Domains) && cfg.Domains != nil:
		m.add("Domains", "is a nil pointer")
	case isStatic:
		g.fix(m, static.Domains(), s)
	case cfg.Domains != nil:
		if c, ok := cfg.Domains.(interface{ Check() error }); ok {
			if err := c.Check(); err != nil {
				m.add("Domains", "cannot work: "+err.Error())
			}
		}
		g.resolver = cfg.Domains
		g.issuers, _ = cfg.Domains.(IssuerResolver)
	case len(cfg.Issuers) == 0:
		m.add("Domain", "or Config.Issuers or Config.Domains must be set")
	}
	g.checkSources(m)
	if _, err := one(g.all); g.resolver == nil && errors.Is(err, errSeveral) {
		m.add("Issuers", "has several entries with an Introspector; an opaque token names no issuer, and must not be shown to two servers: let a resolver choose by the request")
	}
	return g
}

// add makes an issuer known under all of its spellings, none of which may be
// another's.
func (g *gate) add(m *mistakes, field string, p *policy) {
	if p == nil {
		return
	}
	for _, text := range slices.Concat(p.exact, p.aliases) {
		other := g.exact[text]
		normal, err := issuer.Normalize(text)
		if err == nil && other == nil {
			other = g.normal[normal]
		}
		if other != nil && other != p {
			m.of(field, text, "is a spelling of another entry's issuer too; an iss must lead to one set of keys and rules")
			continue
		}
		g.exact[text] = p
		if err == nil {
			g.normal[normal] = p
		}
	}
	if p.subjectPrefix != "" {
		if g.nameless != nil {
			m.add(field, "has a SubjectPrefix, and so has another entry; tokens without iss can be of one issuer alone")
		}
		g.nameless = p
	}
	g.all = append(g.all, p)
}

// checkSources refuses two KeyFetchers under one name: in the shared cache the one
// could not be told from the other.
func (g *gate) checkSources(m *mistakes) {
	sources := make(map[string]*keys.Source, len(g.all))
	for _, p := range g.all {
		if p.source == nil {
			continue
		}
		name := p.source.Name()
		if other := sources[name]; other != nil && p.source.IsConfusedWith(other) {
			m.of("Issuers", p.name, "takes the keys of "+strconv.Quote(name)+" from another KeyFetcher than a further entry; make one Keys and give it to all of these issuers")
		}
		sources[name] = p.source
	}
}

func (g *gate) addDomain(m *mistakes, field, text string, s *standard) {
	name, problem := domainOf(text)
	if problem != "" {
		m.of(field, text, problem)
		return
	}
	g.add(m, field, s.compileNamed(m, "", name, &Issuer{}))
}

// fix takes over the list of a resolver that never changes: Issuers then are the
// rules of what it lists.
func (g *gate) fix(m *mistakes, domains []string, s *standard) {
	if len(domains) == 0 {
		m.add("Domains", "is empty; list the allowed issuers")
	}
	listed := make(map[*policy]bool, len(g.all))
	for i, text := range domains {
		field := fmt.Sprintf("Domains[%d]", i)
		if p := g.exact[text]; p != nil {
			listed[p] = true
			continue
		}
		name, problem := domainOf(text)
		if problem != "" {
			m.of(field, text, problem)
			continue
		}
		if p := g.normal[name.name]; p != nil {
			listed[p] = true // a repeated entry, or one that Issuers describes
			continue
		}
		g.addDomain(m, field, text, s)
		if p := g.normal[name.name]; p != nil {
			listed[p] = true
		}
	}
	for i, p := range g.all {
		if !listed[p] {
			m.of(fmt.Sprintf("Issuers[%d].Name", i), p.name, "is not in the list of Config.Domains, so it could never be used")
		}
	}
}

// mayIntrospect reports whether some issuer can be asked about tokens.
func (g *gate) mayIntrospect() bool {
	return g.issuers != nil || slices.ContainsFunc(g.all, func(p *policy) bool { return p.opaque.Introspector != nil })
}

// introspecting returns the one issuer that an opaque token of this request can
// be of.
func (g *gate) introspecting(ctx context.Context, in *incoming) (*policy, error) {
	if p, err := one(g.all); g.resolver == nil || g.issuers == nil && p == nil && !errors.Is(err, errSeveral) {
		return p, err
	}
	req := ResolveRequest{in: in.copy()}
	if g.issuers != nil {
		value, err := foreign.Call(ctx, func() (*Issuer, error) { return g.issuers.ResolveIssuer(ctx, req) })
		if err == nil && value == nil {
			err = errResolverNil
		}
		if err != nil || req.in.fault.Load() != nil {
			return nil, resolverFailure(err, req.in)
		}
		p, err := g.policyOf(value)
		if err != nil {
			return nil, undecided(reason.Resolver, err, 0)
		}
		return one([]*policy{p})
	}
	domains, err := foreign.Call(ctx, func() ([]string, error) { return g.resolver.ResolveDomains(ctx, req) })
	if err == nil && len(domains) == 0 {
		err = errResolverEmpty
	}
	if err != nil || req.in.fault.Load() != nil {
		return nil, resolverFailure(err, req.in)
	}
	var allowed []*policy
	for _, p := range g.all {
		listed, err := g.lists.has(domains, p.name, g.nameOfListed)
		if err != nil {
			return nil, undecided(reason.Resolver, err, 0)
		}
		if listed {
			allowed = append(allowed, p)
		}
	}
	return one(allowed)
}

var errSeveral = errors.New("verifier: several issuers of this request introspect tokens; an opaque token can be of any of them")

// one returns the only policy that introspects.
func one(policies []*policy) (found *policy, err error) {
	for _, p := range policies {
		if p.opaque.Introspector == nil {
			continue
		}
		if found != nil {
			return nil, undecided(reason.Resolver, errSeveral, 0)
		}
		found = p
	}
	if found == nil {
		return nil, refuse(reason.TokenMalformed)
	}
	return found, nil
}

// warm is named for a resolver that brings the rules too: it is asked, without a
// request.
func (g *gate) warm(ctx context.Context, text string) (*policy, error) {
	if g.issuers == nil {
		return g.named(text)
	}
	name := text
	if normal, err := issuer.Normalize(text); err == nil {
		name = normal
	}
	value, err := foreign.Call(ctx, func() (*Issuer, error) {
		return g.issuers.ResolveIssuer(ctx, NewResolveRequest(name, nil, nil))
	})
	switch {
	case errors.Is(err, ErrNotAllowed):
		return nil, refuse(reason.IssuerNotAllowed)
	case err == nil && value == nil:
		err = errResolverNil
	}
	if err != nil {
		return nil, undecided(reason.Resolver, err, 0)
	}
	return g.policyOf(value)
}

// named returns the policy of an issuer that the calling program names: by Name,
// an alias or a domain in any form.
func (g *gate) named(text string) (*policy, error) {
	if p := g.configured(text); p != nil {
		return p, nil
	}
	normal, err := issuer.Normalize(text)
	if err != nil || g.resolver == nil {
		return nil, refuse(reason.IssuerNotAllowed)
	}
	return g.compiled.domain(normal)
}

// configured returns the policy of the entry of Config.Issuers that a text names,
// or nil.
func (g *gate) configured(text string) *policy {
	if p := g.exact[text]; p != nil {
		return p
	}
	if normal, err := issuer.Normalize(text); err == nil {
		return g.normal[normal]
	}
	return nil
}

// nameOfListed returns the name under which the gate knows an entry of a
// resolver's list.
func (g *gate) nameOfListed(domain string) (string, error) {
	if p := g.exact[domain]; p != nil {
		return p.name, nil
	}
	normal, err := issuer.Normalize(domain)
	if err != nil {
		return "", errResolverInvalid
	}
	if p := g.normal[normal]; p != nil {
		return p.name, nil
	}
	return normal, nil
}
