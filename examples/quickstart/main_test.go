package main

import (
	"strings"
	"testing"
)

func TestDemoEndsAsItSays(t *testing.T) {
	var out strings.Builder
	if err := demo(&out); err != nil {
		t.Fatalf("demo: %v\n%s", err, out.String())
	}
	for _, row := range []string{"Bearer, good token", "DPoP, the same proof again", "DPoP, nonce demanded", "opaque token", "encrypted token", "good token, revoked here"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("the table has no row %q", row)
		}
	}
	if !strings.HasSuffix(out.String(), "\n24 of 24 as expected\n") {
		t.Errorf("the end is not the verdict:\n%s", out.String())
	}
}
