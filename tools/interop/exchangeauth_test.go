//go:build interop

package interop_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

func keySet(keys ...jose.JSONWebKey) map[string]any {
	return map[string]any{"jwks": jose.JSONWebKeySet{Keys: keys}}
}

// putKey replaces the file of a private key.
func putKey(t *testing.T, path string, key crypto.Signer) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// exchanges checks that a client gets a token on behalf of the user.
func (e *exchanger) exchanges(t *testing.T, c *exchange.Client) *exchange.Token {
	t.Helper()
	token, err := c.OnBehalfOf(t.Context(), e.onBehalf(t))
	if err != nil {
		t.Fatal(explain(err))
	}
	e.goodFor(t, billing, token.AccessToken)
	return token
}

// isRefused checks that a client gets none.
func (e *exchanger) isRefused(t *testing.T, c *exchange.Client, status int, code string) {
	t.Helper()
	_, err := c.OnBehalfOf(t.Context(), e.onBehalf(t))
	refused(t, err, status, code)
}

// TestExchangeSecrets: client_secret_basic and client_secret_post at oidc-provider.
func TestExchangeSecrets(t *testing.T) {
	e := startExchanger(t)
	const id, secret = `orders: 100%25 +&="~`, `s/e:c%r+e t&=%2B\"`
	for _, method := range []struct {
		name string
		auth func(secret string) exchange.Auth
	}{{"client_secret_basic", exchange.ClientSecretBasic}, {"client_secret_post", exchange.ClientSecretPost}} {
		id := id + method.name
		e.register(t, id, method.name, map[string]any{"client_secret": secret})
		rig.Row(t, method.name+": with characters that mean something to encodings", func(t *testing.T) {
			e.exchanges(t, e.client(t, id, method.auth(secret), nil))
		})
		rig.Row(t, method.name+": a wrong secret is refused", func(t *testing.T) {
			e.isRefused(t, e.client(t, id, method.auth(secret+"x"), nil), 401, "invalid_client")
		})
		rig.Row(t, method.name+": an unknown client is refused", func(t *testing.T) {
			e.isRefused(t, e.client(t, "nobody", method.auth(secret), nil), 401, "invalid_client")
		})
	}
	rig.Row(t, "a secret in a file changes while the client runs", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "secret")
		replace(t, file, []byte("the first one\n"))
		e.register(t, "rotating", "client_secret_basic", map[string]any{"client_secret": "the first one"})
		c := e.client(t, "rotating", exchange.ClientSecretBasicFrom(exchange.CredentialFile(file)), nil)
		e.exchanges(t, c)
		e.register(t, "rotating", "client_secret_basic", map[string]any{"client_secret": "the second one"})
		e.isRefused(t, c, 401, "invalid_client")
		replace(t, file, []byte("the second one\n"))
		e.exchanges(t, c)
	})
}

// TestExchangeAssertions: private_key_jwt at oidc-provider.
func TestExchangeAssertions(t *testing.T) {
	e := startExchanger(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, signed := range []struct {
		algorithm string
		key       crypto.Signer
	}{{"RS256", rsaKey}, {"PS256", rsaKey}, {"ES256", ecKey(t)}, {"EdDSA", edKey}, {"Ed25519", edKey}} {
		rig.Row(t, "private_key_jwt: "+signed.algorithm, func(t *testing.T) {
			e.register(t, signed.algorithm, "private_key_jwt", keySet(publicJWK(t, signed.key, "")))
			e.exchanges(t, e.client(t, signed.algorithm, exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: signed.key, Algorithm: signed.algorithm}), nil))
		})
	}

	file := filepath.Join(t.TempDir(), "key.pem")
	older, newer := ecKey(t), ecKey(t)
	putKey(t, file, older)
	e.register(t, "rotating", "private_key_jwt", keySet(publicJWK(t, older, "")))
	ofFile := e.client(t, "rotating", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: exchange.SigningKeyFile(file)}), nil)
	rig.Row(t, "the key of a file", func(t *testing.T) { e.exchanges(t, ofFile) })
	rig.Row(t, "the key of a file changes while the client runs", func(t *testing.T) {
		e.register(t, "rotating", "private_key_jwt", keySet(publicJWK(t, newer, "")))
		e.isRefused(t, ofFile, 401, "invalid_client")
		putKey(t, file, newer)
		e.exchanges(t, ofFile)
	})
	rig.Row(t, "the old key is refused after that", func(t *testing.T) {
		c := e.client(t, "rotating", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: older, KeyID: publicJWK(t, older, "").KeyID}), nil)
		e.isRefused(t, c, 401, "invalid_client")
	})
	rig.Row(t, "another key under the new one's id is refused", func(t *testing.T) {
		c := e.client(t, "rotating", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: older, KeyID: publicJWK(t, newer, "").KeyID}), nil)
		e.isRefused(t, c, 401, "invalid_client")
	})
	rig.Row(t, "a key that was published ahead is used as soon as it is in the file", func(t *testing.T) {
		first, next := ecKey(t), ecKey(t)
		published := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{publicJWK(t, first, ""), publicJWK(t, next, "")}}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(published)
		}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{e.authority.Issue(t, "keys").Certificate}}
		server.StartTLS()
		t.Cleanup(server.Close)
		e.register(t, "publishing", "private_key_jwt", map[string]any{"jwks_uri": server.URL + "/jwks.json"})
		file := filepath.Join(t.TempDir(), "key.pem")
		putKey(t, file, first)
		record := &recorder{doer: patient(e.authority, verifier.HTTPClientConfig{})}
		c := e.client(t, "publishing", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: exchange.SigningKeyFile(file)}), record.is)
		e.exchanges(t, c)
		putKey(t, file, next)
		e.exchanges(t, c)
		for i, key := range []crypto.Signer{first, next} {
			signed, err := jose.ParseSignedCompact(record.answers[i].assertion, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := signed.Signatures[0].Header.KeyID, publicJWK(t, key, "").KeyID; got != want {
				t.Errorf("request %d has the key %q; want %q", i, got, want)
			}
		}
	})
	rig.Row(t, "the token endpoint as audience", func(t *testing.T) {
		e.exchanges(t, e.client(t, "rotating", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: newer, TokenEndpointAudience: true}), nil))
	})
	rig.Row(t, "no key in the file: nothing is sent", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "empty.pem")
		replace(t, empty, nil)
		record := &recorder{doer: patient(e.authority, verifier.HTTPClientConfig{})}
		c := e.client(t, "rotating", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: exchange.SigningKeyFile(empty)}), record.is)
		if _, err := c.OnBehalfOf(t.Context(), e.onBehalf(t)); !errors.Is(err, exchange.ErrCredentials) || record.story() != "" {
			t.Errorf("%v, %q; want ErrCredentials and no request", err, record.story())
		}
	})
	rig.Row(t, "an assertion is used once", func(t *testing.T) {
		record := &recorder{doer: patient(e.authority, verifier.HTTPClientConfig{})}
		e.exchanges(t, e.client(t, "rotating", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: exchange.SigningKeyFile(file)}), record.is))
		again := func(context.Context) (string, error) { return record.answers[0].assertion, nil }
		e.isRefused(t, e.client(t, "rotating", exchange.ClientAssertion(again, ""), nil), 401, "invalid_client")
	})
	rig.Row(t, "an assertion that somebody else issued", func(t *testing.T) {
		made := func(context.Context) (string, error) {
			return e.assertionBy(t, newer, publicJWK(t, newer, "").KeyID, func(c map[string]any) { c["iss"], c["sub"] = "rotating", "rotating" }), nil
		}
		e.exchanges(t, e.client(t, "rotating", exchange.ClientAssertion(made, ""), nil))
	})
}

func (r *recorder) is(cfg *exchange.Config) { cfg.Doer = r }

// TestExchangeCertificates: tls_client_auth and self_signed_tls_client_auth at
// oidc-provider (RFC 8705).
func TestExchangeCertificates(t *testing.T) {
	e := startExchanger(t)
	with := func(certificate *rig.Certificate) func(*exchange.Config) {
		return func(cfg *exchange.Config) {
			cfg.Doer = patient(e.authority, verifier.HTTPClientConfig{Certificate: &certificate.Certificate})
		}
	}
	own, other := e.authority.Issue(t, "orders"), e.authority.Issue(t, "other")
	stranger := rig.NewAuthority(t).Issue(t, "orders")
	e.register(t, "orders", "tls_client_auth", map[string]any{"tls_client_auth_subject_dn": "CN=orders", "tls_client_certificate_bound_access_tokens": true})
	e.register(t, "registered", "self_signed_tls_client_auth", keySet(certificateJWK(t, stranger)))

	v, err := verifier.New(verifier.Config{Domain: e.issuer, Audience: orders, Doer: e.authority.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	for _, metadata := range []struct {
		name   string
		source exchange.MetadataSource
	}{{"", nil}, {", by the metadata of a Verifier", v}} {
		rig.Row(t, "tls_client_auth, at the endpoint for certificates"+metadata.name, func(t *testing.T) {
			record := new(recorder)
			e.exchanges(t, e.client(t, "orders", exchange.MutualTLS(), func(cfg *exchange.Config) {
				with(own)(cfg)
				record.doer, cfg.Metadata = cfg.Doer, metadata.source
				cfg.Doer = record
			}))
			if host := record.answers[0].host; "https://"+host == e.issuer {
				t.Errorf("asked at %s, which asks for no certificate", host)
			}
		})
	}
	rig.Row(t, "tls_client_auth: a certificate of another subject is refused", func(t *testing.T) {
		e.isRefused(t, e.client(t, "orders", exchange.MutualTLS(), with(other)), 401, "invalid_client")
	})
	rig.Row(t, "tls_client_auth: a certificate of another authority is refused", func(t *testing.T) {
		e.isRefused(t, e.client(t, "orders", exchange.MutualTLS(), with(stranger)), 401, "invalid_client")
	})
	rig.Row(t, "the token is bound to the certificate, and of use with it alone", func(t *testing.T) {
		token := e.exchanges(t, e.client(t, "orders", exchange.MutualTLS(), with(own)))
		api := e.certified(t)
		for _, test := range []struct {
			certificate *rig.Certificate
			status      int
		}{{own, 200}, {other, 401}} {
			r := request(t, "GET", api, "Authorization", "Bearer "+token.AccessToken)
			resp, err := patient(e.authority, verifier.HTTPClientConfig{Certificate: &test.certificate.Certificate}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Errorf("%s: %d; want %d", test.certificate.File, resp.StatusCode, test.status)
			}
		}
	})
	rig.Row(t, "self_signed_tls_client_auth: the registered certificate", func(t *testing.T) {
		e.exchanges(t, e.client(t, "registered", exchange.MutualTLS(), with(stranger)))
	})
	rig.Row(t, "self_signed_tls_client_auth: another one is refused", func(t *testing.T) {
		e.isRefused(t, e.client(t, "registered", exchange.MutualTLS(), with(own)), 401, "invalid_client")
	})
	rig.Row(t, "with a DPoP key: proofs are for the endpoint for certificates", func(t *testing.T) {
		c := e.client(t, "registered", exchange.MutualTLS(), func(cfg *exchange.Config) {
			with(stranger)(cfg)
			cfg.DPoPKey = ecKey(t)
		})
		if token := e.exchanges(t, c); token.TokenType != "DPoP" {
			t.Errorf("%s; want DPoP", token.TokenType)
		}
	})
	rig.Row(t, "a certificate in files changes while the client runs", func(t *testing.T) {
		dir := t.TempDir()
		certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		put := func(c *rig.Certificate) {
			putKey(t, key, c.PrivateKey.(crypto.Signer))
			replace(t, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Certificate[0]}))
		}
		put(stranger)
		var doer *http.Client
		c := e.client(t, "registered", exchange.MutualTLS(), func(cfg *exchange.Config) {
			doer = patient(e.authority, verifier.HTTPClientConfig{ClientCertificate: exchange.CertificateFiles(certificate, key)})
			cfg.Doer = doer
		})
		e.exchanges(t, c)
		e.register(t, "registered", "self_signed_tls_client_auth", keySet(certificateJWK(t, other)))
		e.isRefused(t, c, 401, "invalid_client")
		put(other)
		doer.CloseIdleConnections() // an open connection keeps its certificate
		e.exchanges(t, c)
	})
}

// certificateJWK is the key of a certificate as self_signed_tls_client_auth wants it
// (RFC 8705, Section 2.2.2).
func certificateJWK(t *testing.T, c *rig.Certificate) jose.JSONWebKey {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: parsed.PublicKey, Certificates: []*x509.Certificate{parsed}}
}

// certified starts billing's API on TLS with certificates of clients.
func (e *exchanger) certified(t *testing.T) string {
	t.Helper()
	v, err := verifier.New(verifier.Config{Domain: e.issuer, Audience: billing, Doer: e.authority.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	server := httptest.NewUnstartedServer(verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		_, _ = fmt.Fprint(w, token.Subject)
	})))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{e.authority.Issue(t, "billing").Certificate}, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/invoices"
}

// TestExchangeDPoP: tokens bound to a key (RFC 9449) at oidc-provider, which wants a
// nonce of its own in each proof.
func TestExchangeDPoP(t *testing.T) {
	e := startExchanger(t)
	key, signing := ecKey(t), ecKey(t)
	e.register(t, "orders", "client_secret_basic", map[string]any{"client_secret": "of orders", "dpop_bound_access_tokens": true})
	e.register(t, "signing", "private_key_jwt", keySet(publicJWK(t, signing, "")))
	secret := exchange.ClientSecretBasic("of orders")
	bound := func(t *testing.T, id string, auth exchange.Auth) (*exchange.Client, *recorder) {
		record := &recorder{doer: patient(e.authority, verifier.HTTPClientConfig{})}
		return e.client(t, id, auth, func(cfg *exchange.Config) { cfg.DPoPKey, cfg.Doer = key, record }), record
	}
	jkt := publicJWK(t, key, "").KeyID

	rig.Row(t, "the nonce that is asked for is used at once, and from then on", func(t *testing.T) {
		c, record := bound(t, "orders", secret)
		token := e.exchanges(t, c)
		if want := "Bad Request use_dpop_nonce, OK"; record.story() != want || token.TokenType != "DPoP" {
			t.Errorf("%s: %s; want DPoP: %s", token.TokenType, record.story(), want)
		}
		e.exchanges(t, c)
		if want := "Bad Request use_dpop_nonce, OK, OK"; record.story() != want {
			t.Errorf("%s; want %s", record.story(), want)
		}
	})
	rig.Row(t, "the token is bound to the key", func(t *testing.T) {
		c, _ := bound(t, "orders", secret)
		if got := e.goodFor(t, billing, e.exchanges(t, c).AccessToken); got.Confirmation.JWKThumbprint != jkt {
			t.Errorf("bound to %q; want %q", got.Confirmation.JWKThumbprint, jkt)
		}
	})
	rig.Row(t, "an API accepts it with a proof, after a nonce of its own", func(t *testing.T) {
		c, _ := bound(t, "orders", secret)
		source, err := c.TokenSource(exchange.OnBehalfOfRequest{Audience: billing, Scope: "read"})
		if err != nil {
			t.Fatal(err)
		}
		api := protected(t, e.authority, e.issuer, billing)
		transport, err := source.Transport(nil, strings.TrimSuffix(api, "/orders"))
		if err != nil {
			t.Fatal(err)
		}
		r := request(t, "GET", api).WithContext(exchange.ContextWithSubject(t.Context(), e.userToken(t, orders)))
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%d %v; want 200", resp.StatusCode, resp.Header)
		}
		call(t, api, e.exchanges(t, c).AccessToken, 401) // as a Bearer token
	})
	rig.Row(t, "each attempt has a client assertion of its own", func(t *testing.T) {
		c, record := bound(t, "signing", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: signing}))
		e.exchanges(t, c)
		if want := "Bad Request use_dpop_nonce, OK"; record.story() != want || record.answers[0].assertion == record.answers[1].assertion {
			t.Errorf("%s; want %s, with two assertions", record.story(), want)
		}
	})
	rig.Row(t, "JWT bearer: the second attempt has the assertion of the first", func(t *testing.T) {
		c, record := bound(t, "orders", secret)
		token, err := c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: e.assertion(t, nil), Resource: []string{orders}})
		if err != nil {
			t.Fatal(explain(err))
		}
		if want := "Bad Request use_dpop_nonce, OK"; record.story() != want || token.TokenType != "DPoP" {
			t.Errorf("%s: %s; want DPoP: %s", token.TokenType, record.story(), want)
		}
	})
	rig.Row(t, "a key of Ed25519", func(t *testing.T) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		token := e.exchanges(t, e.client(t, "orders", secret, func(cfg *exchange.Config) { cfg.DPoPKey = key }))
		if got := e.goodFor(t, billing, token.AccessToken); got.Confirmation.JWKThumbprint != publicJWK(t, key, "").KeyID {
			t.Errorf("bound to %q; want %q", got.Confirmation.JWKThumbprint, publicJWK(t, key, "").KeyID)
		}
	})
	rig.Row(t, "a proof whose algorithm the issuer does not take is refused", func(t *testing.T) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		e.isRefused(t, e.client(t, "orders", secret, func(cfg *exchange.Config) { cfg.DPoPKey = key }), 400, "invalid_dpop_proof")
	})
	rig.Row(t, "a client that must bind its tokens gets none without a key", func(t *testing.T) {
		e.isRefused(t, e.client(t, "orders", secret, nil), 400, "invalid_grant")
	})
}
