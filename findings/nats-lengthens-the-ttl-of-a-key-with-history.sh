#!/usr/bin/env bash
# Package:  github.com/nats-io/nats-server/v2 v2.15.3 with github.com/nats-io/nats.go v1.55.0
# Expected: a key that is created with KeyTTL(1s) is gone after about a second,
#           whatever LimitMarkerTTL says of the marker that is left behind.
# True:     so it is in a bucket of History 1. With History 2 the server raises
#           the TTL of the key itself to LimitMarkerTTL, and Create says nothing.
# Matters:  a store on such a bucket keeps entries for longer than it is told.
#           Cached documents carry their own end here.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/nats-io/nats-server/v2/server@v2.15.3 github.com/nats-io/nats.go/jetstream@v1.55.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// life returns after how many whole seconds a key of KeyTTL(1s) is not found
// in a bucket of this history and LimitMarkerTTL.
func life(js jetstream.JetStream, history uint8, marker time.Duration) int {
	ctx := context.Background()
	bucket := must(js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: fmt.Sprintf("history-%d-%d", history, marker/time.Second), History: history, LimitMarkerTTL: marker, Storage: jetstream.MemoryStorage,
	}))
	must(bucket.Create(ctx, "key", []byte("value"), jetstream.KeyTTL(time.Second)))
	start := time.Now()
	for {
		if _, err := bucket.Get(ctx, "key"); errors.Is(err, jetstream.ErrKeyNotFound) {
			return int(time.Since(start).Seconds())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func main() {
	directory := must(os.MkdirTemp(".", "store"))
	site := must(server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: directory, NoSigs: true, NoLog: true}))
	site.Start()
	defer site.Shutdown()
	if !site.ReadyForConnections(10 * time.Second) {
		panic("not ready")
	}
	conn := must(nats.Connect(site.ClientURL()))
	defer conn.Close()
	js := must(jetstream.New(conn))
	one, four, eight := life(js, 1, 8*time.Second), life(js, 2, 4*time.Second), life(js, 2, 8*time.Second)
	fmt.Println("expected: a key of 1 s lives, History 1, LimitMarkerTTL 8 s: 1 s; History 2, 4 s: 1 s; History 2, 8 s: 1 s")
	fmt.Printf("found:    a key of 1 s lives, History 1, LimitMarkerTTL 8 s: %d s; History 2, 4 s: %d s; History 2, 8 s: %d s\n", one, four, eight)
	if one > 3 || four < 3 || eight < 7 || eight <= four {
		site.Shutdown()
		os.Exit(1)
	}
}
GO
go run .
