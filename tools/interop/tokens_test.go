//go:build interop

package interop_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

// opened starts an API that accepts an issuer's opaque and encrypted tokens.
func opened(t *testing.T, authority *rig.Authority, issuer, audience, client, secret string, change func(*verifier.Config)) string {
	t.Helper()
	asks, err := introspection.New(introspection.Config{
		Domain: issuer, ClientID: client, Auth: exchange.ClientSecretBasic(secret), Doer: authority.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = asks.Close() })
	cfg := verifier.Config{
		Audience: audience, Doer: authority.Client(),
		Issuers: []verifier.Issuer{{Name: issuer, Opaque: verifier.OpaqueTokens{Introspector: asks}}},
	}
	if change != nil {
		change(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	server := httptest.NewServer(verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		_, _ = fmt.Fprint(w, token.Scheme)
	})))
	t.Cleanup(server.Close)
	return server.URL + "/orders"
}

// tokenOf asks a token endpoint for a token.
func tokenOf(t *testing.T, authority *rig.Authority, endpoint, client, secret string, form url.Values) string {
	t.Helper()
	r := request(t, "POST", endpoint, "Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, secret)
	return post(t, authority.Client(), r, form.Encode())
}

// TestTokensOfOIDCProvider: its opaque tokens, which it is asked about, and its
// encrypted ones.
func TestTokensOfOIDCProvider(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "api.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600); err != nil {
		t.Fatal(err)
	}
	authority := rig.NewAuthority(t)
	certificate := authority.Issue(t, "issuer")
	process := rig.Start(t, rig.Command{
		Name: "node", Args: []string{"issuer.mjs", "oidc-provider", certificate.KeyFile, certificate.File, audience},
		Dir: rig.NPM(t, "js"), Env: []string{"ENCRYPT_TO=" + file},
	})
	issuer := firstLine(t, process)
	get := func(resource string) string {
		return tokenOf(t, authority, issuer+"/token", "client", "secret", url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}, "resource": {resource}})
	}
	keys := func(c *verifier.Config) {
		c.Decryption.Keys = []verifier.DecryptionKey{{ID: "api", Private: key}}
	}
	api := opened(t, authority, issuer, audience, "client", "secret", keys)
	other := opened(t, authority, issuer, "https://other.example.com", "client", "secret", keys)
	stranger := opened(t, authority, issuer, audience, "client", "wrong", keys)
	opaque, encrypted := get(audience+"/opaque"), get(audience+"/encrypted")
	rig.Row(t, "the tokens are of the forms that they are meant to be", func(t *testing.T) {
		if strings.Contains(opaque, ".") || strings.Count(encrypted, ".") != 4 {
			t.Errorf("%d and %d dots", strings.Count(opaque, "."), strings.Count(encrypted, "."))
		}
	})
	rig.Row(t, "an opaque token is accepted", func(t *testing.T) { call(t, api, opaque, 200) })
	rig.Row(t, "an opaque token for another API is refused", func(t *testing.T) { call(t, other, opaque, 401) })
	rig.Row(t, "an unknown opaque token is refused", func(t *testing.T) { call(t, api, opaque[:len(opaque)-1]+"_", 401) })
	rig.Row(t, "a client that the issuer does not know can decide nothing", func(t *testing.T) { call(t, stranger, opaque, 503) })
	rig.Row(t, "an encrypted token is accepted", func(t *testing.T) { call(t, api, encrypted, 200) })
	rig.Row(t, "an encrypted token for another API is refused", func(t *testing.T) { call(t, other, encrypted, 401) })
	process.Stop()
	rig.Row(t, "an opaque token is accepted for its cached life while the issuer is down", func(t *testing.T) { call(t, api, opaque, 200) })
	rig.Row(t, "an unknown opaque token is 503 while the issuer is down", func(t *testing.T) { call(t, api, "another", 503) })
}

// tellingStorage tells a service user about its own tokens: the example looks for a
// person of that name, and says that a token without one is not active.
type tellingStorage struct{ *storage.Storage }

func (s tellingStorage) SetIntrospectionFromToken(ctx context.Context, answer *oidc.IntrospectionResponse, tokenID, subject, clientID string) error {
	err := s.Storage.SetIntrospectionFromToken(ctx, answer, tokenID, subject, clientID)
	if err != nil && subject == clientID && answer.Expiration.AsTime().After(time.Now()) {
		answer.Subject, answer.ClientID = subject, clientID
		return nil
	}
	return err
}

// TestOpaqueTokensOfZitadel: the example provider of zitadel/oidc, whose tokens are
// opaque by default. Its answers have neither aud nor iss nor iat: the client that a
// token was issued to is what the issuer's rules look at.
func TestOpaqueTokensOfZitadel(t *testing.T) {
	authority := rig.NewAuthority(t)
	var provider http.Handler
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, "issuer").Certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	issuer := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	// The provider tells about a token only whom it is for: the client itself here.
	storage.RegisterClients(storage.WebClient("sid1", "verysecret"))
	provider = exampleop.SetupServer(issuer, tellingStorage{storage.NewStorage(storage.NewUserStore(issuer))}, slog.New(slog.DiscardHandler), false)
	token := tokenOf(t, authority, issuer+"/oauth/token", "sid1", "verysecret", url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}})
	of := func(clients ...string) func(*verifier.Config) {
		return func(c *verifier.Config) {
			c.Issuers[0].NoAudience = verifier.AudienceRule{Claim: "client_id", Values: clients}
			c.Issuers[0].Optional = []string{"iat"}
		}
	}
	rig.Row(t, "an opaque token is accepted, by the client that it is of", func(t *testing.T) {
		call(t, opened(t, authority, issuer, audience, "sid1", "verysecret", of("sid1")), token, 200)
	})
	rig.Row(t, "an opaque token of another client is refused", func(t *testing.T) {
		call(t, opened(t, authority, issuer, audience, "sid1", "verysecret", of("sid2")), token, 401)
	})
	rig.Row(t, "an opaque token without aud is refused where there is no rule", func(t *testing.T) {
		call(t, opened(t, authority, issuer, audience, "sid1", "verysecret", nil), token, 401)
	})
	rig.Row(t, "an unknown opaque token is refused", func(t *testing.T) {
		call(t, opened(t, authority, issuer, audience, "sid1", "verysecret", of("sid1")), "unknown", 401)
	})
	rig.Row(t, "a client that the issuer does not know can decide nothing", func(t *testing.T) {
		call(t, opened(t, authority, issuer, audience, "nobody", "secret", of("sid1")), token, 503)
	})
}
