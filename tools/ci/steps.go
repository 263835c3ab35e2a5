package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// findModules returns the folders of every go.mod, the root first, but for
// tools/strangers: the databases that it embeds take minutes to compile, and
// `make strangers` does that.
func findModules(root string) (modules []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped(path, d.Name()) {
			return fs.SkipDir
		}
		if d.Name() == "go.mod" && !strings.HasSuffix(filepath.ToSlash(path), "tools/strangers/go.mod") {
			modules = append(modules, filepath.ToSlash(filepath.Dir(path)))
		}
		return nil
	})
	if err == nil && len(modules) == 0 {
		err = errors.New("no go.mod here")
	}
	slices.Sort(modules)
	return modules, err
}

func skipped(path, name string) bool {
	return path != "." && (name == "testdata" || name == "bin" || strings.HasPrefix(name, "."))
}

// testedApart reports whether a module's tests have a target of their own,
// since they take long or need other programs. Such a module is vetted here.
func testedApart(module string) bool {
	return strings.HasPrefix(module, "tools/") && module != "tools/compare"
}

// race has everything compiled for the race detector. One set of flags for vet,
// build and test means that each package is compiled once.
func race() []string {
	return []string{"GOFLAGS=" + strings.TrimSpace(os.Getenv("GOFLAGS")+" -race")}
}

// flags are those that packages are compiled with in this run.
func (r *run) flags() []string {
	if r.whole {
		return race()
	}
	return nil
}

// command runs a program in a folder and shows what it prints.
func (r *run) command(folder string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(r.ctx, name, args...)
	cmd.Dir, cmd.Env = folder, append(append(os.Environ(), "GOWORK=off"), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	defer r.ended(cmd)
	return cmd.Run()
}

// tidiedAtOnce is how many modules are looked at together: on a fresh machine that
// is waiting for downloads.
const tidiedAtOnce = 4

// tidy looks at go.mod and go.sum of every module.
func (r *run) tidy() error {
	all := make([]error, len(r.modules))
	turn := make(chan struct{}, tidiedAtOnce)
	var wg sync.WaitGroup
	for i, module := range r.modules {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := r.command(module, nil, "go", "mod", "tidy", "-diff"); err != nil {
				all[i] = fmt.Errorf("%s: %w", module, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(all...)
}

func (r *run) vet(module string) error {
	args := []string{"vet", "./..."}
	if testedApart(module) {
		args = []string{"vet", "-tags=interop", "./..."} // what those tests stand behind
	}
	return r.command(module, r.flags(), "go", args...)
}

// build builds the modules of the workspace together, as one who works on the
// repository does.
func (r *run) build() error {
	env := append(r.flags(), "GOWORK=")
	cmd := exec.CommandContext(r.ctx, "go", "list", "-f", "{{.Dir}}/...", "-m")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	patterns, err := cmd.Output()
	if err != nil {
		return err
	}
	return r.command(".", env, "go", append([]string{"build"}, strings.Fields(string(patterns))...)...)
}

func (r *run) format() error {
	out, err := exec.CommandContext(r.ctx, "gofmt", "-l", ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("gofmt: %w: %s", err, out)
	}
	if len(out) > 0 {
		return errors.New("not formatted: " + strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}

// generated runs the generators and compares all files with what they were
// before, whatever of that is committed.
func (r *run) generated() error {
	before, sources, err := snapshot(".")
	if err != nil {
		return err
	}
	for folder, files := range sources {
		if err := r.command(folder, nil, "go", append([]string{"generate"}, files...)...); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	after, _, err := snapshot(".")
	if err != nil {
		return err
	}
	var changed []string
	for name := range maps.Keys(after) {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	for name := range maps.Keys(before) {
		if _, ok := after[name]; !ok {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		slices.Sort(changed)
		return fmt.Errorf("out of date, and now written anew: %s", strings.Join(changed, " "))
	}
	return nil
}

// snapshot returns the hash of every file, and the Go files with a line for go
// generate, by their folder.
func snapshot(root string) (hashes map[string][32]byte, sources map[string][]string, err error) {
	hashes, sources = make(map[string][32]byte), make(map[string][]string)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		hashes[path] = sha256.Sum256(data)
		if strings.HasSuffix(path, ".go") && bytes.Contains(data, []byte("\n//go:generate ")) {
			sources[filepath.Dir(path)] = append(sources[filepath.Dir(path)], filepath.Base(path))
		}
		return nil
	})
	return hashes, sources, err
}
