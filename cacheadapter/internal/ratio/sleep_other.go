//go:build !linux

package ratio

import "time"

func sleep(d time.Duration) { time.Sleep(d) }
