package ratio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Pair is one operation, done by an adapter and by the bare client.
type Pair struct {
	Ours, Bare func(ctx context.Context) error
	// Callers do it at the same time, each again and again. Default 1.
	Callers int
	// Rounds of both, and how long each of the two takes. Default 5 of 250 ms.
	Rounds int
	Slice  time.Duration
}

// Result has ratios of ours over bare: medians over the rounds.
type Result struct {
	Throughput float64 // calls a second
	CPU        float64 // processor time of this process for a call
	P50        float64 // median time of a call
	Bare       Run     // the median round of the bare client, for orientation
}

// Run is what one side did in one round.
type Run struct {
	PerSecond float64
	CPU       time.Duration // for a call
	P50       time.Duration
}

// Measure runs a pair. An error of a call ends it.
func (p Pair) Measure(ctx context.Context) (Result, error) {
	callers, rounds, slice := cmp.Or(p.Callers, 1), cmp.Or(p.Rounds, 5), cmp.Or(p.Slice, 250*time.Millisecond)
	var ours, bare []Run
	for round := range rounds + 1 {
		a, errOurs := run(ctx, callers, slice, p.Ours)
		b, errBare := run(ctx, callers, slice, p.Bare)
		if err := errors.Join(errOurs, errBare); err != nil {
			return Result{}, err
		}
		if round > 0 { // the first opens connections
			ours, bare = append(ours, a), append(bare, b)
		}
	}
	over := func(f func(Run) float64) float64 {
		var all []float64
		for i := range ours {
			all = append(all, f(ours[i])/f(bare[i]))
		}
		return median(all)
	}
	slices.SortFunc(bare, func(a, b Run) int { return cmp.Compare(a.PerSecond, b.PerSecond) })
	middle := bare[len(bare)/2]
	return Result{
		Throughput: over(func(r Run) float64 { return r.PerSecond }),
		CPU:        over(func(r Run) float64 { return float64(r.CPU) }),
		P50:        over(func(r Run) float64 { return float64(r.P50) }),
		Bare:       middle,
	}, nil
}

// run lets callers do f for a time. Their contexts can be cancelled, as those
// of requests can.
func run(ctx context.Context, callers int, slice time.Duration, f func(context.Context) error) (Run, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		group sync.WaitGroup
		took  = make([][]time.Duration, callers)
		errs  = make([]error, callers)
		start = time.Now()
		used  = processorTime()
	)
	for i := range callers {
		group.Go(func() {
			for at := start; at.Sub(start) < slice && errs[i] == nil; {
				errs[i] = f(ctx)
				now := time.Now()
				took[i] = append(took[i], now.Sub(at))
				at = now
			}
		})
	}
	group.Wait()
	elapsed, cpu := time.Since(start), processorTime()-used
	all := slices.Concat(took...)
	slices.Sort(all)
	return Run{
		PerSecond: float64(len(all)) / elapsed.Seconds(),
		CPU:       cpu / time.Duration(len(all)),
		P50:       all[len(all)/2],
	}, errors.Join(errs...)
}

func median(all []float64) float64 {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// Row is a line of a report: a value beside its target.
type Row struct {
	Name   string
	Value  float64
	Target float64
	// AtLeast: the value should be the target or more, not less.
	AtLeast bool
	// Unit of both, such as "ms". Without one they are ratios to the bare client.
	Unit string
}

// Met reports whether the value keeps its target.
func (r Row) Met() bool { return r.Keeps(r.Target) }

// Keeps reports whether the value keeps another bound.
func (r Row) Keeps(bound float64) bool {
	if r.AtLeast {
		return r.Value >= bound
	}
	return r.Value <= bound
}

// String is the row as a line of a Markdown table.
func (r Row) String() string {
	sign, verdict := "<=", "missed"
	if r.AtLeast {
		sign = ">="
	}
	if r.Met() {
		verdict = "met"
	}
	if r.Unit != "" {
		return fmt.Sprintf("| %s | %.2f %s | %s %.0f %s | %s |", r.Name, r.Value, r.Unit, sign, r.Target, r.Unit, verdict)
	}
	return fmt.Sprintf("| %s, to the bare client | %.2f | %s %.2f | %s |", r.Name, r.Value, sign, r.Target, verdict)
}
