package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// TestGrammarEdges compares with encoding/json where the two agree: no
// duplicates, no lone surrogates.
func TestGrammarEdges(t *testing.T) {
	values := []string{
		"0", "-0", "00", "01", "-01", "1", "9", "10", "19", "90", "-", "-a", "--1", "+1", ".1", "1.", "1.0", "1.9", "1.a", "1e", "1e1", "1E1", "1e+1", "1e-9", "1e+", "1e-", "1e1.0", "1ee1", "1.5e0", "1/", "1:",
		"true", "false", "null", "tru", "truex", "True", "nul", "nulll", "falsee", "fals", "t", "n", "f", "x", "",
		`""`, `"`, `"a`, `"a"b`, `"\"`, `"\\"`, `"\""`, `"\/"`, `"\b\f\n\r\t"`, `"\a"`, `"\x00"`, `"\u"`, `"\u0"`, `"\u00"`, `"\u000"`, `"\u0000"`, `"\u00e9"`, `"\uaAfF"`, `"\u0aA9"`, `"\u00aA"`, `"\u00E9"`, `"\u00fF"`, `"\u00g0"`, `"\u00G0"`, `"\u00/0"`, `"\u00:0"`, `"\u00@0"`, "\"\\u00`0\"", `"\U0041"`,
		`"\ud834\udd1e"`, "\"\x1f\"", "\"\x20\"", "\"\x7f\"", "\"\x00\"", "\"\n\"", "\"\t\"", "\"é\"", "\"\xff\"", "\"\xc3\"",
		"[]", "[ ]", "[1]", "[1,2]", "[1,]", "[,1]", "[,]", "[1 2]", "[1", "[", "]", "[1}", "[[]]", "[[1],[2]]", "[\n1\r,\t2 ]", "[1,2",
		"{}", "{ }", `{"a":1}`, `{"a":1,"b":2}`, `{"a":1,}`, `{,"a":1}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a" 1}`, `{"a":1`, `{"a":1]`, `{"a":1 "b":2}`, `{ "a" : 1 , "b" : { } }`, `{1:1}`, `{"a":1,"b"}`, `{"a":1,,"b":2}`, `{`, `}`, `{xa":1}`, "{\"\x1f\":1}", `{"a`, `{"`, `{"\x":1}`, `{"\u12":1}`, `{:a":1}`, `{"a":1,xb":2}`, `{"a"x1}`, `[xa"]`, `{"a":1;"b":2}`,
		"1\v", "1\f", "\u00a01", "// x", "1 // x", "'a'", "NaN", "Infinity", "0x1", "1_0",
	}
	for _, value := range values {
		for _, text := range []string{`{"v":` + value + `}`, ` {"v": ` + value + "\n} ", `{"v":[` + value + `]}`, `{"v":{"w":` + value + `}}`} {
			members, err := strictjson.Parse(text, nil)
			want := json.Valid([]byte(text)) && utf8.ValidString(text)
			if (err == nil) != want {
				t.Errorf("Parse(%q): %v; want it taken: %v", text, err, want)
				continue
			}
			if err != nil {
				continue
			}
			ours, err := json.Marshal(strictjson.Map(members))
			if err != nil {
				t.Fatal(err)
			}
			var theirs any
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.UseNumber()
			if err := decoder.Decode(&theirs); err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(theirs); string(again) != string(ours) {
				t.Errorf("Parse(%q) is %s; encoding/json reads %s", text, ours, again)
			}
		}
	}
	for _, text := range []string{
		`{"v":"\ud834"}`, `{"v":"\ud834x"}`, `{"v":"\ud834\u0041"}`, `{"v":"\udd1e"}`, `{"v":"\udd1e\ud834"}`, `{"v":"\ud834\ud834"}`, `{"v":"\ud834\udd1`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"v":{"a":1,"a":2}}`, `{"v":[{"a":1,"b":1,"a":2}]}`, `x{}`, `{}x`, `{}{}`, `[]`, `"a"`, `1`, ``, ` `, `null`, "\ufeff{}",
	} {
		if _, err := strictjson.Parse(text, nil); err == nil {
			t.Errorf("Parse(%q) is taken", text)
		}
	}
	for _, text := range []string{`{"a":1,"A":2}`, `{"a":{"a":1},"b":{"a":1}}`, `{"v":[{"a":1},{"a":1}]}`} {
		if _, err := strictjson.Parse(text, nil); err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
}

func TestDepthEdges(t *testing.T) {
	nested := func(open, shut string, depth int) string {
		return `{"v":` + strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth) + `}`
	}
	for _, c := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		taken := 0
		for depth := range strictjson.MaxDepth + 3 {
			if _, err := strictjson.Parse(nested(c[0], c[1], depth), nil); err == nil {
				taken = depth
			}
		}
		if taken != strictjson.MaxDepth-1 && taken != strictjson.MaxDepth {
			t.Errorf("%s: %d levels inside the object are taken; want %d or one less", c[0], taken, strictjson.MaxDepth)
		}
	}
}

func TestTimeEdges(t *testing.T) {
	const last = 253402300799
	for raw, want := range map[string]time.Time{
		"0": time.Unix(0, 0), "-1": time.Unix(-1, 0), "1.5": time.Unix(1, 5e8), "-1.5": time.Unix(-1, -5e8), "-0.5": time.Unix(0, -5e8),
		"1.1234567899": time.Unix(1, 123456789), "1.000000001": time.Unix(1, 1), "1.123456789": time.Unix(1, 123456789), "1.0": time.Unix(1, 0),
		"1e3": time.Unix(1000, 0), "1.5e3": time.Unix(1500, 0), "1E3": time.Unix(1000, 0), "25e-1": time.Unix(2, 5e8),
		"253402300799": time.Unix(last, 0), "253402300800": time.Unix(last, 0), "1e400": time.Unix(last, 0), "99999999999999999999": time.Unix(last, 0),
		"-62135596800": time.Unix(-62135596800, 0), "-62135596801": time.Unix(-62135596800, 0), "-1e400": time.Unix(-62135596800, 0), "-99999999999999999999": time.Unix(-62135596800, 0),
		"99999999999999999999.5": time.Unix(last, 0),
	} {
		members, err := strictjson.Parse(`{"v":`+raw+`}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := strictjson.Find(members, "v").Time()
		if !ok || got.Unix() != want.Unix() || (want.Unix() != last && !got.Equal(want)) {
			t.Errorf("Time of %s = %v, %v; want %v", raw, got.UTC(), ok, want.UTC())
		}
	}
	for _, raw := range []string{`"1"`, "true", "null", "[]", "{}"} {
		members, _ := strictjson.Parse(`{"v":`+raw+`}`, nil)
		if got, ok := strictjson.Find(members, "v").Time(); ok {
			t.Errorf("Time of %s = %v; want none", raw, got)
		}
	}
}

// TestTruncatedDocuments: no beginning of a document is one.
func TestTruncatedDocuments(t *testing.T) {
	const document = `{"a":[1.5e+3,true,null,"x\u00e9\ud834\udd1e\n"],"b":{"c":false,"d":[{},[]]},"e":"" }`
	if _, err := strictjson.Parse(document, nil); err != nil {
		t.Fatal(err)
	}
	for i := range document {
		if _, err := strictjson.Parse(document[:i], nil); err == nil {
			t.Errorf("Parse(%q) is taken", document[:i])
		}
	}
}

func TestValuesOfEveryKind(t *testing.T) {
	members, err := strictjson.Parse(`{"o":{"a":1},"a":[1,2],"z":[ ],"s":"a\ud834\udd1ebc\"d\u0041e","n":12,"t":true,"f":false,"x":null}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		inside, ok := m.Value.Members(nil)
		if want := m.Name == "o"; ok != want || want && len(inside) != 1 {
			t.Errorf("Members of %q = %v, %v", m.Name, inside, ok)
		}
		elements, ok := m.Value.Elements(nil)
		if want := m.Name == "a" || m.Name == "z"; ok != want || len(elements) != map[string]int{"a": 2}[m.Name] {
			t.Errorf("Elements of %q = %v, %v", m.Name, elements, ok)
		}
		text, ok := m.Value.Text()
		if want := m.Name == "s"; ok != want || want && text != "a\U0001d11ebc\"dAe" {
			t.Errorf("Text of %q = %q, %v", m.Name, text, ok)
		}
		if got, want := m.Value.True(), m.Name == "t"; got != want {
			t.Errorf("True of %q = %v", m.Name, got)
		}
	}
}
