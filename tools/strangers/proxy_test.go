package strangers

import (
	"context"
	"errors"
	"net"
	"sync"
)

// network is the connections of one client. They can be cut, or stand still.
type network struct {
	mu    sync.Mutex
	down  bool
	still chan struct{}
	conns map[*conn]bool
}

var errCut = errors.New("the network is down")

func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	down, still := n.down, n.still
	n.mu.Unlock()
	if still != nil {
		select {
		case <-still:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if down {
		return nil, errCut
	}
	var d net.Dialer
	inner, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, n: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = make(map[*conn]bool)
	}
	n.conns[c] = true
	return c, nil
}

// cut closes all connections and refuses new ones.
func (n *network) cut() (repair func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for c := range n.conns {
		_ = c.Conn.Close()
	}
	clear(n.conns)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.down = false
	}
}

// hang lets nothing be read any more.
func (n *network) hang() (release func()) {
	still := make(chan struct{})
	n.mu.Lock()
	n.still = still
	n.mu.Unlock()
	return sync.OnceFunc(func() {
		n.mu.Lock()
		n.still = nil
		n.mu.Unlock()
		close(still)
	})
}

type conn struct {
	net.Conn
	n *network
}

// Read holds back what arrives while the network stands still.
func (c *conn) Read(p []byte) (int, error) {
	k, err := c.Conn.Read(p)
	c.n.mu.Lock()
	still := c.n.still
	c.n.mu.Unlock()
	if still != nil {
		<-still
	}
	return k, err
}
