package forwarded

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The header fields, in canonical form.
const (
	fieldForwarded = "Forwarded"
	fieldFor       = "X-Forwarded-For"
	fieldProto     = "X-Forwarded-Proto"
	fieldHost      = "X-Forwarded-Host"
	fieldPort      = "X-Forwarded-Port"
)

// maxFieldBytes bounds each forwarding field, all its lines together.
const maxFieldBytes = 8 << 10

// forwarded returns what the outermost trusted proxy says, and direct for what
// it does not say. A proxy that writes one family of fields passes on the other
// one from the client: Forwarded is read where no X-Forwarded field that counts
// is there, and nowhere else.
func (p *Policy) forwarded(header http.Header, direct source) (source, error) {
	switch {
	case p.fields.anyCustom(header):
		return p.custom(header, direct)
	case p.fields.standard && header[fieldForwarded] != nil:
		return p.standard(header, direct)
	default:
		return direct, nil
	}
}

// canonical returns a header whose names are spelt as net/http spells them. Names
// have no case (RFC 9110, Section 5.1), and not every header comes from net/http.
// Lines under several spellings of a name are joined in the order of the spellings.
func canonical(header http.Header) http.Header {
	usual := true
	for name := range header {
		usual = usual && http.CanonicalHeaderKey(name) == name
	}
	if usual {
		return header
	}
	joined := make(http.Header, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		key := http.CanonicalHeaderKey(name)
		joined[key] = append(joined[key], header[name]...)
	}
	return joined
}

func (f fields) anyCustom(header http.Header) bool {
	return f.node && header[fieldFor] != nil || f.scheme && header[fieldProto] != nil ||
		f.host && header[fieldHost] != nil || f.port && header[fieldPort] != nil
}

// custom reads the X-Forwarded-* fields.
func (p *Policy) custom(header http.Header, direct source) (source, error) {
	depth, err := p.depth(header)
	if err != nil {
		return direct, err
	}
	scheme, err := p.element(header, fieldProto, p.fields.scheme, depth)
	if err != nil {
		return direct, err
	}
	host, err := p.element(header, fieldHost, p.fields.host, depth)
	if err != nil {
		return direct, err
	}
	port, err := p.element(header, fieldPort, p.fields.port, depth)
	if err != nil {
		return direct, err
	}
	if direct, err = direct.with(scheme, fieldProto, host, fieldHost); err != nil || port == "" {
		return direct, err
	}
	direct.host = withPort(direct.host, port)
	if _, ok := direct.origin(); !ok && host == "" {
		return direct, &FieldError{fieldPort, problemMalformed}
	} else if !ok {
		return direct, &FieldError{fieldHost, problemHost}
	}
	return direct, nil
}

// with replaces what is stated, each by the field of this name.
func (s source) with(scheme, schemeField, host, hostField string) (source, error) {
	if scheme != "" {
		known := webScheme(scheme)
		if known == "" {
			return s, &FieldError{schemeField, problemScheme}
		}
		s.scheme = known
	}
	if host != "" {
		s.host = host
		if _, ok := s.origin(); !ok {
			return s, &FieldError{hostField, problemHost}
		}
	}
	return s, nil
}

// webScheme returns http or https. An opening handshake of a WebSocket is an
// HTTP request (RFC 6455, Section 4.1).
func webScheme(name string) string {
	switch {
	case strings.EqualFold(name, "https"), strings.EqualFold(name, "wss"):
		return "https"
	case strings.EqualFold(name, "http"), strings.EqualFold(name, "ws"):
		return "http"
	default:
		return ""
	}
}

// depth is how many elements to the right of the outermost trusted proxy's own
// there are in X-Forwarded-For.
func (p *Policy) depth(header http.Header) (int, error) {
	list, err := p.list(header, fieldFor, p.fields.node)
	if err != nil || !p.fields.node || header[fieldFor] == nil {
		return 0, err
	}
	for depth := 0; ; depth++ {
		i := strings.LastIndexByte(list, ',')
		node, err := parseNode(trim(list[i+1:]))
		if err != nil {
			return 0, &FieldError{fieldFor, problemMalformed}
		}
		if i < 0 || !p.trustsNode(node) {
			return depth, nil
		}
		list = list[:i]
	}
}

// list returns a field with all its lines, or "" when it does not count or is
// not there.
func (p *Policy) list(header http.Header, name string, counts bool) (string, error) {
	lines := header[name]
	switch {
	case !counts:
		return "", nil
	case lines == nil && p.fields.all:
		return "", &FieldError{name, problemMissing}
	}
	list := strings.Join(lines, ",")
	if len(list) > maxFieldBytes {
		return "", &FieldError{name, problemLong}
	}
	return list, nil
}

// element returns the element of a field that stands depth elements to the left
// of the last one, or the only one, and "" when the field does not count or is
// not there.
func (p *Policy) element(header http.Header, name string, counts bool, depth int) (string, error) {
	list, err := p.list(header, name, counts)
	if err != nil || !counts || header[name] == nil {
		return "", err
	}
	if strings.IndexByte(list, ',') >= 0 {
		for range depth {
			i := strings.LastIndexByte(list, ',')
			if i < 0 {
				return "", &FieldError{name, problemShort}
			}
			list = list[:i]
		}
		list = list[strings.LastIndexByte(list, ',')+1:]
	}
	if list = trim(list); list == "" {
		return "", &FieldError{name, problemMalformed}
	}
	return list, nil
}

func trim(s string) string { return strings.Trim(s, " \t") }

// withPort appends port to a host that has none.
func withPort(host, port string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":" + port
}
