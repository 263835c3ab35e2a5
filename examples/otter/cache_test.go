package ottercache_test

import (
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
	ottercache "github.com/portcullis-go/portcullis/examples/otter"
	"github.com/portcullis-go/portcullis/verifier"
)

func TestCache(t *testing.T) {
	conformance.TestCache(t, conformance.CacheHarness{New: func(env *conformance.Env) (verifier.Cache, error) {
		cache, err := ottercache.New(64 << 20)
		if err == nil {
			env.Cleanup(cache.Close)
		}
		return cache, err
	}})
}
