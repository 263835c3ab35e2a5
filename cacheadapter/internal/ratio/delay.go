package ratio

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	envTarget = "PORTCULLIS_DELAY_TARGET"
	envDelay  = "PORTCULLIS_DELAY"
)

// StartDelay starts a process that passes connections on to a server and delays
// each direction by half of the round trip. A process of its own, because the
// processor time of this one is measured; it runs the same test binary, whose
// TestMain must call [MainDelay]. It returns the address to use.
func StartDelay(t testing.TB, target string, roundTrip time.Duration) (addr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envTarget+"="+target, envDelay+"="+(roundTrip/2).String())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends with its input, also when this process dies
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the delaying process does not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// MainDelay makes the process the one that delays, if it was started as such,
// and reports whether it was.
func MainDelay() bool {
	target := os.Getenv(envTarget)
	if target == "" {
		return false
	}
	delay, err := time.ParseDuration(os.Getenv(envDelay))
	if err != nil {
		return true
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return true
	}
	fmt.Println(listener.Addr())
	go keepTime()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			go delayed(server, client, delay)
			go delayed(client, server, delay)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true
}

// turn is when a piece may go on.
type turn struct {
	due   time.Time
	ready chan struct{}
}

// turns are in the order of their times, since all are delayed alike.
var turns = make(chan turn, 1<<16)

// keepTime lets pieces go on when they are due. A thread that does nothing else
// sleeps until then: the timers of a Go process that is idle are up to a
// millisecond late, and so would be what sends few large pieces.
func keepTime() {
	runtime.LockOSThread()
	for t := range turns {
		for wait := time.Until(t.due); wait > 0; wait = time.Until(t.due) {
			sleep(wait)
		}
		close(t.ready)
	}
}

// delayed copies, and keeps each piece for a time. Pieces do not wait for each
// other, as on a network.
func delayed(to, from net.Conn, delay time.Duration) {
	type piece struct {
		data []byte
		turn
	}
	pieces := make(chan piece, 1024)
	go func() {
		for p := range pieces {
			<-p.ready
			if _, err := to.Write(p.data); err != nil {
				break
			}
		}
		_ = to.Close()
		_ = from.Close()
		for range pieces { // the reader must not wait
		}
	}()
	defer close(pieces)
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			p := piece{buffer[:n], turn{time.Now().Add(delay), make(chan struct{})}}
			turns <- p.turn
			pieces <- p
		}
		if err != nil {
			return
		}
	}
}
