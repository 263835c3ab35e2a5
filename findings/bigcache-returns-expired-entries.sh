#!/usr/bin/env bash
# Package:  github.com/allegro/bigcache/v3 v3.1.0
# Expected: an entry is absent when it is older than LifeWindow.
# True:     LifeWindow says when an entry may be evicted. Get returns it without
#           an error until an eviction runs; GetWithInfo tells that it is old.
# Matters:  cacheadapter/memory stores the time of expiry in each entry.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/allegro/bigcache/v3@v3.1.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/allegro/bigcache/v3"
)

func main() {
	config := bigcache.DefaultConfig(time.Second) // LifeWindow
	config.CleanWindow, config.Verbose = time.Hour, false
	cache, err := bigcache.New(context.Background(), config)
	if err != nil {
		panic(err)
	}
	if err := cache.Set("key", []byte("value")); err != nil {
		panic(err)
	}
	time.Sleep(3 * time.Second)
	value, err := cache.Get("key")
	_, info, _ := cache.GetWithInfo("key")
	fmt.Println("expected: Get of an entry of 3 s, LifeWindow 1 s: bigcache.ErrEntryNotFound")
	fmt.Printf("found:    %q, error %v; GetWithInfo says expired: %t\n", value, err, info.EntryStatus == bigcache.Expired)
	if err != nil || string(value) != "value" {
		os.Exit(1)
	}
}
GO
go run .
