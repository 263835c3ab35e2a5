// Package rig starts and stops the software that the tests of its parent run
// against.
package rig

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Command is a program to start.
type Command struct {
	Name string
	Args []string
	// Dir is its working directory. Default: the test's own.
	Dir string
	// Env is added to the environment, as "NAME=value".
	Env []string
	// Stdin is what the program reads.
	Stdin string
}

// Process is a program that runs until the test ends.
type Process struct {
	command *exec.Cmd
	output  *buffer
	done    chan struct{}
}

// grace is how long a process has to end after SIGTERM.
const grace = 5 * time.Second

// Start starts a program in a process group of its own and stops the group, by
// its id, when the test ends. The output is logged when the test has failed.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	p := &Process{command: exec.Command(Tool(t, c.Name), c.Args...), output: new(buffer), done: make(chan struct{})}
	p.command.Dir, p.command.Env = c.Dir, append(os.Environ(), c.Env...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.command.Start(); err != nil {
		t.Fatalf("starting %s: %v", c.Name, err)
	}
	go func() {
		_ = p.command.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("output of %s:\n%s", c.Name, p.output)
		}
	})
	return p
}

// Stop ends the process and those that it started.
func (p *Process) Stop() {
	group := -p.command.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-p.done
}

// Output is what the process wrote so far.
func (p *Process) Output() string { return p.output.String() }

// Run runs a program to its end, for at most limit, and returns what it wrote to
// its standard output.
func Run(t testing.TB, limit time.Duration, c Command) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, Tool(t, c.Name), c.Args...)
	command.Dir, command.Env = c.Dir, append(os.Environ(), c.Env...)
	command.Stdin = bytes.NewReader([]byte(c.Stdin))
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = grace
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", c.Name, err, &stdout, &stderr)
	}
	return stdout.String()
}

// Tool returns the path of a program. A program that is missing fails the test.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; run tools/interop/install.sh", name)
	}
	return path
}

// FreePort returns a port of the loopback interface that nothing listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// WaitForPort waits until something listens on a port of the loopback interface.
func WaitForPort(t testing.TB, p *Process, port string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		connection, err := net.DialTimeout("tcp4", "127.0.0.1:"+port, time.Second)
		if err == nil {
			_ = connection.Close()
			return
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended before it listened:\n%s", p.command.Path, p.output)
		default:
		}
	}
	t.Fatalf("%s does not listen on port %s:\n%s", p.command.Path, port, p.output)
}

// buffer keeps the first MiB that is written.
type buffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes.Len() < 1<<20 {
		b.bytes.Write(p)
	}
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}
