// Package issuer normalises the names of token issuers.
package issuer

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// ErrInvalid says that a text names no issuer. It holds nothing of the text.
var ErrInvalid = errors.New("issuer: not a domain or https URL without credentials, query and fragment")

// maxLength bounds an issuer URL; a DNS name has at most 253 characters.
const maxLength = 2048

// Normalize returns the issuer URL that a domain or URL stands for.
//
// "tenant.auth0.com", "TENANT.AUTH0.COM", "https://tenant.auth0.com" and
// " tenant.auth0.com/ " are the issuer "https://tenant.auth0.com/". White space
// around is dropped, the host is lower-cased, a port is kept as written. http
// and every other scheme, credentials, queries and fragments are refused, and
// hosts that are not ASCII: an internationalised name is given by its A-label
// (RFC 5890), as it stands in certificates.
//
// An issuer with a path ("https://host/realms/one") must be written with its
// scheme; the path is kept byte by byte, a trailing slash included (RFC 8414,
// Section 3.3: issuers are compared as they are).
func Normalize(text string) (string, error) {
	text = strings.TrimFunc(text, isSpace)
	if text == "" || len(text) > maxLength {
		return "", ErrInvalid
	}
	rest, hasScheme := cutScheme(text)
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	authority = lower(authority)
	if !validAuthority(authority) {
		return "", ErrInvalid
	}
	if strings.Trim(path, "/") == "" {
		return "https://" + authority + "/", nil
	}
	if !hasScheme || !validPath(path) {
		return "", ErrInvalid
	}
	return "https://" + authority + path, nil
}

// Normalized reports whether text is in normal form already, without
// allocating for the common form "https://host/".
func Normalized(text string) bool {
	normal, err := Normalize(text)
	return err == nil && normal == text
}

func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func cutScheme(text string) (rest string, found bool) {
	const scheme = "https://"
	if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return text[len(scheme):], true
	}
	return text, false
}

func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// validAuthority accepts host and host:port, the host being a DNS-like name or
// an IP address.
func validAuthority(authority string) bool {
	host, port := authority, ""
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return false
		}
		address, err := netip.ParseAddr(authority[1:end])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return false
		}
		rest := authority[end+1:]
		return rest == "" || rest[0] == ':' && validPort(rest[1:])
	}
	if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, port = authority[:i], authority[i+1:]
		if !validPort(port) {
			return false
		}
	}
	return validHost(host)
}

// validHost accepts dot-separated labels of letters, digits, hyphen and
// underscore, of at most 63 octets each (RFC 1035, Section 2.3.4), and one
// trailing dot.
func validHost(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
			if !letter {
				return false
			}
		}
	}
	return true
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '+'
}

// validPath accepts the characters of an RFC 3986 path, without empty or dot
// segments, which would make one issuer out of two spellings.
func validPath(path string) bool {
	for _, c := range []byte(path) {
		unreserved := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !unreserved && strings.IndexByte("/-._~!$&'()*+,;=:@%", c) < 0 {
			return false
		}
	}
	segments := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	for _, segment := range segments {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// Host returns the host and port of a normalised issuer.
func Host(issuer string) string {
	host := strings.TrimPrefix(issuer, "https://")
	if i := strings.IndexByte(host, '/'); i >= 0 {
		host = host[:i]
	}
	return host
}
