//go:build !unix

package ratio

import "time"

// start stands in where processor time cannot be read.
var start = time.Now()

func processorTime() time.Duration { return time.Since(start) }
