package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

func TestParseDocument(t *testing.T) {
	members, err := strictjson.ParseDocument("\ufeff"+` {"a":"1","a":"2","b":null,"c":"\ud800","d":[{"x":1,"x":2},"\udd1e","ok"],"e":{"x":1,"x":2},"\ud800f":"3","f":"4"} `, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := strictjson.One(members, "a"); ok {
		t.Error("a is there twice and counts as once")
	}
	if v, ok := strictjson.One(members, "b"); !ok || v.Kind() != strictjson.Invalid {
		t.Errorf("b, which is null: kind %v, %v; want it absent", v.Kind(), ok)
	}
	if v, ok := strictjson.One(members, "absent"); !ok || v.Kind() != strictjson.Invalid {
		t.Errorf("absent: kind %v, %v", v.Kind(), ok)
	}
	if text, ok := strictjson.Find(members, "c").Text(); ok {
		t.Errorf("c, which is no Unicode text: %q", text)
	}
	if v, ok := strictjson.One(members, "f"); !ok || v.Raw() != `"4"` {
		t.Errorf("f: %s, %v; a name that is no text is nobody's", v.Raw(), ok)
	}
	elements, ok := strictjson.Find(members, "d").Elements(nil)
	if !ok || len(elements) != 3 {
		t.Fatalf("d has %d elements, %v; want 3", len(elements), ok)
	}
	if _, ok := elements[0].Members(nil); ok {
		t.Error("Members of an object with a name twice are ok")
	}
	if inside, ok := elements[0].DocumentMembers(nil); !ok || len(inside) != 2 {
		t.Errorf("DocumentMembers: %d, %v; want both", len(inside), ok)
	}
	if _, ok := elements[1].Text(); ok {
		t.Error("an element that is no Unicode text is ok")
	}
	if text, ok := elements[2].Text(); !ok || text != "ok" {
		t.Errorf("the last element: %q, %v", text, ok)
	}
	for _, bad := range []string{"", "\ufeff", "[]", `{"a":1}x`, `{"a":1,}`, `{"a":tru}`, `{"a":"\x"}`, "{\"a\":\"\x01\"}", `{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`} {
		if _, err := strictjson.ParseDocument(bad, nil); err == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
	if strictjson.Present([]strictjson.Member{members[2]}, "b").Kind() != strictjson.Invalid {
		t.Error("Present: null is not absent")
	}
}

// FuzzParseDocument: a document is taken when encoding/json takes it as an
// object that is not too deep, and what Parse takes is read alike.
func FuzzParseDocument(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, "\ufeff{}", `{"a":"\ud800"}`, "{\"\xff\":\"\xff\"}", `{"a":[{"b":null}]}`, `{"a":"\ud800\udc00\ud800x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		members, err := strictjson.ParseDocument(src, nil)
		text := strings.TrimPrefix(src, "\ufeff")
		object := json.Valid([]byte(text)) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{")
		if err == nil && !object {
			t.Fatalf("%q is taken", src)
		}
		if err != nil && object && err != strictjson.ErrDepth {
			t.Fatalf("%q: %v", src, err)
		}
		for _, m := range members {
			_, _ = m.Value.Text()
			_ = m.Value.Any()
			_, _ = m.Value.Elements(nil)
			_, _ = m.Value.DocumentMembers(nil)
		}
		strict, errStrict := strictjson.Parse(text, nil)
		if errStrict != nil {
			return
		}
		if len(strict) != len(members) {
			t.Fatalf("%q: %d members, strictly %d", src, len(members), len(strict))
		}
		for i := range strict {
			if strict[i].Name != members[i].Name || strict[i].Value.Raw() != members[i].Value.Raw() || strict[i].Value.Kind() != members[i].Value.Kind() {
				t.Fatalf("%q: member %d differs", src, i)
			}
		}
	})
}

// TestTextOfADocumentThatIsNoUnicode: it is there, and is nobody's text.
func TestTextOfADocumentThatIsNoUnicode(t *testing.T) {
	members, err := strictjson.ParseDocument("{\"a\":\"\xff\",\"b\":\"\\ud800\",\"c\":\"\xc3\xa9\"}", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": false, "b": false, "c": true} {
		if text, ok := strictjson.Find(members, name).Text(); ok != want {
			t.Errorf("%s: %q, %v; want %v", name, text, ok, want)
		}
	}
}
