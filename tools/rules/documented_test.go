package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportedNamesAreDocumented reads every package that others can import, in
// all modules. A constant or variable in a group may be covered by the group's
// comment or one on its line; a field by one on its line, or one above the
// field before it in the same run of lines.
func TestExportedNamesAreDocumented(t *testing.T) {
	count := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch name := d.Name(); {
		case strings.HasPrefix(name, ".") && path != root, name == "internal", name == "testdata", name == "examples", name == "tools", name == "bin":
			return filepath.SkipDir
		}
		count += documented(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if count < 10 {
		t.Errorf("%d packages looked at; want all of them", count)
	}
}

// documented looks at the package in a folder, if there is one, and returns
// how many there are.
func documented(t *testing.T, dir string) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	found, packageComment := false, false
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(file) {
			continue
		}
		found = true
		packageComment = packageComment || file.Doc.Text() != ""
		for _, decl := range file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment", files.Position(name.Pos()), name.Name)
			}
		}
	}
	if !found {
		return 0
	}
	if !packageComment {
		t.Errorf("%s has no package comment", dir)
	}
	return 1
}

func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d.Recv) && !obvious[d.Name.Name] {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var missing []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				if d.Doc.Text() == "" && s.Doc.Text() == "" {
					missing = append(missing, s.Name)
				}
				missing = append(missing, undocumentedMembers(s.Type)...)
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
						missing = append(missing, name)
					}
				}
			}
		}
		return missing
	}
	return nil
}

// obvious are methods whose meaning their interface in the standard library
// fixes.
var obvious = map[string]bool{"Error": true, "Unwrap": true, "Is": true, "String": true}

func exportedReceiver(recv *ast.FieldList) bool {
	if recv == nil || len(recv.List) == 0 {
		return true
	}
	kind := recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	switch k := kind.(type) {
	case *ast.IndexExpr:
		kind = k.X
	case *ast.IndexListExpr:
		kind = k.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

// undocumentedMembers looks at fields and methods of a type.
func undocumentedMembers(kind ast.Expr) []*ast.Ident {
	var list *ast.FieldList
	switch k := kind.(type) {
	case *ast.StructType:
		list = k.Fields
	case *ast.InterfaceType:
		if len(k.Methods.List) <= 1 {
			return nil // the comment of the type is that of its method
		}
		list = k.Methods
	default:
		return nil
	}
	var missing []*ast.Ident
	covered := false
	end := token.NoPos
	for _, field := range list.List {
		// A run of fields without a blank line shares the comment above it.
		sameRun := end != token.NoPos && field.Pos()-end < 8
		covered = field.Doc.Text() != "" || field.Comment.Text() != "" || covered && sameRun
		end = field.End()
		for _, name := range field.Names {
			if name.IsExported() && !covered {
				missing = append(missing, name)
			}
		}
	}
	return missing
}
