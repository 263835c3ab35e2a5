package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFindingsHaveTheirForm: see findings/README.md.
func TestFindingsHaveTheirForm(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(root, "findings", "*.sh"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	listed := rows(t)
	for _, path := range scripts {
		name := filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, lacking := range missing(string(text)) {
			t.Errorf("%s lacks %q", name, lacking)
		}
		if strings.Contains(string(text), core) {
			t.Errorf("%s uses Portcullis", name)
		}
		if !slices.Contains(listed, name) {
			t.Errorf("findings/README.md has no row for %s", name)
		}
	}
	for _, name := range listed {
		if !exists("findings/" + name) {
			t.Errorf("findings/README.md has a row for %s, which does not exist", name)
		}
	}
}

// missing returns what a script of a finding must have and has not.
func missing(script string) (lacking []string) {
	for _, want := range []string{"#!/usr/bin/env bash\n", "\n# Package: ", "\n# Expected: ", "\n# True: ", "\n# Matters: ", "\nset -euo pipefail\n", "mktemp -d", "expected:", "found:", "exit"} {
		if !strings.Contains(strings.ReplaceAll(script, "os.Exit", "exit"), want) {
			lacking = append(lacking, want)
		}
	}
	return lacking
}

var row = regexp.MustCompile(`(?m)^\| \[[^\]]+\]\(([^)]+\.sh)\) \|`)

func rows(t *testing.T) (names []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "findings", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		names = append(names, match[1])
	}
	return names
}

func TestFormlessFindingsAreFound(t *testing.T) {
	if got := missing("#!/usr/bin/env bash\necho\n"); len(got) != 9 {
		t.Errorf("lacking: %q; want 9", got)
	}
}
