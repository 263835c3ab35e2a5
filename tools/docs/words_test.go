package docs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestReasonsExist: where the first column of a table is headed "reason", its
// code spans are reasons.
func TestReasonsExist(t *testing.T) {
	known := make(map[string]bool)
	for _, r := range reason.Catalogue() {
		known[string(r.Reason)] = true
	}
	found := 0
	for _, p := range pages(t, ".") {
		for _, word := range firstColumn(p, "reason") {
			found++
			if !known[word.text] {
				t.Error(problem{p.path, word.number, word.text + " is no reason"})
			}
		}
	}
	if found < len(known) {
		t.Errorf("%d reasons found in the pages; docs/errors.md alone has %d", found, len(known))
	}
}

// firstColumn returns the code spans in the first column of the tables whose
// first heading it is.
func firstColumn(p page, heading string) (words []line) {
	inside := false
	for _, l := range p.prose {
		cells := strings.Split(l.text, "|")
		switch {
		case len(cells) < 3:
			inside = false
		case strings.TrimSpace(cells[1]) == heading:
			inside = true
		case inside:
			for _, span := range spans.FindAllStringSubmatch(cells[1], -1) {
				words = append(words, line{l.number, span[1]})
			}
		}
	}
	return words
}

func TestFirstColumn(t *testing.T) {
	p := parse("p.md", "| reason | what |\n|---|---|\n| `a`, `b` | `c` |\n\n| other |\n|---|\n| `d` |\n")
	var got []string
	for _, word := range firstColumn(p, "reason") {
		got = append(got, word.text)
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("words %q; want %q", got, want)
	}
}
