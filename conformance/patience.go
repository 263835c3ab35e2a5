package conformance

import (
	"runtime"
	"time"
)

// patience is how long the suite waits for what should come at once: a call whose
// context is done, a request that was sent. It is counted in turns, not by the
// clock: on a machine that lets this process wait for its turn, everything comes
// late, and that is not the implementation's fault.
const patience = 2 * time.Second

// turn is the length of a turn on a machine that has time.
const turn = 25 * time.Millisecond

// await waits for a value until patience is over, and for extra time before that.
// It reports whether the value came.
func await[T any](c <-chan T, extra time.Duration) (value T, ok bool) {
	timer := time.NewTimer(turn)
	defer timer.Stop()
	for waited := time.Duration(0); waited < extra+patience; waited += turn {
		select {
		case value = <-c:
			return value, true
		case <-timer.C:
		}
		runtime.Gosched() // behind all that are ready to run
		timer.Reset(turn)
	}
	select {
	case value = <-c:
		return value, true
	default:
		return value, false
	}
}
