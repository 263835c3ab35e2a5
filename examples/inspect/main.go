// Inspect tells why an access token is refused: it verifies a token from the
// standard input as an API would, and prints each step of the verification
// with its outcome. It never prints the token.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
)

// Exit statuses.
const (
	exitGood      = 0
	exitRefused   = 1
	exitUndecided = 2
	exitUsage     = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, nil)
	stop()
	os.Exit(code)
}

// settings are the command line.
type settings struct {
	domains, audiences, algorithms list
	leeway, timeout                time.Duration
	proof, method, url, ca         string
}

// list is a flag that may be given several times, or with commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			return errors.New("an item is empty")
		}
		*l = append(*l, strings.TrimSpace(item))
	}
	return nil
}

const usage = `Usage: inspect -domain D -audience A [flags] < token

Exit status: 0 the token is good, 1 it is refused, 2 could not decide, 64 wrong usage.

`

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := new(settings)
	flags := flag.NewFlagSet("inspect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.Var(&s.domains, "domain", "allowed issuer, such as tenant.auth0.com; may be given several times")
	flags.Var(&s.audiences, "audience", "identifier of the API; may be given several times")
	flags.Var(&s.algorithms, "algorithms", "allowed signature algorithms (default RS256)")
	flags.DurationVar(&s.leeway, "leeway", 0, "how much exp and nbf may be missed by")
	flags.DurationVar(&s.timeout, "timeout", 15*time.Second, "of the whole inspection")
	flags.StringVar(&s.proof, "proof", "", "DPoP proof that came with the token; needs -method and -url")
	flags.StringVar(&s.method, "method", "", "method of the request that the proof is for")
	flags.StringVar(&s.url, "url", "", "URL of the request that the proof is for, as the client sees it")
	flags.StringVar(&s.ca, "ca", "", "file of PEM certificates to trust instead of the system's, for a local issuer")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = errors.New("the token is read from the standard input, not from the command line")
	case len(s.domains) == 0 || len(s.audiences) == 0:
		err = errors.New("-domain and -audience are needed")
	case (s.proof != "") != (s.method != "") || (s.proof != "") != (s.url != ""):
		err = errors.New("-proof, -method and -url belong together")
	}
	if err != nil {
		fmt.Fprintf(stderr, "inspect: %v\n%s", err, usage)
	}
	return s, err
}

// run is the program. A nil doer means one that trusts the system's
// certificates, or those of -ca.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, doer verifier.Doer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitGood
	case err != nil:
		return exitUsage
	}
	token, err := readToken(stdin)
	if err == nil && doer == nil {
		doer, err = s.client()
	}
	if err != nil {
		fmt.Fprintf(stderr, "inspect: %v\n", err)
		return exitUsage
	}
	watch := &witness{doer: doer}
	v, err := verifier.New(s.config(watch))
	if err != nil {
		fmt.Fprintf(stderr, "inspect: %v\n", err)
		return exitUsage
	}
	defer v.Close()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	verified, err := v.VerifyRequest(ctx, s.request(token))
	return report{stdout, s, watch, token}.write(verified, err)
}

// maxInput is more than the Verifier accepts, so that it is the one to refuse.
const maxInput = 64 << 10

func readToken(stdin io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(stdin, maxInput))
	if err != nil {
		return "", errors.New("the standard input cannot be read")
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", errors.New("the standard input has no token")
	}
	return token, nil
}

func (s *settings) client() (verifier.Doer, error) {
	var cfg verifier.HTTPClientConfig
	if s.ca != "" {
		pem, err := os.ReadFile(s.ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("the file of -ca has no certificate")
		}
	}
	return verifier.NewHTTPClient(cfg), nil
}

func (s *settings) config(watch *witness) verifier.Config {
	return verifier.Config{
		Domains: resolver.Static(s.domains...), Audiences: s.audiences, Algorithms: s.algorithms, Leeway: s.leeway,
		Doer: watch, Observer: watch,
	}
}

// request is one as an API would see it.
func (s *settings) request(token string) verifier.Request {
	if s.proof == "" {
		return verifier.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}
	}
	return verifier.Request{
		Method: s.method, URL: s.url, Header: http.Header{"Authorization": {"DPoP " + token}, "Dpop": {s.proof}},
	}
}
