package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all that was measured.
type report struct {
	issuers, soak, tokenSize int
	results                  []result
	middleware               result // its limit is VerifyAccessToken
	scaling                  scale
	growth                   grown
	adapters                 []target // none: not measured
}

// find returns the ratio of a row, or 0.
func (r *report) find(group, name string) result {
	for _, result := range r.results {
		if result.group == group && result.name == name {
			return result
		}
	}
	return result{}
}

// target is one line of the budget.
type target struct {
	what     string
	measured string
	budget   string
	met      bool
}

// targets compares what was measured with the budget.
func (r *report) targets() []target {
	atMost := func(what string, measured, budget float64) target {
		return target{what, fmt.Sprintf("%.3f", measured), fmt.Sprintf("<= %.2f", budget), measured <= budget}
	}
	counts := func(what string, measured float64, budget int) target {
		return target{what, fmt.Sprintf("%.0f", measured), fmt.Sprintf("<= %d", budget), measured < float64(budget)+0.5}
	}
	bearer := r.find(groupBearer, ourName)
	memo := r.find(groupMemo, ourName+", TokenMemo")
	dpop := r.find(groupDPoP, ourName+", VerifyHTTPRequest")
	many := r.find(groupIssuers, ourName)
	held := r.find(groupIssuers, ourName+", one of them in use")
	list := []target{
		atMost("Bearer, ratio to the limit", bearer.ratio, 1.15),
		counts("Bearer, allocations", bearer.allocations, 20),
		atMost("memo hit, ratio to the limit", memo.ratio, 0.04),
		counts("memo hit, allocations", memo.allocations, 2),
		atMost("DPoP request, ratio to its limit", dpop.ratio, 1.20),
		atMost("middleware, ratio added", (r.middleware.ratio-1)*bearer.ratio, 0.10),
	}
	for _, group := range []string{groupExpired, groupForeign, groupMalformed} {
		list = append(list, atMost(group+", share of a verification", r.find(group, ourName).ratio/bearer.ratio, 0.20))
	}
	list = append(list, r.algorithmTargets()...)
	oversize := r.find(groupOversize, ourName)
	list = append(list,
		target{groupOversize + ", microseconds", fmt.Sprintf("%.2f", oversize.nanoseconds/1000), "< 10", oversize.nanoseconds < 10_000},
		target{fmt.Sprintf("%d issuers held and one in use, by a verifier of one", r.issuers), fmt.Sprintf("%.3f", held.ratio/bearer.ratio), "<= 1.05", held.ratio/bearer.ratio <= 1.05},
		target{fmt.Sprintf("%d issuers in turn, by a verifier of one", r.issuers), fmt.Sprintf("%.3f", many.ratio/bearer.ratio), "<= 1.1", many.ratio/bearer.ratio <= 1.1},
		target{"two at once, scaling by that of the limit, CPU time", fmt.Sprintf("%.3f", r.scaling.cpu), ">= 0.95", r.scaling.cpu >= 0.95},
		target{fmt.Sprintf("goroutines after %d verifications", r.soak), fmt.Sprintf("%+d", r.growth.goroutines), "+0", r.growth.goroutines <= 0},
		target{fmt.Sprintf("live memory after %d verifications", r.soak), fmt.Sprintf("%+d B", r.growth.heap), "< 64 KiB", r.growth.heap < 64<<10},
		target{"allocations of a verification, before and after", fmt.Sprintf("%.1f, %.1f", r.growth.early, r.growth.late), "equal", r.growth.late < r.growth.early+0.5},
	)
	return append(list, r.adapters...)
}

func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\twho\tns\tB\tallocs\tratio to the limit")
	for _, x := range r.results {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.3f\n", x.group, x.name, x.nanoseconds, x.bytes, x.allocations, x.ratio)
	}
	fmt.Fprintln(t, "\nbudget\tmeasured\tallowed\t")
	for _, x := range r.targets() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.what, x.measured, x.budget, verdict(x.met))
	}
	fmt.Fprintf(t, "time spent waiting for locks, two at once\t%v\t\t\n", r.scaling.lockWait.Round(time.Microsecond))
	fmt.Fprintf(t, "two at once, scaling by that of the limit, elapsed time\t%.3f\t\tnot on a busy machine\n", r.scaling.wall)
	return t.Flush()
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// markdown writes docs/performance.md.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(markdownHead)
	fmt.Fprintf(&b, "Measured with %s on %s/%s, %d CPUs, tokens of %d bytes (RS256, 2048 bits), proofs with ES256.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), r.tokenSize)
	b.WriteString("\n## Budget\n\n| | measured | allowed | |\n|---|---:|---:|---|\n")
	for _, x := range r.targets() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", x.what, x.measured, x.budget, verdict(x.met))
	}
	fmt.Fprintf(&b, "\nWith two at once, all goroutines together waited %v for locks. By elapsed time, which other load on the machine decides too,\n"+
		"scaling was %.3f of that of the limit.\n", r.scaling.lockWait.Round(time.Microsecond), r.scaling.wall)
	b.WriteString("\n## All rows\n\nCPU time, memory and allocations of one call, and the ratio to the bare crypto.\n")
	group := ""
	for _, x := range r.results {
		if x.group != group {
			group = x.group
			fmt.Fprintf(&b, "\n### %s\n\n| | ns | B | allocations | ratio |\n|---|---:|---:|---:|---:|\n", group)
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %.3f |\n", x.name, x.nanoseconds, x.bytes, x.allocations, x.ratio)
	}
	b.WriteString("\n## Versions\n\n| module | version |\n|---|---|\n")
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range compared {
			for _, dep := range info.Deps {
				if dep.Path == module {
					fmt.Fprintf(&b, "| %s | %s |\n", dep.Path, dep.Version)
				}
			}
		}
	}
	b.WriteString(markdownNotes)
	_, err := io.WriteString(w, b.String())
	return err
}

// compared are the modules whose versions the page names.
var compared = []string{
	"github.com/go-jose/go-jose/v4", "github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/coreos/go-oidc/v3",
	"github.com/zitadel/oidc/v3", "github.com/lestrrat-go/jwx/v3", "github.com/auth0/go-jwt-middleware/v3", "filippo.io/bigmod", "filippo.io/mldsa",
}

const markdownHead = `# Performance

<!-- Written by "make bench". Do not edit: change tools/compare/speed/report.go. -->

` + "`make bench` (or `cd tools/compare && GOWORK=off go run ./speed`) prints these numbers and writes this page and its chart." + `

![CPU time of a Bearer verification by library](performance.svg)

The limit is what no verifier can do without: SHA-256 and ` + "`rsa.VerifyPKCS1v15`" + ` of the standard library, on a signature that is decoded
already; for DPoP also SHA-256 and ` + "`ecdsa.Verify`" + ` of the proof. A ratio of 1.10 means: the checks, the parsing and the claims together cost a tenth
of the crypto. Times are CPU time of the process, garbage collection included; limit and target alternate in slices of 25 ms, and the ratio is the
median of 31 pairs, so that other load on the machine does not decide. Nanoseconds do change with the load: compare the ratios.

`

const markdownNotes = `
## What is compared

One process, the same keys and the same tokens. Every library has its keys cached before it is measured, and is set up to allow RS256 only and to
check signature, iss, aud and exp; where a library leaves the audience to its caller, the benchmark checks it. Keys come from an
in-memory HTTP transport: a library that fetches does not wait.

- Every other library decodes the claims of the token into a struct with scope, permissions and organisation (or into its own map of claims).
  Portcullis reads the registered claims, client_id and scope, and decodes the others when they are asked for: the row "scope and permissions
  read" asks for what the structs of the others hold, and the row "claims decoded" calls Token.Decode with such a struct.
- The middleware rows answer a request with 204 behind each project's own middleware. In the DPoP rows every request has a new proof by the same
  key; Portcullis also records each proof against replays. "VerifyHTTPRequest" is the same without the middleware.
- "Other issuer" is a well-formed token of an issuer that is not allowed, "bad signature" one with the right names that another key signed,
  "64 KiB" one with a bad signature and much padding, "malformed" one with a character that base64url does not have.
- "Many issuers" takes the tokens of all issuers in turn, and its limit is the bare crypto on the same tokens with a key of its own for each; the
  row "bare" there compares that with the bare crypto on one token. The keys of up to Config.Refresh.MaxIssuers issuers are held, 100 unless set: an API with
  more issuers in use must set it, or keys are fetched again and again. Holding a thousand costs nothing ("one of them in use"); using them in turn
  costs some per cent, from a few dozen issuers on: their documents and keys are no longer in the processor's nearest cache.
- "go-jose/v4, signature only" parses the token and checks its signature, and no claims: what a verification would cost that left the signature to
  go-jose instead of the standard library.
- "RSA accelerated" is with the opt-in module integration/fastrsa, "ML-DSA" with integration/mldsa; the limit of an ML-DSA row is the bare check of that
  signature, and a second row compares that with RS256.
- "Two at once" gives the CPU time of one verification while two goroutines verify: memory that cores share shows there.

- The rows of Redis and memcached compare an adapter with the bare call of its client, in turns within one process, on a server of their own:
  throughput, client CPU and time of one call. "2.6 ms round trip" puts a process between that delays both ways. Redis calls that wait share
  pipelines, so a store is faster than the bare client as soon as several callers use it, and costs a hand-over between goroutines when one
  does. memcached is measured with Config.GenerationTTL.

Tests of the verifier and of the adapters guard the budget loosely in every run: see verifier/performance_test.go and TestTargets of the
adapters.
`
