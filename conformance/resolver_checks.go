package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// allowList is the rule of both interfaces about what comes from the client.
const allowList = "Everything in it comes from the client and is unverified: a resolver that maps request data to issuers must use an allow-list of its own."

func resolverAnswers[H harness](r resolverRules[H]) []Check[H] {
	return []Check[H]{
		r.check("known-requests-get-their-issuer", r.known, resolverKnown),
		r.check(r.validity, r.undecided, resolverEntries),
		r.check("equal-requests-get-equal-answers", r.stable, resolverStable),
		r.check("answers-do-not-depend-on-earlier-requests", r.stable, resolverIndependent),
		r.check("answers-do-not-change-later", r.unchanged, resolverUnchanged),
		r.check("concurrent-calls", r.safe, resolverConcurrent),
		r.check("many-requests-leave-no-answer-behind", r.stable, resolverMany),
	}
}

func resolverKnown(c *resolverCase) error {
	if len(c.known) == 0 {
		return skip("the harness has no Known requests")
	}
	for _, issuer := range slices.Sorted(maps.Keys(c.known)) {
		want := issuerNames([]string{issuer})[0]
		got, err := c.resolve(c.ctx, c.known[issuer])
		if err != nil || !slices.Contains(issuerNames(got.names), want) {
			return c.errorf("of the request known for %s = %q, %v; want that issuer", issuer, got.names, err)
		}
	}
	return nil
}

func resolverEntries(c *resolverCase) error {
	for _, req := range c.requests() {
		got, err := c.resolve(c.ctx, req)
		if err != nil {
			continue // another check's finding, if the request is known
		}
		if err := got.fault(); err != nil {
			return c.errorf("gives an answer that is of no use: %w", err)
		}
	}
	return nil
}

func resolverStable(c *resolverCase) error {
	for _, req := range c.requests() {
		first := outcome(c.resolve(c.ctx, req))
		for i := range 50 {
			if again := outcome(c.resolve(c.ctx, req)); again != first {
				return c.errorf("of an equal request, call %d = %s; want %s as before", i+2, again, first)
			}
		}
	}
	return nil
}

// resolverIndependent finds caches with too short a key: each request goes to
// a resolver that had all others before, in two orders.
func resolverIndependent(c *resolverCase) error {
	requests := append(c.requests(), verifier.ResolveRequest{UnverifiedIssuer: "https://" + randomHex(8) + ".example/"})
	alone := make([]string, len(requests))
	for i, req := range requests {
		fresh, err := c.another()
		if err != nil {
			return err
		}
		alone[i] = outcome(fresh.resolve(c.ctx, req))
	}
	for _, backwards := range []bool{false, true} {
		used, err := c.another()
		if err != nil {
			return err
		}
		for n := range requests {
			i := n
			if backwards {
				i = len(requests) - 1 - n
			}
			if got := outcome(used.resolve(c.ctx, requests[i])); got != alone[i] {
				return c.errorf("after %d other requests = %s; want %s, as when it is the first", n, got, alone[i])
			}
		}
	}
	return nil
}

func resolverUnchanged(c *resolverCase) error {
	requests := c.requests()
	type kept struct {
		got resolution
		was string
	}
	var all []kept
	for range 3 {
		for _, req := range requests {
			if got, err := c.resolve(c.ctx, req); err == nil {
				all = append(all, kept{got, got.raw()})
			}
		}
		_, _ = c.resolve(c.ctx, verifier.ResolveRequest{UnverifiedIssuer: "https://other.example/"})
	}
	for _, k := range all {
		if now := k.got.raw(); now != k.was {
			return fmt.Errorf("a returned answer became %s after later calls; want it to stay %s", now, k.was)
		}
	}
	return nil
}

func resolverConcurrent(c *resolverCase) error {
	requests := c.requests()
	want := make([]string, len(requests))
	for i, req := range requests {
		want[i] = outcome(c.resolve(c.ctx, req))
	}
	return together(64, func(worker int) error {
		for round := range 25 {
			i := (worker + round) % len(requests)
			if got := outcome(c.resolve(c.ctx, requests[i])); got != want[i] {
				return c.errorf("beside 63 other calls = %s; want %s", got, want[i])
			}
		}
		return nil
	})
}

// resolverMany asks for many strangers between two equal requests, more than a
// cache holds.
func resolverMany(c *resolverCase) error {
	for _, req := range c.requests() {
		first := outcome(c.resolve(c.ctx, req))
		for i := range 600 {
			host := fmt.Sprintf("%d-%s.invalid", i, randomHex(3))
			_, _ = c.resolve(c.ctx, newRequest("https://"+host+"/", &url.URL{Scheme: "https", Host: host, Path: "/"}, http.Header{"Host": {host}}))
		}
		if again := outcome(c.resolve(c.ctx, req)); again != first {
			return c.errorf("of an equal request, after 600 others = %s; want %s as before", again, first)
		}
	}
	return nil
}

func resolverHostile[H harness](r resolverRules[H]) []Check[H] {
	return []Check[H]{
		r.check("foreign-issuers-are-not-let-in", "Returning the UnverifiedIssuer unchecked lets every issuer of the world in.", resolverForeign),
		r.check("look-alike-issuers-are-not-let-in", allowList, resolverLookAlikes),
		r.check("hosts-and-headers-do-not-name-issuers", allowList, resolverHosts),
		r.check("bare-requests", r.undecided, func(c *resolverCase) error {
			for _, req := range []verifier.ResolveRequest{
				{}, newRequest("", nil, http.Header{}), newRequest("", &url.URL{}, nil), newRequest("https://tenant.example/", nil, nil),
			} {
				_, _ = c.resolve(c.ctx, req) // any answer but a panic will do
			}
			return nil
		}),
		r.check("hostile-texts", r.undecided, resolverTexts),
		r.check("header-floods", r.undecided, resolverFloods),
	}
}

// outside wants an answer without a mark, which only the request had, and
// within the issuers that the harness lists.
func (c *resolverCase) outside(req verifier.ResolveRequest, mark, what string) error {
	got, err := c.resolve(c.ctx, req)
	if err != nil {
		return nil
	}
	allowed := c.allowed()
	for _, name := range issuerNames(got.names) {
		_, valid := issuerName(name) // or nobody's issuer
		if strings.Contains(strings.ToLower(name), mark) || valid && len(allowed) > 0 && !slices.Contains(allowed, name) {
			return c.errorf("of a request with %s = %q; want no issuer that the request has made up", what, got.names)
		}
	}
	return nil
}

func resolverForeign(c *resolverCase) error {
	mark := randomHex(8)
	for _, issuer := range []string{"https://" + mark + ".example/", "https://" + mark + ".auth0.com/", "https://" + mark + ".example/realms/a", "https://" + mark + ":8443/", mark + ".example", "http://" + mark + ".example/", "did:web:" + mark + ".example"} {
		if err := c.outside(verifier.ResolveRequest{UnverifiedIssuer: issuer}, mark, "a foreign issuer"); err != nil {
			return err
		}
	}
	return nil
}

// resolverHosts puts a made-up host everywhere but into the issuer.
func resolverHosts(c *resolverCase) error {
	mark := randomHex(8)
	for _, known := range c.requests() {
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
		for _, req := range c.requests() {
			_, _ = c.resolve(c.ctx, newRequest(req.UnverifiedIssuer, nil, header)) // any answer but a panic will do
		}
	}
	return nil
}

func resolverFaults[H harness](r resolverRules[H]) []Check[H] {
	call := func(c *resolverCase, req verifier.ResolveRequest) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.resolve(ctx, req)
			return err
		}
	}
	checks := []Check[H]{
		r.check("done-context", r.done, func(c *resolverCase) error {
			for _, req := range c.requests() {
				for range 3 { // later ones may come from a cache
					d, late := canceled(c.ctx), pastDeadline(c.ctx)
					if err := d.refusal(c.method, call(c, req)(d.ctx)); err != nil {
						return err
					}
					if err := late.heeded(c.method, call(c, req)(late.ctx)); err != nil {
						return err
					}
					_, _ = c.resolve(c.ctx, req)
				}
			}
			return nil
		}),
		r.check("past-deadlines-are-told-from-cancellation", r.done, func(c *resolverCase) error {
			return refusals(c.method, call(c, c.requests()[0]), pastDeadline(c.ctx))
		}),
		r.check("causes-do-not-hide-the-context-error", r.done, func(c *resolverCase) error {
			return refusals(c.method, call(c, c.requests()[0]), canceledForACause(c.ctx))
		}),
		r.check("a-done-context-harms-no-later-call", r.stable, resolverAfterDone),
		r.check("a-done-context-is-no-refusal", r.refusal, func(c *resolverCase) error {
			for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
				if err := c.noRefusal(func() (context.Context, context.CancelFunc) { return d.ctx, func() {} }, "with "+d.name); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	hung := func(end ending) func(c *resolverCase) error {
		return func(c *resolverCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			return promptly(c.env, c.method, end, call(c, c.requests()[0]))
		}
	}
	hanging := group(groupHang,
		r.check("hanging-backend", r.done, hung(byDeadline)),
		r.check("canceled-while-the-backend-hangs", r.done, hung(byCancel)),
		r.check("a-hanging-call-holds-up-no-other", r.done, func(c *resolverCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			var followers []follower
			for _, req := range c.requests() {
				followers = append(followers, follower{c.method, call(c, req)})
			}
			return behind(c.env, c.method, call(c, c.requests()[0]), followers...)
		}),
		r.check("a-time-out-is-no-refusal", r.refusal, func(c *resolverCase) error {
			if err := c.hang(); err != nil {
				return err
			}
			for _, end := range []ending{byDeadline, byCancel} {
				if !heeds(c.env, end, call(c, c.requests()[0])) {
					return doubt(skip("%s does not end with its context, which is another check's finding", c.method))
				}
				begin := func() (context.Context, context.CancelFunc) { return end.new(c.ctx) }
				if err := c.noRefusal(begin, "while its backend hangs"); err != nil {
					return err
				}
			}
			return nil
		}),
		r.check("answers-are-as-before-after-a-hang", r.stable, func(c *resolverCase) error {
			if c.hangs == nil {
				return skip("the harness has no Hang: the resolver asks nobody, or it cannot be made to wait")
			}
			return resolverRecovers(c, func() func() { return c.hangs() })
		}),
	)
	breaking := group(groupBreak,
		r.check("backend-that-is-down", r.undecided, resolverDown),
		r.check("an-outage-is-no-refusal", r.refusal, func(c *resolverCase) error {
			if c.breaks == nil {
				return skip("the harness has no Break: the resolver asks nobody, or it cannot be made to fail")
			}
			c.env.Cleanup(c.breaks())
			return c.noRefusal(func() (context.Context, context.CancelFunc) { return c.ctx, func() {} }, "while its backend is down")
		}),
		r.check("answers-are-as-before-after-an-outage", r.stable, func(c *resolverCase) error {
			if c.breaks == nil {
				return skip("the harness has no Break: the resolver asks nobody, or it cannot be made to fail")
			}
			return resolverRecovers(c, func() func() { return c.breaks() })
		}),
	)
	return slices.Concat(checks, hanging, breaking)
}

// noRefusal wants a known request not to be refused for good when the resolver
// cannot know. Begin makes the context of each call.
func (c *resolverCase) noRefusal(begin func() (context.Context, context.CancelFunc), when string) error {
	if len(c.known) == 0 {
		return skip("the harness has no Known requests")
	}
	for _, req := range c.requests() {
		ctx, cancel := begin()
		_, err := c.resolve(ctx, req)
		cancel()
		if errors.Is(err, verifier.ErrNotAllowed) {
			return c.errorf("of a known request %s = %w, which matches ErrNotAllowed; want an error that does not", when, err)
		}
	}
	return nil
}

func (c *resolverCase) hang() error {
	if c.hangs == nil {
		return skip("the harness has no Hang: the resolver asks nobody, or it cannot be made to wait")
	}
	c.env.Cleanup(c.hangs())
	return nil
}

// resolverAfterDone compares the answers of a resolver that was given up on
// with those of a fresh one.
func resolverAfterDone(c *resolverCase) error {
	for i, req := range c.requests() {
		fresh, err := c.another()
		if err != nil {
			return err
		}
		want := outcome(fresh.resolve(c.ctx, req))
		for _, d := range []doneContext{canceled(c.ctx), pastDeadline(c.ctx)} {
			_, _ = c.resolve(d.ctx, req)
			if got := outcome(c.resolve(c.ctx, req)); got != want {
				return c.errorf("of request %d after a call with %s = %s; want %s", i+1, d.name, got, want)
			}
		}
	}
	return nil
}

// resolverRecovers wants the answers of before a fault soon after it.
func resolverRecovers(c *resolverCase, fault func() func()) error {
	requests := c.requests()
	want := make([]string, len(requests))
	for i, req := range requests {
		fresh, err := c.another()
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
			return c.errorf("= %s; want %s as before", got, want[i])
		}
		return nil
	}, func() error { return nil })
}

// resolverDown allows a resolver to go on with what it knew.
func resolverDown(c *resolverCase) error {
	if c.breaks == nil {
		return skip("the harness has no Break: the resolver asks nobody, or it cannot be made to fail")
	}
	req := c.requests()[0]
	before := outcome(c.resolve(c.ctx, req))
	c.env.Cleanup(c.breaks())
	answer, err := c.resolve(c.ctx, req)
	if got := outcome(answer, err); err == nil && len(answer.names) > 0 && got != before {
		return c.errorf("while its backend is down = %s; want an error, nothing, or %s as before", got, before)
	}
	return nil
}
