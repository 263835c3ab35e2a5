package recorded_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/recorded"
)

// read writes vectors to a file and reads them.
func read(t *testing.T, text string) ([]recorded.Vector, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "vectors.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return recorded.ReadFile(name)
}

func one(t *testing.T, text string) recorded.Vector {
	t.Helper()
	list, err := read(t, "["+text+"]")
	if err != nil || len(list) != 1 {
		t.Fatalf("ReadFile(%s) = %d vectors, %v; want one", text, len(list), err)
	}
	return list[0]
}

func TestReadIsStrict(t *testing.T) {
	const head = `{"id":"x","group":"g","now":1,`
	for name, text := range map[string]string{
		"unknown member":           head + `"more":1,"request":{"operation":"new_client"},"expect":{"ok":true}}`,
		"unknown operation":        head + `"request":{"operation":"new_thing"},"expect":{"ok":true}}`,
		"no operation":             head + `"request":{},"expect":{"ok":true}}`,
		"unknown argument":         head + `"request":{"operation":"verify_request","http_verb":"GET"},"expect":{"ok":true}}`,
		"argument of new_client":   head + `"request":{"operation":"new_client","domain":"x"},"expect":{"ok":true}}`,
		"two arguments":            head + `"request":{"operation":"sha256_base64url","a":"x","b":"y"},"expect":{"ok":true}}`,
		"unknown member of expect": head + `"request":{"operation":"new_client"},"expect":{"ok":true,"more":1}}`,
		"failure without error":    head + `"request":{"operation":"new_client"},"expect":{"ok":false}}`,
		"no expect":                head + `"request":{"operation":"new_client"}}`,
		"request and steps":        head + `"request":{"operation":"new_client"},"expect":{"ok":true},"steps":[{"request":{"operation":"new_client"},"expect":{"ok":true}}]}`,
		"step without expect":      head + `"steps":[{"request":{"operation":"new_client"}}]}`,
		"unknown clock":            head + `"clock":"sundial","request":{"operation":"new_client"},"expect":{"ok":true}}`,
		"unknown network error":    head + `"upstream":[{"error":"fire"}],"request":{"operation":"new_client"},"expect":{"ok":true}}`,
		"never called":             head + `"request":{"operation":"new_client","concurrent":0},"expect":{"ok":true}}`,
		"no id":                    `{"group":"g","request":{"operation":"new_client"},"expect":{"ok":true}}`,
		"another shape":            `{"id":"x","threat":"t"}`,
	} {
		if _, err := read(t, "["+text+"]"); err == nil {
			t.Errorf("%s: read; want an error", name)
		}
	}
}

func TestReadFolderPassesOverOtherFiles(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"attacks.json":     `[{"id":"a","threat":"t"}]`,
		"README.md":        `[]`,
		"object.json":      `{"id":"x"}`,
		"deeper/more.json": `[{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true}}]`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := recorded.ReadFolder(folder)
	if err != nil || len(list) != 1 || list[0].ID != "x" {
		t.Errorf("ReadFolder = %d vectors, %v; want the one", len(list), err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bad.json"), []byte(`[{"id":"x","group":"g","request":{"operation":"?"},"expect":{"ok":true}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recorded.ReadFolder(folder); err == nil {
		t.Error("ReadFolder with a vector that is not understood: nil; want an error")
	}
}

func TestMembersTellNullFromAbsent(t *testing.T) {
	v := one(t, `{"id":"x","group":"g","config":{"domain":null,"timeout":12345678901234567890.10},"request":{"operation":"verify_request","http_url":null,"http_method":5,"headers":{"b":"1","A":"2","a":null,"B":"3"}},"expect":{"ok":true,"result":null}}`)
	if !v.Request.Has("http_url") || !v.Request.Null("http_url") || v.Request.Has("headers_list") || v.Request.Null("headers_list") {
		t.Error("null and absent arguments are mixed up")
	}
	if text, err := v.Request.Text("http_url"); text != "" || err != nil {
		t.Errorf("Text of null = %q, %v; want nothing", text, err)
	}
	if _, err := v.Request.Text("http_method"); !errors.Is(err, recorded.ErrInexpressible) {
		t.Errorf("Text of a number: %v; want ErrInexpressible", err)
	}
	domain := "as it was"
	if err := v.Config.Read("domain", &domain); !errors.Is(err, recorded.ErrInexpressible) {
		t.Errorf("Read of null: %v; want ErrInexpressible", err)
	}
	if err := v.Config.Read("absent", &domain); err != nil || domain != "as it was" {
		t.Errorf("Read of nothing = %q, %v; want it untouched", domain, err)
	}
	if n := v.Config.Value("timeout"); n != json.Number("12345678901234567890.10") {
		t.Errorf("Value of a number = %v; want its digits", n)
	}
	fields, err := v.Request.Fields("headers")
	if err != nil || len(fields) != 3 || fields[0] != [2]string{"b", "1"} || fields[1] != [2]string{"A", "2"} || fields[2] != [2]string{"B", "3"} {
		t.Errorf("Fields = %v, %v; want them in order, without the null one", fields, err)
	}
	if string(v.Expect.Result) != "null" || v.Expect.Claims != nil {
		t.Error("a result of null and absent claims are mixed up")
	}
}

func TestSame(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`150e1`, `1.5E+3`, true}, {`-0`, `0.00`, true}, {`0.1e-2`, `1e-3`, true}, {`1e400`, `10e399`, true},
		{`100000000000000000000000000000000001`, `100000000000000000000000000000000002`, false},
		{`0.1`, `0.10000000000000000001`, false}, {`1`, `-1`, false}, {`1e999999999999`, `1e999999999999`, true}, {`1`, `"1"`, false},
		{`{"a":null}`, `{}`, false}, {`{"a":null}`, `{"b":null}`, false}, {`{"a":[1,{"b":2}]}`, `{"a":[1.0,{"b":2}]}`, true},
		{`[1,2]`, `[2,1]`, false}, {`null`, `null`, true}, {`false`, `null`, false}, {`{"$float":"NaN"}`, `0`, false},
	} {
		a, b := recorded.Members{"x": json.RawMessage(test.a)}.Value("x"), recorded.Members{"x": json.RawMessage(test.b)}.Value("x")
		if got := recorded.Same(a, b); got != test.want {
			t.Errorf("Same(%s, %s) = %v; want %v", test.a, test.b, got, test.want)
		}
	}
}

// script is a subject that fetches what it is told to.
type script struct{ w *recorded.World }

func (script) Close() {}

func (s script) Do(ctx context.Context, req *recorded.Request) recorded.Outcome {
	address, err := req.Text("http_url")
	if err != nil {
		return recorded.Failed(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return recorded.Failed(err)
	}
	resp, err := s.w.Do(r)
	if err != nil {
		return recorded.Outcome{Value: "error"}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return recorded.Failed(err)
	}
	return recorded.Outcome{Value: string(body)}
}

func play(t *testing.T, v *recorded.Vector) string {
	t.Helper()
	o := recorded.Play(t.Context(), v, func(w *recorded.World, _ *recorded.Vector) (recorded.Subject, error) { return script{w}, nil })
	return recorded.Compare(v, &o)
}

// TestStepsOfTheWorld: a list of answers lasts until the next one, a count of
// uses is counted down anew in every run, and bytes are served as they stand.
func TestStepsOfTheWorld(t *testing.T) {
	const call = `"upstream_calls":[{"method":"GET","url":"https://a.example/"}]`
	v := one(t, `{"id":"x","group":"g","now":1.25,"upstream":[{"method":"GET","url":"https://a.example/","status":200,"body":"{\"a\" : 1.50}","times":1}],"steps":[
		{"request":{"operation":"verify_request","http_url":"https://a.example/"},"expect":{"ok":true,"result":"{\"a\" : 1.50}",`+call+`}},
		{"request":{"operation":"verify_request","http_url":"https://a.example/"},"expect":{"ok":true,"result":"error",`+call+`}},
		{"upstream":[{"method":"GET","url":"https://a.example/","status":200,"body_b64":"AP8="}],"request":{"operation":"verify_request","http_url":"https://a.example/"},"expect":{"ok":true,"result":"\u0000\ufffd",`+call+`}},
		{"upstream":[],"request":{"operation":"verify_request","http_url":"https://a.example/"},"expect":{"ok":true,"result":"error",`+call+`}},
		{"request":{"operation":"verify_request","http_url":"https://a.example/"},"expect":{"ok":true,"result":"error",`+call+`}}]}`)
	v.Steps[2].Expect.Result = nil // the two octets are no JSON text
	for range 2 {
		if got := play(t, &v); got != `step 2: accepted "\u0000\ufffd"` {
			t.Errorf("Compare = %q; want the octets of step 2 alone", got)
		}
	}
	if w := recorded.NewWorld(&v); !w.Now().Equal(time.Unix(1, 25e7)) || !w.Now().Equal(time.Unix(1, 25e7)) {
		t.Errorf("Now = %v; want 1.25 s", w.Now())
	}
	v.Clock = "ticking"
	if w := recorded.NewWorld(&v); !w.Now().Before(w.Now()) {
		t.Error("a ticking clock stands still")
	}
}

// TestCompare changes one thing of a recording that fits.
func TestCompare(t *testing.T) {
	failure := recorded.Failure{Status: 401, Code: "invalid_token", Reason: "expired", Description: "ours", Challenges: new(`Bearer error_description="ours"`)}
	const refusal = `{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":false,"error":{"class":"C","status_code":401,"error_code":"invalid_token","message":"theirs","www_authenticate":"Bearer error_description=\"theirs\""}}}`
	for name, test := range map[string]struct {
		vector  string
		outcome recorded.Outcome
		want    string
	}{
		"refusal":          {refusal, recorded.Outcome{Failure: &failure}, ""},
		"another status":   {strings.Replace(refusal, "401", "403", 1), recorded.Outcome{Failure: &failure}, `401 invalid_token expired Bearer error_description="..."`},
		"another code":     {strings.Replace(refusal, "invalid_token", "x", 1), recorded.Outcome{Failure: &failure}, `401 invalid_token expired Bearer error_description="..."`},
		"another header":   {strings.Replace(refusal, `"Bearer error`, `"DPoP error`, 1), recorded.Outcome{Failure: &failure}, `401 invalid_token expired Bearer error_description="..."`},
		"no header":        {strings.Replace(refusal, `"Bearer error_description=\"theirs\""`, `null`, 1), recorded.Outcome{Failure: &failure}, `401 invalid_token expired Bearer error_description="..."`},
		"a crash":          {strings.Replace(refusal, `"class":"C"`, `"class":"CRASH:X"`, 1), recorded.Outcome{Failure: &failure}, `401 invalid_token expired Bearer error_description="..."`},
		"a ValueError":     {strings.Replace(refusal, `"class":"C"`, `"class":"ValueError"`, 1), recorded.Failed(io.EOF), ""},
		"an acceptance":    {refusal, recorded.Outcome{Value: json.Number("1")}, "accepted 1"},
		"no acceptance":    {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true,"result":1}}`, recorded.Failed(io.EOF), "refused"},
		"another result":   {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true,"result":1}}`, recorded.Outcome{Value: json.Number("2")}, "accepted 2"},
		"null and nothing": {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true,"result":null}}`, recorded.Outcome{}, ""},
		"nothing recorded": {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true}}`, recorded.Outcome{}, "accepted null"},
		"inexpressible":    {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true,"result":1}}`, recorded.Failed(recorded.ErrInexpressible), "inexpressible"},
		"at construction":  {strings.Replace(refusal, `{"ok":false`, `{"ok":false,"at":"construction"`, 1), recorded.Outcome{Failure: &failure}, "construction accepted"},
		"a missing call":   {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true,"result":1,"upstream_calls":[{"method":"GET","url":"u"}]}}`, recorded.Outcome{Value: json.Number("1")}, "calls []"},
		"a missing question": {`{"id":"x","group":"g","request":{"operation":"new_client"},"expect":{"ok":true,"result":1,"resolver_context":{"unverified_iss":"i"}}}`,
			recorded.Outcome{Value: json.Number("1")}, "resolver asked 0 times"},
	} {
		v := one(t, test.vector)
		o := recorded.Observation{Steps: []recorded.Observed{{Outcomes: []recorded.Outcome{test.outcome}}}}
		if got := recorded.Compare(&v, &o); got != test.want {
			t.Errorf("%s: Compare = %q; want %q", name, got, test.want)
		}
	}
}

func TestCompareOfSeveralCallers(t *testing.T) {
	v := one(t, `{"id":"x","group":"g","request":{"operation":"new_client","concurrent":3},"expect":{"concurrent":3,"outcomes":[{"count":2,"outcome":{"ok":true,"result":1}},{"count":1,"outcome":{"ok":true,"result":2}}]}}`)
	good, other := recorded.Outcome{Value: json.Number("1")}, recorded.Outcome{Value: json.Number("2")}
	for _, test := range []struct {
		outcomes []recorded.Outcome
		want     string
	}{
		{[]recorded.Outcome{good, other, good}, ""},
		{[]recorded.Outcome{other, good, other}, "1 times accepted 1, 2 times accepted 2"},
		{[]recorded.Outcome{good, good}, "2 times accepted 1"},
	} {
		o := recorded.Observation{Steps: []recorded.Observed{{Outcomes: test.outcomes}}}
		if got := recorded.Compare(&v, &o); got != test.want {
			t.Errorf("Compare = %q; want %q", got, test.want)
		}
	}
}

func TestDifferences(t *testing.T) {
	own := []recorded.Vector{{ID: "a"}, {ID: "b"}}
	rules := []recorded.Rule{{Name: "r", Because: "RFC", Quirk: "odd", Wanted: []string{"401 invalid_token"}}}
	entry := recorded.Entry{ID: "a", Rule: "r", Outcome: "step 1: 2 times 401 invalid_token expired; step 2: 401 invalid_token"}
	d, err := recorded.NewDifferences([]recorded.Entry{entry}, rules, own)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		vector    recorded.Vector
		outcome   string
		problem   bool
		onPurpose bool
	}{
		{"as listed", own[0], entry.Outcome, false, true},
		{"listed and equal", own[0], "", true, false},
		{"listed with another outcome", own[0], "401 invalid_token", true, false},
		{"equal", own[1], "", false, false},
		{"not listed", own[1], "401 invalid_token", true, false},
		{"not listed, whatever its remark", recorded.Vector{ID: "b", Quirk: "odd"}, "401 invalid_token", true, false},
		{"further, equal", recorded.Vector{ID: "c", Quirk: "odd"}, "", false, false},
		{"further, by a rule", recorded.Vector{ID: "c", Quirk: "very odd"}, "401 invalid_token expired", false, true},
		{"further, in the other direction", recorded.Vector{ID: "c", Quirk: "very odd"}, "accepted 1", true, false},
		{"further, partly in the other direction", recorded.Vector{ID: "c", Quirk: "very odd"}, "step 0: 401 invalid_token; step 1: accepted 1", true, false},
		{"further, by no rule", recorded.Vector{ID: "c", Quirk: "even"}, "401 invalid_token", true, false},
	} {
		problem, onPurpose := d.Judge(&test.vector, test.outcome)
		if (problem != "") != test.problem || onPurpose != test.onPurpose {
			t.Errorf("%s: Judge = %q, %v; want a problem %v, on purpose %v", test.name, problem, onPurpose, test.problem, test.onPurpose)
		}
	}
	for name, entries := range map[string][]recorded.Entry{
		"twice":                   {entry, entry},
		"no vector":               {{ID: "c", Rule: "r", Outcome: "401 invalid_token"}},
		"no rule":                 {{ID: "a", Rule: "s", Outcome: "401 invalid_token"}},
		"in the other direction":  {{ID: "a", Rule: "r", Outcome: "accepted 1"}},
		"without outcome":         {{ID: "a", Rule: "r"}},
		"partly another outcome":  {{ID: "a", Rule: "r", Outcome: "step 0: 401 invalid_token; step 1: 503 keys_unavailable"}},
		"a step and nothing else": {{ID: "a", Rule: "r", Outcome: "step 0: "}},
	} {
		if _, err := recorded.NewDifferences(entries, rules, own); err == nil {
			t.Errorf("%s: NewDifferences = nil; want an error", name)
		}
	}
	for name, rule := range map[string]recorded.Rule{
		"of no vector":    {Name: "s", Because: "RFC", Wanted: []string{"accepted"}},
		"without reason":  {Name: "s", Quirk: "q", Wanted: []string{"accepted"}},
		"without outcome": {Name: "s", Quirk: "q", Because: "RFC"},
	} {
		if _, err := recorded.NewDifferences(nil, []recorded.Rule{rule}, own); err == nil {
			t.Errorf("a rule %s: NewDifferences = nil; want an error", name)
		}
	}
}
