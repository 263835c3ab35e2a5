package memcachetest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes connections on to a server and misbehaves on request.
type Proxy struct {
	Addr string

	target   string
	listener net.Listener
	delay    atomic.Int64 // of answers, in nanoseconds
	lose     atomic.Int64 // answers left to lose
	lost     atomic.Int64

	mu     sync.Mutex
	refuse bool
	conns  map[net.Conn]bool
	group  sync.WaitGroup
}

// StartProxy starts a proxy that ends with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), target: target, listener: listener, conns: make(map[net.Conn]bool)}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Delay(0)
		p.Reset(true)
		p.group.Wait()
	})
	return p
}

// Delay makes every answer late.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// LoseAnswers resets the next n connections that an answer comes on, instead
// of passing it.
func (p *Proxy) LoseAnswers(n int) { p.lose.Store(int64(n)) }

// Lost returns how many answers were lost.
func (p *Proxy) Lost() int { return int(p.lost.Load()) }

// Reset resets all connections, and refuses new ones until it is called with
// false.
func (p *Proxy) Reset(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
	for conn := range p.conns {
		abort(conn)
	}
}

// abort closes with RST.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			abort(client)
			continue
		}
		if !p.hold(client, server) {
			abort(client)
			abort(server)
			continue
		}
		p.group.Go(func() { p.pass(server, client, false) })
		p.group.Go(func() { p.pass(client, server, true) })
	}
}

func (p *Proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if !p.refuse {
			p.conns[conn] = true
		}
	}
	return !p.refuse
}

func (p *Proxy) pass(to, from net.Conn, answers bool) {
	defer func() {
		abort(to)
		abort(from)
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if answers && n > 0 {
			if d := time.Duration(p.delay.Load()); d > 0 {
				time.Sleep(d)
			}
			if p.lose.Add(-1) >= 0 {
				p.lost.Add(1)
				return
			}
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
