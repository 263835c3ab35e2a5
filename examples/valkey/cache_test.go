package valkeycache_test

import (
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	valkeycache "github.com/portcullis-go/portcullis/examples/valkey"
	"github.com/portcullis-go/portcullis/verifier"
)

// The checks of outages are left out, and the suite says so: they need a server of
// their own for each check, as cacheadapter/redis has them in its tests.
func TestCache(t *testing.T) {
	server := startServer(t)
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			return valkeycache.New(server.client(env), env.Namespace+":")
		},
		MinTTL: time.Millisecond, Shared: true,
	})
}
