package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

func TestParse(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"n%d":%d,`, i, i)
	}
	tests := []struct {
		name, src string
		want      error
	}{
		{"empty object", `{}`, nil},
		{"space around", " \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \n", nil},
		{"all kinds", `{"a":null,"b":true,"c":false,"d":-1.5e+3,"e":"x","f":[1,{}],"g":{"h":[]}}`, nil},
		{"case twins are two names", `{"aud":1,"AUD":2,"Aud":3}`, nil},
		{"many names", `{` + many.String() + `"z":1}`, nil},
		{"deepest", deep(strictjson.MaxDepth - 1), nil},
		{"escaped slash", `{"a":"\/"}`, nil},
		{"surrogate pair", `{"a":"\ud83d\ude00"}`, nil},
		{"non-character", `{"a":"\uffff"}`, nil},

		{"nothing", ``, strictjson.ErrSyntax},
		{"space only", `  `, strictjson.ErrSyntax},
		{"array", `[]`, strictjson.ErrSyntax},
		{"string", `"{}"`, strictjson.ErrSyntax},
		{"null", `null`, strictjson.ErrSyntax},
		{"byte order mark", "\ufeff{}", strictjson.ErrSyntax},
		{"two objects", `{}{}`, strictjson.ErrSyntax},
		{"NUL after", "{}\x00", strictjson.ErrSyntax},
		{"unclosed", `{"a":1`, strictjson.ErrSyntax},
		{"unclosed empty", `{`, strictjson.ErrSyntax},
		{"trailing comma", `{"a":1,}`, strictjson.ErrSyntax},
		{"trailing comma in array", `{"a":[1,]}`, strictjson.ErrSyntax},
		{"leading comma", `{,"a":1}`, strictjson.ErrSyntax},
		{"no colon", `{"a" 1}`, strictjson.ErrSyntax},
		{"no value", `{"a":}`, strictjson.ErrSyntax},
		{"cut after colon", `{"a":`, strictjson.ErrSyntax},
		{"bare name", `{a:1}`, strictjson.ErrSyntax},
		{"single quotes", `{'a':1}`, strictjson.ErrSyntax},
		{"comment", `{/**/}`, strictjson.ErrSyntax},
		{"NaN", `{"a":NaN}`, strictjson.ErrSyntax},
		{"Infinity", `{"a":-Infinity}`, strictjson.ErrSyntax},
		{"True", `{"a":True}`, strictjson.ErrSyntax},
		{"tru", `{"a":tru}`, strictjson.ErrSyntax},
		{"leading zero", `{"a":01}`, strictjson.ErrSyntax},
		{"plus", `{"a":+1}`, strictjson.ErrSyntax},
		{"no digits after point", `{"a":1.}`, strictjson.ErrSyntax},
		{"no digits before point", `{"a":.5}`, strictjson.ErrSyntax},
		{"no digits in exponent", `{"a":1e}`, strictjson.ErrSyntax},
		{"hex", `{"a":0x1}`, strictjson.ErrSyntax},
		{"raw newline in string", "{\"a\":\"\n\"}", strictjson.ErrSyntax},
		{"raw NUL in string", "{\"a\":\"\x00\"}", strictjson.ErrSyntax},
		{"unknown escape", `{"a":"\x41"}`, strictjson.ErrSyntax},
		{"short escape", `{"a":"\u12"}`, strictjson.ErrSyntax},
		{"escape at the end", `{"a":"\`, strictjson.ErrSyntax},
		{"unclosed string", `{"a":"b}`, strictjson.ErrSyntax},
		{"space that is not JSON's", "{\u00a0}", strictjson.ErrSyntax},

		{"invalid UTF-8", "{\"a\":\"\xff\"}", strictjson.ErrUTF8},
		{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", strictjson.ErrUTF8},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", strictjson.ErrUTF8},
		{"lone high surrogate", `{"a":"\ud83d"}`, strictjson.ErrUTF8},
		{"lone low surrogate", `{"a":"\ude00"}`, strictjson.ErrUTF8},
		{"high surrogate and letter", `{"a":"\ud83dx"}`, strictjson.ErrUTF8},
		{"high surrogate twice", `{"a":"\ud83d\ud83d"}`, strictjson.ErrUTF8},

		{"duplicate", `{"a":1,"a":1}`, strictjson.ErrDuplicate},
		{"duplicate through an escape", `{"iss":1,"\u0069ss":1}`, strictjson.ErrDuplicate},
		{"duplicate in nested object", `{"a":{"b":{"c":1,"c":2}}}`, strictjson.ErrDuplicate},
		{"duplicate in object in array", `{"a":[{"b":1},{"b":1,"b":2}]}`, strictjson.ErrDuplicate},
		{"duplicate among many", `{` + many.String() + `"n7":1}`, strictjson.ErrDuplicate},
		{"duplicate late among many", `{` + many.String() + `"z":1,"z":2}`, strictjson.ErrDuplicate},
		{"duplicate among many nested", `{"x":{` + many.String() + `"n99":1}}`, strictjson.ErrDuplicate},
		{"name of the parent is free", `{"a":{"a":{"a":1}},"b":{"a":2}}`, nil},
		{"too deep", deep(strictjson.MaxDepth), strictjson.ErrDepth},
		{"much too deep", `{"a":` + strings.Repeat(`{"a":`, 5000), strictjson.ErrDepth},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := strictjson.Parse(test.src, nil); !errors.Is(err, test.want) {
				t.Errorf("Parse(%.60q) = %v; want %v", test.src, err, test.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	members, err := strictjson.Parse(`{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","l":[1,"x",[],{}],"t":true,"n":null,"o":{"p":[2]}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := strictjson.Find(members, "s").Text(); got != "a\"\\/\b\f\n\r\té😀" || !ok {
		t.Errorf("Text = %q, %v", got, ok)
	}
	if _, ok := strictjson.Find(members, "l").Text(); ok {
		t.Error("an array has a text")
	}
	if !strictjson.Find(members, "t").True() || strictjson.Find(members, "n").True() {
		t.Error("True is wrong")
	}
	if kind := strictjson.Find(members, "S").Kind(); kind != strictjson.Invalid {
		t.Errorf("a name of another case was found: kind %v", kind)
	}
	elements, ok := strictjson.Find(members, "l").Elements(nil)
	if len(elements) != 4 || !ok {
		t.Errorf("Elements = %v, %v", elements, ok)
	}
	if nested, ok := strictjson.Find(members, "o").Members(nil); len(nested) != 1 || !ok {
		t.Errorf("Members = %v, %v", nested, ok)
	}
}

func TestTime(t *testing.T) {
	tests := []struct {
		raw  string
		want time.Time
	}{
		{"0", time.Unix(0, 0)},
		{"1750000000", time.Unix(1750000000, 0)},
		{"-1", time.Unix(-1, 0)},
		{"1750000000.5", time.Unix(1750000000, 5e8)},
		{"1750000000.123456789123", time.Unix(1750000000, 123456789)},
		{"-0.25", time.Unix(0, -25e7)},
		{"1.75e9", time.Unix(1750000000, 0)},
		{"1.5e0", time.Unix(1, 5e8)},
		{"1e400", time.Unix(253402300799, 0)},
		{"-1e400", time.Unix(-62135596800, 0)},
		{"99999999999999999999999", time.Unix(253402300799, 0)},
		{"99999999999999999999999.5", time.Unix(253402300799, 0)},
		{"9223372036854775807", time.Unix(253402300799, 0)},
	}
	for _, test := range tests {
		members, err := strictjson.Parse(`{"a":`+test.raw+`}`, nil)
		if err != nil {
			t.Fatalf("Parse(%s): %v", test.raw, err)
		}
		if got, ok := members[0].Value.Time(); !ok || !got.Equal(test.want) {
			t.Errorf("Time(%s) = %v, %v; want %v", test.raw, got, ok, test.want)
		}
	}
}

// FuzzParse compares with encoding/json: whatever is accepted here must be
// accepted there, with the same content.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,2.5e3,{"b":null}],"c":"\u00e9\n"}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"\xff\":1}", `{"a":[[[[]]]]} `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		members, err := strictjson.Parse(src, nil)
		if err != nil {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(src))
		decoder.UseNumber()
		want := map[string]any{}
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("Parse accepts %q, encoding/json says %v", src, err)
		}
		if got := strictjson.Map(members); !reflect.DeepEqual(got, want) {
			t.Fatalf("Parse(%q) = %v; encoding/json has %v", src, got, want)
		}
	})
}

func TestTexts(t *testing.T) {
	for src, want := range map[string][]string{
		`[]`:                       {"before"},
		`[ ]`:                      {"before"},
		`["a"]`:                    {"before", "a"},
		`[ "a" , "\u0062\"", "" ]`: {"before", "a", `b"`, ""},
		`"a"`:                      nil,
		`{"a":"b"}`:                nil,
		`[1,"]"]`:                  nil,
		`[1]`:                      nil,
		`["a",null]`:               nil,
		`["a",["b"]]`:              nil,
		`[true,"a"]`:               nil,
		`null`:                     nil,
	} {
		members, err := strictjson.Parse(`{"list":`+src+`}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := members[0].Value.Texts([]string{"before"})
		if ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("Texts of %s = %q, %v; want %q", src, got, ok, want)
		}
	}
	members, err := strictjson.ParseDocument(`{"list":["a","\ud800"]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := members[0].Value.Texts(nil); ok {
		t.Errorf("Texts with one that is not Unicode = %q; want none", got)
	}
	if got, ok := (strictjson.Value{}).Texts(nil); ok || got != nil {
		t.Errorf("Texts of nothing = %q, %v", got, ok)
	}
}

// TestControlCharacters: none stands in a string, whatever comes after it.
func TestControlCharacters(t *testing.T) {
	for c := range byte(0x20) {
		for _, after := range []string{"", `"`, "n", "u0041", `\`, "x"} {
			src := `{"a":"b` + string(rune(c)) + after + `"}`
			if _, err := strictjson.Parse(src, nil); !errors.Is(err, strictjson.ErrSyntax) {
				t.Errorf("Parse(%q) = %v; want ErrSyntax", src, err)
			}
			if _, err := strictjson.ParseDocument(src, nil); !errors.Is(err, strictjson.ErrSyntax) {
				t.Errorf("ParseDocument(%q) = %v; want ErrSyntax", src, err)
			}
		}
	}
	if _, err := strictjson.Parse(`{"a":"b `+"\x7f"+`"}`, nil); err != nil {
		t.Errorf("a space and DEL in a string: %v", err)
	}
}

// TestTimesWithExponents: an exponent counts, however many digits are in front of it.
func TestTimesWithExponents(t *testing.T) {
	for src, want := range map[string]int64{
		"1.7e9": 1700000000, "1.12345678901e9": 1123456789, "1.1234567890123456E+9": 1123456789, "17e8": 1700000000, "1.12345678901e-9": 0,
		"1e400": 253402300799, "-1e400": -62135596800, "1.5": 1,
	} {
		members, err := strictjson.Parse(`{"exp":`+src+`}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := members[0].Value.Time(); !ok || got.Unix() != want {
			t.Errorf("Time of %s = %d, %v; want %d", src, got.Unix(), ok, want)
		}
	}
}
