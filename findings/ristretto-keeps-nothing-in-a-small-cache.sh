#!/usr/bin/env bash
# Package:  github.com/dgraph-io/ristretto/v2 v2.4.2
# Expected: MaxCost 50 holds 50 entries of cost 1.
# True:     each entry is charged 56 more for the cache's own structures, unless
#           IgnoreInternalCost is set. MaxCost 50 holds none: each Set returns
#           true, and no Get finds anything.
# Matters:  an adapter for a key set cache that counts in entries caches nothing,
#           and nothing says so.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/dgraph-io/ristretto/v2@v2.4.2 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/dgraph-io/ristretto/v2"
)

// held sets 50 entries of cost 1 and looks for each at once.
func held(ignore bool) (set, got int) {
	cache, err := ristretto.NewCache(&ristretto.Config[string, int]{
		NumCounters: 500, MaxCost: 50, BufferItems: 64, IgnoreInternalCost: ignore,
	})
	if err != nil {
		panic(err)
	}
	defer cache.Close()
	for i := range 50 {
		key := fmt.Sprint("key ", i)
		if cache.Set(key, i, 1) {
			set++
		}
		cache.Wait() // Set is asynchronous
		if _, ok := cache.Get(key); ok {
			got++
		}
	}
	return set, got
}

func main() {
	set, got := held(false)
	_, ignoring := held(true)
	fmt.Println("expected: MaxCost 50, 50 entries of cost 1: 50 set, 50 found")
	fmt.Printf("found:    MaxCost 50, 50 entries of cost 1: %d set, %d found; with IgnoreInternalCost %d found\n", set, got, ignoring)
	if set != 50 || got != 0 || ignoring != 50 {
		os.Exit(1)
	}
}
GO
go run .
