// Command mutate measures what the tests are worth: it changes the code in many
// small ways, one at a time, and counts how many of the changes make a test
// fail.
//
//	go run ./tools/mutate [-o report.md] [-files verifier/proof.go,...]
//
// All changes are compiled into the test binaries at once, behind switches, and
// an environment variable throws one of them for each run; so nothing is
// compiled per change, and the source tree is not touched. A first run of every
// test by itself records which switches it passes, and later only those tests
// run that can notice a change at all. See docs/mutation.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// defaultFiles hold the decisions: verification, DPoP, and the choice of keys.
const defaultFiles = "verifier/gate.go,verifier/policy.go,verifier/verify.go,verifier/claims.go,verifier/signature.go,verifier/confirmation.go," +
	"verifier/memo.go,verifier/remembered.go,verifier/proof.go,verifier/nonce.go,verifier/replay.go,verifier/request.go,verifier/requirement.go," +
	"verifier/proxies.go,verifier/tokensource.go,verifier/decrypt.go,verifier/revoked.go,verifier/introspect.go,verifier/expiry.go," +
	"verifier/clientcert/clientcert.go,verifier/clientcert/envoy.go," +
	"internal/keys/source.go,internal/keys/documents.go,internal/keys/host.go,internal/keys/store.go," +
	"internal/forwarded/config.go,internal/forwarded/headers.go,internal/forwarded/node.go,internal/forwarded/policy.go,internal/forwarded/rfc7239.go," +
	"internal/base64url/base64url.go,internal/jwe/jwe.go,internal/jws/jws.go,internal/jws/headers.go,internal/keyset/algorithm.go,internal/keyset/key.go,internal/keyset/set.go," +
	"internal/htu/htu.go,internal/issuer/issuer.go,internal/discovery/discovery.go,internal/strictjson/strictjson.go," +
	"internal/strictjson/value.go,internal/strictjson/number.go,internal/nonce/nonce.go,internal/fetch/fetch.go"

func main() {
	files := flag.String("files", defaultFiles, "files to change, separated by commas")
	report := flag.String("o", "", "where to write the survivors; default: the terminal")
	sample := flag.Int("sample", 1, "try every n-th change only")
	list := flag.Bool("list", false, "list the changes and stop")
	verbose := flag.Bool("v", false, "print every outcome")
	only := flag.String("only", "", "identifiers of the changes to try, separated by commas")
	slowest := flag.Duration("slowest", 4*time.Second, "tests that take longer take no part")
	budget := flag.Duration("budget", 6*time.Second, "processor time of the tests of a package for one change")
	skip := flag.String("skip", "Soak|Budget|SteadyLoad|MemoryIs|MillionEntries", "tests that take no part, as a regular expression")
	again := flag.String("again", "", "an earlier report: try only the changes that it lists as unnoticed")
	own := flag.Bool("own", false, "run the tests of the changed file's own package only")
	with := flag.String("with", "resolver,providers,exchange,introspection", "folders whose tests take part beside those of the changed files and of verifier")
	explained := flag.String("explained", "docs/mutation.md", "a list of changes that need not be noticed, with reasons; they are not tried")
	least := flag.Float64("min", 90, "percentage of changes that must be noticed")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	err := run(ctx, options{
		files: strings.Split(*files, ","), report: *report, sample: *sample, list: *list,
		verbose: *verbose, only: *only, least: *least, slowest: *slowest, budget: *budget, skip: *skip, again: *again, own: *own, with: strings.Split(*with, ","), explained: *explained,
	})
	fmt.Fprintf(os.Stderr, "mutate: %v\n", time.Since(began).Round(time.Second))
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}
