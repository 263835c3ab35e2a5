package rules_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostTies is how many ties of package verifier may go against the order of
// its files.
const mostTies = 15

// tie says that one file names something that another one declares. The name is
// an example.
type tie struct{ from, to, name string }

// TestTies prints which files of package verifier use which, and counts the
// ties against the order: the list of files under "# Files" in the package
// comment, where each file builds on those above it.
func TestTies(t *testing.T) {
	files, ties := fileTies(t, "verifier")
	listed := fileList(t, filepath.Join(root, "verifier", "doc.go"))
	if len(listed) == 0 {
		t.Logf("%d files, %d ties; no list of files in verifier/doc.go, so no order", len(files), len(ties))
		return
	}
	for _, file := range files {
		if n := count(listed, file); n != 1 && file != "doc.go" {
			t.Errorf("verifier/doc.go lists %s %d times; want once", file, n)
		}
	}
	for _, file := range listed {
		if !slices.Contains(files, file) {
			t.Errorf("verifier/doc.go lists %s, which does not exist", file)
		}
	}
	var table strings.Builder
	against := 0
	for _, file := range listed {
		var down []string
		for _, tie := range ties {
			if tie.from != file {
				continue
			}
			if slices.Index(listed, tie.to) < slices.Index(listed, file) {
				down = append(down, tie.to)
				continue
			}
			against++
			fmt.Fprintf(&table, "  against the order: %s names %s of %s\n", file, tie.name, tie.to)
		}
		fmt.Fprintf(&table, "%-20s %s\n", file, strings.Join(down, " "))
	}
	t.Logf("the files of package verifier, and those they use\n%s%d files, %d ties, %d against the order", &table, len(files), len(ties), against)
	if against > mostTies {
		t.Errorf("%d ties of package verifier go against the order of its files; want at most %d", against, mostTies)
	}
}

func count(list []string, one string) (n int) {
	for _, l := range list {
		if l == one {
			n++
		}
	}
	return n
}

var listItem = regexp.MustCompile(`^\s*(?:-|\d+\.) ([a-z0-9_]+\.go)\b`)

// fileList reads the items under "# Files" of a package comment that begin
// with the name of a Go file.
func fileList(t *testing.T, path string) (files []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(file.Doc.Text()) {
		if strings.HasPrefix(line, "# ") {
			inside = strings.TrimSpace(line) == "# Files"
		}
		if match := listItem.FindStringSubmatch(line); inside && match != nil {
			files = append(files, match[1])
		}
	}
	return files
}

// fileTies type-checks the package in a folder, tests excluded, and returns its
// files and every pair of them of which the first names something that the
// second declares: a constant, variable, function, type, method or field.
func fileTies(t *testing.T, folder string) (names []string, ties []tie) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		names = append(names, filepath.Base(path))
	}
	info := types.Info{Uses: make(map[*ast.Ident]types.Object)}
	checker := types.Config{Importer: importer.ForCompiler(files, "gc", exportData(t, folder))}
	checked, err := checker.Check(core+"/"+folder, files, parsed, &info)
	if err != nil {
		t.Fatal(err)
	}
	fileOf := func(pos token.Pos) string { return filepath.Base(files.Position(pos).Filename) }
	found := make(map[[2]string]string)
	for ident, object := range info.Uses {
		if object.Pkg() != checked || local(object) {
			continue
		}
		pair := [2]string{fileOf(ident.Pos()), fileOf(object.Pos())}
		if old := found[pair]; old == "" || object.Name() < old { // the same example each time
			found[pair] = object.Name()
		}
	}
	for pair, name := range found {
		if pair[0] != pair[1] {
			ties = append(ties, tie{pair[0], pair[1], name})
		}
	}
	slices.SortFunc(ties, func(a, b tie) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return names, ties
}

// local reports whether an object is declared inside of a function. Fields and
// methods have no scope that says so, and count as the package's.
func local(object types.Object) bool {
	return object.Parent() != nil && object.Parent() != object.Pkg().Scope()
}

// exportData opens what the compiler knows of the packages that a folder needs.
func exportData(t *testing.T, folder string) importer.Lookup {
	t.Helper()
	exports := make(map[string]string)
	decoder := json.NewDecoder(bytes.NewReader(run(t, ".", "list", "-export", "-deps", "-json=ImportPath,Export", "./"+folder)))
	for {
		var p struct{ ImportPath, Export string }
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
}

// TestTiesAreFound: a field, a method and a function of another file are ties; a
// local name and one of the same file are not.
func TestTiesAreFound(t *testing.T) {
	names, ties := fileTies(t, "tools/rules/testdata/ties")
	if want := []string{"a.go", "b.go", "c.go"}; !slices.Equal(names, want) {
		t.Errorf("files %q; want %q", names, want)
	}
	found := make(map[string]string)
	for _, tie := range ties {
		found[tie.from+" "+tie.to] = tie.name
	}
	if want := map[string]string{"b.go a.go": "field", "c.go a.go": "method", "c.go b.go": "use"}; !maps.Equal(found, want) {
		t.Errorf("ties %v; want %v", found, want)
	}
	if got, want := fileList(t, filepath.Join("testdata", "ties", "a.go")), []string{"a.go", "b.go"}; !slices.Equal(got, want) {
		t.Errorf("the list is %q; want %q", got, want)
	}
}
