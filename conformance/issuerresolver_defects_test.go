package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// registry is a directory that brings the rules of an issuer. Change is a mistake
// in it.
type registry struct {
	*directory
	resolveIssuer func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error)
}

// registryDoer is that of all issuers.
var registryDoer = &http.Client{}

func newRegistry(b *backend, change func(r *registry)) *registry {
	r := &registry{directory: newDirectory(b, nil)}
	r.resolveIssuer = r.choose
	if change != nil {
		change(r)
	}
	return r
}

// choose returns the issuer of the token, or the first one of the host.
func (r *registry) choose(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	domains, err := r.resolve(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(domains) == 0 {
		return nil, nil
	}
	chosen := domains[0]
	for _, domain := range domains {
		if req.UnverifiedIssuer == domain || req.UnverifiedIssuer == "https://"+domain+"/" {
			chosen = domain
		}
	}
	return &verifier.Issuer{Name: chosen, Doer: registryDoer, Audiences: []string{"https://" + hostOf(req) + "/"}}, nil
}

func (r *registry) ResolveIssuer(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
	return r.resolveIssuer(ctx, req)
}

func at(host, issuer string) verifier.ResolveRequest {
	req := byHost(host)
	req.UnverifiedIssuer = issuer
	return req
}

func issuerHarness(change func(r *registry)) conformance.IssuerResolverHarness {
	b := newBackend()
	return conformance.IssuerResolverHarness{
		New: func(*conformance.Env) (verifier.IssuerResolver, error) { return newRegistry(b, change), nil },
		Known: map[string]verifier.ResolveRequest{
			"a.example": at("one.example", "https://a.example/"), "b.example": at("two.example", "https://b.example/"),
			"https://c.example/realms/x": at("two.example", "https://c.example/realms/x"),
		},
		Break: func(verifier.IssuerResolver) func() { return b.setDown() },
		Hang:  func(verifier.IssuerResolver) func() { return b.setHang() },
	}
}

func TestReferenceIssuerResolver(t *testing.T) {
	report := conformance.RunIssuerResolver(t.Context(), issuerHarness(nil))
	if err := report.Err(); err != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", err, report.With(conformance.Skipped))
	}
}

func TestIssuerResolverDefects(t *testing.T) {
	t.Parallel()
	testDefects(t, conformance.IssuerResolverChecks(), issuerDefects(), func(ctx context.Context, d defect[func(*registry)]) conformance.Report {
		return conformance.RunIssuerResolver(ctx, issuerHarness(d.make))
	})
}

// issuerDefects are the mistakes of registries, and those that directories can have
// below them. The others are about lists.
func issuerDefects() []defect[func(r *registry)] {
	defects := ownIssuerDefects()
	for _, d := range slices.Concat(resolverDefects(), moreResolverDefects()) {
		if d.fails == "entries-are-issuers" || d.fails == "answers-do-not-change-later" || strings.HasPrefix(d.fails, "domains-") || strings.HasPrefix(d.name, "answers are remembered by issuer") {
			continue
		}
		defects = append(defects, defect[func(r *registry)]{name: "of the list: " + d.name, fails: d.fails, make: func(r *registry) { d.make(r.directory) }})
	}
	return defects
}

// bringing changes the issuer that was found.
func bringing(f func(req verifier.ResolveRequest, issuer *verifier.Issuer)) func(r *registry) {
	return func(r *registry) {
		inner := r.resolveIssuer
		r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
			issuer, err := inner(ctx, req)
			if issuer != nil {
				f(req, issuer)
			}
			return issuer, err
		}
	}
}

// changing changes the first issuer of each host when its second one is asked for:
// not while others read it.
func changing(f func(issuer *verifier.Issuer)) func(r *registry) {
	return func(r *registry) {
		var mu sync.Mutex
		first, calls := make(map[string]*verifier.Issuer), make(map[string]int)
		bringing(func(req verifier.ResolveRequest, issuer *verifier.Issuer) {
			mu.Lock()
			defer mu.Unlock()
			host := hostOf(req)
			if calls[host]++; calls[host] == 1 {
				first[host] = issuer
			} else if calls[host] == 2 {
				f(first[host])
			}
		})(r)
	}
}

func ownIssuerDefects() []defect[func(r *registry)] {
	return []defect[func(r *registry)]{
		{name: "an algorithm is none", fails: "returned-issuers-are-taken", make: bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			issuer.Algorithms = []string{"none"}
		})},
		{name: "the leeway is a day", fails: "returned-issuers-are-taken", make: bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			issuer.Leeway = 24 * time.Hour
		})},
		{name: "an alias is a blank column", fails: "returned-issuers-are-taken", make: bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			issuer.Aliases = []string{""}
		})},
		{name: "the zero Issuer stands for a tenant without rules", fails: "known-requests-get-their-issuer returned-issuers-are-taken", make: bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			*issuer = verifier.Issuer{}
		})},
		{name: "nil stands for a tenant without rules", fails: "known-requests-get-their-issuer returned-issuers-are-taken", make: func(r *registry) {
			r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
				issuer, err := r.choose(ctx, req)
				if issuer != nil && strings.Contains(issuer.Name, "realms") {
					return nil, nil
				}
				return issuer, err
			}
		}},
		{name: "the first issuer of a host is returned for all", fails: "known-requests-get-their-issuer", make: func(r *registry) {
			r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
				req.UnverifiedIssuer = ""
				return r.choose(ctx, req)
			}
		}},
		{name: "a Doer is made for each request", fails: "doers-are-made-once", make: bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			issuer.Doer = &http.Client{Timeout: time.Second}
		})},
		{name: "a Doer is a function in a new Issuer each time", fails: "doers-are-made-once", make: bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			issuer.Doer = verifier.DoerFunc(registryDoer.Do)
		})},
		{name: "the token's issuer is made an alias", fails: "look-alike-issuers-are-not-let-in", make: bringing(func(req verifier.ResolveRequest, issuer *verifier.Issuer) {
			if strings.HasPrefix(req.UnverifiedIssuer, "https://") && req.UnverifiedIssuer != "https://"+issuer.Name+"/" && req.UnverifiedIssuer != issuer.Name {
				issuer.Aliases = []string{req.UnverifiedIssuer}
			}
		})},
		{name: "audiences are added in place", fails: "answers-do-not-change-later", make: changing(func(issuer *verifier.Issuer) { issuer.Audiences[0] = "https://other.example/" })},
		{name: "the Issuer is filled anew for the next request", fails: "answers-do-not-change-later", make: changing(func(issuer *verifier.Issuer) { issuer.Name, issuer.Audiences = "z.example", nil })},
		{name: "after 40 calls the rules are the default ones", fails: "equal-requests-get-equal-answers", make: func(r *registry) {
			var calls atomic.Int64
			var last sync.Map
			bringing(func(req verifier.ResolveRequest, issuer *verifier.Issuer) {
				if before, ok := last.Swap("", hostOf(req)); ok && before != hostOf(req) {
					calls.Store(0)
				}
				if calls.Add(1) > 40 && calls.Load() < 120 {
					issuer.Audiences = nil
				}
			})(r)
		}},
	}
}

// TestOddIssuerResolvers: what is unusual and within the contract passes.
func TestOddIssuerResolvers(t *testing.T) {
	for name, odd := range map[string]func(r *registry){
		"nobody's request is nil without an error": func(r *registry) {
			r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
				issuer, err := r.choose(ctx, req)
				if errors.Is(err, errNotFound) {
					return nil, nil
				}
				return issuer, err
			}
		},
		"an issuer that is not the host's is not allowed": func(r *registry) {
			r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
				issuer, err := r.choose(ctx, req)
				if issuer != nil && req.UnverifiedIssuer != issuer.Name && req.UnverifiedIssuer != "https://"+issuer.Name+"/" {
					return nil, verifier.ErrNotAllowed
				}
				return issuer, err
			}
		},
		"an outage of the registry is nil without an error": func(r *registry) {
			r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
				issuer, err := r.choose(ctx, req)
				if errors.Is(err, errDown) {
					return nil, nil
				}
				return issuer, err
			}
		},
		"keys are made for each request": bringing(func(_ verifier.ResolveRequest, issuer *verifier.Issuer) {
			issuer.Keys = verifier.KeysURL("https://keys.example/jwks.json")
		}),
		"one pointer for one tenant, with a function as a Doer": func(r *registry) {
			var kept sync.Map
			r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
				issuer, err := r.choose(ctx, req)
				if err != nil {
					return nil, err
				}
				issuer.Doer = verifier.DoerFunc(registryDoer.Do)
				one, _ := kept.LoadOrStore(hostOf(req)+" "+issuer.Name, issuer)
				return one.(*verifier.Issuer), nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) { conformance.TestIssuerResolver(t, issuerHarness(odd)) })
	}
}

// TestIssuerOfTheConfiguration: a name alone may stand for an entry that New takes
// only with its keys.
func TestIssuerOfTheConfiguration(t *testing.T) {
	named := func(cfg verifier.Config) conformance.Report {
		return conformance.RunIssuerResolver(t.Context(), conformance.IssuerResolverHarness{
			New: func(*conformance.Env) (verifier.IssuerResolver, error) {
				return newRegistry(newBackend(), func(r *registry) {
					r.resolveIssuer = func(ctx context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
						if req.UnverifiedIssuer != "did:example:one" || ctx.Err() != nil {
							return nil, errors.Join(ctx.Err(), errNotFound)
						}
						return &verifier.Issuer{Name: req.UnverifiedIssuer}, nil
					}
				}), nil
			},
			Known:  map[string]verifier.ResolveRequest{"did:example:one": byIssuer("did:example:one")},
			Config: cfg,
		})
	}
	if err := named(verifier.Config{Issuers: []verifier.Issuer{{Name: "did:example:one", Keys: verifier.KeysStatic([]byte(p256))}}}).Err(); err != nil {
		t.Error(err)
	}
	if got := failed(named(verifier.Config{})); !slices.Equal(got, []string{"returned-issuers-are-taken"}) {
		t.Errorf("without the entry: fails %q; want that New refuses a name without keys", got)
	}
}
