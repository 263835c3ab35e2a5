package conformance_test

import (
	"errors"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

var errDown = errors.New("the backend is down")

func TestFakeCache(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	conformance.TestCache(t, conformance.CacheHarness{
		Options: conformance.Options{Implementation: "verifiertest.Cache", InProcess: true},
		New:     func(*conformance.Env) (verifier.Cache, error) { return verifiertest.NewCache(clock, 0), nil },
		Advance: clock.Advance,
		Break: func(c verifier.Cache) func() {
			c.(*verifiertest.Cache).FailNext(-1, errDown)
			return c.(*verifiertest.Cache).Recover
		},
		Hang: func(c verifier.Cache) func() {
			c.(*verifiertest.Cache).Hang()
			return c.(*verifiertest.Cache).Recover
		},
	})
}

// TestFakeCacheOnRealTime also drops what was used longest ago.
func TestFakeCacheOnRealTime(t *testing.T) {
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) { return verifiertest.NewCache(nil, 2), nil },
	})
}

func TestFakeReplayStore(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	conformance.TestReplayStore(t, conformance.ReplayStoreHarness{
		Options: conformance.Options{Implementation: "verifiertest.ReplayStore", InProcess: true},
		New:     func(*conformance.Env) (verifier.ReplayStore, error) { return verifiertest.NewReplayStore(clock), nil },
		Advance: clock.Advance,
		Break: func(s verifier.ReplayStore) func() {
			s.(*verifiertest.ReplayStore).FailNext(-1, errDown)
			return s.(*verifiertest.ReplayStore).Recover
		},
		Hang: func(s verifier.ReplayStore) func() {
			s.(*verifiertest.ReplayStore).Hang()
			return s.(*verifiertest.ReplayStore).Recover
		},
	})
}

func TestFakeReplayStoreOnRealTime(t *testing.T) {
	conformance.TestReplayStore(t, conformance.ReplayStoreHarness{
		New: func(*conformance.Env) (verifier.ReplayStore, error) { return verifiertest.NewReplayStore(nil), nil },
	})
}
