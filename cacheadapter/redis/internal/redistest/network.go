package redistest

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// Network is what lies between one client and all its servers: a proxy for
// each address. It is closed by its maker.
type Network struct {
	mu      sync.Mutex
	proxies map[string]*faultproxy.Proxy
	broken  bool
	hanging bool
}

// Dial is the Dialer of a client.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	proxy, err := n.proxy(addr)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", proxy.Addr)
}

func (n *Network) proxy(addr string) (*faultproxy.Proxy, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken {
		return nil, errors.New("redistest: the network is down")
	}
	if proxy := n.proxies[addr]; proxy != nil {
		return proxy, nil
	}
	proxy, err := faultproxy.New(addr)
	if err != nil {
		return nil, err
	}
	if n.proxies == nil {
		n.proxies = make(map[string]*faultproxy.Proxy)
	}
	if n.hanging {
		proxy.Hang()
	}
	n.proxies[addr] = proxy
	return proxy, nil
}

// each runs f for every proxy after it has set the state.
func (n *Network) each(set func(), f func(*faultproxy.Proxy)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	set()
	for _, proxy := range n.proxies {
		f(proxy)
	}
}

// Break cuts all connections until repair is called.
func (n *Network) Break() (repair func()) {
	n.each(func() { n.broken = true }, (*faultproxy.Proxy).Reset)
	return func() { n.each(func() { n.broken = false }, func(*faultproxy.Proxy) {}) }
}

// Hang lets nothing pass until release is called.
func (n *Network) Hang() (release func()) {
	n.each(func() { n.hanging = true }, func(p *faultproxy.Proxy) { p.Hang() })
	return func() { n.each(func() { n.hanging = false }, (*faultproxy.Proxy).Release) }
}

// Close ends all proxies.
func (n *Network) Close() {
	n.each(func() { n.broken = true }, (*faultproxy.Proxy).Close)
}
