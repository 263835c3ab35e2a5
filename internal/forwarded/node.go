package forwarded

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// node is who asked a proxy. The zero node is unstated, unknown or obfuscated.
type node struct {
	address netip.Addr
	unix    bool
}

var errNode = errors.New("forwarded: malformed node")

func (p *Policy) trustsNode(n node) bool {
	return n.unix && p.unix || n.address.IsValid() && p.trusts(n.address)
}

// parseNode reads a node (RFC 7239, Section 6), or the forms that
// X-Forwarded-For has: addresses with or without brackets and port, and "unix:"
// for a client on a Unix socket, with its path or without.
func parseNode(text string) (node, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return node{address: address}, nil
	}
	if strings.HasPrefix(text, "unix:") {
		return node{unix: true}, nil
	}
	name, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		name, port = text[:i], text[i+1:]
		if !validPort(port) && !obfuscated(port) {
			return node{}, errNode
		}
	}
	if strings.EqualFold(name, "unknown") || obfuscated(name) {
		return node{}, nil
	}
	bracketed := strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]")
	if bracketed {
		name = name[1 : len(name)-1]
	}
	address, err := netip.ParseAddr(name)
	if err != nil || bracketed != address.Is6() {
		return node{}, errNode
	}
	return node{address: address}, nil
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
