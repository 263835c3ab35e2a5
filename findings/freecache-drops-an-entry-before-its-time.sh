#!/usr/bin/env bash
# Package:  github.com/coocood/freecache v1.2.7
# Expected: an entry of one second is there for one second.
# True:     the cache counts in whole seconds of the clock, and the second in
#           which an entry is set counts as a full one. An entry that is set
#           at .9 is gone after a tenth of a second.
# Matters:  what must be remembered for a time, such as a proof that was used,
#           has to be stored for one second more in a store of whole seconds.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/coocood/freecache@v1.2.7 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/coocood/freecache"
)

// life returns how long an entry of one second is found, when it is set at
// this fraction of a second.
func life(fraction time.Duration) time.Duration {
	cache := freecache.NewCache(1 << 20)
	start, want := time.Now(), time.Time{}
	for start.Sub(want) > 50*time.Millisecond { // the machine was busy
		want = start.Truncate(time.Second).Add(time.Second + fraction)
		time.Sleep(time.Until(want))
		start = time.Now()
	}
	if err := cache.Set([]byte("key"), []byte("value"), 1); err != nil {
		panic(err)
	}
	for {
		if _, err := cache.Get([]byte("key")); err != nil {
			return time.Since(start).Round(10 * time.Millisecond)
		}
		time.Sleep(time.Millisecond)
	}
}

func main() {
	early, late := life(100*time.Millisecond), life(900*time.Millisecond)
	fmt.Println("expected: an entry of 1 s, set at .1 and at .9 of a second: found for 1 s and 1 s")
	fmt.Printf("found:    an entry of 1 s, set at .1 and at .9 of a second: found for %v and %v\n", early, late)
	if early > 950*time.Millisecond || late > 500*time.Millisecond {
		os.Exit(1)
	}
}
GO
go run .
