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

	"github.com/portcullis-go/portcullis/examples/internal/byname"
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
	domains, audiences, algorithms, allow list
	leeway, timeout                       time.Duration
	proof, method, url, ca                string
	provider, issuer                      string

	call byname.Call // of provider
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
       inspect -provider P -issuer ISS [-allow X] -audience A [flags] < token

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
	flags.StringVar(&s.provider, "provider", "", "name of the provider, instead of -domain: "+strings.Join(byname.Names(), ", "))
	flags.StringVar(&s.issuer, "issuer", "", "exact iss of the provider's tokens; not needed where it is always the same")
	flags.Var(&s.allow, "allow", "what the provider's function takes beside the issuer: clients, origins, owners; may be given several times")
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
	case s.provider != "" && len(s.domains) > 0:
		err = errors.New("-provider and -domain exclude each other")
	case s.provider == "" && (s.issuer != "" || len(s.allow) > 0):
		err = errors.New("-issuer and -allow belong to -provider")
	case s.provider == "" && (len(s.domains) == 0 || len(s.audiences) == 0):
		err = errors.New("-domain and -audience are needed, or -provider")
	case (s.proof != "") != (s.method != "") || (s.proof != "") != (s.url != ""):
		err = errors.New("-proof, -method and -url belong together")
	}
	if err == nil && s.provider != "" {
		s.call, err = byname.Make(s.provider, byname.Input{Issuer: s.issuer, Allow: s.allow, Audiences: s.audiences})
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
	token, notes, err := readToken(stdin)
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
	for _, note := range notes {
		fmt.Fprintln(stdout, note)
	}
	return report{stdout, s, watch, token}.write(verified, err)
}

// maxInput is more than the Verifier accepts, so that it is the one to refuse.
const maxInput = 64 << 10

// readToken reads a token as it was copied from somewhere, and says what it has dropped.
func readToken(stdin io.Reader) (token string, notes []string, err error) {
	data, err := io.ReadAll(io.LimitReader(stdin, maxInput))
	if err != nil {
		return "", nil, errors.New("the standard input cannot be read")
	}
	token = strings.TrimSpace(string(data))
	if rest, ok := cutFold(token, "authorization:"); ok {
		token = rest
		notes = append(notes, `The input begins with "Authorization:"; what follows is inspected.`)
	}
	if len(token) >= 2 && strings.Contains("\"'`", token[:1]) && token[0] == token[len(token)-1] {
		token = strings.TrimSpace(token[1 : len(token)-1])
		notes = append(notes, "The input is in quotes; what is inside is inspected. An API refuses the quotes.")
	}
	for _, scheme := range []string{"bearer ", "dpop "} {
		if rest, ok := cutFold(token, scheme); ok {
			token = rest
			notes = append(notes, fmt.Sprintf("The input begins with %q; what follows is inspected.", strings.TrimSpace(scheme)))
		}
	}
	if token == "" {
		return "", nil, errors.New("the standard input has no token")
	}
	return token, notes, nil
}

// cutFold cuts a word in any case and the white space behind it off.
func cutFold(text, word string) (string, bool) {
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) {
		return text, false
	}
	return strings.TrimSpace(text[len(word):]), true
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
	cfg := verifier.Config{Audiences: s.audiences, Algorithms: s.algorithms, Leeway: s.leeway, Doer: watch, Observer: watch}
	if s.provider == "" {
		cfg.Domains = resolver.Static(s.domains...)
		return cfg
	}
	issuer := s.call.Issuer
	if len(s.algorithms) > 0 {
		issuer.Algorithms = s.algorithms
	}
	cfg.Issuers = []verifier.Issuer{issuer}
	return cfg
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
