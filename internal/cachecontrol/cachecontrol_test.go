package cachecontrol_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

func TestParse(t *testing.T) {
	type result struct {
		maxAge  int64
		has     bool
		noStore bool
	}
	tests := []struct {
		value string
		want  result
	}{
		{"", result{}},
		{"max-age=300", result{300, true, false}},
		{"MAX-AGE=60", result{60, true, false}},
		{"public,max-age=60,private", result{60, true, false}},
		{",,  max-age=60 ,,", result{60, true, false}},
		{`max-age="60"`, result{60, true, false}},
		{`max-age="6\0"`, result{60, true, false}},
		{`ext="a, max-age=9, b", max-age=5`, result{5, true, false}},
		{`private="x, max-age=9", max-age=5`, result{5, true, false}},
		{`ext="unterminated, max-age=9`, result{}},
		{`max-age=5, ext="unterminated\`, result{5, true, false}},
		{"max-age=9223372036854775806", result{math.MaxInt64 - 1, true, false}},
		{"max-age=5" + strings.Repeat(" ", 4087), result{5, true, false}},
		{"max-age=5" + strings.Repeat(" ", 4088), result{}},
		{"max-age=60, max-age=120", result{60, true, false}},
		{"max-age=abc, max-age=120", result{}},
		{"max-age=0060", result{60, true, false}},
		{"max-age=0", result{0, true, false}},
		{"max-age", result{}},
		{"max-age=", result{}},
		{"max-age=-1", result{}},
		{"max-age=+60", result{}},
		{"max-age= 60", result{}},
		{"max-age =60", result{}},
		{"max-age=60.5", result{}},
		{"max-age=1_000", result{}},
		{"max-age=60; public", result{}},
		{"max-age=٦٠", result{}},
		{"s-maxage=60", result{}},
		{"x-max-age=60", result{}},
		{"max-age=9223372036854775807", result{math.MaxInt64, true, false}},
		{"max-age=99999999999999999999", result{math.MaxInt64, true, false}},
		{"max-age=" + strings.Repeat("9", 5000), result{}},
		{"no-store", result{0, false, true}},
		{"no-store, max-age=60", result{60, true, true}},
		{"max-age=60, no-cache", result{60, true, false}},
		{`max-age=60, no-cache="set-cookie"`, result{60, true, false}},
	}
	for _, test := range tests {
		d := cachecontrol.Parse(http.Header{"Cache-Control": {test.value}})
		if got := (result{d.MaxAge, d.HasMaxAge, d.NoStore}); got != test.want {
			t.Errorf("Parse(%.60q) = %v; want %v", test.value, got, test.want)
		}
	}
}

func TestParseFields(t *testing.T) {
	d := cachecontrol.Parse(http.Header{"Cache-Control": {"public", "max-age=60"}, "Age": {"59"}})
	if d.MaxAge != 60 || d.Age != 59 {
		t.Errorf("Parse = %+v; want max-age 60 and age 59", d)
	}
	if d := cachecontrol.Parse(http.Header{"Age": {"-5"}}); d.Age != 0 {
		t.Errorf("Age = %d; want 0 for a malformed one", d.Age)
	}
	for seconds, want := range map[int64]time.Duration{
		0: 0, 60: time.Minute, 9223372036: 9223372036 * time.Second, 9223372037: math.MaxInt64, math.MaxInt64: math.MaxInt64,
	} {
		if got := cachecontrol.Duration(seconds); got != want {
			t.Errorf("Duration(%d) = %v; want %v", seconds, got, want)
		}
	}
}

// TestNoCache: with a list of fields it speaks of those alone (RFC 9111, Section
// 5.2.2.4).
func TestNoCache(t *testing.T) {
	for value, want := range map[string]bool{
		"no-cache": true, "max-age=60, No-Cache": true, "no-cache , max-age=60": true, `no-cache="set-cookie"`: false, "no-cache=x, max-age=60": false,
		`no-cache, no-cache="set-cookie"`: true, `no-cache="set-cookie", no-cache`: true, "max-age=60": false, "no-store": false, "public, max-age=60": false, "no-cache-x": false,
		`no-cache="set-cookie`: false, `="set-cookie`: false, `ext="no-cache"`: false, "": false,
	} {
		if got := cachecontrol.Parse(http.Header{"Cache-Control": {value}}).NoCache; got != want {
			t.Errorf("NoCache of %q is %v; want %v", value, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`public, max-age=60, ext="a, b\"c"`)
	f.Add(`,,=,"`)
	f.Fuzz(func(t *testing.T, value string) {
		d := cachecontrol.Parse(http.Header{"Cache-Control": {value}})
		if d.MaxAge < 0 || !d.HasMaxAge && d.MaxAge != 0 {
			t.Fatalf("Parse(%q) = %+v", value, d)
		}
	})
}
