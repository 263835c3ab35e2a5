#!/usr/bin/env bash
# Package:  github.com/redis/go-redis/v9 v9.23.0
# Expected: a command that the server answers with LOADING is tried again, alone
#           or in a pipeline, and commands that succeeded are not.
# True:     in a pipeline the answer of the first command decides for all. LOADING
#           there sends everything again: an INCR behind it counts twice. LOADING
#           for a later command is not tried again.
# Matters:  cacheadapter/redis puts calls that come at once into one pipeline. Each
#           record names its writer, so that a repeated SET NX finds itself.
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
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// serve speaks the Redis protocol: GET is answered with LOADING once and with
// "value" from then on, INCR counts.
func serve(listener net.Listener, incremented *atomic.Int32) {
	var gets atomic.Int32
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for lines := bufio.NewReader(conn); ; {
				switch name := command(lines); name {
				case "":
					return
				case "GET":
					if gets.Add(1) == 1 {
						io.WriteString(conn, "-LOADING Redis is loading the dataset in memory\r\n")
					} else {
						io.WriteString(conn, "$5\r\nvalue\r\n")
					}
				case "INCR":
					fmt.Fprintf(conn, ":%d\r\n", incremented.Add(1))
				default:
					fmt.Fprintf(conn, "-ERR unknown command '%s'\r\n", name)
				}
			}
		}()
	}
}

// command reads one command and returns its name, or "" at the end.
func command(lines *bufio.Reader) (name string) {
	text, _ := lines.ReadString('\n')
	count, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(text, "*")))
	for i := range count {
		lines.ReadString('\n') // the length
		text, _ = lines.ReadString('\n')
		if i == 0 {
			name = strings.ToUpper(strings.TrimSpace(text))
		}
	}
	return name
}

// run runs a pipeline of GET and INCR, or just a GET, against a server of its own.
func run(order string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	var incremented atomic.Int32
	go serve(listener, &incremented)
	client := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	ctx := context.Background()
	if order == "GET" {
		return fmt.Sprint("GET ", client.Get(ctx, "key").Err())
	}
	pipe := client.Pipeline()
	var get *redis.StringCmd
	for _, name := range strings.Fields(order) {
		if name == "GET" {
			get = pipe.Get(ctx, "key")
		} else {
			pipe.Incr(ctx, "n")
		}
	}
	pipe.Exec(ctx)
	failed := "<nil>"
	if get.Err() != nil {
		failed, _, _ = strings.Cut(get.Err().Error(), " ")
	}
	return fmt.Sprintf("GET %s, n is %d", failed, incremented.Load())
}

func main() {
	alone, first, second := run("GET"), run("GET INCR"), run("INCR GET")
	fmt.Println("expected: GET alone: GET <nil>; before INCR: GET <nil>, n is 1; behind INCR: GET <nil>, n is 1")
	fmt.Printf("found:    GET alone: %s; before INCR: %s; behind INCR: %s\n", alone, first, second)
	if alone != "GET <nil>" || first != "GET <nil>, n is 2" || second != "GET LOADING, n is 1" {
		os.Exit(1)
	}
}
GO
go run .
