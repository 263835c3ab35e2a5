package providers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// GitHubActions is the OIDC tokens of workflow runs, for the repositories of these
// owners (users or organisations): everybody on GitHub can have a token of this issuer
// with any audience. Check repository, ref and environment too where they matter, with
// RequiredValues or a Requirement. Source: GitHub docs, "OpenID Connect reference".
func GitHubActions(owners ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://token.actions.githubusercontent.com",
		RequiredValues: map[string][]string{"repository_owner": owners},
	}
}

// GitLab is the ID tokens of CI/CD jobs of a GitLab instance ("gitlab.com" or its own
// host), for the projects of these namespaces. Source: GitLab docs, "OpenID Connect
// (OIDC) authentication using ID tokens".
func GitLab(host string, namespaces ...string) verifier.Issuer {
	return verifier.Issuer{
		Name:           "https://" + bare(host),
		RequiredValues: map[string][]string{"namespace_path": namespaces},
	}
}

// CloudflareAccess is Cloudflare Access in front of an application: team is the host
// ("acme.cloudflareaccess.com"), audience the application's AUD tag. The token comes in
// the header Cf-Access-Jwt-Assertion (verifier.TokenSource). Source: Cloudflare One
// docs, "Validate JWTs".
func CloudflareAccess(team, audience string) verifier.Issuer {
	return verifier.Issuer{
		Name:      "https://" + bare(team),
		Keys:      verifier.KeysURL("https://" + bare(team) + "/cdn-cgi/access/certs"),
		Audiences: []string{audience},
	}
}

// SPIFFE is the JWT-SVIDs of a trust domain ("example.org"), with the keys of its
// bundle endpoint. They have no iss: a token is of this issuer when its sub is a SPIFFE
// ID of the trust domain. iat may be absent, and typ may be JOSE. One Issuer of a
// configuration can be known by its subjects. Source: SPIFFE JWT-SVID specification,
// Sections 2 and 3; SPIFFE Trust Domain and Bundle, Section 4.
func SPIFFE(trustDomain, bundleURL string) verifier.Issuer {
	name := "spiffe://" + strings.TrimSuffix(strings.TrimPrefix(trustDomain, "spiffe://"), "/")
	return verifier.Issuer{
		Name:          name,
		SubjectPrefix: name + "/",
		Keys:          verifier.KeysURL(bundleURL).ForUse("jwt-svid"),
		Algorithms:    []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"},
		Types:         []string{"JOSE"},
		Optional:      []string{"iat"},
	}
}

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
	// read makes the fetch fail: with nothing held that is 503 and an event, never 401.
	// Default: those of the program's own service account, under
	// /var/run/secrets/kubernetes.io/serviceaccount.
	CAFile, TokenFile string
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
	host := ""
	if u, err := url.Parse(cfg.Issuer); err == nil {
		host = u.Host
	}
	return verifier.Issuer{
		Name:           cfg.Issuer,
		Keys:           verifier.KeysDiscovery(cfg.KeyHosts...),
		Doer:           &inCluster{caFile: cfg.CAFile, tokenFile: cfg.TokenFile, hosts: append([]string{host}, cfg.KeyHosts...)},
		RequiredClaims: []string{"sub"},
	}
}

// inCluster asks the API server, with files that are read again.
type inCluster struct {
	caFile, tokenFile string
	hosts             []string // that may see the token

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
	if c.client != nil && time.Since(c.read) < filesAge {
		return c.client, c.token, nil
	}
	token, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return nil, "", fmt.Errorf("providers: the token of the service account: %w", err)
	}
	pem, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, "", fmt.Errorf("providers: the certificate authority of the API server: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, "", errors.New("providers: the file of the certificate authority has no certificate")
	}
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
	c.client = verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: roots})
	if transport, ok := c.client.Transport.(*http.Transport); ok {
		transport.Proxy = nil // the API server is inside of the cluster
		transport.TLSClientConfig.MinVersion = tls.VersionTLS12
	}
	c.token, c.read = strings.TrimSpace(string(token)), time.Now()
	return c.client, c.token, nil
}
