package conformance

import (
	"context"
	"fmt"
	"slices"
)

// manners are what interfaces promise of contexts and faults alike, and the calls
// that show it.
type manners[H harness, C any] struct {
	check func(name, rule string, run func(C) error) Check[H]
	env   func(C) *Env
	calls []mannered[C]
	// works wants all to be as it was before a fault. Round 0 prepares what later ones
	// look at.
	works func(c C, round int) error
	// breaks and hangs begin a fault; they are nil where the harness cannot.
	breaks, hangs func(c C) func() (undo func())
	// pace may be nil: time passes by itself.
	pace func(c C) pace
	// The rules of contexts, and of what comes after a fault.
	done, again string
	// hanging is the name of the check of a call to a hanging backend.
	hanging string
}

// mannered is a call that asks the backend each time: n is another question. No
// answer can be remembered.
type mannered[C any] struct {
	name string
	do   func(c C, ctx context.Context, n int) error
}

func (m manners[H, C]) checks() []Check[H] {
	each := func(f func(c C, call mannered[C]) error) func(c C) error {
		return func(c C) error {
			for _, call := range m.calls {
				if err := f(c, call); err != nil {
					return err
				}
			}
			return nil
		}
	}
	differ := func(contexts func(c C) doneContext) func(c C) error {
		return each(func(c C, call mannered[C]) error {
			return refusals(call.name, func(ctx context.Context) error { return call.do(c, ctx, 0) }, contexts(c))
		})
	}
	of := func(c C) context.Context { return m.env(c).ctx }
	checks := []Check[H]{
		m.check("done-context-is-an-error", m.done, each(func(c C, call mannered[C]) error {
			for n := range 3 {
				d, late := canceled(of(c)), pastDeadline(of(c))
				if err := d.refusal(call.name, call.do(c, d.ctx, n)); err != nil {
					return err
				}
				if err := late.heeded(call.name, call.do(c, late.ctx, n)); err != nil {
					return err
				}
			}
			return nil
		})),
		m.check("past-deadlines-are-told-from-cancellation", m.done, differ(func(c C) doneContext { return pastDeadline(of(c)) })),
		m.check("causes-do-not-hide-the-context-error", m.done, differ(func(c C) doneContext { return canceledForACause(of(c)) })),
		m.check("a-done-context-harms-no-later-call", m.done, m.afterDone),
	}
	hung := func(end ending) func(c C) error {
		return m.whileHung(each(func(c C, call mannered[C]) error {
			return promptly(m.env(c), call.name, end, func(ctx context.Context) error { return call.do(c, ctx, 0) })
		}))
	}
	hanging := group(groupHang,
		m.check(m.hanging, m.done, hung(byDeadline)),
		m.check("canceled-while-the-backend-hangs", m.done, hung(byCancel)),
		m.check("a-hanging-call-holds-up-no-other", m.done, m.whileHung(m.behind)),
		m.check("works-after-a-hang", m.again, m.after(m.hangs, "Hang")),
	)
	for i := range hanging[1:] {
		hanging[i+1].Basis = []string{hanging[0].id()}
	}
	breaking := group(groupBreak, m.check("works-after-an-outage", m.again, m.after(m.breaks, "Break")))
	return slices.Concat(checks, hanging, breaking)
}

// faulty makes a fault of a harness one of an implementation, or is nil.
func faulty[T any](fault func(T) func(), implementation T) func() func() {
	if fault == nil {
		return nil
	}
	return func() func() { return fault(implementation) }
}

// afterDone makes a call that works after each that was given up before it began.
func (m manners[H, C]) afterDone(c C) error {
	for round := range 5 {
		for _, d := range []doneContext{canceled(m.env(c).ctx), pastDeadline(m.env(c).ctx)} {
			for _, call := range m.calls {
				_ = call.do(c, d.ctx, round)
			}
			if err := m.works(c, round); err != nil {
				return fmt.Errorf("after a call with %s: %w", d.name, err)
			}
		}
	}
	return nil
}

// whileHung runs a check while the backend hangs. What is fetched once was fetched
// before.
func (m manners[H, C]) whileHung(run func(c C) error) func(c C) error {
	return func(c C) error {
		hang := m.hangs(c)
		if hang == nil {
			return skip("the harness has no Hang: nobody is asked, or cannot be made to wait")
		}
		if err := m.works(c, 0); err != nil {
			return err
		}
		m.env(c).Cleanup(hang())
		return run(c)
	}
}

func (m manners[H, C]) behind(c C) error {
	for _, first := range m.calls {
		var followers []follower
		for _, second := range m.calls {
			for n, question := range []string{"the same", "another"} {
				followers = append(followers, follower{second.name + " with " + question + " question", func(ctx context.Context) error { return second.do(c, ctx, n) }})
			}
		}
		err := behind(m.env(c), first.name, func(ctx context.Context) error { return first.do(c, ctx, 0) }, followers...)
		if err != nil {
			return err
		}
	}
	return nil
}

// after wants all to work soon after a fault.
func (m manners[H, C]) after(fault func(c C) func() func(), needs string) func(c C) error {
	return func(c C) error {
		begin := fault(c)
		if begin == nil {
			return skip("the harness has no %s", needs)
		}
		if err := m.works(c, 0); err != nil {
			return err
		}
		attack(begin(), 8, func(i int) {
			for n := range 6 {
				ctx, cancel := context.WithTimeout(m.env(c).ctx, hungAnswer)
				_ = m.calls[n%len(m.calls)].do(c, ctx, i)
				cancel()
			}
		})
		p := pace{ctx: m.env(c).ctx}
		if m.pace != nil {
			p = m.pace(c)
		}
		return recovers(p, func(round int) error { return m.works(c, round+1) }, func() error { return nil })
	}
}
