package memcache_test

import (
	"os"
	"testing"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/ratio"
)

// TestMain lets the test binary be the process that delays, too.
func TestMain(m *testing.M) {
	if ratio.MainDelay() {
		return
	}
	os.Exit(m.Run())
}
