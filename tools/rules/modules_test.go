package rules_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modules are those that a released module may depend on, by the folder of its
// go.mod. Tests count: what a test needs is in the go.mod too.
var modules = map[string][]string{
	".":                        {"github.com/go-jose/go-jose/v4", "golang.org/x/sync"},
	"cacheadapter/memory":      {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "github.com/allegro/bigcache/v3"},
	"cacheadapter/redis":       {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "github.com/redis/go-redis/v9", "github.com/cespare/xxhash/v2", "go.uber.org/atomic", "golang.org/x/sys"},
	"cacheadapter/memcache":    {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "github.com/bradfitz/gomemcache"},
	"mocks":                    {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "go.uber.org/mock"},
	"integration/grpcverifier": {"github.com/go-jose/go-jose/v4", core, "golang.org/x/net", "golang.org/x/sys", "golang.org/x/text", "google.golang.org/genproto/googleapis/rpc", "google.golang.org/grpc", "google.golang.org/protobuf"},
	"integration/fastrsa":      {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "filippo.io/bigmod", "golang.org/x/sys"},
	"integration/mldsa":        {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "filippo.io/mldsa"},
	"integration/mcpverifier":  {"github.com/go-jose/go-jose/v4", "github.com/google/jsonschema-go", "github.com/modelcontextprotocol/go-sdk", core, "github.com/segmentio/asm", "github.com/segmentio/encoding", "github.com/yosida95/uritemplate/v3", "golang.org/x/oauth2", "golang.org/x/sync", "golang.org/x/sys", "golang.org/x/time"},
	"integration/otelverifier": {core, "github.com/go-jose/go-jose/v4", "golang.org/x/sync", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/trace",
		"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/sdk/metric", "go.opentelemetry.io/auto/sdk",
		"github.com/go-logr/logr", "github.com/go-logr/stdr", "github.com/google/uuid", "github.com/cespare/xxhash/v2", "golang.org/x/sys"},
}

// unreleased are the modules that nobody requires, with what they may require
// directly: an example shows one thing and brings in what that needs.
var unreleased = map[string][]string{
	"examples/chi":        {core, "github.com/go-chi/chi/v5"},
	"examples/connect":    {core, "connectrpc.com/connect", "google.golang.org/protobuf"},
	"examples/echo":       {core, "github.com/labstack/echo/v4"},
	"examples/fiber":      {core, "github.com/gofiber/fiber/v2"},
	"examples/gin":        {core, "github.com/gin-gonic/gin"},
	"examples/golang-lru": {core, "github.com/hashicorp/golang-lru/v2"},
	"examples/grpc":       {core, core + "/integration/grpcverifier", "google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc"},
	"examples/mcp":        {core, core + "/integration/mcpverifier", "github.com/modelcontextprotocol/go-sdk"},
	"examples/otter":      {core, "github.com/maypok86/otter/v2"},
	"examples/valkey":     {core, "github.com/valkey-io/valkey-go"},
	"tools/compare": {core, "github.com/go-jose/go-jose/v4", "github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset", "github.com/coreos/go-oidc/v3",
		"github.com/zitadel/oidc/v3", "github.com/lestrrat-go/jwx/v3", "github.com/lestrrat-go/httprc/v3", "github.com/auth0/go-jwt-middleware/v3",
		core + "/integration/fastrsa", core + "/integration/mldsa", "filippo.io/mldsa", "github.com/PuerkitoBio/purell"},
	"tools/interop": {core, core + "/integration/mcpverifier", core + "/integration/mldsa", "github.com/go-jose/go-jose/v4", "github.com/modelcontextprotocol/go-sdk", "github.com/zitadel/oidc/v3"},
	"tools/lint":    {},
	"tools/strangers": {core, "github.com/coocood/freecache", "github.com/dgraph-io/badger/v4", "github.com/dgraph-io/ristretto/v2", "github.com/jellydator/ttlcache/v3", "github.com/nats-io/nats-server/v2",
		"github.com/nats-io/nats.go", "github.com/redis/rueidis", "go.etcd.io/bbolt", "go.etcd.io/etcd/client/v3", "go.etcd.io/etcd/server/v3", "modernc.org/sqlite"},
	"tools/wycheproof": {core, core + "/integration/fastrsa", core + "/integration/mldsa"},
}

// inWorkspace are the modules of go.work. The others stay outside, so that what
// they need lifts nobody's versions.
var inWorkspace = []string{".", "cacheadapter/memcache", "cacheadapter/memory", "cacheadapter/redis", "mocks"}

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

// TestModules looks at what is built into programs and tests of a module, and
// for the core at the whole graph: its users' tools see that, too.
func TestModules(t *testing.T) {
	for module, allowed := range modules {
		found := string(run(t, module, "list", "-deps", "-test", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./..."))
		if module == "." {
			found += string(run(t, module, "list", "-m", "-f", "{{if not .Main}}{{.Path}}{{end}}", "all"))
		}
		seen := make(map[string]bool)
		for line := range strings.Lines(found) {
			path := strings.TrimSpace(line)
			if path != "" && !seen[path] && !slices.Contains(allowed, path) {
				t.Errorf("module %s depends on %s, which is not on its list", module, path)
			}
			seen[path] = true
		}
	}
}

// modFile is what `go mod edit -json` prints, as far as it matters here.
type modFile struct {
	Go, Toolchain string
	Module        struct{ Path string }
	Require       []requirement
	Replace       []struct {
		Old struct{ Path string }
		New struct{ Path, Version string }
	}
}

type requirement struct {
	Path, Version string
	Indirect      bool
}

// allModules finds every go.mod of the repository and reads it.
func allModules(t *testing.T) map[string]modFile {
	t.Helper()
	found := make(map[string]modFile)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.Name() != "go.mod" {
			return nil
		}
		module, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		module = filepath.ToSlash(module)
		var file modFile
		if err := json.Unmarshal(run(t, module, "mod", "edit", "-json"), &file); err != nil {
			return err
		}
		found[module] = file
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestModFiles: the core is required by its first version and replaced by the
// folder, nothing else is replaced, and a newer go line would stop every
// command in the workspace and lift the least Go version of users.
func TestModFiles(t *testing.T) {
	all := allModules(t)
	for module, file := range all {
		direct, free := unreleased[module]
		if _, released := modules[module]; !released && !free {
			t.Errorf("module %s is on no list", module)
		}
		if want := strings.TrimSuffix(core+"/"+module, "/."); file.Module.Path != want {
			t.Errorf("the module in %s is %s; want %s", module, file.Module.Path, want)
		}
		if apart := strings.HasPrefix(module, "examples/") || strings.HasPrefix(module, "tools/"); apart != free {
			t.Errorf("module %s is on the wrong list: modules under examples and tools are not released, all others are", module)
		}
		if file.Go != "1.26.0" || file.Toolchain != "" {
			t.Errorf("module %s has go %s, toolchain %q; want go 1.26.0 and none", module, file.Go, file.Toolchain)
		}
		for _, r := range file.Require {
			if r.Path == core && r.Version != "v0.1.0" {
				t.Errorf("module %s requires the core at %s; want v0.1.0", module, r.Version)
			}
			if free && !r.Indirect && !slices.Contains(direct, r.Path) {
				t.Errorf("module %s requires %s, which is not on its list", module, r.Path)
			}
		}
		for _, r := range file.Replace {
			if !strings.HasPrefix(r.Old.Path, core) || r.New.Version != "" {
				t.Errorf("module %s replaces %s", module, r.Old.Path)
			}
		}
	}
	for module := range maps.Keys(modules) {
		if _, ok := all[module]; !ok {
			t.Errorf("module %s is on the list, but has no go.mod", module)
		}
	}
	for module := range maps.Keys(unreleased) {
		if _, ok := all[module]; !ok {
			t.Errorf("module %s is on the list, but has no go.mod", module)
		}
	}
}

func TestWorkspace(t *testing.T) {
	var file struct {
		Go  string
		Use []struct{ DiskPath string }
	}
	if err := json.Unmarshal(run(t, ".", "work", "edit", "-json", "go.work"), &file); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, use := range file.Use {
		got = append(got, strings.TrimPrefix(use.DiskPath, "./"))
	}
	slices.Sort(got)
	if !slices.Equal(got, inWorkspace) || file.Go != "1.26.0" {
		t.Errorf("go.work has go %s and %q; want 1.26.0 and %q", file.Go, got, inWorkspace)
	}
}

// TestQuickstartNeedsNothing: the first command of a newcomer downloads what
// the core needs, and nothing of the workspace's other modules.
func TestQuickstartNeedsNothing(t *testing.T) {
	for dep := range strings.Lines(string(run(t, ".", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./examples/quickstart", "./examples/inspect"))) {
		if dep = strings.TrimSpace(dep); dep != "" && dep != core && !slices.Contains(modules["."], dep) {
			t.Errorf("the quickstart needs %s", dep)
		}
	}
}
