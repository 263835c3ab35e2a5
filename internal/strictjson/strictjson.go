package strictjson

import (
	"errors"
	"unicode/utf8"
)

// MaxDepth is how many levels of objects and arrays may be nested.
const MaxDepth = 64

// What is wrong with a document. The errors hold none of its bytes.
var (
	ErrSyntax    = errors.New("strictjson: not a JSON object")
	ErrDuplicate = errors.New("strictjson: duplicate name")
	ErrDepth     = errors.New("strictjson: nested too deeply")
	ErrUTF8      = errors.New("strictjson: not valid Unicode text")
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value inside a document that was parsed. Its zero value is
// Invalid: the member is absent.
type Value struct {
	raw  string
	kind Kind
	// marks are one field, because the compiler keeps structs of up to four in
	// registers.
	marks marks
}

// marks are what the scanner has seen of a value.
type marks uint8

const (
	escaped marks = 1 << iota // a string with at least one backslash
	badText                   // a string that is not valid Unicode text; of a document only
	lenient                   // a part of a document; see ParseDocument
)

func (v Value) is(m marks) bool { return v.marks&m != 0 }

// Member is a name and value of an object.
type Member struct {
	Name  string
	Value Value
}

// Parse reads src, which must be exactly one JSON object with optional white
// space around it, and appends its members to dst in their order. The strings
// in the result share memory with src.
func Parse(src string, dst []Member) ([]Member, error) {
	if !utf8.ValidString(src) {
		return dst, ErrUTF8
	}
	s := scanner{src: src}
	return s.document(dst)
}

// document reads one object with white space around it, and nothing else.
func (s *scanner) document(dst []Member) ([]Member, error) {
	s.space()
	if s.pos >= len(s.src) || s.src[s.pos] != '{' {
		return dst, ErrSyntax
	}
	dst, err := s.object(dst, true, 1)
	if err != nil {
		return dst, err
	}
	s.space()
	if s.pos != len(s.src) {
		return dst, ErrSyntax
	}
	return dst, nil
}

// Find returns the value of the member with exactly this name, or the Invalid
// value.
func Find(members []Member, name string) Value {
	for i := range members {
		if members[i].Name == name {
			return members[i].Value
		}
	}
	return Value{}
}

type scanner struct {
	src   string
	pos   int
	marks marks // of every value: none, or lenient
	// names holds the names of the objects that are open and nested, innermost
	// last, for the duplicate check.
	names []string
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// object reads an object at pos. The members are appended to dst only when
// keep is set; of nested objects just the names are needed, for a moment.
func (s *scanner) object(dst []Member, keep bool, depth int) ([]Member, error) {
	if depth > s.maxDepth() {
		return dst, ErrDepth
	}
	s.pos++ // {
	base, start := len(s.names), len(dst)
	var seen nameSet
	s.space()
	if s.pos < len(s.src) && s.src[s.pos] == '}' {
		s.pos++
		return dst, nil
	}
	for {
		s.space()
		if s.pos >= len(s.src) || s.src[s.pos] != '"' {
			return dst, ErrSyntax
		}
		text, err := s.str()
		if err != nil {
			return dst, err
		}
		name := text.name()
		switch {
		case s.marks == lenient: // the names of nested objects are not needed
		case keep:
			if seen.hasMember(dst[start:], name) {
				return dst, ErrDuplicate
			}
		default:
			if seen.hasName(s.names[base:], name) {
				return dst, ErrDuplicate
			}
			s.names = append(s.names, name)
		}
		s.space()
		if s.pos >= len(s.src) || s.src[s.pos] != ':' {
			return dst, ErrSyntax
		}
		s.pos++
		s.space()
		v, err := s.value(depth)
		if err != nil {
			return dst, err
		}
		if keep {
			dst = append(dst, Member{Name: name, Value: v})
		}
		s.space()
		if s.pos >= len(s.src) {
			return dst, ErrSyntax
		}
		switch s.src[s.pos] {
		case ',':
			s.pos++
		case '}':
			s.pos++
			s.names = s.names[:base]
			return dst, nil
		default:
			return dst, ErrSyntax
		}
	}
}

func (s *scanner) array(depth int) error {
	if depth > s.maxDepth() {
		return ErrDepth
	}
	s.pos++ // [
	s.space()
	if s.pos < len(s.src) && s.src[s.pos] == ']' {
		s.pos++
		return nil
	}
	for {
		s.space()
		if _, err := s.value(depth); err != nil {
			return err
		}
		s.space()
		if s.pos >= len(s.src) {
			return ErrSyntax
		}
		switch s.src[s.pos] {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return ErrSyntax
		}
	}
}

// value reads the value at pos, which lies in an object or array of the given
// depth.
func (s *scanner) value(depth int) (Value, error) {
	if s.pos >= len(s.src) {
		return Value{}, ErrSyntax
	}
	start := s.pos
	switch c := s.src[s.pos]; c {
	case '"':
		return s.str()
	case '{':
		_, err := s.object(nil, false, depth+1)
		return Value{raw: s.src[start:s.pos], kind: Object, marks: s.marks}, err
	case '[':
		err := s.array(depth + 1)
		return Value{raw: s.src[start:s.pos], kind: Array, marks: s.marks}, err
	case 't':
		return s.literal("true", Bool)
	case 'f':
		return s.literal("false", Bool)
	case 'n':
		return s.literal("null", Null)
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string, kind Kind) (Value, error) {
	end := s.pos + len(word)
	if end > len(s.src) || s.src[s.pos:end] != word {
		return Value{}, ErrSyntax
	}
	s.pos = end
	return Value{raw: word, kind: kind}, nil
}

// number reads a number (RFC 8259, Section 6). What follows it is checked by
// the caller, which expects a comma or the end of the container.
func (s *scanner) number() (Value, error) {
	start := s.pos
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case c >= '1' && c <= '9':
		s.digits()
	default:
		return Value{}, ErrSyntax
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return Value{}, ErrSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return Value{}, ErrSyntax
		}
	}
	return Value{raw: s.src[start:s.pos], kind: Number}, nil
}

func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos] >= '0' && s.src[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// plain are the bytes of a string that stand for themselves.
var plain = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return plain
}()

// str reads a string. Of a document its text is looked at here; of everything
// else it is known to be valid UTF-8.
func (s *scanner) str() (Value, error) {
	src, i := s.src, s.pos+1
	v := Value{kind: String, marks: s.marks}
	for {
		for i < len(src) && plain[src[i]] {
			i++
		}
		switch {
		case i >= len(src):
			return Value{}, ErrSyntax
		case src[i] == '"':
			v.raw = src[s.pos : i+1]
			if v.is(lenient) && !utf8.ValidString(v.raw) {
				v.marks |= badText
			}
			s.pos = i + 1
			return v, nil
		case src[i] != '\\': // a control character
			return Value{}, ErrSyntax
		}
		n, err := escapeLen(src[i:])
		v.marks |= escaped
		if v.is(lenient) && err == ErrUTF8 {
			v.marks |= badText
			n, err = len(`\ud800`), nil
		}
		if err != nil {
			return Value{}, err
		}
		i += n
	}
}

// name returns the text of a member's name.
func (v Value) name() string {
	if v.is(badText) {
		return string(utf8.RuneError) // not the name of anything
	}
	text, _ := v.Text()
	return text
}
