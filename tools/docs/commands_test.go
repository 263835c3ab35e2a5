package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommands: the targets and packages that commands name exist, in shell
// blocks and in code spans.
func TestCommands(t *testing.T) {
	for _, p := range checkCommands(t, pages(t, ".")) {
		t.Error(p)
	}
}

func TestBrokenCommandsAreFound(t *testing.T) {
	problems := checkCommands(t, pages(t, "tools/docs/testdata"))
	want := []string{
		"commands.md:5: make has no target absent",
		"commands.md:6: make has no target also-absent",
		"commands.md:7: ./examples/absent has no Go files",
		"commands.md:8: tools/scripts/absent.sh does not exist",
		"commands.md:10: the folder absent does not exist",
		"commands.md:11: ./internal/absent has no Go files",
		"commands.md:14: make has no target no-such-target",
		"commands.md:15: ./examples/nowhere has no Go files",
	}
	for _, w := range want {
		if !slices.ContainsFunc(problems, func(p problem) bool { return strings.HasSuffix(p.String(), w) }) {
			t.Errorf("not reported: %s", w)
		}
	}
	if len(problems) != len(want) {
		t.Errorf("reported: %v; want %d", problems, len(want))
	}
}

var spans = regexp.MustCompile("`([^`]+)`")

func checkCommands(t *testing.T, all []page) (problems []problem) {
	t.Helper()
	targets := makeTargets(t)
	for _, p := range all {
		report := func(number int, faults []string) {
			for _, fault := range faults {
				problems = append(problems, problem{p.path, number, fault})
			}
		}
		for _, l := range p.prose {
			for _, span := range spans.FindAllStringSubmatch(l.text, -1) {
				if strings.HasPrefix(span[1], "make ") || strings.HasPrefix(span[1], "go ") {
					report(l.number, checkCommand(span[1], new(string), targets))
				}
			}
		}
		for _, b := range p.blocks {
			if !slices.Contains([]string{"sh", "bash", "shell", "console"}, b.language()) {
				continue
			}
			folder := ""
			for i, text := range strings.Split(b.source, "\n") {
				report(b.first+i, checkCommand(text, &folder, targets))
			}
		}
	}
	return problems
}

var (
	target    = regexp.MustCompile(`(?m)^([a-z][a-zA-Z0-9_ -]*):`)
	separator = regexp.MustCompile(`&&|\|\||[;|()]`)
)

func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := make(map[string]bool)
	for _, match := range target.FindAllStringSubmatch(string(data), -1) {
		for _, name := range strings.Fields(match[1]) {
			targets[name] = true
		}
	}
	return targets
}

// checkCommand looks at one line of shell. The folder is where it runs, from
// the root; cd changes it.
func checkCommand(text string, folder *string, targets map[string]bool) (faults []string) {
	text, _, _ = strings.Cut(text, " #")
	text = strings.TrimPrefix(strings.TrimSpace(text), "$ ")
	if strings.HasPrefix(text, "#") {
		return nil
	}
	for _, command := range separator.Split(text, -1) {
		words := strings.Fields(command)
		for len(words) > 0 && strings.Contains(words[0], "=") { // VAR=value command
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		switch name, args := words[0], words[1:]; {
		case name == "cd" && len(args) == 1 && !strings.ContainsAny(args[0], "$~") && !path.IsAbs(args[0]):
			*folder = path.Join(*folder, args[0])
			if !exists(*folder) {
				faults = append(faults, "the folder "+*folder+" does not exist")
			}
		case name == "make" && *folder == "":
			for _, arg := range args {
				if !strings.HasPrefix(arg, "-") && !strings.Contains(arg, "=") && !targets[arg] {
					faults = append(faults, "make has no target "+arg)
				}
			}
		case name == "go":
			for _, arg := range packagesOf(args) {
				if !goFiles(path.Join(*folder, strings.TrimSuffix(arg, "...")), strings.HasSuffix(arg, "...")) {
					faults = append(faults, arg+" has no Go files")
				}
			}
		case strings.HasPrefix(name, "tools/scripts/"), strings.HasPrefix(name, "./"):
			if !exists(path.Join(*folder, name)) {
				faults = append(faults, name+" does not exist")
			}
		}
	}
	return faults
}

// packagesOf returns the packages in the repository that a go command names;
// what follows the one of go run is for the program.
func packagesOf(args []string) (packages []string) {
	for _, arg := range args {
		if strings.HasPrefix(arg, "./") {
			packages = append(packages, arg)
		}
	}
	if len(packages) > 1 && args[0] == "run" {
		packages = packages[:1]
	}
	return packages
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
	return err == nil
}

// goFiles reports whether a folder has Go files, or, with deep, a folder below
// it.
func goFiles(folder string, deep bool) bool {
	base := filepath.Join(root, filepath.FromSlash(folder))
	found, err := filepath.Glob(filepath.Join(base, "*.go"))
	if err == nil && len(found) == 0 && deep {
		found, err = filepath.Glob(filepath.Join(base, "*", "*.go"))
	}
	return err == nil && len(found) > 0
}
