package verifier

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// ClaimNames says which claims hold what [Token] gives typed. Each list is in
// order of preference: the first place that the token has decides, even when it
// is empty, and places are never united.
//
// A place is the name of a claim ("scope", "https://example.com/roles"), the path
// of a member inside of one, with dots ("realm_access.roles"), or a JSON Pointer
// (RFC 6901) for names that look like paths ("/a.b/roles"). A name with a colon or
// a slash in it is never a path with dots.
//
// Scope must be a string, separated by spaces (RFC 6749, Section 3.3), or a list of
// strings without spaces, of which each is one scope. ClientID must be a string.
// Permissions must be a list of strings; a single string is one permission,
// spaces included. Anything else in the deciding place refuses the token (reason
// claim_malformed).
type ClaimNames struct {
	// Scope; default "scope", "scp".
	Scope []string
	// ClientID; default "client_id", "azp", "cid", "appid".
	ClientID []string
	// Permissions; default "permissions".
	Permissions []string
}

// place is where a value is in the payload: a claim, or a member inside of one.
type place struct {
	path []string // of at least one name
	text string   // as it was configured
}

func (p place) find(members []strictjson.Member) strictjson.Value {
	v := strictjson.Find(members, p.path[0])
	for _, name := range p.path[1:] {
		inner, ok := v.Members(nil)
		if !ok {
			return strictjson.Value{}
		}
		v = strictjson.Find(inner, name)
	}
	return v
}

// placeOf reads an entry of ClaimNames.
func placeOf(text string) (place, bool) {
	switch {
	case strings.HasPrefix(text, "/"): // RFC 6901, Section 4
		path := strings.Split(text[1:], "/")
		for i, token := range path {
			path[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		}
		return place{path, text}, !slices.Contains(path, "")
	case strings.ContainsAny(text, ":/"):
		return place{[]string{text}, text}, true
	default:
		path := strings.Split(text, ".")
		return place{path, text}, !slices.Contains(path, "")
	}
}

// places is a ClaimNames, compiled. It is read only.
type places struct{ scope, client, permissions []place }

// defaultPlaces are where the world's issuers put them.
var defaultPlaces = ClaimNames{
	Scope: []string{"scope", "scp"}, ClientID: []string{"client_id", "azp", "cid", "appid"}, Permissions: []string{"permissions"},
}

// or fills empty fields from another one.
func (c ClaimNames) or(other ClaimNames) ClaimNames {
	fill := func(list *[]string, from []string) {
		if len(*list) == 0 {
			*list = from
		}
	}
	fill(&c.Scope, other.Scope)
	fill(&c.ClientID, other.ClientID)
	fill(&c.Permissions, other.Permissions)
	return c
}

func (m *mistakes) places(field string, c ClaimNames) *places {
	compile := func(name string, list []string) []place {
		all := make([]place, 0, len(list))
		for i, text := range list {
			p, ok := placeOf(text)
			if !ok {
				m.of(fmt.Sprintf("%s.%s[%d]", field, name, i), text, `is not the name of a claim, a path with dots ("realm_access.roles") or a JSON Pointer ("/a.b/roles")`)
				continue
			}
			all = append(all, p)
		}
		return all
	}
	return &places{compile("Scope", c.Scope), compile("ClientID", c.ClientID), compile("Permissions", c.Permissions)}
}

// first returns the value in the first place that the token has.
func first(list []place, members []strictjson.Member) (strictjson.Value, string) {
	for i := range list {
		if v := list[i].find(members); v.Kind() != strictjson.Invalid {
			return v, list[i].text
		}
	}
	return strictjson.Value{}, ""
}

// words returns a string, or a list of words as one string. The list's words
// must not be empty or have spaces, or one of them would be read as several.
func words(v strictjson.Value) (string, bool) {
	switch v.Kind() {
	case strictjson.Invalid:
		return "", true
	case strictjson.String:
		return v.Text()
	}
	list, ok := wordList(v)
	return strings.Join(list, " "), ok
}

// list returns a list of strings; a string is a list of one. What is neither, isList
// has refused.
func list(v strictjson.Value) []string {
	if one, ok := v.Text(); ok {
		return []string{one}
	}
	if v.Kind() == strictjson.Invalid {
		return nil
	}
	texts, _ := v.Texts([]string{})
	return texts
}

// isList reports whether list can read a value.
func isList(v strictjson.Value) bool {
	if k := v.Kind(); k == strictjson.Invalid || k == strictjson.String {
		return true
	}
	var space [16]string
	_, ok := v.Texts(space[:0])
	return ok
}

func wordList(v strictjson.Value) ([]string, bool) {
	list, ok := v.Texts(nil)
	if !ok || slices.ContainsFunc(list, func(word string) bool { return word == "" || strings.IndexByte(word, ' ') >= 0 }) {
		return nil, false
	}
	return list, true
}

// spaced cuts text at its spaces, and at nothing else (RFC 6749, Section 3.3).
func spaced(text string) []string {
	var list []string
	for word := range strings.SplitSeq(text, " ") {
		if word != "" {
			list = append(list, word)
		}
	}
	return list
}

// absent reports whether a claim is not there, or null.
func absent(v strictjson.Value) bool {
	return v.Kind() == strictjson.Invalid || v.Kind() == strictjson.Null
}
