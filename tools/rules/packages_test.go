// Package rules_test enforces who may import whom and which modules each go.mod
// may bring in, and prints the map of the house.
package rules_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const core = "github.com/portcullis-go/portcullis"

var root = filepath.Join("..", "..")

// imports are the packages of this repository that a package names, as folders
// from the root. The root package is "".
type imports struct {
	production, tests []string
}

// packages reads the import lines of every Go file of the repository, whatever
// its module and its build constraints.
func packages(t *testing.T) map[string]imports {
	t.Helper()
	all := make(map[string]imports)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		folder = strings.TrimPrefix(filepath.ToSlash(folder), ".")
		found := all[folder]
		list := &found.production
		if strings.HasSuffix(name, "_test.go") {
			list = &found.tests
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if rest, ours := strings.CutPrefix(imported, core+"/"); ours && !slices.Contains(*list, rest) {
				*list = append(*list, rest)
			}
		}
		all[folder] = found
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// below returns the folders that a pattern names: a folder, or with "/..." it
// and those below it.
func below[V any](folders map[string]V, pattern string) (found []string) {
	for folder := range folders {
		if matches(pattern, folder) {
			found = append(found, folder)
		}
	}
	slices.Sort(found)
	return found
}

// matches understands the patterns of the go command: "a/..." is a and what is
// below it. A star stands for one part of the path.
func matches(pattern, folder string) bool {
	if above, deep := strings.CutSuffix(pattern, "/..."); deep {
		for ; folder != "." && folder != "/"; folder = path.Dir(folder) {
			if ok, _ := path.Match(above, folder); ok {
				return true
			}
			if folder == "" {
				return false
			}
		}
		return false
	}
	ok, _ := path.Match(pattern, folder)
	return ok
}
