package lrucache_test

import (
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	lrucache "github.com/portcullis-go/portcullis/examples/golang-lru"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestCache(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	conformance.TestCache(t, conformance.CacheHarness{
		New:     func(*conformance.Env) (verifier.Cache, error) { return lrucache.New(10_000, clock.Now) },
		Advance: clock.Advance,
	})
}
