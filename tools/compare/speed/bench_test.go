package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestJobs does everything once: each row must accept or refuse as it says.
func TestJobs(t *testing.T) {
	f, err := newFixture(3)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := f.jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, j := range jobs {
		if j.prepare != nil {
			if err := j.prepare(2); err != nil {
				t.Fatal(err)
			}
		}
		if err := repeat(j.run, 2, j.workers); err != nil {
			t.Errorf("%s, %s: %v", j.group, j.name, err)
		}
		if row := j.group + j.name; seen[row] {
			t.Errorf("%s, %s is there twice", j.group, j.name)
		} else {
			seen[row] = true
		}
	}
	for _, group := range groups {
		if !seen[group+ourName] && group != groupMemo {
			t.Errorf("no row of ours in %q", group)
		}
	}
}

// TestRowsTellRightFromWrong: a library that accepts everything, or nothing,
// must not make it into the table.
func TestRowsTellRightFromWrong(t *testing.T) {
	f, err := newFixture(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range f.refusals("accepts all", func(string) error { return nil }) {
		if err := j.run(); !errors.Is(err, errAccepted) {
			t.Errorf("%s: %v; want errAccepted", j.group, err)
		}
	}
	refusal := errors.New("refused")
	if err := expect(true, refusal); !errors.Is(err, refusal) {
		t.Errorf("expect = %v; want the refusal", err)
	}
}

func TestLimitsCheckSignatures(t *testing.T) {
	f, err := newFixture(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.bareRSA(f.token)(); err != nil {
		t.Errorf("a good token: %v", err)
	}
	if err := f.bareRSA(f.forged)(); err == nil {
		t.Error("the limit takes a forged token")
	}
	if err := f.bareBoth()(); err != nil {
		t.Errorf("a good proof: %v", err)
	}
	f.proof = f.proof[:len(f.proof)-4] + "AAAA"
	if err := f.bareBoth()(); !errors.Is(err, errBare) {
		t.Errorf("a forged proof: %v; want errBare", err)
	}
}

func TestReport(t *testing.T) {
	row := func(group, name string, ratio float64) result {
		return result{job: job{group: group, name: name}, nanoseconds: ratio * 25_000, bytes: 100, allocations: 10, ratio: ratio}
	}
	r := &report{issuers: 7, soak: 9, tokenSize: 1024, results: []result{
		row(groupBearer, bareName, 1), row(groupBearer, ourName, 1.1), row(groupBearer, "a <b> & c", 2.5), row(groupMemo, ourName+", TokenMemo", 0.5),
	}}
	var text, page, chart strings.Builder
	for _, write := range []struct {
		to *strings.Builder
		f  func(io.Writer) error
	}{{&text, r.print}, {&page, r.markdown}, {&chart, r.chart}} {
		if err := write.f(write.to); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"make bench", "GOWORK=off go run ./speed", "| Portcullis | 27500 | 100 | 10 | 1.100 |", "| memo hit, ratio to the limit | 0.500 | <= 0.04 | missed |", "| Bearer, ratio to the limit | 1.100 | <= 1.15 | met |"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.Contains(text.String(), "1.100") {
		t.Errorf("printed:\n%s", text.String())
	}
	decoder := xml.NewDecoder(strings.NewReader(chart.String()))
	rects := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the chart is no XML: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "rect" {
			rects++
		}
	}
	if rects != 1+3 {
		t.Errorf("%d rects; want the ground and 3 bars", rects)
	}
}

func TestMeasure(t *testing.T) {
	f, err := newFixture(1)
	if err != nil {
		t.Fatal(err)
	}
	bare := f.bareRSA(f.token)
	twice := func() error { return errors.Join(bare(), bare()) }
	r, err := measure(job{run: twice, limit: bare})
	if err != nil {
		t.Fatal(err)
	}
	if r.ratio < 1.6 || r.ratio > 2.5 {
		t.Errorf("doing it twice costs %.2f times doing it once", r.ratio)
	}
	if r.allocations < 2 {
		t.Errorf("%.1f allocations", r.allocations)
	}
	failure := errors.New("failure")
	if _, err := measure(job{run: func() error { return failure }, limit: bare}); !errors.Is(err, failure) {
		t.Errorf("measure = %v; want the failure of the job", err)
	}
}

func TestParseTargets(t *testing.T) {
	rows, err := parseTargets([]byte("=== RUN   TestTargets\n| Redis Add | 0.47 | <= 0.60 | met |\n| memcached Get | 1.70 | <= 1.60 | missed |\n--- PASS: TestTargets (1.00s)\nPASS\n"))
	if err != nil || len(rows) != 2 || !rows[0].met || rows[1].met || rows[1].measured != "1.70" || rows[1].budget != "<= 1.60" {
		t.Errorf("parseTargets() = %+v, %v; want a row that is met and one that is missed", rows, err)
	}
	for _, out := range []string{"", "PASS\n", "| Redis Add | 0.47 | met |\n", "| Redis Add | 0.47 | <= 0.60 | perhaps |\n"} {
		if rows, err := parseTargets([]byte(out)); err == nil {
			t.Errorf("parseTargets(%q) = %+v; want an error", out, rows)
		}
	}
}
