package verifier_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModelNamesRealTests: a threat whose test is gone is not shown to be
// stopped.
func TestThreatModelNamesRealTests(t *testing.T) {
	root := ".."
	exists := make(map[string]bool)
	defined := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range defined.FindAllSubmatch(source, -1) {
			exists[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	model, err := os.ReadFile(filepath.Join(root, "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllSubmatch(model, -1)
	if len(named) < 50 {
		t.Errorf("%d tests are named; want every threat to have one", len(named))
	}
	for _, match := range named {
		if !exists[string(match[1])] {
			t.Errorf("%s does not exist", match[1])
		}
	}
	for line := range strings.Lines(string(model)) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) == 5 && !strings.Contains(cells[3], "`") &&
			!strings.Contains(cells[3], "shown by") && !strings.Contains(cells[3], "---") {
			t.Errorf("no test shows it: %s", line)
		}
	}
}
