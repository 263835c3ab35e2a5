package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const core = "github.com/portcullis-go/portcullis"

// TestGoBlocksCompile: each ```go block is a complete file, formatted, that
// compiles and vets. One that is marked "go test" is executed too. A fragment
// is marked text.
func TestGoBlocksCompile(t *testing.T) {
	var blocks []block
	for _, p := range pages(t, ".") {
		blocks = append(blocks, p.blocks...)
	}
	for _, p := range compile(t, blocks) {
		t.Error(p)
	}
}

// TestBrokenBlocksAreFound: the test above can fail.
func TestBrokenBlocksAreFound(t *testing.T) {
	var blocks []block
	for _, p := range pages(t, "tools/docs/testdata") {
		blocks = append(blocks, p.blocks...)
	}
	found := strings.Join(compile(t, blocks), "\n")
	for _, want := range []string{
		"fragment.md:4: a go block must be a complete file",
		"module.md:4: no go.mod of this repository requires example.com/absent",
		"format.md:4: not formatted",
		"types.md:11", // the line of the page
		"vet.md:10",
		"failing.md",
		"fails on purpose",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("not reported: %s", want)
		}
	}
	if strings.Contains(found, "good.md") {
		t.Error("a good block is reported")
	}
	if t.Failed() {
		t.Logf("reported:\n%s", found)
	}
}

// compile builds all blocks as packages of one module, and returns what is
// wrong with them.
func compile(t *testing.T, blocks []block) (problems []string) {
	t.Helper()
	m := newModule(t)
	for _, b := range blocks {
		if b.language() != "go" {
			continue
		}
		if p := m.add(t, b); p != "" {
			problems = append(problems, problem{b.page, b.first, p}.String())
		}
	}
	if len(m.packages) == 0 {
		return problems
	}
	m.write(t)
	// List compiles packages and their tests without the price of linking them.
	problems = append(problems, m.run(t, "list", "-export", "-test", "-f", "{{if .Incomplete}}{{.ImportPath}}{{end}}", "./...")...)
	problems = append(problems, m.run(t, "vet", "./...")...)
	if len(m.executed) > 0 {
		problems = append(problems, m.run(t, "test", "-vet=off", "-ldflags=-s -w", "./run")...)
	}
	return problems
}

// execution is a test function of a block that is marked "go test".
type execution struct{ name, pkg, function string }

// module is the temporary one.
type module struct {
	dir      string
	root     string            // of the repository, absolute
	local    map[string]string // modules of the repository: path to folder
	versions map[string]string // other modules that those require
	required map[string]bool
	packages []string
	executed []execution
}

func newModule(t *testing.T) *module {
	t.Helper()
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	m := &module{
		dir: t.TempDir(), root: abs, required: map[string]bool{core: true},
		local: make(map[string]string), versions: make(map[string]string),
	}
	err = filepath.WalkDir(abs, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "go.mod" || strings.Contains(path, "testdata") {
			return err
		}
		return m.readMod(t, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readMod remembers a module of the repository and what it requires.
func (m *module) readMod(t *testing.T, path string) error {
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", path)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return err
	}
	m.local[mod.Module.Path] = filepath.Dir(path)
	for _, r := range mod.Require {
		// Any version will do to know the module; minimal version selection
		// finds the one that all agree on.
		if m.versions[r.Path] == "" {
			m.versions[r.Path] = r.Version
		}
	}
	return nil
}

// add writes a block as a package of its own, with the position of the page.
func (m *module) add(t *testing.T, b block) (fault string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", b.source, parser.SkipObjectResolution)
	if err != nil {
		if !strings.HasPrefix(strings.TrimSpace(b.source), "package ") {
			return "a go block must be a complete file; mark a fragment as text"
		}
		return "syntax: " + err.Error()
	}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err.Error()
		}
		if fault := m.require(path); fault != "" {
			return fault
		}
	}
	name := fmt.Sprintf("b%03d", len(m.packages))
	target := "block.go"
	tests := testsOf(file)
	switch {
	case b.info == "go test": // imported by the one test that executes all
		for _, function := range tests {
			m.executed = append(m.executed, execution{fmt.Sprintf("%s:%d", b.page, b.first), name, function})
		}
	case len(tests) > 0:
		target = "block_test.go"
	}
	if err := os.MkdirAll(filepath.Join(m.dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("//line %s:%d\n%s", filepath.Join(m.root, filepath.FromSlash(b.page)), b.first, b.source)
	if err := os.WriteFile(filepath.Join(m.dir, name, target), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.packages = append(m.packages, name)
	if pretty, err := format.Source([]byte(b.source)); err != nil || string(pretty) != b.source {
		return "not formatted as gofmt does"
	}
	return ""
}

// testsOf returns the functions that go test calls.
func testsOf(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Recv == nil && testName.MatchString(f.Name.Name) {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

var testName = regexp.MustCompile(`^(?:Test|Benchmark|Fuzz|Example)(?:[^a-z]|$)`)

// require notes the module that an import comes from.
func (m *module) require(path string) (fault string) {
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	best := ""
	for _, known := range []map[string]string{m.local, m.versions} {
		for name := range known {
			if (path == name || strings.HasPrefix(path, name+"/")) && len(name) > len(best) {
				best = name
			}
		}
	}
	if best == "" {
		return "no go.mod of this repository requires " + path
	}
	m.required[best] = true
	return ""
}

// write writes go.mod and go.sum, with every module of the repository replaced
// by its folder, and the sums that these modules know; and the test that
// executes blocks, which is one because linking is what costs.
func (m *module) write(t *testing.T) {
	t.Helper()
	var mod, sum bytes.Buffer
	fmt.Fprintf(&mod, "module example.com/documentation\n\ngo 1.26.0\n\n")
	for _, name := range slices.Sorted(maps.Keys(m.local)) {
		fmt.Fprintf(&mod, "replace %s => %s\n", name, m.local[name])
		data, err := os.ReadFile(filepath.Join(m.local[name], "go.sum"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		sum.Write(data)
	}
	for _, name := range slices.Sorted(maps.Keys(m.required)) {
		version := m.versions[name]
		if _, ok := m.local[name]; ok {
			version = "v0.1.0"
		}
		fmt.Fprintf(&mod, "require %s %s\n", name, version)
	}
	var imports, calls bytes.Buffer
	for i, e := range m.executed {
		if i == 0 || e.pkg != m.executed[i-1].pkg {
			fmt.Fprintf(&imports, "import %s %q\n", e.pkg, "example.com/documentation/"+e.pkg)
		}
		fmt.Fprintf(&calls, "\tt.Run(%q, %s.%s)\n", e.name+" "+e.function, e.pkg, e.function)
	}
	if err := os.Mkdir(filepath.Join(m.dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := fmt.Appendf(nil, "package run\n\nimport \"testing\"\n\n%s\nfunc TestBlocks(t *testing.T) {\n%s}\n", imports.Bytes(), calls.Bytes())
	for name, data := range map[string][]byte{"go.mod": mod.Bytes(), "go.sum": sum.Bytes(), "run/run_test.go": run} {
		if err := os.WriteFile(filepath.Join(m.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs the go command in the module and returns what it complains about.
func (m *module) run(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = m.dir
	// The same flags as the other tests of a run, so that what these have
	// compiled is not compiled again.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return []string{fmt.Sprintf("go %s: %v\n%s", args[0], err, out)}
}
