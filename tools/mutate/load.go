package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// unit is a package with files to change.
type unit struct {
	dir     string // from the root of the module
	name    string
	fset    *token.FileSet
	files   map[string]*ast.File // by path from the root
	sources map[string][]byte
	info    *types.Info
}

// loader type-checks packages against the export data of the go command.
type loader struct{ exports map[string]string }

func newLoader() (*loader, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	l := &loader{exports: make(map[string]string)}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return l, nil
		} else if err != nil {
			return nil, err
		}
		l.exports[p.ImportPath] = p.Export
	}
}

func (l *loader) open(path string) (io.ReadCloser, error) { return os.Open(l.exports[path]) }

// load parses and checks the package of a folder.
func (l *loader) load(dir string) (*unit, error) {
	u := &unit{dir: dir, fset: token.NewFileSet(), files: make(map[string]*ast.File), sources: make(map[string][]byte)}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var parsed []*ast.File
	for _, name := range names {
		if matched, _ := filepath.Match("*_test.go", filepath.Base(name)); matched {
			continue
		}
		if built, err := build.Default.MatchFile(dir, filepath.Base(name)); err != nil || !built {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(u.fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		u.name, u.files[filepath.ToSlash(name)], u.sources[filepath.ToSlash(name)] = file.Name.Name, file, source
		parsed = append(parsed, file)
	}
	u.info = &types.Info{Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object)}
	checker := types.Config{Importer: importer.ForCompiler(u.fset, "gc", l.open)}
	if _, err := checker.Check(dir, u.fset, parsed, u.info); err != nil {
		return nil, err
	}
	return u, nil
}
