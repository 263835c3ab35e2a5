package conformance

import (
	"context"
	"errors"
	"fmt"
)

// Check is one rule of a contract with the code that proves it. H is the
// harness it runs on, such as [CacheHarness].
type Check[H any] struct {
	// Interface of package verifier, such as "Cache".
	Interface string
	// Name is short, stable and fit for a subtest.
	Name string
	// Rule is the sentence of the contract, word by word.
	Rule string
	// Group is "shared", "break", "hang" or "capacity" when the check needs that
	// of the harness, and "" otherwise.
	Group string
	// Basis are the checks that this one builds on, such as
	// "Cache/get-finds-what-was-set". When one of them fails, a run skips this
	// check.
	Basis []string

	waits bool // for ttls to pass; such checks run side by side on real time
	plan  func(H) plan
	run   func(env *Env, h H) error
}

// Run runs the check once, in a fresh environment that ends with it. It
// returns nil, a [*SkipError], or what was found: an error with what was got and
// what is wanted. A check that panics or does not return in time is an error
// too. What a busy machine may be the reason of is looked at again before it is
// returned. Run is safe for concurrent use if the functions of the harness are.
func (c Check[H]) Run(ctx context.Context, h H) error {
	var err error
	for _, scale := range []int{1, 4, 16} {
		err = guard(ctx, c.plan(h), scale, func(env *Env) error { return c.run(env, h) })
		var doubtful *doubtError
		if !errors.As(err, &doubtful) {
			return err
		}
		err = doubtful.err
	}
	return err
}

// doubtError is a finding, or the lack of one, that a busy machine may be the
// reason of.
type doubtError struct{ err error }

func (d *doubtError) Error() string { return d.err.Error() }
func (d *doubtError) Unwrap() error { return d.err }

// doubt marks what is worth another look.
func doubt(err error) error {
	if err == nil {
		return nil
	}
	return &doubtError{err}
}

// newCheck makes a check of the code that proves it. Open makes what the code
// works with, such as the implementation with its helpers.
func newCheck[H harness, C any](iface, name, rule string, open func(*Env, H) (C, error), run func(C) error) Check[H] {
	return Check[H]{Interface: iface, Name: name, Rule: rule, plan: H.plan, run: func(env *Env, h H) error {
		c, err := open(env, h)
		if err != nil {
			return err
		}
		return run(c)
	}}
}

// opened calls a New of a harness.
func opened[T any](env *Env, open func(*Env) (T, error), what string) (T, error) {
	var none T
	if open == nil {
		return none, errors.New("the harness has no New")
	}
	made, err := open(env)
	if err != nil {
		return none, fmt.Errorf("the harness's New = %w; want %s", err, what)
	}
	return made, nil
}

// waiting marks checks that wait for ttls.
func waiting[H any](c Check[H]) Check[H] {
	c.waits = true
	return c
}

// group marks checks that need something of the harness.
func group[H any](name string, checks ...Check[H]) []Check[H] {
	for i := range checks {
		checks[i].Group = name
	}
	return checks
}

// basis says what checks build on, as "Interface/name". The basic checks are
// among them and come first; each builds on those before it.
func basis[H any](ids []string, checks []Check[H]) []Check[H] {
	for i, c := range checks {
		for _, id := range ids {
			if id == c.id() {
				break
			}
			checks[i].Basis = append(checks[i].Basis, id)
		}
	}
	return checks
}

// SkipError is the outcome of a check that the backend's limits, or what the
// harness cannot do, keep from running.
type SkipError struct {
	// Reason for people who read the report.
	Reason string
}

func (s *SkipError) Error() string { return "skipped: " + s.Reason }

// errTooSlow is when this machine was too slow for a short ttl. It is worth
// another look with a longer one.
func errTooSlow() error {
	return doubt(skip("this machine was too slow to look within a ttl, in each of three runs"))
}

func skip(format string, args ...any) error { return &SkipError{fmt.Sprintf(format, args...)} }
