package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/conformance"
)

// record writes a report as a run with a name does.
func record(t *testing.T, dir, name string, results ...conformance.Result) {
	t.Helper()
	file, err := os.CreateTemp(dir, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := (conformance.Report{Implementation: name, Results: results}).WriteJSON(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantIn(t *testing.T, path string, wants ...string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range wants {
		if !strings.Contains(string(page), want) {
			t.Errorf("%s lacks %q:\n%s", filepath.Base(path), want, page)
		}
	}
}

const (
	marks    = "before\n<!-- conformance table: begin -->\nold\n<!-- conformance table: end -->\nafter\n"
	foreigns = "<!-- strangers: begin -->\n<!-- strangers: end -->\n"
)

var (
	get  = conformance.Result{Interface: "Cache", Check: "get", Rule: "Get | gives.", Status: conformance.Passed}
	hang = conformance.Result{Interface: "Cache", Check: "hang", Rule: "Done contexts end calls.", Status: conformance.Skipped, Detail: "no backend"}
	add  = conformance.Result{Interface: "ReplayStore", Check: "add", Rule: "Add adds.", Status: conformance.Passed}
	bad  = conformance.Result{Interface: "Cache", Check: "get", Rule: "Get gives.", Status: conformance.Failed}
)

func TestTable(t *testing.T) {
	dir, pages := t.TempDir(), t.TempDir()
	record(t, dir, "cacheadapter/two", get, hang)
	record(t, dir, "cacheadapter/two", add)
	record(t, dir, "one", get, conformance.Result{Interface: "NewSeam", Check: "new", Rule: "It is new.", Status: conformance.Passed})
	o := options{readme: filepath.Join(pages, "README.md"), page: filepath.Join(pages, "results.md")}
	write(t, o.readme, marks)
	write(t, o.page, marks+foreigns)
	check := o
	check.check = true
	if err := run(dir, check); err == nil {
		t.Error("-check of an old table: no error")
	}
	if err := run(dir, o); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, check); err != nil {
		t.Errorf("-check after writing: %v", err)
	}
	wantIn(t, o.page, "before\n", "\nafter\n", "\n| implementation | Cache | ReplayStore | NewSeam |\n", "\n| one | 1 |", "\n| cacheadapter/two | 1 (1 n/a) | 1 |", `| get | Get \| gives. |`, "| hang | Done contexts end calls. |", "1. no backend", "### ReplayStore")
	wantIn(t, o.readme, ": two 2. [All rules")

	o.strangers = true
	record(t, dir, "one", bad)
	if err := run(dir, o); err != nil {
		t.Errorf("strangers: %v", err)
	}
	wantIn(t, o.page, "\n| one | 0 (**1 failed**) |", "one does not keep:", "- `Cache/get`: Get")
	o.strangers = false
	if err := run(dir, o); err == nil {
		t.Error("a failed check of ours: no error")
	}
}

func TestTableMistakes(t *testing.T) {
	dir, pages := t.TempDir(), t.TempDir()
	o := options{readme: filepath.Join(pages, "README.md"), page: filepath.Join(pages, "results.md")}
	write(t, o.readme, "no marks")
	write(t, o.page, marks)
	if err := run(dir, o); err == nil {
		t.Error("a folder without reports: no error")
	}
	record(t, dir, "one", get)
	if err := run(dir, o); err == nil {
		t.Error("a page without marks: no error")
	}
}

func TestMerge(t *testing.T) {
	skipped := get
	skipped.Status = conformance.Skipped
	merged := merge("both", conformance.Report{Results: []conformance.Result{skipped, hang}}, conformance.Report{Results: []conformance.Result{get, add}}, conformance.Report{Results: []conformance.Result{skipped}})
	for status, want := range map[conformance.Status]int{conformance.Passed: 2, conformance.Skipped: 1, conformance.Failed: 0} {
		if got := merged.Count(status); got != want {
			t.Errorf("%d are %s; want %d", got, status, want)
		}
	}
}
