package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The tests for which the race detector is of no use. Those of budgets measure time
// and allocations, and run alone. The others measure memory, try very many values
// in one goroutine, or are the hundreds of broken implementations that the suites of
// package conformance must find.
const (
	budgets = "^TestBudget"
	unraced = `^Test(Memory|Many|\w+Defects)`
)

// slow are the tests that the quick check leaves out beside those that look at
// -short.
const slow = "^Test(Budget|Memory|Many|Soak|Whole)"

// silence is how long a run may print nothing; then it says what it is at.
const silence = 20 * time.Second

// test runs go test in a module. It prints the closing line of each package as
// soon as that is done, and the output of tests that fail.
func (r *run) test(module string, env []string, args ...string) error {
	cmd := exec.CommandContext(r.ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir, cmd.Env = module, append(append(os.Environ(), "GOWORK=off"), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := newProgress(os.Stdout)
	stop := p.alive(silence)
	err = p.read(out)
	stop()
	r.mu.Lock()
	r.packages += p.packages
	r.tests += p.tests
	r.skipped += p.skipped
	r.mu.Unlock()
	err = errors.Join(err, cmd.Wait())
	r.ended(cmd)
	return err
}

// withoutRace runs the tests of a pattern in the packages of the core that have
// some, several packages at a time.
func (r *run) withoutRace(pattern string, packages int) error {
	folders, err := foldersWith(".", pattern)
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return errors.New("there are none")
	}
	return r.test(".", nil, append([]string{"-race=false", "-vet=off", "-count=1", fmt.Sprintf("-p=%d", packages), "-run=" + pattern}, folders...)...)
}

// foldersWith returns the folders with tests of a pattern in the module of the
// root.
func foldersWith(root, pattern string) (folders []string, err error) {
	declared, err := regexp.Compile(`(?m)^func ` + strings.TrimPrefix(pattern, "^"))
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if skipped(path, d.Name()) || path != root && nested == nil {
				return fs.SkipDir
			}
			return nil
		}
		folder := "./" + filepath.ToSlash(filepath.Dir(path))
		if !strings.HasSuffix(path, "_test.go") || slices.Contains(folders, folder) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil && declared.Match(data) {
			folders = append(folders, folder)
		}
		return err
	})
	return folders, err
}

// event is what go test -json prints.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// progress follows the tests of a module.
type progress struct {
	counts

	mu      sync.Mutex
	out     io.Writer
	last    time.Time // when it printed
	running map[string][]string
	output  map[[2]string][]string // by package and test, until that has passed
}

func newProgress(out io.Writer) *progress {
	return &progress{out: out, last: time.Now(), running: make(map[string][]string), output: make(map[[2]string][]string)}
}

// read follows the events until their end.
func (p *progress) read(events io.Reader) error {
	for decoder := json.NewDecoder(events); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			_, _ = io.Copy(io.Discard, events) // let go test end
			return fmt.Errorf("output of go test: %w", err)
		}
		p.add(&e)
	}
}

func (p *progress) add(e *event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		p.print(e.Output)
	case "start":
		p.running[e.Package] = nil
	case "run":
		p.running[e.Package] = append(p.running[e.Package], e.Test)
	case "output":
		p.output[key] = append(p.output[key], e.Output)
	case "pass", "fail", "skip":
		p.end(e)
		delete(p.output, key)
	}
}

// end notes that a test or a package is done.
func (p *progress) end(e *event) {
	lines := p.output[[2]string{e.Package, e.Test}]
	if e.Test == "" {
		delete(p.running, e.Package)
		if e.Action != "skip" { // a package without tests
			p.packages++
		}
		for i, line := range lines {
			if i == len(lines)-1 && e.Action != "skip" || e.Action == "fail" {
				p.print(line)
			}
		}
		return
	}
	p.running[e.Package] = slices.DeleteFunc(p.running[e.Package], func(test string) bool { return test == e.Test })
	if e.Action == "fail" {
		p.print(strings.Join(lines, ""))
	}
	if strings.Contains(e.Test, "/") {
		return
	}
	p.tests++
	if e.Action == "skip" {
		p.skipped++
	}
}

func (p *progress) print(text string) {
	_, _ = io.WriteString(p.out, text)
	p.last = time.Now()
}

// alive prints what is running whenever nothing else was printed for a while.
func (p *progress) alive(silence time.Duration) (stop func()) {
	ticker := time.NewTicker(silence / 4)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				p.mu.Lock()
				if now.Sub(p.last) >= silence {
					p.print(p.status())
				}
				p.mu.Unlock()
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

// status names the packages that are running, each with the test it began
// last.
func (p *progress) status() string {
	var names []string
	for name, tests := range p.running {
		if len(tests) > 0 {
			names = append(names, name+" "+tests[len(tests)-1])
		}
	}
	if len(names) == 0 {
		return "... compiling\n"
	}
	slices.Sort(names)
	return "... " + strings.Join(names, ", ") + "\n"
}
