package strictjson

import (
	"fmt"
	"strings"
	"testing"
)

// TestNameSets: few names are looked through, more have a map, which is made once and
// knows what was asked for. A set is asked about every name before that is added.
func TestNameSets(t *testing.T) {
	for what, has := range map[string]func(n *nameSet, names []string, name string) bool{
		"members": func(n *nameSet, names []string, name string) bool {
			var members []Member
			for _, name := range names {
				members = append(members, Member{Name: name})
			}
			return n.hasMember(members, name)
		},
		"names": (*nameSet).hasName,
	} {
		var set nameSet
		var names []string
		add := func(name string) {
			if has(&set, names, name) {
				t.Errorf("%d %s: %q was there before", len(names), what, name)
			}
			names = append(names, name)
		}
		for n := range linearNames {
			add(fmt.Sprint(n))
		}
		if !has(&set, names, "0") || !has(&set, names, "23") || set.m != nil {
			t.Errorf("%d %s: a name is taken for a new one, or they have a map", linearNames, what)
		}
		add("last")
		if set.m != nil {
			t.Errorf("%d %s have a map", linearNames, what)
		}
		add("new")
		if set.m == nil {
			t.Errorf("%d %s have no map", linearNames+1, what)
		}
		if !has(&set, names, "new") || !has(&set, names, "0") || !has(&set, names, "last") || has(&set, names, "other") {
			t.Errorf("%d %s: a name is taken for another one", linearNames+1, what)
		}
		if !has(&set, names, "other") {
			t.Errorf("%d %s: the map is made anew for each name", linearNames+1, what)
		}
	}
}

// TestNamesOfOneSketch: names that a set cannot tell apart by their sketch are
// different all the same.
func TestNamesOfOneSketch(t *testing.T) {
	var set nameSet
	var names []string
	for _, name := range []string{"ab", "a", "", "axxxxb", "ayyyyb", "azzzzb"} {
		if set.hasName(names, name) {
			t.Errorf("%q was there before", name)
		}
		names = append(names, name)
	}
	for _, name := range names {
		if !set.hasName(names, name) {
			t.Errorf("%q was not there before", name)
		}
	}
}

// TestDocumentMembersOfOthers than objects: there are none.
func TestDocumentMembersOfOthers(t *testing.T) {
	members, err := ParseDocument(`{"a":1,"b":"{}","c":[{}],"d":null,"e":{"f":1}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		before := []Member{{Name: "before"}}
		got, ok := m.Value.DocumentMembers(before)
		if want := m.Name == "e"; ok != want || !want && len(got) != 1 || want && (len(got) != 2 || got[1].Name != "f") {
			t.Errorf("%s: %d members, %v; want ok %v", m.Name, len(got), ok, want)
		}
	}
	if got, ok := (Value{}).DocumentMembers(nil); ok || got != nil {
		t.Errorf("nothing: %v, %v; want no members", got, ok)
	}
}

// TestDepthOfDocuments: parts that are not read may be deeper than what is.
func TestDepthOfDocuments(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
	}
	for depth, want := range map[int][2]bool{MaxDepth: {true, true}, MaxDepth + 1: {false, true}, maxDocumentDepth: {false, true}, maxDocumentDepth + 1: {false, false}} {
		_, strict := Parse(nested(depth), nil)
		_, lenient := ParseDocument(nested(depth), nil)
		if got := [2]bool{strict == nil, lenient == nil}; got != want {
			t.Errorf("depth %d: read as a token and as a document: %v; want %v", depth, got, want)
		}
	}
}

// TestSecondHalves: what follows the first half of a surrogate pair is a second half in
// the form of an escape, or the text is none.
func TestSecondHalves(t *testing.T) {
	for text, want := range map[string]string{
		`\ud83d\ude00`: "\U0001f600", `\uD83D\uDE00x`: "\U0001f600x",
		`\ud83d`: "", `\ud83dxude00`: "", `\ud83d\nde00`: "", `\ud83d\\de00`: "", `\ud83d\ude0`: "", `\ud83d\ud83d`: "", `\ude00\ud83d`: "", `\ud83d\u0041`: "",
	} {
		members, err := Parse(`{"a":"`+text+`"}`, nil)
		if (err == nil) != (want != "") {
			t.Errorf("%s: %v; want text %q", text, err, want)
		}
		if err != nil {
			continue
		}
		if got, ok := Find(members, "a").Text(); got != want || !ok {
			t.Errorf("%s: %q, %v; want %q", text, got, ok, want)
		}
	}
}

// TestBeginnings: an object begins with a brace, and with nothing else.
func TestBeginnings(t *testing.T) {
	for _, begin := range []string{"[", "x", `"`, "(", "}", ",", ""} {
		text := begin + `"a":1}`
		if members, err := Parse(text, nil); err == nil {
			t.Errorf("%s: %d members; want an error", text, len(members))
		}
		if members, err := ParseDocument(text, nil); err == nil {
			t.Errorf("%s as a document: %d members; want an error", text, len(members))
		}
	}
}

// TestBadTextOfDocuments is text that is not Unicode, not what is no escape; a name
// that is none names nothing.
func TestBadTextOfDocuments(t *testing.T) {
	for text, ok := range map[string]bool{`{"a":"\ud800"}`: true, `{"a":"\x"}`: false, `{"a":"\ud8"}`: false, `{"a":"\u12g4"}`: false, "{\"a\":\"\xff\"}": true} {
		members, err := ParseDocument(text, nil)
		if (err == nil) != ok {
			t.Errorf("%q: %v; want read %v", text, err, ok)
		}
		if _, is := Find(members, "a").Text(); is {
			t.Errorf("%q: its text is one", text)
		}
	}
	members, err := ParseDocument(`{"\ud800":1,"b":2}`, nil)
	if err != nil || len(members) != 2 || members[0].Name == "" || Find(members, "").Kind() != Invalid || Find(members, "b").Kind() != Number {
		t.Errorf("members %v, %v; want one without a name that could be asked for", members, err)
	}
}
