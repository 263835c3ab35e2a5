package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type options struct {
	files        []string
	report, only string
	sample       int
	list         bool
	verbose      bool
	least        float64
	slowest      time.Duration
	budget       time.Duration
	skip, again  string
	own          bool
	with         []string
	explained    string
}

// test is one top-level test of a binary.
type test struct {
	binary   *binary
	name     string
	duration time.Duration
	passes   map[int]bool // the switches on its way

	noticed map[string]int // how many changes of a function it noticed
	total   int
}

// binary is the test binary of a package.
type binary struct {
	dir, path string
	tests     []*test
	beginning time.Duration // what the start of the process takes at most
}

// session is one measurement.
type session struct {
	options
	temp     string
	mutants  []mutant
	binaries []*binary
	killedBy map[int]string
}

func run(ctx context.Context, o options) error {
	temp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	s := &session{options: o, temp: temp, killedBy: make(map[int]string)}
	dirs, err := s.prepare()
	if err != nil {
		return err
	}
	if err := s.unexplained(); err != nil {
		return err
	}
	if o.list {
		for _, m := range s.mutants {
			fmt.Printf("%d %s:%d %s: %s: %s\n", m.id, m.file, m.line, m.function, m.what, m.code)
		}
		return nil
	}
	for _, dir := range dirs {
		if err := s.build(ctx, dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "mutate: %d changes in %d files, %d test binaries\n", len(s.mutants), len(o.files), len(s.binaries))
	if err := s.trace(ctx); err != nil {
		return err
	}
	tried, err := s.selected()
	if err != nil {
		return err
	}
	for i, m := range tried {
		s.try(ctx, m)
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.verbose || i%50 == 49 {
			fmt.Fprintf(os.Stderr, "mutate: %d of %d tried, %d noticed; %s:%d, %s: `%s` %s: %q\n", i+1, len(tried), len(s.killedBy), m.file, m.line, m.function, m.code, m.what, s.killedBy[m.id])
		}
	}
	return s.summary(tried)
}

// prepare writes the changed files and the overlay, and returns the packages to
// test: those of the files first, the public one last.
func (s *session) prepare() (dirs []string, err error) {
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	replace := make(map[string]string)
	next := 0
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	units := make(map[string]*unit)
	for _, file := range s.files {
		dir := path.Dir(file)
		u := units[dir]
		if u == nil {
			if u, err = l.load(dir); err != nil {
				return nil, err
			}
			units[dir] = u
			dirs = append(dirs, dir)
		}
		if u.files[file] == nil {
			return nil, errors.New("no such file: " + file)
		}
		source, mutants := rewrite(u, file, &next)
		s.mutants = append(s.mutants, mutants...)
		name := filepath.Join(s.temp, strings.ReplaceAll(file, "/", "_"))
		replace[filepath.Join(root, file)] = name
		if err := os.WriteFile(name, source, 0o600); err != nil {
			return nil, err
		}
	}
	for dir, u := range units {
		name := filepath.Join(s.temp, strings.ReplaceAll(dir, "/", "_")+"_switches.go")
		replace[filepath.Join(root, dir, "mutant_switches.go")] = name
		if err := os.WriteFile(name, runtimeSource(u.name, next), 0o600); err != nil {
			return nil, err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	if s.own {
		return dirs, os.WriteFile(filepath.Join(s.temp, "overlay.json"), overlay, 0o600)
	}
	for _, dir := range s.with {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if _, err := os.Stat("verifier"); err == nil {
		dirs = slices.DeleteFunc(dirs, func(dir string) bool { return dir == "verifier" })
		dirs = append(dirs, "verifier")
	}
	return dirs, os.WriteFile(filepath.Join(s.temp, "overlay.json"), overlay, 0o600)
}

func (s *session) build(ctx context.Context, dir string) error {
	b := &binary{dir: dir, path: filepath.Join(s.temp, strings.ReplaceAll(dir, "/", "_")+".test")}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", filepath.Join(s.temp, "overlay.json"), "-o", b.path, "./"+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build of %s: %w", dir, err)
	}
	if _, err := os.Stat(b.path); err != nil {
		return nil // a package without tests
	}
	cmd = exec.CommandContext(ctx, b.path, "-test.list", ".")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	skip, err := regexp.Compile(s.skip)
	if err != nil {
		return err
	}
	for name := range strings.Lines(string(out)) {
		if name = strings.TrimSpace(name); !strings.HasPrefix(name, "Benchmark") && (s.skip == "" || !skip.MatchString(name)) {
			b.tests = append(b.tests, &test{binary: b, name: name, passes: make(map[int]bool), noticed: make(map[string]int)})
		}
	}
	s.binaries = append(s.binaries, b)
	return nil
}

// start runs tests in one process and reports whether they pass, or which one
// failed, if that is known. What is stopped at the limit without having had twice
// its usual processor time, on a machine that is busy elsewhere or because it
// waits, gets four times as long once more: that it was slow is not that it
// noticed something.
func (b *binary) start(ctx context.Context, names []string, limit, usual time.Duration, env string) (failed string, passed bool) {
	r := b.within(ctx, names, limit, env)
	if r.stopped && r.took < 2*usual {
		r = b.within(ctx, names, 4*limit, env)
	}
	return r.failed, r.passed
}

// outcome is what came of a run: took is processor time.
type outcome struct {
	passed, stopped bool
	failed          string
	took            time.Duration
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

func (b *binary) within(ctx context.Context, names []string, limit time.Duration, env string) outcome {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, b.path, "-test.short", "-test.failfast", "-test.run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir, cmd.Env, cmd.WaitDelay, cmd.Stdout = b.dir, append(os.Environ(), env), time.Second, &out
	r := outcome{passed: cmd.Run() == nil, stopped: ctx.Err() != nil}
	if match := failure.FindSubmatch(out.Bytes()); match != nil {
		r.failed = string(match[1])
	}
	if cmd.ProcessState != nil {
		r.took = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return r
}

// trace runs every test alone. One that fails without any change, or takes too
// long to be run so often, takes no part.
func (s *session) trace(ctx context.Context) error {
	for _, b := range s.binaries {
		for _, t := range b.tests {
			file := filepath.Join(s.temp, "trace")
			_ = os.Remove(file)
			r := b.within(ctx, []string{t.name}, 2*time.Minute, "MUTANT_TRACE="+file)
			t.duration = r.took
			if b.beginning == 0 || r.took < b.beginning {
				b.beginning = r.took
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if !r.passed || t.duration > s.slowest {
				fmt.Fprintf(os.Stderr, "mutate: %s of %s takes no part: passed is %v, after %v\n", t.name, b.dir, r.passed, t.duration)
				continue
			}
			lines, _ := os.ReadFile(file) // absent: no switch on the way
			for line := range strings.Lines(string(lines)) {
				if id, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
					t.passes[id] = true
				}
			}
		}
	}
	return nil
}

// reported matches an unnoticed change in a report.
var reported = regexp.MustCompile("(?m)^- \\d+ (\\S+):\\d+, (\\w+): (`.*` [^(`\n]*[^ (`\n])")

// explanation matches a change in the list of those that need not be noticed.
var explanation = regexp.MustCompile("(?m)^- (\\S+), (\\w+): (`.*` [^`\n:]*): ")

// place names a change without its line and number, which move.
func (m *mutant) place() string { return m.file + " " + m.function + " `" + m.code + "` " + m.what }

// unexplained drops the changes that are listed with a reason.
func (s *session) unexplained() error {
	list, err := os.ReadFile(s.explained)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	listed := make(map[string]bool)
	for _, match := range explanation.FindAllStringSubmatch(string(list), -1) {
		listed[match[1]+" "+match[2]+" "+match[3]] = true
	}
	before := len(s.mutants)
	s.mutants = slices.DeleteFunc(s.mutants, func(m mutant) bool { return listed[m.place()] })
	fmt.Fprintf(os.Stderr, "mutate: %d changes are explained in %s\n", before-len(s.mutants), s.explained)
	return nil
}

func (s *session) selected() ([]mutant, error) {
	var wanted func(i int, m *mutant) bool
	switch {
	case s.only != "":
		ids := strings.Split(s.only, ",")
		wanted = func(_ int, m *mutant) bool { return slices.Contains(ids, strconv.Itoa(m.id)) }
	case s.again != "":
		// Lines and numbers move; what a change is does not.
		report, err := os.ReadFile(s.again)
		if err != nil {
			return nil, err
		}
		listed := make(map[string]bool)
		for _, match := range reported.FindAllStringSubmatch(string(report), -1) {
			listed[match[1]+" "+match[2]+" "+match[3]] = true
		}
		wanted = func(_ int, m *mutant) bool {
			return listed[m.place()]
		}
	default:
		wanted = func(i int, _ *mutant) bool { return i%max(1, s.sample) == 0 }
	}
	var list []mutant
	for i := range s.mutants {
		if wanted(i, &s.mutants[i]) {
			list = append(list, s.mutants[i])
		}
	}
	return list, nil
}

// alone is how many tests are run by themselves before all others are run in one
// process, which starts once for all.
const alone = 3

// try runs the tests that pass a switch with that switch thrown: those of the
// same package first, and of these the ones that noticed changes nearby, then
// those that notice the most for the time they take. A change that goes
// unnoticed for the budget counts as such.
func (s *session) try(ctx context.Context, m mutant) {
	place := m.file + " " + m.function
	for _, b := range s.binaries {
		if s.own && b.dir != path.Dir(m.file) {
			continue
		}
		tests := slices.DeleteFunc(slices.Clone(b.tests), func(t *test) bool { return !t.passes[m.id] })
		slices.SortStableFunc(tests, func(a, b *test) int {
			return cmp.Or(cmp.Compare(b.noticed[place], a.noticed[place]), cmp.Compare(b.worth(), a.worth()))
		})
		for i, together := range b.portions(tests, s.budget) {
			var usual time.Duration
			var names []string
			for _, t := range together {
				usual += t.duration
				names = append(names, t.name)
			}
			failed, passed := b.start(ctx, names, 4*usual+15*time.Second, usual, "MUTANT="+strconv.Itoa(m.id))
			if passed {
				continue
			}
			s.killedBy[m.id] = b.dir + ": " + cmp.Or(failed, names[0])
			for _, t := range together {
				if i < alone || t.name == failed {
					t.noticed[place]++
					t.total++
				}
			}
			return
		}
	}
}

// portions cuts a list of tests into what is run in one process: the first ones
// each by itself, then all that the budget allows.
func (b *binary) portions(tests []*test, budget time.Duration) [][]*test {
	var list [][]*test
	var rest []*test
	var spent time.Duration
	for i, t := range tests {
		cost := t.duration
		if i >= alone {
			cost -= b.beginning
		}
		if spent += cost; spent > budget && i > 0 {
			spent -= cost
			continue
		}
		if i < alone {
			list = append(list, []*test{t})
		} else {
			rest = append(rest, t)
		}
	}
	if len(rest) > 0 {
		list = append(list, rest)
	}
	return list
}

// worth is how much a test notices for its time.
func (t *test) worth() float64 {
	return float64(1+t.total) / (t.duration + 50*time.Millisecond).Seconds()
}

// summary prints the table and the survivors.
func (s *session) summary(tried []mutant) error {
	if len(tried) == 0 {
		return errors.New("no change was tried")
	}
	var b strings.Builder
	total, killed := make(map[string]int), make(map[string]int)
	for _, m := range tried {
		total[m.file]++
		if s.killedBy[m.id] != "" {
			killed[m.file]++
		}
	}
	b.WriteString("| file | changes | noticed | |\n| --- | --- | --- | --- |\n")
	for _, file := range s.files {
		if total[file] > 0 {
			fmt.Fprintf(&b, "| %s | %d | %d | %.0f %% |\n", file, total[file], killed[file], 100*float64(killed[file])/float64(total[file]))
		}
	}
	share := 100 * float64(len(s.killedBy)) / float64(len(tried))
	fmt.Fprintf(&b, "| **all** | %d | %d | %.1f %% |\n\n", len(tried), len(s.killedBy), share)
	for _, m := range tried {
		if s.killedBy[m.id] == "" {
			fmt.Fprintf(&b, "- %d %s:%d, %s: `%s` %s%s\n", m.id, m.file, m.line, m.function, m.code, m.what, s.seen(m))
		}
	}
	fmt.Print(b.String())
	if s.report != "" {
		if err := os.WriteFile(s.report, []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	if share < s.least {
		return fmt.Errorf("%.1f %% of the changes were noticed; want at least %.1f %%", share, s.least)
	}
	return nil
}

// seen says so when no test comes near a change.
func (s *session) seen(m mutant) string {
	for _, b := range s.binaries {
		for _, t := range b.tests {
			if t.passes[m.id] {
				return ""
			}
		}
	}
	return " (no test comes here)"
}
