package exchange_test

import (
	"bytes"
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
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// newKey returns a key that fits an algorithm.
func newKey(t *testing.T, algorithm string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch algorithm {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA", "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// remote is a crypto.Signer that shows nothing of its key's type, as hardware
// and remote ones do.
type remote struct{ crypto.Signer }

// TestSecrets: characters that mean something to the encodings arrive as they
// were (RFC 6749, Section 2.3.1).
func TestSecrets(t *testing.T) {
	pairs := [][2]string{{clientID, secret}, {"client:id", "p@ss:w%rd+ &=é"}, {"~*'()!", "%20"}}
	for _, pair := range pairs {
		issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
		for name, auth := range map[string]exchange.Auth{"basic": exchange.ClientSecretBasic(pair[1]), "post": exchange.ClientSecretPost(pair[1])} {
			if issuer.RequireClientSecretBasic(pair[0], pair[1]); name == "post" {
				issuer.RequireClientSecretPost(pair[0], pair[1])
			}
			c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.ClientID, cfg.Auth = pair[0], auth })
			if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
				t.Errorf("%s %q: %v", name, pair[0], err)
			}
			wrong := newClient(t, issuer, func(cfg *exchange.Config) {
				cfg.ClientID, cfg.Auth = pair[0], exchange.ClientSecretBasic(pair[1]+"x")
			})
			_, err := wrong.ExchangeProfile(t.Context(), profile("subject-token"))
			wantedAnswer{401, "invalid_client", exchange.ErrRefused}.check(t, name+" with a wrong secret", err)
		}
	}
}

// TestPrivateKeyJWT: the issuer verifies the assertion: signature, audience,
// lifetime and that it is new (RFC 7523, Section 3).
func TestPrivateKeyJWT(t *testing.T) {
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			key := newKey(t, alg)
			issuer := verifiertest.NewIssuer(t)
			issuer.RequirePrivateKeyJWT(clientID, key.Public(), alg)
			c := newClient(t, issuer, func(cfg *exchange.Config) {
				cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: remote{key}, Algorithm: alg, KeyID: "k1"})
			})
			for range 3 { // each has an assertion of its own
				if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
					t.Fatal(err)
				}
			}
			other := newClient(t, issuer, func(cfg *exchange.Config) {
				cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: newKey(t, alg), Algorithm: alg})
			})
			_, err := other.ExchangeProfile(t.Context(), profile("subject-token"))
			wantedAnswer{401, "invalid_client", exchange.ErrRefused}.check(t, "another key", err)
		})
	}
}

// assertion returns the header and claims of the assertion that was sent.
func assertion(t *testing.T, sent verifiertest.Exchange) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(sent.Form.Get("client_assertion"), ".")
	for i, to := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, to); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestAssertion(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	key := newKey(t, "ES256")
	now := float64(clock.Now().Unix())
	tests := []struct {
		cfg           exchange.PrivateKeyJWTConfig
		typ, kid, aud any
		life          float64
	}{
		{exchange.PrivateKeyJWTConfig{}, "JWT", nil, issuer.URL(), 60},
		{exchange.PrivateKeyJWTConfig{KeyID: "k", Type: "client-authentication+jwt", Lifetime: 2 * time.Minute, TokenEndpointAudience: true},
			"client-authentication+jwt", "k", issuer.URL() + "oauth/token", 120},
	}
	seen := make(map[any]bool)
	for i, test := range tests {
		test.cfg.Key = key
		c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.Clock, cfg.Auth = clock, exchange.PrivateKeyJWT(test.cfg) })
		if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Fatal(err)
		}
		header, claims := assertion(t, issuer.Exchanges()[i])
		if header["alg"] != "ES256" || header["typ"] != test.typ || header["kid"] != test.kid {
			t.Errorf("header %v", header)
		}
		if claims["aud"] != test.aud || claims["iss"] != clientID || claims["sub"] != clientID || claims["iat"] != now || claims["exp"] != now+test.life || seen[claims["jti"]] {
			t.Errorf("claims %v", claims)
		}
		seen[claims["jti"]] = true
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []exchange.PrivateKeyJWTConfig{
		{Key: nil}, {Key: small}, {Key: p224}, {Key: newKey(t, "ES256"), Algorithm: "ES384"}, {Key: newKey(t, "ES256"), Algorithm: "RS256"},
		{Key: newKey(t, "RS256"), Algorithm: "ES256"}, {Key: newKey(t, "RS256"), Algorithm: "HS256"}, {Key: newKey(t, "RS256"), Algorithm: "none"},
		{Key: newKey(t, "EdDSA"), Algorithm: "RS256"}, {Key: newKey(t, "ES256"), Lifetime: time.Hour}, {Key: newKey(t, "ES256"), Lifetime: -1},
		{Key: strange{}}, {Key: newKey(t, "EdDSA"), Algorithm: "ES256"},
		{Key: (*rsa.PrivateKey)(nil)}, {Key: (*ecdsa.PrivateKey)(nil)}, {Key: (*ecdsa.PrivateKey)(nil), Algorithm: "ES256"}, {Key: ed25519.PrivateKey(nil)},
	}
	// Halves of public keys, and points that are not on their curve.
	onAnother := func(algorithm string, curve elliptic.Curve) *ecdsa.PublicKey {
		public := *newKey(t, algorithm).Public().(*ecdsa.PublicKey)
		public.Curve = curve
		return &public
	}
	for _, public := range []crypto.PublicKey{
		nil, (*rsa.PublicKey)(nil), &rsa.PublicKey{}, (*ecdsa.PublicKey)(nil), &ecdsa.PublicKey{}, &ecdsa.PublicKey{Curve: elliptic.P256()},
		onAnother("ES256", elliptic.P384()), onAnother("ES512", elliptic.P256()),
		ed25519.PublicKey(nil), make(ed25519.PublicKey, 31), make(ed25519.PublicKey, 33),
	} {
		tests = append(tests, exchange.PrivateKeyJWTConfig{Key: half{strange{}, public}})
	}
	for i, cfg := range tests {
		_, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.PrivateKeyJWT(cfg)})
		var e *exchange.ConfigError
		if !errors.As(err, &e) || e.Field != "Auth" {
			t.Errorf("%d: New() = %v; want a ConfigError of Auth", i, err)
		}
		if cfg.Lifetime != 0 {
			continue
		}
		_, err = exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret), DPoPKey: cfg.Key, DPoPAlgorithm: cfg.Algorithm})
		if (err == nil) != (cfg.Key == nil && cfg.Algorithm == "") || err != nil && !errors.Is(err, exchange.ErrConfig) {
			t.Errorf("%d: New() = %v; want a ConfigError of DPoPKey", i, err)
		}
		// A key that comes later is a credential that is not there.
		source := answering(200, `{"access_token":"t"}`)
		_, err = source.client(t, func(c *exchange.Config) {
			c.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: func(context.Context) (exchange.SigningKey, error) {
				return exchange.SigningKey{Key: cfg.Key, Algorithm: cfg.Algorithm}, nil
			}})
		}).ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{503, "client_authentication_error", exchange.ErrCredentials}.check(t, fmt.Sprint("source, ", i), err)
		if source.count() != 0 {
			t.Errorf("%d: %d requests without a signature", i, source.count())
		}
	}
}

// half has a public key of somebody else's choice.
type half struct {
	crypto.Signer
	public crypto.PublicKey
}

func (h half) Public() crypto.PublicKey { return h.public }

// TestAlgorithms: what a key signs with when nothing is said, and what it is told to.
func TestAlgorithms(t *testing.T) {
	sent := make(chan http.Header, 1)
	e := &endpoint{answer: func(form url.Values, header http.Header) (int, http.Header, string) {
		sent <- http.Header{"Assertion": form["client_assertion"], "Proof": header["Dpop"]}
		return 200, nil, `{"access_token":"t","token_type":"DPoP"}`
	}}
	for _, c := range []struct{ key, algorithm, assertion, proof string }{
		{"RS256", "", "RS256", "PS256"}, {"RS256", "RS256", "RS256", "RS256"}, {"RS256", "PS512", "PS512", "PS512"}, {"ES256", "", "ES256", "ES256"}, {"ES384", "", "ES384", "ES384"},
		{"EdDSA", "", "EdDSA", "EdDSA"}, {"EdDSA", "Ed25519", "Ed25519", "Ed25519"}, {"EdDSA", "EdDSA", "EdDSA", "EdDSA"},
	} {
		key := newKey(t, c.key)
		client := e.client(t, func(cfg *exchange.Config) {
			cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key, Algorithm: c.algorithm, Lifetime: 5 * time.Minute})
			cfg.DPoPKey, cfg.DPoPAlgorithm = key, c.algorithm
		})
		if _, err := client.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		got := <-sent
		for name, want := range map[string]string{"Assertion": c.assertion, "Proof": c.proof} {
			header, claims := assertion(t, verifiertest.Exchange{Form: url.Values{"client_assertion": got[name]}})
			if header["alg"] != want {
				t.Errorf("%v: %s has algorithm %v; want %s", c, name, header["alg"], want)
			}
			if issued, _ := claims["iat"].(float64); name == "Assertion" && claims["exp"] != issued+300 {
				t.Errorf("%v: an assertion from %v to %v; want 5 minutes", c, claims["iat"], claims["exp"])
			}
		}
	}
}

// strange is a key of an unknown type.
type strange struct{}

func (strange) Public() crypto.PublicKey { return "key" }
func (strange) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("strange")
}

// broken has a good public key and returns what it is told to.
type broken struct {
	crypto.Signer
	signature []byte
	err       error
}

func (b broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return b.signature, b.err
}

func TestSignerFails(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	key := newKey(t, "ES256")
	for name, b := range map[string]broken{
		"error":    {key, nil, errors.New("upstream-body-marker")},
		"not DER":  {key, []byte("xxxx"), nil},
		"negative": {key, []byte{0x30, 6, 2, 1, 0xff, 2, 1, 1}, nil},
		"too long": {key, append([]byte{0x30, 0x29, 2, 0x24, 1}, append(make([]byte, 35), 2, 1, 1)...), nil},
		"more":     {key, []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}, nil},
		"zero R":   {key, []byte{0x30, 6, 2, 1, 0, 2, 1, 1}, nil},
		"zero S":   {key, []byte{0x30, 6, 2, 1, 1, 2, 1, 0}, nil},
		"S below":  {key, []byte{0x30, 6, 2, 1, 1, 2, 1, 0xff}, nil},
		"S long":   {key, append([]byte{0x30, 0x29, 2, 1, 1, 2, 0x24, 1}, make([]byte, 35)...), nil},
		"R a bit":  {key, append([]byte{0x30, 0x26, 2, 0x21, 1}, append(make([]byte, 32), 2, 1, 1)...), nil},
		"S a bit":  {key, append([]byte{0x30, 0x26, 2, 1, 1, 2, 0x21, 1}, make([]byte, 32)...), nil},
	} {
		for field, change := range map[string]func(*exchange.Config){
			"assertion": func(cfg *exchange.Config) {
				cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: b})
			},
			"proof": func(cfg *exchange.Config) { cfg.DPoPKey = b },
		} {
			_, err := e.client(t, change).ExchangeProfile(t.Context(), profile("subject-token"))
			wantedAnswer{503, "client_authentication_error", exchange.ErrCredentials}.check(t, name+" of "+field, err)
			if b.err != nil && !errors.Is(err, b.err) {
				t.Errorf("%s of %s: %v does not match the key's own error", name, field, err)
			}
		}
	}
	if e.count() != 0 {
		t.Errorf("%d requests without a signature", e.count())
	}
	// Halves are as long as the key, however short their numbers are.
	largest := append([]byte{2, 0x21, 0}, bytes.Repeat([]byte{0xff}, 32)...)
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"longest":  {append([]byte{0x30, 0x46}, append(largest, largest...)...), strings.Repeat("ff", 64)},
		"shortest": {[]byte{0x30, 6, 2, 1, 1, 2, 1, 2}, strings.Repeat("00", 31) + "01" + strings.Repeat("00", 31) + "02"},
	} {
		var sent string
		e := &endpoint{answer: func(form url.Values, _ http.Header) (int, http.Header, string) {
			sent = form.Get("client_assertion")
			return 200, nil, `{"access_token":"t"}`
		}}
		_, err := e.client(t, func(cfg *exchange.Config) {
			cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: broken{key, c.der, nil}})
		}).ExchangeProfile(t.Context(), profile("subject-token"))
		signature, _ := base64.RawURLEncoding.DecodeString(sent[strings.LastIndexByte(sent, '.')+1:])
		if err != nil || hex.EncodeToString(signature) != c.want {
			t.Errorf("%s: signature %x, %v; want %s", name, signature, err, c.want)
		}
	}
}

// authority issues client certificates.
type authority struct {
	key  crypto.Signer
	root *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t, "ES256")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

func (a *authority) issue(t *testing.T, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key := newKey(t, "ES256")
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: clientID}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestMutualTLS: the issuer verifies the certificate of the connection, at the
// alias endpoint that its metadata names (RFC 8705, Sections 2.1 and 5).
func TestMutualTLS(t *testing.T) {
	clients := newAuthority(t)
	issuer := verifiertest.NewIssuer(t)
	issuer.RequireClientCertificate(clientID, clients.pool())
	with := func(certificate tls.Certificate) *exchange.Client {
		return newClient(t, issuer, func(cfg *exchange.Config) {
			cfg.Auth = exchange.MutualTLS()
			cfg.Doer = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
				RootCAs: verifiertest.RootCAs(t, issuer), Certificates: []tls.Certificate{certificate},
			}}}
		})
	}
	if _, err := with(clients.issue(t, x509.ExtKeyUsageClientAuth)).ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
		t.Errorf("good certificate: %v", err)
	}
	sent := issuer.Exchanges()[0]
	if sent.Form.Get("client_id") != clientID || sent.Header.Get("Authorization") != "" || sent.Form.Has("client_secret") {
		t.Errorf("sent %v", sent.Form)
	}
	for name, certificate := range map[string]tls.Certificate{
		"another authority": newAuthority(t).issue(t, x509.ExtKeyUsageClientAuth),
		"for servers":       clients.issue(t, x509.ExtKeyUsageServerAuth),
	} {
		_, err := with(certificate).ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{401, "invalid_client", exchange.ErrRefused}.check(t, name, err)
	}
	// Other methods stay away from the alias, where this one is needed.
	c := newClient(t, issuer, nil)
	_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{401, "invalid_client", exchange.ErrRefused}.check(t, "secret", err)
	// A Doer of the user's own has the certificate in it, as far as we know.
	if _, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.MutualTLS(), Doer: answering(200, "")}); err != nil {
		t.Error(err)
	}
	// That of an *http.Client can be looked at.
	certificate := clients.issue(t, x509.ExtKeyUsageClientAuth)
	over := func(cfg *tls.Config) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
	}
	for name, test := range map[string]struct {
		doer *http.Client
		want bool
	}{
		"nil": {nil, false}, "none": {&http.Client{}, false}, "no TLS": {over(nil), false}, "no certificate": {over(&tls.Config{}), false}, "no certificates": {over(&tls.Config{Certificates: []tls.Certificate{}}), false},
		"a certificate": {over(&tls.Config{Certificates: []tls.Certificate{certificate}}), true},
		"a function":    {over(&tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }}), true},
		"not known":     {&http.Client{Transport: &downstreamAPI{}}, true},
	} {
		_, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.MutualTLS(), Doer: test.doer})
		var e *exchange.ConfigError
		if (err == nil) != test.want || err != nil && (!errors.As(err, &e) || e.Field != "Doer") {
			t.Errorf("%s: New() = %v; want it made: %v", name, err, test.want)
		}
	}
}

// TestDPoP: the issuer verifies the proof (RFC 9449, Section 5) and asks for a
// nonce, which is sent once and kept for the next request (Section 8).
func TestDPoP(t *testing.T) {
	for _, alg := range []string{"ES256", "EdDSA", "PS256"} {
		issuer := verifiertest.NewIssuer(t)
		issuer.RequireDPoP("as-nonce-1")
		assertionKey := newKey(t, "ES256")
		issuer.RequirePrivateKeyJWT(clientID, assertionKey.Public(), "ES256")
		c := newClient(t, issuer, func(cfg *exchange.Config) {
			cfg.DPoPKey = newKey(t, alg)
			cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: assertionKey})
		})
		token, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: "subject-token", Audience: backend})
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if token.TokenType != "DPoP" {
			t.Errorf("%s: token type %q", alg, token.TokenType)
		}
		if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if got := issuer.Requests().Token; got != 3 {
			t.Errorf("%s: %d token requests; want 2 and 1 for the nonce", alg, got)
		}
		// The nonce of the issuer is nobody else's (Section 9).
		proof, err := c.Proof("GET", "https://backend.example/x?y#z", token, "")
		if err != nil {
			t.Fatal(err)
		}
		_, claims := assertion(t, verifiertest.Exchange{Form: url.Values{"client_assertion": {proof}}})
		if claims["nonce"] != nil || claims["htu"] != "https://backend.example/x" || claims["htm"] != "GET" || claims["ath"] == nil {
			t.Errorf("%s: proof for an API: %v", alg, claims)
		}
		proof, err = c.Proof("GET", "https://backend.example/x", token, "rs-nonce")
		if err != nil {
			t.Fatal(err)
		}
		if _, claims := assertion(t, verifiertest.Exchange{Form: url.Values{"client_assertion": {proof}}}); claims["nonce"] != "rs-nonce" {
			t.Errorf("%s: nonce %v", alg, claims["nonce"])
		}
		if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Errorf("%s, after the API's nonce: %v", alg, err)
		}
	}
}

func TestDPoPProblems(t *testing.T) {
	key := newKey(t, "ES256")
	bound := func(cfg *exchange.Config) { cfg.DPoPKey = key }
	c := answering(200, `{"access_token":"t","token_type":"Bearer"}`).client(t, bound)
	if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); !errors.Is(err, exchange.ErrTokenType) {
		t.Errorf("a token that is not bound: %v; want ErrTokenType", err)
	}
	// A new nonce with each refusal does not make an endless loop, and a nonce
	// that cannot be sent is not taken.
	for nonce, calls := range map[string]int{"n1": 2, "with space": 1, "": 1, `quo"te`: 1, strings.Repeat("n", 513): 1} {
		e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
			return 400, http.Header{"Content-Type": {"application/json"}, "Dpop-Nonce": {nonce}}, `{"error":"use_dpop_nonce"}`
		}}
		_, err := e.client(t, bound).ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{400, "use_dpop_nonce", exchange.ErrRefused}.check(t, "nonce", err)
		if e.count() != calls {
			t.Errorf("nonce %.20q: %d requests; want %d", nonce, e.count(), calls)
		}
	}
	// Two nonces are none (RFC 9449, Section 8.1); without a key nothing is repeated.
	two := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		return 400, http.Header{"Content-Type": {"application/json"}, "Dpop-Nonce": {"a", "b"}}, `{"error":"use_dpop_nonce"}`
	}}
	_, _ = two.client(t, bound).ExchangeProfile(t.Context(), profile("subject-token"))
	plain := two.client(t, nil)
	_, _ = plain.ExchangeProfile(t.Context(), profile("subject-token"))
	if two.count() != 2 {
		t.Errorf("%d requests; want 2", two.count())
	}
	one := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		return 400, http.Header{"Content-Type": {"application/json"}, "Dpop-Nonce": {"a"}}, `{"error":"use_dpop_nonce"}`
	}}
	_, _ = one.client(t, nil).ExchangeProfile(t.Context(), profile("subject-token"))
	if one.count() != 1 {
		t.Errorf("without a key: %d requests; want 1", one.count())
	}
	// Nor is what was refused for another reason, whatever nonce is with it.
	one.answer = func(url.Values, http.Header) (int, http.Header, string) {
		return 400, http.Header{"Content-Type": {"application/json"}, "Dpop-Nonce": {"a"}}, `{"error":"invalid_grant"}`
	}
	_, _ = one.client(t, bound).ExchangeProfile(t.Context(), profile("subject-token"))
	if one.count() != 2 {
		t.Errorf("for another reason: %d requests; want 1", one.count()-1)
	}
	token := &exchange.Token{AccessToken: "t"}
	if _, err := plain.Proof("GET", "https://backend.example/", token, ""); !errors.Is(err, exchange.ErrArgument) {
		t.Errorf("a proof without key: %v; want ErrArgument", err)
	}
	if _, err := c.Proof("", "https://backend.example/", token, ""); !errors.Is(err, exchange.ErrArgument) {
		t.Errorf("a proof without method: %v; want ErrArgument", err)
	}
	if _, err := c.Proof("GET", "https://backend.example/", nil, ""); !errors.Is(err, exchange.ErrArgument) {
		t.Errorf("a proof without token: %v; want ErrArgument", err)
	}
	if _, err := c.Proof("GET", "http://localhost/", token, ""); err != nil {
		t.Errorf("a proof for http: %v", err)
	}
	for _, target := range []string{"", "/x", "ftp://x/", "https://", "https://a\x00b/"} {
		if _, err := c.Proof("GET", target, token, ""); !errors.Is(err, exchange.ErrArgument) {
			t.Errorf("Proof(%q) = %v; want ErrArgument", target, err)
		}
	}
	for _, change := range []func(*exchange.Config){
		func(cfg *exchange.Config) { cfg.DPoPKey, cfg.DPoPAlgorithm = key, "ES512" },
		func(cfg *exchange.Config) { cfg.DPoPKey = strange{} },
	} {
		cfg := exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret)}
		change(&cfg)
		if _, err := exchange.New(cfg); !errors.Is(err, exchange.ErrConfig) {
			t.Errorf("New() = %v; want ErrConfig", err)
		}
	}
}

// TestEndpointAlias: the alias is for certificates; other ways of
// authentication stay at the ordinary endpoint.
func TestEndpointAlias(t *testing.T) {
	const alias = "https://mtls.tenant.example/oauth/token"
	for want, auth := range map[string]exchange.Auth{tokenURL: exchange.ClientSecretBasic(secret), alias: exchange.MutualTLS()} {
		got := ""
		e := answering(200, `{"access_token":"t"}`)
		c := e.client(t, func(cfg *exchange.Config) {
			cfg.Auth = auth
			cfg.Metadata = metadataFunc(func(context.Context, string) (verifier.Metadata, error) {
				return verifier.Metadata{Issuer: "https://tenant.example/", TokenEndpoint: tokenURL, MTLSTokenEndpoint: alias}, nil
			})
			cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				got = r.URL.String()
				return e.Do(r)
			})
		})
		if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("sent to %s; want %s", got, want)
		}
	}
}
