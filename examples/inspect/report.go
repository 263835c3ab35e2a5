package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// report prints an inspection.
type report struct {
	out   io.Writer
	s     *settings
	watch *witness
	token string // never printed; see statements
}

// write prints what the Verifier decided and returns the exit status.
func (r report) write(t *verifier.Token, err error) int {
	var e *verifier.Error
	if err != nil && !errors.As(err, &e) {
		fmt.Fprintln(r.out, "The Verifier did not say why.") // it always does
		return exitUndecided
	}
	all := steps(r.s.proof != "")
	failed := len(all)
	if e != nil {
		failed = slices.IndexFunc(all, func(s step) bool { return slices.Contains(s.reasons, e.Reason) })
	}
	r.writeSteps(all, failed, e)
	r.writeRequests()
	r.writeStatements(all, failed)
	if e == nil {
		r.writeGood(t)
		return exitGood
	}
	return r.writeVerdict(e)
}

func (r report) writeSteps(all []step, failed int, e *verifier.Error) {
	if failed < 0 {
		return // a Reason that no step has: the verdict says it
	}
	_, discovery, keys := r.watch.seen()
	table := tabwriter.NewWriter(r.out, 0, 4, 2, ' ', 0)
	for i, s := range all {
		outcome, detail := "ok", ""
		switch {
		case i == failed && undecided(e):
			outcome, detail = "UNDECIDED", string(e.Reason)
		case i == failed:
			outcome, detail = "REFUSED", string(e.Reason)
		}
		if i > failed {
			break
		}
		if s.name == stepDiscovery {
			detail = join(detail, discovery)
		}
		if s.name == stepKeys {
			detail = join(detail, keys)
		}
		if s.name == "replay" && outcome == "ok" {
			detail = "among the proofs of this run only"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.name, outcome, detail)
	}
	_ = table.Flush()
	if left := len(all) - failed - 1; left > 0 {
		fmt.Fprintf(r.out, "not reached: %d steps\n", left)
	}
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func (r report) writeRequests() {
	requests, _, _ := r.watch.seen()
	if len(requests) == 0 {
		fmt.Fprint(r.out, "\nNothing was fetched.\n")
		return
	}
	fmt.Fprint(r.out, "\nRequests:\n")
	for _, line := range requests {
		fmt.Fprintf(r.out, "  %s\n", line)
	}
}

// writeStatements prints what the token says once its syntax has passed.
func (r report) writeStatements(all []step, failed int) {
	syntax := slices.IndexFunc(all, func(s step) bool { return s.name == "token syntax" })
	if failed <= syntax {
		return
	}
	fmt.Fprint(r.out, "\nThe token says, whether or not it is true:\n")
	table := tabwriter.NewWriter(r.out, 0, 4, 2, ' ', 0)
	for _, line := range statements(r.token) {
		text := "  " + line.name + " = " + line.value
		if c := r.s.configured(line.name); c != "" {
			text += "\tconfigured: " + c
		}
		fmt.Fprintln(table, text)
	}
	_ = table.Flush()
}

func (r report) writeGood(t *verifier.Token) {
	fmt.Fprintf(r.out, "\nThe token is good, as %s. Scopes: %.500q\n", t.Scheme, strings.Join(t.Scopes(), " "))
}

func (r report) writeVerdict(e *verifier.Error) int {
	word, code := "refused", exitRefused
	switch {
	case e.Reason == reason.Argument:
		fmt.Fprint(r.out, "\n-url is not an absolute http or https URL.\n")
		return exitUsage
	case undecided(e):
		word, code = "not judged", exitUndecided
	}
	claim := ""
	if e.Claim != "" {
		claim = " (" + e.Claim + ")"
	}
	fmt.Fprintf(r.out, "\nThe token is %s: %s%s [%s]. An API answers with status %d.\n", word, e.Description, claim, e.Reason, e.Status)
	for _, info := range reason.Catalogue() {
		if info.Reason == e.Reason {
			fmt.Fprintln(r.out, info.Advice)
		}
	}
	for _, line := range r.advice(e) {
		fmt.Fprintln(r.out, line)
	}
	return code
}

// undecided reports whether the Verifier could not tell whether the token is
// good.
func undecided(e *verifier.Error) bool { return e.Status >= http.StatusInternalServerError }
