// Package htu brings HTTP URLs into the normal form in which the "htu" claim
// of a DPoP proof is compared with the URL of a request (RFC 9449, Section 4.3,
// check 9).
package htu

import (
	"errors"
	"net/netip"
	"strings"
)

// ErrInvalid says that a text is no http or https URL that can be compared. It
// holds nothing of the text.
var ErrInvalid = errors.New("htu: not an http or https URL that can be compared")

// Normalize returns the normal form of an absolute http or https URL, without
// its query and fragment. Two URLs name the same target exactly when their
// normal forms are equal strings; the normal form of a normal form is itself.
// A URL that is in normal form already costs no allocation.
//
// Normalised as RFC 3986, Sections 6.2.2 and 6.2.3, say:
//   - scheme and host are lower-cased; the case of the path is kept;
//   - percent-encoded unreserved characters are decoded, the hex digits of all
//     other percent-encodings are upper-cased;
//   - dot segments are removed, after decoding; empty segments stay;
//   - an empty port and the scheme's default port are dropped; an empty path
//     becomes "/";
//   - an IPv6 address is written as RFC 5952 says. IPv4 addresses and other
//     names, a final dot included, are kept as they are.
//
// Refused with [ErrInvalid], never repaired: other schemes; user information;
// hosts of other characters than ASCII letters, digits, "-", ".", "_" and "~",
// percent-encoded ones included; IPv6 zones; ports that are no number from 0 to
// 65535 without leading zeros; incomplete percent-encodings in the path;
// backslashes and everything that is not ASCII in front of the query; spaces
// and control characters anywhere. An internationalised host is given by its
// A-labels (RFC 5890).
//
// Printable ASCII characters that RFC 3986 does not allow in a path, but that
// clients do send, such as "[" or "|", are compared as they are.
func Normalize(raw string) (string, error) {
	scheme, rest := cutScheme(raw)
	if scheme == "" {
		return "", ErrInvalid
	}
	end := strings.IndexAny(rest, "?#")
	if end < 0 {
		end = len(rest)
	}
	if !printable(rest[end:]) {
		return "", ErrInvalid
	}
	authorityLength := strings.IndexByte(rest[:end], '/')
	if authorityLength < 0 {
		authorityLength = end
	}
	rawHost, rawPort, ok := splitPort(rest[:authorityLength])
	if !ok {
		return "", ErrInvalid
	}
	rawPath := rest[authorityLength:end]

	host, ok := normalHost(rawHost)
	if !ok {
		return "", ErrInvalid
	}
	port, ok := normalPort(scheme, rawPort)
	if !ok {
		return "", ErrInvalid
	}
	path, ok := normalPath(rawPath)
	if !ok {
		return "", ErrInvalid
	}

	if raw[:len(scheme)] == scheme && host == rawHost && port == rawPort && path == rawPath {
		return raw[:len(raw)-len(rest)+end], nil
	}
	return scheme + "://" + host + port + path, nil
}

// cutScheme returns "http" or "https" and what follows "://", or an empty
// scheme.
func cutScheme(raw string) (scheme, rest string) {
	for _, scheme := range [...]string{"https", "http"} {
		n := len(scheme) + len("://")
		if len(raw) >= n && raw[len(scheme):n] == "://" && strings.EqualFold(raw[:len(scheme)], scheme) {
			return scheme, raw[n:]
		}
	}
	return "", ""
}

// printable reports whether s holds neither spaces nor control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// splitPort cuts an authority into host and port; the port keeps its colon.
func splitPort(authority string) (host, port string, ok bool) {
	from := 0
	if strings.HasPrefix(authority, "[") {
		from = strings.IndexByte(authority, ']') + 1
		if from == 0 || from < len(authority) && authority[from] != ':' {
			return "", "", false
		}
	}
	if i := strings.IndexByte(authority[from:], ':'); i >= 0 {
		return authority[:from+i], authority[from+i:], true
	}
	return authority, "", true
}

func normalHost(raw string) (host string, ok bool) {
	if strings.HasPrefix(raw, "[") {
		return normalIPv6(raw)
	}
	for i := range len(raw) {
		if !unreserved(raw[i]) {
			return "", false
		}
	}
	return strings.ToLower(raw), raw != ""
}

// normalIPv6 takes an address in brackets.
func normalIPv6(raw string) (host string, ok bool) {
	address, err := netip.ParseAddr(raw[1 : len(raw)-1])
	if err != nil || !address.Is6() || address.Zone() != "" {
		return "", false
	}
	// The buffer stays on the stack: an address in normal form costs nothing.
	var buffer [len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]")]byte
	text := append(address.AppendTo(append(buffer[:0], '[')), ']')
	if string(text) == raw {
		return raw, true
	}
	return string(text), true
}

func normalPort(scheme, raw string) (port string, ok bool) {
	if raw == "" || raw == ":" {
		return "", true
	}
	if len(raw) > len(":65535") || raw[1] == '0' && len(raw) > len(":0") {
		return "", false
	}
	number := 0
	for i := 1; i < len(raw); i++ {
		if raw[i] < '0' || raw[i] > '9' {
			return "", false
		}
		number = number*10 + int(raw[i]-'0')
	}
	if number > 65535 {
		return "", false
	}
	if scheme == "https" && number == 443 || scheme == "http" && number == 80 {
		return "", true
	}
	return raw, true
}

func normalPath(raw string) (path string, ok bool) {
	if raw == "" {
		return "/", true
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] >= 0x7f || raw[i] == '\\' {
			return "", false
		}
	}
	path, ok = decodeUnreserved(raw)
	if !ok {
		return "", false
	}
	return removeDotSegments(path), true
}

// decodeUnreserved normalises the percent-encodings of s (RFC 3986, Sections
// 6.2.2.1 and 6.2.2.2); ok is false when one is incomplete.
func decodeUnreserved(s string) (decoded string, ok bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "", false
		}
		if c := unhex(s[i+1])<<4 | unhex(s[i+2]); unreserved(c) {
			out = append(out, c)
		} else {
			const digits = "0123456789ABCDEF"
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
		i += 2
	}
	if string(out) == s {
		return s, true
	}
	return string(out), true
}

// removeDotSegments does what RFC 3986, Section 5.2.4, says for a path that
// begins with a slash.
func removeDotSegments(path string) string {
	if !hasDotSegment(path) {
		return path
	}
	out := make([]byte, 0, len(path))
	for rest := path; rest != ""; {
		segment, last := rest, true
		if i := strings.IndexByte(rest[1:], '/'); i >= 0 {
			segment, last = rest[:1+i], false
		}
		rest = rest[len(segment):]
		switch segment {
		case "/.":
		case "/..":
			for len(out) > 0 {
				c := out[len(out)-1]
				out = out[:len(out)-1]
				if c == '/' {
					break
				}
			}
		default:
			out = append(out, segment...)
			continue
		}
		if last {
			out = append(out, '/')
		}
	}
	return string(out)
}

func hasDotSegment(path string) bool {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		rest := path[i+1:]
		rest = strings.TrimPrefix(rest, ".")
		if len(rest) == len(path)-i-1 {
			continue
		}
		rest = strings.TrimPrefix(rest, ".")
		if rest == "" || rest[0] == '/' {
			return true
		}
	}
	return false
}

// unreserved says which characters never need percent-encoding (RFC 3986,
// Section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex gives the value of a digit that isHex accepts.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
