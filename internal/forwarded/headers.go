package forwarded

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// maxFieldBytes bounds each forwarding field, all its lines together.
const maxFieldBytes = 8 << 10

// hop is what one proxy wrote. Fields it did not write are empty.
type hop struct{ node, scheme, host string }

// forwardedOrigin returns the origin that the outermost trusted proxy wrote;
// found is false when there are no forwarding fields.
func (p *Policy) forwardedOrigin(header http.Header, direct source) (origin string, found bool, err error) {
	for _, parse := range []func(http.Header) ([]hop, error){standardHops, customHops} {
		hops, err := parse(header)
		if err != nil {
			return "", false, err
		}
		if len(hops) == 0 {
			continue
		}
		got, err := p.originOf(hops, direct)
		if err != nil || found && got != origin {
			return "", false, ErrForwarding
		}
		origin, found = got, true
	}
	return origin, found, nil
}

// originOf walks over hops, of which the peer wrote the last one.
func (p *Policy) originOf(hops []hop, direct source) (string, error) {
	i := len(hops) - 1
	for {
		address, err := parseNode(hops[i].node)
		if err != nil {
			return "", err
		}
		if i == 0 || !p.trusts(address) {
			break
		}
		i--
	}
	if hops[i].scheme != "" {
		direct.scheme = strings.ToLower(hops[i].scheme)
		if direct.scheme != "http" && direct.scheme != "https" {
			return "", ErrForwarding
		}
	}
	if hops[i].host != "" {
		direct.host = hops[i].host
	}
	origin, ok := direct.origin()
	if !ok {
		return "", ErrForwarding
	}
	return origin, nil
}

// parseNode reads the address of a node (RFC 7239, Section 6), or the forms
// that X-Forwarded-For has: addresses with or without brackets and port. An
// unstated, unknown or obfuscated node is the zero Addr, which nobody trusts.
func parseNode(node string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(node); err == nil {
		return address, nil
	}
	name, port := node, ""
	if i := strings.LastIndexByte(node, ':'); i > strings.LastIndexByte(node, ']') {
		name, port = node[:i], node[i+1:]
		if !validPort(port) && !obfuscated(port) {
			return netip.Addr{}, ErrForwarding
		}
	}
	if name == "" && port == "" || strings.EqualFold(name, "unknown") || obfuscated(name) {
		return netip.Addr{}, nil
	}
	bracketed := strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]")
	if bracketed {
		name = name[1 : len(name)-1]
	}
	address, err := netip.ParseAddr(name)
	if err != nil || bracketed != address.Is6() {
		return netip.Addr{}, ErrForwarding
	}
	return address, nil
}

// obfuscated recognises "_" 1*( ALPHA / DIGIT / "." / "_" / "-").
func obfuscated(s string) bool {
	if len(s) < 2 || s[0] != '_' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// customHops reads the X-Forwarded-* fields; there are no hops when there are
// no such fields.
func customHops(header http.Header) ([]hop, error) {
	lists := make([][]string, 4)
	length := 0
	for i, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"} {
		lines := header.Values(name)
		if len(lines) == 0 {
			continue
		}
		field := strings.Join(lines, ",")
		if len(field) > maxFieldBytes {
			return nil, ErrForwarding
		}
		lists[i] = strings.Split(field, ",")
		// Which hop wrote which element is known only when all wrote all.
		if length != 0 && len(lists[i]) != length {
			return nil, ErrForwarding
		}
		length = len(lists[i])
	}
	hops := make([]hop, length)
	for i := range hops {
		var values [4]string
		for j, list := range lists {
			if list == nil {
				continue
			}
			if values[j] = strings.Trim(list[i], " \t"); values[j] == "" {
				return nil, ErrForwarding
			}
		}
		hops[i] = hop{node: values[0], scheme: values[1], host: withPort(values[2], values[3])}
	}
	return hops, nil
}

// withPort appends port to a host that has none.
func withPort(host, port string) string {
	if host == "" || port == "" || strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":" + port
}
