package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Version of the suites. It grows when an implementation that passed may fail:
// a new rule, or a stricter check.
const Version = 2

// Status is the outcome of a check.
type Status string

// The outcomes.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is the outcome of one check.
type Result struct {
	// Interface, Check, Rule and Group are those of the [Check], Status its
	// outcome.
	Interface string `json:"interface"`
	Check     string `json:"check"`
	Rule      string `json:"rule"`
	Group     string `json:"group,omitempty"`
	Status    Status `json:"status"`
	// Detail says what was got and wanted, or why the check was skipped.
	Detail string `json:"detail,omitempty"`
}

func newResult[H any](c Check[H], err error) Result {
	r := Result{Interface: c.Interface, Check: c.Name, Rule: c.Rule, Group: c.Group, Status: Passed}
	var skipped *SkipError
	switch {
	case errors.As(err, &skipped):
		r.Status, r.Detail = Skipped, skipped.Reason
	case err != nil:
		r.Status, r.Detail = Failed, err.Error()
	}
	return r
}

// ProfileResult says whether an implementation fits a [Profile].
type ProfileResult struct {
	// Name of the profile.
	Name string `json:"name"`
	// Fit: all checks of the profile passed.
	Fit bool `json:"fit"`
	// Missing are the checks that failed or were skipped.
	Missing []string `json:"missing,omitempty"`
}

// Report is what a run found, in the order of the checks.
type Report struct {
	// Suite is the [Version] of the suites that ran, Date the day, such as
	// "2026-11-29", in UTC.
	Suite int    `json:"suite"`
	Date  string `json:"date"`
	// Implementation is what was tested, as the harness says.
	Implementation string   `json:"implementation,omitempty"`
	Results        []Result `json:"results"`
	// Profiles that the harness asked for.
	Profiles []ProfileResult `json:"profiles,omitempty"`
	// Problems are what is wrong with the run as a whole: a profile that does not
	// fit, a name in ExpectedSkips that is none.
	Problems []string `json:"problems,omitempty"`
}

func newReport(implementation string) Report {
	return Report{Suite: Version, Date: time.Now().UTC().Format(time.DateOnly), Implementation: implementation, Results: []Result{}}
}

// Count returns how many checks ended with a status.
func (r Report) Count(s Status) int { return len(r.With(s)) }

// With returns the results with a status.
func (r Report) With(s Status) []Result {
	var found []Result
	for _, one := range r.Results {
		if one.Status == s {
			found = append(found, one)
		}
	}
	return found
}

// Err returns an error that names the checks that failed and the problems of
// the run, or nil.
func (r Report) Err() error {
	failed := r.With(Failed)
	if len(failed)+len(r.Problems) == 0 {
		return nil
	}
	names := slices.Clone(r.Problems)
	for _, f := range failed {
		names = append(names, f.Interface+"/"+f.Check)
	}
	return fmt.Errorf("conformance: %d of %d checks failed: %s", len(failed), len(r.Results), strings.Join(names, ", "))
}

// String is one line of totals, such as
//
//	example.org/mycache v1.2.0: Cache, Clearer: 120 passed, 0 failed, 4 skipped (suite 2, 2026-11-29)
func (r Report) String() string {
	interfaces := make(map[string]bool)
	for _, one := range r.Results {
		interfaces[one.Interface] = true
	}
	var b strings.Builder
	if r.Implementation != "" {
		b.WriteString(r.Implementation + ": ")
	}
	fmt.Fprintf(&b, "%s: %d passed, %d failed, %d skipped", strings.Join(slices.Sorted(maps.Keys(interfaces)), ", "), r.Count(Passed), r.Count(Failed), r.Count(Skipped))
	for _, p := range r.Profiles {
		if p.Fit {
			b.WriteString(", " + p.Name)
		}
	}
	fmt.Fprintf(&b, " (suite %d, %s)", r.Suite, r.Date)
	return b.String()
}

// WriteJSON writes the report as indented JSON.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteMarkdown writes the report as a table of one line per check, below a
// line of totals.
func (r Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", cell(r.String()))
	b.WriteString("| check | outcome | rule | detail |\n|---|---|---|---|\n")
	for _, one := range r.Results {
		fmt.Fprintf(&b, "| %s/%s | %s | %s | %s |\n", one.Interface, one.Check, one.Status, cell(one.Rule), cell(one.Detail))
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(&b, "\n%s\n", cell(problem))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes a text fit for a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "\r", " ", "\n", " ").Replace(text)
}

// tell prints the line of totals. The test's own log is seen with -v and after a
// failure only, so without -v the line goes to the standard output.
func (r Report) tell(t *testing.T) {
	t.Helper()
	if testing.Verbose() {
		t.Log(r)
		return
	}
	fmt.Println("conformance: " + r.String())
}

// reportsVariable names a folder. Each run of a suite in a test writes its
// report there, as a JSON file.
const reportsVariable = "PORTCULLIS_REPORTS"

func (r Report) record(t *testing.T) {
	t.Helper()
	dir := os.Getenv(reportsVariable)
	if dir == "" || r.Implementation == "" {
		return
	}
	file, err := os.CreateTemp(dir, "report-*.json")
	if err == nil {
		err = errors.Join(r.WriteJSON(file), file.Close())
	}
	if err != nil {
		t.Errorf("conformance: report: %v", err)
	}
}
