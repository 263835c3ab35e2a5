package conformance_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more defects run at once than there are cores: they wait, and do
// not compute.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
		_ = flag.Set("test.parallel", "12")
	}
	os.Exit(m.Run())
}
