package verifiertest_test

import (
	"os"
	"testing"

	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestRun(t *testing.T) {
	var order []string
	var dir string
	err := verifiertest.Run(func(tb testing.TB) {
		dir = tb.TempDir()
		tb.Cleanup(func() { order = append(order, "first") })
		tb.Cleanup(func() {
			order = append(order, "second")
			if tb.Context().Err() == nil {
				order = append(order, "context still good")
			}
		})
		verifiertest.NewIssuer(tb)
		tb.Errorf("one %d", 1)
		tb.Fatal("two")
		order = append(order, "after Fatal")
	})
	if err == nil || err.Error() != "one 1\ntwo" {
		t.Errorf("Run = %v; want both failures", err)
	}
	if len(order) != 2 || order[0] != "second" || order[1] != "first" {
		t.Errorf("order %q; want the cleanups, last one first", order)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder is still there")
	}
	if err := verifiertest.Run(func(testing.TB) {}); err != nil {
		t.Errorf("Run of nothing: %v", err)
	}
	if err := verifiertest.Run(func(tb testing.TB) { tb.FailNow() }); err == nil {
		t.Error("Run of FailNow: no error")
	}
}
