package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

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
	// Interface, Check and Rule are those of the [Check], Status its outcome.
	Interface string `json:"interface"`
	Check     string `json:"check"`
	Rule      string `json:"rule"`
	Status    Status `json:"status"`
	// Detail says what was got and wanted, or why the check was skipped.
	Detail string `json:"detail,omitempty"`
}

func result[H any](c Check[H], err error) Result {
	r := Result{Interface: c.Interface, Check: c.Name, Rule: c.Rule, Status: Passed}
	var skipped *SkipError
	switch {
	case errors.As(err, &skipped):
		r.Status, r.Detail = Skipped, skipped.Reason
	case err != nil:
		r.Status, r.Detail = Failed, err.Error()
	}
	return r
}

// Report is what a run found, in the order of the checks. It can be written as
// Markdown or JSON; neither holds times, so that equal runs read equal.
type Report struct {
	// Subject is what was tested, such as the name of a package. Runs leave it
	// empty.
	Subject string   `json:"subject,omitempty"`
	Results []Result `json:"results"`
}

// Merge puts reports on one subject, such as those of its Cache and its
// ReplayStore, into one. A check that is in several counts once, as the first
// says, unless a later one failed.
func Merge(subject string, reports ...Report) Report {
	merged := Report{Subject: subject, Results: []Result{}}
	at := make(map[[2]string]int)
	for _, report := range reports {
		for _, r := range report.Results {
			id := [2]string{r.Interface, r.Check}
			i, ok := at[id]
			switch {
			case !ok:
				at[id] = len(merged.Results)
				merged.Results = append(merged.Results, r)
			case r.Status == Failed, r.Status == Passed && merged.Results[i].Status == Skipped:
				merged.Results[i] = r
			}
		}
	}
	return merged
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

// Err returns an error that names the checks that failed, or nil.
func (r Report) Err() error {
	failed := r.With(Failed)
	if len(failed) == 0 {
		return nil
	}
	names := make([]string, len(failed))
	for i, f := range failed {
		names[i] = f.Interface + "/" + f.Check
	}
	return fmt.Errorf("conformance: %d of %d checks failed: %s", len(failed), len(r.Results), strings.Join(names, ", "))
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
	if r.Subject != "" {
		fmt.Fprintf(&b, "**%s**: ", cell(r.Subject))
	}
	fmt.Fprintf(&b, "%d passed, %d failed, %d skipped\n\n", r.Count(Passed), r.Count(Failed), r.Count(Skipped))
	b.WriteString("| check | outcome | rule | detail |\n|---|---|---|---|\n")
	for _, one := range r.Results {
		fmt.Fprintf(&b, "| %s/%s | %s | %s | %s |\n", one.Interface, one.Check, one.Status, cell(one.Rule), cell(one.Detail))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes a text fit for a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "\r", " ", "\n", " ").Replace(text)
}
