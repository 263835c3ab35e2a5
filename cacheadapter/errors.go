package cacheadapter

import (
	"errors"
	"fmt"
)

// Errors of the decorators, for errors.Is. None holds a key or a value.
var (
	// ErrConfig: a constructor refused its arguments.
	ErrConfig = errors.New("cacheadapter: invalid configuration")
	// ErrTimeout: the wrapped cache did not answer within TimeoutConfig.Wait.
	// A write may still land later.
	ErrTimeout = errors.New("cacheadapter: no answer in time")
	// ErrCircuitOpen: the wrapped cache was not asked, because it did not
	// answer in time before.
	ErrCircuitOpen = errors.New("cacheadapter: circuit open")
	// ErrBusy: the wrapped cache was not asked, because
	// TimeoutConfig.MaxInFlight calls have not returned yet.
	ErrBusy = errors.New("cacheadapter: too many calls in flight")
	// ErrPanic: the wrapped cache panicked.
	ErrPanic = errors.New("cacheadapter: the cache panicked")
)

// refuse makes the error of a constructor.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
}
