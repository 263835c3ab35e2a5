package fetch

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// HTTP says where documents may be fetched, and forms sent, without TLS: on
// loopback ("localhost" and the addresses of RFC 1122, Section 3.2.1.3, and RFC
// 4291, Section 2.5.3) and on hosts that are listed. A nil *HTTP allows it
// nowhere. It is immutable.
type HTTP struct{ hosts map[string]bool }

// NewHTTP allows http on loopback and on these hosts: names or addresses, with a
// port or, for every port, without.
func NewHTTP(hosts ...string) *HTTP {
	h := &HTTP{hosts: make(map[string]bool, len(hosts))}
	for _, host := range hosts {
		h.hosts[strings.ToLower(host)] = true
	}
	return h
}

// Check accepts absolute URLs with a host and without credentials and fragment,
// of https, or of http where h allows it. The error is an *Error of the kind
// BadURL.
func (h *HTTP) Check(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, &Error{Kind: BadURL}
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && h.allows(u)) {
		return nil, &Error{Kind: BadURL, Host: hostOf(u)}
	}
	return u, nil
}

// CheckLink is Check for a URL that a document names, such as jwks_uri: a
// document that came over https never leads to http. from is where it came from.
func (h *HTTP) CheckLink(from, raw string) (*url.URL, error) {
	if u, err := url.Parse(from); err != nil || u.Scheme != "http" {
		h = nil
	}
	return h.Check(raw)
}

// CheckURL accepts absolute https URLs with a host and without credentials and
// fragment.
func CheckURL(raw string) (*url.URL, error) { return (*HTTP)(nil).Check(raw) }

func (h *HTTP) allows(u *url.URL) bool {
	if h == nil {
		return false
	}
	name := strings.ToLower(u.Hostname())
	if name == "localhost" {
		return true
	}
	if address, _ := netip.ParseAddr(name); address.Unmap().IsLoopback() {
		return true
	}
	return h.hosts[name] || h.hosts[strings.ToLower(u.Host)]
}

// Origin returns scheme, host and port in one spelling (RFC 6454, Section 4).
func Origin(u *url.URL) string {
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port(u))
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// hostOf returns the host of a URL for errors, or "" when it has characters
// that names and addresses do not have.
func hostOf(u *url.URL) string {
	name := strings.ToLower(u.Hostname())
	if address, err := netip.ParseAddr(name); err == nil && address.Zone() == "" {
		name = address.String()
		if address.Is6() {
			name = "[" + name + "]"
		}
	} else if !hostName(name) {
		return ""
	}
	if p := u.Port(); p != "" && p != port(&url.URL{Scheme: u.Scheme}) && len(p) <= 5 {
		name += ":" + p
	}
	return name
}

// hostName accepts what a DNS name can look like (RFC 1035, Section 2.3.4), with
// the underscore that some have.
func hostName(name string) bool {
	if name == "" || len(name) > 254 {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
