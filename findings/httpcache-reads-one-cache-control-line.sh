#!/usr/bin/env bash
# Package:  github.com/gregjones/httpcache v0.0.0-20190611155906-901d90724c79
# Expected: two lines of Cache-Control mean the same as one line with both values
#           (RFC 9110, Section 5.3), as a proxy that adds "public" makes them.
# True:     the first line alone is read. Behind "public", max-age=60 is not
#           seen, and each request goes to the server.
# Matters:  how long a key set is fresh is read from all lines of Cache-Control.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/gregjones/httpcache@v0.0.0-20190611155906-901d90724c79 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/gregjones/httpcache"
)

// requests returns how many of three requests reach the server.
func requests(lines ...string) (n int) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		for _, line := range lines {
			w.Header().Add("Cache-Control", line)
		}
		io.WriteString(w, `{"keys":[]}`)
	}))
	defer server.Close()
	client := httpcache.NewMemoryCacheTransport().Client()
	for range 3 {
		answer, err := client.Get(server.URL)
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, answer.Body) // the cache stores at the end of the body
		answer.Body.Close()
	}
	return n
}

func main() {
	joined, before, behind := requests("public, max-age=60"), requests("max-age=60", "public"), requests("public", "max-age=60")
	fmt.Println("expected: requests of three that reach the server: one line 1; max-age first 1; max-age second 1")
	fmt.Printf("found:    requests of three that reach the server: one line %d; max-age first %d; max-age second %d\n", joined, before, behind)
	if joined != 1 || before != 1 || behind != 3 {
		os.Exit(1)
	}
}
GO
go run .
