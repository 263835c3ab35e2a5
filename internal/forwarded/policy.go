package forwarded

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// ErrRequest says that a request has no URL that can be used: its Host or its
// request target names no http or https URL, its host is not one of
// Config.Hosts, or its path leads out of Config.External. It holds nothing of
// the request.
var ErrRequest = errors.New("forwarded: request has no usable URL")

// FieldError says which header field of a trusted proxy cannot be used, and
// why. Both are fixed texts; it holds nothing of the request.
type FieldError struct {
	// Field is the name of the header field.
	Field string
	// Problem completes the sentence "the field ...".
	Problem string
}

func (e *FieldError) Error() string {
	return "forwarded: the " + e.Field + " header field " + e.Problem
}

// The problems of a FieldError.
const (
	problemMissing   = "is missing"
	problemShort     = "has fewer elements than there are proxies"
	problemMalformed = "is malformed"
	problemLong      = "is longer than 8 KiB"
	problemScheme    = "names another scheme than http and https"
	problemHost      = "names no valid host"
)

// Policy determines request URLs. Safe for concurrent use.
type Policy struct {
	external string // normal form without a final slash, or ""
	prefixed bool   // external has a path
	trusted  []netip.Prefix
	unix     bool
	fields   fields
	origins  map[string]bool // nil: any
}

// RequestURL returns the absolute URL that the client of r asked for, with the
// path and query exactly as the request line has them (Request.RequestURI), so
// that a handler that rewrote r.URL changes nothing. A request that did not
// come through a server, without RequestURI, gives those of r.URL. It does not
// change r.
//
// Scheme and host are, in normal form:
//   - those of Config.External, when set; its path goes in front, and dot
//     segments of the request target that lead out of it are refused;
//   - when the peer is a trusted proxy: what the outermost trusted proxy wrote
//     into the fields that count. What no field says comes from the connection;
//   - else https when the connection has TLS, or http, and Request.Host. The
//     forwarding fields of other peers are ignored.
//
// The outermost trusted proxy is found by walking from the peer outwards: the
// last element of X-Forwarded-For was written by the peer and names the address
// that it was asked from; as long as that address is trusted, the element to
// the left of it was written by a trusted proxy too. An untrusted, "unknown" or
// obfuscated address and the start of the list end the walk.
//
// X-Forwarded-Proto, -Host and -Port with one value were written by one of the
// trusted proxies, and count whatever the length of the walk. A list of several
// is aligned with X-Forwarded-For at its right-hand end. In Forwarded (RFC
// 7239) each element is one proxy's, and says everything that the proxy said.
// X-Forwarded-Port counts where the host names no port. The schemes ws and wss
// stand for http and https (RFC 6455, Section 4.1).
//
// [*FieldError], from a trusted peer only: an element that the walk needs is
// missing or malformed; another scheme; no valid host; more than 8 KiB. What a
// client wrote to the left of the walk is not looked at, but for the syntax of
// Forwarded as a whole. [ErrRequest]: see there.
func (p *Policy) RequestURL(r *http.Request) (string, error) {
	target, err := targetOf(r)
	if err != nil {
		return "", err
	}
	if p.external != "" {
		return p.externalURL(target)
	}
	from := source{scheme: "http", host: r.Host}
	if r.TLS != nil {
		from.scheme = "https"
	}
	if p.TrustsPeer(r) {
		if from, err = p.forwarded(canonical(r.Header), from); err != nil {
			return "", err
		}
	}
	origin, ok := from.origin()
	if !ok || p.origins != nil && !p.origins[origin] {
		return "", ErrRequest
	}
	return origin + target, nil
}

// externalURL puts the external URL in front of a target. The dot segments of
// the target are its own: they never reach into the prefix (RFC 3986, Section
// 6.2.2.3).
func (p *Policy) externalURL(target string) (string, error) {
	if p.prefixed && target != "" && target[0] == '/' {
		whole, err := htu.Normalize(p.external + target)
		if err == nil && !strings.HasPrefix(whole, p.external+"/") {
			return "", ErrRequest
		}
	}
	return p.external + target, nil
}

// TrustsPeer reports whether the peer of r is a trusted proxy: by its address
// (Request.RemoteAddr), or because it came over a Unix socket.
func (p *Policy) TrustsPeer(r *http.Request) bool {
	if addressPort, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return p.trusts(addressPort.Addr())
	}
	if address, err := netip.ParseAddr(r.RemoteAddr); err == nil {
		return p.trusts(address)
	}
	return p.unix && isUnix(r)
}

// isUnix recognises a peer on a Unix socket: an abstract or file name, which is
// "@" for a client that has none, or the server's own address.
func isUnix(r *http.Request) bool {
	if strings.HasPrefix(r.RemoteAddr, "@") || strings.HasPrefix(r.RemoteAddr, "/") {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
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
