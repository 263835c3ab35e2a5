// Package redistest starts real Redis servers for tests: single ones, a
// Cluster, and Sentinel with a replica. They listen on free ports of the
// loopback interface and end with the test, or with the test process. All kinds of
// servers are started in server.go; network.go has the faults between a client and
// its servers.
package redistest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/faulttest"
)

// Server is a redis-server process.
type Server struct {
	Addr string

	t    testing.TB
	args []string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Start starts a server with options such as "--appendonly", "yes" on top of
// ones that keep nothing on disk, and waits until it answers.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	port, dir := faulttest.FreePort(t), t.TempDir()
	return start(t, port, dir, append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--loglevel", "warning",
	}, options...)...)
}

func start(t testing.TB, port, dir string, args ...string) *Server {
	t.Helper()
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), t: t, args: args, log: filepath.Join(dir, "log")}
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
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("redis-server is missing: run tools/scripts/install-test-servers.sh")
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
		s.t.Fatalf("redis-server does not answer: %v\n%s", err, text)
	}
}

// ping speaks to the server without a client, whose pool and retries would
// blur what is tested.
func (s *Server) ping() error {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil || !bytes.HasPrefix(answer[:n], []byte("+PONG")) {
		return fmt.Errorf("PING: %q, %v", answer[:n], err)
	}
	return nil
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

// Client returns a client of this server, closed when the test ends. change
// may be nil.
func (s *Server) Client(change func(*goredis.Options)) *goredis.Client {
	return Client(s.t, s.Addr, change)
}

// Client returns a client of an address, closed when the test ends. change may
// be nil.
func Client(t testing.TB, addr string, change func(*goredis.Options)) *goredis.Client {
	options := &goredis.Options{Addr: addr}
	if change != nil {
		change(options)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Do runs a command that must succeed, and returns its answer as text.
func (s *Server) Do(args ...any) string {
	s.t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer client.Close()
	answer, err := client.Do(s.t.Context(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return fmt.Sprint(answer)
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

// Cluster is a Redis Cluster of three masters.
type Cluster struct {
	Servers []*Server
	t       testing.TB
}

const slots = 16384

// StartCluster starts three masters that share the slots, and waits until all
// of them agree. More options as for [Start].
func StartCluster(t testing.TB, options ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range 3 {
		c.Servers = append(c.Servers, Start(t, append(slices.Clip(options), "--cluster-enabled", "yes",
			"--cluster-port", faulttest.FreePort(t), "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")...))
	}
	for i, server := range c.Servers {
		server.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/3, (i+1)*slots/3-1)
		if i > 0 {
			_, port, _ := net.SplitHostPort(c.Servers[0].Addr)
			server.Do("CLUSTER", "MEET", "127.0.0.1", port, busPort(c.Servers[0]))
		}
	}
	err := Poll(time.Minute, func() error {
		for _, server := range c.Servers {
			info := server.Do("CLUSTER", "INFO")
			for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"} {
				if !bytes.Contains([]byte(info), []byte(want)) {
					return fmt.Errorf("no %s in %s", want, info)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func busPort(s *Server) string { return s.args[slices.Index(s.args, "--cluster-port")+1] }

// Addrs returns the addresses of the masters.
func (c *Cluster) Addrs() []string { return addrs(c.Servers) }

func addrs(servers []*Server) []string {
	var all []string
	for _, server := range servers {
		all = append(all, server.Addr)
	}
	return all
}

// Client returns a client of the Cluster, closed when the test ends. change may
// be nil.
func (c *Cluster) Client(change func(*goredis.ClusterOptions)) *goredis.ClusterClient {
	options := &goredis.ClusterOptions{Addrs: c.Addrs()}
	if change != nil {
		change(options)
	}
	client := goredis.NewClusterClient(options)
	c.t.Cleanup(func() { _ = client.Close() })
	return client
}

// MoveSlot moves a slot with its keys, key by key, as an operator's tool does.
func (c *Cluster) MoveSlot(slot string, from, to *Server) {
	c.t.Helper()
	fromID, toID := from.Do("CLUSTER", "MYID"), to.Do("CLUSTER", "MYID")
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	host, port, _ := net.SplitHostPort(to.Addr)
	client := goredis.NewClient(&goredis.Options{Addr: from.Addr})
	defer client.Close()
	for {
		keys, err := client.Do(c.t.Context(), "CLUSTER", "GETKEYSINSLOT", slot, 100).StringSlice()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		command := []any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}
		for _, key := range keys {
			command = append(command, key)
		}
		from.Do(command...)
	}
	for _, server := range append([]*Server{to, from}, c.Servers...) {
		server.Do("CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
}

// Sentinel is a master and a replica that three Sentinels watch.
type Sentinel struct {
	Master, Replica *Server
	Sentinels       []*Server
	t               testing.TB
}

// MasterName is the name of the master at the Sentinels.
const MasterName = "main"

// StartSentinel starts a master, a replica in step with it, and three
// Sentinels. More options, for both servers, as for [Start].
func StartSentinel(t testing.TB, options ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{t: t, Master: Start(t, options...)}
	host, port, _ := net.SplitHostPort(s.Master.Addr)
	s.Replica = Start(t, append(slices.Clip(options), "--replicaof", host+" "+port)...)
	if err := Poll(time.Minute, func() error {
		if info := s.Replica.Do("INFO", "replication"); !bytes.Contains([]byte(info), []byte("master_link_status:up")) {
			return fmt.Errorf("the replica is not in step: %s", info)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		dir, own := t.TempDir(), faulttest.FreePort(t)
		file := filepath.Join(dir, "sentinel.conf")
		config := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor %s %s %s 2\n"+
			"sentinel down-after-milliseconds %[3]s 500\nsentinel failover-timeout %[3]s 3000\n", own, dir, MasterName, host, port)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Sentinels = append(s.Sentinels, start(t, own, dir, file, "--sentinel"))
	}
	if err := Poll(time.Minute, func() error {
		for _, sentinel := range s.Sentinels {
			info := sentinel.Do("INFO", "sentinel")
			if !bytes.Contains([]byte(info), []byte("status=ok")) || !bytes.Contains([]byte(info), []byte("slaves=1,sentinels=3")) {
				return fmt.Errorf("the sentinels do not know each other: %s", info)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Addrs returns the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

// Client returns a client that asks the Sentinels for the master, closed when
// the test ends. change may be nil.
func (s *Sentinel) Client(change func(*goredis.FailoverOptions)) *goredis.Client {
	options := &goredis.FailoverOptions{MasterName: MasterName, SentinelAddrs: s.Addrs()}
	if change != nil {
		change(options)
	}
	client := goredis.NewFailoverClient(options)
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}

// WaitForFailover waits until the replica is a master.
func (s *Sentinel) WaitForFailover() {
	s.t.Helper()
	if err := Poll(time.Minute, func() error {
		if info := s.Replica.Do("INFO", "replication"); !bytes.Contains([]byte(info), []byte("role:master")) {
			return fmt.Errorf("no fail-over: %s", info)
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}
