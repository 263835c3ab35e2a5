package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// load is what the generator of requests is told: all servers get the same
// requests, in turns of a slice each.
type load struct {
	Addrs       []string
	Tokens      []string // in turn
	Connections int      // to each server, each with one request after the other
	Rounds      int
	Slice       time.Duration
}

// answered is what it measured.
type answered struct {
	PerSecond [][]float64 // for each round, for each server
	Busy      float64     // the share of its core that it used itself at most
}

// generate is the program as the generator.
func generate(in io.Reader, out io.Writer) error {
	var l load
	if err := json.NewDecoder(in).Decode(&l); err != nil {
		return err
	}
	a, err := l.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

func (l load) run() (a answered, err error) {
	targets := make([]*loaded, len(l.Addrs))
	for i, addr := range l.Addrs {
		if targets[i], err = l.connect(addr); err != nil {
			return a, err
		}
		defer targets[i].close()
	}
	for round := range l.Rounds + 1 {
		rates := make([]float64, len(targets))
		for i := range targets {
			at := (i + round) % len(targets) // no server always comes after the same one
			perSecond, busy, err := targets[at].slice(l.Slice)
			if err != nil {
				return a, fmt.Errorf("server %d: %w", at, err)
			}
			if rates[at] = perSecond; round > 0 {
				a.Busy = max(a.Busy, busy)
			}
		}
		if round > 0 { // in the first one servers get ready
			a.PerSecond = append(a.PerSecond, rates)
		}
	}
	return a, nil
}

// loaded is a server with its connections.
type loaded struct {
	connections []net.Conn
	requests    [][]byte
}

func (l load) connect(addr string) (*loaded, error) {
	t := &loaded{}
	for _, token := range l.Tokens {
		t.requests = append(t.requests, fmt.Appendf(nil, "GET /orders/1 HTTP/1.1\r\nHost: api.example\r\nUser-Agent: bench\r\nAccept: application/json\r\nAuthorization: Bearer %s\r\n\r\n", token))
	}
	for range l.Connections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.close()
			return nil, err
		}
		t.connections = append(t.connections, conn)
	}
	return t, nil
}

func (t *loaded) close() {
	for _, conn := range t.connections {
		_ = conn.Close()
	}
}

// slice keeps all connections busy for a time, each with one request at the
// least, however late it gets its turn. It returns the answers per second
// and the share of that time for which this process used a core.
func (t *loaded) slice(length time.Duration) (perSecond, busy float64, err error) {
	var (
		wg       sync.WaitGroup
		counts   = make([]int, len(t.connections))
		failures = make([]error, len(t.connections))
	)
	used, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	for i, conn := range t.connections {
		if err := conn.SetDeadline(began.Add(length + 20*time.Second)); err != nil {
			return 0, 0, err
		}
		wg.Go(func() {
			answer := make([]byte, 4096)
			for n := i; n == i || time.Since(began) < length; n++ {
				if failures[i] = ask(conn, t.requests[n%len(t.requests)], answer); failures[i] != nil {
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	ended, err := cpuTime()
	if err := errors.Join(append(failures, err)...); err != nil {
		return 0, 0, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / elapsed.Seconds(), float64(ended-used) / float64(elapsed), nil
}

var (
	goodStatus = []byte("HTTP/1.1 204 ")
	headerEnd  = []byte("\r\n\r\n")
)

// ask sends a request and reads its answer, which has no body.
func ask(conn net.Conn, request, answer []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	for n := 0; ; {
		more, err := conn.Read(answer[n:])
		n += more
		if n >= len(goodStatus) && !bytes.HasPrefix(answer, goodStatus) {
			return fmt.Errorf("a good request was answered with %.40q", answer[:n])
		}
		if bytes.HasSuffix(answer[:n], headerEnd) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == len(answer) {
			return errors.New("an answer does not end")
		}
	}
}
