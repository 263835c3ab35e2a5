// Package memcachetest starts real memcached servers for tests. They listen on
// free ports of the loopback interface and end with the test, or with the test
// process.
package memcachetest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/faulttest"
)

// Server is a memcached process.
type Server struct {
	Addr string

	t    testing.TB
	args []string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Start starts a server with options such as "-m", "64", and waits until it
// answers.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	port := faulttest.FreePort(t)
	s := &Server{
		Addr: net.JoinHostPort("127.0.0.1", port), t: t, log: filepath.Join(t.TempDir(), "log"),
		// It does not run as root unless it is told so.
		args: append([]string{"-p", port, "-U", "0", "-l", "127.0.0.1", "-u", "root", "-t", "2"}, options...),
	}
	t.Cleanup(func() {
		s.Thaw()
		s.Kill()
	})
	s.Restart()
	return s
}

// Restart starts the server again after [Server.Kill] and waits until it
// answers.
func (s *Server) Restart() {
	s.t.Helper()
	path, err := exec.LookPath("memcached")
	if err != nil {
		s.t.Fatal("memcached is missing: run tools/scripts/install-test-servers.sh")
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(path, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	endWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd, s.done)
	if err := Poll(time.Minute, s.ping); err != nil {
		text, _ := os.ReadFile(s.log)
		s.t.Fatalf("memcached does not answer: %v\n%s", err, text)
	}
}

func (s *Server) ping() error {
	answer, err := s.send("version")
	if err == nil && !strings.HasPrefix(answer, "VERSION ") {
		err = fmt.Errorf("version: %q", answer)
	}
	return err
}

// send speaks to the server without a client.
func (s *Server) send(command string) (answer string, err error) {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(command + "\r\nquit\r\n")); err != nil {
		return "", err
	}
	all, err := io.ReadAll(conn)
	return string(all), err
}

// Do sends a command, such as "stats", and returns the answer.
func (s *Server) Do(command string) string {
	s.t.Helper()
	answer, err := s.send(command)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	return answer
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// Freeze stops the process where it is: connections stay, answers do not come.
func (s *Server) Freeze() {
	if s.cmd != nil && s.cmd.Process != nil {
		faulttest.Halt(s.cmd.Process)
	}
}

// Thaw lets it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(signal)
	}
}

// Client returns a client of this server.
func (s *Server) Client() *gomemcache.Client { return Client(s.Addr) }

// Client returns a client of addresses, with a longer timeout than the default
// of 100 ms, for busy machines.
func Client(addrs ...string) *gomemcache.Client {
	client := gomemcache.New(addrs...)
	client.Timeout, client.MaxIdleConns = 3*time.Second, 50
	return client
}

// Poll calls f until it returns nil, and returns its last error when that takes
// too long.
func Poll(limit time.Duration, f func() error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); ; <-ticker.C {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
