package conformance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// ReplayStoreHarness says how to test a [verifier.ReplayStore]. Only New is
// required. What is left out is skipped and reported so. The fields tell what
// the backend can and what the test can do with it; none of them exempts from
// a rule.
type ReplayStoreHarness struct {
	// New returns a store whose keys are apart from those of other Namespaces:
	// a new one, or one over a shared server with env.Namespace in its prefix.
	// Without Advance it is called by several goroutines at once.
	New func(env *Env) (verifier.ReplayStore, error)
	// Advance makes time pass for the store. Without it the suite waits for
	// short ttls on real time.
	Advance func(d time.Duration)
	// MinTTL is the backend's resolution, such as a second: a key may be there
	// for up to twice this time beyond its ttl (it is rounded up, and the
	// backend's clock ticks).
	MinTTL time.Duration
	// Shared: stores made with one Env see each other's keys, as processes that
	// share a server do.
	Shared bool
	// Capacity is how many keys fill the store, if it is bounded. The suite
	// adds as many and some more; without it, a few thousand.
	Capacity int
	// Break makes the backend of a store fail: refuse connections, say, until
	// repair is called.
	Break func(store verifier.ReplayStore) (repair func())
	// Hang makes the backend of a store accept calls and never answer, until
	// release is called.
	Hang func(store verifier.ReplayStore) (release func())
	// Size tells how much the backend of a store keeps, in any unit that grows
	// with it: keys, bytes, or the length of a file. It may run or wait for what
	// the backend does to clear up.
	Size func(store verifier.ReplayStore) (int64, error)
	// StoredKey tells the key under which the backend keeps a key of the
	// caller's, without the prefix, if it is another one. The suite then uses it
	// as a key of the caller's.
	StoredKey func(store verifier.ReplayStore, key string) string
	// Timeout of a call. Default 10 s. A check may take six times as long, and
	// the time that it waits for ttls.
	Timeout time.Duration

	Options
}

// ReplayStoreChecks returns the checks of [verifier.ReplayStore] as data.
func ReplayStoreChecks() []Check[ReplayStoreHarness] {
	checks := slices.Concat(replayAdds(), replayTime(), replayLives(), replayKeys(), replayFaults(), replayRecovery())
	return founded(replayFoundations(), basis([]string{"ReplayStore/first-add-is-added", "ReplayStore/second-add-is-not-added"}, checks))
}

// TestReplayStore tests that a store keeps the contract of
// [verifier.ReplayStore], each rule in a subtest.
func TestReplayStore(t *testing.T, h ReplayStoreHarness) Report {
	t.Helper()
	return h.suite().test(t)
}

// RunReplayStore is [TestReplayStore] without a test.
func RunReplayStore(ctx context.Context, h ReplayStoreHarness) Report {
	return h.suite().run(ctx)
}

func (h ReplayStoreHarness) suite() suite[ReplayStoreHarness] {
	return suite[ReplayStoreHarness]{harness: h, checks: ReplayStoreChecks()}
}

func (h ReplayStoreHarness) plan() plan {
	p := plan{Options: h.Options, timeout: h.Timeout, beside: h.Advance == nil}
	if p.beside {
		p.waits = h.MinTTL
	}
	return p
}

// replayCase is what a check of a store works with.
type replayCase struct {
	pace
	env   *Env
	h     ReplayStoreHarness
	store verifier.ReplayStore
}

func replayCheck(name, rule string, run func(c *replayCase) error) Check[ReplayStoreHarness] {
	return newCheck("ReplayStore", name, rule, newReplayCase, run)
}

func newReplayCase(env *Env, h ReplayStoreHarness) (*replayCase, error) {
	store, err := opened(env, h.New, "a store")
	if err != nil {
		return nil, err
	}
	return &replayCase{pace: pace{ctx: env.ctx, advance: h.Advance, min: h.MinTTL, scale: env.scale}, env: env, h: h, store: store}, nil
}

// key returns a key of the form that the Verifier's have: the part before the
// first dot is that of one proof key.
func (c *replayCase) key(name string) string { return c.env.key("proof-key." + name) }

func (c *replayCase) add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	defer c.env.begin("Add")()
	return c.store.Add(ctx, key, ttl)
}

// adds wants Add to say added or not.
func (c *replayCase) adds(key string, ttl time.Duration, want bool, when string) error {
	if added, err := c.add(c.ctx, key, ttl); added != want || err != nil {
		return fmt.Errorf("Add(%s, %v)%s = %v, %v; want %v, nil", show(key), ttl, when, added, err, want)
	}
	return nil
}

// firstAdd wants a key to be added.
func (c *replayCase) firstAdd(key string, ttl time.Duration) error { return c.adds(key, ttl, true, "") }

// repeated wants a key not to be added.
func (c *replayCase) repeated(key, when string) error { return c.adds(key, time.Hour, false, when) }
