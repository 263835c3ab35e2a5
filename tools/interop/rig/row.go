package rig

import (
	"fmt"
	"io"
	"sync"
	"testing"
)

var rows struct {
	sync.Mutex
	lines  []string
	failed int
}

// Row is one check, a line of the table that [Report] prints.
func Row(t *testing.T, name string, check func(t *testing.T)) {
	t.Helper()
	passed := t.Run(name, check)
	rows.Lock()
	defer rows.Unlock()
	verdict := "pass"
	if !passed {
		verdict = "FAIL"
		rows.failed++
	}
	rows.lines = append(rows.lines, verdict+"  "+t.Name()+"  "+name)
}

// Report prints the rows that ran.
func Report(w io.Writer) {
	rows.Lock()
	defer rows.Unlock()
	for _, line := range rows.lines {
		_, _ = fmt.Fprintln(w, line)
	}
	_, _ = fmt.Fprintf(w, "%d rows, %d failures\n", len(rows.lines), rows.failed)
}
