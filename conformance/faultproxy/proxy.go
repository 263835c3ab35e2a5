// Package faultproxy is a TCP proxy that misbehaves on request. It stands between
// a client and a real server, so that the harness of a conformance suite can break
// one client and no other: [Proxy.Break] and [Proxy.Hang] are what the fields Break
// and Hang of a harness ask for.
//
//	proxy := faultproxy.Start(t, server)
//	client := connect(proxy.Addr)
//	release := proxy.Hang()
//
// Deadlines of connections and of contexts work as with a server that hangs, since
// all connections are real.
package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on to a server and misbehaves on request. It is safe
// for concurrent use.
type Proxy struct {
	// Addr is the address to connect to, such as "127.0.0.1:4321".
	Addr string

	target   string
	listener net.Listener
	group    sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuses bool
	delay   time.Duration // of answers
	hanging chan struct{} // not nil: nothing passes until it is closed
	lose    int           // answers left to lose
	lost    int
}

// New starts a proxy for the server at an address. It is to be closed.
func New(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: listener.Addr().String(), target: target, listener: listener, conns: make(map[net.Conn]bool)}
	p.group.Go(p.accept)
	return p, nil
}

// Start starts a proxy that ends with the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := New(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Close ends the proxy and its connections, and waits for its goroutines.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Release()
	p.Break()
	p.group.Wait()
}

// Break resets all connections and all new ones, until repair is called.
func (p *Proxy) Break() (repair func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = true
	p.reset()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refuses = false
	}
}

// Reset resets all connections; new ones work.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset()
}

func (p *Proxy) reset() {
	for conn := range p.conns {
		abort(conn)
	}
}

// Hang keeps connections, takes new ones, and passes nothing on until release
// is called.
func (p *Proxy) Hang() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hanging == nil {
		p.hanging = make(chan struct{})
	}
	return p.Release
}

// Release ends Hang. What arrived meanwhile is passed on.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hanging != nil {
		close(p.hanging)
		p.hanging = nil
	}
}

// Delay makes every answer late by d; 0 ends that.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// LoseAnswers resets the next n connections on which an answer comes, instead
// of passing it on.
func (p *Proxy) LoseAnswers(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = n
}

// Lost returns how many answers were lost.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
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
		// Beside the others: on a busy machine, those who come back all at once
		// after a fault would wait for each other's connections.
		p.group.Go(func() { p.connect(client) })
	}
}

func (p *Proxy) connect(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		abort(client)
		return
	}
	if !p.hold(client, server) {
		abort(client)
		abort(server)
		return
	}
	p.group.Go(func() { p.pass(server, client, func() bool { return true }) })
	p.pass(client, server, p.answer)
}

func (p *Proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if !p.refuses {
			p.conns[conn] = true
		}
	}
	return !p.refuses
}

// answer reports whether an answer is to be passed on, when it is time.
func (p *Proxy) answer() bool {
	p.mu.Lock()
	delay, lose := p.delay, p.lose > 0
	if lose {
		p.lose--
		p.lost++
	}
	p.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	return !lose
}

func (p *Proxy) pass(to, from net.Conn, admit func() bool) {
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
		p.mu.Lock()
		hanging := p.hanging
		p.mu.Unlock()
		if hanging != nil {
			<-hanging
		}
		if n > 0 && !admit() {
			return
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
