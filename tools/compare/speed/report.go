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

// report is all that was measured. What is nil or empty was not.
type report struct {
	issuers, soak, tokenSize, inputSize int

	results    []result
	middleware *result // its limit is VerifyAccessToken
	scaling    *scale
	growth     *grown
	memoEntry  float64 // bytes
	requests   *requests
	suites     []target
}

// find returns a row.
func (r *report) find(group, name string) (found result, ok bool) {
	for _, result := range r.results {
		if result.group == group && result.name == name {
			return result, true
		}
	}
	return result{}, false
}

func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\twho\tns\tB\tallocs\tratio to the limit")
	for _, x := range r.results {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.3f\n", x.group, x.name, x.nanoseconds, x.bytes, x.allocations, x.ratio)
	}
	fmt.Fprintln(t, "\ntarget\tmeasured\tallowed\t")
	for _, x := range r.targets() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.what, x.measured, x.budget, verdict(x.met))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n"+r.beside()+r.whatHelps())
	return err
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
	b.WriteString("\n## Targets\n\n| | measured | allowed | |\n|---|---:|---:|---|\n")
	for _, x := range r.targets() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", x.what, x.measured, x.budget, verdict(x.met))
	}
	fmt.Fprintf(&b, "\nMeasured with %s on %s/%s, %d CPUs, tokens of %d bytes (RS256, 2048 bits), proofs with ES256.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), r.tokenSize)
	b.WriteString(r.beside())
	b.WriteString("\n## What helps most\n\n" + r.whatHelps())
	b.WriteString(markdownMethod)
	r.serverTable(&b)
	b.WriteString("\n## All rows\n\nCPU time, memory and allocations of one call, and the ratio to the bare crypto (of resolvers: to a static list).\n")
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

// beside says what was measured and has no target.
func (r *report) beside() string {
	if r.scaling == nil {
		return ""
	}
	return fmt.Sprintf("With two at once, all goroutines together waited %v for locks. By elapsed time, which other load on the machine decides too,\n"+
		"scaling was %.3f of that of the limit.\n", r.scaling.lockWait.Round(time.Microsecond), r.scaling.wall)
}

// serverTable has the requests per second as ratios.
func (r *report) serverTable(b *strings.Builder) {
	if r.requests == nil {
		return
	}
	b.WriteString("\n## A real server\n\nRequests per second, by those of the same server without verification, and by those with golang-jwt and keyfunc.\n\n" +
		"| | without verification | golang-jwt + keyfunc |\n|---|---:|---:|\n")
	for _, name := range r.requests.names {
		fmt.Fprintf(b, "| %s | %.2f | %.2f |\n", name, r.requests.over(name, openName), r.requests.over(name, golangJWTName))
	}
	where := "Server and generator of requests had a core each."
	if !r.requests.pinned {
		where = "Server and generator of requests could not be bound to a core each."
	}
	fmt.Fprintf(b, "\n%s The generator was busy for %.0f %% of the time at most.\n", where, 100*r.requests.busy)
}

// compared are the modules whose versions the page names.
var compared = []string{
	"github.com/go-jose/go-jose/v4", "github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/coreos/go-oidc/v3",
	"github.com/zitadel/oidc/v3", "github.com/lestrrat-go/jwx/v3", "github.com/auth0/go-jwt-middleware/v3", "filippo.io/bigmod", "filippo.io/mldsa",
}

const markdownHead = `# Performance

<!-- Written by "make bench". Do not edit: change tools/compare/speed/report.go. -->

` + "`make bench` (or `cd tools/compare && GOWORK=off go run ./speed`) prints these numbers and writes this page and its charts.\n`-only REGEXP` measures a part, and writes nothing." + ` Every figure is a ratio of pairs that alternate in one run.

![CPU time of a Bearer verification by library](performance.svg)

![Requests per second of a server by library](performance-server.svg)

![Calls per second of the stores by those of the bare client](performance-stores.svg)
`

const markdownMethod = `
## How it is measured

The limit is what no verifier can do without: SHA-256 and ` + "`rsa.VerifyPKCS1v15`" + ` of the standard library, on a signature that is decoded
already; for DPoP also SHA-256 and ` + "`ecdsa.Verify`" + ` of the proof. A ratio of 1.10 means: the checks, the parsing and the claims together cost a tenth
of the crypto. Times are CPU time of the process, garbage collection included; limit and target alternate in slices of 25 ms, and the ratio is the
median of 31 pairs, so that other load on the machine does not decide. Nanoseconds do change with the load: compare the ratios.

- The rows of Redis and memcached compare an adapter with the bare call of its client, in turns within one process, on a server of their own:
  throughput, client CPU and time of one call. "2.6 ms round trip" puts a process between that delays both ways. Redis calls that wait share
  pipelines, so a store is faster than the bare client as soon as several callers use it, and costs a hand-over between goroutines when one
  does. memcached is measured with Config.GenerationTTL. The server that hangs is stopped by a signal; the figure is the longest of 20 calls.
- A cold issuer is one whose documents are not held; that of the longest unused is driven out for it. What is fetched comes from memory.
- The rows about memory hold 1,000 issuers, with documents of real size, and count what stays in use.
- The resolver rows verify a request by the same token and hold the same 1,000 issuers, with a resolver and with a static list in turn.
- The server is net/http with the library's own middleware, or the least one where it has none, in a process on one core. All servers run, and get
  16 connections each, in turns of 0.4 s; the ratio is the median of 21 turns.
`

const markdownNotes = `
## What is compared

The same keys and the same tokens; but for the server rows, one process. Every library has its keys cached before it is measured, and is set up to
allow RS256 only and to check signature, iss, aud and exp; where a library leaves the audience to its caller, the benchmark checks it. Keys come
from an in-memory HTTP transport: a library that fetches does not wait.

- Every other library decodes the claims of the token into a struct with scope, permissions and organisation (or into its own map of claims).
  Portcullis reads the registered claims, client_id and scope, and decodes the others when they are asked for: the row "scope and permissions
  read" asks for what the structs of the others hold, and the row "claims decoded" calls Token.Decode with such a struct.
- The middleware rows answer a request with 204 behind each project's own middleware. In the DPoP rows every request has a new proof by the same
  key; Portcullis also records each proof against replays. "VerifyHTTPRequest" is the same without the middleware.
- "Other issuer" is a well-formed token of an issuer that is not allowed, "bad signature" one with the right names that another key signed,
  "64 KiB" one with a bad signature and much padding, "malformed" one with a character that base64url does not have.
- "Many issuers" takes the tokens of all issuers in turn, and its limit is the bare crypto on the same tokens with a key of its own for each; the
  row "bare" there compares that with the bare crypto on one token. Holding a thousand costs nothing ("one of them in use"); using them in turn
  costs some per cent, from a few dozen issuers on: their documents and keys are no longer in the processor's nearest cache.
- "go-jose/v4, signature only" parses the token and checks its signature, and no claims: what a verification would cost that left the signature to
  go-jose instead of the standard library.
- "Accelerated" is with the opt-in module integration/fastrsa, "ML-DSA" with integration/mldsa. The limit of a row of another algorithm or key size
  is the bare check of that signature, and a further row compares that with RS256 and 2048 bits.
- "Two at once" gives the CPU time of one verification while two goroutines verify: memory that cores share shows there.

Tests guard the budget loosely in every run: TestBudget..., TestMemory... and TestTarget... of each package.
`
