package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTable writes reports as Markdown: for each interface a table of its
// rules, with a column for each report that has results of it. The reports are
// named by their Subject. Reasons for skipping are numbered below.
func WriteTable(w io.Writer, reports ...Report) error {
	var b strings.Builder
	for i, name := range interfaces(reports) {
		if i > 0 {
			b.WriteString("\n")
		}
		writeInterface(&b, name, reports)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// interfaces of the results, in the order of their coming.
func interfaces(reports []Report) []string {
	var names []string
	for _, report := range reports {
		for _, r := range report.Results {
			if !slices.Contains(names, r.Interface) {
				names = append(names, r.Interface)
			}
		}
	}
	return names
}

func writeInterface(b *strings.Builder, name string, reports []Report) {
	type row struct{ check, rule string }
	var rows []row
	var columns []Report
	cells := make(map[string]Result) // by subject and check
	for _, report := range reports {
		used := false
		for _, r := range report.Results {
			if r.Interface != name {
				continue
			}
			used = true
			cells[report.Subject+"\x00"+r.Check] = r
			if one := (row{r.Check, r.Rule}); !slices.Contains(rows, one) {
				rows = append(rows, one)
			}
		}
		if used {
			columns = append(columns, report)
		}
	}
	fmt.Fprintf(b, "### %s\n\n| check | rule |", name)
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", cell(c.Subject))
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	var reasons []string
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s |", r.check, cell(r.rule))
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", mark(cells[c.Subject+"\x00"+r.check], &reasons))
		}
		b.WriteString("\n")
	}
	for i, reason := range reasons {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "%d. %s\n", i+1, cell(reason))
	}
}

// mark is what a cell says; a new reason for skipping gets a number.
func mark(r Result, reasons *[]string) string {
	switch r.Status {
	case Passed:
		return "yes"
	case Failed:
		return "**no**"
	case Skipped:
		i := slices.Index(*reasons, r.Detail)
		if i < 0 {
			i = len(*reasons)
			*reasons = append(*reasons, r.Detail)
		}
		return fmt.Sprintf("(%d)", i+1)
	default:
		return ""
	}
}
