// Conformancetable writes docs/conformance-results.md, the table of shipped
// implementations and rules, from the reports that the modules' conformance
// tests recorded, or checks that the page is what they say.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/conformance"
)

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "fail when the page is out of date, instead of writing it")
	page := flag.String("page", "docs/conformance-results.md", "the page")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: conformancetable [-check] FOLDER")
	}
	if err := run(flag.Arg(0), *page, *check); err != nil {
		log.Fatal("conformancetable: ", err)
	}
}

func run(dir, page string, check bool) error {
	reports, err := read(dir)
	if err != nil {
		return err
	}
	for _, r := range reports {
		if err := r.Err(); err != nil {
			return fmt.Errorf("%s: %w", r.Subject, err)
		}
	}
	want, err := document(reports)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(page, want, 0o644)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New(page + " is not what this run reported: make conformance-table")
	}
	return nil
}

// read returns the reports of a folder, one per subject, sorted.
func read(dir string) ([]conformance.Report, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no reports in %s", dir)
	}
	bySubject := make(map[string][]conformance.Report)
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r conformance.Report
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		bySubject[r.Subject] = append(bySubject[r.Subject], r)
	}
	var merged []conformance.Report
	for subject, reports := range bySubject {
		merged = append(merged, conformance.Merge(subject, reports...))
	}
	slices.SortFunc(merged, func(a, b conformance.Report) int { return strings.Compare(a.Subject, b.Subject) })
	return merged, nil
}

const preface = `# Conformance results

<!-- Written by "make conformance-table". Do not edit: change tools/conformancetable. -->

What the [conformance suite](conformance.md) found in the last run of ` + "`make test`" + `, on real servers where there is one. The first
table counts the rules that an implementation passed; "n/a" counts the rules that do not apply to it. The tables below it have every rule.
` + "`make test`" + ` fails when this page is out of date.

`

// known are the interfaces in the order of the table. Others follow them.
var known = []string{"Cache", "Clearer", "ReplayStore", "DomainResolver", "KeyFetcher", "Clock", "Doer"}

// interfaces returns those for which a column has something to say.
func interfaces(reports []conformance.Report) []string {
	reported := make(map[string]bool)
	for _, r := range reports {
		for _, one := range r.Results {
			reported[one.Interface] = true
		}
	}
	columns := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !reported[name] })
	for _, name := range slices.Sorted(maps.Keys(reported)) {
		// The rules of StaticDomains are counted nowhere but in its own table.
		if !slices.Contains(known, name) && name != "StaticDomains" {
			columns = append(columns, name)
		}
	}
	return columns
}

// document is the page: a summary, and a table of the rules for each interface.
func document(reports []conformance.Report) ([]byte, error) {
	columns := interfaces(reports)
	var b bytes.Buffer
	b.WriteString(preface)
	b.WriteString("| implementation |")
	for _, name := range columns {
		b.WriteString(" " + name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, r := range reports {
		fmt.Fprintf(&b, "| %s |", r.Subject)
		for _, name := range columns {
			b.WriteString(" " + summary(r, name) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Every rule\n\n")
	if err := conformance.WriteTable(&b, reports...); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func summary(r conformance.Report, name string) string {
	passed, skipped := 0, 0
	for _, one := range r.Results {
		switch {
		case one.Interface != name:
		case one.Status == conformance.Passed:
			passed++
		case one.Status == conformance.Skipped:
			skipped++
		}
	}
	switch {
	case passed+skipped == 0:
		return ""
	case skipped == 0:
		return fmt.Sprint(passed)
	default:
		return fmt.Sprintf("%d (%d n/a)", passed, skipped)
	}
}
