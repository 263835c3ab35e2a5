package rules_test

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestSimpleConfigIsOneScreen: what a simple program needs of verifier.Config, and
// what it needs next, comes first, and `go doc verifier.Config` shows it without
// scrolling.
func TestSimpleConfigIsOneScreen(t *testing.T) {
	const screen = 40
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.Join(root, "verifier", "config.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.TYPE && d.Specs[0].(*ast.TypeSpec).Name.Name == "Config" {
			if err := format.Node(&text, files, d.Specs[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	shown := make(map[string]int) // name of a field -> its line
	for n, line := range strings.Split(text.String(), "\n") {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && ast.IsExported(name) {
			shown[name] = n + 3 // below the line of the package, and a blank one
		}
	}
	for _, name := range []string{"Domain", "Audience", "Issuers", "Algorithms", "DPoP", "Cache"} {
		if line := shown[name]; line == 0 || line > screen {
			t.Errorf("%s is in line %d of `go doc verifier.Config`; want one of the first %d", name, line, screen)
		}
	}
}
