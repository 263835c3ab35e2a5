package mocks_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/mocks"
	"github.com/portcullis-go/portcullis/verifier"
)

// The mocks are the interfaces.
var (
	_ verifier.Cache              = (*mocks.MockCache)(nil)
	_ verifier.Clearer            = (*mocks.MockClearer)(nil)
	_ verifier.ReplayStore        = (*mocks.MockReplayStore)(nil)
	_ verifier.DomainResolver     = (*mocks.MockDomainResolver)(nil)
	_ verifier.IssuerResolver     = (*mocks.MockIssuerResolver)(nil)
	_ verifier.StaticDomains      = (*mocks.MockStaticDomains)(nil)
	_ verifier.KeyFetcher         = (*mocks.MockKeyFetcher)(nil)
	_ verifier.Clock              = (*mocks.MockClock)(nil)
	_ verifier.Doer               = (*mocks.MockDoer)(nil)
	_ verifier.NonceSource        = (*mocks.MockNonceSource)(nil)
	_ verifier.Observer           = (*mocks.MockObserver)(nil)
	_ verifier.RequestVerifier    = (*mocks.MockRequestVerifier)(nil)
	_ verifier.SignatureAlgorithm = (*mocks.MockSignatureAlgorithm)(nil)
	_ verifier.SignatureKey       = (*mocks.MockSignatureKey)(nil)
	_ verifier.Introspector       = (*mocks.MockIntrospector)(nil)
	_ verifier.RevocationChecker  = (*mocks.MockRevocationChecker)(nil)
	_ verifier.RevocationStore    = (*mocks.MockRevocationStore)(nil)
	_ verifier.KeyDecrypter       = (*mocks.MockKeyDecrypter)(nil)
)

// TestEveryInterfaceHasAMock reads the source, as a new interface is easily
// forgotten in the command that generates.
func TestEveryInterfaceHasAMock(t *testing.T) {
	of := func(pkg string) map[string]ast.Expr {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		types := make(map[string]ast.Expr)
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.TypeSpec); ok {
					types[s.Name.Name] = s.Type
				}
				return true
			})
		}
		return types
	}
	have := of("github.com/portcullis-go/portcullis/mocks")
	for name, what := range of("github.com/portcullis-go/portcullis/verifier") {
		if of, ok := what.(*ast.InterfaceType); ok && ast.IsExported(name) && !isConstraint(of) && have["Mock"+name] == nil {
			t.Errorf("interface %s has no mock; add it to the go:generate line", name)
		}
	}
}

// isConstraint reports whether an interface is a set of types, which no value has.
func isConstraint(of *ast.InterfaceType) bool {
	for _, field := range of.Methods.List {
		switch field.Type.(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr:
			return true
		}
	}
	return false
}
