//go:build race

package verifier_test

import (
	"os/exec"
	"testing"
)

// TestBudgetsWithoutRaceDetector runs the tests of the performance budget in a
// process without the race detector, under which neither allocations nor times
// mean anything.
func TestBudgetsWithoutRaceDetector(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-race=false", "-count=1", "-run=^TestBudget", ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, out)
	}
}
