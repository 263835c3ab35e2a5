package providers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// KubernetesConfig shapes [Kubernetes]. The zero value is for a program inside of the
// cluster.
type KubernetesConfig struct {
	// Issuer is the API server's --service-account-issuer. Default
	// "https://kubernetes.default.svc.cluster.local".
	Issuer string
	// KeyHosts are hosts on which the metadata places the keys: often the API server's
	// address.
	KeyHosts []string
	// CAFile and TokenFile are the certificate authority of the API server and the
	// token that the program shows to it. Both are read again when they are older than
	// a minute, so that projected tokens and certificates rotate. A file that cannot be
	// read makes the fetch fail, with an event that names the file (problem "file"): with
	// nothing held that is 503, never 401.
	// Default: those of the program's own service account, under
	// /var/run/secrets/kubernetes.io/serviceaccount.
	CAFile, TokenFile string
	// Clock says how old the files are. Default: time.Now.
	Clock verifier.Clock
}

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/"

// Kubernetes is the service accounts of a cluster, as pods present them to one another.
// The audience must be one that the pods' tokens are projected with. Source: Kubernetes
// docs, "Managing Service Accounts", "Service account issuer discovery".
func Kubernetes(cfg KubernetesConfig) verifier.Issuer {
	text := func(value *string, byDefault string) {
		if *value == "" {
			*value = byDefault
		}
	}
	text(&cfg.Issuer, "https://kubernetes.default.svc.cluster.local")
	text(&cfg.CAFile, serviceAccount+"ca.crt")
	text(&cfg.TokenFile, serviceAccount+"token")
	if cfg.Clock == nil {
		cfg.Clock = verifier.ClockFunc(time.Now)
	}
	host := ""
	if u, err := url.Parse(cfg.Issuer); err == nil {
		host = u.Host
	}
	return verifier.Issuer{
		Name:           cfg.Issuer,
		Keys:           verifier.KeysDiscovery(cfg.KeyHosts...),
		Doer:           &inCluster{caFile: cfg.CAFile, tokenFile: cfg.TokenFile, clock: cfg.Clock, hosts: append([]string{host}, cfg.KeyHosts...)},
		RequiredClaims: []string{"sub", "kubernetes.io"},
	}
}

// inCluster asks the API server, with files that are read again.
type inCluster struct {
	caFile, tokenFile string
	hosts             []string // that may see the token
	clock             verifier.Clock

	mu     sync.Mutex
	client *http.Client
	token  string
	read   time.Time
}

// filesAge is how old what was read may be. Projected tokens are replaced at 80 % of
// their life, which is an hour.
const filesAge = time.Minute

// Do implements verifier.Doer. The token is shown to the issuer's host and the hosts of
// its keys alone.
func (c *inCluster) Do(req *http.Request) (*http.Response, error) {
	client, token, err := c.current()
	if err != nil {
		return nil, err
	}
	if !c.mayShow(req.URL) {
		return nil, errors.New("providers: the token of the service account is not for this host")
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return client.Do(req)
}

func (c *inCluster) mayShow(u *url.URL) bool {
	if u.Scheme != "https" {
		return false
	}
	for _, host := range c.hosts {
		if strings.EqualFold(strings.TrimSuffix(u.Host, ":443"), strings.TrimSuffix(host, ":443")) {
			return true
		}
	}
	return false
}

func (c *inCluster) current() (*http.Client, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if age := now.Sub(c.read); c.client != nil && age >= 0 && age < filesAge {
		return c.client, c.token, nil
	}
	token, err := readToken(c.tokenFile)
	if err != nil {
		return nil, "", err
	}
	roots, err := readRoots(c.caFile)
	if err != nil {
		return nil, "", err
	}
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
	c.client = verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: roots})
	if transport, ok := c.client.Transport.(*http.Transport); ok {
		transport.Proxy = nil // the API server is inside of the cluster
		transport.TLSClientConfig.MinVersion = tls.VersionTLS12
	}
	c.token, c.read = token, now
	return c.client, c.token, nil
}

// readToken reads one token: what else could be in the file must not become a header
// field, nor stand in the error of one.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", err
	case token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", &fs.PathError{Op: "use", Path: file, Err: errors.New("what is in the file is no token")}
	default:
		return token, nil
	}
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &fs.PathError{Op: "use", Path: file, Err: errors.New("the file has no certificate")}
	}
	return roots, nil
}
