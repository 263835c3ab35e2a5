package cacheadapter

import (
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func nowOf(clock verifier.Clock) func() time.Time {
	if clock == nil {
		return time.Now
	}
	return clock.Now
}
