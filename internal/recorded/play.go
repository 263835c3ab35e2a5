package recorded

import (
	"context"
	"errors"
	"sync"
)

// A Subject is what the vectors are played against.
type Subject interface {
	Do(ctx context.Context, req *Request) Outcome
	Close()
}

// A Start makes the subject of a vector. An error is that of its construction.
type Start func(w *World, v *Vector) (Subject, error)

// An Outcome is what came out of an operation: a JSON value, or a failure.
type Outcome struct {
	Value   any
	Failure *Failure
}

// A Failure is an error in comparable form.
type Failure struct {
	// Status is 0 for errors without one: those of helpers and of construction.
	Status int
	Code   string
	// Reason is a word of ours, which no recording has.
	Reason string
	// Description is the text that stands for the recorded message.
	Description string
	// Challenges of an answer, joined as the recording has them; nil where the
	// operation has none.
	Challenges *string
	// RetryAfter says that a time to try again was given.
	RetryAfter bool
	// Inexpressible: Go's types rule the arguments out.
	Inexpressible bool
}

// Failed returns the outcome of an error without status.
func Failed(err error) Outcome {
	return Outcome{Failure: &Failure{Inexpressible: errors.Is(err, ErrInexpressible), Description: err.Error()}}
}

// An Observation is what came out of a whole vector.
type Observation struct {
	// Construction is the failure to make the subject; then there are no steps.
	Construction *Failure
	Steps        []Observed
}

// Observed is what came out of a step: one outcome for each caller.
type Observed struct {
	Outcomes []Outcome
	Calls    []Call
	Asked    []Context
}

// Play plays a vector. Every call of it has a world and a subject of its own.
func Play(ctx context.Context, v *Vector, start Start) Observation {
	w := NewWorld(v)
	subject, err := start(w, v)
	if err != nil {
		return Observation{Construction: Failed(err).Failure}
	}
	defer subject.Close()
	var o Observation
	for _, step := range v.Sequence() {
		w.begin(&step)
		outcomes := make([]Outcome, step.Request.Concurrent)
		var group sync.WaitGroup
		for n := range outcomes {
			group.Go(func() { outcomes[n] = subject.Do(ctx, step.Request) })
		}
		group.Wait()
		calls, asked := w.observed()
		o.Steps = append(o.Steps, Observed{Outcomes: outcomes, Calls: calls, Asked: asked})
	}
	return o
}
