package rules_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bans say what a package must never depend on, directly or not, tests
// excluded. A ban on a package that does not exist fails, so that a ban cannot
// outlive a renamed package.
var bans = []struct{ from, never, why string }{
	{"verifier", core + "/resolver", "the product does not know its resolvers"},
	{"verifier", core + "/exchange", "verification works without token exchange"},
	{"verifier", core + "/conformance", "suites are for tests"},
	{"verifier", core + "/verifier/verifiertest", "fakes are for tests"},
	{"verifier", core + "/mocks", "mocks are for tests"},
	{"verifier", core + "/cacheadapter", "the product knows the Cache interface alone"},
	{"verifier", core + "/tools", "checks of this repository are not shipped"},
	{"verifier", "testing", "production code carries no test framework"},
	{"resolver", "testing", "production code carries no test framework"},
	{"exchange", "testing", "production code carries no test framework"},
	{"cacheadapter", "testing", "production code carries no test framework"},
	{"cacheadapter/memory", core, "an adapter needs no import of ours"},
	{"cacheadapter/redis", core, "an adapter needs no import of ours"},
	{"cacheadapter/memcache", core, "an adapter needs no import of ours"},
	{"integration/otelverifier", "go.opentelemetry.io/otel/sdk", "which SDK records is the program's choice"},
	{"integration/otelverifier", core + "/verifier/verifiertest", "fakes are for tests"},
	{"conformance", core + "/verifier/verifiertest", "the suite brings the core and the standard library alone"},
}

func TestImports(t *testing.T) {
	deps := make(map[string][]string)
	for _, ban := range bans {
		if !isPackage(t, ban.never) {
			t.Errorf("%s is banned from %s, but there is no such package", ban.never, ban.from)
		}
		if deps[ban.from] == nil {
			module, rest := moduleOf(ban.from)
			deps[ban.from] = strings.Fields(string(run(t, module, "list", "-deps", rest)))
		}
		for _, dep := range deps[ban.from] {
			self := dep == core+"/"+ban.from || strings.HasPrefix(dep, core+"/"+ban.from+"/")
			if (dep == ban.never || strings.HasPrefix(dep, ban.never+"/")) && !self {
				t.Errorf("%s depends on %s: %s", ban.from, dep, ban.why)
			}
		}
	}
}

// isPackage reports whether a path is a package of this repository, of the
// standard library, or of a module that a go.mod requires; or a folder of
// packages.
func isPackage(t *testing.T, path string) bool {
	if folder, ours := strings.CutPrefix(path, core); ours {
		return folder == "" || len(below(packages(t), folder[1:]+"/...")) > 0
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		_, err := os.Stat(filepath.Join(strings.TrimSpace(string(run(t, ".", "env", "GOROOT"))), "src", filepath.FromSlash(path)))
		return err == nil
	}
	for _, file := range allModules(t) {
		if slices.ContainsFunc(file.Require, func(r requirement) bool { return path == r.Path || strings.HasPrefix(path, r.Path+"/") }) {
			return true
		}
	}
	return false
}
