package conformance

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// resolverRules are the sentences of the contract of one of the two interfaces
// that map a request to issuers, and how its implementations are made. The checks
// are the same.
type resolverRules[H harness] struct {
	iface string
	open  func(env *Env, h H) (*resolverCase, error)
	// validity is the name of the check of what is answered.
	validity string

	known, undecided, refusal, stable, done, unchanged, safe string
}

func (r resolverRules[H]) check(name, rule string, run func(c *resolverCase) error) Check[H] {
	return newCheck(r.iface, name, rule, r.open, run)
}

func (r resolverRules[H]) checks() []Check[H] {
	return slices.Concat(resolverAnswers(r), resolverHostile(r), resolverNeighbours(r), resolverFaults(r))
}

// resolverCase is what a check of a resolver works with.
type resolverCase struct {
	ctx      context.Context
	env      *Env
	method   string
	resolver any

	ask     func(ctx context.Context, req verifier.ResolveRequest) (resolution, error)
	another func() (*resolverCase, error) // with a resolver of its own

	// What the harness says; nil where it says nothing.
	known         map[string]verifier.ResolveRequest
	issuers       []string
	breaks, hangs func() (undo func())
}

// resolution is what a resolver said.
type resolution struct {
	names  []string         // of the issuers that it lets in, as they are spelled
	issuer *verifier.Issuer // of an IssuerResolver
	sum    func() string    // what it means, to compare with another one
	raw    func() string    // what it is, to compare with what it was
	fault  func() error     // why the Verifier could not use it
}

// outcome of a call, to compare with another one: errors count as one.
func outcome(a resolution, err error) string {
	if err != nil {
		return "an error"
	}
	return a.sum()
}

// resolve gives the resolver a request of its own, as the contract says.
func (c *resolverCase) resolve(ctx context.Context, req verifier.ResolveRequest) (resolution, error) {
	defer c.env.begin(c.method)()
	return c.ask(ctx, clone(req))
}

func (c *resolverCase) errorf(format string, args ...any) error {
	return fmt.Errorf(c.method+" "+format, args...)
}

// requests are those of the harness, or one that has nothing special.
func (c *resolverCase) requests() []verifier.ResolveRequest {
	var requests []verifier.ResolveRequest
	for _, issuer := range slices.Sorted(maps.Keys(c.known)) {
		requests = append(requests, c.known[issuer])
	}
	if len(requests) == 0 {
		requests = append(requests, newRequest("https://tenant.example/",
			&url.URL{Scheme: "https", Host: "api.example", Path: "/"}, map[string][]string{"Host": {"api.example"}}))
	}
	return requests
}

// allowed are the issuers that the harness names.
func (c *resolverCase) allowed() []string {
	return issuerNames(slices.Concat(slices.Collect(maps.Keys(c.known)), c.issuers))
}

// issuerName is a domain or https URL as the Verifier reads it.
func issuerName(domain string) (string, bool) {
	text := strings.TrimSpace(domain)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return "https://" + strings.ToLower(u.Host) + u.Path, true
}

// issuerNames is an answer as a sorted set; entries that are none stay as they
// are.
func issuerNames(domains []string) []string {
	var names []string
	for _, domain := range domains {
		name, ok := issuerName(domain)
		if !ok {
			name = domain
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
