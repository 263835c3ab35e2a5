// Conformancetable writes what the modules' conformance tests recorded into the
// pages of this repository, or checks that the pages have it: every rule by
// every implementation into docs/conformance-results.md, and a summary of the
// shipped caches into the README.
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
	var o options
	flag.BoolVar(&o.check, "check", false, "fail when a page is out of date, instead of writing it")
	flag.StringVar(&o.readme, "readme", "README.md", "the page that holds the summary")
	flag.StringVar(&o.page, "page", "docs/conformance-results.md", "the page that holds the rules")
	flag.BoolVar(&o.strangers, "strangers", false, "the reports are on adapters for other backends, which may fail")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: conformancetable [-check] [-strangers] FOLDER")
	}
	if err := run(flag.Arg(0), o); err != nil {
		log.Fatal("conformancetable: ", err)
	}
}

type options struct {
	check, strangers bool
	readme, page     string
}

func run(dir string, o options) error {
	reports, err := read(dir)
	if err != nil {
		return err
	}
	if o.strangers {
		return o.put(o.page, "strangers", strangers(reports))
	}
	for _, r := range reports {
		if err := r.Err(); err != nil {
			return fmt.Errorf("%s: %w", r.Implementation, err)
		}
	}
	rules, err := table(reports)
	if err != nil {
		return err
	}
	return errors.Join(o.put(o.page, "conformance table", rules), o.put(o.readme, "conformance table", short(reports)))
}

// put writes a text between its marks in a page, or compares it with what is
// there.
func (o options) put(name, mark string, text []byte) error {
	page, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- "+mark+": begin -->\n"), []byte("<!-- "+mark+": end -->\n")
	before, rest, ok := bytes.Cut(page, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s: the marks of the table are missing", name)
	}
	current := slices.Concat(before, begin, text, end, after)
	switch {
	case bytes.Equal(page, current):
		return nil
	case o.check:
		return errors.New("the table in " + name + " is not what this run reported: make conformance-table")
	default:
		return os.WriteFile(name, current, 0o644)
	}
}

// read returns the reports of a folder, one per implementation, sorted.
func read(dir string) ([]conformance.Report, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no reports in %s", dir)
	}
	byName := make(map[string][]conformance.Report)
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r conformance.Report
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		byName[r.Implementation] = append(byName[r.Implementation], r)
	}
	var merged []conformance.Report
	for name, reports := range byName {
		merged = append(merged, merge(name, reports...))
	}
	slices.SortFunc(merged, func(a, b conformance.Report) int { return strings.Compare(a.Implementation, b.Implementation) })
	return merged, nil
}

// known are the interfaces in the order of the tables. Others follow them.
var known = []string{"Cache", "Clearer", "ReplayStore", "DomainResolver", "StaticDomains", "IssuerResolver", "KeyFetcher", "Clock", "Doer"}

// interfaces returns those for which a column has something to say.
func interfaces(reports []conformance.Report) []string {
	found := make(map[string]bool)
	for _, r := range reports {
		for _, one := range r.Results {
			found[one.Interface] = true
		}
	}
	columns := slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !found[name] })
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(known, name) {
			columns = append(columns, name)
		}
	}
	return columns
}

// table is a summary of all implementations, and the rules of each interface.
func table(reports []conformance.Report) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Suite %d. Each cell says how many rules passed, and how many the backend has no use for.\n\n", conformance.Version)
	counts(&b, interfaces(reports), reports)
	b.WriteString("\n")
	err := writeTable(&b, reports...)
	return b.Bytes(), err
}

// short is what the README has: how many rules the shipped stores keep.
func short(reports []conformance.Report) []byte {
	var stores []string
	for _, r := range reports {
		if name, ok := strings.CutPrefix(r.Implementation, "cacheadapter/"); ok {
			stores = append(stores, fmt.Sprintf("%s %d", name, r.Count(conformance.Passed)))
		}
	}
	return fmt.Appendf(nil, "Rules that `make test` saw kept on real servers: %s. [All rules of all implementations](docs/conformance-results.md)\n", strings.Join(stores, ", "))
}

// strangers lists the rules that an adapter does not keep below the counts.
func strangers(reports []conformance.Report) []byte {
	var b bytes.Buffer
	counts(&b, known[:3], reports)
	for _, r := range reports {
		for i, one := range r.With(conformance.Failed) {
			if i == 0 {
				fmt.Fprintf(&b, "\n%s does not keep:\n\n", r.Implementation)
			}
			fmt.Fprintf(&b, "- `%s/%s`: %s\n", one.Interface, one.Check, cell(one.Rule))
		}
	}
	return b.Bytes()
}

// counts writes a line for each implementation.
func counts(b *bytes.Buffer, interfaces []string, reports []conformance.Report) {
	b.WriteString("| implementation |")
	for _, name := range interfaces {
		b.WriteString(" " + name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(interfaces)) + "\n")
	for _, r := range reports {
		fmt.Fprintf(b, "| %s |", cell(r.Implementation))
		for _, name := range interfaces {
			b.WriteString(" " + summary(r, name) + " |")
		}
		b.WriteString("\n")
	}
}

func summary(r conformance.Report, name string) string {
	counts := make(map[conformance.Status]int)
	for _, one := range r.Results {
		if one.Interface == name {
			counts[one.Status]++
		}
	}
	var notes []string
	if n := counts[conformance.Failed]; n > 0 {
		notes = append(notes, fmt.Sprintf("**%d failed**", n))
	}
	if n := counts[conformance.Skipped]; n > 0 {
		notes = append(notes, fmt.Sprintf("%d n/a", n))
	}
	switch {
	case len(counts) == 0:
		return ""
	case len(notes) == 0:
		return fmt.Sprint(counts[conformance.Passed])
	default:
		return fmt.Sprintf("%d (%s)", counts[conformance.Passed], strings.Join(notes, ", "))
	}
}
