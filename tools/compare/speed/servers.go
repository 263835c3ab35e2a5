package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// serverNames are the servers that are compared, each a process of its own with
// net/http on one core.
var serverNames = []string{openName, ourName, fastName, memoName, golangJWTName, goOIDCName, auth0Name}

// requests is what servers answered.
type requests struct {
	names     []string
	perSecond [][]float64 // for each round, for each server
	busy      float64     // the generator's core
	pinned    bool
}

// over returns how many times as many requests one server answered as another:
// the median of the rounds.
func (r *requests) over(name, other string) float64 {
	a, b := slices.Index(r.names, name), slices.Index(r.names, other)
	ratios := make([]float64, len(r.perSecond))
	for i, rates := range r.perSecond {
		ratios[i] = rates[a] / rates[b]
	}
	return median(ratios)
}

// serverRequests lets all servers run on one core, and sends requests from
// another one, in turns of short slices.
func (f *fixture) serverRequests(ctx context.Context) (*requests, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	one, other := cores()
	l := load{Connections: 16, Rounds: 21, Slice: 400 * time.Millisecond}
	for i := range 64 {
		token, err := f.sign(f.key, map[string]any{"jti": fmt.Sprint("request-", i)})
		if err != nil {
			return nil, err
		}
		l.Tokens = append(l.Tokens, token)
	}
	for _, name := range serverNames {
		addr, stop, err := f.startServer(ctx, one, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		defer stop()
		l.Addrs = append(l.Addrs, addr)
	}
	a, err := l.elsewhere(ctx, other)
	if err != nil {
		return nil, err
	}
	return &requests{serverNames, a.PerSecond, a.Busy, one != ""}, nil
}

func (f *fixture) startServer(ctx context.Context, core, name string) (addr string, stop func(), err error) {
	cmd, err := onCore(ctx, core, "-as", "server")
	if err != nil {
		return "", nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	}
	err = json.NewEncoder(stdin).Encode(served{Name: name, JWKS: f.jwks})
	if err == nil {
		addr, err = bufio.NewReader(stdout).ReadString('\n')
	}
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the server does not start: %w", err)
	}
	return strings.TrimSpace(addr), stop, nil
}

// elsewhere runs the load in a process on a core of its own.
func (l load) elsewhere(ctx context.Context, core string) (a answered, err error) {
	cmd, err := onCore(ctx, core, "-as", "load")
	if err != nil {
		return a, err
	}
	plan, err := json.Marshal(l)
	if err != nil {
		return a, err
	}
	cmd.Stdin = bytes.NewReader(plan)
	out, err := cmd.Output()
	if err != nil {
		return a, fmt.Errorf("the generator of requests: %w", err)
	}
	return a, json.Unmarshal(out, &a)
}

// play is what the program does when it is not the one that measures.
func play(ctx context.Context, role string, in io.Reader, out io.Writer) error {
	switch role {
	case "server":
		return serveOne(ctx, in, out)
	case "load":
		return generate(in, out)
	default:
		return errors.New("-as is for this program itself")
	}
}

func serverTarget(name string, accelerated bool) string {
	return fmt.Sprintf("server on one core%s: requests/s to %s", map[bool]string{true: ", accelerated"}[accelerated], name)
}

// serverTargets are the lines of the budget about them.
func (r *report) serverTargets() (list []target) {
	if r.requests == nil {
		return nil
	}
	for _, row := range []struct {
		name        string
		plain, fast float64
	}{{golangJWTName, 1.15, 1.35}, {goOIDCName, 1.4, 1.7}, {auth0Name, 2.0, 2.5}} {
		list = append(list,
			atLeast(serverTarget(row.name, false), r.requests.over(ourName, row.name), row.plain),
			atLeast(serverTarget(row.name, true), r.requests.over(fastName, row.name), row.fast))
	}
	return list
}
