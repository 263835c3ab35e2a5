package exchange_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
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

// TestWhenFilesAreReadAgain: when their size, their time or the file itself is
// another one, and always while they are younger than what times can tell apart.
func TestWhenFilesAreReadAgain(t *testing.T) {
	old, coming := time.Now().Add(-time.Hour).Truncate(time.Second), time.Now().Add(time.Hour).Truncate(time.Second)
	type content struct {
		text string
		time time.Time
	}
	for name, c := range map[string]struct{ before, after, want content }{
		"nothing told":         {content{"first", old}, content{"other", old}, content{text: "first"}},
		"another size":         {content{"first", old}, content{"longer", old}, content{text: "longer"}},
		"another time":         {content{"first", old}, content{"other", old.Add(time.Second)}, content{text: "other"}},
		"too young to be told": {content{"first", coming}, content{"other", coming}, content{text: "other"}},
	} {
		path := filepath.Join(t.TempDir(), "secret")
		credential := exchange.CredentialFile(path)
		for _, now := range []struct {
			content
			want string
		}{{c.before, c.before.text}, {c.after, c.want.text}} {
			if err := errors.Join(os.WriteFile(path, []byte(now.text), 0o600), os.Chtimes(path, now.time, now.time)); err != nil {
				t.Fatal(err)
			}
			if got, err := credential(t.Context()); err != nil || got != now.want {
				t.Errorf("%s: %q, %v; want %q", name, got, err, now.want)
			}
		}
	}
}

// TestFilesThatCannotBeRead: the error is that of the file, and nothing of an
// earlier content is left.
func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	old := time.Now().Add(-time.Hour)
	good := newAuthority(t).issue(t, x509.ExtKeyUsageClientAuth)
	replace(t, filepath.Join(dir, "chain.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Certificate[0]}))
	credential, key := exchange.CredentialFile(path), exchange.SigningKeyFile(path)
	ask := func(ctx context.Context) map[string]error {
		return map[string]error{"credential": second(credential(ctx)), "key": second(key(ctx))}
	}
	for name, err := range ask(t.Context()) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s, no file: %v; want fs.ErrNotExist", name, err)
		}
	}
	if _, err := exchange.CertificateFiles(filepath.Join(dir, "chain.pem"), path)(nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a certificate, no key file: %v; want fs.ErrNotExist", err)
	}
	replace(t, path, keyPEM(t, newKey(t, "ES256")))
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	for name, err := range ask(t.Context()) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range ask(done) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s, nobody waits: %v; want context.Canceled", name, err)
		}
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, err := range ask(t.Context()) {
		if err == nil {
			t.Errorf("%s, a folder in place of the file: no error", name)
		}
	}
	c := answering(200, `{"access_token":"t"}`).client(t, func(cfg *exchange.Config) {
		cfg.Auth = exchange.ClientSecretBasicFrom(exchange.CredentialFile(filepath.Join(dir, "absent")))
	})
	if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); !errors.Is(err, exchange.ErrCredentials) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want ErrCredentials and fs.ErrNotExist", err)
	}
}

// TestLongestCredential is used, of a function and of a file.
func TestLongestCredential(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	path := filepath.Join(t.TempDir(), "secret")
	replace(t, path, []byte(long))
	for name, credential := range map[string]exchange.Credential{"function": constant(long), "file": exchange.CredentialFile(path)} {
		e := &endpoint{answer: func(form url.Values, _ http.Header) (int, http.Header, string) {
			if form.Get("client_secret") != long {
				return 401, nil, `{"error":"invalid_client"}`
			}
			return 200, nil, `{"access_token":"t"}`
		}}
		c := e.client(t, func(cfg *exchange.Config) { cfg.Auth = exchange.ClientSecretPostFrom(credential) })
		if _, err := c.ExchangeProfile(t.Context(), profile("subject-token")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	replace(t, path, []byte(long+"\n"))
	if _, err := exchange.CredentialFile(path)(t.Context()); err == nil {
		t.Error("a longer file: no error")
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
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"SEC 1":                   {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), true},
		"SEC 1 after parameters":  {append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...), true},
		"nothing":                 {nil, false},
		"a key that is too small": {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)}), false},
		"no PEM":                  {[]byte("secret-looking text"), false},
		"half a file":             {keyPEM(t, ec)[:100], false},
		"too long":                {append(keyPEM(t, ec), make([]byte, 70<<10)...), false},
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
	path := filepath.Join(t.TempDir(), "key.pem")
	own := newKey(t, "RS256").(*rsa.PrivateKey)
	replace(t, path, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(own)}))
	if key, err := exchange.SigningKeyFile(path)(t.Context()); err != nil || !own.PublicKey.Equal(key.Key.Public()) {
		t.Errorf("PKCS #1: %v", err)
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
		exchange.ClientAssertion(constant("a"), "urn:x\x7f"), exchange.ClientAssertion(constant("a"), "urn:x\u00e9"),
		exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: source, Algorithm: "ES256"}), exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: source, Certificate: &x509.Certificate{}}),
		exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: source, Key: key}), exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: source, KeyID: "k"}),
	} {
		if _, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: auth}); !errors.Is(err, exchange.ErrConfig) {
			t.Errorf("New, %d: %v; want ErrConfig", i, err)
		}
	}
	if _, err := exchange.New(exchange.Config{Domain: domain, ClientID: clientID, Auth: exchange.ClientAssertion(constant("a"), "urn:x!~")}); err != nil {
		t.Errorf("New, a type of all characters: %v", err)
	}
}

// TestSecretsDoNotComeBack: a secret of a function is as secret as a constant.
func TestSecretsDoNotComeBack(t *testing.T) {
	key := newKey(t, "ES256")
	for name, auth := range map[string]exchange.Auth{
		"basic": exchange.ClientSecretBasicFrom(constant(marker)), "post": exchange.ClientSecretPostFrom(constant(marker)), "assertion": exchange.ClientAssertion(constant(marker), ""),
		"key": exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key}),
	} {
		e := &endpoint{answer: func(form url.Values, header http.Header) (int, http.Header, string) {
			repeated := marker
			switch name {
			case "basic":
				repeated = strings.TrimPrefix(header.Get("Authorization"), "Basic ") // which has the secret in it
			case "key":
				repeated = form.Get("client_assertion")
			}
			return 400, nil, `{"error":"` + marker + `","error_description":"` + repeated + `"}`
		}}
		actor := profile("subject-token")
		actor.ActorToken, actor.ActorTokenType = marker, exchange.TypeJWT
		if name != "key" {
			actor = profile("subject-token")
		}
		_, err := e.client(t, func(cfg *exchange.Config) { cfg.Auth = auth }).ExchangeProfile(t.Context(), actor)
		var failure *exchange.Error
		if !errors.As(err, &failure) || failure.Code != "token_exchange_error" || failure.ServerDescription() != "" {
			t.Errorf("%s: the error repeats the secret: %#v", name, err)
		}
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
