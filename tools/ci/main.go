// Command ci runs what must hold before a change lands, over every module of
// the repository, and ends with one line that is the verdict:
//
//	go run ./tools/ci check   # minutes: format, tidy, generated files, vet, build, short tests of the core
//	go run ./tools/ci test    # everything, the tests under the race detector
//
// Steps that cost little come first. A step that fails does not stop the others
// of its kind: a run shows every mistake that it can find. Each module is
// checked by itself, as its users get it (GOWORK=off). Nested modules are compiled
// beside the tests of the core, which wait more than they compute.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 || os.Args[1] != "check" && os.Args[1] != "test" {
		fmt.Fprintln(os.Stderr, "usage: ci check|test, in the root of the repository")
		os.Exit(2)
	}
	r, err := newRun(ctx, os.Args[1] == "test")
	if err != nil {
		fmt.Fprintln(os.Stderr, "ci:", err)
		os.Exit(1)
	}
	r.all()
	fmt.Println(r.verdict())
	if len(r.failures) > 0 {
		os.Exit(1)
	}
}

// run is one run over the repository.
type run struct {
	ctx     context.Context
	whole   bool // everything, not the quick check
	modules []string
	began   time.Time

	mu       sync.Mutex    // for what follows
	cpu      time.Duration // of the commands that have ended
	failures []string
	counts
}

// counts are what the verdict says.
type counts struct{ packages, tests, skipped int }

func newRun(ctx context.Context, whole bool) (*run, error) {
	modules, err := findModules(".")
	return &run{ctx: ctx, whole: whole, modules: modules, began: time.Now()}, err
}

// all runs the steps. Tests do not begin when a cheap step has failed.
func (r *run) all() {
	r.step("format", r.format)
	r.step("tidy", r.tidy)
	r.step("generated files", r.generated)
	r.step("vet of .", func() error { return r.vet(".") })
	switch {
	case len(r.failures) > 0:
	case r.whole:
		r.wholeTests()
	default:
		r.beside(func(string) {}, func() {
			r.step("short tests of the core", func() error { return r.test(".", nil, "-short", "-vet=off", "-skip="+slow, "./...") })
		})
	}
}

// beside vets the nested modules, tests those that are well, and does what else
// there is at the same time: most tests wait more than they compute.
func (r *run) beside(test func(module string), others ...func()) {
	nested := make(chan string, len(r.modules))
	for _, module := range r.modules {
		if module != "." {
			nested <- module
		}
	}
	close(nested)
	var all sync.WaitGroup
	for _, other := range others {
		all.Go(other)
	}
	for range 2 { // one may be at a module that waits for its servers
		all.Go(func() {
			for module := range nested {
				if r.step("vet of "+module, func() error { return r.vet(module) }) {
					test(module)
				}
			}
		})
	}
	all.Wait()
	r.step("build of the workspace", r.build)
}

// wholeTests runs the tests of every module under the race detector, but for
// those that it is of no use for.
func (r *run) wholeTests() {
	reports, err := newReports()
	if err != nil {
		r.fail("reports", err)
		return
	}
	env := append(race(), "PORTCULLIS_REPORTS="+reports)
	raced := func(module string) {
		if testedApart(module) {
			return
		}
		r.step("tests of "+module, func() error {
			return r.test(module, env, "-vet=off", "-timeout=10m", "-skip="+budgets+"|"+unraced, "./...")
		})
	}
	r.beside(raced, func() { raced(".") }, func() {
		r.step("memory and defects, without the race detector", func() error { return r.withoutRace(unraced, 1) })
	})
	r.step("budgets, alone and without the race detector", func() error { return r.withoutRace(budgets, 1) })
	r.step("conformance results", func() error {
		return r.command(".", nil, "go", "run", "./tools/conformancetable", "-check", reports)
	})
}

// newReports makes the folder for what conformance tests report. It has a new
// name in each run, so that the go command does not skip a test that ran before.
func newReports() (string, error) {
	above, err := filepath.Abs(filepath.Join("bin", "reports"))
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(above); err != nil {
		return "", err
	}
	if err := os.MkdirAll(above, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(above, "")
}

// step runs one step and says how long it took, and whether all is well.
func (r *run) step(name string, do func() error) (ok bool) {
	if r.ctx.Err() != nil {
		return false
	}
	fmt.Printf("== %s\n", name)
	began := time.Now()
	err := do()
	if err != nil {
		r.fail(name, err)
	}
	fmt.Printf("   %s: %.1f s\n", name, time.Since(began).Seconds())
	return err == nil
}

// ended counts the CPU time of a command and of what that has started.
func (r *run) ended(cmd *exec.Cmd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cmd.ProcessState != nil {
		r.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

func (r *run) fail(name string, err error) {
	fmt.Printf("FAIL: %s: %v\n", name, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, name)
}

// verdict is the last line.
func (r *run) verdict() string {
	text := fmt.Sprintf("%d modules, %d packages with tests, %d tests, %d skipped, %.0f seconds, CPU %.0f seconds",
		len(r.modules), r.packages, r.tests, r.skipped, time.Since(r.began).Seconds(), r.cpu.Seconds())
	switch {
	case r.ctx.Err() != nil:
		return "FAIL: interrupted; " + text
	case len(r.failures) > 0:
		return "FAIL: " + strings.Join(r.failures, "; ") + "; " + text
	}
	return "PASS: " + text
}
