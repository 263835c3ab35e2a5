package conformance_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
)

// defect is an implementation with one mistake, and the checks that find it.
// It knows no key, value or time that the suite chooses.
type defect[T any] struct {
	name  string
	fails string // names of checks, with spaces between
	make  T
	exact bool // the backend has no resolution
}

// failed returns the names of the checks that failed, sorted.
func failed(r conformance.Report) []string {
	var names []string
	for _, one := range r.With(conformance.Failed) {
		names = append(names, one.Check)
	}
	slices.Sort(names)
	return names
}

// sample: a short test tries one defect of so many.
const sample = 10

// tries is how often a defect may be tried. Most defects are a matter of time, and
// a machine that is busy enough lets a call end before it began.
const tries = 3

// testDefects enforces both directions: each defect fails the checks that it
// declares and no other one, and each check has a defect that fails it alone.
func testDefects[T, H any](t *testing.T, checks []conformance.Check[H], defects []defect[T], run func(ctx context.Context, d defect[T]) conformance.Report) {
	alone := make(map[string]bool)
	for i, d := range defects {
		want := strings.Fields(d.fails)
		slices.Sort(want)
		if len(want) == 1 {
			alone[want[0]] = true
		}
		if testing.Short() && i%sample != 0 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for try := 1; ; try++ {
				report := run(t.Context(), d)
				got := failed(report)
				if len(want) > 1 { // what is found by chance may be found or not
					got, want = slices.DeleteFunc(got, byChance), slices.DeleteFunc(want, byChance)
				}
				if slices.Equal(got, want) {
					return
				}
				say := t.Logf
				if try == tries {
					say = t.Errorf
				}
				say("%q fails %q; want %q", d.name, got, want)
				for _, one := range report.With(conformance.Failed) {
					t.Logf("%s: %s", one.Check, one.Detail)
				}
				if try == tries {
					return
				}
			}
		})
	}
	for _, c := range checks {
		if !alone[c.Name] {
			t.Errorf("no defect fails only %s", c.Name)
		}
	}
}

// byChance are checks that find many mistakes, each time or now and then. What
// is theirs alone is theirs each time.
func byChance(check string) bool {
	return slices.Contains([]string{
		"concurrent-calls-keep-to-a-model", "random-calls-keep-to-a-model", "concurrent-values-are-not-torn", "concurrent-deletes-and-sets",
		"clear-beside-other-calls", "concurrent-calls-do-not-change-what-get-returned", "concurrent-adds-have-an-order", "never-goes-backwards-across-a-second",
		"calls-are-safe-for-concurrent-use",
	}, check)
}
