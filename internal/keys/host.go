package keys

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/portcullis-go/portcullis/internal/issuer"
)

// ErrHost says that a text is not a host with an optional port.
var ErrHost = errors.New("keys: not a host name or IP address with an optional port")

// ParseHost returns the normal form of a host that somebody wrote into a
// configuration: lower case, without the default port of https and without the
// dot at the end. An IPv6 address may be given with or without brackets. Schemes,
// paths, credentials, wildcards and white space are refused.
func ParseHost(text string) (string, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Is6() && a.Zone() == "" {
		text = "[" + text + "]"
	}
	if text == "" || strings.ContainsAny(text, "/ \t\r\n@") {
		return "", ErrHost
	}
	name, err := issuer.Normalize(text)
	if err != nil {
		return "", ErrHost
	}
	return normalHost(issuer.Host(name), "443"), nil
}

// hostOf returns the normal form of the host and port of a URL.
func hostOf(u *url.URL) string {
	port := "443"
	if u.Scheme == "http" {
		port = "80"
	}
	return normalHost(u.Host, port)
}

// normalHost lower-cases a host and drops the default port and the dot at the
// end of the name.
func normalHost(host, port string) string {
	name, given := splitPort(strings.ToLower(host))
	name = strings.TrimSuffix(name, ".")
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && a.Is6() {
		name = "[" + a.String() + "]"
	}
	if given == "" || given == port {
		return name
	}
	return name + ":" + given
}

// hostOnly drops the port: whoever has the certificate of a host has all of its
// ports.
func hostOnly(host string) string {
	name, _ := splitPort(host)
	return name
}

func splitPort(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i], host[i+1:]
	}
	return host, ""
}
