package main

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestServers: each server lets good tokens pass, and those that verify refuse a
// forged one.
func TestServers(t *testing.T) {
	f, err := newFixture(1)
	if err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for _, name := range serverNames {
		addrs = append(addrs, startInProcess(t, served{Name: name, JWKS: f.jwks}))
	}
	l := load{Addrs: addrs, Tokens: []string{f.token}, Connections: 2, Rounds: 2, Slice: time.Millisecond}
	a, err := l.run()
	if err != nil {
		t.Fatal(err)
	}
	if len(a.PerSecond) != 2 || len(a.PerSecond[0]) != len(addrs) || slices.Min(a.PerSecond[1]) <= 0 {
		t.Errorf("answered: %v; want a rate for each of 2 rounds and %d servers", a.PerSecond, len(addrs))
	}
	for i, name := range serverNames {
		if name == openName {
			continue
		}
		forged := load{Addrs: addrs[i : i+1], Tokens: []string{f.forged}, Connections: 1, Slice: time.Millisecond}
		if _, err := forged.run(); err == nil || !strings.Contains(err.Error(), "HTTP/1.1 401") {
			t.Errorf("%s: a forged token: %v; want 401", name, err)
		}
	}
}

// TestEachConnectionAsks: a slice that is over before a connection gets its turn
// still asks once, or a server that takes forged tokens would pass unseen.
func TestEachConnectionAsks(t *testing.T) {
	f, err := newFixture(1)
	if err != nil {
		t.Fatal(err)
	}
	addr := startInProcess(t, served{Name: openName, JWKS: f.jwks})
	a, err := load{Addrs: []string{addr}, Tokens: []string{f.token}, Connections: 3, Rounds: 1, Slice: time.Nanosecond}.run()
	if err != nil || a.PerSecond[0][0] <= 0 {
		t.Errorf("answered: %v, %v; want a rate", a.PerSecond, err)
	}
}

// startInProcess runs what the child process runs.
func startInProcess(t *testing.T, s served) (addr string) {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serveOne(t.Context(), in, out)
		_ = out.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	})
	if err := json.NewEncoder(stdin).Encode(s); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return strings.TrimSpace(line)
}

func TestOver(t *testing.T) {
	r := &requests{names: []string{"a", "b"}, perSecond: [][]float64{{10, 10}, {30, 10}, {20, 10}}}
	if got := r.over("a", "b"); got != 2 {
		t.Errorf("over = %v; want the median 2", got)
	}
}

func TestParseCores(t *testing.T) {
	for list, want := range map[string][]int{"0-1": {0, 1}, "0-63": {0, 1}, "3,7": {3, 7}, "5": {5}, "2,4-9": {2, 4}, "": nil, "x": nil, "1-x": nil} {
		if got := parseCores(list); !slices.Equal(got, want) {
			t.Errorf("parseCores(%q) = %v; want %v", list, got, want)
		}
	}
}
