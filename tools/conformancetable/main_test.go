package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
)

func TestTable(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(conformance.RecordVariable, dir)
	record := func(subject string, results ...conformance.Result) {
		t.Helper()
		conformance.Report{Results: results}.Record(t, subject)
	}
	get := conformance.Result{Interface: "Cache", Check: "get", Rule: "Get | gives.", Status: conformance.Passed}
	hang := conformance.Result{Interface: "Cache", Check: "hang", Rule: "Done contexts end calls.", Status: conformance.Skipped, Detail: "no backend"}
	add := conformance.Result{Interface: "ReplayStore", Check: "add", Rule: "Add adds.", Status: conformance.Passed}
	record("two", get, hang)
	record("two", add)
	record("one", get, conformance.Result{Interface: "NewSeam", Check: "new", Rule: "It is new.", Status: conformance.Passed})

	file := filepath.Join(dir, "results.md")
	if err := run(dir, file, true); err == nil {
		t.Error("-check without a page: no error")
	}
	if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, file, true); err == nil {
		t.Error("-check of an old page: no error")
	}
	if err := run(dir, file, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, file, true); err != nil {
		t.Errorf("-check after writing: %v", err)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Conformance results\n", "\n| implementation | Cache | ReplayStore | NewSeam |\n", "\n| one | 1 |  | 1 |", "\n| two | 1 (1 n/a) | 1 |  |", `| get | Get \| gives. |`, "| hang | Done contexts end calls. |", "1. no backend", "### ReplayStore"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}

	record("one", conformance.Result{Interface: "Cache", Check: "get", Rule: "Get gives.", Status: conformance.Failed})
	if err := run(dir, file, false); err == nil {
		t.Error("a failed check: no error")
	}
	if err := run(t.TempDir(), file, false); err == nil {
		t.Error("a folder without reports: no error")
	}
}
