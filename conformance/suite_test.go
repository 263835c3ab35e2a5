package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// rules are the checks of all suites as name and rule.
func rules() map[string]string {
	all := make(map[string]string)
	collect(all, conformance.CacheChecks())
	collect(all, conformance.ReplayStoreChecks())
	collect(all, conformance.DomainResolverChecks())
	collect(all, conformance.IssuerResolverChecks())
	collect(all, conformance.KeyFetcherChecks())
	collect(all, conformance.ClockChecks())
	collect(all, conformance.DoerChecks())
	collect(all, conformance.IntrospectorChecks())
	collect(all, conformance.RevocationCheckerChecks())
	collect(all, conformance.RevocationStoreChecks())
	collect(all, conformance.KeyDecrypterChecks())
	return all
}

func collect[H any](all map[string]string, checks []conformance.Check[H]) {
	for _, c := range checks {
		name := c.Interface + "/" + c.Name
		if _, twice := all[name]; twice {
			name += " (twice)"
		}
		all[name] = c.Rule
	}
}

// TestRulesAreSentencesOfTheContract: each rule stands in the doc comments of
// the interfaces, word by word.
func TestRulesAreSentencesOfTheContract(t *testing.T) {
	var source []byte
	for _, file := range []string{"../verifier/interfaces.go", "../verifier/opaque.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	comments := regexp.MustCompile(`(?m)^\s*//\s*`).ReplaceAllString(string(source), "")
	contract := strings.Join(strings.Fields(comments), " ")
	for name, rule := range rules() {
		if !strings.Contains(contract, rule) {
			t.Errorf("%s: the rule %q is not in the contract", name, rule)
		}
	}
}

func TestCheckNames(t *testing.T) {
	name := regexp.MustCompile(`^[A-Z][A-Za-z]+/[a-z0-9-]+$`)
	for check := range rules() {
		if !name.MatchString(check) {
			t.Errorf("name %q; want words of lower-case letters, digits and hyphens, once", check)
		}
	}
}

// TestDependencies: a stranger's test binary gets the standard library and the
// core, and no other part of ours.
func TestDependencies(t *testing.T) {
	const module = "github.com/portcullis-go/portcullis/"
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	list.Env = append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	core := []string{module + "verifier", module + "verifier/reason", module + "conformance"}
	for path := range strings.FieldsSeq(string(out)) {
		ours := slices.Contains(core, path) || strings.HasPrefix(path, module+"internal/")
		if !ours && !strings.HasPrefix(path, "github.com/go-jose/go-jose/v4") && !strings.HasPrefix(path, "golang.org/x/sync") {
			t.Errorf("conformance depends on %s; want the standard library and the core", path)
		}
	}
}

// TestSubtestsOfABrokenImplementation runs this test binary on a cache that
// takes empty values for misses, one that panics and one that hangs.
func TestSubtestsOfABrokenImplementation(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v")
	cmd.Env = append(os.Environ(), brokenVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the broken cache passes; want it to fail")
	}
	for _, want := range []string{
		"--- FAIL: TestBroken/empty-value-is-a-value",
		"= (nil, false, nil) in each of 8 tries; want the value",
		"rule of verifier.Cache: An empty value is a value, not a miss",
		"--- FAIL: TestBroken/delete-of-an-absent-key-is-nil",
		"panic: client: not found",
		"--- FAIL: TestBroken/negative-ttl-removes",
		"hangs: Set did not return within",
		"--- PASS: TestBroken/get-finds-what-was-set",
		"--- PASS: TestBroken/errors-do-not-show-the-value",
		"--- PASS: TestBroken/Clearer/clear-of-a-backend-that-is-down",
		"--- SKIP: TestBroken/Clearer/clear-spares-replay-records",
		"the harness has no ReplayStore on the same server",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

const brokenVariable = "PORTCULLIS_TEST_BROKEN"

// TestBroken is the other half of the test above, and nothing without it.
func TestBroken(t *testing.T) {
	if os.Getenv(brokenVariable) == "" {
		return
	}
	conformance.TestCache(t, brokenHarness(3*time.Second))
}

// brokenHarness has three mistakes.
func brokenHarness(timeout time.Duration) conformance.CacheHarness {
	h := cacheHarness(func(a *altered) {
		get, set, remove := a.get, a.set, a.delete
		a.get = func(ctx context.Context, key string) ([]byte, bool, error) {
			value, ok, err := get(ctx, key)
			if len(value) == 0 {
				return nil, false, err
			}
			return value, ok, err
		}
		a.delete = func(ctx context.Context, key string) error {
			absent := false
			a.look(key, func(e *entry) { absent = e == nil })
			if absent && ctx.Err() == nil && !a.isHanging() && !a.isDown() {
				panic(errNotFound)
			}
			return remove(ctx, key)
		}
		a.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if ttl < 0 {
				select {}
			}
			return set(ctx, key, value, ttl)
		}
	})
	h.ReplayStore, h.Timeout = nil, timeout
	return h
}

// TestRunsWithoutATest: checks are data, and a report is a value.
func TestRunsWithoutATest(t *testing.T) {
	checks := conformance.CacheChecks()
	i := slices.IndexFunc(checks, func(c conformance.Check[conformance.CacheHarness]) bool {
		return c.Name == "empty-value-is-a-value"
	})
	if err := checks[i].Run(t.Context(), cacheHarness(nil)); err != nil {
		t.Errorf("Run on the reference = %v; want nil", err)
	}
	err := checks[i].Run(t.Context(), brokenHarness(3*time.Second))
	if err == nil || !strings.Contains(err.Error(), "want") {
		t.Errorf("Run on a broken cache = %v; want what was got and wanted", err)
	}
}

// TestHarnessMistakes: a harness that fails makes checks fail, whatever way.
func TestHarnessMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		new  func(*conformance.Env) (verifier.Cache, error)
		want string
	}{
		"no New":   {nil, "no New"},
		"an error": {func(*conformance.Env) (verifier.Cache, error) { return nil, errDown }, errDown.Error()},
		"a panic":  {func(*conformance.Env) (verifier.Cache, error) { panic("boom") }, "boom"},
		"no cache": {func(*conformance.Env) (verifier.Cache, error) { return nil, nil }, "nil pointer"},
	} {
		report := conformance.RunCache(t.Context(), conformance.CacheHarness{New: c.new, Advance: func(time.Duration) {}})
		for _, one := range report.Results {
			if one.Status == conformance.Passed && !strings.Contains(one.Detail, "builds on") || one.Status == conformance.Failed && !strings.Contains(one.Detail, c.want) {
				t.Errorf("%s: %s %s: %s; want a failure with %q", name, one.Check, one.Status, one.Detail, c.want)
			}
		}
		if failed := report.Count(conformance.Failed); failed != 1 {
			t.Errorf("%s: %d checks failed; want the first one, and the others skipped for it", name, failed)
		}
		if report.Err() == nil {
			t.Errorf("%s: Err() = nil; want an error", name)
		}
	}
}

// TestEnvironments: each check has a namespace of its own, and its cleanups
// run.
func TestEnvironments(t *testing.T) {
	h := cacheHarness(nil)
	seen := make(map[string]bool)
	made, cleaned := 0, 0
	inner := h.New
	h.New = func(env *conformance.Env) (verifier.Cache, error) {
		if _, ok := env.Context().Deadline(); !ok {
			t.Error("a check has no deadline")
		}
		made++
		seen[env.Namespace] = true
		env.Cleanup(func() { cleaned++ })
		return inner(env)
	}
	if err := conformance.RunCache(t.Context(), h).Err(); err != nil {
		t.Error(err)
	}
	if made != cleaned || len(seen) < len(conformance.CacheChecks()) {
		t.Errorf("%d caches, %d cleanups, %d namespaces; want as many cleanups as caches, and a namespace for each of %d checks", made, cleaned, len(seen), len(conformance.CacheChecks()))
	}
}

func someResults() []conformance.Result {
	return []conformance.Result{
		{Interface: "Cache", Check: "one", Rule: "Rule of one.", Status: conformance.Passed},
		{Interface: "Cache", Check: "two", Rule: "Rule of two.", Status: conformance.Skipped, Detail: "no | Hang"},
		{Interface: "Clearer", Check: "three", Rule: "Rule of three.", Status: conformance.Failed, Detail: "got 1;\nwant 2"},
	}
}

func someReport() conformance.Report {
	return conformance.Report{Suite: 2, Date: "2026-11-29", Implementation: "a v1", Results: someResults(), Problems: []string{"not fit"}}
}

func TestReportAsMarkdown(t *testing.T) {
	const want = `a v1: Cache, Clearer: 1 passed, 1 failed, 1 skipped (suite 2, 2026-11-29)

| check | outcome | rule | detail |
|---|---|---|---|
| Cache/one | passed | Rule of one. |  |
| Cache/two | skipped | Rule of two. | no \| Hang |
| Clearer/three | failed | Rule of three. | got 1; want 2 |

not fit
`
	var got strings.Builder
	if err := someReport().WriteMarkdown(&got); err != nil || got.String() != want {
		t.Errorf("WriteMarkdown = %v\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestReportAsJSON(t *testing.T) {
	var text bytes.Buffer
	report := someReport()
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var again conformance.Report
	if err := json.Unmarshal(text.Bytes(), &again); err != nil || again.Implementation != report.Implementation || again.Suite != 2 || !slices.Equal(again.Results, report.Results) {
		t.Errorf("read again: %+v, %v; want %+v", again, err, report)
	}
}

// TestReportsAreRecorded runs this test binary with a folder for reports.
func TestReportsAreRecorded(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClocks$")
	cmd.Env = append(os.Environ(), "PORTCULLIS_REPORTS="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "conformance: time.Now: Clock: 8 passed, 0 failed, 0 skipped (suite "; !bytes.Contains(out, []byte(want)) {
		t.Errorf("the output without -v is %q; want %q in it", out, want)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %q, %v; want two in the folder", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got conformance.Report
		if err := json.Unmarshal(data, &got); err != nil || got.Implementation == "" || got.Suite != conformance.Version || len(got.Results) != 8 {
			t.Errorf("report %+v, %v; want that of a clock", got, err)
		}
	}
}
