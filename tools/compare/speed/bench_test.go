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
	seen, ours := make(map[string]bool), make(map[string]bool)
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
		if strings.HasPrefix(j.name, ourName) {
			ours[j.group] = true
		}
	}
	for _, group := range groups {
		if !ours[group] {
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

// wholeReport has a value for everything.
func wholeReport() *report {
	r := &report{
		issuers: 7, soak: 9, tokenSize: 1024, inputSize: 700, middleware: &result{ratio: 1.05}, memoEntry: 720,
		scaling: &scale{cpu: 1, wall: 0.9}, growth: &grown{early: 13, late: 13},
		requests: &requests{names: serverNames, perSecond: [][]float64{{40, 20, 25, 35, 15, 10, 5}, {40, 10, 25, 35, 15, 10, 5}, {40, 30, 25, 35, 15, 10, 5}}, busy: 0.4, pinned: true},
	}
	row := func(group, name string, ratio float64) {
		r.results = append(r.results, result{job: job{group: group, name: name}, nanoseconds: ratio * 25_000, bytes: 100, allocations: 10, ratio: ratio, beyond: 3000})
	}
	row(groupBearer, bareName, 1)
	row(groupBearer, ourName, 1.1)
	row(groupBearer, "a <b> & c", 2.5)
	row(groupMemo, memoName, 0.5)
	for _, name := range []string{staticName, byHostName, issuerOnlyName} {
		row(groupResolvers, name, 1)
	}
	for _, group := range []string{groupRSA2048, groupRSA3072, groupRSA4096} {
		for _, name := range []string{ourName, fastName, fastSignatureName, bareByRSA} {
			row(group, name, 0.7)
		}
	}
	for _, group := range []string{groupES256, groupEdDSA, groupMLDSA44} {
		row(group, ourName, 1.1)
		row(group, bareByRSA, 2)
	}
	for _, what := range order {
		if suite := strings.Split(what, " ")[0]; suite == "Redis" || suite == "memcached" || suite == "cold" || suite == "memory" {
			r.suites = append(r.suites, target{what, "2.00", "<= 0.60", false})
		}
	}
	return r
}

func TestReport(t *testing.T) {
	r := wholeReport()
	var text, page strings.Builder
	if err := errors.Join(r.print(&text), r.markdown(&page)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"make bench", "GOWORK=off go run ./speed", "| Portcullis | 27500 | 100 | 10 | 1.100 |",
		"| memo hit, ratio to the limit | 0.500 | <= 0.04 | missed |", "| Bearer, ratio to the limit | 1.100 | <= 1.10 | met |",
		"| Bearer, allocations | 10 | <= 13 | met |", "| Redis Add, 64 callers: throughput, to the bare client | 2.00 | <= 0.60 | missed |",
		"| resolver of 1,000 domains by host, beyond a static list | 3.00 us | <= 10 us | met |",
		"| EdDSA, heap copy of the signing input | none | none | met |",
		"| server on one core: requests/s to coreos/go-oidc/v3 | 2.00 | >= 1.40 | met |",
		"| server on one core, accelerated: requests/s to auth0/go-jwt-middleware/v3 | 5.00 | >= 2.50 | met |",
		"the server answered 1.8 times the requests", "An entry takes 720 bytes for a token of 1024",
		chartFile, serverChartFile, storeChartFile,
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, want := range []string{"1.100", "missed", "An entry takes 720 bytes"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("printed without %q:\n%s", want, text.String())
		}
	}
}

// TestOrder: the first rows stand in their order, and one that was not measured
// is told.
func TestOrder(t *testing.T) {
	r := wholeReport()
	list := r.targets()
	for i, what := range order {
		if i >= len(list) || list[i].what != what {
			t.Fatalf("row %d is not %q: %+v", i, what, list)
		}
	}
	if missing := r.missing(); len(missing) != 0 {
		t.Errorf("missing: %q", missing)
	}
	r.suites = r.suites[1:]
	if missing := r.missing(); len(missing) != 1 || missing[0] != order[0] {
		t.Errorf("missing = %q; want %q", missing, order[:1])
	}
	if missing := (&report{}).missing(); len(missing) != len(order) {
		t.Errorf("%d rows of nothing are missing; want all %d", len(missing), len(order))
	}
}

// TestEdDSACopyShows: a copy of what is signed makes the row miss its target.
func TestEdDSACopyShows(t *testing.T) {
	r := wholeReport()
	for i := range r.results {
		if x := &r.results[i]; x.group == groupEdDSA && x.name == ourName {
			x.bytes += 704
		}
	}
	for _, x := range r.targets() {
		if x.what == targetEdDSACopy && (x.met || x.measured != "704 B") {
			t.Errorf("%+v; want it missed by 704 B", x)
		}
	}
}

func TestCharts(t *testing.T) {
	r := wholeReport()
	for name, want := range map[string]int{chartFile: 3, serverChartFile: len(serverNames), storeChartFile: 6} {
		var chart strings.Builder
		if err := r.files()[name](&chart); err != nil {
			t.Fatal(err)
		}
		// The ground is a rect too.
		if got := rects(t, chart.String()) - 1; got != want {
			t.Errorf("%s: %d bars; want %d", name, got, want)
		}
	}
}

func rects(t *testing.T, chart string) (n int) {
	decoder := xml.NewDecoder(strings.NewReader(chart))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("the chart is no XML: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "rect" {
			n++
		}
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
