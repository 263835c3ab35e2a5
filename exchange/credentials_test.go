package exchange_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// constant is a Credential that does not change.
func constant(text string) exchange.Credential {
	return func(context.Context) (string, error) { return text, nil }
}

// replace writes a file as those who rotate credentials do: beside it, and then
// renamed.
func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestSecretsThatChange: of a file and of a function, without a new Client.
func TestSecretsThatChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	current := "first"
	for name, auth := range map[string]exchange.Auth{
		"basic, file":     exchange.ClientSecretBasicFrom(exchange.CredentialFile(path)),
		"post, file":      exchange.ClientSecretPostFrom(exchange.CredentialFile(path)),
		"basic, function": exchange.ClientSecretBasicFrom(func(context.Context) (string, error) { return current, nil }),
		"post, function":  exchange.ClientSecretPostFrom(func(context.Context) (string, error) { return current, nil }),
	} {
		issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
		replace(t, path, []byte("first\n"))
		current = "first"
		c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.Auth = auth })
		for _, now := range []string{"first", "other", "third"} { // of one length
			if issuer.RequireClientSecretBasic(clientID, now); strings.HasPrefix(name, "post") {
				issuer.RequireClientSecretPost(clientID, now)
			}
			replace(t, path, []byte("  "+now+"\n"))
			current = now
			if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
				t.Errorf("%s, %s: %v", name, now, err)
			}
		}
	}
}

// TestFilesInPlaceOfOthers: a file that is put in the place of another one counts,
// although both have the same size and time.
func TestFilesInPlaceOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	old := time.Now().Add(-time.Hour)
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
	var c *exchange.Client
	for _, now := range []string{"first", "other"} {
		if err := os.WriteFile(path+".new", []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chtimes(path+".new", old, old), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		if c == nil {
			c = newClient(t, issuer, func(cfg *exchange.Config) {
				cfg.Auth = exchange.ClientSecretBasicFrom(exchange.CredentialFile(path))
			})
		}
		issuer.RequireClientSecretBasic(clientID, now)
		if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Errorf("%s: %v", now, err)
		}
	}
}

// TestKeysThatChange: private_key_jwt with a key in a file that is rotated.
func TestKeysThatChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
		c := newClient(t, issuer, func(cfg *exchange.Config) {
			cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: exchange.SigningKeyFile(path)})
		})
		seen := make(map[any]bool)
		for range 2 {
			key := newKey(t, alg)
			replace(t, path, keyPEM(t, key))
			issuer.RequirePrivateKeyJWT(clientID, key.Public(), alg)
			if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			exchanges := issuer.Exchanges()
			header, _ := assertion(t, exchanges[len(exchanges)-1])
			if kid, _ := header["kid"].(string); len(kid) != 43 || seen[kid] {
				t.Errorf("%s: kid %q; want the thumbprint of the new key", alg, kid)
			}
			seen[header["kid"]] = true
		}
	}
}

func keyPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestFormsOfKeyFiles(t *testing.T) {
	ec := newKey(t, "ES256").(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"SEC 1":                  {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), true},
		"SEC 1 after parameters": {append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...), true},
		"nothing":                {nil, false},
		"no PEM":                 {[]byte("secret-looking text"), false},
		"half a file":            {keyPEM(t, ec)[:100], false},
		"too long":               {append(keyPEM(t, ec), make([]byte, 70<<10)...), false},
	} {
		path := filepath.Join(t.TempDir(), "key.pem")
		replace(t, path, c.data)
		key, err := exchange.SigningKeyFile(path)(t.Context())
		if (err == nil) != c.want || err == nil && !ec.PublicKey.Equal(key.Key.Public()) {
			t.Errorf("%s: %v; want it taken: %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the file: %v", name, err)
		}
	}
}

// TestAssertionsOfOthers: a token of a workload, as it is in a file that is kept
// up to date (RFC 7523, Section 2.2).
func TestAssertionsOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var forms []url.Values
	e := &endpoint{}
	for kind, want := range map[string]string{"": exchange.AssertionJWT, "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe": "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"} {
		e.answer = func(form url.Values, _ http.Header) (int, http.Header, string) {
			forms = append(forms, form)
			return 200, nil, `{"access_token":"t"}`
		}
		forms = nil
		replace(t, path, []byte("a.b.c\n"))
		c := e.client(t, func(cfg *exchange.Config) { cfg.Auth = exchange.ClientAssertion(exchange.CredentialFile(path), kind) })
		for _, current := range []string{"a.b.c", "d.e.f"} {
			replace(t, path, []byte(current+"\n"))
			if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
				t.Fatal(err)
			}
			form := forms[len(forms)-1]
			if form.Get("client_assertion") != current || form.Get("client_assertion_type") != want || form.Get("client_id") != clientID || form.Has("client_secret") {
				t.Errorf("sent %v; want the assertion %s of type %s", form, current, want)
			}
		}
	}
}

// TestCredentialsThatAreNotThere: nothing is sent, and nothing of them is said.
func TestCredentialsThatAreNotThere(t *testing.T) {
	boom := errors.New(marker)
	hang := make(chan struct{})
	defer close(hang)
	failing := map[string]exchange.Credential{
		"no file":  exchange.CredentialFile(filepath.Join(t.TempDir(), "absent")),
		"error":    func(context.Context) (string, error) { return marker, boom },
		"empty":    constant(""),
		"too long": constant(strings.Repeat("x", 65<<10)),
		"panics":   func(context.Context) (string, error) { panic(marker) },
	}
	for name, credential := range failing {
		for method, auth := range map[string]exchange.Auth{
			"basic": exchange.ClientSecretBasicFrom(credential), "post": exchange.ClientSecretPostFrom(credential), "assertion": exchange.ClientAssertion(credential, ""),
			"key": exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: func(ctx context.Context) (exchange.SigningKey, error) {
				_, err := credential(ctx)
				return exchange.SigningKey{}, err
			}}),
		} {
			e := answering(200, `{"access_token":"t"}`)
			_, err := e.client(t, func(cfg *exchange.Config) { cfg.Auth = auth }).ExchangeProfile(t.Context(), profile("subject-token"))
			wantedAnswer{503, "client_authentication_error", exchange.ErrCredentials}.check(t, method+", "+name, err)
			if e.count() != 0 || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), marker) {
				t.Errorf("%s, %s: %d requests, %v", method, name, e.count(), err)
			}
			if name == "error" && !errors.Is(err, boom) {
				t.Errorf("%s: %v does not match the credential's own error", method, err)
			}
		}
	}
	// A function that ignores its context holds up nobody.
	c := answering(200, `{"access_token":"t"}`).client(t, func(cfg *exchange.Config) {
		cfg.Timeout = 20 * time.Millisecond
		cfg.Auth = exchange.ClientSecretBasicFrom(func(context.Context) (string, error) { <-hang; return "", nil })
	})
	_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{504, "timeout_error", exchange.ErrTimeout}.check(t, "hangs", err)
	// White space in an assertion, as of a header, is a mistake.
	c = answering(200, `{"access_token":"t"}`).client(t, func(cfg *exchange.Config) { cfg.Auth = exchange.ClientAssertion(constant("Bearer a.b.c"), "") })
	_, err = c.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{503, "client_authentication_error", exchange.ErrCredentials}.check(t, "scheme", err)

	key := newKey(t, "ES256")
	source := exchange.SigningKeySource(func(context.Context) (exchange.SigningKey, error) { return exchange.SigningKey{Key: key}, nil })
	for i, auth := range []exchange.Auth{
		exchange.ClientSecretBasicFrom(nil), exchange.ClientSecretPostFrom(nil), exchange.ClientAssertion(nil, ""), exchange.ClientAssertion(constant("a"), "urn:x y"),
		exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: source, Key: key}), exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: source, KeyID: "k"}),
	} {
		if _, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: auth}); !errors.Is(err, exchange.ErrConfig) {
			t.Errorf("New, %d: %v; want ErrConfig", i, err)
		}
	}
}

// TestSecretsDoNotComeBack: a secret of a function is as secret as a constant.
func TestSecretsDoNotComeBack(t *testing.T) {
	c := answering(400, `{"error":"`+marker+`","error_description":"`+marker+`"}`).client(t, func(cfg *exchange.Config) {
		cfg.Auth = exchange.ClientSecretBasicFrom(constant(marker))
	})
	_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
	var e *exchange.Error
	if !errors.As(err, &e) || strings.Contains(e.Code+e.ServerDescription(), marker) {
		t.Errorf("the error repeats the secret: %#v", err)
	}
}

// TestCertificatesThatChange: mutual TLS by the client of this module, with a
// certificate in files that are rotated.
func TestCertificatesThatChange(t *testing.T) {
	clients := newAuthority(t)
	issuer := verifiertest.NewIssuer(t)
	issuer.RequireClientCertificate(clientID, clients.pool())
	dir := t.TempDir()
	chain, key := filepath.Join(dir, "svid.pem"), filepath.Join(dir, "key.pem")
	write := func(certificate tls.Certificate) {
		replace(t, key, keyPEM(t, certificate.PrivateKey.(crypto.Signer)))
		replace(t, chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	}
	write(newAuthority(t).issue(t, x509.ExtKeyUsageClientAuth)) // one that is not accepted
	client := verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: verifiertest.RootCAs(t, issuer), ClientCertificate: exchange.CertificateFiles(chain, key)})
	c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.Auth, cfg.Doer = exchange.MutualTLS(), client })
	_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{401, "invalid_client", exchange.ErrRefused}.check(t, "a certificate of somebody else", err)

	write(clients.issue(t, x509.ExtKeyUsageClientAuth))
	client.CloseIdleConnections()
	if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
	replace(t, chain, []byte("half")) // the last good pair is used
	client.CloseIdleConnections()
	if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
		t.Errorf("half a file: %v", err)
	}
	if _, err := exchange.CertificateFiles(chain, key)(&tls.CertificateRequestInfo{}); err == nil {
		t.Error("half a file and nothing before: no error")
	}

	certificate := clients.issue(t, x509.ExtKeyUsageClientAuth)
	fixed := verifier.NewHTTPClient(verifier.HTTPClientConfig{RootCAs: verifiertest.RootCAs(t, issuer), Certificate: &certificate})
	c = newClient(t, issuer, func(cfg *exchange.Config) { cfg.Auth, cfg.Doer = exchange.MutualTLS(), fixed })
	if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
		t.Errorf("a fixed certificate: %v", err)
	}
}
