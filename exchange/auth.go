package exchange

import (
	"crypto"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// Auth is how a client proves to the token endpoint who it is. The shipped ones
// are all there are: [ClientSecretBasic], [ClientSecretPost], [PrivateKeyJWT]
// and [MutualTLS]. Printing one shows no secret.
type Auth interface {
	// name of the method as registered (RFC 8414, Section 2).
	name() string
	// prepare returns what New keeps, or what is wrong.
	prepare(cfg *Config) (Auth, error)
	// authenticate adds what the method sends.
	authenticate(r *tokenRequest) error
}

// tokenRequest is a request to the token endpoint in the making.
type tokenRequest struct {
	clientID string
	metadata *verifier.Metadata
	now      time.Time
	form     url.Values
	header   http.Header
	// secrets must not come back in an error.
	secrets []string
}

// ClientSecretBasic authenticates with a secret in the Authorization header
// (RFC 6749, Section 2.3.1). Id and secret are form-encoded before they are
// joined, as that section demands, so every character works.
func ClientSecretBasic(secret string) Auth { return &secretBasic{secret: secret} }

// ClientSecretPost authenticates with a secret in the form (RFC 6749, Section
// 2.3.1), for issuers that do not know [ClientSecretBasic].
func ClientSecretPost(secret string) Auth { return &secretPost{secret: secret} }

// MutualTLS authenticates with the certificate of the TLS connection (RFC 8705,
// Section 2), which is that of Config.Doer. Requests go to the token endpoint
// of the issuer's mtls_endpoint_aliases where there is one.
func MutualTLS() Auth { return &mutualTLS{} }

// PrivateKeyJWTConfig is for [PrivateKeyJWT].
type PrivateKeyJWTConfig struct {
	hidden

	// Key signs the assertions. Its Sign has no context: a remote one must bound
	// itself.
	Key crypto.Signer
	// Algorithm is RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA or Ed25519. Default: RS256 for RSA keys, EdDSA for Ed25519, and the
	// one of the curve.
	Algorithm string
	// KeyID is the kid header, if the issuer needs one to tell keys apart.
	KeyID string
	// Lifetime of an assertion. Default 1 minute, at most 5.
	Lifetime time.Duration
	// Type is the typ header. Default JWT; an issuer that follows
	// draft-ietf-oauth-rfc7523bis may want "client-authentication+jwt".
	Type string
	// TokenEndpointAudience makes the token endpoint the audience, for issuers
	// that refuse the default, which is their own name. See the package's
	// documentation for what that gives away.
	TokenEndpointAudience bool
}

// PrivateKeyJWT authenticates with an assertion that a key signs (RFC 7523,
// Section 2.2; OpenID Connect Core 1.0, Section 9). Each request has one of its
// own.
func PrivateKeyJWT(cfg PrivateKeyJWTConfig) Auth { return &privateKeyJWT{cfg: cfg} }

type secretBasic struct {
	hidden
	secret string
}

func (*secretBasic) name() string { return "client_secret_basic" }

func (a *secretBasic) prepare(*Config) (Auth, error) { return a, checkSecret(a.secret) }

func (a *secretBasic) authenticate(r *tokenRequest) error {
	pair := url.QueryEscape(r.clientID) + ":" + url.QueryEscape(a.secret)
	encoded := base64.StdEncoding.EncodeToString([]byte(pair))
	r.header.Set("Authorization", "Basic "+encoded)
	r.secrets = append(r.secrets, a.secret, encoded)
	return nil
}

type secretPost struct {
	hidden
	secret string
}

func (*secretPost) name() string { return "client_secret_post" }

func (a *secretPost) prepare(*Config) (Auth, error) { return a, checkSecret(a.secret) }

func (a *secretPost) authenticate(r *tokenRequest) error {
	r.form.Set("client_id", r.clientID)
	r.form.Set("client_secret", a.secret)
	r.secrets = append(r.secrets, a.secret)
	return nil
}

func checkSecret(secret string) error {
	if secret == "" {
		return invalid("Auth", "has an empty secret")
	}
	return nil
}

type mutualTLS struct{ hidden }

func (*mutualTLS) name() string { return "tls_client_auth" }

func (a *mutualTLS) prepare(cfg *Config) (Auth, error) {
	if cfg.Doer == nil {
		return nil, invalid("Doer", "must have the client certificate for MutualTLS")
	}
	client, ok := cfg.Doer.(*http.Client)
	if !ok || client == nil {
		return a, nil // who writes a Doer knows its certificate
	}
	transport, ok := client.Transport.(*http.Transport)
	if client.Transport == nil || ok && !hasCertificate(transport.TLSClientConfig) {
		return nil, invalid("Doer", "has no client certificate, which MutualTLS needs")
	}
	return a, nil
}

func hasCertificate(c *tls.Config) bool {
	return c != nil && (len(c.Certificates) > 0 || c.GetClientCertificate != nil)
}

func (*mutualTLS) authenticate(r *tokenRequest) error {
	r.form.Set("client_id", r.clientID) // RFC 8705, Section 2
	return nil
}

type privateKeyJWT struct {
	hidden
	cfg    PrivateKeyJWTConfig
	signer *signer
}

// maxAssertion is how long an assertion may live; it is used at once.
const maxAssertion = 5 * time.Minute

func (*privateKeyJWT) name() string { return "private_key_jwt" }

func (a *privateKeyJWT) prepare(*Config) (Auth, error) {
	s, err := newSigner(a.cfg.Key, a.cfg.Algorithm)
	if err != nil {
		return nil, invalid("Auth", err.Error())
	}
	if a.cfg.Lifetime < 0 || a.cfg.Lifetime > maxAssertion {
		return nil, invalid("Auth", "has a Lifetime that is not between 0 and 5 minutes")
	}
	return &privateKeyJWT{cfg: a.cfg, signer: s}, nil
}

// authenticate signs an assertion. Its audience is the issuer's name alone, as
// draft-ietf-oauth-rfc7523bis demands: an assertion for a token endpoint can be
// obtained by whoever makes a client believe that this is its own endpoint.
func (a *privateKeyJWT) authenticate(r *tokenRequest) error {
	audience := r.metadata.Issuer
	if a.cfg.TokenEndpointAudience {
		audience = r.metadata.TokenEndpoint
	}
	lifetime := a.cfg.Lifetime
	if lifetime == 0 {
		lifetime = time.Minute
	}
	header := map[string]any{"typ": "JWT"}
	if a.cfg.Type != "" {
		header["typ"] = a.cfg.Type
	}
	if a.cfg.KeyID != "" {
		header["kid"] = a.cfg.KeyID
	}
	assertion, err := a.signer.sign(header, map[string]any{
		"iss": r.clientID, "sub": r.clientID, "aud": audience, "jti": randomID(),
		"iat": r.now.Unix(), "exp": r.now.Add(lifetime).Unix(),
	})
	if err != nil {
		return err
	}
	r.form.Set("client_id", r.clientID)
	r.form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r.form.Set("client_assertion", assertion)
	r.secrets = append(r.secrets, assertion)
	return nil
}
