//go:build !race

package mldsa_test

import "testing"

// TestBudget: a key is prepared once, and its checks leave little behind. The
// race detector changes what is allocated.
func TestBudget(t *testing.T) {
	for _, name := range names {
		w := newWorld(t, name, nil)
		compact := w.token(nil)
		if got := testing.AllocsPerRun(50, func() {
			if _, err := w.VerifyAccessToken(t.Context(), compact); err != nil {
				t.Fatal(err)
			}
		}); got > 12 {
			t.Errorf("%s: %v allocations; want at most 12", name, got)
		}
	}
}
