package ratio

import (
	"syscall"
	"time"
)

// sleep blocks the thread, and so is exact to some 50 us. It may end early.
func sleep(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&t, nil)
}
