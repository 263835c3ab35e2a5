package conformance

import (
	"context"
	"errors"
	"testing"
)

// suite is the checks of one run. On real time, those that wait for ttls run
// side by side, after all others.
type suite[H any] struct {
	harness H
	checks  []Check[H]
	beside  bool
}

// run runs all checks without a test.
func (s suite[H]) run(ctx context.Context) Report {
	outcomes := make(map[string]error)
	s.each(ctx, func(c Check[H], outcome func() error) { outcomes[c.id()] = outcome() })
	report := Report{Results: []Result{}}
	for _, c := range s.checks {
		report.Results = append(report.Results, result(c, outcomes[c.id()]))
	}
	return report
}

// test runs each check as a subtest. The report lacks those that the flag -run
// left out.
func (s suite[H]) test(t *testing.T) Report {
	t.Helper()
	results := make(map[string]Result)
	s.each(t.Context(), func(c Check[H], outcome func() error) {
		t.Run(s.name(c), func(t *testing.T) {
			err := outcome()
			results[c.id()] = result(c, err)
			var skipped *SkipError
			switch {
			case errors.As(err, &skipped):
				t.Skip(skipped.Reason)
			case err != nil:
				t.Errorf("%v\nrule of verifier.%s: %s", err, c.Interface, c.Rule)
			}
		})
	})
	report := Report{Results: []Result{}}
	for _, c := range s.checks {
		if r, ok := results[c.id()]; ok {
			report.Results = append(report.Results, r)
		}
	}
	return report
}

// each hands out the checks one by one. The first outcome that is asked for of
// those that run side by side starts them all; none outlives each.
func (s suite[H]) each(ctx context.Context, visit func(c Check[H], outcome func() error)) {
	var waiting []Check[H]
	for _, c := range s.checks {
		if c.waits && s.beside {
			waiting = append(waiting, c)
			continue
		}
		visit(c, func() error { return c.Run(ctx, s.harness) })
	}
	outcomes := make([]<-chan error, len(waiting))
	start := func() {
		for i, c := range waiting {
			if outcomes[i] == nil {
				outcomes[i] = spawn(func() error { return c.Run(ctx, s.harness) })
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
