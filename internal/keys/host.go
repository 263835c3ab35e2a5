package keys

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
)

// ErrHost says that a text is not a host with an optional port.
var ErrHost = errors.New("keys: not a host name or IP address with an optional port")

// KeysHostError says that metadata places the keys where they must not be.
type KeysHostError struct {
	// Host on which the keys are, in normal form, or "" when their URL is none
	// that is ever fetched.
	Host string
}

func (e *KeysHostError) Error() string {
	if e.Host == "" {
		return "keys: jwks_uri is not a URL that is fetched"
	}
	return "keys: the key set is on a host that is not allowed: " + e.Host
}

// hostPolicy says which hosts keys are fetched from. Sources share it.
type hostPolicy struct {
	keys []string
	http *fetch.HTTP
}

// noHosts is the policy of most sources; it is never changed.
var noHosts = &hostPolicy{http: fetch.NewHTTP()}

func newHostPolicy(keyHosts, httpHosts []string) (*hostPolicy, error) {
	if len(keyHosts)+len(httpHosts) == 0 {
		return noHosts, nil
	}
	p := &hostPolicy{}
	for _, text := range keyHosts {
		host, err := ParseHost(text)
		if err != nil {
			return nil, &ConfigError{Field: FieldHosts, Entry: text, Err: err}
		}
		p.keys = append(p.keys, host)
	}
	slices.Sort(p.keys)
	p.keys = slices.Compact(p.keys)
	for _, text := range httpHosts {
		if _, err := ParseHost(text); err != nil {
			return nil, &ConfigError{Field: FieldHTTP, Entry: text, Err: err}
		}
	}
	p.http = fetch.NewHTTP(httpHosts...)
	return p, nil
}

// checkURL accepts https URLs, and http ones where that is allowed.
func (p *hostPolicy) checkURL(raw string, http *fetch.HTTP) (*url.URL, error) {
	u, err := http.Check(raw)
	if err == nil {
		return u, nil
	}
	if u, err := url.Parse(raw); err == nil && u.Scheme == "http" && u.Hostname() != "" {
		return nil, ErrHTTP
	}
	return nil, ErrURL
}

// checkKeys allows key sets on the host of the metadata and on those that the
// configuration names: metadata is data, not authority over our network. A
// document that was fetched over https leads to https only.
func (s *Source) checkKeys(raw string) error {
	u, err := s.policy.checkURL(raw, s.http())
	if err != nil {
		return &KeysHostError{}
	}
	if host := hostOf(u); hostOnly(host) != hostOnly(s.host) && !slices.Contains(s.policy.keys, host) {
		return &KeysHostError{Host: host}
	}
	return nil
}

// http says where http may be fetched: nowhere, unless the source itself is http.
func (s *Source) http() *fetch.HTTP {
	if strings.HasPrefix(s.url, "http:") {
		return s.policy.http
	}
	return nil
}

// ParseHost returns the normal form of a host that somebody wrote into a
// configuration: lower case, without the default port of https and without the
// dot at the end. An IPv6 address may be given with or without brackets. Schemes,
// paths, credentials, wildcards and white space are refused.
func ParseHost(text string) (string, error) {
	if a, _ := netip.ParseAddr(text); a.Is6() && a.Zone() == "" {
		text = "[" + text + "]"
	}
	if strings.ContainsAny(text, "/ \t\r\n@") {
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
	if a, _ := netip.ParseAddr(strings.Trim(name, "[]")); a.Is6() {
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
