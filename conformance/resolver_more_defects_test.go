package conformance_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/portcullis-go/portcullis/verifier"
)

func moreResolverDefects() []defect[func(d *directory)] {
	// alike lets a host stand for a known one.
	alike := func(f func(host string) string) func(d *directory) {
		return func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				domains, err := inner(ctx, req)
				if host := hostOf(req); errors.Is(err, errNotFound) && f(host) != host {
					return slices.Clone(d.hosts[f(host)]), nil
				}
				return domains, err
			}
		}
	}
	return []defect[func(d *directory)]{
		{name: "after 500 strangers the table is full", fails: "many-requests-leave-no-answer-behind", make: func(d *directory) {
			var strangers atomic.Int64
			answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
				if err != nil {
					strangers.Add(1)
				}
				if strangers.Load() > 500 {
					return nil, errRefused
				}
				return domains, err
			})(d)
		}},
		{name: "the host is a pattern", fails: "hosts-that-differ-in-one-character", make: alike(func(host string) string { return strings.Replace(host, "onexexample", "one.example", 1) })},
		{name: "a host ends like a known one", fails: "hosts-that-begin-or-end-alike", make: alike(func(host string) string {
			if strings.HasSuffix(host, "-one.example") {
				return "one.example"
			}
			return host
		})},
		{name: "an issuer that is nearly known is listed as it was sent", fails: "issuers-that-differ-in-one-character", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if req.UnverifiedIssuer == "https://a-example/" {
				return append(domains, req.UnverifiedIssuer), err
			}
			return domains, err
		})},
		{name: "paths are compared without case", fails: "path-and-case-of-the-issuer", make: answering(func(req verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			for _, domain := range domains {
				if strings.EqualFold(req.UnverifiedIssuer, domain) && req.UnverifiedIssuer != domain && strings.Contains(domain, "/") && len(req.UnverifiedIssuer) > len("https://c.example/") {
					return append(domains, req.UnverifiedIssuer), err
				}
			}
			return domains, err
		})},
		{name: "a call that was given up breaks the next", fails: "a-done-context-harms-no-later-call", make: func(d *directory) {
			var broken tombstones
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					broken.add("")
				} else if ctx.Err() == nil && broken.has("") {
					return nil, errTimeout
				}
				return inner(ctx, req)
			}
		}},
		{name: "a deadline that has passed is not looked at", fails: "done-context", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					ctx = undone(ctx)
				}
				return inner(ctx, req)
			}
		}},
		{name: "the resolver knows deadlines alone", fails: "canceled-while-the-backend-hangs", make: func(d *directory) {
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if _, ok := ctx.Deadline(); !ok && ctx.Err() == nil {
					d.wait()
				}
				return inner(ctx, req)
			}
		}},
		{name: "a call that is given up is an unknown tenant", fails: "a-done-context-is-no-refusal", make: refusing(func(ctx context.Context, d *directory, dead bool) bool { return dead })},
		{name: "a time-out is an unknown tenant", fails: "a-time-out-is-no-refusal", make: refusing(func(ctx context.Context, d *directory, dead bool) bool { return !dead && ctx.Err() != nil })},
		{name: "an outage is an unknown tenant", fails: "an-outage-is-no-refusal", make: refusing(func(ctx context.Context, d *directory, _ bool) bool { return ctx.Err() == nil && d.isDown() })},
		{name: "the resolver holds a lock while it asks", fails: "a-hanging-call-holds-up-no-other", make: func(d *directory) {
			var mu sync.Mutex
			inner := d.resolve
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				return inner(ctx, req)
			}
		}},
		{name: "after some time-outs, the resolver has given up", fails: "answers-are-as-before-after-a-hang", make: resolverGivesUp(context.DeadlineExceeded)},
		{name: "after some errors, the resolver has given up", fails: "answers-are-as-before-after-an-outage", make: resolverGivesUp(errDown)},
	}
}

// refusing says of some errors that the tenant is unknown. Dead: the context was done
// before the call.
func refusing(when func(ctx context.Context, d *directory, dead bool) bool) func(d *directory) {
	return func(d *directory) {
		inner := d.resolve
		d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
			dead := ctx.Err() != nil
			domains, err := inner(ctx, req)
			if err != nil && when(ctx, d, dead) {
				err = errors.Join(verifier.ErrNotAllowed, err)
			}
			return domains, err
		}
	}
}

func resolverGivesUp(kind error) func(d *directory) {
	return func(d *directory) {
		var errs streak
		inner := d.resolve
		d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
			if errs.n.Load() > 2 && ctx.Err() == nil {
				return nil, errTimeout
			}
			dead := ctx.Err() != nil
			domains, err := inner(ctx, req)
			if !dead {
				errs.note(err, kind)
			}
			return domains, err
		}
	}
}
