// Command speed compares Portcullis with the bare signature checks and with
// other Go libraries, in one process, on the same tokens and keys. It prints a
// table and writes docs/performance.md and docs/performance.svg:
//
//	cd tools/compare && GOWORK=off go run ./speed
//
// Times are CPU time of the process, garbage collection included; see measure.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	docs := flag.String("docs", filepath.Join("..", "..", "docs"), "folder for performance.md and performance.svg; empty: print only")
	issuers := flag.Int("issuers", 1000, "how many issuers the many-issuers rows have")
	soak := flag.Int("soak", 1_000_000, "how many verifications the memory row has")
	stores := flag.Bool("adapters", true, "whether to measure the adapters of Redis and memcached, whose servers must be installed")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *docs, *issuers, *soak, *stores); err != nil {
		fmt.Fprintln(os.Stderr, "speed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, docs string, issuers, soak int, stores bool) error {
	f, err := newFixture(issuers)
	if err != nil {
		return err
	}
	jobs, err := f.jobs(ctx)
	if err != nil {
		return err
	}
	report := &report{issuers: issuers, soak: soak, tokenSize: len(f.token)}
	for _, j := range jobs {
		r, err := measure(j)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", j.group, j.name, err)
		}
		report.results = append(report.results, r)
		fmt.Fprintf(os.Stderr, "%-42s %-36s %.3f\n", j.group, j.name, r.ratio)
	}
	one, err := f.ours(ctx, nil)
	if err != nil {
		return err
	}
	verify := one.bearer(f.token)
	handler := verifier.Middleware(one, verifier.MiddlewareConfig{})(http.HandlerFunc(handle))
	added := f.bearerRequests(ourName, func(r *http.Request) error { return serve(handler, r) })
	added.limit = verify
	if report.middleware, err = measure(added); err != nil {
		return err
	}
	if report.scaling, err = scaling(f.bareRSA(f.token), verify); err != nil {
		return err
	}
	if report.growth, err = growth(soak, verify); err != nil {
		return err
	}
	if stores {
		if report.adapters, err = adapterTargets(ctx); err != nil {
			return err
		}
	}
	if err := report.print(out); err != nil || docs == "" {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{"performance.md": report.markdown, "performance.svg": report.chart} {
		if err := writeFile(filepath.Join(docs, name), write); err != nil {
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

// jobs returns everything that is measured, group by group, each of which
// begins with ours.
func (f *fixture) jobs(ctx context.Context) ([]job, error) {
	own, err := f.ourJobs(ctx)
	if err != nil {
		return nil, err
	}
	others, err := f.otherJobs(ctx)
	if err != nil {
		return nil, err
	}
	algorithms, err := f.algorithmJobs(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(f.bareJobs(), own, others, algorithms)
	slices.SortStableFunc(all, func(a, b job) int { return slices.Index(groups, a.group) - slices.Index(groups, b.group) })
	return all, nil
}
