//go:build interop

package interop_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

// exchangeStorage is that of the example, with ways of client authentication and
// keys of clients, and JWTs for all clients but "opaque".
type exchangeStorage struct {
	*storage.Storage
	mu   sync.Mutex
	keys map[string]crypto.PublicKey // by client and kid
}

func (s *exchangeStorage) setKey(t *testing.T, client string, key crypto.Signer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = map[string]crypto.PublicKey{client + " " + publicJWK(t, key, "").KeyID: key.Public()}
}

func (s *exchangeStorage) GetKeyByIDAndClientID(_ context.Context, id, client string) (*jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, known := s.keys[client+" "+id]
	if !known {
		return nil, errors.New("unknown key")
	}
	return &jose.JSONWebKey{KeyID: id, Use: "sig", Key: key}, nil
}

func (s *exchangeStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return authClient{client}, nil
}

func (*exchangeStorage) JWTProfileTokenType(context.Context, op.TokenRequest) (op.AccessTokenType, error) {
	return op.AccessTokenTypeJWT, nil
}

type authClient struct{ op.Client }

func (c authClient) AuthMethod() oidc.AuthMethod {
	switch c.GetID() {
	case "posting":
		return oidc.AuthMethodPost
	case "signing":
		return oidc.AuthMethodPrivateKeyJWT
	}
	return oidc.AuthMethodBasic
}

func (c authClient) AccessTokenType() op.AccessTokenType {
	if c.GetID() == "opaque" {
		return op.AccessTokenTypeBearer
	}
	return op.AccessTokenTypeJWT
}

// callback is where the example's clients are called back.
const callback = "http://localhost:9999/auth/callback"

// signIn gets tokens of a user by the authorization code flow of the client
// "portal", with the example's form for names and passwords.
func signIn(t *testing.T, authority *rig.Authority, issuer, name string) (access, id string) {
	t.Helper()
	browser := authority.Client()
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	visit := func(r *http.Request) *http.Response {
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	query := url.Values{"client_id": {"portal"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}}
	page := visit(request(t, "GET", issuer+"/auth?"+query.Encode()))
	form := url.Values{"username": {name}, "password": {"verysecure"}, "id": {page.Request.URL.Query().Get("authRequestID")}}
	r, err := http.NewRequestWithContext(t.Context(), "POST", issuer+"/login/username", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	back, err := visit(r).Location()
	if err != nil {
		t.Fatal(err)
	}
	form = url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {callback}}
	r, err = http.NewRequestWithContext(t.Context(), "POST", issuer+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("portal", "of the portal")
	resp, err := authority.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.Access == "" || tokens.ID == "" {
		t.Fatalf("%d %v; want two tokens", resp.StatusCode, err)
	}
	return tokens.Access, tokens.ID
}

// TestExchangeAtZitadel: the token exchange of zitadel/oidc, in the two ways in which
// a provider can be served. They differ in the codes of errors, and op.Provider looks
// at client_secret_basic alone, whatever its metadata say.
func TestExchangeAtZitadel(t *testing.T) {
	for _, way := range []struct {
		name         string
		server       bool
		wrongSecret  int    // status
		badAssertion string // code
	}{{"op.Provider", false, 401, "invalid_grant"}, {"op.Server", true, 400, "invalid_request"}} {
		t.Run(way.name, func(t *testing.T) {
			authority := rig.NewAuthority(t)
			var provider http.Handler
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, "issuer").Certificate}}
			server.StartTLS()
			t.Cleanup(server.Close)
			issuer := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
			clients := make(map[string]*storage.Client)
			for _, id := range []string{"portal", "orders", "posting", "signing", "opaque", "billing", "o:r d%e+r&s"} {
				clients[id] = storage.WebClient(id, "of "+id)
			}
			clients["portal"] = storage.WebClient("portal", "of the portal")
			store := &exchangeStorage{Storage: storage.NewStorageWithClients(storage.NewUserStore(issuer), clients)}
			provider = exampleop.SetupServer(issuer, store, slog.New(slog.DiscardHandler), way.server)

			access, idToken := signIn(t, authority, issuer, "test-user@localhost")
			onBehalf := exchange.OnBehalfOfRequest{AccessToken: access, Audience: billing, Scope: "openid"}
			client := func(id string, auth exchange.Auth) *exchange.Client {
				return exchangeClient(t, authority, issuer, id, auth, nil)
			}
			good := func(t *testing.T, token string) {
				t.Helper()
				got, err := verified(t, authority, issuer, billing, token)
				if err != nil || got.Subject != "id1" {
					t.Fatalf("%v, %v; want the token of id1", got, err)
				}
				if _, err := verified(t, authority, issuer, orders, token); !errors.Is(err, verifier.ErrInvalidToken) {
					t.Errorf("for another API: %v; want ErrInvalidToken", err)
				}
			}
			exchanges := func(t *testing.T, c *exchange.Client) {
				t.Helper()
				token, err := c.OnBehalfOf(t.Context(), onBehalf)
				if err != nil {
					t.Fatal(explain(err))
				}
				if good(t, token.AccessToken); token.TokenType != "Bearer" || token.IssuedTokenType != exchange.TypeAccessToken || token.Scope != "openid" || token.ExpiresIn <= 0 {
					t.Errorf("%s, %s, scope %q, for %v", token.TokenType, token.IssuedTokenType, token.Scope, token.ExpiresIn)
				}
			}
			isRefused := func(t *testing.T, c *exchange.Client, status int, code string) {
				t.Helper()
				_, err := c.OnBehalfOf(t.Context(), onBehalf)
				refused(t, err, status, code)
			}
			c := client("orders", exchange.ClientSecretBasic("of orders"))

			rig.Row(t, "on behalf of: a token for another API", func(t *testing.T) { exchanges(t, c) })
			rig.Row(t, "client_secret_basic: with characters that mean something to encodings", func(t *testing.T) {
				exchanges(t, client("o:r d%e+r&s", exchange.ClientSecretBasic("of o:r d%e+r&s")))
			})
			rig.Row(t, "a wrong secret is refused", func(t *testing.T) {
				isRefused(t, client("orders", exchange.ClientSecretBasic("wrong")), way.wrongSecret, "invalid_client")
			})
			rig.Row(t, "an ID token becomes an access token", func(t *testing.T) {
				token, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
					SubjectToken: idToken, SubjectTokenType: exchange.TypeIDToken, RequestedTokenType: exchange.TypeAccessToken, Audience: billing,
				})
				if err != nil {
					t.Fatal(explain(err))
				}
				good(t, token.AccessToken)
			})
			rig.Row(t, "an access token becomes an ID token, which is no access token", func(t *testing.T) {
				token, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
					SubjectToken: access, SubjectTokenType: exchange.TypeAccessToken, RequestedTokenType: exchange.TypeIDToken, Audience: billing,
				})
				if err != nil {
					t.Fatal(explain(err))
				}
				if token.TokenType != "N_A" || token.IssuedTokenType != exchange.TypeIDToken {
					t.Errorf("%s, %s; want N_A, an ID token", token.TokenType, token.IssuedTokenType)
				}
			})
			rig.Row(t, "a refresh token comes beside an access token, and becomes another one", func(t *testing.T) {
				tokens, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
					SubjectToken: access, SubjectTokenType: exchange.TypeAccessToken, RequestedTokenType: exchange.TypeRefreshToken, Audience: billing,
				})
				if err != nil {
					t.Fatal(explain(err))
				}
				good(t, tokens.AccessToken)
				again, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
					SubjectToken: tokens.RefreshToken, SubjectTokenType: exchange.TypeRefreshToken, RequestedTokenType: exchange.TypeAccessToken, Audience: billing,
				})
				if err != nil {
					t.Fatal(explain(err))
				}
				if good(t, again.AccessToken); again.AccessToken == tokens.AccessToken || again.Stated("refresh_token") {
					t.Error("the second token is the first one, or has a refresh token")
				}
			})
			rig.Row(t, "an opaque token, which the issuer is asked about", func(t *testing.T) {
				request := onBehalf
				request.Audience = "billing" // the client that asks
				token, err := client("opaque", exchange.ClientSecretBasic("of opaque")).OnBehalfOf(t.Context(), request)
				if err != nil {
					t.Fatal(explain(err))
				}
				of := func(id string) func(*verifier.Config) {
					return func(c *verifier.Config) {
						c.Issuers[0].NoAudience = verifier.AudienceRule{Claim: "client_id", Values: []string{id}}
						c.Issuers[0].Optional = []string{"iat"}
					}
				}
				call(t, opened(t, authority, issuer, billing, "billing", "of billing", of("opaque")), token.AccessToken, 200)
				call(t, opened(t, authority, issuer, billing, "billing", "of billing", of("orders")), token.AccessToken, 401)
			})
			rig.Row(t, "a token that is not the issuer's is refused", func(t *testing.T) {
				request := onBehalf
				request.AccessToken = sign(t, ecKey(t), "any", map[string]any{"iss": issuer, "sub": "id1", "aud": "portal", "exp": time.Now().Add(10 * time.Minute).Unix()})
				_, err := c.OnBehalfOf(t.Context(), request)
				refused(t, err, 400, "invalid_request")
			})
			rig.Row(t, "another type of token than there is is refused", func(t *testing.T) {
				_, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
					SubjectToken: access, SubjectTokenType: exchange.TypeAccessToken, RequestedTokenType: exchange.TypeSAML2, Audience: billing,
				})
				refused(t, err, 400, "invalid_request")
			})
			rig.Row(t, "a user for whom nobody may act is refused", func(t *testing.T) {
				request := onBehalf
				request.AccessToken, _ = signIn(t, authority, issuer, "test-user2")
				_, err := c.OnBehalfOf(t.Context(), request)
				refused(t, err, 500, "server_error")
			})

			older, newer := ecKey(t), ecKey(t)
			file := filepath.Join(t.TempDir(), "key.pem")
			putKey(t, file, older)
			store.setKey(t, "signing", older)
			signing := client("signing", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: exchange.SigningKeyFile(file)}))
			posting := client("posting", exchange.ClientSecretPost("of posting"))
			rig.Row(t, "JWT bearer: an assertion of a service becomes its token", func(t *testing.T) {
				assertion := func(key crypto.Signer) string {
					return sign(t, key, publicJWK(t, key, "").KeyID, map[string]any{
						"iss": "signing", "sub": "signing", "aud": issuer, "jti": rand.Text(), "iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
					})
				}
				token, err := c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: assertion(older), Scope: "openid"})
				if err != nil {
					t.Fatal(explain(err))
				}
				if got, err := verified(t, authority, issuer, issuer, token.AccessToken); err != nil || got.Subject != "signing" {
					t.Errorf("%v, %v; want the token of the service", got, err)
				}
				_, err = c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: assertion(newer), Scope: "openid"})
				refused(t, err, 400, way.badAssertion)
			})
			if !way.server {
				rig.Row(t, "client_secret_post and private_key_jwt are refused, since they are not looked at", func(t *testing.T) {
					isRefused(t, posting, 401, "invalid_client")
					isRefused(t, signing, 401, "invalid_client")
				})
				return
			}
			rig.Row(t, "client_secret_post", func(t *testing.T) { exchanges(t, posting) })
			rig.Row(t, "client_secret_post: a wrong secret is refused", func(t *testing.T) {
				isRefused(t, client("posting", exchange.ClientSecretPost("wrong")), 400, "invalid_client")
			})
			rig.Row(t, "private_key_jwt: the key of a file", func(t *testing.T) { exchanges(t, signing) })
			rig.Row(t, "private_key_jwt: the key of a file changes while the client runs", func(t *testing.T) {
				store.setKey(t, "signing", newer)
				isRefused(t, signing, 400, "invalid_grant")
				putKey(t, file, newer)
				exchanges(t, signing)
			})
		})
	}
}
