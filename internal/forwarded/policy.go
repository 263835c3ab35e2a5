// Package forwarded finds out which URL a client asked for when proxies stand
// between it and the server.
package forwarded

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// Errors of the package; they hold nothing of the request.
var (
	// ErrConfig says that a Config cannot be used.
	ErrConfig = errors.New("forwarded: invalid external URL or trusted proxies")
	// ErrRequest says that the request line or the Host of a request name no
	// http or https URL.
	ErrRequest = errors.New("forwarded: request has no usable URL")
	// ErrForwarding says that a trusted proxy sent malformed or contradictory
	// forwarding header fields.
	ErrForwarding = errors.New("forwarded: malformed or contradictory forwarding header fields")
)

// Config says where scheme and host of a request's URL come from. With the zero
// Config they come from the connection and the Host header field.
type Config struct {
	// External is the base URL under which clients know the server, such as
	// "https://api.example.com" or "https://example.com/api". Scheme, host and
	// path prefix of every request are then these, whatever the request says.
	// No query, fragment or credentials. Not together with Trusted.
	External string
	// Trusted are the addresses of the proxies whose Forwarded and
	// X-Forwarded-* header fields are believed.
	Trusted []netip.Prefix
}

// Policy determines request URLs. Safe for concurrent use.
type Policy struct {
	external string // normal form without a final slash, or ""
	trusted  []netip.Prefix
}

// New returns the Policy that config describes, or [ErrConfig].
func New(config Config) (*Policy, error) {
	p := new(Policy)
	if config.External != "" {
		external, err := htu.Normalize(config.External)
		if err != nil || strings.ContainsAny(config.External, "?#") || len(config.Trusted) > 0 {
			return nil, ErrConfig
		}
		p.external = strings.TrimSuffix(external, "/")
	}
	for _, prefix := range config.Trusted {
		if prefix.Addr().Is4In6() {
			// Addresses are compared in their IPv4 form.
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		if !prefix.IsValid() {
			return nil, ErrConfig
		}
		p.trusted = append(p.trusted, prefix.Masked())
	}
	return p, nil
}

// RequestURL returns the absolute URL that the client of r asked for, with the
// path and query exactly as the request line has them (Request.RequestURI), so
// that a handler that rewrote r.URL changes nothing. A request that did not
// come through a server, without RequestURI, gives those of r.URL. It does not
// change r.
//
// Scheme and host are, in normal form:
//   - those of Config.External, when set; its path goes in front;
//   - when the peer (Request.RemoteAddr) is a trusted proxy: what the outermost
//     trusted proxy wrote into Forwarded (RFC 7239) or X-Forwarded-Host and
//     X-Forwarded-Proto. What it did not write comes from the connection;
//   - else https when the connection has TLS, or http, and Request.Host. The
//     forwarding fields of other peers are ignored.
//
// The outermost trusted proxy is found by walking from the peer outwards: each
// element of Forwarded, or of the X-Forwarded-* lists, was written by one hop
// and names the address it was asked from; as long as that address is trusted,
// the next element to the left was written by a trusted hop too. An "unknown"
// or obfuscated address, and the end of the list, end the walk. Without
// X-Forwarded-For the last elements count. X-Forwarded-Port counts where
// X-Forwarded-Host names no port.
//
// [ErrForwarding], from a trusted peer only: malformed fields or addresses, a
// scheme other than http and https, X-Forwarded-* lists of different lengths,
// more than 8 KiB, and Forwarded beside X-Forwarded-* when they give different
// results: a proxy that writes one family may pass on the other from the
// client. Trusted proxies must overwrite or remove what clients send of the
// fields they do not append to.
//
// [ErrRequest]: no Host or an invalid one, or a request target that is no path,
// such as that of CONNECT.
func (p *Policy) RequestURL(r *http.Request) (string, error) {
	target, err := targetOf(r)
	if err != nil {
		return "", err
	}
	if p.external != "" {
		return p.external + target, nil
	}
	direct := source{scheme: "http", host: r.Host}
	if r.TLS != nil {
		direct.scheme = "https"
	}
	if p.trusts(peerOf(r)) {
		origin, found, err := p.forwardedOrigin(r.Header, direct)
		if err != nil {
			return "", err
		}
		if found {
			return origin + target, nil
		}
	}
	origin, ok := direct.origin()
	if !ok {
		return "", ErrRequest
	}
	return origin + target, nil
}

// targetOf returns path and query of the request target (RFC 9112, Section
// 3.2), which begin with "/" or "?" or are empty.
func targetOf(r *http.Request) (string, error) {
	target := r.RequestURI
	switch {
	case target == "" && r.URL != nil:
		target = r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
	case target == "*":
		// Asterisk-form: path and query are empty (RFC 9112, Section 3.3).
		return "", nil
	case !strings.HasPrefix(target, "/"):
		// Absolute-form: the host is in r.Host already.
		_, rest, found := strings.Cut(target, "://")
		if !found {
			return "", ErrRequest
		}
		target = ""
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			target = rest[i:]
		}
	}
	// A fragment is no part of a request target: a handler takes "#" for a
	// character of the path, a comparison of URLs for the end of it.
	if target != "" && target[0] != '/' && target[0] != '?' || strings.Contains(target, "#") {
		return "", ErrRequest
	}
	return target, nil
}

// peerOf returns the address of the peer, or the zero Addr when it has none,
// as on a Unix socket.
func peerOf(r *http.Request) netip.Addr {
	if addressPort, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return addressPort.Addr()
	}
	address, err := netip.ParseAddr(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

func (p *Policy) trusts(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, prefix := range p.trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// source is a scheme and a host with an optional port.
type source struct{ scheme, host string }

// origin returns "scheme://host:port" in normal form.
func (s source) origin() (origin string, ok bool) {
	if strings.ContainsAny(s.host, "/?#") {
		return "", false
	}
	normal, err := htu.Normalize(s.scheme + "://" + s.host + "/")
	if err != nil {
		return "", false
	}
	return strings.TrimSuffix(normal, "/"), true
}
