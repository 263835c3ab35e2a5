package rules_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// order says what each package of this repository may import of the others,
// tests excluded; the lower ones come first. A package that no line names
// fails, and so does a line that names no package.
var order = []struct{ packages, may string }{
	{"internal/...", "internal/..."},
	{"verifier/reason", ""},
	{"verifier", "internal/... verifier/reason"},
	{"verifier/verifiertest", "internal/... verifier verifier/reason"},
	{"verifier/clientcert", ""},
	{"resolver", "internal/... verifier"},
	{"providers", "verifier resolver"},
	{"exchange", "internal/... verifier verifier/reason"},
	{"introspection", "internal/... verifier exchange"},
	{"verifier/revocation", "internal/... verifier"},
	{"conformance", "verifier verifier/reason"},
	{"conformance/faultproxy", ""},
	{"mocks", "verifier verifier/reason"},
	{"cacheadapter", "internal/... verifier"},
	{"cacheadapter/internal/...", "verifier verifier/verifiertest conformance/faultproxy"},
	{"cacheadapter/*", ""},
	{"cacheadapter/*/internal/...", "cacheadapter/internal/... conformance/faultproxy"},
	{"integration/*", "verifier verifier/reason exchange"},
	{"integration/*/*test", "verifier verifier/verifiertest"},
	{"examples/...", "verifier verifier/... resolver providers exchange introspection conformance cacheadapter cacheadapter/* integration/* examples/internal/..."},
	{"", ""},
	{"tools/...", "verifier verifier/... resolver providers exchange introspection conformance cacheadapter cacheadapter/* integration/* tools/..."},
}

// lineOf returns the line of the order that a package stands on: the last one
// that names it, since later lines are finer.
func lineOf(folder string) int {
	for i, line := range slices.Backward(order) {
		if matches(line.packages, folder) {
			return i
		}
	}
	return -1
}

// TestMap prints the map of the house: every package with what it imports of
// this repository, and the arrows that go against the order.
func TestMap(t *testing.T) {
	all := packages(t)
	used := make(map[int]bool)
	var table strings.Builder
	arrows, against := 0, 0
	for _, folder := range slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if lineOf(a) != lineOf(b) {
			return lineOf(a) - lineOf(b)
		}
		return strings.Compare(a, b)
	}) {
		i := lineOf(folder)
		if i < 0 {
			t.Errorf("%s stands on no line of the order", name(folder))
			continue
		}
		used[i] = true
		targets := slices.Sorted(slices.Values(all[folder].production))
		fmt.Fprintf(&table, "%-40s %s\n", name(folder), strings.Join(targets, " "))
		for _, target := range targets {
			arrows++
			if !slices.ContainsFunc(strings.Fields(order[i].may), func(pattern string) bool { return matches(pattern, target) }) {
				against++
				t.Errorf("%s imports %s, which the order does not allow", name(folder), target)
			}
		}
	}
	for i, line := range order {
		if !used[i] {
			t.Errorf("the order names %q, where no package is", line.packages)
		}
	}
	t.Logf("the map of the house: a package, and what it imports\n%s%d packages, %d arrows, %d against the order", &table, len(all), arrows, against)
}

func name(folder string) string {
	if folder == "" {
		return "(root)"
	}
	return folder
}

// TestNestedModulesStayOutOfInternal also looks at their tests: packages of the
// core that are internal are the core's alone.
func TestNestedModulesStayOutOfInternal(t *testing.T) {
	nested := slices.DeleteFunc(slices.Collect(maps.Keys(allModules(t))), func(module string) bool { return module == "." })
	for folder, imports := range packages(t) {
		if !slices.ContainsFunc(nested, func(module string) bool { return matches(module+"/...", folder) }) {
			continue
		}
		for _, target := range slices.Concat(imports.production, imports.tests) {
			if matches("internal/...", target) {
				t.Errorf("%s imports %s", folder, target)
			}
		}
	}
}

// TestAdaptersStayApart also looks at their tests: no adapter uses another one.
func TestAdaptersStayApart(t *testing.T) {
	all := packages(t)
	for _, folder := range below(all, "cacheadapter/...") {
		for _, target := range slices.Concat(all[folder].production, all[folder].tests) {
			if adapterOf(target) != "" && adapterOf(target) != adapterOf(folder) {
				t.Errorf("%s imports %s", folder, target)
			}
		}
	}
}

// adapterOf returns the adapter's folder that a package is in, or "".
func adapterOf(folder string) string {
	rest, ok := strings.CutPrefix(folder, "cacheadapter/")
	first, _, _ := strings.Cut(rest, "/")
	if !ok || first == "internal" {
		return ""
	}
	return first
}
