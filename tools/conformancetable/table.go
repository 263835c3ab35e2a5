package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/conformance"
)

// writeTable writes reports as Markdown: for each interface a table of its
// rules, with a column for each report that has results of it. The reports are
// named by their Implementation. Reasons for skipping are numbered below.
func writeTable(w io.Writer, reports ...conformance.Report) error {
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

func writeInterface(b *strings.Builder, name string, reports []conformance.Report) {
	type row struct{ check, rule string }
	var rows []row
	var columns []conformance.Report
	cells := make(map[string]conformance.Result) // by subject and check
	for _, report := range reports {
		used := false
		for _, r := range report.Results {
			if r.Interface != name {
				continue
			}
			used = true
			cells[report.Implementation+"\x00"+r.Check] = r
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
		fmt.Fprintf(b, " %s |", cell(c.Implementation))
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	var reasons []string
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s |", r.check, cell(r.rule))
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", mark(cells[c.Implementation+"\x00"+r.check], &reasons))
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
func mark(r conformance.Result, reasons *[]string) string {
	switch r.Status {
	case conformance.Passed:
		return "yes"
	case conformance.Failed:
		return "**no**"
	case conformance.Skipped:
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

// cell makes a text fit for a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "\r", " ", "\n", " ").Replace(text)
}
