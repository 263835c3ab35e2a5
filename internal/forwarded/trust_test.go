package forwarded_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/portcullis-go/portcullis/internal/forwarded"
)

// What real proxies send on with their usual settings, when the client sends an
// X-Forwarded-For of its own, and nothing but TrustedProxies is configured.
func TestUsualProxies(t *testing.T) {
	tests := []struct{ name, fields, want string }{
		{"nginx", "X-Forwarded-For: 203.0.113.9, 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: inner.example", "https://inner.example/r"},
		{"HAProxy", "X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: inner.example", "https://inner.example/r"},
		{"Apache", "X-Forwarded-For: 203.0.113.9, 192.0.2.9\nX-Forwarded-Host: evil.example, inner.example\nX-Forwarded-Server: s\nX-Forwarded-Proto: https", "https://inner.example/r"},
		{"Caddy", "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: inner.example", "https://inner.example/r"},
		{"AWS ALB", "X-Forwarded-For: 203.0.113.9, 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Port: 443\nX-Forwarded-Host: evil.example", "https://inner.example/r"},
		{"private address of the client", "X-Forwarded-For: 10.1.2.3, 192.0.2.9\nX-Forwarded-Proto: https", "https://inner.example/r"},
		{"unknown of the client", "X-Forwarded-For: unknown, 192.0.2.9\nX-Forwarded-Proto: https", "https://inner.example/r"},
		{"garbage of the client", "X-Forwarded-For: <>, 192.0.2.9\nX-Forwarded-Proto: https", "https://inner.example/r"},
		{"CDN and load balancer", "X-Forwarded-For: 203.0.113.9, 192.0.2.9, 10.0.0.2\nX-Forwarded-Proto: https\nX-Forwarded-Port: 443", "https://inner.example/r"},
		{"two that append", "X-Forwarded-For: 203.0.113.9, 192.0.2.9, 10.0.0.2\nX-Forwarded-Proto: gopher, https, http", "https://inner.example/r"},
		{"Forwarded", "Forwarded: for=192.0.2.9;proto=wss;host=evil.example", "https://inner.example/r"},
		{"the client's Forwarded", "Forwarded: for=10.0.0.7;proto=http;host=evil.example\nX-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https", "https://inner.example/r"},
		{"the client's malformed Forwarded", "Forwarded: \"\nX-Forwarded-Proto: https", "https://inner.example/r"},
		{"the client's port", "X-Forwarded-Proto: https\nX-Forwarded-Port: 8443", "https://inner.example/r"},
		{"only the client's host", "X-Forwarded-Host: evil.example", "http://inner.example/r"},
		{"only the client's host beside Forwarded", "X-Forwarded-Host: evil.example\nForwarded: for=192.0.2.9;proto=https", "https://inner.example/r"},
		{"malformed hosts are ignored, too", "X-Forwarded-Proto: https\nX-Forwarded-Host: a b, , /", "https://inner.example/r"},
	}
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantURL(t, policy, fromProxy(t, test.fields), test.want) })
	}
}

func TestProxyFields(t *testing.T) {
	custom := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}
	tests := []struct {
		name   string
		names  []string
		fields string
		want   string // URL
		field  string // of the error instead
	}{
		{"all", custom, "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com", "https://api.example.com/r", ""},
		{"none: not through a proxy", custom, "", "http://inner.example/r", ""},
		{"no host", custom, "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https", "", "X-Forwarded-Host"},
		{"no scheme", custom, "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Host: api.example.com", "", "X-Forwarded-Proto"},
		{"no address", custom, "X-Forwarded-Host: api.example.com\nX-Forwarded-Proto: https", "", "X-Forwarded-For"},
		{"the client's Forwarded", custom, "Forwarded: host=evil.example;proto=https", "http://inner.example/r", ""},
		{"the client's port", custom, "X-Forwarded-Port: 1\nX-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com", "https://api.example.com/r", ""},
		{"the client's host", custom[:2], "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil.example", "https://inner.example/r", ""},
		{"the client's addresses", custom[1:], "X-Forwarded-For: 10.0.0.1, 10.0.0.1\nX-Forwarded-Proto: http, https\nX-Forwarded-Host: evil.example, api.example.com", "https://api.example.com/r", ""},
		{"Forwarded", []string{"Forwarded"}, "Forwarded: for=192.0.2.9;proto=https;host=api.example.com\nX-Forwarded-Host: evil.example\nX-Forwarded-Proto: http", "https://api.example.com/r", ""},
		{"the client's X-Forwarded", []string{"Forwarded"}, "X-Forwarded-Host: evil.example\nX-Forwarded-Proto: https", "http://inner.example/r", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy, r := newPolicy(t, forwarded.Config{Trusted: trusted, Fields: test.names}), fromProxy(t, test.fields)
			if test.field != "" {
				wantFieldError(t, policy, r, test.field)
				return
			}
			wantURL(t, policy, r, test.want)
		})
	}
}

func TestExternalHosts(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: trusted, Hosts: []string{"API.example.com", "alt.example:8443", "inner.example"}})
	good := []struct{ name, fields, want string }{
		{"the request's own", "X-Forwarded-Proto: https", "https://inner.example/r"},
		{"X-Forwarded-Host", "X-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com", "https://api.example.com/r"},
		{"X-Forwarded-Host with default port", "X-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com:443", "https://api.example.com/r"},
		{"X-Forwarded-Port", "X-Forwarded-Proto: https\nX-Forwarded-Host: alt.example\nX-Forwarded-Port: 8443", "https://alt.example:8443/r"},
		{"Forwarded", "Forwarded: for=192.0.2.9;host=api.example.com;proto=https", "https://api.example.com/r"},
		{"the client's Forwarded", "Forwarded: host=evil.example\nX-Forwarded-Host: api.example.com", "http://api.example.com/r"},
	}
	for _, test := range good {
		t.Run(test.name, func(t *testing.T) { wantURL(t, policy, fromProxy(t, test.fields), test.want) })
	}
	bad := map[string]string{
		"X-Forwarded-Host": "X-Forwarded-Proto: https\nX-Forwarded-Host: evil.example",
		"Forwarded":        "Forwarded: for=192.0.2.9;host=evil.example;proto=https",
		"another port":     "X-Forwarded-Host: api.example.com\nX-Forwarded-Port: 8443",
		"no port":          "X-Forwarded-Host: alt.example",
		"a longer name":    "X-Forwarded-Host: api.example.com.evil.example",
		"a final dot":      "X-Forwarded-Host: api.example.com.",
	}
	for name, fields := range bad {
		t.Run(name, func(t *testing.T) { wantError(t, policy, fromProxy(t, fields), forwarded.ErrRequest) })
	}
	direct := fromProxy(t, "")
	direct.RemoteAddr, direct.Host = "192.0.2.1:1", "api.example.com"
	wantURL(t, policy, direct, "http://api.example.com/r")
	direct.Host = "evil.example"
	wantError(t, policy, direct, forwarded.ErrRequest)
}

func TestUnixPeers(t *testing.T) {
	const fields = "X-Forwarded-For: 192.0.2.9, unix:\nX-Forwarded-Proto: https, http\nX-Forwarded-Host: api.example.com"
	policy := newPolicy(t, forwarded.Config{TrustUnix: true, Fields: []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}})
	for _, remote := range []string{"@", "@name", "/run/proxy.sock"} {
		r := fromProxy(t, fields)
		r.RemoteAddr = remote
		wantURL(t, policy, r, "https://api.example.com/r")
		wantURL(t, newPolicy(t, forwarded.Config{Trusted: trusted}), r, "http://inner.example/r")
	}
	for _, remote := range []string{"", "10.0.0.1:80", "10.0.0.1", "proxy.example:80", "x@"} {
		r := fromProxy(t, fields)
		r.RemoteAddr = remote
		wantURL(t, policy, r, "http://inner.example/r")
	}
	local := func(r *http.Request, address net.Addr) *http.Request {
		return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, address))
	}
	r := fromProxy(t, fields)
	r.RemoteAddr = "" // as on systems where such a client has no name
	wantURL(t, policy, local(r, &net.UnixAddr{Name: "/run/api.sock", Net: "unix"}), "https://api.example.com/r")
	wantURL(t, policy, local(r, &net.TCPAddr{}), "http://inner.example/r")
	r.RemoteAddr = "192.0.2.1:80" // set by a middleware: then the address counts
	wantURL(t, policy, local(r, &net.UnixAddr{Name: "/run/api.sock", Net: "unix"}), "http://inner.example/r")
}

func TestAnyPeer(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, TrustAny: true})
	r := fromProxy(t, "X-Forwarded-For: 203.0.113.9, 192.0.2.9\nX-Forwarded-Proto: https")
	r.RemoteAddr = "198.51.100.1:1"
	wantURL(t, policy, r, "https://inner.example/r")
	r.RemoteAddr = "[2001:db8::1]:1"
	wantURL(t, policy, r, "http://inner.example/r")
}
