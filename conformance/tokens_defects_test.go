package conformance_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// outage can be down or hang, as a harness asks for.
type outage struct {
	mu   sync.Mutex
	down bool
	hang chan struct{}
}

// enter is the beginning of a good call.
func (b *outage) enter(ctx context.Context) error {
	b.mu.Lock()
	down, hang := b.down, b.hang
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if down {
		return errDown
	}
	return nil
}

func (b *outage) isBroken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down
}

func (b *outage) isHung() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hang != nil
}

func (b *outage) breakIt() func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.down = false
	}
}

func (b *outage) hangIt() func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	hang := make(chan struct{})
	b.hang = hang
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hang = nil
		close(hang)
	}
}

// revocations is a RevocationStore with places for mistakes; a good one has none.
type revocations struct {
	outage
	now     func() time.Time
	entries map[string][2]time.Time // when, and until when
	max     int

	revoke  func(ctx context.Context, key string, at time.Time, ttl time.Duration) error
	revoked func(ctx context.Context, keys []string) ([]time.Time, error)
}

func (r *revocations) Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	return r.revoke(ctx, key, at, ttl)
}

func (r *revocations) Revoked(ctx context.Context, keys []string) ([]time.Time, error) {
	return r.revoked(ctx, keys)
}

var errStoreFull = errors.New("store: full")

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *revocations) goodRevoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	if err := r.enter(ctx); err != nil || ttl <= 0 {
		return err
	}
	if whole := at.Truncate(time.Millisecond); !whole.Equal(at) {
		at = whole.Add(time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	until := now.Add(ttl)
	if old, ok := r.entries[key]; ok && now.Before(old[1]) {
		at, until = later(at, old[0]), later(until, old[1])
	} else if len(r.entries) >= r.max {
		return errStoreFull
	}
	r.entries[key] = [2]time.Time{at, until}
	return nil
}

func (r *revocations) goodRevoked(ctx context.Context, keys []string) ([]time.Time, error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	times := make([]time.Time, len(keys))
	for i, key := range keys {
		if e, ok := r.entries[key]; ok && r.now().Before(e[1]) {
			times[i] = e[0]
		}
	}
	return times, nil
}

// put overwrites an entry.
func (r *revocations) put(key string, at, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[key] = [2]time.Time{at, until}
}

func (r *revocations) get(key string) ([2]time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.entries[key]
	return e, ok && r.now().Before(e[1])
}

func revocationHarness(change func(*revocations)) conformance.RevocationStoreHarness {
	var elapsed atomic.Int64
	began := time.Now()
	var mu sync.Mutex
	stores := make(map[string]*revocations)
	return conformance.RevocationStoreHarness{
		New: func(env *conformance.Env) (verifier.RevocationStore, error) {
			mu.Lock()
			defer mu.Unlock()
			first := stores[env.Namespace]
			if first == nil {
				first = &revocations{now: func() time.Time { return began.Add(time.Duration(elapsed.Load())) }, entries: make(map[string][2]time.Time), max: 400}
				first.revoke, first.revoked = first.goodRevoke, first.goodRevoked
				stores[env.Namespace] = first
				if change != nil {
					change(first)
				}
			}
			return &revocationProcess{first}, nil
		},
		Advance: func(d time.Duration) { elapsed.Add(int64(d)) },
		Shared:  true, Capacity: 400,
		Break: func(store verifier.RevocationStore) func() { return store.(*revocationProcess).breakIt() },
		Hang:  func(store verifier.RevocationStore) func() { return store.(*revocationProcess).hangIt() },
	}
}

// revocationProcess is one of several that share a store.
type revocationProcess struct{ *revocations }

func TestRevocationStoreDefects(t *testing.T) {
	if report := conformance.RunRevocationStore(t.Context(), revocationHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	type change = func(*revocations)
	defects := []defect[change]{
		{name: "times are a second late", fails: "revoked-key-has-its-time", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return r.goodRevoke(ctx, key, at.Add(time.Second), ttl)
			}
		}},
		{name: "a key that is not there was revoked in 1970", fails: "unknown-key-has-the-zero-time", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				for i := range times {
					if times[i].IsZero() {
						times[i] = time.UnixMilli(0)
					}
				}
				return times, err
			}
		}},
		{name: "answers come sorted", fails: "answers-are-in-order", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				if len(times) < 50 {
					slices.SortFunc(times, time.Time.Compare)
				}
				return times, err
			}
		}},
		{name: "times are cut", fails: "times-are-rounded-up", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return r.goodRevoke(ctx, key, at.Truncate(time.Millisecond), ttl)
			}
		}},
		{name: "an earlier time by far is taken for news", fails: "later-time-stays", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				old, known := r.get(key)
				err := r.goodRevoke(ctx, key, at, ttl)
				if known && old[0].Sub(at) > time.Minute {
					r.put(key, at, old[1])
				}
				return err
			}
		}},
		{name: "the end of the last one counts", fails: "later-end-stays", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				err := r.goodRevoke(ctx, key, at, ttl)
				if e, known := r.get(key); known && ttl > 0 {
					r.put(key, e[0], r.now().Add(ttl))
				}
				return err
			}
		}},
		{name: "keys end a little early", fails: "key-stays-for-its-ttl", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				return r.goodRevoke(ctx, key, at, ttl-ttl/10)
			}
		}},
		{name: "no ttl is a day", fails: "zero-ttl-does-nothing", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				if ttl <= 0 {
					ttl = 24 * time.Hour
				}
				return r.goodRevoke(ctx, key, at, ttl)
			}
		}},
		{name: "a full store forgets", fails: "nothing-makes-room", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				err := r.goodRevoke(ctx, key, at, ttl)
				if !errors.Is(err, errStoreFull) {
					return err
				}
				r.mu.Lock()
				for old := range r.entries {
					delete(r.entries, old)
					break
				}
				r.mu.Unlock()
				return r.goodRevoke(ctx, key, at, ttl)
			}
		}},
		{name: "reads, and writes later", fails: "latest-of-concurrent-times-stays", make: func(r *revocations) {
			r.revoke = func(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
				old, known := r.get(key)
				runtime.Gosched()
				if err := r.goodRevoke(ctx, key, at, ttl); err != nil || ttl <= 0 {
					return err
				}
				if e, _ := r.get(key); !known || at.After(old[0]) {
					runtime.Gosched()
					if whole := at.Truncate(time.Millisecond); whole.Equal(at) {
						r.put(key, at, e[1])
					}
				}
				return nil
			}
		}},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				if r.isHung() {
					return r.goodRevoked(ctx, keys)
				}
				return r.goodRevoked(context.WithoutCancel(ctx), keys)
			}
		}},
		{name: "each process has its own", fails: "other-processes-see-it", make: func(r *revocations) {
			// Of the keys of that check: nothing else has two stores.
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				if len(keys) == 1 && bytes.HasSuffix([]byte(keys[0]), []byte("shared")) {
					return make([]time.Time, 1), err
				}
				return times, err
			}
		}},
		{name: "down is not revoked", fails: "failure-is-an-error", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				times, err := r.goodRevoked(ctx, keys)
				if errors.Is(err, errDown) {
					return make([]time.Time, len(keys)), nil
				}
				return times, err
			}
		}},
		{name: "waits for ever", fails: "hanging-backend-ends-with-the-context", make: func(r *revocations) {
			r.revoked = func(ctx context.Context, keys []string) ([]time.Time, error) {
				if r.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return r.goodRevoked(ctx, keys)
			}
		}},
	}
	testDefects(t, conformance.RevocationStoreChecks(), defects, func(ctx context.Context, d defect[change]) conformance.Report {
		return conformance.RunRevocationStore(ctx, revocationHarness(d.make))
	})
}

// bouncer is a RevocationChecker with a place for a mistake.
type bouncer struct {
	outage
	denied map[string]bool
	last   string
	ask    func(ctx context.Context, token verifier.RevocationRequest) (bool, error)
}

func (b *bouncer) Revoked(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	return b.ask(ctx, token)
}

func (b *bouncer) good(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
	if err := b.enter(ctx); err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.denied[token.ID], nil
}

func bouncerHarness(change func(*bouncer)) conformance.RevocationCheckerHarness {
	return conformance.RevocationCheckerHarness{
		New: func(*conformance.Env) (verifier.RevocationChecker, error) {
			b := &bouncer{denied: make(map[string]bool)}
			b.ask = b.good
			if change != nil {
				change(b)
			}
			return b, nil
		},
		Revoke: func(c verifier.RevocationChecker, token verifier.RevocationRequest) error {
			b := c.(*bouncer)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.denied[token.ID] = true
			return nil
		},
		Break: func(c verifier.RevocationChecker) func() { return c.(*bouncer).breakIt() },
		Hang:  func(c verifier.RevocationChecker) func() { return c.(*bouncer).hangIt() },
	}
}

func TestRevocationCheckerDefects(t *testing.T) {
	if report := conformance.RunRevocationChecker(t.Context(), bouncerHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	type asks = func(ctx context.Context, token verifier.RevocationRequest) (bool, error)
	asking := func(f func(b *bouncer) asks) func(*bouncer) { return func(b *bouncer) { b.ask = f(b) } }
	defects := []defect[func(*bouncer)]{
		{name: "what nobody has revoked is", fails: "good-token-is-not-revoked", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				return revoked || len(b.denied) == 0 && err == nil, err
			}
		})},
		{name: "nothing is revoked", fails: "revoked-token-is-revoked", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				_, err := b.good(ctx, token)
				return false, err
			}
		})},
		{name: "one revocation is for all that come next", fails: "another-token-is-not-revoked", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.last == "" {
					b.last = token.ID
					revoked = revoked || len(b.denied) > 0 && !b.down && ctx.Err() == nil && err == nil && bytes.HasSuffix([]byte(token.ID), []byte("other"))
				}
				return revoked, err
			}
		})},
		{name: "calls share a variable", fails: "concurrent-calls-do-not-mix", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				b.mu.Lock()
				b.last = token.ID
				b.mu.Unlock()
				runtime.Gosched()
				b.mu.Lock()
				token.ID = b.last
				b.mu.Unlock()
				return b.good(ctx, token)
			}
		})},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if b.isHung() {
					return b.good(ctx, token)
				}
				return b.good(context.WithoutCancel(ctx), token)
			}
		})},
		{name: "down is not revoked", fails: "failure-is-an-error", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				if errors.Is(err, errDown) {
					err = nil
				}
				return revoked, err
			}
		})},
		{name: "the error shows the token", fails: "errors-show-nothing", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				revoked, err := b.good(ctx, token)
				if err != nil {
					err = fmt.Errorf("%w: token %s", err, token.ID)
				}
				return revoked, err
			}
		})},
		{name: "waits for ever", fails: "hang-ends-with-the-context", make: asking(func(b *bouncer) asks {
			return func(ctx context.Context, token verifier.RevocationRequest) (bool, error) {
				if b.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return b.good(ctx, token)
			}
		})},
	}
	testDefects(t, conformance.RevocationCheckerChecks(), defects, func(ctx context.Context, d defect[func(*bouncer)]) conformance.Report {
		return conformance.RunRevocationChecker(ctx, bouncerHarness(d.make))
	})
}

// clerk is an Introspector with a place for a mistake.
type clerk struct {
	outage
	issued map[string]string // subject of a token
	kept   map[string][]byte
	last   string
	asked  int
	ask    func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error)
}

const clerkIssuer = "https://issuer.example/"

func (c *clerk) Introspect(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	return c.ask(ctx, req)
}

var errClerk = errors.New("clerk: another issuer")

func (c *clerk) good(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	if err := c.enter(ctx); err != nil {
		return verifier.Introspection{}, err
	}
	if req.Issuer != clerkIssuer {
		return verifier.Introspection{}, errClerk
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	subject, ok := c.issued[req.Token]
	if !ok {
		return verifier.Introspection{}, nil
	}
	claims, err := json.Marshal(map[string]any{"active": true, "sub": subject})
	return verifier.Introspection{Active: true, Claims: claims}, err
}

func clerkHarness(change func(*clerk)) conformance.IntrospectorHarness {
	return conformance.IntrospectorHarness{
		Issuer: clerkIssuer,
		New: func(*conformance.Env) (verifier.Introspector, error) {
			c := &clerk{issued: make(map[string]string), kept: make(map[string][]byte)}
			c.ask = c.good
			if change != nil {
				change(c)
			}
			return c, nil
		},
		Issue: func(i verifier.Introspector, subject string) (string, error) {
			c := i.(*clerk)
			c.mu.Lock()
			defer c.mu.Unlock()
			token := rand.Text()
			c.issued[token] = subject
			return token, nil
		},
		Asked: func(i verifier.Introspector) int {
			c := i.(*clerk)
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.asked
		},
		Break: func(i verifier.Introspector) func() { return i.(*clerk).breakIt() },
		Hang:  func(i verifier.Introspector) func() { return i.(*clerk).hangIt() },
	}
}

func TestIntrospectorDefects(t *testing.T) {
	if report := conformance.RunIntrospector(t.Context(), clerkHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	type asks = func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error)
	asking := func(f func(c *clerk) asks) func(*clerk) { return func(c *clerk) { c.ask = f(c) } }
	defects := []defect[func(*clerk)]{
		{name: "claims are dropped", fails: "good-token-is-active", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				answer.Claims = nil
				return answer, err
			}
		})},
		{name: "unknown is an error", fails: "unknown-token-is-inactive", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if err == nil && !answer.Active {
					err = errClerk
				}
				return answer, err
			}
		})},
		{name: "the issuer does not matter", fails: "token-of-another-issuer-is-not-asked-about", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				req.Issuer = clerkIssuer
				return c.good(ctx, req)
			}
		})},
		{name: "claims are kept and given out", fails: "caller-owns-the-claims", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if err != nil || !answer.Active {
					return answer, err
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.kept[req.Token] == nil {
					c.kept[req.Token] = answer.Claims
				}
				answer.Claims = c.kept[req.Token]
				return answer, nil
			}
		})},
		{name: "calls share a variable", fails: "concurrent-calls-do-not-mix", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				c.mu.Lock()
				c.last = req.Token
				c.mu.Unlock()
				runtime.Gosched()
				c.mu.Lock()
				req.Token = c.last
				c.mu.Unlock()
				return c.good(ctx, req)
			}
		})},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if c.isHung() {
					return c.good(ctx, req)
				}
				return c.good(context.WithoutCancel(ctx), req)
			}
		})},
		{name: "down is inactive", fails: "failure-is-an-error", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if errors.Is(err, errDown) {
					err = nil
				}
				return answer, err
			}
		})},
		{name: "the error shows the token", fails: "errors-show-no-token", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				answer, err := c.good(ctx, req)
				if err != nil {
					err = fmt.Errorf("%w: %s", err, req.Token)
				}
				return answer, err
			}
		})},
		{name: "waits for ever", fails: "hang-ends-with-the-context", make: asking(func(c *clerk) asks {
			return func(ctx context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
				if c.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return c.good(ctx, req)
			}
		})},
	}
	testDefects(t, conformance.IntrospectorChecks(), defects, func(ctx context.Context, d defect[func(*clerk)]) conformance.Report {
		return conformance.RunIntrospector(ctx, clerkHarness(d.make))
	})
}

// vault is a KeyDecrypter with a place for a mistake.
type vault struct {
	outage
	key     *rsa.PrivateKey
	last    []byte
	decrypt func(ctx context.Context, algorithm string, sent []byte) ([]byte, error)
}

func (v *vault) DecryptKey(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
	return v.decrypt(ctx, algorithm, sent)
}

func (v *vault) good(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
	if err := v.enter(ctx); err != nil {
		return nil, err
	}
	if algorithm != "RSA-OAEP-256" {
		return nil, verifier.ErrDecryption
	}
	key, err := rsa.DecryptOAEP(sha256.New(), nil, v.key, sent, nil)
	if err != nil {
		return nil, verifier.ErrDecryption
	}
	return key, nil
}

var vaultKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	return key
})

func vaultHarness(change func(*vault)) conformance.KeyDecrypterHarness {
	return conformance.KeyDecrypterHarness{
		PublicKey: &vaultKey().PublicKey,
		New: func(*conformance.Env) (verifier.KeyDecrypter, error) {
			v := &vault{key: vaultKey()}
			v.decrypt = v.good
			if change != nil {
				change(v)
			}
			return v, nil
		},
		Break: func(d verifier.KeyDecrypter) func() { return d.(*vault).breakIt() },
		Hang:  func(d verifier.KeyDecrypter) func() { return d.(*vault).hangIt() },
	}
}

func TestKeyDecrypterDefects(t *testing.T) {
	if report := conformance.RunKeyDecrypter(t.Context(), vaultHarness(nil)); report.Err() != nil || report.Count(conformance.Skipped) > 0 {
		t.Errorf("the reference: %v, %v", report.Err(), report.With(conformance.Skipped))
	}
	type decrypts = func(ctx context.Context, algorithm string, sent []byte) ([]byte, error)
	with := func(f func(v *vault) decrypts) func(*vault) { return func(v *vault) { v.decrypt = f(v) } }
	defects := []defect[func(*vault)]{
		{name: "keys are cut to 32 octets", fails: "content-keys-are-decrypted", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := v.good(ctx, algorithm, sent)
				return key[:min(len(key), 32)], err
			}
		})},
		{name: "a key of another is an outage", fails: "keys-of-another-are-refused", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := v.good(ctx, algorithm, sent)
				if errors.Is(err, verifier.ErrDecryption) && algorithm == "RSA-OAEP-256" {
					return nil, errDown
				}
				return key, err
			}
		})},
		{name: "a length is an outage", fails: "garbage-is-refused", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if len(sent) != v.key.Size() {
					return nil, errDown
				}
				return v.good(ctx, algorithm, sent)
			}
		})},
		{name: "the algorithm does not matter", fails: "another-algorithm-is-not-used", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, _ string, sent []byte) ([]byte, error) {
				return v.good(ctx, "RSA-OAEP-256", sent)
			}
		})},
		{name: "calls share a buffer", fails: "concurrent-calls-do-not-mix", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				v.mu.Lock()
				v.last = sent
				v.mu.Unlock()
				runtime.Gosched()
				v.mu.Lock()
				sent = v.last
				v.mu.Unlock()
				return v.good(ctx, algorithm, sent)
			}
		})},
		{name: "contexts are ignored", fails: "done-context-is-an-error", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if v.isHung() {
					return v.good(ctx, algorithm, sent)
				}
				return v.good(context.WithoutCancel(ctx), algorithm, sent)
			}
		})},
		{name: "down is a refusal", fails: "failure-is-no-refusal", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				key, err := v.good(ctx, algorithm, sent)
				if errors.Is(err, errDown) {
					err = verifier.ErrDecryption
				}
				return key, err
			}
		})},
		{name: "waits for ever", fails: "hang-ends-with-the-context", make: with(func(v *vault) decrypts {
			return func(ctx context.Context, algorithm string, sent []byte) ([]byte, error) {
				if v.isHung() {
					ctx = context.WithoutCancel(ctx)
				}
				return v.good(ctx, algorithm, sent)
			}
		})},
	}
	testDefects(t, conformance.KeyDecrypterChecks(), defects, func(ctx context.Context, d defect[func(*vault)]) conformance.Report {
		return conformance.RunKeyDecrypter(ctx, vaultHarness(d.make))
	})
}
