package valkeycache_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/valkey-io/valkey-go"
)

// server is a redis-server of its own.
type server struct {
	t    *testing.T
	port int
	cmd  *exec.Cmd
}

// startServer starts a server on a free port, which ends with the test.
func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t}
	for try := 0; s.port == 0; try++ {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.port = listener.Addr().(*net.TCPAddr).Port
		_ = listener.Close()
		if err := s.start(); err != nil && try == 5 {
			t.Fatal(err)
		} else if err != nil { // somebody else was faster
			s.port = 0
		}
	}
	t.Cleanup(s.stop)
	return s
}

// client returns a client of an address that ends with a check; nil if there is
// none.
func (s *server) client(env *conformance.Env, address string) valkey.Client {
	client, err := valkey.NewClient(valkey.ClientOption{
		InitAddress: []string{address}, DisableCache: true, DisableRetry: true, AlwaysPipelining: true,
		Dialer: net.Dialer{Timeout: 10 * time.Second},
	})
	if err != nil {
		s.t.Error(err)
		return nil
	}
	env.Cleanup(client.Close)
	return client
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// start starts the process and waits until it answers.
func (s *server) start() error {
	s.cmd = exec.Command("redis-server", "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", s.t.TempDir())
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("%v; want redis-server in the PATH", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if s.answers() {
			return nil
		}
		<-time.After(10 * time.Millisecond)
	}
	s.stop()
	return fmt.Errorf("redis-server does not answer: %w", ctx.Err())
}

func (s *server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.address(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("PING\r\n"))
	answer := make([]byte, 5)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	n, _ := conn.Read(answer)
	return string(answer[:n]) == "+PONG"
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
