//go:build interop

package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/clientcert"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	rig.Report(os.Stdout)
	os.Exit(code)
}

const audience = "https://api.example.com"

// libraries are the DPoP clients of npm that js/client.mjs has.
var libraries = []string{"openid-client", "oauth4webapi", "dpop"}

// files are the configurations of examples/proxies that are run here.
var files = []string{"nginx.conf", "haproxy.cfg", "apache.conf", "Caddyfile"}

// settings are what the comments of a configuration say.
type settings struct {
	name        string
	trusted     []netip.Prefix
	fields      []string
	certificate clientcert.Reader
	field       string // of the certificate
}

func settingsOf(t *testing.T, path string) settings {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	comments := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		if comment, found := strings.CutPrefix(line, "# "); found {
			key, value, _ := strings.Cut(strings.TrimSpace(comment), ": ")
			comments[key] = value
		}
	}
	s := settings{name: comments["Proxy"], fields: strings.Fields(comments["ProxyFields"])}
	prefix, err := netip.ParsePrefix(comments["TrustedProxies"])
	if err != nil {
		t.Fatal(err)
	}
	s.trusted = []netip.Prefix{prefix}
	s.certificate, s.field = certificateReaders[comments["ClientCertificate"]], "X-Client-Cert"
	if comments["ClientCertificate"] == "clientcert.RFC9440()" {
		s.field = "Client-Cert"
	}
	if s.certificate == nil {
		t.Fatalf("%s: unknown ClientCertificate", path)
	}
	return s
}

var certificateReaders = map[string]clientcert.Reader{
	`clientcert.Nginx("X-Client-Cert")`:  clientcert.Nginx("X-Client-Cert"),
	`clientcert.RFC9440()`:               clientcert.RFC9440(),
	`clientcert.Apache("X-Client-Cert")`: clientcert.Apache("X-Client-Cert"),
	`clientcert.Caddy("X-Client-Cert")`:  clientcert.Caddy("X-Client-Cert"),
}

// start starts the proxy of a configuration file, in which the documented
// addresses and files are replaced.
func start(t *testing.T, path string, replace map[string]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for from, to := range replace {
		if !strings.Contains(text, from) {
			t.Fatalf("%s does not have %s", path, from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var command rig.Command
	switch filepath.Base(path) {
	case "nginx.conf":
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		command = rig.Command{Name: "nginx", Args: []string{"-p", dir, "-c", file, "-e", "stderr", "-g", "daemon off; pid " + dir + "/pid;"}}
	case "haproxy.cfg":
		command = rig.Command{Name: "haproxy", Args: []string{"-db", "-f", file}}
	case "apache.conf":
		command = rig.Command{Name: "apache2", Args: []string{"-DFOREGROUND", "-d", dir, "-f", file, "-c", "PidFile " + dir + "/pid", "-c", "ErrorLog /dev/stderr", "-c", "Mutex sem"}}
	case "Caddyfile":
		command = rig.Command{Name: "caddy", Args: []string{"run", "--adapter", "caddyfile", "--config", file}, Env: []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}}
	default:
		t.Fatalf("%s: no such proxy", path)
	}
	_, port, _ := strings.Cut(replace["127.0.0.1:8443"], ":")
	if port == "" {
		port = strings.TrimPrefix(replace["localhost:8443"], "localhost:")
	}
	rig.WaitForPort(t, rig.Start(t, command), port)
}

// edge is an API behind a proxy, with an issuer and a client.
type edge struct {
	t         *testing.T
	issuer    *verifiertest.Issuer
	client    *verifiertest.DPoPClient
	bound     string // to the client's key
	authority *rig.Authority
	url       string // of the proxy, without a final slash
	api, stripped,
	auth *httptest.Server
}

// newEdge makes the servers behind a proxy; the proxy is started by the caller.
func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, issuer: verifiertest.NewIssuer(t), client: verifiertest.NewDPoPClient(t, nil, ""), authority: rig.NewAuthority(t)}
	e.bound = e.issuer.Sign(audience, map[string]any{"cnf": e.client.Confirmation()})
	e.url = "https://localhost:" + rig.FreePort(t)
	return e
}

func nonces(t *testing.T) verifier.NonceSource {
	t.Helper()
	source, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{[]byte(strings.Repeat("n", 32))}})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// serve starts an API that answers with what it was told.
func (e *edge) serve(change func(*verifier.Config)) *httptest.Server {
	e.t.Helper()
	cfg := e.issuer.Config(audience)
	change(&cfg)
	v, err := verifier.New(cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = v.Close() })
	h := verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, _ := verifier.TokenFromContext(r.Context())
		_, _ = fmt.Fprintf(w, "%s %s", t.Scheme, t.Subject)
	}))
	server := httptest.NewServer(h)
	e.t.Cleanup(server.Close)
	return server
}

// answers is what js/client.mjs and js/flow.mjs print.
type answers []struct {
	Status, Requests              int
	Challenge, Nonce, Body, Token string
}

// node sends requests by a library of npm, which has a key of its own.
func (e *edge) node(t *testing.T, js, library, method, url string, times int, headers map[string]string) answers {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := text(point[1:33]), text(point[33:])
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`)) // RFC 7638
	task, err := json.Marshal(map[string]any{
		"library": library, "url": url, "method": method, "times": times, "headers": headers,
		"token": e.issuer.Sign(audience, map[string]any{"sub": "alice", "cnf": map[string]any{"jkt": text(sum[:])}}),
		"jwk":   map[string]any{"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": text(private)},
	})
	if err != nil {
		t.Fatal(err)
	}
	out := rig.Run(t, time.Minute, rig.Command{Name: "node", Args: []string{"client.mjs"}, Dir: js, Stdin: string(task), Env: []string{"NODE_EXTRA_CA_CERTS=" + e.authority.File}})
	var got answers
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return got
}

// send sends a request of Go's client, which may show a certificate.
func (e *edge) send(t *testing.T, r *http.Request, certificate *rig.Certificate) (status int, header http.Header, body string) {
	t.Helper()
	config := &tls.Config{RootCAs: e.authority.Pool}
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.Certificate}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

func request(t *testing.T, method, url string, fields ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func TestProxies(t *testing.T) {
	js := rig.NPM(t, "js")
	for _, file := range files {
		path := filepath.Join("../../examples/proxies", file)
		set := settingsOf(t, path)
		t.Run(set.name, func(t *testing.T) {
			e := newEdge(t)
			server, mine, other := e.authority.Issue(t, "server"), e.authority.Issue(t, "client"), e.authority.Issue(t, "other")
			e.api = e.serve(func(cfg *verifier.Config) {
				cfg.TrustedProxies, cfg.ProxyFields = set.trusted, set.fields
				cfg.ClientCertificate, cfg.DPoP.Nonces = set.certificate, nonces(t)
			})
			e.stripped = e.serve(func(cfg *verifier.Config) {
				cfg.TrustedProxies, cfg.ExternalURL = set.trusted, e.url+"/stripped"
				cfg.ClientCertificate, cfg.DPoP.Nonces = set.certificate, nonces(t)
			})
			e.start(t, path, server)
			e.clients(t, js)
			e.hostile(t)
			e.certificates(t, mine, other, set.field)
		})
		t.Run(set.name+", TrustedProxies alone", func(t *testing.T) {
			e := newEdge(t)
			e.api = e.serve(func(cfg *verifier.Config) { cfg.TrustedProxies, cfg.DPoP.Nonces = set.trusted, nonces(t) })
			e.stripped = e.api
			e.start(t, path, e.authority.Issue(t, "server"))
			e.hostile(t)
		})
	}
}

// start starts the proxy in front of the APIs.
func (e *edge) start(t *testing.T, path string, server *rig.Certificate) {
	t.Helper()
	start(t, path, e.replacements(filepath.Base(path), server, map[string]string{
		"127.0.0.1:8080": e.api.Listener.Addr().String(), "127.0.0.1:8081": e.stripped.Listener.Addr().String(),
	}))
}

// replacements of the documented addresses and files.
func (e *edge) replacements(file string, server *rig.Certificate, more map[string]string) map[string]string {
	u, _ := url.Parse(e.url)
	replace := map[string]string{"127.0.0.1:8443": "127.0.0.1:" + u.Port(), "/etc/portcullis/clients.pem": e.authority.File}
	switch file {
	case "haproxy.cfg":
		replace["/etc/portcullis/server.both.pem"] = server.BothFile
	default:
		replace["/etc/portcullis/server.pem"], replace["/etc/portcullis/server.key"] = server.File, server.KeyFile
	}
	if file == "Caddyfile" {
		delete(replace, "127.0.0.1:8443")
		replace["localhost:8443"] = "localhost:" + u.Port()
	}
	for from, to := range more {
		replace[from] = to
	}
	return replace
}

// clients: the libraries get in with a nonce, and stay in.
func (e *edge) clients(t *testing.T, js string) {
	for _, library := range libraries {
		for name, path := range map[string]string{"direct": "/orders?a=1", "escaped path": "/a%2Fb/%C3%A9", "prefix stripped": "/stripped/orders"} {
			rig.Row(t, library+", "+name, func(t *testing.T) {
				got := e.node(t, js, library, "GET", e.url+path, 2, map[string]string{"X-Forwarded-For": "203.0.113.9"})
				if len(got) != 2 || got[0].Status != 200 || got[0].Requests != 2 || got[1].Status != 200 || got[1].Requests != 1 || got[1].Body != "DPoP alice" {
					t.Errorf("%+v; want 200 after a nonce, then 200 at once", got)
				}
			})
		}
	}
}

// hostile: a client does not choose the URL.
func (e *edge) hostile(t *testing.T) {
	nonce := func(t *testing.T) string {
		_, header, _ := e.send(t, request(t, "GET", e.url+"/orders", "Authorization", "DPoP "+e.bound, "DPoP", e.client.Proof("GET", e.url+"/orders", e.bound)), nil)
		return header.Get("DPoP-Nonce")
	}
	send := func(t *testing.T, htu string, fields ...string) (int, string) {
		proof := e.client.ProofWith("GET", htu, e.bound, nil, map[string]any{"nonce": nonce(t)})
		status, header, body := e.send(t, request(t, "GET", e.url+"/orders", append(fields, "Authorization", "DPoP "+e.bound, "DPoP", proof)...), nil)
		return status, header.Get("WWW-Authenticate") + body
	}
	evil := [][]string{
		{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https"},
		{"Forwarded", "for=127.0.0.1;proto=https;host=evil.example"},
		{"X-Forwarded-For", "127.0.0.1, 127.0.0.1", "X-Forwarded-Host", "evil.example, evil.example", "X-Forwarded-Proto", "https, https"},
	}
	for _, fields := range evil {
		rig.Row(t, "a client's "+fields[0]+": "+fields[1]+" is not believed", func(t *testing.T) {
			if status, text := send(t, "https://evil.example/orders", fields...); status != 401 || !strings.Contains(text, "another URL") {
				t.Errorf("proof for the client's host: %d %s; want 401", status, text)
			}
		})
		if strings.Contains(fields[1], ",") {
			continue // the walk goes past the client, which is as trusted here as the proxy
		}
		rig.Row(t, "a client's "+fields[0]+": "+fields[1]+" does no harm", func(t *testing.T) {
			if status, text := send(t, e.url+"/orders", fields...); status != 200 {
				t.Errorf("proof for the right URL: %d %s; want 200", status, text)
			}
		})
	}
}

// certificates: RFC 8705, Section 3.
func (e *edge) certificates(t *testing.T, mine, other *rig.Certificate, field string) {
	sum := sha256.Sum256(mine.Certificate.Certificate[0])
	token := "Bearer " + e.issuer.Sign(audience, map[string]any{"sub": "bob", "cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	leaf, err := x509.ParseCertificate(mine.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	forged := base64.StdEncoding.EncodeToString(leaf.Raw)
	for _, c := range []struct {
		name        string
		certificate *rig.Certificate
		url         string
		fields      []string
		status      int
	}{
		{"its own certificate", mine, e.url + "/orders", nil, 200},
		{"its own certificate, prefix stripped", mine, e.url + "/stripped/orders", nil, 200},
		{"another certificate", other, e.url + "/orders", nil, 401},
		{"no certificate", nil, e.url + "/orders", nil, 401},
		{"a certificate in the field alone", nil, e.url + "/orders", []string{field, forged}, 401},
	} {
		rig.Row(t, c.name, func(t *testing.T) {
			status, _, body := e.send(t, request(t, "GET", c.url, append(c.fields, "Authorization", token)...), c.certificate)
			if status != c.status {
				t.Errorf("%d %s; want %d", status, body, c.status)
			}
		})
	}
}
