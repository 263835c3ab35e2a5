package wycheproof_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestJWE runs the test of the package that opens encrypted tokens, which only the
// core module can import, on the vectors for JWE.
func TestJWE(t *testing.T) {
	dir, err := folder()
	if err != nil {
		t.Fatalf("%s: %v", module, err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "wycheproof", "-run", "^TestWycheproof$", "-v", "-count=1", "./internal/jwe")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "WYCHEPROOF="+dir, "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0 wrong accepts") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
