package exchange

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/verifier"
)

// Auth is how a client proves to the token endpoint who it is. The shipped ones
// are all there are: [ClientSecretBasic], [ClientSecretPost], [PrivateKeyJWT],
// [ClientAssertion] and [MutualTLS]. Printing one shows no secret.
type Auth interface {
	// name of the method as registered (RFC 8414, Section 2).
	name() string
	// prepare returns what New keeps, or what is wrong.
	prepare(cfg *Config) (Auth, error)
	// authenticate adds what the method sends.
	authenticate(ctx context.Context, r *tokenRequest) error
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
func ClientSecretBasic(secret string) Auth { return &secretBasic{secret: constant(secret)} }

// ClientSecretBasicFrom is ClientSecretBasic for a secret that changes.
func ClientSecretBasicFrom(secret Credential) Auth { return &secretBasic{secret: secret} }

// ClientSecretPost authenticates with a secret in the form (RFC 6749, Section
// 2.3.1), for issuers that do not know [ClientSecretBasic].
func ClientSecretPost(secret string) Auth { return &secretPost{secret: constant(secret)} }

// ClientSecretPostFrom is ClientSecretPost for a secret that changes.
func ClientSecretPostFrom(secret Credential) Auth { return &secretPost{secret: secret} }

// constant returns nil for "", which prepare refuses.
func constant(secret string) Credential {
	if secret == "" {
		return nil
	}
	return func(context.Context) (string, error) { return secret, nil }
}

// AssertionJWT is the usual type of a client assertion (RFC 7523, Section 2.2).
const AssertionJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// ClientAssertion authenticates with an assertion that somebody else issued (RFC
// 7521, Section 4.2; RFC 7523, Section 2.2): a service-account token of a
// Kubernetes cluster, the token of a workload identity, a SPIFFE JWT-SVID.
// [CredentialFile] reads one that is kept up to date in a file. assertionType is
// its client_assertion_type; "" means AssertionJWT.
func ClientAssertion(assertion Credential, assertionType string) Auth {
	if assertionType == "" {
		assertionType = AssertionJWT
	}
	return &externalAssertion{assertion: assertion, kind: assertionType}
}

// MutualTLS authenticates with the certificate of the TLS connection (RFC 8705,
// Section 2), which is that of Config.Doer. Requests go to the token endpoint
// of the issuer's mtls_endpoint_aliases where there is one.
func MutualTLS() Auth { return &mutualTLS{} }

// PrivateKeyJWTConfig is for [PrivateKeyJWT].
type PrivateKeyJWTConfig struct {
	hidden

	// Key signs the assertions. Its Sign has no context: a remote one must bound
	// itself. Either Key or Source is required.
	Key crypto.Signer
	// Source gives the key instead, with its algorithm and kid, for keys that are
	// rotated: see [SigningKeyFile]. It is asked for each assertion.
	Source SigningKeySource
	// Algorithm is RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512,
	// EdDSA or Ed25519. Default: RS256 for RSA keys, EdDSA for Ed25519, and the
	// one of the curve.
	Algorithm string
	// KeyID is the kid header, if the issuer needs one to tell keys apart. Not
	// with Source.
	KeyID string
	// Certificate, if given, is the one of the key: its SHA-256 thumbprint is sent
	// as the x5t#S256 header (RFC 7515, Section 4.1.8), by which Microsoft Entra ID
	// tells keys apart. Not with Source.
	Certificate *x509.Certificate
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
	secret Credential
}

func (*secretBasic) name() string { return "client_secret_basic" }

func (a *secretBasic) prepare(*Config) (Auth, error) { return a, checkCredential(a.secret) }

func (a *secretBasic) authenticate(ctx context.Context, r *tokenRequest) error {
	secret, err := a.secret.current(ctx)
	if err != nil {
		return err
	}
	pair := url.QueryEscape(r.clientID) + ":" + url.QueryEscape(secret)
	encoded := base64.StdEncoding.EncodeToString([]byte(pair))
	r.header.Set("Authorization", "Basic "+encoded)
	r.secrets = append(r.secrets, secret, encoded)
	return nil
}

type secretPost struct {
	hidden
	secret Credential
}

func (*secretPost) name() string { return "client_secret_post" }

func (a *secretPost) prepare(*Config) (Auth, error) { return a, checkCredential(a.secret) }

func (a *secretPost) authenticate(ctx context.Context, r *tokenRequest) error {
	secret, err := a.secret.current(ctx)
	if err != nil {
		return err
	}
	r.form.Set("client_id", r.clientID)
	r.form.Set("client_secret", secret)
	r.secrets = append(r.secrets, secret)
	return nil
}

func checkCredential(c Credential) error {
	if c == nil {
		return invalid("Auth", "has an empty secret, or no source of one")
	}
	return nil
}

type externalAssertion struct {
	hidden
	assertion Credential
	kind      string
}

// name: the method is private_key_jwt for the server, but the party that signs
// is another one; results are not shared between the two.
func (a *externalAssertion) name() string { return "client_assertion " + a.kind }

func (a *externalAssertion) prepare(*Config) (Auth, error) {
	if strings.ContainsFunc(a.kind, func(r rune) bool { return r <= 0x20 || r >= 0x7f }) {
		return nil, invalid("Auth", "has an assertion type that is not a URI")
	}
	return a, checkCredential(a.assertion)
}

func (a *externalAssertion) authenticate(ctx context.Context, r *tokenRequest) error {
	assertion, err := a.assertion.current(ctx)
	if err != nil {
		return err
	}
	if tokenProblem(assertion) != "" {
		return noCredential(ctx, errCredentialForm)
	}
	r.assert(a.kind, assertion)
	return nil
}

// assert adds a client assertion (RFC 7521, Section 4.2).
func (r *tokenRequest) assert(kind, assertion string) {
	r.form.Set("client_id", r.clientID)
	r.form.Set("client_assertion_type", kind)
	r.form.Set("client_assertion", assertion)
	r.secrets = append(r.secrets, assertion)
}

type mutualTLS struct{ hidden }

func (*mutualTLS) name() string { return "tls_client_auth" }

func (a *mutualTLS) prepare(cfg *Config) (Auth, error) {
	if cfg.Doer == nil {
		return nil, invalid("Doer", "must have the client certificate for MutualTLS")
	}
	client, ok := cfg.Doer.(*http.Client)
	if !ok {
		return a, nil // who writes a Doer knows its certificate
	}
	if client == nil {
		client = new(http.Client) // which is what it is used as
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

func (*mutualTLS) authenticate(_ context.Context, r *tokenRequest) error {
	r.form.Set("client_id", r.clientID) // RFC 8705, Section 2
	return nil
}

type privateKeyJWT struct {
	hidden
	cfg    PrivateKeyJWTConfig
	signer *signer // nil: cfg.Source is asked
}

// maxAssertion is how long an assertion may live; it is used at once.
const maxAssertion = 5 * time.Minute

func (*privateKeyJWT) name() string { return "private_key_jwt" }

func (a *privateKeyJWT) prepare(*Config) (Auth, error) {
	if a.cfg.Lifetime < 0 || a.cfg.Lifetime > maxAssertion {
		return nil, invalid("Auth", "has a Lifetime that is not between 0 and 5 minutes")
	}
	if a.cfg.Source != nil {
		if a.cfg.Key != nil || a.cfg.Algorithm != "" || a.cfg.KeyID != "" || a.cfg.Certificate != nil {
			return nil, invalid("Auth", "has a Source and a Key, or what belongs to a Key")
		}
		return a, nil
	}
	s, err := newSigner(a.cfg.Key, a.cfg.Algorithm, "RS256")
	if err != nil {
		return nil, invalid("Auth", err.Error())
	}
	return &privateKeyJWT{cfg: a.cfg, signer: s}, nil
}

// current returns the key to sign with and its kid. The error is an *Error.
func (a *privateKeyJWT) current(ctx context.Context) (*signer, string, error) {
	if a.signer != nil {
		return a.signer, a.cfg.KeyID, nil
	}
	key, err := foreign.Within(ctx, a.cfg.Source)
	if err != nil {
		return nil, "", noCredential(ctx, err)
	}
	s, err := newSigner(key.Key, key.Algorithm, "RS256")
	if err != nil {
		return nil, "", noCredential(ctx, err)
	}
	return s, key.KeyID, nil
}

// authenticate signs an assertion. Its audience is the issuer's name alone, as
// draft-ietf-oauth-rfc7523bis demands: one for a token endpoint could be used
// there by an issuer that names that endpoint in its own metadata.
func (a *privateKeyJWT) authenticate(ctx context.Context, r *tokenRequest) error {
	signer, keyID, err := a.current(ctx)
	if err != nil {
		return err
	}
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
	if keyID != "" {
		header["kid"] = keyID
	}
	if a.cfg.Certificate != nil {
		sum := sha256.Sum256(a.cfg.Certificate.Raw)
		header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	assertion, err := signer.sign(header, map[string]any{
		"iss": r.clientID, "sub": r.clientID, "aud": audience, "jti": randomID(),
		"iat": r.now.Unix(), "exp": r.now.Add(lifetime).Unix(),
	})
	if err != nil {
		return err
	}
	r.assert(AssertionJWT, assertion)
	return nil
}
