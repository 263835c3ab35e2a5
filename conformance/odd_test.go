package conformance_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestOddCaches: what is unusual and within the contract passes.
func TestOddCaches(t *testing.T) {
	for name, odd := range map[string]func(a *altered){
		"every seventh Get finds its entry evicted": func(a *altered) {
			var calls atomic.Int64
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				if err := ctx.Err(); err == nil && calls.Add(1)%7 == 0 {
					_ = a.reference.Delete(ctx, key)
				}
				return get(ctx, key)
			}
		},
		"all keys are hashed, apart from raw ones": rekeyed(func(key string) string {
			return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(key)))
		}),
		"an empty value comes back as nil": func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if len(value) == 0 {
					value = nil
				}
				return value, ok, err
			}
		},
		"a slice from Get has room of its own": func(a *altered) {
			get := a.get
			a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
				value, ok, err := get(ctx, key)
				if value != nil {
					value = append(make([]byte, 0, len(value)+100), value...)
				}
				return value, ok, err
			}
		},
		"the error of a context has others beside it": func(a *altered) {
			renamed(a, func(ctx context.Context, err error) error {
				return fmt.Errorf("odd: %w: %w: %w", errTimeout, ctx.Err(), context.Cause(ctx))
			})
		},
		"a value beyond 512 KiB is refused, and its key emptied": func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if len(value) > 512<<10 && ctx.Err() == nil {
					_ = a.reference.Delete(ctx, key)
					return errRefused
				}
				return set(ctx, key, value, ttl)
			}
		},
		"a value beyond 512 KiB is dropped without a word": func(a *altered) {
			set := a.set
			a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
				if len(value) > 512<<10 {
					ttl = 0
				}
				return set(ctx, key, value, ttl)
			}
		},
		"a ttl lasts a tick of the clock longer": positive(func(ttl time.Duration) time.Duration {
			return min(ttl, forEver) + resolution
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.TestCache(t, cacheHarness(odd))
		})
	}
}

// plain is a cache without Clear.
type plain struct{ verifier.Cache }

func TestCacheWithoutOptionalInterfaces(t *testing.T) {
	h := cacheHarness(nil)
	inner := h.New
	h.New = func(env *conformance.Env) (verifier.Cache, error) {
		cache, err := inner(env)
		return plain{cache}, err
	}
	h.Size, h.StoredKey = nil, nil
	report := conformance.TestCache(t, h)
	for _, one := range report.Results {
		if one.Interface == "Clearer" && one.Status != conformance.Skipped {
			t.Errorf("%s is %s; want skipped", one.Check, one.Status)
		}
	}
}

func TestCacheWithTheLeastHarness(t *testing.T) {
	report := conformance.TestCache(t, conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) { return plain{verifiertest.NewCache(nil, 1)}, nil },
	})
	for _, one := range report.With(conformance.Skipped) {
		if one.Detail == "" {
			t.Errorf("%s is skipped without a reason", one.Check)
		}
	}
}

func TestCacheThatEndsAllEntriesSoon(t *testing.T) {
	h := cacheHarness(positive(func(ttl time.Duration) time.Duration { return min(ttl, 24*time.Hour) }))
	h.MaxTTL = 24 * time.Hour
	conformance.TestCache(t, h)
}

// TestCacheThatIsAReplayStore: the optional interface is found and tested.
func TestCacheThatIsAReplayStore(t *testing.T) {
	harness := func(change func(*altered)) conformance.CacheHarness {
		b := newBackend()
		return conformance.CacheHarness{
			New: func(env *conformance.Env) (verifier.Cache, error) {
				a := alter(b, env.Namespace, change)
				return bothOf{cacheOf{a}, storeOf{a}}, nil
			},
			Advance: b.clock.Advance, MinTTL: resolution, Shared: true,
			Break: func(verifier.Cache) func() { return b.setDown() },
			Hang:  func(verifier.Cache) func() { return b.setHang() },
		}
	}
	report := conformance.TestCache(t, harness(nil))
	stores := 0
	for _, one := range report.Results {
		if one.Interface == "ReplayStore" {
			stores++
		}
	}
	if want := len(conformance.ReplayStoreChecks()); stores != want {
		t.Errorf("%d checks of ReplayStore; want all %d", stores, want)
	}
	broken := conformance.RunCache(t.Context(), harness(adding(lookThenWrite)))
	if got := failed(broken); len(got) != 2 {
		t.Errorf("look, then write: fails %q; want the two checks of concurrent Adds", got)
	}
}

// TestOddReplayStores: what is unusual and within the contract passes.
func TestOddReplayStores(t *testing.T) {
	for name, odd := range map[string]func(a *altered){
		"each proof key has a quota":           quota(100),
		"a store that is full returns errors":  counted(2000, func(string) string { return "" }, errRefused),
		"all keys are hashed":                  rekeyed(func(key string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(key))) }),
		"a ttl lasts a tick of the clock more": positive(func(ttl time.Duration) time.Duration { return min(ttl, forEver) + resolution }),
		"a live key with a ttl of zero is added": adding(func(a *altered, add addFunc) addFunc {
			return func(ctx context.Context, key string, ttl time.Duration) (bool, error) {
				added, err := add(ctx, key, ttl)
				return added || ttl <= 0 && err == nil, err
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.TestReplayStore(t, replayHarness(odd))
		})
	}
}

// TestOddResolvers: what is unusual and within the contract passes.
func TestOddResolvers(t *testing.T) {
	for name, odd := range map[string]func(d *directory){
		"nobody's request is an empty list": answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if err != nil {
				return nil, nil
			}
			return domains, nil
		}),
		"nobody's request is not allowed": answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			if err != nil {
				return nil, fmt.Errorf("odd: %w", verifier.ErrNotAllowed)
			}
			return domains, nil
		}),
		"the order changes": func(d *directory) {
			var calls atomic.Int64
			answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
				if len(domains) == 2 && calls.Add(1)%2 == 0 {
					domains[0], domains[1] = domains[1], domains[0]
				}
				return domains, err
			})(d)
		},
		"the same slice is returned each time": func(d *directory) {
			d.resolve = func(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
				if err := d.begin(ctx); err != nil {
					return nil, err
				}
				return d.hosts[hostOf(req)], nil
			}
		},
		"issuers are spelled as URLs": answering(func(_ verifier.ResolveRequest, domains []string, err error) ([]string, error) {
			for i, domain := range domains {
				if domain == "a.example" {
					domains[i] = " HTTPS://A.example/ "
				}
			}
			return domains, err
		}),
	} {
		t.Run(name, func(t *testing.T) { conformance.TestDomainResolver(t, resolverHarness(odd)) })
	}
}

// TestOddKeyFetchers: what is unusual and within the contract passes.
func TestOddKeyFetchers(t *testing.T) {
	for name, odd := range map[string]fetching{
		"the issuer is stated without its slash": edited(func(_ verifier.KeyRequest, set *verifier.KeySet) { set.Issuer = set.Issuer[:len(set.Issuer)-1] }),
		"a source has no ETag": func(_ *keyServer, fetch fetchFunc) fetchFunc {
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				req.ETag = ""
				set, err := fetch(ctx, req)
				set.ETag = ""
				return set, err
			}
		},
		"an answer is old, and says so": func(s *keyServer, fetch fetchFunc) fetchFunc {
			var calls atomic.Int64
			inner := cachedKeys(func(s *keyServer, ctx context.Context, _ verifier.KeyRequest) error { return ctx.Err() }, false)(s, fetch)
			return func(ctx context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				if s.isHanging() {
					return fetch(ctx, req)
				}
				set, err := inner(ctx, req)
				set.Freshness.Age = time.Duration(calls.Add(1)) * time.Second
				return set, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) { conformance.TestKeyFetcher(t, fetcherHarness(odd)) })
	}
}
