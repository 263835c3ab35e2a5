package conformance

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

const undecided = `An empty list, a blank or invalid entry, any other error or a panic means "could not decide": the request is answered with 503 and [ErrUnavailable], not with "bad token".`

func resolverAnswers() []Check[DomainResolverHarness] {
	const (
		lists  = `The result lists allowed issuers as domains ("tenant.auth0.com"), as https URLs, or by the Name of an Issuer of Config.Issuers; the Verifier normalises them.`
		stable = "Equal requests get equal answers as long as the configuration behind the resolver does not change."
	)
	return []Check[DomainResolverHarness]{
		resolverCheck("known-requests-get-their-issuer", lists, resolverKnown),
		resolverCheck("entries-are-issuers", undecided, resolverEntries),
		resolverCheck("equal-requests-get-equal-answers", stable, resolverStable),
		resolverCheck("answers-do-not-depend-on-earlier-requests", stable, resolverIndependent),
		resolverCheck("answers-do-not-change-later", "The returned slice is not changed by the resolver afterwards.", resolverUnchanged),
		resolverCheck("concurrent-calls", "Safe for concurrent use.", resolverConcurrent),
		resolverCheck("many-requests-leave-no-answer-behind", stable, resolverMany),
	}
}

func resolverKnown(c *resolverCase) error {
	if len(c.h.Known) == 0 {
		return skip("the harness has no Known requests")
	}
	for _, issuer := range slices.Sorted(maps.Keys(c.h.Known)) {
		want, _ := issuerName(issuer)
		domains, err := c.resolve(c.ctx, c.h.Known[issuer])
		if err != nil || !slices.Contains(issuerNames(domains), want) {
			return fmt.Errorf("ResolveDomains of the request known for %s = %q, %v; want a list with it", issuer, domains, err)
		}
	}
	return nil
}

func resolverEntries(c *resolverCase) error {
	for _, req := range c.known() {
		domains, err := c.resolve(c.ctx, req)
		if err != nil {
			continue // another check's finding, if the request is known
		}
		for _, domain := range domains {
			if _, ok := issuerName(domain); !ok {
				return fmt.Errorf("ResolveDomains lists %s; want domains or https URLs without credentials, query and fragment", show(domain))
			}
		}
	}
	return nil
}

func resolverStable(c *resolverCase) error {
	for _, req := range c.known() {
		first := outcome(c.resolve(c.ctx, req))
		for i := range 50 {
			if again := outcome(c.resolve(c.ctx, req)); again != first {
				return fmt.Errorf("ResolveDomains of an equal request, call %d = %s; want %s as before", i+2, again, first)
			}
		}
	}
	return nil
}

// resolverIndependent finds caches with too short a key: each request goes to
// a resolver that had all others before, in two orders.
func resolverIndependent(c *resolverCase) error {
	requests := append(c.known(), verifier.ResolveRequest{UnverifiedIssuer: "https://" + randomHex(8) + ".example/"})
	alone := make([]string, len(requests))
	for i, req := range requests {
		fresh, err := newResolverCase(c.env, c.h)
		if err != nil {
			return err
		}
		alone[i] = outcome(fresh.resolve(c.ctx, req))
	}
	for _, backwards := range []bool{false, true} {
		used, err := newResolverCase(c.env, c.h)
		if err != nil {
			return err
		}
		for n := range requests {
			i := n
			if backwards {
				i = len(requests) - 1 - n
			}
			if got := outcome(used.resolve(c.ctx, requests[i])); got != alone[i] {
				return fmt.Errorf("ResolveDomains after %d other requests = %s; want %s, as when it is the first", n, got, alone[i])
			}
		}
	}
	return nil
}

func resolverUnchanged(c *resolverCase) error {
	requests := c.known()
	type kept struct{ got, was []string }
	var all []kept
	for range 3 {
		for _, req := range requests {
			domains, _ := c.resolve(c.ctx, req)
			all = append(all, kept{domains, slices.Clone(domains)})
		}
		_, _ = c.resolve(c.ctx, verifier.ResolveRequest{UnverifiedIssuer: "https://other.example/"})
	}
	for _, k := range all {
		if !slices.Equal(k.got, k.was) {
			return fmt.Errorf("a returned slice became %q after later calls; want it to stay %q", k.got, k.was)
		}
	}
	return nil
}

func resolverConcurrent(c *resolverCase) error {
	requests := c.known()
	want := make([]string, len(requests))
	for i, req := range requests {
		want[i] = outcome(c.resolve(c.ctx, req))
	}
	return together(64, func(worker int) error {
		for round := range 25 {
			i := (worker + round) % len(requests)
			if got := outcome(c.resolve(c.ctx, requests[i])); got != want[i] {
				return fmt.Errorf("ResolveDomains beside 63 other calls = %s; want %s", got, want[i])
			}
		}
		return nil
	})
}

// resolverMany asks for many strangers between two equal requests, more than a
// cache holds.
func resolverMany(c *resolverCase) error {
	for _, req := range c.known() {
		first := outcome(c.resolve(c.ctx, req))
		for i := range 600 {
			host := fmt.Sprintf("%d-%s.invalid", i, randomHex(3))
			_, _ = c.resolve(c.ctx, newRequest("https://"+host+"/", &url.URL{Scheme: "https", Host: host, Path: "/"}, http.Header{"Host": {host}}))
		}
		if again := outcome(c.resolve(c.ctx, req)); again != first {
			return fmt.Errorf("ResolveDomains of an equal request, after 600 others = %s; want %s as before", again, first)
		}
	}
	return nil
}

func resolverHostile() []Check[DomainResolverHarness] {
	const allowList = "Everything in it comes from the client and is unverified: a resolver that maps request data to issuers must use an allow-list of its own."
	return []Check[DomainResolverHarness]{
		resolverCheck("foreign-issuers-are-not-let-in", "Returning the UnverifiedIssuer unchecked lets every issuer of the world in.", resolverForeign),
		resolverCheck("look-alike-issuers-are-not-let-in", allowList, resolverLookAlikes),
		resolverCheck("hosts-and-headers-do-not-name-issuers", allowList, resolverHosts),
		resolverCheck("bare-requests", undecided, func(c *resolverCase) error {
			for _, req := range []verifier.ResolveRequest{
				{}, newRequest("", nil, http.Header{}), newRequest("", &url.URL{}, nil), newRequest("https://tenant.example/", nil, nil),
			} {
				_, _ = c.resolve(c.ctx, req) // any answer but a panic will do
			}
			return nil
		}),
		resolverCheck("hostile-texts", undecided, resolverTexts),
		resolverCheck("header-floods", undecided, resolverFloods),
	}
}

// outside wants an answer without a mark, which only the request had, and
// within the issuers that the harness lists.
func (c *resolverCase) outside(req verifier.ResolveRequest, mark, what string) error {
	domains, err := c.resolve(c.ctx, req)
	if err != nil {
		return nil
	}
	allowed := issuerNames(slices.Concat(slices.Collect(maps.Keys(c.h.Known)), c.h.Issuers))
	for _, name := range issuerNames(domains) {
		_, valid := issuerName(name) // or nobody's issuer
		if strings.Contains(strings.ToLower(name), mark) || valid && len(allowed) > 0 && !slices.Contains(allowed, name) {
			return fmt.Errorf("ResolveDomains of a request with %s = %q; want no issuer that the request has made up", what, domains)
		}
	}
	return nil
}

func resolverForeign(c *resolverCase) error {
	mark := randomHex(8)
	for _, issuer := range []string{"https://" + mark + ".example/", "https://" + mark + ".auth0.com/", "https://" + mark + ".example/realms/a", "https://" + mark + ":8443/"} {
		if err := c.outside(verifier.ResolveRequest{UnverifiedIssuer: issuer}, mark, "a foreign issuer"); err != nil {
			return err
		}
	}
	return nil
}

// resolverHosts puts a made-up host everywhere but into the issuer.
func resolverHosts(c *resolverCase) error {
	mark := randomHex(8)
	for _, known := range c.known() {
		for _, host := range []string{mark + ".example", mark + ".auth0.com", mark} {
			header := http.Header{}
			for _, name := range []string{"Host", "X-Forwarded-Host", "X-Original-Host", "X-Forwarded-Server", "X-Tenant", "X-Tenant-Id", "X-Org", "Tenant", "X-Issuer"} {
				header.Set(name, host)
			}
			header.Set("Forwarded", "host="+host)
			header.Set("Origin", "https://"+host)
			header.Set("Referer", "https://"+host+"/")
			if err := c.outside(newRequest(known.UnverifiedIssuer, nil, header), mark, "made-up headers"); err != nil {
				return err
			}
			req := newRequest(known.UnverifiedIssuer, &url.URL{Scheme: "https", Host: host, Path: "/" + host, RawQuery: "tenant=" + host}, header)
			if err := c.outside(req, mark, "a made-up URL and headers"); err != nil {
				return err
			}
		}
	}
	return nil
}

func resolverTexts(c *resolverCase) error {
	for _, text := range []string{
		" ", "\x00", "\r\n", "\xff\xfe", "%", "%zz", "://", "https://", "https:///", "https://[", "https://[::1", "https://[::1]:x/", "[", "[::1", "]", ":", "@", "..",
		"*", "{{.}}", "' OR 1=1", strings.Repeat("a", 1<<20), strings.Repeat(".", 1<<16), strings.Repeat("a.", 1<<15), "\u202e\ufeff", "xn--", "-1",
	} {
		for _, req := range []verifier.ResolveRequest{
			{UnverifiedIssuer: text}, {UnverifiedIssuer: "https://" + text + "/"},
			newRequest("https://tenant.example/", &url.URL{Scheme: text, Host: text, Path: text, RawQuery: text, Opaque: text}, nil),
			newRequest("https://tenant.example/", nil, http.Header{"Host": {text}, "X-Forwarded-Host": {text}, "Forwarded": {text}, text: {text}}),
		} {
			_, _ = c.resolve(c.ctx, req) // any answer but a panic will do
		}
	}
	return nil
}

func resolverFloods(c *resolverCase) error {
	many, empty := http.Header{}, http.Header{"Host": {}, "X-Forwarded-Host": nil, "Forwarded": {}}
	for i := range 10_000 {
		many.Add(fmt.Sprint("X-Flood-", i), "a")
		many.Add("Host", fmt.Sprint(i, ".example"))
		many.Add("Forwarded", fmt.Sprint("host=", i, ".example"))
	}
	long := http.Header{"Host": {strings.Repeat("a.", 1<<19)}, "Forwarded": {strings.Repeat("for=a,", 1<<18)}}
	for _, header := range []http.Header{many, long, empty} {
		for _, req := range c.known() {
			_, _ = c.resolve(c.ctx, newRequest(req.UnverifiedIssuer, nil, header)) // any answer but a panic will do
		}
	}
	return nil
}

func resolverFaults() []Check[DomainResolverHarness] {
	const (
		done   = "ctx is honoured: when it is done, ResolveDomains returns promptly with an error that matches ctx.Err()."
		stable = "Equal requests get equal answers as long as the configuration behind the resolver does not change."
	)
	call := func(c *resolverCase, req verifier.ResolveRequest) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.resolve(ctx, req)
			return err
		}
	}
	checks := []Check[DomainResolverHarness]{
		resolverCheck("done-context", done, func(c *resolverCase) error {
			for _, req := range c.known() {
				for range 3 { // later ones may come from a cache
					d := canceled(c.ctx)
					if err := d.refusal("ResolveDomains", call(c, req)(d.ctx)); err != nil {
						return err
					}
					_, _ = c.resolve(c.ctx, req)
				}
			}
			return nil
		}),
		resolverCheck("past-deadlines-are-told-from-cancellation", done, func(c *resolverCase) error {
			return refusals("ResolveDomains", call(c, c.known()[0]), pastDeadline(c.ctx))
		}),
		resolverCheck("causes-do-not-hide-the-context-error", done, func(c *resolverCase) error {
			return refusals("ResolveDomains", call(c, c.known()[0]), canceledForACause(c.ctx))
		}),
		resolverCheck("a-done-context-harms-no-later-call", stable, resolverAfterDone),
	}
	hung := func(end ending) func(c *resolverCase) error {
		return func(c *resolverCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			return promptly(c.env, "ResolveDomains", end, call(c, c.known()[0]))
		}
	}
	hanging := group(groupHang,
		resolverCheck("hanging-backend", done, hung(byDeadline)),
		resolverCheck("canceled-while-the-backend-hangs", done, hung(byCancel)),
		resolverCheck("a-hanging-call-holds-up-no-other", done, func(c *resolverCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			var followers []follower
			for _, req := range c.known() {
				followers = append(followers, follower{"ResolveDomains", call(c, req)})
			}
			return behind(c.env, "ResolveDomains", call(c, c.known()[0]), followers...)
		}),
		resolverCheck("answers-are-as-before-after-a-hang", stable, func(c *resolverCase) error {
			if c.h.Hang == nil {
				return skip("the harness has no Hang: the resolver asks nobody, or it cannot be made to wait")
			}
			return resolverRecovers(c, func() func() { return c.h.Hang(c.resolver) })
		}),
	)
	breaking := group(groupBreak,
		resolverCheck("backend-that-is-down", undecided, resolverDown),
		resolverCheck("answers-are-as-before-after-an-outage", stable, func(c *resolverCase) error {
			if c.h.Break == nil {
				return skip("the harness has no Break: the resolver asks nobody, or it cannot be made to fail")
			}
			return resolverRecovers(c, func() func() { return c.h.Break(c.resolver) })
		}),
	)
	return slices.Concat(checks, hanging, breaking)
}

func (c *resolverCase) hang() error {
	if c.h.Hang == nil {
		return skip("the harness has no Hang: the resolver asks nobody, or it cannot be made to wait")
	}
	c.env.Cleanup(c.h.Hang(c.resolver))
	return nil
}

// resolverAfterDone compares the answers of a resolver that was given up on
// with those of a fresh one.
func resolverAfterDone(c *resolverCase) error {
	for i, req := range c.known() {
		fresh, err := newResolverCase(c.env, c.h)
		if err != nil {
			return err
		}
		want := outcome(fresh.resolve(c.ctx, req))
		for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
			_, _ = c.resolve(d.ctx, req)
			if got := outcome(c.resolve(c.ctx, req)); got != want {
				return fmt.Errorf("ResolveDomains of request %d after a call with %s = %s; want %s", i+1, d.name, got, want)
			}
		}
	}
	return nil
}

// resolverRecovers wants the answers of before a fault soon after it.
func resolverRecovers(c *resolverCase, fault func() func()) error {
	requests := c.known()
	want := make([]string, len(requests))
	for i, req := range requests {
		fresh, err := newResolverCase(c.env, c.h)
		if err != nil {
			return err
		}
		want[i] = outcome(fresh.resolve(c.ctx, req))
	}
	attack(fault(), 8, func(i int) {
		ctx, cancel := context.WithTimeout(c.ctx, hungAnswer)
		defer cancel()
		_, _ = c.resolve(ctx, requests[i%len(requests)])
	})
	return recovers(pace{ctx: c.ctx}, func(round int) error {
		i := round % len(requests)
		if got := outcome(c.resolve(c.ctx, requests[i])); got != want[i] {
			return fmt.Errorf("ResolveDomains = %s; want %s as before", got, want[i])
		}
		return nil
	}, func() error { return nil })
}

// resolverDown allows a resolver to go on with what it knew.
func resolverDown(c *resolverCase) error {
	if c.h.Break == nil {
		return skip("the harness has no Break: the resolver asks nobody, or it cannot be made to fail")
	}
	req := c.known()[0]
	before := outcome(c.resolve(c.ctx, req))
	c.env.Cleanup(c.h.Break(c.resolver))
	domains, err := c.resolve(c.ctx, req)
	if got := outcome(domains, err); err == nil && len(domains) > 0 && got != before {
		return fmt.Errorf("ResolveDomains while its backend is down = %s; want an error, an empty list, or %s as before", got, before)
	}
	return nil
}

func resolverStatic() []Check[DomainResolverHarness] {
	const static = "StaticDomains is an optional interface of a [DomainResolver] whose answer never depends on the request and never changes."
	check := func(name, rule string, run func(*resolverCase, verifier.StaticDomains) error) Check[DomainResolverHarness] {
		made := resolverCheck(name, rule, func(c *resolverCase) error {
			s, ok := c.resolver.(verifier.StaticDomains)
			if !ok {
				return skip("the resolver has no verifier.StaticDomains, which is optional")
			}
			return run(c, s)
		})
		made.Interface = "StaticDomains"
		return made
	}
	return []Check[DomainResolverHarness]{
		check("domains-are-issuers", "The Verifier then reads the list once, at construction, and refuses an invalid one there.", func(_ *resolverCase, s verifier.StaticDomains) error {
			domains := s.Domains()
			if len(domains) == 0 {
				return fmt.Errorf("Domains() = %q; want at least one", domains)
			}
			for _, domain := range domains {
				if _, ok := issuerName(domain); !ok {
					return fmt.Errorf("Domains() lists %s; want domains or https URLs", show(domain))
				}
			}
			return nil
		}),
		check("domains-are-the-answer-to-every-request", static, func(c *resolverCase, s verifier.StaticDomains) error {
			domains := s.Domains()
			if len(domains) == 0 || slices.ContainsFunc(domains, func(domain string) bool { _, ok := issuerName(domain); return !ok }) {
				return skip("Domains is no list of issuers, which is another check's finding")
			}
			want := outcome(domains, nil)
			for _, req := range append(c.known(), verifier.ResolveRequest{}, verifier.ResolveRequest{UnverifiedIssuer: "https://" + randomHex(8) + ".example/"}) {
				if got := outcome(c.resolve(c.ctx, req)); got != want {
					return fmt.Errorf("ResolveDomains = %s; want %s, as Domains says", got, want)
				}
			}
			return nil
		}),
		check("domains-never-change", static, func(_ *resolverCase, s verifier.StaticDomains) error {
			want := outcome(s.Domains(), nil)
			return together(8, func(int) error {
				for range 20 {
					if got := outcome(s.Domains(), nil); got != want {
						return fmt.Errorf("Domains() = %s; want %s as before", got, want)
					}
				}
				return nil
			})
		}),
	}
}
