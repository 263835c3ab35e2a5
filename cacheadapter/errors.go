package cacheadapter

import (
	"errors"
	"fmt"
)

// Errors of the decorators, for errors.Is. None holds a key or a value.
var (
	// ErrOptions: a constructor refused its arguments.
	ErrOptions = errors.New("cacheadapter: invalid options")
	// ErrTimeout: the wrapped cache did not answer within TimeoutOptions.Wait.
	// A write may still land later.
	ErrTimeout = errors.New("cacheadapter: no answer in time")
	// ErrCircuitOpen: the wrapped cache was not asked, because it did not
	// answer in time before.
	ErrCircuitOpen = errors.New("cacheadapter: circuit open")
	// ErrBusy: the wrapped cache was not asked, because
	// TimeoutOptions.MaxInFlight calls have not returned yet.
	ErrBusy = errors.New("cacheadapter: too many calls in flight")
	// ErrPanic: the wrapped cache panicked.
	ErrPanic = errors.New("cacheadapter: the cache panicked")
)

// refuse makes the error of a constructor.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
}
