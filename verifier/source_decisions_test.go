package verifier_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestNamesOfSources: which fields and cookies can have a token.
func TestNamesOfSources(t *testing.T) {
	w := newFuzzWorld(t, nil)
	for _, c := range []struct {
		source verifier.TokenSource
		good   bool
	}{
		{verifier.TokenSource{Header: "X-Token"}, true}, {verifier.TokenSource{Header: "!#$%&'*+-.^_`|~09azAZ"}, true}, {verifier.TokenSource{Cookie: "__Host-token"}, true}, {verifier.TokenSource{}, true},
		{verifier.TokenSource{Header: "DPoP"}, false}, {verifier.TokenSource{Header: "Authorization"}, false}, {verifier.TokenSource{Header: "cookie"}, false},
		{verifier.TokenSource{Header: "X\x7f"}, false}, {verifier.TokenSource{Header: "X\u00e9"}, false}, {verifier.TokenSource{Header: "X "}, false}, {verifier.TokenSource{Header: "X\x1f"}, false},
		{verifier.TokenSource{Header: "X:"}, false}, {verifier.TokenSource{Cookie: "X="}, false}, {verifier.TokenSource{Cookie: "X\x7f"}, false}, {verifier.TokenSource{Header: "X", Cookie: "Y"}, false},
	} {
		h := verifier.Middleware(w.v, verifier.MiddlewareConfig{Source: c.source})(http.NotFoundHandler())
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, fuzzURL, nil))
		if want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusInternalServerError}[c.good]; rec.Code != want {
			t.Errorf("%+q, %+q: %d; want %d", c.source.Header, c.source.Cookie, rec.Code, want)
		}
	}
}

// TestTokenOfTheSourceIsTheOnePassedOn: not what the client wrote elsewhere. All
// other fields are where they were.
func TestTokenOfTheSourceIsTheOnePassedOn(t *testing.T) {
	var tenant []string
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		issuer := cfg.Issuers[0]
		cfg.Issuers, cfg.Domains = nil, onlyIssuers(func(_ context.Context, req verifier.ResolveRequest) (*verifier.Issuer, error) {
			tenant = append(tenant, req.Header().Get("X-Tenant"))
			return &issuer, nil
		})
	})
	good, other := w.token(fuzzHeader, fuzzClaims), w.token(fuzzHeader, change(t, fuzzClaims, `"sub":"s"`, `"sub":"other"`))
	for name, source := range map[string]verifier.TokenSource{"header": {Header: "X-Token"}, "cookie": {Cookie: "token"}, "": {}} {
		tenant = nil
		passed := ""
		h := verifier.Middleware(w.v, verifier.MiddlewareConfig{Source: source})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed, _ = verifier.AccessTokenFromContext(r.Context())
		}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fuzzURL, nil)
		r.Header = http.Header{"X-Tenant": {"one"}, "Authorization": {"Bearer " + other}}
		want := other
		switch name {
		case "header":
			r.Header.Set("X-Token", good)
			want = good
		case "cookie":
			r.Header.Set("Cookie", "token="+good)
			want = good
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if passed != want || len(tenant) != 1 || tenant[0] != "one" {
			t.Errorf("source %q: passed on is %.40q, the resolver saw %q", name, passed, tenant)
		}
	}
}

// TestResolverBehindAProxyThatIsAtFault: what the proxy wrote cannot be read, and
// no resolver decides by the rest.
func TestResolverBehindAProxyThatIsAtFault(t *testing.T) {
	r := &looking{domains: []string{"tenant.example.com"}}
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.Domains, cfg.TrustedProxies = r, proxies })
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fuzzURL, nil)
	req.RemoteAddr = proxies[0].Addr().String() + ":1"
	req.Header = http.Header{"Authorization": {"Bearer " + w.token(fuzzHeader, fuzzClaims)}, "X-Forwarded-Proto": {"ftp"}}
	if _, err := w.v.VerifyHTTPRequest(req); reasonOf(t, err) != reason.ForwardedMalformed || len(r.asked) != 1 {
		t.Errorf("VerifyHTTPRequest = %v after %d questions; want %q", err, len(r.asked), reason.ForwardedMalformed)
	}
}

// TestKeysThatCannotDecrypt: the configuration is refused, for the reason that it
// is wrong for.
func TestKeysThatCannotDecrypt(t *testing.T) {
	remote := remoteKey(func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("down") })
	var many []verifier.DecryptionKey
	for i := range 17 {
		many = append(many, verifier.DecryptionKey{ID: fmt.Sprint(i), Decrypter: remote})
	}
	scalar := newFuzzWorld(t, nil).client
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		keys []verifier.DecryptionKey
		want string
	}{
		"sixteen":              {many[:16], ""},
		"seventeen":            {many, "more than 16"},
		"an EC key":            {[]verifier.DecryptionKey{{Private: scalar}}, ""},
		"an EC key and remote": {[]verifier.DecryptionKey{{Private: scalar, Decrypter: remote}}, "both Private and Decrypter"},
		"an EC key of P-224":   {[]verifier.DecryptionKey{{Private: small}}, "P-256"},
		"no EC key":            {[]verifier.DecryptionKey{{Private: (*ecdsa.PrivateKey)(nil)}}, "P-256"},
		"an EC key of nothing": {[]verifier.DecryptionKey{{Private: &ecdsa.PrivateKey{}}}, "P-256"},
		"no RSA key":           {[]verifier.DecryptionKey{{Private: (*rsa.PrivateKey)(nil)}}, "2048"},
		"an RSA key of none":   {[]verifier.DecryptionKey{{Private: &rsa.PrivateKey{}}}, "2048"},
	} {
		v, err := verifier.New(verifier.Config{Domain: officeName, Audience: tokensAPI, Decryption: verifier.DecryptionConfig{Keys: test.keys}})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: New = %v; want an error about %q", name, err, test.want)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}

// TestWhatBeginsLikeAJWTIsNotShown, whatever white space stands in front.
func TestWhatBeginsLikeAJWTIsNotShown(t *testing.T) {
	d := &desk{}
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Clock = verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) })
		cfg.Issuers[0].Opaque = verifier.OpaqueTokens{Introspector: d}
	})
	for _, space := range []string{"", " ", "\n", "\t", "\r", "\r\n "} {
		if _, err := w.v.VerifyAccessToken(t.Context(), w.token(space+fuzzHeader, fuzzClaims)); err != nil {
			t.Errorf("%q: %v", space, err)
		}
		if _, err := w.v.VerifyAccessToken(t.Context(), b64([]byte(space+fuzzHeader))+".x"); reasonOf(t, err) != reason.TokenMalformed {
			t.Errorf("%q, in two parts: %v", space, err)
		}
	}
	if d.count() > 0 {
		t.Errorf("a JWT was shown %d times", d.count())
	}
	for _, opaque := range []string{"x{\"alg\"", "[", "\v{", "\x00"} {
		d.asked = nil
		if _, err := w.v.VerifyAccessToken(t.Context(), b64([]byte(opaque+"xx"))+".x.y"); reasonOf(t, err) != reason.TokenInactive || d.count() != 1 {
			t.Errorf("%q: %v, shown %d times; want once", opaque, err, d.count())
		}
	}
}

// TestCertificateOfAProxyThatForwardsNone: without Config.ClientCertificate that of
// the connection counts, from whomever it is.
func TestCertificateOfAProxyThatForwardsNone(t *testing.T) {
	w := newFuzzWorld(t, trust)
	certificate := &x509.Certificate{Raw: []byte("certificate")}
	sum := sha256.Sum256(certificate.Raw)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fuzzURL, nil)
	r.RemoteAddr = proxies[0].Addr().String() + ":1"
	r.Header.Set("Authorization", "Bearer "+w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, `"cnf":{"x5t#S256":"`+b64(sum[:])+`"},"sub"`)))
	for _, c := range []struct {
		state *tls.ConnectionState
		want  verifier.Reason
	}{{nil, reason.CertificateMissing}, {&tls.ConnectionState{}, reason.CertificateMissing}, {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}, ""}} {
		r.TLS = c.state
		if _, err := w.v.VerifyHTTPRequest(r); reasonOf(t, err) != c.want {
			t.Errorf("%v: %v; want %q", c.state != nil, err, c.want)
		}
	}
}

// TestAlgorithmsOfDecryption are exact names of supported ones.
func TestAlgorithmsOfDecryption(t *testing.T) {
	for name, good := range map[string]bool{"RSA-OAEP": true, "ECDH-ES": true, "rsa-oaep": false, "RSA1_5": false, "": false} {
		v, err := verifier.New(verifier.Config{Domain: officeName, Audience: tokensAPI, Decryption: verifier.DecryptionConfig{
			Keys: []verifier.DecryptionKey{{ID: "k", Private: tokensKey}}, Algorithms: []string{name},
		}})
		if (err == nil) != good {
			t.Errorf("%q: New = %v; want an error: %v", name, err, !good)
		}
		if v != nil {
			_ = v.Close()
		}
	}
}
