package fetch

import "net/netip"

// globalUnicast is all that IANA has given out for global unicast (RFC 4291,
// Section 2.4; IANA IPv6 Address Space). What is outside of it is not of the
// public internet: loopback, link-local, site-local (RFC 3879), unique local,
// multicast, IPv4-compatible (RFC 4291, Section 2.5.5.1) and IPv4-translated
// (RFC 2765, Section 2.1) addresses, and whatever is not assigned.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// translated is the well-known prefix of NAT64 (RFC 6052, Section 2.1). Such an
// address leads to the IPv4 address in its last 32 bits.
var translated = netip.MustParsePrefix("64:ff9b::/96")

// special are the blocks of the IANA special-purpose address registries (RFC
// 6890), of IPv6 those inside of globalUnicast, and multicast. Some of them can be
// reached from everywhere; no issuer is there.
var special = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.31.196.0/24"),
	netip.MustParsePrefix("192.52.193.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("192.175.48.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), // Teredo, ORCHID and others
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4 leads to an IPv4 address
	netip.MustParsePrefix("2620:4f:8000::/48"),
	netip.MustParsePrefix("3fff::/20"),
}

// Public reports whether an address is of the public internet. IPv4 addresses
// inside of IPv6 ones (mapped, and of NAT64) are judged as what they are; every
// other form of embedding is refused. Addresses with a zone are in no block, and so
// refused.
func Public(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	if translated.Contains(a) {
		bytes := a.As16()
		a = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	a = a.Unmap()
	if a.Is6() && !globalUnicast.Contains(a) {
		return false
	}
	for _, block := range special {
		if block.Contains(a) {
			return false
		}
	}
	return true
}
