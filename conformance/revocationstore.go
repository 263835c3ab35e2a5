package conformance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// RevocationStoreHarness says how to test a [verifier.RevocationStore]. Only New is
// required. What is left out is skipped and reported so.
type RevocationStoreHarness struct {
	// New returns a store whose keys are apart from those of other Namespaces. Without
	// Advance it is called by several goroutines at once.
	New func(env *Env) (verifier.RevocationStore, error)
	// Advance makes time pass for the store. Without it the suite waits for short ttls
	// on real time.
	Advance func(d time.Duration)
	// MinTTL is the backend's resolution.
	MinTTL time.Duration
	// Delay is how long after Revoke another process may not see it.
	Delay time.Duration
	// Shared: stores made with one Env see each other's keys.
	Shared bool
	// Capacity is how many keys fill the store, if it is bounded. The suite writes as
	// many and some more; without it, a few thousand.
	Capacity int
	// Break makes the backend of a store fail until repair is called.
	Break func(store verifier.RevocationStore) (repair func())
	// Hang makes the backend of a store accept calls and never answer, until release
	// is called.
	Hang func(store verifier.RevocationStore) (release func())
	// Timeout of a call. Default 10 s. A check may take six times as long, and the time
	// that it waits for ttls.
	Timeout time.Duration

	Options
}

// RevocationStoreChecks returns the checks of [verifier.RevocationStore] as data.
func RevocationStoreChecks() []Check[RevocationStoreHarness] {
	const (
		remembers = "Revoke remembers that what key stands for was revoked at a time, for at least ttl."
		later     = "A key that is there keeps the later of the two times and the later end."
		nothing   = "ttl <= 0 does nothing."
		each      = "Revoked returns the time for each key, in order, and the zero time for one that is not there."
		sees      = "It sees what Revoke of any process has written, at once or within the delay that the implementation states."
		stays     = "A key stays for its ttl: a store under pressure returns an error from Revoke, and never forgets a live key to make room."
		undecided = `Whatever cannot be answered is an error, never "not revoked".`
		rounded   = "Times are kept to the millisecond, rounded up."
		as        = "Contexts, errors and concurrency are as for [ReplayStore]."
		keys      = "Keys are as for [Cache]."
		owns      = "The keys are not changed or kept, and the caller owns the times."
		room      = "Keys whose ttl has passed take no room for ever."
	)
	checks := slices.Concat([]Check[RevocationStoreHarness]{
		revocationCheck("revoked-key-has-its-time", remembers, revocationKept),
		revocationCheck("unknown-key-has-the-zero-time", each, revocationUnknown),
		revocationCheck("answers-are-in-order", each, revocationOrder),
		revocationCheck("many-keys-are-answered-at-once", each, revocationMany),
		revocationCheck("a-key-that-is-asked-for-twice", each, revocationTwice),
		revocationCheck("keys-that-look-alike-differ", keys, revocationAlike(revocationLookAlikes)),
		revocationCheck("long-keys-that-differ", keys, revocationAlike(longKeys)),
		revocationCheck("keys-of-equal-weak-hashes-differ", keys, revocationAlike(func() [][2]string { return collisions("") })),
		revocationCheck("slices-are-the-callers", owns, revocationSlices),
		revocationCheck("times-of-any-year", remembers, revocationYears),
		revocationCheck("times-are-rounded-up", rounded, revocationRounded),
		revocationCheck("later-time-stays", later, revocationLater),
		waiting(revocationCheck("later-end-stays", later, revocationLaterEnd)),
		waiting(revocationCheck("key-stays-for-its-ttl", remembers, revocationStays)),
		waiting(revocationCheck("ttl-is-not-cut-short", remembers, revocationUncut)),
		revocationCheck("long-ttls-last", remembers, revocationLong),
		waiting(revocationCheck("second-life-has-its-full-ttl", remembers, revocationSecondLife)),
		revocationCheck("zero-ttl-does-nothing", nothing, revocationZero),
		revocationCheck("nothing-makes-room", stays, revocationFull),
		revocationCheck("latest-of-concurrent-times-stays", later, revocationTogether),
		revocationCheck("concurrent-answers-do-not-mix", as, revocationUnmixed),
		revocationCheck("errors-do-not-show-the-key", as, revocationSilent),
	},
		group(groupShared,
			revocationCheck("other-processes-see-it", sees, revocationShared),
			revocationCheck("latest-of-concurrent-times-by-two-stores", later, revocationTogetherShared)),
		group(groupBreak, revocationCheck("failure-is-an-error", undecided, revocationDown)),
		group(groupCapacity, waiting(revocationCheck("full-store-takes-keys-again", room, revocationRoom))),
		revocationManners(as).checks(),
	)
	checks = basis([]string{"RevocationStore/revoked-key-has-its-time", "RevocationStore/unknown-key-has-the-zero-time"}, checks)
	return founded(revocationFoundations(), checks)
}

func revocationManners(rule string) manners[RevocationStoreHarness, *revocationCase] {
	return manners[RevocationStoreHarness, *revocationCase]{
		check: revocationCheck, env: func(c *revocationCase) *Env { return c.env },
		calls: []mannered[*revocationCase]{
			{"Revoked", func(c *revocationCase, ctx context.Context, n int) error {
				_, err := c.ask(ctx, c.store, c.env.key(fmt.Sprint("asked", n)))
				return err
			}},
			{"Revoke", func(c *revocationCase, ctx context.Context, n int) error {
				return c.revoke(ctx, c.env.key(fmt.Sprint("written", n)), revokedAt, time.Hour)
			}},
		},
		works: func(c *revocationCase, round int) error {
			if round == 0 {
				if err := c.writes(c.env.key("before"), revokedAt, 24*time.Hour); err != nil {
					return err
				}
			}
			key := c.env.key(fmt.Sprint("round", round%8))
			if err := c.writes(key, revokedAt, time.Hour); err != nil {
				return err
			}
			if err := c.has(key, revokedAt, " right after Revoke"); err != nil {
				return err
			}
			return c.has(c.env.key("before"), revokedAt, " of before")
		},
		breaks: func(c *revocationCase) func() func() {
			return faulty(c.h.Break, c.store)
		},
		hangs: func(c *revocationCase) func() func() { return faulty(c.h.Hang, c.store) },
		pace:  func(c *revocationCase) pace { return c.pace },
		done:  rule, again: rule, hanging: "hanging-backend-ends-with-the-context",
	}
}

// TestRevocationStore tests that a store keeps the contract of
// [verifier.RevocationStore], each rule in a subtest.
func TestRevocationStore(t *testing.T, h RevocationStoreHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunRevocationStore is [TestRevocationStore] without a test.
func RunRevocationStore(ctx context.Context, h RevocationStoreHarness) Report {
	return h.suite().run(ctx)
}

func (h RevocationStoreHarness) suite() suite[RevocationStoreHarness] {
	return suite[RevocationStoreHarness]{harness: h, checks: RevocationStoreChecks()}
}

func (h RevocationStoreHarness) plan() plan {
	p := plan{Options: h.Options, timeout: h.Timeout, beside: h.Advance == nil}
	if p.beside {
		p.waits = h.MinTTL
	}
	return p
}

// revocationCase is what a check of a store works with.
type revocationCase struct {
	pace
	env   *Env
	h     RevocationStoreHarness
	store verifier.RevocationStore
}

func revocationCheck(name, rule string, run func(c *revocationCase) error) Check[RevocationStoreHarness] {
	return newCheck("RevocationStore", name, rule, newRevocationCase, run)
}

func newRevocationCase(env *Env, h RevocationStoreHarness) (*revocationCase, error) {
	store, err := opened(env, h.New, "a store")
	if err != nil {
		return nil, err
	}
	return &revocationCase{pace: pace{ctx: env.ctx, advance: h.Advance, min: h.MinTTL, scale: env.scale}, env: env, h: h, store: store}, nil
}

// revokedAt is a time of a revocation: whole milliseconds, and no round number.
var revokedAt = time.UnixMilli(1_777_636_801_234)

func (c *revocationCase) revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error {
	defer c.env.begin("Revoke")()
	return c.store.Revoke(ctx, key, at, ttl)
}

func (c *revocationCase) ask(ctx context.Context, store verifier.RevocationStore, keys ...string) ([]time.Time, error) {
	defer c.env.begin("Revoked")()
	times, err := store.Revoked(ctx, slices.Clone(keys))
	if err == nil && len(times) != len(keys) {
		return nil, fmt.Errorf("Revoked of %d keys = %d times; want one for each", len(keys), len(times))
	}
	return times, err
}

// writes wants Revoke to succeed.
func (c *revocationCase) writes(key string, at time.Time, ttl time.Duration) error {
	if err := c.revoke(c.ctx, key, at, ttl); err != nil {
		return fmt.Errorf("Revoke(%s, %v, %v) = %w; want nil", show(key), at.UTC(), ttl, err)
	}
	return nil
}

// has wants a key to have a time.
func (c *revocationCase) has(key string, want time.Time, when string) error {
	times, err := c.ask(c.ctx, c.store, key)
	if err != nil {
		return fmt.Errorf("Revoked(%s)%s = %w; want %v", show(key), when, err, want.UTC())
	}
	if !times[0].Equal(want) {
		return fmt.Errorf("Revoked(%s)%s = %v; want %v", show(key), when, times[0].UTC(), want.UTC())
	}
	return nil
}
