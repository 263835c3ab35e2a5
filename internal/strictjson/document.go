package strictjson

import "strings"

// maxDocumentDepth is how deep the parts of a document may be nested that are
// not read. What is read keeps to MaxDepth.
const maxDocumentDepth = 512

// bom is the byte order mark, which a reader may ignore (RFC 8259, Section
// 8.1).
const bom = "\ufeff"

// ParseDocument reads a JSON object that an issuer publishes, such as its
// metadata or a key set, and appends its members to dst in their order. Its
// grammar is checked as by Parse, but one odd part does not spoil the rest:
//
//   - a byte order mark in front is ignored;
//   - names may be repeated, at any depth, and each member is returned: look
//     with One for the members that count;
//   - text that is not Unicode is a string whose Text is not ok;
//   - Elements of its arrays are read in the same way, Members of its objects
//     strictly.
func ParseDocument(src string, dst []Member) ([]Member, error) {
	return parseDocument(strings.TrimPrefix(src, bom), dst)
}

// DocumentMembers appends the members of an object inside a document to dst as
// ParseDocument does; ok is false for every other kind.
func (v Value) DocumentMembers(dst []Member) (members []Member, ok bool) {
	if v.kind != Object {
		return dst, false
	}
	members, err := parseDocument(v.raw, dst)
	return members, err == nil
}

func parseDocument(src string, dst []Member) ([]Member, error) {
	s := scanner{src: src, marks: lenient}
	return s.document(dst)
}

// One returns the value of the only member with exactly this name; ok is false
// when there are several. A member that is null is absent: the Invalid value.
func One(members []Member, name string) (v Value, ok bool) {
	found := false
	for i := range members {
		if members[i].Name != name {
			continue
		}
		if found {
			return Value{}, false
		}
		v, found = members[i].Value, true
	}
	return v.unlessNull(), true
}

// Present is Find for documents and keys, in which a member that is null is
// absent.
func Present(members []Member, name string) Value {
	return Find(members, name).unlessNull()
}

func (v Value) unlessNull() Value {
	if v.kind == Null {
		return Value{}
	}
	return v
}

func (s *scanner) maxDepth() int {
	if s.marks == lenient {
		return maxDocumentDepth
	}
	return MaxDepth
}
