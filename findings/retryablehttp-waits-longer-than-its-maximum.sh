#!/usr/bin/env bash
# Package:  github.com/hashicorp/go-retryablehttp v0.7.8
# Expected: RetryWaitMax bounds the time between two tries.
# True:     it bounds the client's own back-off alone. Retry-After of a 429 or 503
#           is waited for as it stands, whatever the maximum says.
# Matters:  exchange does not sleep for Retry-After. It returns the time, with a
#           bound, and refuses further calls until then.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/hashicorp/go-retryablehttp@v0.7.8 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// took returns how long a request takes whose first answer is 503.
func took(retryAfter string) time.Duration {
	first := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if first {
			first = false
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	client := retryablehttp.NewClient()
	client.Logger, client.RetryWaitMin, client.RetryWaitMax = nil, 50*time.Millisecond, 100*time.Millisecond
	start := time.Now()
	answer, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	return time.Since(start).Round(10 * time.Millisecond)
}

func main() {
	without, with := took(""), took("2")
	fmt.Println("expected: RetryWaitMax 100 ms: a 503 and a 200 in about 100 ms, with and without Retry-After: 2")
	fmt.Printf("found:    RetryWaitMax 100 ms: a 503 and a 200 in %v without and %v with Retry-After: 2\n", without, with)
	if without > time.Second || with < 2*time.Second {
		os.Exit(1)
	}
}
GO
go run .
