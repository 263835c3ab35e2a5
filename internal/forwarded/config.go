package forwarded

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// Config says where scheme and host of a request's URL come from. With the zero
// Config they come from the connection and the Host header field.
type Config struct {
	// External is the base URL under which clients know the server, such as
	// "https://api.example.com" or "https://example.com/api". Scheme, host and
	// path prefix of every request are then these, whatever the request says.
	// No query, fragment or credentials. Not together with Fields or Hosts.
	External string
	// Trusted are the addresses of the proxies that are believed. Together they
	// hold all addresses of IPv4 or of IPv6 only where TrustAny is set.
	Trusted  []netip.Prefix
	TrustAny bool
	// TrustUnix trusts every peer on a Unix socket, and the node "unix:" in
	// X-Forwarded-For.
	TrustUnix bool
	// Fields are the header fields that the trusted proxies write: Forwarded, or
	// some of X-Forwarded-For, -Proto, -Host and -Port. A request of a trusted
	// peer with one of them must have all; others are ignored.
	//
	// Without Fields, what is there counts: X-Forwarded-For and -Proto, and
	// -Host and -Port if Hosts is set; where none of these is there, Forwarded,
	// its host parameter only if Hosts is set.
	Fields []string
	// Hosts are the hosts, with port if it is not the default one, under which
	// clients know the server. Every URL must have one of them, with and without
	// proxies. Without Hosts any host will do.
	Hosts []string
}

// ConfigError says what is wrong with a Config. Field is the name of the field
// of verifier.Config that it comes from.
type ConfigError struct{ Field, Problem string }

func (e *ConfigError) Error() string { return "forwarded: " + e.Field + " " + e.Problem }

// fields says which header fields count.
type fields struct {
	standard, node, scheme, host, port bool
	// all that count must be there when one is.
	all bool
}

// New returns the Policy that config describes. The error is a [*ConfigError].
func New(config Config) (*Policy, error) {
	p := &Policy{unix: config.TrustUnix}
	for _, step := range []func(*Config) error{p.applyExternal, p.applyTrusted, p.applyFields, p.applyHosts} {
		if err := step(&config); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Policy) applyExternal(config *Config) error {
	switch {
	case config.External == "":
		return nil
	case len(config.Fields) > 0:
		return &ConfigError{"ProxyFields", "has no effect with Config.ExternalURL; set one of them"}
	case len(config.Hosts) > 0:
		return &ConfigError{"ExternalHosts", "has no effect with Config.ExternalURL; set one of them"}
	}
	external, err := htu.Normalize(config.External)
	if err != nil || strings.ContainsAny(config.External, "?#") {
		return &ConfigError{"ExternalURL", "is not an absolute http or https URL without credentials, query and fragment"}
	}
	p.external = strings.TrimSuffix(external, "/")
	_, rest, _ := strings.Cut(p.external, "://")
	p.prefixed = strings.Contains(rest, "/")
	return nil
}

var (
	anyIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	anyIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

func (p *Policy) applyTrusted(config *Config) error {
	for _, prefix := range config.Trusted {
		if prefix.Addr().Is4In6() {
			// Addresses are compared in their IPv4 form.
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		if !prefix.IsValid() {
			return &ConfigError{"TrustedProxies", "has an invalid prefix"}
		}
		p.trusted = append(p.trusted, prefix.Masked())
	}
	everybody := covered(anyIPv4, p.trusted) || covered(anyIPv6, p.trusted)
	switch {
	case everybody && !config.TrustAny:
		return &ConfigError{"TrustedProxies", "trusts every address, so that every client can choose its URL and its certificate; " +
			"list the addresses of the proxies, or set Config.TrustAnyPeer where nothing else can reach this server"}
	case !everybody && config.TrustAny:
		return &ConfigError{"TrustAnyPeer", "needs 0.0.0.0/0 or ::/0 in Config.TrustedProxies"}
	}
	return nil
}

// covered reports whether list holds every address of prefix.
func covered(prefix netip.Prefix, list []netip.Prefix) bool {
	inside := false
	for _, p := range list {
		if p.Bits() <= prefix.Bits() && p.Contains(prefix.Addr()) {
			return true
		}
		inside = inside || prefix.Overlaps(p)
	}
	if !inside {
		return false
	}
	bits := prefix.Bits() + 1
	low := netip.PrefixFrom(prefix.Addr(), bits)
	return covered(low, list) && covered(sibling(low), list)
}

// sibling returns the other half of the prefix that is one bit shorter.
func sibling(p netip.Prefix) netip.Prefix {
	raw := p.Addr().AsSlice()
	raw[(p.Bits()-1)/8] ^= 1 << (7 - (p.Bits()-1)%8)
	address, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(address, p.Bits())
}

func (p *Policy) applyFields(config *Config) error {
	if len(config.Fields) == 0 {
		known := len(config.Hosts) > 0
		p.fields = fields{standard: true, node: true, scheme: true, host: known, port: known}
		return nil
	}
	if len(config.Trusted) == 0 && !config.TrustUnix {
		return &ConfigError{"ProxyFields", "has no effect without Config.TrustedProxies or Config.TrustUnixPeers"}
	}
	p.fields.all = true
	for _, name := range config.Fields {
		switch http.CanonicalHeaderKey(name) {
		case fieldForwarded:
			p.fields.standard = true
		case fieldFor:
			p.fields.node = true
		case fieldProto:
			p.fields.scheme = true
		case fieldHost:
			p.fields.host = true
		case fieldPort:
			p.fields.port = true
		default:
			return &ConfigError{"ProxyFields", "has an entry that is not Forwarded, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host or X-Forwarded-Port"}
		}
	}
	if p.fields.standard && p.fields.custom() {
		return &ConfigError{"ProxyFields", "has Forwarded and X-Forwarded fields; name those of one family, which every proxy must write"}
	}
	return nil
}

func (f fields) custom() bool { return f.node || f.scheme || f.host || f.port }

func (p *Policy) applyHosts(config *Config) error {
	for _, host := range config.Hosts {
		for _, scheme := range [...]string{"http", "https"} {
			origin, ok := source{scheme, host}.origin()
			if !ok || strings.HasSuffix(host, ":") {
				return &ConfigError{"ExternalHosts", "has an entry that is not a host with an optional port, such as api.example.com or localhost:8080"}
			}
			if p.origins == nil {
				p.origins = make(map[string]bool, 2*len(config.Hosts))
			}
			p.origins[origin] = true
		}
	}
	return nil
}
