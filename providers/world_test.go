package providers_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

var b64 = base64.RawURLEncoding

// object is a JSON object.
type object = map[string]any

// must is for what cannot fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is the internet of one test: a server that has every host of it, with
// certificates of an authority that its client trusts. http has a server of its own.
type world struct {
	secure, plain *httptest.Server
	roots         *x509.CertPool

	mu    sync.Mutex
	pages map[string]page // by "https://host/path?query"
	asked []string
}

// page is a document of the world.
type page struct {
	body   []byte
	header http.Header
	status int                       // 0: 200
	refuse func(r *http.Request) int // a status, or 0
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{pages: make(map[string]page), roots: x509.NewCertPool()}
	certify := newAuthority(w.roots)
	w.secure = httptest.NewUnstartedServer(w.handler("https"))
	// GetCertificate would not be asked by clients that name no host: httptest has a
	// certificate of its own for them.
	w.secure.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{GetCertificate: certify}, nil
	}}
	w.secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.secure.StartTLS()
	w.plain = httptest.NewServer(w.handler("http"))
	t.Cleanup(func() { w.secure.Close(); w.plain.Close() })
	return w
}

// newAuthority returns what makes a certificate for every host, and puts the one of
// the authority into roots.
func newAuthority(roots *x509.CertPool) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	rootKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the test"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, &rootKey.PublicKey, rootKey))))
	roots.AddCert(root)
	leafKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: to}
		if hello.ServerName == "" { // an address
			leaf.IPAddresses = []net.IP{net.ParseIP("10.96.0.1"), net.ParseIP("172.20.0.1")}
		} else {
			leaf.DNSNames = []string{hello.ServerName}
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, rootKey)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: leafKey}, err
	}
}

func (w *world) handler(scheme string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		url := scheme + "://" + strings.TrimSuffix(r.Host, ":443") + r.URL.RequestURI()
		w.mu.Lock()
		w.asked = append(w.asked, url)
		p, found := w.pages[url]
		w.mu.Unlock()
		switch {
		case !found:
			http.NotFound(rw, r)
			return
		case p.refuse != nil && p.refuse(r) != 0:
			rw.WriteHeader(p.refuse(r))
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		maps.Copy(rw.Header(), p.header)
		if p.status != 0 {
			rw.WriteHeader(p.status)
		}
		_, _ = rw.Write(p.body)
	})
}

// client reaches every host of the world, and no other one.
func (w *world) client() *http.Client {
	to := func(server *httptest.Server) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		}
	}
	dialPlain, dialSecure := to(w.plain), to(w.secure)
	return &http.Client{Transport: &http.Transport{
		DialContext: dialPlain,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := dialSecure(ctx, network, address)
			if err != nil {
				return nil, err
			}
			host, _, _ := net.SplitHostPort(address)
			conn := tls.Client(raw, &tls.Config{RootCAs: w.roots, ServerName: host})
			if err := conn.HandshakeContext(ctx); err != nil {
				_ = raw.Close()
				return nil, err
			}
			return conn, nil
		},
	}}
}

// requests returns how many requests for URLs with a part there were.
func (w *world) requests(part string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, url := range w.asked {
		if strings.Contains(url, part) {
			n++
		}
	}
	return n
}

// more changes a page.
type more func(*page)

func header(name, value string) more {
	return func(p *page) { p.header.Set(name, value) }
}

func status(code int) more { return func(p *page) { p.status = code } }

func unless(f func(*http.Request) int) more { return func(p *page) { p.refuse = f } }

// unauthorized refuses requests without credentials.
func unauthorized(r *http.Request) int {
	if r.Header.Get("Authorization") == "" {
		return http.StatusUnauthorized
	}
	return 0
}

// publish places a document. body is text or a value that becomes JSON.
func (w *world) publish(url string, body any, changes ...more) {
	p := page{header: make(http.Header)}
	switch b := body.(type) {
	case string:
		p.body = []byte(b)
	default:
		p.body = must(json.Marshal(b))
	}
	for _, change := range changes {
		change(&p)
	}
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[scheme+"://"+strings.ToLower(strings.TrimSuffix(host, ":443"))+"/"+path] = p
}

const wellKnown = "/.well-known/openid-configuration"

// issuer publishes metadata under a name, and the keys that it points to.
func (w *world) issuer(name, jwks string, keys ...object) {
	w.publish(strings.TrimSuffix(name, "/")+wellKnown, metadata(name, jwks))
	w.publish(jwks, keySet(keys...))
}

func metadata(issuer, jwks string) object {
	base := strings.TrimSuffix(issuer, "/")
	return object{
		"issuer": issuer, "jwks_uri": jwks, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
}

func keySet(keys ...object) object {
	if keys == nil {
		keys = []object{}
	}
	return object{"keys": keys}
}

// key signs tokens.
type key struct {
	id, alg string
	crypto.Signer
}

var (
	rsaKeysMu sync.Mutex
	rsaKeys   []*rsa.PrivateKey // made once: they are slow
)

func rsaKey(n int) *rsa.PrivateKey {
	rsaKeysMu.Lock()
	defer rsaKeysMu.Unlock()
	for len(rsaKeys) <= n {
		rsaKeys = append(rsaKeys, must(rsa.GenerateKey(rand.Reader, 2048)))
	}
	return rsaKeys[n]
}

// newKey returns a key; those for RSA are the same in all tests. See another.
func newKey(id, alg string) *key {
	k := &key{id: id, alg: alg}
	switch alg {
	case "ES256":
		k.Signer = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case "ES384":
		k.Signer = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "ES512":
		k.Signer = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		k.Signer = must(private, err)
	default:
		k.Signer = rsaKey(0)
	}
	return k
}

// another returns a second RSA key.
func another(id string) *key { return &key{id, "RS256", rsaKey(1)} }

// with returns an object with members on top of another one's; nil removes one.
func with(base, changes object) object {
	all := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(all, name)
		} else {
			all[name] = value
		}
	}
	return all
}

// jwk is the public key, with changes.
func (k *key) jwk(changes object) object {
	m := object{"kid": k.id, "use": "sig", "alg": k.alg}
	switch p := k.Public().(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64.EncodeToString(p.N.Bytes()), b64.EncodeToString(big.NewInt(int64(p.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(p.Bytes())[1:]
		m["kty"], m["crv"] = "EC", p.Curve.Params().Name
		m["x"], m["y"] = b64.EncodeToString(point[:len(point)/2]), b64.EncodeToString(point[len(point)/2:])
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64.EncodeToString(p)
	}
	return with(m, changes)
}

// sign makes a token: times are good, and what is given comes on top.
func (k *key) sign(header, payload object) sent {
	times := object{"iat": now() - 5, "exp": now() + 3600}
	return sent{key: k, header: with(object{"alg": k.alg, "kid": k.id}, header), payload: with(times, payload)}
}

// sent is a token of the world: one that a key signs, or raw text.
type sent struct {
	key             *key
	header, payload object
	raw             string
}

// text is the token as it is sent.
func (s sent) text() string {
	if s.key == nil {
		return s.raw
	}
	return s.key.seal(string(must(json.Marshal(s.header))), string(must(json.Marshal(s.payload))))
}

func (k *key) seal(header, payload string) string {
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	return input + "." + b64.EncodeToString(k.signature([]byte(input)))
}

func (k *key) signature(input []byte) []byte {
	if private, ok := k.Signer.(ed25519.PrivateKey); ok {
		return ed25519.Sign(private, input)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[k.alg[2:]]
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	if private, ok := k.Signer.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		r = must(r, err)
		size := (private.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	if strings.HasPrefix(k.alg, "PS") {
		return must(rsa.SignPSS(rand.Reader, k.Signer.(*rsa.PrivateKey), hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
	return must(rsa.SignPKCS1v15(rand.Reader, k.Signer.(*rsa.PrivateKey), hash, digest))
}

func now() int64 { return time.Now().Unix() }

func newRoots() *x509.CertPool { return x509.NewCertPool() }

func helloFor(name string) *tls.ClientHelloInfo { return &tls.ClientHelloInfo{ServerName: name} }
