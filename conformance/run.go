package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// suite is the checks of one run. On real time, those that wait for ttls run
// side by side, after all others.
type suite[H harness] struct {
	harness H
	checks  []Check[H]
}

// run runs all checks without a test.
func (s suite[H]) run(ctx context.Context) Report {
	results := make(map[string]Result)
	s.each(ctx, func(c Check[H], outcome func() error) { results[c.id()] = newResult(c, s.judge(c, outcome(), results)) })
	return s.report(results)
}

// test runs each check as a subtest. The report lacks those that the flag -run
// left out.
func (s suite[H]) test(t *testing.T) Report {
	t.Helper()
	results := make(map[string]Result)
	s.each(t.Context(), func(c Check[H], outcome func() error) {
		t.Run(s.name(c), func(t *testing.T) {
			err := s.judge(c, outcome(), results)
			results[c.id()] = newResult(c, err)
			var skipped *SkipError
			switch {
			case errors.As(err, &skipped):
				t.Skip(skipped.Reason)
			case err != nil:
				t.Errorf("%v\nrule of verifier.%s: %s", err, c.Interface, c.Rule)
			}
		})
	})
	report := s.report(results)
	for _, problem := range report.Problems {
		t.Error("conformance: " + problem)
	}
	report.tell(t)
	report.record(t)
	return report
}

// judge turns a skip that the harness does not expect into a failure.
func (s suite[H]) judge(c Check[H], err error, results map[string]Result) error {
	expected := s.harness.plan().ExpectedSkips
	var skipped *SkipError
	if expected == nil || !errors.As(err, &skipped) || s.unfounded(c, results) != "" {
		return err
	}
	if _, ok := expected[c.Name]; ok {
		return err
	}
	return fmt.Errorf("skipped: %s; want it to run, or to be named in ExpectedSkips", skipped.Reason)
}

// unfounded names a check that failed and that this one builds on, or is "".
func (s suite[H]) unfounded(c Check[H], results map[string]Result) string {
	for _, id := range c.Basis {
		if results[id].Status == Failed {
			return id
		}
	}
	return ""
}

// report puts the results in the order of the checks.
func (s suite[H]) report(results map[string]Result) Report {
	p := s.harness.plan()
	report := newReport(p.Implementation)
	names := make(map[string]bool)
	for _, c := range s.checks {
		names[c.Name] = true
		if r, ok := results[c.id()]; ok {
			report.Results = append(report.Results, r)
		}
	}
	for name := range p.ExpectedSkips {
		if !names[name] {
			report.Problems = append(report.Problems, fmt.Sprintf("ExpectedSkips names %q, which is no check", name))
		}
	}
	slices.Sort(report.Problems)
	for _, profile := range p.Profiles {
		missing := profile.missing(report.Results, p.InProcess)
		if p.InProcess {
			profile.Name += " in one process"
		}
		report.Profiles = append(report.Profiles, ProfileResult{Name: profile.Name, Fit: len(missing) == 0, Missing: missing})
		if len(missing) > 0 {
			report.Problems = append(report.Problems, fmt.Sprintf("not %s: %s", profile.Name, strings.Join(missing, ", ")))
		}
	}
	return report
}

// each hands out the checks one by one. The first outcome that is asked for of
// those that run side by side starts them all; none outlives each. A check
// whose basis failed is not run.
func (s suite[H]) each(ctx context.Context, visit func(c Check[H], outcome func() error)) {
	beside := s.harness.plan().beside
	failed := make(map[string]bool)
	run := func(c Check[H]) error {
		for _, id := range c.Basis {
			if failed[id] {
				return skip("%s failed, and this rule builds on it", id)
			}
		}
		return c.Run(ctx, s.harness)
	}
	var waiting []Check[H]
	for _, c := range s.checks {
		if c.waits && beside {
			waiting = append(waiting, c)
			continue
		}
		visit(c, func() error {
			err := run(c)
			var skipped *SkipError
			failed[c.id()] = err != nil && !errors.As(err, &skipped)
			return err
		})
	}
	outcomes := make([]<-chan error, len(waiting))
	start := func() {
		for i, c := range waiting {
			if outcomes[i] == nil {
				outcomes[i] = spawn(func() error { return run(c) })
			}
		}
	}
	collected := make([]bool, len(waiting))
	for i, c := range waiting {
		visit(c, func() error {
			start()
			collected[i] = true
			return <-outcomes[i]
		})
	}
	for i, outcome := range outcomes {
		if outcome != nil && !collected[i] {
			<-outcome
		}
	}
}

func (c Check[H]) id() string { return c.Interface + "/" + c.Name }

// name of a subtest: checks of an optional interface are below its name.
func (s suite[H]) name(c Check[H]) string {
	if c.Interface != s.checks[0].Interface {
		return c.id()
	}
	return c.Name
}
