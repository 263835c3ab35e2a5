package exchange_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// form is a token endpoint that takes exactly one form: each parameter with
// exactly these values, and no other one. It stands for servers that are not at
// hand here; the source of each form is named where it is used.
func formOf(want url.Values, answer string) *endpoint {
	return &endpoint{answer: func(form url.Values, header http.Header) (int, http.Header, string) {
		if !reflect.DeepEqual(form, want) || header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			return 400, nil, `{"error":"invalid_request"}`
		}
		return 200, nil, answer
	}}
}

const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// TestForms: what is sent, by grant, parameter by parameter.
func TestForms(t *testing.T) {
	access := `{"access_token":"t","token_type":"Bearer","expires_in":60}`
	post := exchange.ClientSecretPost(secret)
	credentials := url.Values{"client_id": {clientID}, "client_secret": {secret}}
	with := func(more url.Values) url.Values {
		all := maps.Clone(credentials)
		maps.Copy(all, more)
		return all
	}
	for _, c := range []struct {
		name   string
		form   url.Values
		answer string
		change func(*exchange.Config)
		call   func(context.Context, *exchange.Client) error
	}{
		{
			"JWT bearer (RFC 7523, Section 2.1)",
			with(url.Values{"grant_type": {bearerGrant}, "assertion": {"a.b.c"}, "scope": {"x y"}}), access, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a.b.c", Scope: "x y"}))
			},
		},
		{
			"JWT bearer for a resource (identity chaining; RFC 8707)",
			with(url.Values{"grant_type": {bearerGrant}, "assertion": {"a.b.c"}, "resource": {"https://api.example/"}, "audience": {"b", "c"}, "x": {"1"}}), access, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a.b.c", Audience: "b", Audiences: []string{"c"}, Resource: []string{"https://api.example/"}, Extra: url.Values{"x": {"1"}}}))
			},
		},
		{
			"first leg of chaining (RFC 8693, Section 2.1)",
			with(url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"s"}, "subject_token_type": {exchange.TypeAccessToken},
				"requested_token_type": {exchange.TypeJWT}, "audience": {"https://as.b.example"},
			}),
			`{"access_token":"g","issued_token_type":"urn:ietf:params:oauth:token-type:jwt","token_type":"N_A"}`, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.ExchangeProfile(ctx, exchange.ProfileRequest{SubjectToken: "s", SubjectTokenType: exchange.TypeAccessToken, RequestedTokenType: exchange.TypeJWT, Audience: "https://as.b.example"}))
			},
		},
		{
			"ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant)",
			with(url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"i.d.t"}, "subject_token_type": {exchange.TypeIDToken},
				"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"}, "audience": {"https://as.chat.example/"}, "resource": {"https://mcp.chat.example/"}, "scope": {"chat.read"},
			}),
			`{"access_token":"j.a.g","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"N_A","expires_in":300}`, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.IDJAG(ctx, exchange.IDJAGRequest{SubjectToken: "i.d.t", Audience: "https://as.chat.example/", Resource: []string{"https://mcp.chat.example/"}, Scope: "chat.read"}))
			},
		},
		{
			"ID-JAG from a refresh token",
			with(url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"r"}, "subject_token_type": {exchange.TypeRefreshToken},
				"requested_token_type": {exchange.TypeIDJAG}, "audience": {"a"},
			}),
			`{"access_token":"j","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"n_a"}`, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.IDJAG(ctx, exchange.IDJAGRequest{SubjectToken: "r", SubjectTokenType: exchange.TypeRefreshToken, Audience: "a"}))
			},
		},
		{
			"on behalf of, Microsoft Entra ID (its documentation of the v2.0 on-behalf-of flow)",
			with(url.Values{"grant_type": {bearerGrant}, "assertion": {"u.s.r"}, "requested_token_use": {"on_behalf_of"}, "scope": {"https://graph.microsoft.com/user.read offline_access"}}), access,
			func(cfg *exchange.Config) { cfg.OnBehalfOf = exchange.OnBehalfOfEntra },
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "u.s.r", Scope: "https://graph.microsoft.com/user.read offline_access"}))
			},
		},
		{
			"external to internal, Keycloak (its documentation of token exchange)",
			with(url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"ext"}, "subject_token_type": {exchange.TypeAccessToken},
				"subject_issuer": {"google"}, "audience": {"target-client"},
			}), access, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.ExchangeProfile(ctx, exchange.ProfileRequest{SubjectToken: "ext", SubjectTokenType: exchange.TypeAccessToken, SubjectIssuer: "google", Audience: "target-client"}))
			},
		},
		{
			"several audiences and resources (RFC 8693, Section 2.1)",
			with(url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"s"}, "subject_token_type": {exchange.TypeAccessToken}, "requested_token_type": {exchange.TypeAccessToken},
				"audience": {"a", "b", "a"}, "resource": {"urn:x", "https://y.example/z"},
			}), access, nil,
			func(ctx context.Context, c *exchange.Client) error {
				return second(c.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "s", Audience: "a", Audiences: []string{"b", "a"}, Resource: []string{"urn:x", "https://y.example/z"}}))
			},
		},
	} {
		client := formOf(c.form, c.answer).client(t, func(cfg *exchange.Config) {
			cfg.Auth = post
			if c.change != nil {
				c.change(cfg)
			}
		})
		if err := c.call(t.Context(), client); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestGrantArguments: mistakes are told before anything is sent.
func TestGrantArguments(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	c := e.client(t, nil)
	entra := e.client(t, func(cfg *exchange.Config) { cfg.OnBehalfOf = exchange.OnBehalfOfEntra })
	many := slices.Repeat([]string{"a"}, 21)
	ctx := t.Context()
	for name, err := range map[string]error{
		"no assertion":             second(c.JWTBearer(ctx, exchange.JWTBearerRequest{})),
		"blank assertion":          second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: " "})),
		"relative resource":        second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a", Resource: []string{"/x"}})),
		"reserved name":            second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a", Extra: url.Values{"assertion[]": {"b"}}})),
		"too many audiences":       second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a", Audiences: many})),
		"empty audience":           second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a", Audiences: []string{""}})),
		"ID-JAG without audience":  second(c.IDJAG(ctx, exchange.IDJAGRequest{SubjectToken: "s"})),
		"ID-JAG without token":     second(c.IDJAG(ctx, exchange.IDJAGRequest{Audience: "a"})),
		"on behalf, no audience":   second(c.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a"})),
		"too many resources":       second(c.ExchangeProfile(ctx, exchange.ProfileRequest{SubjectToken: "s", SubjectTokenType: "t", Resource: slices.Repeat([]string{"urn:a"}, 21)})),
		"Entra without token":      second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{Scope: "s"})),
		"Entra without scope":      second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a"})),
		"Entra with audience":      second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", Audience: "x"})),
		"Entra with resource":      second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", Resource: []string{"urn:x"}})),
		"Entra with actor":         second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", ActorToken: "x", ActorTokenType: "y"})),
		"Entra with organization":  second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", Organization: "org_1"})),
		"Entra, scheme before":     second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "Bearer a", Scope: "s"})),
		"Entra, its own parameter": second(entra.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "a", Scope: "s", Extra: url.Values{"Requested-Token-Use": {"x"}}})),
	} {
		if !errors.Is(err, exchange.ErrArgument) {
			t.Errorf("%s: %v; want ErrArgument", name, err)
		}
	}
	if e.count() != 0 {
		t.Errorf("%d requests were sent", e.count())
	}
}

// TestIDJAGAnswers: only a grant is taken for one.
func TestIDJAGAnswers(t *testing.T) {
	jag := exchange.TypeIDJAG
	for body, want := range map[string]bool{
		`{"access_token":"j","issued_token_type":"` + jag + `","token_type":"N_A"}`:                         true,
		`{"access_token":"j","issued_token_type":"` + jag + `","token_type":"n_a","refresh_token":"r"}`:     true,
		`{"access_token":"j","token_type":"N_A"}`:                                                           false,
		`{"access_token":"j","issued_token_type":"` + exchange.TypeAccessToken + `","token_type":"Bearer"}`: false,
		`{"access_token":"j","issued_token_type":"` + jag + `","token_type":"mac"}`:                         false,
	} {
		for name, change := range map[string]func(*exchange.Config){"plain": nil, "DPoP": func(cfg *exchange.Config) { cfg.DPoPKey = newKey(t, "ES256") }} {
			got, err := answering(200, body).client(t, change).IDJAG(t.Context(), exchange.IDJAGRequest{SubjectToken: "s", Audience: "a"})
			if (err == nil) != want || err != nil && !errors.Is(err, exchange.ErrTokenType) {
				t.Errorf("%s, %s: %v; want it taken: %v", name, body, err, want)
			}
			if err == nil && got.AccessToken != "j" {
				t.Errorf("%s: grant %q", body, got.AccessToken)
			}
		}
	}
}

// TestIDJAGEndToEnd: enterprise-managed authorization. The identity provider
// issues a grant for the chat service's authorization server; that one verifies
// the grant, with the provider's keys, and issues an access token, with which the
// chat API is called, bound to a DPoP key.
func TestIDJAGEndToEnd(t *testing.T) {
	provider := verifiertest.NewIssuer(t, verifiertest.WithURL("https://idp.example/"))
	chat := verifiertest.NewIssuer(t, verifiertest.WithURL("https://as.chat.example/"))
	const api = "https://mcp.chat.example/"
	provider.RequireClientSecretBasic("agent-at-idp", secret)
	key := newKey(t, "ES256")
	chat.RequirePrivateKeyJWT("agent-at-chat", key.Public(), "ES256")
	chat.RequireDPoP("nonce-of-chat")

	idToken := provider.SignWith(nil, map[string]any{"iss": provider.URL(), "sub": "user-1", "aud": "agent-at-idp", "exp": time.Now().Add(time.Hour).Unix()})
	provider.AnswerExchanges(func(form url.Values) (int, any) {
		if form.Get("subject_token") != idToken || form.Get("requested_token_type") != exchange.TypeIDJAG || form.Get("audience") != chat.URL() {
			return 400, map[string]any{"error": "invalid_request"}
		}
		grant := provider.SignWith(map[string]any{"typ": "oauth-id-jag+jwt"}, map[string]any{
			"iss": provider.URL(), "sub": "user-1", "aud": form.Get("audience"), "client_id": "agent-at-chat", "jti": "1",
			"exp": time.Now().Add(5 * time.Minute).Unix(), "iat": time.Now().Unix(), "resource": form.Get("resource"), "scope": form.Get("scope"),
		})
		return 200, map[string]any{"access_token": grant, "issued_token_type": exchange.TypeIDJAG, "token_type": "N_A", "expires_in": 300}
	})

	bound := newKey(t, "ES256")
	used := make(map[string]bool)
	chat.AnswerExchanges(func(form url.Values) (int, any) {
		claims, problem := grantOf(provider, form, chat.URL(), "agent-at-chat")
		if problem == "" && used[claims.ID] {
			problem = "used before"
		}
		if problem != "" {
			t.Log(problem)
			return 400, map[string]any{"error": "invalid_grant"}
		}
		used[claims.ID] = true
		return 200, map[string]any{"token_type": "DPoP", "expires_in": 600, "access_token": chat.Sign(claims.Resource, map[string]any{
			"sub": claims.Subject, "scope": claims.Scope, "cnf": map[string]any{"jkt": thumbprint(t, bound)},
		})}
	})

	first := newClient(t, provider, func(cfg *exchange.Config) { cfg.ClientID = "agent-at-idp" })
	secondLeg := newClient(t, chat, func(cfg *exchange.Config) {
		cfg.ClientID, cfg.Auth, cfg.DPoPKey = "agent-at-chat", exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key}), bound
	})
	grant, err := first.IDJAG(t.Context(), exchange.IDJAGRequest{SubjectToken: idToken, Audience: chat.URL(), Resource: []string{api}, Scope: "chat.read"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := secondLeg.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: grant.AccessToken, Scope: "chat.read"})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := secondLeg.Proof(http.MethodGet, api+"messages", &token.Token, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := chat.Config(api)
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r := httptest.NewRequest(http.MethodGet, api+"messages", nil)
	token.Authorize(r)
	r.Header.Set("DPoP", proof)
	verified, err := v.VerifyHTTPRequest(r)
	if err != nil || verified.Subject != "user-1" || !verified.HasScope("chat.read") || verified.Scheme != verifier.SchemeDPoP {
		t.Errorf("the chat API: %v, %v", verified, err)
	}
	// A grant is for one authorization server, and for one use.
	for name, assertion := range map[string]string{"a second time": grant.AccessToken, "the ID token": idToken} {
		_, err := secondLeg.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: assertion, Scope: "x"})
		wantedAnswer{400, "invalid_grant", exchange.ErrRefused}.check(t, name, err)
	}
}

// grantClaims are the claims of an ID-JAG
// (draft-ietf-oauth-identity-assertion-authz-grant, Section 3).
type grantClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ClientID string `json:"client_id"`
	ID       string `json:"jti"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Resource string `json:"resource"`
	Scope    string `json:"scope"`
}

// grantOf checks the form of a request with an ID-JAG, and the grant itself, as
// the authorization server of the API must: parameters, type, signature, issuer,
// audience, client and time. It returns what is wrong.
func grantOf(provider *verifiertest.Issuer, form url.Values, audience, client string) (c grantClaims, problem string) {
	if form.Get("grant_type") != bearerGrant || form.Has("subject_token") || form.Has("requested_token_type") || len(form["assertion"]) != 1 {
		return c, "not the form of RFC 7523, Section 2.1"
	}
	signed, err := jose.ParseSigned(form.Get("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return c, "not a JWS"
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(provider.JWKS(), &keys); err != nil {
		return c, "no keys"
	}
	payload, err := signed.Verify(keys.Keys[0])
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return c, "a signature that is not the provider's"
	}
	now := time.Now().Unix()
	switch {
	case signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != "oauth-id-jag+jwt":
		return c, "another type"
	case c.Issuer != provider.URL() || c.Audience != audience || c.ClientID != client || c.Subject == "" || c.ID == "":
		return c, "not for this server and client"
	case c.Expires <= now || c.Issued > now+60:
		return c, "not of this time"
	}
	return c, ""
}

func thumbprint(t *testing.T, key crypto.Signer) string {
	t.Helper()
	jwk := jose.JSONWebKey{Key: key.Public()}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// body is a response's body.
func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// TestMatrix: every grant with every kind of client authentication, bound to a
// DPoP key and not, with metadata at either place.
func TestMatrix(t *testing.T) {
	key := newKey(t, "ES256")
	auths := map[string]struct {
		auth    exchange.Auth
		require func(*verifiertest.Issuer)
	}{
		"client_secret_basic": {exchange.ClientSecretBasic(secret), func(i *verifiertest.Issuer) { i.RequireClientSecretBasic(clientID, secret) }},
		"client_secret_post":  {exchange.ClientSecretPost(secret), func(i *verifiertest.Issuer) { i.RequireClientSecretPost(clientID, secret) }},
		"basic, function":     {exchange.ClientSecretBasicFrom(constant(secret)), func(i *verifiertest.Issuer) { i.RequireClientSecretBasic(clientID, secret) }},
		"private_key_jwt": {exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: key}), func(i *verifiertest.Issuer) {
			i.RequirePrivateKeyJWT(clientID, key.Public(), "ES256")
		}},
		"private_key_jwt, source": {exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Source: func(context.Context) (exchange.SigningKey, error) {
			return exchange.SigningKey{Key: key}, nil
		}}), func(i *verifiertest.Issuer) { i.RequirePrivateKeyJWT(clientID, key.Public(), "ES256") }},
		"somebody else's assertion": {exchange.ClientAssertion(constant("a.b.c"), ""), func(*verifiertest.Issuer) {}},
	}
	grants := map[string]func(context.Context, *exchange.Client) error{
		"profile": func(ctx context.Context, c *exchange.Client) error {
			return second(c.ExchangeProfile(ctx, profile("s")))
		},
		"on behalf": func(ctx context.Context, c *exchange.Client) error {
			return second(c.OnBehalfOf(ctx, exchange.OnBehalfOfRequest{AccessToken: "s", Audience: backend}))
		},
		"connection": func(ctx context.Context, c *exchange.Client) error {
			return second(c.ConnectionToken(ctx, exchange.ConnectionRequest{Connection: "c", RefreshToken: "r"}))
		},
		"jwt-bearer": func(ctx context.Context, c *exchange.Client) error {
			return second(c.JWTBearer(ctx, exchange.JWTBearerRequest{Assertion: "a.b.c"}))
		},
		"id-jag": func(ctx context.Context, c *exchange.Client) error {
			return second(c.IDJAG(ctx, exchange.IDJAGRequest{SubjectToken: "s", Audience: backend}))
		},
	}
	n := 0
	for authName, a := range auths {
		for grantName, call := range grants {
			for _, bound := range []bool{false, true} {
				for _, place := range []string{"openid-configuration", "oauth-authorization-server"} {
					name := fmt.Sprintf("%s, %s, bound %v, %s", authName, grantName, bound, place)
					issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"), verifiertest.WithAlgorithm("ES256"))
					a.require(issuer)
					if bound {
						issuer.RequireDPoP("n-1")
					}
					issuer.AnswerExchanges(func(form url.Values) (int, any) {
						answer := map[string]any{"access_token": "t", "token_type": map[bool]string{false: "Bearer", true: "DPoP"}[bound], "expires_in": 60}
						if requested := form.Get("requested_token_type"); requested != "" {
							answer["issued_token_type"] = requested
							if requested == exchange.TypeIDJAG {
								answer["token_type"] = "N_A"
							}
						}
						return 200, answer
					})
					c := newClient(t, issuer, func(cfg *exchange.Config) {
						cfg.Auth = a.auth
						if bound {
							cfg.DPoPKey = newKey(t, "ES256")
						}
						inner := issuer.Client()
						cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
							if r.Method == http.MethodPost {
								return inner.Do(r)
							}
							if !strings.HasSuffix(r.URL.Path, place) {
								return &http.Response{StatusCode: 404, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
							}
							sent := r.Clone(r.Context())
							sent.URL.Path = "/.well-known/openid-configuration"
							resp, err := inner.Do(sent)
							if err == nil {
								resp.Request = r
							}
							return resp, err
						})
					})
					if err := call(t.Context(), c); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if want := map[bool]int{false: 1, true: 2}[bound]; issuer.Requests().Token != want {
						t.Errorf("%s: %d token requests; want %d", name, issuer.Requests().Token, want)
					}
					n++
				}
			}
		}
	}
	t.Logf("%d combinations", n)
}

// TestEntraCertificates: its keys are told apart by the certificate's thumbprint.
func TestEntraCertificates(t *testing.T) {
	certificate := newAuthority(t).root
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
	c := newClient(t, issuer, func(cfg *exchange.Config) {
		cfg.OnBehalfOf = exchange.OnBehalfOfEntra
		cfg.Auth = exchange.PrivateKeyJWT(exchange.PrivateKeyJWTConfig{Key: newKey(t, "PS256"), Algorithm: "PS256", Certificate: certificate, TokenEndpointAudience: true})
	})
	if _, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: "a.b.c", Scope: "api://x/.default"}); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(certificate.Raw)
	if header, claims := assertion(t, issuer.Exchanges()[0]); header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) || header["alg"] != "PS256" || claims["aud"] != issuer.URL()+"oauth/token" {
		t.Errorf("assertion %v %v", header, claims)
	}
}

// TestPlainHTTPIsOnPurpose: an issuer whose own name is http, on loopback or on a
// listed host, is asked over http; an https issuer never leads there.
func TestPlainHTTPIsOnPurpose(t *testing.T) {
	for _, c := range []struct {
		domain, endpoint string
		hosts            []string
		made, sent       bool
	}{
		{"http://localhost:8080/realms/x", "http://localhost:8080/token", nil, true, true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/token", nil, true, true},
		{"http://keycloak.internal/", "http://keycloak.internal/token", []string{"keycloak.internal"}, true, true},
		{"http://keycloak.internal/", "http://other.internal/token", []string{"keycloak.internal"}, true, false},
		{"http://keycloak.internal/", "https://other.internal/token", []string{"keycloak.internal"}, true, true},
		{"http://keycloak.internal/", "", nil, false, false},
		{"http://localhost/?x=1", "", nil, false, false},
		{"http://u@localhost/", "", nil, false, false},
		{"https://tenant.example", "http://localhost/token", []string{"localhost"}, true, false},
	} {
		posts := 0
		client, err := exchange.New(exchange.Config{
			Domain: c.domain, HTTPHosts: c.hosts, ClientID: clientID, Auth: exchange.ClientSecretBasic(secret),
			Doer: verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				answer := `{"issuer":"` + c.domain + `","token_endpoint":"` + c.endpoint + `"}`
				if r.Method == http.MethodPost {
					posts++
					answer = `{"access_token":"t"}`
				}
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body(answer), Request: r}, nil
			}),
		})
		if (err == nil) != c.made {
			t.Errorf("%s: %v; want a client: %v", c.domain, err, c.made)
		}
		if err != nil {
			continue
		}
		_, err = client.ExchangeProfile(t.Context(), profile("s"))
		if (err == nil) != c.sent || (posts == 1) != c.sent {
			t.Errorf("%s, endpoint %s: %v after %d posts; want it sent: %v", c.domain, c.endpoint, err, posts, c.sent)
		}
		_ = client.Close()
	}
}
