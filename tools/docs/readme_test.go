package docs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeIsShort: tables and long texts stand in docs/.
func TestReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > 250 || len(text) > 12<<10 {
		t.Errorf("README.md has %d lines and %d bytes; want at most 250 and %d", lines, len(text), 12<<10)
	}
}

// TestFewFolders: each folder at the top is explained in CONTRIBUTING.md.
func TestFewFolders(t *testing.T) {
	const most = 14
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") || e.Name() == "bin" {
			continue
		}
		folders++
		if !bytes.Contains(guide, []byte("\n| `"+e.Name()+"/` |")) {
			t.Errorf("CONTRIBUTING.md does not say what %s is for", e.Name())
		}
	}
	if folders > most {
		t.Errorf("%d folders at the top; want at most %d", folders, most)
	}
}
