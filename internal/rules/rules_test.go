// Package rules_test enforces who may import whom and which modules each
// go.mod may bring in.
package rules_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const core = "github.com/portcullis-go/portcullis"

// bans say what a package must never depend on, directly or not, tests
// excluded.
var bans = []struct{ from, never, why string }{
	{"verifier", core + "/resolver", "the product does not know its resolvers"},
	{"verifier", core + "/exchange", "verification works without token exchange"},
	{"verifier", core + "/conformance", "suites are for tests"},
	{"verifier", core + "/verifier/verifiertest", "fakes are for tests"},
	{"verifier", core + "/mocks", "mocks are for tests"},
	{"verifier", core + "/cacheadapter", "the product knows the Cache interface alone"},
	{"verifier", "testing", "production code carries no test framework"},
	{"resolver", "testing", "production code carries no test framework"},
	{"exchange", "testing", "production code carries no test framework"},
	{"cacheadapter", "testing", "production code carries no test framework"},
	{"cacheadapter/memory", core, "an adapter needs no import of ours"},
	{"cacheadapter/redis", core, "an adapter needs no import of ours"},
	{"cacheadapter/memcache", core, "an adapter needs no import of ours"},
}

// modules are those that a module may depend on, by the folder of its go.mod.
// Tests count: what a test needs is in the go.mod too.
var modules = map[string][]string{
	".":                     {"github.com/go-jose/go-jose/v4", "golang.org/x/sync"},
	"cacheadapter/memory":   {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "github.com/allegro/bigcache/v3"},
	"cacheadapter/redis":    {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "github.com/redis/go-redis/v9", "github.com/cespare/xxhash/v2", "github.com/dgryski/go-rendezvous"},
	"cacheadapter/memcache": {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "github.com/bradfitz/gomemcache"},
	"mocks":                 {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "go.uber.org/mock", "golang.org/x/mod", "golang.org/x/tools"},
}

// run runs the go command in a folder of the repository, without workspace.
func run(t *testing.T, folder string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..", folder)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s in %s: %v\n%s", strings.Join(args, " "), folder, err, stderr.String())
	}
	return out
}

// moduleOf splits a folder into that of its module and the rest.
func moduleOf(folder string) (module, rest string) {
	for module := range modules {
		if module == folder {
			return module, "."
		}
	}
	return ".", "./" + folder
}

func TestImports(t *testing.T) {
	for _, ban := range bans {
		module, rest := moduleOf(ban.from)
		for dep := range strings.Lines(string(run(t, module, "list", "-deps", rest))) {
			dep = strings.TrimSpace(dep)
			self := module != "." && strings.HasPrefix(dep, core+"/"+module)
			if (dep == ban.never || strings.HasPrefix(dep, ban.never+"/")) && !self {
				t.Errorf("%s depends on %s: %s", ban.from, dep, ban.why)
			}
		}
	}
}

// TestNestedModulesStayOutOfInternal also looks at their tests: packages of
// the core that are internal are nobody else's business.
func TestNestedModulesStayOutOfInternal(t *testing.T) {
	type listed struct {
		ImportPath, Dir                    string
		Imports, TestImports, XTestImports []string
	}
	for module := range modules {
		if module == "." {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(run(t, module, "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")))
		for {
			var p listed
			if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for _, dep := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				if strings.HasPrefix(dep, core+"/internal/") {
					t.Errorf("%s imports %s", p.ImportPath, dep)
				}
			}
		}
	}
}

func TestModules(t *testing.T) {
	for module, allowed := range modules {
		for line := range strings.Lines(string(run(t, module, "list", "-m", "-f", "{{if not .Main}}{{.Path}}{{end}}", "all"))) {
			if path := strings.TrimSpace(line); path != "" && !slices.Contains(allowed, path) {
				t.Errorf("module %s depends on %s, which is not on its list", module, path)
			}
		}
	}
}

// TestGoLines: a nested module with a newer go line would stop every command
// in the workspace, and lift the least Go version of its users.
func TestGoLines(t *testing.T) {
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "go.mod" && d.Name() != "go.work" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(data)
		framework := strings.Contains(path, "examples") || strings.Contains(path, "bench") || strings.Contains(path, "tools")
		if !strings.Contains(text, "\ngo 1.26.0\n") && !strings.HasPrefix(text, "go 1.26.0\n") && !framework {
			t.Errorf("%s has another go line than 1.26.0", path)
		}
		if strings.Contains(text, "\ntoolchain ") && !framework {
			t.Errorf("%s has a toolchain line", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
