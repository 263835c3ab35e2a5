package faultproxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// echo is a server that answers each line with the same line.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// client is a connection that sends lines.
type client struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

// ask sends a line and waits for the answer for some time.
func (c *client) ask(line string, wait time.Duration) (string, error) {
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	return c.lines.ReadString('\n')
}

const long = 10 * time.Second

func works(t *testing.T, address string) {
	t.Helper()
	if answer, err := dial(t, address).ask("hello", long); answer != "hello\n" || err != nil {
		t.Errorf("answer = %q, %v; want hello", answer, err)
	}
}

func TestBreak(t *testing.T) {
	proxy := faultproxy.Start(t, echo(t))
	works(t, proxy.Addr)
	old := dial(t, proxy.Addr)
	if _, err := old.ask("hello", long); err != nil {
		t.Fatal(err)
	}
	repair := proxy.Break()
	clients := map[string]*client{"old": old}
	if conn, err := net.Dial("tcp", proxy.Addr); err == nil { // or it was reset already
		t.Cleanup(func() { _ = conn.Close() })
		clients["new"] = &client{conn, bufio.NewReader(conn)}
	}
	for name, c := range clients {
		if answer, err := c.ask("hello", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s connection to what is broken = %q, %v; want an error at once", name, answer, err)
		}
	}
	repair()
	works(t, proxy.Addr)
}

func TestHang(t *testing.T) {
	proxy := faultproxy.Start(t, echo(t))
	old := dial(t, proxy.Addr)
	if _, err := old.ask("hello", long); err != nil {
		t.Fatal(err)
	}
	release := proxy.Hang()
	clients := map[string]*client{"old": old, "new": dial(t, proxy.Addr)}
	for name, c := range clients {
		if answer, err := c.ask("late", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s connection to what hangs = %q, %v; want %v", name, answer, err, os.ErrDeadlineExceeded)
		}
	}
	release()
	for name, c := range clients {
		_ = c.SetDeadline(time.Now().Add(long))
		if answer, err := c.lines.ReadString('\n'); answer != "late\n" || err != nil {
			t.Errorf("%s connection after the hang = %q, %v; want the answer that was held back", name, answer, err)
		}
	}
}

func TestReset(t *testing.T) {
	proxy := faultproxy.Start(t, echo(t))
	old := dial(t, proxy.Addr)
	if _, err := old.ask("hello", long); err != nil {
		t.Fatal(err)
	}
	proxy.Reset()
	if answer, err := old.ask("hello", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection after a reset = %q, %v; want an error at once", answer, err)
	}
	works(t, proxy.Addr)
}

func TestDelay(t *testing.T) {
	proxy := faultproxy.Start(t, echo(t))
	const delay = 50 * time.Millisecond
	proxy.Delay(delay)
	began := time.Now()
	works(t, proxy.Addr)
	if took := time.Since(began); took < delay {
		t.Errorf("the answer came after %v; want %v or more", took, delay)
	}
}

func TestLoseAnswers(t *testing.T) {
	proxy := faultproxy.Start(t, echo(t))
	proxy.LoseAnswers(1)
	if answer, err := dial(t, proxy.Addr).ask("hello", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the answer that is lost = %q, %v; want an error at once", answer, err)
	}
	works(t, proxy.Addr)
	if n := proxy.Lost(); n != 1 {
		t.Errorf("Lost = %d; want 1", n)
	}
}

func TestClose(t *testing.T) {
	proxy, err := faultproxy.New(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy.Hang()
	c := dial(t, proxy.Addr)
	proxy.Close()
	if answer, err := c.ask("hello", long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection after Close = %q, %v; want an error at once", answer, err)
	}
	if conn, err := net.Dial("tcp", proxy.Addr); err == nil {
		_ = conn.Close()
		t.Error("a closed proxy takes connections")
	}
}
