// Conformancetable writes the README's table of shipped implementations and
// rules from the reports that the modules' conformance tests recorded, or
// checks that the README has it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/conformance"
)

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "fail when the README is out of date, instead of writing it")
	readme := flag.String("readme", "README.md", "the file that holds the table")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: conformancetable [-check] FOLDER")
	}
	if err := run(flag.Arg(0), *readme, *check); err != nil {
		log.Fatal("conformancetable: ", err)
	}
}

func run(dir, readme string, check bool) error {
	reports, err := read(dir)
	if err != nil {
		return err
	}
	for _, r := range reports {
		if err := r.Err(); err != nil {
			return fmt.Errorf("%s: %w", r.Subject, err)
		}
	}
	page, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	rules, err := table(reports)
	if err != nil {
		return err
	}
	current, err := insert(page, rules)
	if err != nil {
		return err
	}
	switch {
	case bytes.Equal(page, current):
		return nil
	case check:
		return errors.New("the table in " + readme + " is not what this run reported: make conformance-table")
	default:
		return os.WriteFile(readme, current, 0o644)
	}
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

const begin, end = "<!-- conformance table: begin -->\n", "<!-- conformance table: end -->\n"

// insert puts the table between its marks.
func insert(page, table []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, errors.New("the marks of the table are missing")
	}
	return slices.Concat(before, []byte(begin), table, []byte(end), after), nil
}

// interfaces in the order of the table.
var interfaces = []string{"Cache", "Clearer", "ReplayStore", "DomainResolver", "KeyFetcher", "Clock", "Doer"}

// table is a summary, with the rules of each interface folded below it.
func table(reports []conformance.Report) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("What `make test` found on its last run, on real servers where there is one (rules passed, and those a backend has no use for):\n\n")
	b.WriteString("| implementation |")
	for _, name := range interfaces {
		b.WriteString(" " + name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(interfaces)) + "\n")
	for _, r := range reports {
		fmt.Fprintf(&b, "| %s |", r.Subject)
		for _, name := range interfaces {
			b.WriteString(" " + summary(r, name) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n<details><summary>Every rule, and what each implementation does with it</summary>\n\n")
	if err := conformance.WriteTable(&b, reports...); err != nil {
		return nil, err
	}
	b.WriteString("\n</details>\n")
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
