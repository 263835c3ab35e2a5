package ratio

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Cancelled returns how long f, which waits for a server that hangs, takes to
// return after its context was cancelled: the longest of several times. An f that
// does not return because of that is an error.
func Cancelled(ctx context.Context, times int, f func(context.Context) error) (longest time.Duration, err error) {
	for range times {
		ctx, cancel := context.WithCancel(ctx)
		var at time.Time
		timer := time.AfterFunc(20*time.Millisecond, func() { // it waits for the server by then
			at = time.Now()
			cancel()
		})
		err := f(ctx)
		returned := time.Now()
		if !errors.Is(err, context.Canceled) {
			timer.Stop()
			cancel()
			return 0, fmt.Errorf("ratio: a call on a hung server ended with %w, before it was cancelled", err)
		}
		longest = max(longest, returned.Sub(at))
	}
	return longest, nil
}
