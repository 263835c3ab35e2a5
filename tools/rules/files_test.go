package rules_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// crowded is how many files a package may have before its doc.go must say what
// is in which.
const crowded = 5

var goFile = regexp.MustCompile(`\b[a-z0-9_]+\.go\b`)

// TestFileLists compares the list of files in each doc.go that has one with the
// files of its package.
func TestFileLists(t *testing.T) {
	lists := 0
	for _, folder := range productFolders(t) {
		paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, path := range paths {
			if name := filepath.Base(path); name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
				files = append(files, name)
			}
		}
		listed, ok := listedFiles(t, filepath.Join(folder, "doc.go"))
		if !ok {
			if len(files) >= crowded {
				t.Errorf("%s has %d files; want a list of them in its doc.go", folder, len(files))
			}
			continue
		}
		lists++
		for _, file := range files {
			if n := count(listed, file); n != 1 {
				t.Errorf("%s/doc.go lists %s %d times; want once", folder, file, n)
			}
		}
		for _, file := range listed {
			if !slices.Contains(files, file) {
				t.Errorf("%s/doc.go lists %s, which does not exist", folder, file)
			}
		}
	}
	if lists < 18 {
		t.Errorf("%d lists of files were found; want 18 or more", lists)
	}
}

// productFolders returns the folders with Go packages that programs import.
func productFolders(t *testing.T) (folders []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			if filepath.Base(path) == "doc.go" && !slices.Contains(folders, filepath.Dir(path)) {
				folders = append(folders, filepath.Dir(path))
			}
			return nil
		}
		switch name := d.Name(); {
		case path != root && strings.HasPrefix(name, "."), name == "testdata", name == "tools", name == "examples", name == "mocks":
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// listedFiles returns the names of Go files in the comment that begins with
// "The files", or that are listed under "# Files" of the package comment.
func listedFiles(t *testing.T, path string) (files []string, ok bool) {
	t.Helper()
	if files := fileList(t, path); len(files) > 0 {
		return files, true
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		if text := group.Text(); group.Pos() > file.Package && strings.HasPrefix(text, "The files") {
			return goFile.FindAllString(text, -1), true
		}
	}
	return nil, false
}
