package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const folder = "../../providers"

func TestThePageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := document(folder)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, want) {
		t.Error("docs/providers.md is out of date: run make generate")
	}
}

// TestEverySetupHasItsRow: the page has each provider of the tests, with a configuration
// and nothing of the tests' own names.
func TestEverySetupHasItsRow(t *testing.T) {
	r, err := read(folder)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, section := range order {
		for _, one := range r.tables[section.name].rows {
			rows++
			if len(one.config) == 0 || one.about == "" {
				t.Errorf("%s has an empty column", one.title())
			}
			for _, word := range []string{"issuers(", "must(", "change(", "object{", "func(", ", api", "(api", "\n"} {
				if strings.Contains(one.cell(), word) {
					t.Errorf("%s: the configuration has %q of the tests in it: %s", one.title(), word, one.cell())
				}
			}
			if (one.refused != "") != strings.Contains(one.cell(), "refused: `") || strings.Contains(one.cell(), "``") {
				t.Errorf("%s: %s; want the reason where there is one", one.title(), one.cell())
			}
		}
	}
	if rows < 60 {
		t.Errorf("%d rows; want all of the tables", rows)
	}
}
