package strictjson

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind returns the type of the value; Invalid for an absent member.
func (v Value) Kind() Kind { return v.kind }

// Raw returns the JSON text of the value, without surrounding white space.
func (v Value) Raw() string { return v.raw }

// Text returns the text of a string value with its escapes resolved; ok is
// false for every other kind, and for text of a document that is not Unicode.
func (v Value) Text() (text string, ok bool) {
	if v.kind != String || v.is(badText) {
		return "", false
	}
	text = v.raw[1 : len(v.raw)-1]
	if v.is(escaped) {
		text = unescape(text)
	}
	return text, true
}

// True reports whether the value is the literal true.
func (v Value) True() bool { return v.kind == Bool && v.raw == "true" }

// Members appends the members of an object value to dst; ok is false for
// every other kind. It is as strict as Parse, even inside of a document.
func (v Value) Members(dst []Member) (members []Member, ok bool) {
	if v.kind != Object {
		return dst, false
	}
	members, err := Parse(v.raw, dst)
	return members, err == nil
}

// Elements appends the elements of an array value to dst; ok is false for
// every other kind.
func (v Value) Elements(dst []Value) (elements []Value, ok bool) {
	if v.kind != Array {
		return dst, false
	}
	s := scanner{src: v.raw, pos: 1, marks: v.marks & lenient}
	s.space()
	if s.peek() == ']' {
		return dst, true
	}
	for {
		s.space()
		e, err := s.value(1)
		if err != nil {
			return dst, false
		}
		dst = append(dst, e)
		s.space()
		if s.peek() != ',' {
			return dst, s.peek() == ']'
		}
		s.pos++
	}
}

// Texts appends the elements of an array of strings to dst; ok is false for every
// other kind, and for an array with anything else in it.
func (v Value) Texts(dst []string) (texts []string, ok bool) {
	if v.kind != Array {
		return dst, false
	}
	s := scanner{src: v.raw, pos: 1, marks: v.marks & lenient}
	s.space()
	if s.peek() == ']' {
		return dst, true
	}
	for {
		s.space()
		if s.peek() != '"' {
			return dst, false
		}
		e, _ := s.str() // with an error there is no text
		text, ok := e.Text()
		if !ok {
			return dst, false
		}
		dst = append(dst, text)
		s.space()
		if s.peek() != ',' {
			return dst, s.peek() == ']'
		}
		s.pos++
	}
}

// Any returns the value as encoding/json would with UseNumber: nil, bool,
// json.Number, string, []any or map[string]any. It shares no mutable memory
// with the document.
func (v Value) Any() any {
	switch v.kind {
	case Bool:
		return v.raw == "true"
	case Number:
		return json.Number(v.raw)
	case String:
		text, _ := v.Text()
		return text
	case Array:
		elements, _ := v.Elements(nil)
		list := make([]any, len(elements))
		for i, e := range elements {
			list[i] = e.Any()
		}
		return list
	case Object:
		members, _ := v.Members(nil)
		return Map(members)
	default:
		return nil
	}
}

// Map returns the members as encoding/json would with UseNumber.
func Map(members []Member) map[string]any {
	m := make(map[string]any, len(members))
	for _, member := range members {
		m[member.Name] = member.Value.Any()
	}
	return m
}

// escapeLen returns the length of the escape at the start of s, a surrogate
// pair being one escape. Lone surrogates are refused: they are no Unicode
// text, and what readers make of them differs.
func escapeLen(s string) (int, error) {
	if len(s) < 2 {
		return 0, ErrSyntax
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		r, ok := hex4(s)
		if !ok {
			return 0, ErrSyntax
		}
		if !utf16.IsSurrogate(r) {
			return 6, nil
		}
		low, ok := hex4(s[6:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return 0, ErrUTF8
		}
		return 12, nil
	default:
		return 0, ErrSyntax
	}
}

// hex4 reads the \uXXXX at the start of s.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape resolves the escapes of text that str has accepted.
func unescape(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		c := text[i]
		if c != '\\' {
			b.WriteByte(c)
			i++
			continue
		}
		switch e := text[i+1]; e {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, _ := hex4(text[i:])
			if utf16.IsSurrogate(r) {
				low, _ := hex4(text[i+6:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			b.WriteRune(r)
			i += 4
		default: // " \ /
			b.WriteByte(e)
		}
		i += 2
	}
	return b.String()
}
