package verifier

import (
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
)

// minCompiled and maxCompiled bound how many policies of issuers that only a
// resolver knows are kept: twice as many as issuers can be held. When there are
// more, all are forgotten and compiled anew: that costs microseconds, and no
// document.
// maxUncompared bounds those of values that cannot be compared: a resolver that makes one
// for each request has a client decide how many there are, of some 2 KB each.
const (
	minCompiled   = 1 << 7
	maxCompiled   = 1 << 18
	maxUncompared = 1 << 15
)

// compiledPolicies keeps the compiled form of what a resolver lists or returns;
// never a decision. Safe for concurrent use.
type compiledPolicies struct {
	standard *standard
	most     int64
	count    atomic.Int64
	// uncompared is how many of them are known by their pointers alone.
	uncompared atomic.Int64

	domains  sync.Map // normal name -> *policy
	pointers sync.Map // *Issuer -> *policy
	contents sync.Map // issuerContent -> *policy
}

// domain returns the policy of a normalised domain of which the configuration
// says nothing but its defaults.
func (c *compiledPolicies) domain(normal string) (*policy, error) {
	if p, ok := c.domains.Load(normal); ok {
		return p.(*policy), nil
	}
	name, problem := domainOf(normal)
	var m mistakes
	if problem != "" {
		m.of("Domains", normal, problem)
		return nil, m.err()
	}
	p := c.standard.compileNamed(&m, "", name, &Issuer{})
	if err := m.err(); err != nil {
		return nil, err
	}
	return c.keep(&c.domains, normal, p), nil
}

// issuer returns the policy of an Issuer that a resolver returned.
func (c *compiledPolicies) issuer(value *Issuer) (*policy, error) {
	if p, ok := c.pointers.Load(value); ok {
		return p.(*policy), nil
	}
	content, comparable := contentOf(value)
	if comparable {
		if p, ok := c.contents.Load(content); ok {
			return p.(*policy), nil
		}
	}
	var m mistakes
	p := c.standard.compile(&m, "Issuer.", value)
	if err := m.err(); err != nil {
		return nil, err
	}
	if comparable {
		p = c.keep(&c.contents, content, p)
		c.pointers.Store(value, p) // a resolver that returns the same pointer again is served from here
		return p, nil
	}
	if c.uncompared.Add(1) > maxUncompared {
		c.forget()
	}
	return c.keep(&c.pointers, value, p), nil
}

func (c *compiledPolicies) forget() {
	c.count.Store(0)
	c.uncompared.Store(0)
	c.domains.Clear()
	c.pointers.Clear()
	c.contents.Clear()
}

func (c *compiledPolicies) keep(in *sync.Map, key any, p *policy) *policy {
	if c.count.Add(1) > c.most {
		c.forget()
	}
	kept, _ := in.LoadOrStore(key, p)
	return kept.(*policy)
}

// issuerContent says what an Issuer says, for comparison.
type issuerContent struct {
	text string
	keys any // comparable
	doer Doer

	opaque    OpaqueTokens
	encrypted bool
}

// contentOf returns what an Issuer says; comparable is false when its Doer
// or Introspector cannot be compared, such as a function.
func contentOf(i *Issuer) (content issuerContent, comparable bool) {
	if i.Doer != nil && !reflect.ValueOf(i.Doer).Comparable() ||
		i.Opaque.Introspector != nil && !reflect.ValueOf(i.Opaque.Introspector).Comparable() {
		return content, false
	}
	var text []byte
	add := func(parts ...string) {
		text = binary.AppendUvarint(text, uint64(len(parts)))
		for _, part := range parts {
			text = binary.AppendUvarint(text, uint64(len(part)))
			text = append(text, part...)
		}
	}
	add(i.Name, i.SubjectPrefix, i.NoAudience.Claim)
	for _, list := range [...][]string{
		i.Aliases, i.Audiences, i.NoAudience.Values, i.Algorithms, i.RequiredClaims, i.Optional, i.Types,
		i.Claims.Scope, i.Claims.ClientID, i.Claims.Permissions, i.Encryption.Keys,
	} {
		add(list...)
	}
	claims := make([]string, 0, len(i.RequiredValues))
	for claim := range i.RequiredValues {
		claims = append(claims, claim)
	}
	slices.Sort(claims)
	for _, claim := range claims {
		add(claim)
		add(i.RequiredValues[claim]...)
	}
	text = binary.AppendVarint(text, int64(i.Leeway))
	text = binary.AppendVarint(text, int64(i.Profile))
	return issuerContent{text: string(text), keys: i.Keys.identity(), doer: i.Doer, opaque: i.Opaque, encrypted: i.Encryption.Required}, true
}

// maxLists bounds how many lists of a resolver are remembered in normal form,
// and maxListed how long they may be together.
const (
	maxLists  = 1024
	maxListed = 1 << 18
)

// normalLists remembers the lists of a resolver in normal form, so that a long
// one is read once and then compared. Safe for concurrent use.
type normalLists struct {
	mu     sync.Mutex // guards changes
	listed int
	lists  atomic.Pointer[map[listKey]*normalList]
}

// listKey finds a list again without reading all of it.
type listKey struct {
	length      int
	first, last string
}

type normalList struct {
	domains []string
	names   map[string]bool
	err     error
}

// shortList is up to which length a list is read each time.
const shortList = 8

// has reports whether an issuer is among the domains, all of which must be valid:
// a list that is partly garbage says that the resolver is broken.
func (n *normalLists) has(domains []string, name string, nameOf func(string) (string, error)) (bool, error) {
	if len(domains) <= shortList {
		return lists(domains, name, nameOf)
	}
	key := listKey{len(domains), domains[0], domains[len(domains)-1]}
	if all := n.lists.Load(); all != nil {
		if l := (*all)[key]; l != nil && slices.Equal(l.domains, domains) {
			return l.names[name], l.err
		}
	}
	l := &normalList{domains: slices.Clone(domains), names: make(map[string]bool, len(domains))}
	for _, domain := range l.domains {
		known, err := nameOf(domain)
		if err != nil {
			l.err = err
			break
		}
		l.names[known] = true
	}
	n.remember(key, l)
	return l.names[name] && l.err == nil, l.err
}

func (n *normalLists) remember(key listKey, l *normalList) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := make(map[listKey]*normalList)
	if all := n.lists.Load(); all != nil && len(*all) < maxLists && n.listed+len(l.domains) <= maxListed {
		for k, v := range *all {
			next[k] = v
		}
	} else {
		n.listed = 0
	}
	if old := next[key]; old != nil {
		n.listed -= len(old.domains)
	}
	next[key] = l
	n.listed += len(l.domains)
	n.lists.Store(&next)
}

// lists is has for a short list.
func lists(domains []string, name string, nameOf func(string) (string, error)) (bool, error) {
	allowed := false
	for _, domain := range domains {
		if domain == name {
			allowed = true
			continue
		}
		known, err := nameOf(domain)
		if err != nil {
			return false, err
		}
		allowed = allowed || known == name
	}
	return allowed, nil
}

var (
	errResolverEmpty   = errors.New("verifier: the resolver returned no domain")
	errResolverInvalid = errors.New("verifier: the resolver returned an invalid domain")
	errResolverNil     = errors.New("verifier: the resolver returned neither an issuer nor an error")
)
