#!/usr/bin/env bash
# Package:  github.com/redis/go-redis/v9 v9.23.0
# Expected: a refused connection is reported at once, or after MaxRetries (3)
#           further tries with the back-off of commands, which starts at 8 ms.
# True:     below those, each connection is dialled five times with 100 ms between
#           them (DialerRetries, DialerRetryTimeout). The two multiply: 20 dials
#           and over 1.6 s until a command says that nothing listens.
# Matters:  cacheadapter/redis bounds each call with a time-out of its own, and
#           its guide tells which options to set.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/redis/go-redis/v9@v9.23.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

type silent struct{ *log.Logger }

func (silent) Printf(context.Context, string, ...any) {}

// ping pings a port on which nothing listens.
func ping(dialerRetries int) (dials int32, took time.Duration) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	listener.Close()
	var count atomic.Int32
	client := redis.NewClient(&redis.Options{
		Addr: listener.Addr().String(), DialerRetries: dialerRetries,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			count.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	defer client.Close()
	start := time.Now()
	if client.Ping(context.Background()).Err() == nil {
		panic("something listens")
	}
	return count.Load(), time.Since(start).Round(10 * time.Millisecond)
}

func main() {
	redis.SetLogger(silent{log.New(io.Discard, "", 0)})
	dials, took := ping(0)
	once, quick := ping(1)
	fmt.Println("expected: Ping of a closed port: 4 dials; with DialerRetries 1: 4 dials")
	fmt.Printf("found:    Ping of a closed port: %d dials in %v; with DialerRetries 1: %d dials in %v\n", dials, took, once, quick)
	if dials != 20 || took < 1600*time.Millisecond || once != 4 {
		os.Exit(1)
	}
}
GO
go run .
