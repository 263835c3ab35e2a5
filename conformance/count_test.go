package conformance_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ownDefects counts the broken implementations that each suite is tried on, by the
// name of its interface.
func ownDefects() map[string]int {
	return map[string]int{
		"Cache":              broken(allCacheDefects()),
		"ReplayStore":        broken(allReplayDefects()),
		"DomainResolver":     broken(slices.Concat(resolverDefects(), moreResolverDefects())),
		"IssuerResolver":     broken(issuerDefects()),
		"KeyFetcher":         broken(slices.Concat(fetcherDefects(), moreFetcherDefects())),
		"Clock":              broken(slices.Concat(clockDefects(), moreClockDefects())),
		"Doer":               broken(slices.Concat(doerDefects(), moreDoerDefects())),
		"SignatureAlgorithm": broken(signingDefects()),
		"Introspector":       broken(allIntrospectorDefects()),
		"RevocationChecker":  broken(allCheckerDefects()),
		"RevocationStore":    broken(allRevocationDefects()),
		"KeyDecrypter":       broken(allDecrypterDefects()),
	}
}

// broken counts those that are to be found: one without a mistake is none.
func broken[T any](defects []defect[T]) int {
	names := make(map[string]bool)
	for _, d := range defects {
		if d.fails != "" {
			names[d.name] = true
		}
	}
	return len(names)
}

// TestOwnDefectsAreMany: a suite is as good as the mistakes that it was seen to find.
func TestOwnDefectsAreMany(t *testing.T) {
	counts := ownDefects()
	var line []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		line = append(line, fmt.Sprint(name, " ", counts[name]))
		least := 20
		if name == "Clock" {
			least = 8
		}
		if counts[name] < least {
			t.Errorf("the suite of %s has %d own defects; want %d at least", name, counts[name], least)
		}
	}
	if stores := counts["Cache"] + counts["ReplayStore"]; stores < 150 {
		t.Errorf("the suites of Cache and ReplayStore have %d own defects; want 150 at least", stores)
	}
	t.Logf("own defects: %s", strings.Join(line, ", "))
	for _, name := range suites(t) {
		if counts[name] == 0 {
			t.Errorf("the suite Test%s has no own defects that are counted here", name)
		}
	}
}

// suites are the interfaces X with an exported function TestX in this folder.
func suites(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, strings.TrimPrefix(f.Name.Name, "Test"))
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("no suites were found")
	}
	return names
}
