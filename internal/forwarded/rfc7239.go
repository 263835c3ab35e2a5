package forwarded

import (
	"net/http"
	"strings"
)

// hop is what one proxy wrote. What it did not write is empty.
type hop struct{ node, scheme, host string }

// standard reads the Forwarded field.
func (p *Policy) standard(header http.Header, direct source) (source, error) {
	hops, err := standardHops(header)
	if err != nil {
		return direct, err
	}
	i := len(hops) - 1
	for ; ; i-- {
		n := node{}
		if hops[i].node != "" {
			if n, err = parseNode(hops[i].node); err != nil {
				return direct, &FieldError{fieldForwarded, problemMalformed}
			}
		}
		if i == 0 || !p.trustsNode(n) {
			break
		}
	}
	if !p.fields.all && p.origins == nil {
		hops[i].host = ""
	}
	return direct.with(hops[i].scheme, fieldForwarded, hops[i].host, fieldForwarded)
}

// standardHops reads the elements of the Forwarded field (RFC 7239, Section 4).
// The whole field must be well-formed, what a client put in front included: an
// open quote there would swallow what the proxies wrote.
func standardHops(header http.Header) ([]hop, error) {
	rest := strings.Join(header[fieldForwarded], ",")
	if len(rest) > maxFieldBytes {
		return nil, &FieldError{fieldForwarded, problemLong}
	}
	var hops []hop
	for {
		hop, after, ok := cutElement(rest)
		if !ok {
			return nil, &FieldError{fieldForwarded, problemMalformed}
		}
		hops = append(hops, hop)
		if after == "" {
			return hops, nil
		}
		rest = after[1:] // after a comma
	}
}

// cutElement reads name=value pairs, separated by semicolons, up to a comma or
// the end. White space around a pair is allowed; an empty pair, and a name that
// stands twice, are not.
func cutElement(field string) (result hop, rest string, ok bool) {
	seen := make(map[string]bool)
	for rest = field; ; rest = rest[1:] {
		var name, value string
		name, value, rest, ok = cutPair(strings.TrimLeft(rest, " \t"))
		if !ok || seen[name] {
			return hop{}, "", false
		}
		seen[name] = true
		switch name {
		case "for":
			result.node = value
		case "proto":
			result.scheme = value
		case "host":
			result.host = value
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] == ',' {
			return result, rest, true
		}
		if rest[0] != ';' {
			return hop{}, "", false
		}
	}
}

// cutPair reads token "=" ( token / quoted-string ), the name lower-cased, the
// value not empty.
func cutPair(field string) (name, value, rest string, ok bool) {
	name, rest = cutToken(field)
	if name == "" || !strings.HasPrefix(rest, "=") {
		return "", "", "", false
	}
	rest = rest[1:]
	if strings.HasPrefix(rest, `"`) {
		value, rest, ok = cutQuoted(rest)
	} else {
		value, rest = cutToken(rest)
		ok = true
	}
	return strings.ToLower(name), value, rest, ok && value != ""
}

func cutToken(field string) (token, rest string) {
	i := 0
	for i < len(field) && (isAlphanumeric(field[i]) || strings.IndexByte("!#$%&'*+-.^_`|~", field[i]) >= 0) {
		i++
	}
	return field[:i], field[i:]
}

// cutQuoted reads a quoted-string of ASCII (RFC 9110, Section 5.6.4).
func cutQuoted(field string) (value, rest string, ok bool) {
	var out strings.Builder
	for i := 1; i < len(field); i++ {
		c := field[i]
		if c == '"' {
			return out.String(), field[i+1:], true
		}
		if c == '\\' {
			i++
			if i == len(field) {
				break
			}
			c = field[i]
		}
		if c < ' ' && c != '\t' || c >= 0x7f {
			break
		}
		out.WriteByte(c)
	}
	return "", "", false
}
