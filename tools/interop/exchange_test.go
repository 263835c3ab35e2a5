//go:build interop

package interop_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/tools/interop/rig"
	"github.com/portcullis-go/portcullis/verifier"
)

const (
	orders   = "https://orders.example.com"   // has a user's token
	billing  = "https://billing.example.com"  // is called by orders
	identity = "https://identity.example.com" // signs assertions about users
	user     = "user-1"
)

// exchanger is an oidc-provider with the grants of js/exchange.mjs.
type exchanger struct {
	authority *rig.Authority
	issuer    string
	dir       string
	clients   map[string]any
	key       crypto.Signer // of identity
	process   *rig.Process
}

// startExchanger starts one that knows the client "portal", which gets users' tokens
// for orders.
func startExchanger(t *testing.T) *exchanger {
	t.Helper()
	e := &exchanger{authority: rig.NewAuthority(t), dir: t.TempDir(), clients: make(map[string]any), key: ecKey(t)}
	e.write(t, "identity.json", map[string]any{"issuer": identity, "keys": []any{publicJWK(t, e.key, "identity")}})
	e.register(t, "portal", "client_secret_basic", map[string]any{"client_secret": "of the portal"})
	certificate := e.authority.Issue(t, "issuer")
	e.process = rig.Start(t, rig.Command{
		Name: "node", Dir: rig.NPM(t, "js"), Env: []string{"NODE_EXTRA_CA_CERTS=" + e.authority.File}, // for keys of clients
		Args: []string{"exchange.mjs", certificate.KeyFile, certificate.File, e.authority.File, filepath.Join(e.dir, "clients.json"), filepath.Join(e.dir, "identity.json"), orders, billing},
	})
	e.issuer = firstLine(t, e.process)
	return e
}

// register makes a client known, or changes what is known of it.
func (e *exchanger) register(t *testing.T, id, method string, more map[string]any) {
	t.Helper()
	client := map[string]any{
		"client_id": id, "token_endpoint_auth_method": method, "redirect_uris": []any{}, "response_types": []any{},
		"grant_types": []any{"urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
	}
	maps.Copy(client, more)
	e.clients[id] = client
	e.write(t, "clients.json", e.clients)
}

// write replaces a file by renaming.
func (e *exchanger) write(t *testing.T, name string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, filepath.Join(e.dir, name), data)
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// client returns a client of the issuer.
func (e *exchanger) client(t *testing.T, id string, auth exchange.Auth, change func(*exchange.Config)) *exchange.Client {
	t.Helper()
	return exchangeClient(t, e.authority, e.issuer, id, auth, change)
}

func exchangeClient(t *testing.T, authority *rig.Authority, issuer, id string, auth exchange.Auth, change func(*exchange.Config)) *exchange.Client {
	t.Helper()
	cfg := exchange.Config{Domain: issuer, ClientID: id, Auth: auth, Timeout: time.Minute, Doer: patient(authority, verifier.HTTPClientConfig{})}
	if change != nil {
		change(&cfg)
	}
	c, err := exchange.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// patient returns a client for slow machines.
func patient(authority *rig.Authority, cfg verifier.HTTPClientConfig) *http.Client {
	cfg.Timeout, cfg.RootCAs = time.Minute, authority.Pool
	return verifier.NewHTTPClient(cfg)
}

// assertion is one of identity about the user, for the issuer.
func (e *exchanger) assertion(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	return e.assertionBy(t, e.key, "identity", change)
}

// assertionBy is one that another key signs.
func (e *exchanger) assertionBy(t *testing.T, key crypto.Signer, id string, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": identity, "sub": user, "aud": e.issuer, "jti": rand.Text(),
		"iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
	}
	if change != nil {
		change(claims)
	}
	return sign(t, key, id, claims)
}

// userToken is a user's token for an API.
func (e *exchanger) userToken(t *testing.T, api string) string {
	t.Helper()
	c := e.client(t, "portal", exchange.ClientSecretBasic("of the portal"), nil)
	token, err := c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: e.assertion(t, nil), Resource: []string{api}, Scope: "read write"})
	if err != nil {
		t.Fatal(explain(err))
	}
	return token.AccessToken
}

// onBehalf asks for a token for billing.
func (e *exchanger) onBehalf(t *testing.T) exchange.OnBehalfOfRequest {
	t.Helper()
	return exchange.OnBehalfOfRequest{AccessToken: e.userToken(t, orders), Audience: billing, Scope: "read"}
}

// verified verifies a token as an API does.
func verified(t *testing.T, authority *rig.Authority, issuer, audience, token string) (*verifier.Token, error) {
	t.Helper()
	v, err := verifier.New(verifier.Config{Domain: issuer, Audience: audience, Doer: authority.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v.VerifyAccessToken(t.Context(), token)
}

// goodFor checks that a token is the user's, for one API and no other.
func (e *exchanger) goodFor(t *testing.T, api, token string) *verifier.Token {
	t.Helper()
	got, err := verified(t, e.authority, e.issuer, api, token)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != user {
		t.Errorf("subject %q; want %q", got.Subject, user)
	}
	if _, err := verified(t, e.authority, e.issuer, "https://other.example.com", token); !errors.Is(err, verifier.ErrInvalidToken) {
		t.Errorf("for another API: %v; want ErrInvalidToken", err)
	}
	return got
}

// explain returns an error with what the endpoint said.
func explain(err error) string {
	var e *exchange.Error
	if !errors.As(err, &e) {
		return "no error of package exchange"
	}
	return e.Error() + ": " + e.Code + ": " + e.ServerDescription()
}

// refused checks that the token endpoint refused a request.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var e *exchange.Error
	if !errors.As(err, &e) || !errors.Is(err, exchange.ErrRefused) || e.Status != status || e.Code != code {
		t.Errorf("%v; want ErrRefused, %d %s", err, status, code)
		if e != nil {
			t.Logf("%d %s", e.Status, explain(err))
		}
	}
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// publicJWK is the public key of a signer; without an id it has that of
// exchange.SigningKeyFile.
func publicJWK(t *testing.T, key crypto.Signer, id string) jose.JSONWebKey {
	t.Helper()
	public := jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"}
	if id == "" {
		sum, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		public.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	return public
}

func sign(t *testing.T, key crypto.Signer, id string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestExchange: the grants, at oidc-provider of npm.
func TestExchange(t *testing.T) {
	e := startExchanger(t)
	secret := exchange.ClientSecretBasic("of orders")
	e.register(t, "orders", "client_secret_basic", map[string]any{"client_secret": "of orders"})
	c := e.client(t, "orders", secret, nil)

	rig.Row(t, "JWT bearer: an assertion becomes a token", func(t *testing.T) {
		token, err := c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: e.assertion(t, nil), Resource: []string{orders}, Scope: "read"})
		if err != nil {
			t.Fatal(explain(err))
		}
		got := e.goodFor(t, orders, token.AccessToken)
		if token.TokenType != "Bearer" || token.Scope != "read" || token.ExpiresIn <= 0 || token.ExpiresAt.Sub(got.ExpiresAt).Abs() > 2*time.Second {
			t.Errorf("%s %q, ends at %v; want Bearer, read, %v", token.TokenType, token.Scope, token.ExpiresAt, got.ExpiresAt)
		}
	})
	rig.Row(t, "on behalf of: a token for another API, with the actor", func(t *testing.T) {
		token, err := c.OnBehalfOf(t.Context(), e.onBehalf(t))
		if err != nil {
			t.Fatal(explain(err))
		}
		got := e.goodFor(t, billing, token.AccessToken)
		actor, err := got.Actor()
		if err != nil || actor == nil || actor.Subject != "orders" || got.Scope != "read" || token.IssuedTokenType != exchange.TypeAccessToken {
			t.Errorf("actor %v, %v, scope %q, type %q", actor, err, got.Scope, token.IssuedTokenType)
		}
	})
	rig.Row(t, "the API that is called accepts the token, the one that calls does not", func(t *testing.T) {
		token, err := c.OnBehalfOf(t.Context(), e.onBehalf(t))
		if err != nil {
			t.Fatal(explain(err))
		}
		call(t, protected(t, e.authority, e.issuer, billing), token.AccessToken, 200)
		call(t, protected(t, e.authority, e.issuer, orders), token.AccessToken, 401)
	})
	rig.Row(t, "an opaque token is exchanged for an opaque one", func(t *testing.T) {
		request := e.onBehalf(t)
		request.AccessToken, request.Audience = e.userToken(t, orders+"/opaque"), billing+"/opaque"
		token, err := c.OnBehalfOf(t.Context(), request)
		if err != nil {
			t.Fatal(explain(err))
		}
		if strings.Contains(token.AccessToken, ".") || token.AccessToken == request.AccessToken {
			t.Error("the token is not a new opaque one")
		}
		call(t, opened(t, e.authority, e.issuer, billing, "orders", "of orders", nil), token.AccessToken, 200)
		call(t, opened(t, e.authority, e.issuer, orders, "orders", "of orders", nil), token.AccessToken, 401)
	})
	rig.Row(t, "a profile: another issuer's JWT, with the API as resource", func(t *testing.T) {
		token, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
			SubjectToken: e.assertion(t, nil), SubjectTokenType: exchange.TypeJWT, Resource: []string{billing}, RequestedTokenType: exchange.TypeAccessToken,
		})
		if err != nil {
			t.Fatal(explain(err))
		}
		e.goodFor(t, billing, token.AccessToken)
	})
	rig.Row(t, "another type of token than there is is refused", func(t *testing.T) {
		_, err := c.ExchangeProfile(t.Context(), exchange.ProfileRequest{
			SubjectToken: e.assertion(t, nil), SubjectTokenType: exchange.TypeJWT, Resource: []string{billing}, RequestedTokenType: exchange.TypeSAML2,
		})
		refused(t, err, 400, "invalid_request")
	})
	rig.Row(t, "an API that the issuer does not know is refused", func(t *testing.T) {
		request := e.onBehalf(t)
		request.Audience = "https://unknown.example.com"
		_, err := c.OnBehalfOf(t.Context(), request)
		refused(t, err, 400, "invalid_target")
	})
	rig.Row(t, "a token for another API is no subject token", func(t *testing.T) {
		request := e.onBehalf(t)
		request.AccessToken = e.userToken(t, billing)
		_, err := c.OnBehalfOf(t.Context(), request)
		refused(t, err, 400, "invalid_request")
	})
	rig.Row(t, "an unknown opaque token is no subject token", func(t *testing.T) {
		request := e.onBehalf(t)
		request.AccessToken = "unknown"
		_, err := c.OnBehalfOf(t.Context(), request)
		refused(t, err, 400, "invalid_request")
	})
	for _, wrong := range []struct {
		name string
		make func(t *testing.T) string
	}{
		{"of another key", func(t *testing.T) string { return e.assertionBy(t, ecKey(t), "identity", nil) }},
		{"of another issuer", func(t *testing.T) string {
			return e.assertion(t, func(c map[string]any) { c["iss"] = "https://other.example.com" })
		}},
		{"for another issuer", func(t *testing.T) string {
			return e.assertion(t, func(c map[string]any) { c["aud"] = "https://other.example.com" })
		}},
		{"that has expired", func(t *testing.T) string {
			return e.assertion(t, func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() })
		}},
		{"without exp", func(t *testing.T) string { return e.assertion(t, func(c map[string]any) { delete(c, "exp") }) }},
	} {
		rig.Row(t, "an assertion "+wrong.name+" is refused", func(t *testing.T) {
			_, err := c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: wrong.make(t), Resource: []string{orders}})
			refused(t, err, 400, "invalid_grant")
		})
	}
	rig.Row(t, "an assertion is used once", func(t *testing.T) {
		request := exchange.JWTBearerRequest{Assertion: e.assertion(t, nil), Resource: []string{orders}}
		if _, err := c.JWTBearer(t.Context(), request); err != nil {
			t.Fatal(explain(err))
		}
		_, err := c.JWTBearer(t.Context(), request)
		refused(t, err, 400, "invalid_grant")
	})

	request := e.onBehalf(t)
	e.process.Stop()
	rig.Row(t, "no answer while the issuer is down", func(t *testing.T) {
		if _, err := c.OnBehalfOf(t.Context(), request); !errors.Is(err, exchange.ErrNetwork) {
			t.Errorf("%v; want ErrNetwork", err)
		}
	})
	rig.Row(t, "no metadata for a client that starts then", func(t *testing.T) {
		if _, err := e.client(t, "orders", secret, nil).OnBehalfOf(t.Context(), request); !errors.Is(err, exchange.ErrMetadata) {
			t.Errorf("%v; want ErrMetadata", err)
		}
	})
}

// recorder passes requests on and remembers the answers of the token endpoint.
type recorder struct {
	doer    verifier.Doer
	answers []recorded
}

type recorded struct {
	host      string
	status    int
	code      string // of an error
	assertion string // of the client
}

func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	var form url.Values
	if request.Method == http.MethodPost {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	response, err := r.doer.Do(request)
	if err != nil || form == nil {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct{ Error string }
	_ = json.Unmarshal(body, &answer)
	r.answers = append(r.answers, recorded{request.URL.Host, response.StatusCode, answer.Error, form.Get("client_assertion")})
	return response, err
}

// story is what the token endpoint answered, such as "400 use_dpop_nonce, 200".
func (r *recorder) story() string {
	var lines []string
	for _, a := range r.answers {
		lines = append(lines, strings.TrimSpace(http.StatusText(a.status)+" "+a.code))
	}
	return strings.Join(lines, ", ")
}
