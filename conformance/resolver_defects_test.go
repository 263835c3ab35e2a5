package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// tenants is what the reference resolver has configured.
func tenants() map[string][]string {
	return map[string][]string{"one.example": {"a.example"}, "two.example": {"b.example", "https://c.example/realms/x"}}
}

// directory is a resolver that looks the host up elsewhere. Change is a mistake
// in it.
type directory struct {
	*backend
	hosts   map[string][]string
	resolve func(ctx context.Context, req verifier.ResolveRequest) ([]string, error)
	domains func() []string // not nil: it has StaticDomains too
}

func newDirectory(b *backend, change func(d *directory)) *directory {
	d := &directory{backend: b, hosts: tenants()}
	d.resolve = d.lookup
	if change != nil {
		change(d)
	}
	return d
}

func hostOf(req verifier.ResolveRequest) string {
	if req.URL() != nil {
		return req.URL().Hostname()
	}
	return req.Header().Get("Host")
}

func (d *directory) lookup(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	domains, ok := d.hosts[hostOf(req)]
	if !ok {
		return nil, errNotFound
	}
	return slices.Clone(domains), nil
}

func (d *directory) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	return d.resolve(ctx, req)
}

// fixed is a directory with StaticDomains.
type fixed struct{ *directory }

func (f fixed) Domains() []string { return f.domains() }

func resolverHarness(change func(d *directory)) conformance.DomainResolverHarness {
	b := newBackend()
	return conformance.DomainResolverHarness{
		New: func(*conformance.Env) (verifier.DomainResolver, error) {
			if d := newDirectory(b, change); d.domains != nil {
				return fixed{d}, nil
			} else {
				return d, nil
			}
		},
		Known: map[string]verifier.ResolveRequest{
			"a.example": byHost("one.example"), "b.example": byHost("two.example"), "https://c.example/realms/x": byHost("two.example"),
		},
		Break: func(verifier.DomainResolver) func() { return b.setDown() },
		Hang:  func(verifier.DomainResolver) func() { return b.setHang() },
	}
}

// static makes a resolver of one list, with a Domains of its own.
func static(resolve func(ctx context.Context, req verifier.ResolveRequest, list []string) ([]string, error), domains func(list []string) []string) func(d *directory) {
	list := []string{"a.example", "b.example", "https://c.example/realms/x"}
	return func(d *directory) {
		d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
			if err := d.begin(ctx); err != nil {
				return nil, err
			}
			if resolve == nil {
				return slices.Clone(list), nil
			}
			return resolve(ctx, req, slices.Clone(list))
		}
		d.domains = func() []string {
			if domains == nil {
				return slices.Clone(list)
			}
			return domains(slices.Clone(list))
		}
	}
}

func TestReferenceResolvers(t *testing.T) {
	ran := make(map[string]bool)
	for _, change := range []func(*directory){nil, static(nil, nil)} {
		report := conformance.RunDomainResolver(t.Context(), resolverHarness(change))
		if err := report.Err(); err != nil {
			t.Error(err)
		}
		for _, one := range report.With(conformance.Passed) {
			ran[one.Check] = true
		}
	}
	for _, c := range conformance.DomainResolverChecks() {
		if !ran[c.Name] {
			t.Errorf("%s was run for neither reference", c.Name)
		}
	}
}

func TestDomainResolverDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.DomainResolverChecks(), append(resolverDefects(), moreResolverDefects()...), func(ctx context.Context, d defect[func(*directory)]) conformance.Report {
		return conformance.RunDomainResolver(ctx, resolverHarness(d.make))
	})
}

// answering changes what a lookup returned.
func answering(f func(req verifier.ResolveRequest, domains []string, err error) ([]string, error)) func(d *directory) {
	return func(d *directory) {
		inner := d.resolve
		d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
			domains, err := inner(ctx, req)
			if ctx.Err() != nil || errors.Is(err, errDown) {
				return domains, err
			}
			return f(req, domains, err)
		}
	}
}

// remembering caches answers by a key.
func remembering(key func(req verifier.ResolveRequest) string) func(d *directory) {
	return func(d *directory) {
		var mu sync.Mutex
		answers := make(map[string][]string)
		inner := d.resolve
		d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
			mu.Lock()
			answer, ok := answers[key(req)]
			mu.Unlock()
			if ok && ctx.Err() == nil {
				return slices.Clone(answer), nil
			}
			domains, err := inner(ctx, req)
			if err == nil {
				mu.Lock()
				answers[key(req)] = domains
				mu.Unlock()
			}
			return slices.Clone(domains), err
		}
	}
}

func resolverDefects() []defect[func(d *directory)] {
	return []defect[func(d *directory)]{
		{name: "an issuer with a path is left out", fails: "known-requests-get-their-issuer", make: answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			return slices.DeleteFunc(domains, func(domain string) bool { return strings.Contains(domain, "/") }), err
		})},
		{name: "a configuration line ends with a blank entry", fails: "entries-are-issuers", make: answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if err != nil {
				return nil, err
			}
			return append(domains, ""), nil
		})},
		{name: "an issuer is listed with http", fails: "entries-are-issuers", make: func(d *directory) {
			for host := range d.hosts {
				d.hosts[host] = append(d.hosts[host], "http://a.example/")
			}
		}},
		{name: "a caller has a quota of calls", fails: "equal-requests-get-equal-answers", make: func(d *directory) {
			var mu sync.Mutex
			calls, last := 0, ""
			answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				if hostOf(req) != last {
					calls, last = 0, hostOf(req)
				}
				if calls++; calls > 40 {
					return nil, errRefused
				}
				return domains, err
			})(d)
		}},
		{name: "answers are remembered by issuer and mapped by host", fails: "a-done-context-harms-no-later-call answers-are-as-before-after-a-hang answers-are-as-before-after-an-outage answers-do-not-depend-on-earlier-requests known-requests-get-their-issuer", make: remembering(func(req verifier.ResolveRequest) string { return req.UnverifiedIssuer })},
		{name: "requests without a host get the last answer", fails: "answers-do-not-depend-on-earlier-requests", make: func(d *directory) {
			var last atomic.Value
			answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
				if err == nil {
					last.Store(domains)
				} else if before, ok := last.Load().([]string); ok && hostOf(req) == "" {
					return slices.Clone(before), nil
				}
				return domains, err
			})(d)
		}},
		{name: "the answer is built in a buffer that is used again", fails: "answers-do-not-change-later", make: func(d *directory) {
			var mu sync.Mutex
			buffers := make(map[string][]string) // by host; not while others read
			calls := make(map[string]int)
			answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				host := hostOf(req)
				if calls[host]++; calls[host] == 2 && err == nil {
					buffers[host][0] = strings.ToUpper(buffers[host][0])
				}
				if calls[host] == 1 {
					buffers[host] = domains
				}
				return domains, err
			})(d)
		}},
		{name: "a field of the resolver holds the host of the call", fails: "concurrent-calls", make: func(d *directory) {
			var mu sync.Mutex
			var current verifier.ResolveRequest
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				mu.Lock()
				current = req
				mu.Unlock()
				yield()
				mu.Lock()
				req = current
				mu.Unlock()
				return inner(ctx, req)
			}
		}},
		{name: "the token's issuer is listed unchecked", fails: "foreign-issuers-are-not-let-in look-alike-issuers-are-not-let-in", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if !strings.HasPrefix(req.UnverifiedIssuer, "https://") || slices.Contains(domains, strings.Trim(req.UnverifiedIssuer[len("https:"):], "/")) {
				return domains, err
			}
			return append(domains, req.UnverifiedIssuer), nil
		})},
		{name: "the token's issuer is listed for requests without a host", fails: "foreign-issuers-are-not-let-in", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if hostOf(req) == "" && strings.HasPrefix(req.UnverifiedIssuer, "https://") {
				return []string{req.UnverifiedIssuer}, nil
			}
			return domains, err
		})},
		{name: "issuers are compared by their beginning", fails: "look-alike-issuers-are-not-let-in", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			for _, domain := range domains {
				if strings.HasPrefix(strings.TrimPrefix(req.UnverifiedIssuer, "https://"), domain) && req.UnverifiedIssuer != "https://"+domain+"/" {
					return []string{req.UnverifiedIssuer}, nil
				}
			}
			return domains, err
		})},
		{name: "the issuer is made of the first label of the host", fails: "hosts-and-headers-do-not-name-issuers", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if label, _, found := strings.Cut(hostOf(req), "."); err != nil && found && label != "" {
				return []string{label + ".auth0.com"}, nil
			}
			return domains, err
		})},
		{name: "a header names the tenant", fails: "hosts-and-headers-do-not-name-issuers", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if tenant := req.Header().Get("X-Tenant"); tenant != "" {
				return []string{tenant}, nil
			}
			return domains, err
		})},
		{name: "a request without URL is a panic", fails: "bare-requests foreign-issuers-are-not-let-in hosts-and-headers-do-not-name-issuers answers-do-not-depend-on-earlier-requests hostile-texts header-floods answers-do-not-change-later", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				_ = req.URL().Host
				return inner(ctx, req)
			}
		}},
		{name: "a request without issuer is a panic", fails: "bare-requests", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if req.URL() == nil && len(req.Header()) == 0 && req.UnverifiedIssuer == "" {
					_ = req.UnverifiedIssuer[0]
				}
				return inner(ctx, req)
			}
		}},
		{name: "a host that does not parse is a panic", fails: "hostile-texts", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if host := hostOf(req); strings.HasPrefix(host, "[") {
					_ = host[:strings.Index(host, "]")]
				}
				return inner(ctx, req)
			}
		}},
		{name: "a header without values is a panic", fails: "header-floods", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if values, ok := req.Header()["X-Forwarded-Host"]; ok {
					_ = values[0]
				}
				return inner(ctx, req)
			}
		}},
		{name: "the context is not looked at", fails: "done-context", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				return inner(undone(ctx), req)
			}
		}},
		{name: "a remembered answer is given without a look at the context", fails: "done-context", make: func(d *directory) {
			var known tombstones
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if known.has(hostOf(req)) {
					ctx = undone(ctx)
				}
				domains, err := inner(ctx, req)
				if err == nil {
					known.add(hostOf(req))
				}
				return domains, err
			}
		}},
		{name: "every end of a context is a cancellation", fails: "past-deadlines-are-told-from-cancellation", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if ctx.Err() != nil {
					return nil, context.Canceled
				}
				return inner(ctx, req)
			}
		}},
		{name: "the cause replaces the error of the context", fails: "causes-do-not-hide-the-context-error", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				return inner(ctx, req)
			}
		}},
		{name: "the client's time-out does not match", fails: "hanging-backend", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				domains, err := inner(ctx, req)
				if err != nil && d.isHanging() {
					err = fmt.Errorf("lookup: %w", errTimeout)
				}
				return domains, err
			}
		}},
		{name: "the default tenant stands in for a backend that is down", fails: "backend-that-is-down", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				domains, err := inner(ctx, req)
				if errors.Is(err, errDown) {
					return []string{"b.example"}, nil
				}
				return domains, err
			}
		}},
		{name: "Domains is empty until the first request", fails: "domains-are-issuers", make: static(nil, func([]string) []string { return nil })},
		{name: "Domains has a blank entry that answers have not", fails: "domains-are-issuers", make: static(nil, func(list []string) []string { return append(list, " ") })},
		{name: "Domains is for resolvers that look at the request", fails: "domains-are-the-answer-to-every-request", make: static(func(_ context.Context, req verifier.ResolveRequest, list []string) ([]string, error) {
			if req.URL() == nil {
				return list[:1], nil
			}
			return list, nil
		}, nil)},
		{name: "Domains changes with the time", fails: "domains-never-change", make: func(d *directory) {
			var calls atomic.Int64
			static(nil, func(list []string) []string {
				if calls.Add(1) > 100 {
					return list[1:]
				}
				return list
			})(d)
		}},
	}
}
