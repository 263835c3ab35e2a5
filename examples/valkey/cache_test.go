package valkeycache_test

import (
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	valkeycache "github.com/portcullis-go/portcullis/examples/valkey"
	"github.com/portcullis-go/portcullis/verifier"
)

func TestCache(t *testing.T) {
	server := startServer(t)
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(env *conformance.Env) (verifier.Cache, error) {
			return valkeycache.New(server.client(env), env.Namespace+":")
		},
		MinTTL: time.Millisecond, Shared: true,
		Break: func(verifier.Cache) func() { return server.kill() },
		Hang:  func(verifier.Cache) func() { return server.freeze() },
	})
}
