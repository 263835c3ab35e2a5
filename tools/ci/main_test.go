package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestProgress plays what go test -json prints for four packages.
func TestProgress(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out)
	err := p.read(strings.NewReader(`
{"Action":"start","Package":"m/good"}
{"Action":"start","Package":"m/bad"}
{"Action":"run","Package":"m/good","Test":"TestA"}
{"Action":"run","Package":"m/bad","Test":"TestB"}
{"Action":"output","Package":"m/bad","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"m/good","Test":"TestA","Output":"    a_test.go:1: of a test that passes\n"}
{"Action":"run","Package":"m/bad","Test":"TestB/part"}
{"Action":"output","Package":"m/bad","Test":"TestB/part","Output":"    b_test.go:1: wrong\n"}
{"Action":"fail","Package":"m/bad","Test":"TestB/part","Elapsed":0}
{"Action":"fail","Package":"m/bad","Test":"TestB","Elapsed":0}
{"Action":"run","Package":"m/good","Test":"TestC"}
{"Action":"skip","Package":"m/good","Test":"TestC","Elapsed":0}
{"Action":"pass","Package":"m/good","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"m/good","Output":"PASS\n"}
{"Action":"output","Package":"m/good","Output":"ok  \tm/good\t1.2s\n"}
{"Action":"pass","Package":"m/good","Elapsed":1.2}
{"Action":"output","Package":"m/bad","Output":"FAIL\n"}
{"Action":"output","Package":"m/bad","Output":"FAIL\tm/bad\t0.1s\n"}
{"Action":"fail","Package":"m/bad","Elapsed":0.1}
{"Action":"start","Package":"m/none"}
{"Action":"output","Package":"m/none","Output":"?   \tm/none\t[no test files]\n"}
{"Action":"skip","Package":"m/none","Elapsed":0}
{"ImportPath":"m/broken","Action":"build-output","Output":"broken.go:1:1: syntax error\n"}
{"ImportPath":"m/broken","Action":"build-fail"}
{"Action":"start","Package":"m/broken"}
{"Action":"output","Package":"m/broken","Output":"FAIL\tm/broken [build failed]\n"}
{"Action":"fail","Package":"m/broken","Elapsed":0,"FailedBuild":"m/broken"}
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `    b_test.go:1: wrong
=== RUN   TestB
ok  	m/good	1.2s
FAIL
FAIL	m/bad	0.1s
broken.go:1:1: syntax error
FAIL	m/broken [build failed]
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	if want := (counts{packages: 3, tests: 3, skipped: 1}); p.counts != want {
		t.Errorf("counts %+v; want %+v", p.counts, want)
	}
}

func TestProgressOfWhatIsNoJSON(t *testing.T) {
	if err := newProgress(&strings.Builder{}).read(strings.NewReader("ok\n")); err == nil {
		t.Error("no error")
	}
}

func TestStatus(t *testing.T) {
	p := newProgress(&strings.Builder{})
	if got := p.status(); got != "... compiling\n" {
		t.Errorf("at the beginning %q", got)
	}
	for _, e := range []event{{Action: "start", Package: "b"}, {Action: "run", Package: "b", Test: "TestOne"}, {Action: "run", Package: "b", Test: "TestTwo"}, {Action: "run", Package: "a", Test: "TestThree"}, {Action: "pass", Package: "b", Test: "TestTwo"}} {
		p.add(&e)
	}
	if got, want := p.status(), "... a TestThree, b TestOne\n"; got != want {
		t.Errorf("status %q; want %q", got, want)
	}
}

// repository makes a folder with the files and works in it.
func repository(t *testing.T, files map[string]string) *run {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &run{ctx: t.Context(), began: time.Now()}
}

const mod = "module example.com/m\n\ngo 1.26.0\n"

func TestGeneratedFiles(t *testing.T) {
	files := map[string]string{
		"go.mod": mod,
		"gen.go": "package m\n\n//go:generate sh -c \"echo new > out.txt\"\n",
		// Neither is in a repository of git, and neither counts.
		"notes.txt": "not committed\n", "out.txt": "new\n",
	}
	if err := repository(t, files).generated(); err != nil {
		t.Errorf("current files: %v", err)
	}
	files["out.txt"] = "old\n"
	if err := repository(t, files).generated(); err == nil || !strings.Contains(err.Error(), "out.txt") || strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("an old file: %v; want an error that names out.txt alone", err)
	}
	delete(files, "out.txt")
	if err := repository(t, files).generated(); err == nil || !strings.Contains(err.Error(), "out.txt") {
		t.Errorf("a missing file: %v; want an error that names out.txt", err)
	}
	files["gen.go"] = "package m\n\n//go:generate sh -c \"exit 1\"\n"
	if err := repository(t, files).generated(); err == nil {
		t.Error("a generator that fails: no error")
	}
}

func TestFormat(t *testing.T) {
	if err := repository(t, map[string]string{"a.go": "package a\n"}).format(); err != nil {
		t.Errorf("a formatted file: %v", err)
	}
	if err := repository(t, map[string]string{"b/b.go": "package  b\n"}).format(); err == nil || !strings.Contains(err.Error(), "b.go") {
		t.Errorf("another file: %v; want an error that names it", err)
	}
}

func TestModules(t *testing.T) {
	repository(t, map[string]string{"go.mod": mod, "a/go.mod": mod, "a/testdata/go.mod": mod, ".git/go.mod": mod, "bin/go.mod": mod})
	if got, err := findModules("."); err != nil || !slices.Equal(got, []string{".", "a"}) {
		t.Errorf("findModules = %q, %v", got, err)
	}
	repository(t, nil)
	if _, err := findModules("."); err == nil {
		t.Error("no module: no error")
	}
}

func TestUnraced(t *testing.T) {
	repository(t, map[string]string{
		"go.mod": mod, "a/a_test.go": "package a\n\nfunc TestBudgetOfA(t *testing.T) {}\n", "b/b_test.go": "package b\n\nfunc TestB(t *testing.T) {}\n",
		"c/go.mod": mod, "c/c_test.go": "package c\n\nfunc TestMemory(t *testing.T) {}\n", "d/d.go": "package d\n\nfunc TestMemory() {}\n",
		"e/e_test.go": "package e\n\nfunc TestManyValues(t *testing.T) {}\n",
	})
	for pattern, want := range map[string]string{budgets: "./a", unraced: "./e"} {
		if got, err := foldersWith(".", pattern); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("foldersWith(%s) = %q, %v; want %s", pattern, got, err, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	r := &run{ctx: t.Context(), modules: []string{"."}, began: time.Now(), counts: counts{2, 3, 1}}
	if got, want := r.verdict(), "PASS: 1 modules, 2 packages with tests, 3 tests, 1 skipped, 0 seconds, CPU 0 seconds"; got != want {
		t.Errorf("verdict %q; want %q", got, want)
	}
	r.step("one", func() error { return os.ErrNotExist })
	if got := r.verdict(); !strings.HasPrefix(got, "FAIL: one; 1 modules") {
		t.Errorf("verdict %q; want FAIL", got)
	}
}

// TestOneModule runs the quick check of a module with a mistake, and of one
// without.
func TestOneModule(t *testing.T) {
	check := func(test string) *run {
		t.Helper()
		repository(t, map[string]string{"go.mod": mod, "go.work": "go 1.26.0\n\nuse .\n", "m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestM(t *testing.T) {\n\t" + test + "\n}\n"})
		r, err := newRun(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		r.all()
		return r
	}
	if r := check("t.Log()"); len(r.failures) > 0 || r.tests != 1 {
		t.Error(r.verdict())
	}
	if r := check("t.Error()"); !slices.Equal(r.failures, []string{"short tests of the core"}) {
		t.Error(r.verdict())
	}
	if r := check(`t.Logf("%d", "")`); !slices.Equal(r.failures, []string{"vet of ."}) {
		t.Error(r.verdict())
	}
}

// TestWholeRun runs everything over a repository of four modules: one is
// tested under the race detector, one is only vetted, one has a mistake that vet
// finds, so that its test is not run, and the core's budget is tested without the
// race detector. The conformance table is a program that wants the report of the
// core's test.
func TestWholeRun(t *testing.T) {
	const test = "package m\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\n"
	files := map[string]string{
		"go.mod": mod, "go.work": "go 1.26.0\n\nuse .\n", "tools/x/go.mod": mod, "a/go.mod": mod, "b/go.mod": mod,
		"m_test.go": test + "func TestReport(t *testing.T) {\n\tif err := os.WriteFile(os.Getenv(\"PORTCULLIS_REPORTS\")+\"/r\", nil, 0o600); err != nil || !raced {\n\t\tt.Error(raced, err)\n\t}\n}\n\n" +
			"func TestBudget(t *testing.T) {\n\tif raced {\n\t\tt.Error(\"with the race detector\")\n\t}\n}\n\n" +
			"func TestMyDefects(t *testing.T) {\n\tif raced {\n\t\tt.Error(\"with the race detector\")\n\t}\n}\n",
		"race_test.go":                     "//go:build race\n\npackage m\n\nconst raced = true\n",
		"norace_test.go":                   "//go:build !race\n\npackage m\n\nconst raced = false\n",
		"b/b_test.go":                      "package b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Errorf(\"%d\", \"\") }\n",
		"a/a_test.go":                      "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {}\n",
		"tools/x/x_test.go":                "package x\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Error(\"has a target of its own\") }\n",
		"tools/conformancetable/main.go":   "package main\n\nimport \"os\"\n\nfunc main() {\n\tif _, err := os.Stat(os.Args[2] + \"/r\"); err != nil {\n\t\tpanic(err)\n\t}\n}\n",
		"tools/conformancetable/x_test.go": "package main\n",
	}
	repository(t, files)
	r, err := newRun(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	r.all()
	if want := (counts{packages: 5, tests: 4}); !slices.Equal(r.failures, []string{"vet of b"}) || r.counts != want {
		t.Errorf("%s; counts %+v; want %+v", r.verdict(), r.counts, want)
	}
}

// TestTidy: every module whose go.mod is not as go mod tidy would have it is named.
func TestTidy(t *testing.T) {
	files := map[string]string{"go.mod": mod, "a.go": "package m\n", "b/go.mod": mod, "c/go.mod": mod}
	tidy := func() error {
		r := repository(t, files)
		r.modules = []string{".", "b", "c"}
		return r.tidy()
	}
	if err := tidy(); err != nil {
		t.Errorf("tidy modules: %v", err)
	}
	const odd = mod + "\nrequire example.com/unused v0.0.0\n\nreplace example.com/unused => ./unused\n"
	files["b/go.mod"], files["b/unused/go.mod"] = odd, "module example.com/unused\n\ngo 1.26.0\n"
	files["c/go.mod"], files["c/unused/go.mod"] = odd, files["b/unused/go.mod"]
	if err := tidy(); err == nil || !strings.Contains(err.Error(), "b: ") || !strings.Contains(err.Error(), "c: ") || strings.Contains(err.Error(), ".: ") {
		t.Errorf("two of three modules are not tidy: %v", err)
	}
}
