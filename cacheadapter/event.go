package cacheadapter

import "time"

// Op is the method that an [Event] is about.
type Op string

// The methods of caches and replay stores.
const (
	OpGet    Op = "get"
	OpSet    Op = "set"
	OpDelete Op = "delete"
	OpClear  Op = "clear"
	OpAdd    Op = "add"
)

// Outcome says how a call ended, in one stable word.
type Outcome string

// The outcomes. Each decorator says which of them it reports.
const (
	OutcomeHit      Outcome = "hit"      // Get found a value
	OutcomeMiss     Outcome = "miss"     // Get found none
	OutcomeDone     Outcome = "done"     // Set, Delete or Clear succeeded
	OutcomeAdded    Outcome = "added"    // Add saw the key for the first time
	OutcomeRepeated Outcome = "repeated" // Add saw it again
	OutcomeFailed   Outcome = "failed"   // an error; Err has it
	OutcomeRejected Outcome = "rejected" // an entry was not believed; Problem says why
	OutcomeOpened   Outcome = "opened"   // the circuit opened
	OutcomeClosed   Outcome = "closed"   // the circuit closed
)

// Problem says why an entry was not believed, in one stable word.
type Problem string

// The problems of entries.
const (
	// ProblemMalformed: not in the form that the decorator writes. Somebody
	// else writes to the cache, or the decorator was added to a cache in use.
	ProblemMalformed Problem = "malformed"
	// ProblemUnknownKey: sealed with a key that was not given. To be expected
	// for one ttl after a key was dropped.
	ProblemUnknownKey Problem = "unknown_key"
	// ProblemForged: changed, or moved from another key. Somebody tampers with
	// the cache, or it is broken.
	ProblemForged Problem = "forged"
)

// Event is one thing that a decorator tells. It holds neither key nor value.
type Event struct {
	// Op is the method that was called.
	Op Op
	// Outcome is how it ended.
	Outcome Outcome
	// Problem of OutcomeRejected.
	Problem Problem
	// Duration of the call; only from Observed.
	Duration time.Duration
	// Size of the value in bytes, of hits and sets; only from Observed.
	Size int
	// Err of OutcomeFailed. It may hold whatever the wrapped cache puts into
	// its errors.
	Err error
}

// emit hands an event to an observer, if there is one. A panic in an observer
// is no reason to fail a call.
func emit(observe func(Event), e Event) {
	if observe == nil {
		return
	}
	defer func() { _ = recover() }()
	observe(e)
}
