// Command speed compares Portcullis with the bare signature checks, with other
// Go libraries, and its stores with the bare clients: the same tokens and keys,
// in turns within one run. It prints tables and writes docs/performance.md with
// its charts:
//
//	cd tools/compare && GOWORK=off go run ./speed
//	cd tools/compare && GOWORK=off go run ./speed -only 'Redis|server'
//
// The second form measures the parts whose names match, and writes nothing.
//
// Times are CPU time of the process, garbage collection included; see measure.
//
// The files:
//
//   - main.go: the parts of a run; report.go: the page; targets.go: the budget
//   - fixture.go: the issuer, its keys and tokens; measure.go: how is measured
//   - ours.go, others.go, algorithms.go, keysizes.go, resolvers.go, memoentry.go: what
//   - suites.go: what the tests of other packages measure
//   - servers.go, serve.go, load.go, cores.go: a real server under load
//   - charts.go, chart.go: the pictures; helps.go: what to do first
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	o := options{docs: filepath.Join("..", "..", "docs"), issuers: 1000, soak: 1_000_000}
	flag.StringVar(&o.docs, "docs", o.docs, "folder for performance.md and its charts; empty: print only")
	flag.IntVar(&o.issuers, "issuers", o.issuers, "how many issuers the many-issuers rows have")
	flag.IntVar(&o.soak, "soak", o.soak, "how many verifications the memory row has")
	only := flag.String("only", "", "regular expression: measure the parts whose names match, and print only")
	role := flag.String("as", "", "for this program itself: the process that it starts is a server, or the load of it")
	flag.Parse()
	err := func() (err error) {
		if *role != "" {
			return play(context.Background(), *role, os.Stdin, os.Stdout)
		}
		if o.only, err = regexp.Compile(*only); err != nil {
			return err
		}
		if *only != "" {
			o.docs = ""
		}
		return run(context.Background(), os.Stdout, o)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "speed:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	docs          string
	issuers, soak int
	only          *regexp.Regexp
}

func run(ctx context.Context, out io.Writer, o options) error {
	f, err := newFixture(o.issuers)
	if err != nil {
		return err
	}
	parts, err := f.parts(ctx, o.soak)
	if err != nil {
		return err
	}
	report := &report{issuers: o.issuers, soak: o.soak, tokenSize: len(f.token), inputSize: strings.LastIndexByte(f.token, '.')}
	done := 0
	var failures []error
	for _, p := range parts {
		if !o.only.MatchString(p.name) {
			continue
		}
		began := time.Now()
		if err := p.run(report); err != nil { // the others are worth having
			failures = append(failures, fmt.Errorf("%s: %w", p.name, err))
		}
		fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), p.name)
		done++
	}
	failures = append(failures, report.print(out))
	if missing := report.missing(); done == len(parts) && len(missing) > 0 {
		failures = append(failures, fmt.Errorf("these targets were not measured: %q", missing))
	}
	if err := errors.Join(failures...); err != nil || o.docs == "" {
		return err
	}
	for name, write := range report.files() {
		if err := writeFile(filepath.Join(o.docs, name), write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// part is what is measured by itself.
type part struct {
	name string
	run  func(*report) error
}

// parts returns all of a run: first what comes from this process, row by row.
func (f *fixture) parts(ctx context.Context, soak int) ([]part, error) {
	jobs, err := f.jobs(ctx)
	if err != nil {
		return nil, err
	}
	one, err := f.ours(ctx, nil)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, j := range jobs {
		parts = append(parts, part{j.group + ": " + j.name, func(r *report) error {
			result, err := measure(j)
			if err == nil {
				r.results = append(r.results, result)
			}
			return err
		}})
	}
	verify := one.bearer(f.token)
	parts = append(parts,
		part{"middleware", func(r *report) error {
			handler := verifier.Middleware(one, verifier.MiddlewareConfig{})(http.HandlerFunc(handle))
			added := f.bearerRequests(ourName, func(r *http.Request) error { return serve(handler, r) })
			added.limit = verify
			result, err := measure(added)
			if err == nil {
				r.middleware = &result
			}
			return err
		}},
		part{"scaling", func(r *report) error {
			scale, err := scaling(f.bareRSA(f.token), verify)
			if err == nil {
				r.scaling = &scale
			}
			return err
		}},
		part{"growth", func(r *report) error {
			grown, err := growth(soak, verify)
			if err == nil {
				r.growth = &grown
			}
			return err
		}},
		part{"memo entry", func(r *report) (err error) {
			r.memoEntry, err = f.memoEntry(ctx)
			return err
		}},
		part{"server", func(r *report) (err error) {
			r.requests, err = f.serverRequests(ctx)
			return err
		}})
	for _, s := range suites {
		parts = append(parts, part{s.name, func(r *report) error {
			rows, err := s.run(ctx)
			r.suites = append(r.suites, rows...)
			return err
		}})
	}
	return parts, nil
}

// jobs returns the rows of this process, group by group, each of which begins
// with ours.
func (f *fixture) jobs(ctx context.Context) ([]job, error) {
	all := f.bareJobs()
	for _, more := range []func(context.Context) ([]job, error){f.ourJobs, f.resolverJobs, f.otherJobs, f.algorithmJobs} {
		jobs, err := more(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, jobs...)
	}
	slices.SortStableFunc(all, func(a, b job) int { return slices.Index(groups, a.group) - slices.Index(groups, b.group) })
	return all, nil
}
