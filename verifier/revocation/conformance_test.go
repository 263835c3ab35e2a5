package revocation_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestConformanceOfStores(t *testing.T) {
	clock := verifiertest.NewClock(start)
	fails := func(t *testing.T, report conformance.Report, want int) {
		t.Helper()
		if got := report.Count(conformance.Skipped); got != want {
			t.Errorf("%d checks were skipped: %v; want %d", got, report.With(conformance.Skipped), want)
		}
	}
	t.Run("Memory", func(t *testing.T) {
		fails(t, conformance.TestRevocationStore(t, conformance.RevocationStoreHarness{
			New:     func(*conformance.Env) (verifier.RevocationStore, error) { return revocation.NewMemory(500, clock) },
			Advance: clock.Advance, Capacity: 500,
		}), 8) // it has no backend that could fail, hang or be shared
	})
	t.Run("OverCache", func(t *testing.T) {
		var caches sync.Map // store -> *verifiertest.Cache
		fails(t, conformance.TestRevocationStore(t, conformance.RevocationStoreHarness{
			New: func(*conformance.Env) (verifier.RevocationStore, error) {
				cache := verifiertest.NewCache(clock, 0)
				store, err := revocation.OverCache(revocation.CacheConfig{Cache: cache, NeverEvicts: true, Clock: clock})
				caches.Store(store, cache)
				return store, err
			},
			Advance: clock.Advance,
			Break: func(store verifier.RevocationStore) func() {
				cache, _ := caches.Load(store)
				cache.(*verifiertest.Cache).FailNext(-1, errors.New("down"))
				return cache.(*verifiertest.Cache).Recover
			},
			Hang: func(store verifier.RevocationStore) func() {
				cache, _ := caches.Load(store)
				cache.(*verifiertest.Cache).Hang()
				return cache.(*verifiertest.Cache).Recover
			},
		}), 3) // it is not shared, and states no capacity
	})
	t.Run("the fake", func(t *testing.T) {
		var stores sync.Map // namespace -> *verifiertest.RevocationStore
		fails(t, conformance.TestRevocationStore(t, conformance.RevocationStoreHarness{
			New: func(env *conformance.Env) (verifier.RevocationStore, error) {
				store, _ := stores.LoadOrStore(env.Namespace, verifiertest.NewRevocationStore(clock))
				return store.(verifier.RevocationStore), nil
			},
			Advance: clock.Advance, Shared: true,
			Break: func(store verifier.RevocationStore) func() {
				fake := store.(*verifiertest.RevocationStore)
				fake.FailNext(-1, errors.New("down"))
				return fake.Recover
			},
			Hang: func(store verifier.RevocationStore) func() {
				fake := store.(*verifiertest.RevocationStore)
				fake.Hang()
				return fake.Recover
			},
		}), 1) // it has no bound
	})
}

func TestConformanceOfCheckers(t *testing.T) {
	t.Run("List", func(t *testing.T) {
		var stores sync.Map // *revocation.List -> *verifiertest.RevocationStore
		of := func(c verifier.RevocationChecker) *verifiertest.RevocationStore {
			store, _ := stores.Load(c)
			return store.(*verifiertest.RevocationStore)
		}
		conformance.TestRevocationChecker(t, conformance.RevocationCheckerHarness{
			New: func(*conformance.Env) (verifier.RevocationChecker, error) {
				store := verifiertest.NewRevocationStore(nil)
				list, err := revocation.NewList(revocation.ListConfig{Store: store, MaxTokenLife: time.Hour})
				stores.Store(list, store)
				return list, err
			},
			Revoke: func(c verifier.RevocationChecker, token verifier.RevocationRequest) error {
				return c.(*revocation.List).RevokeToken(t.Context(), token.Issuer, token.ID)
			},
			Break: func(c verifier.RevocationChecker) func() {
				of(c).FailNext(-1, errors.New("down"))
				return of(c).Recover
			},
			Hang: func(c verifier.RevocationChecker) func() {
				of(c).Hang()
				return of(c).Recover
			},
		})
	})
	t.Run("StatusLists", func(t *testing.T) {
		type published struct {
			*publisher
			mu      sync.Mutex
			indices map[string]int
			data    []byte
		}
		var all sync.Map // verifier.RevocationChecker -> *published
		var latest *published
		conformance.TestRevocationChecker(t, conformance.RevocationCheckerHarness{
			New: func(*conformance.Env) (verifier.RevocationChecker, error) {
				p := &published{publisher: newPublisher(t), indices: make(map[string]int), data: make([]byte, 16)}
				p.publisher.set(200, p.list(1, p.data, nil, nil))
				lists, err := revocation.NewStatusLists(revocation.StatusListsConfig{
					Issuers: []revocation.StatusIssuer{{Name: p.Domain()}}, Doer: p.publisher, Clock: p.clock, TTL: time.Minute,
				})
				all.Store(lists, p)
				latest = p
				return lists, err
			},
			Token: func(env *conformance.Env, name string) (verifier.RevocationRequest, error) {
				p := latest
				p.mu.Lock()
				index, ok := p.indices[name]
				if !ok {
					index = len(p.indices)
					p.indices[name] = index
				}
				p.mu.Unlock()
				v, err := verifier.New(p.Config(api))
				if err != nil {
					return verifier.RevocationRequest{}, err
				}
				defer v.Close()
				token, err := v.VerifyAccessToken(env.Context(), p.Sign(api, map[string]any{
					"jti": name, "status": map[string]any{"status_list": map[string]any{"idx": index, "uri": listURL}},
				}))
				if err != nil {
					return verifier.RevocationRequest{}, err
				}
				return verifier.RevocationRequest{Issuer: issuerName, ID: name, IssuedAt: token.IssuedAt, ExpiresAt: token.ExpiresAt, Token: token}, nil
			},
			Revoke: func(c verifier.RevocationChecker, token verifier.RevocationRequest) error {
				found, _ := all.Load(c)
				p := found.(*published)
				index, ok := p.indices[token.ID]
				if !ok {
					return fmt.Errorf("no token %q", token.ID)
				}
				p.data[index/8] |= 1 << (index % 8)
				p.publisher.set(200, p.list(1, p.data, nil, nil))
				p.clock.Advance(2 * time.Minute)
				return nil
			},
			Break: func(c verifier.RevocationChecker) func() {
				found, _ := all.Load(c)
				p := found.(*published)
				p.publisher.set(503, "")
				p.clock.Advance(2 * time.Minute)
				return func() {
					p.publisher.set(200, p.list(1, p.data, nil, nil))
					p.clock.Advance(2 * time.Minute)
				}
			},
			Timeout: 20 * time.Second,
		})
	})
}
