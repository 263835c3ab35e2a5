package exchange

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// Authenticator authenticates a client to an endpoint of its issuer other than
// the token endpoint, such as the introspection endpoint (RFC 7662, Section 2.1),
// by the same [Auth]. It is immutable.
type Authenticator struct {
	hidden
	auth     Auth
	clientID string
}

// NewAuthenticator checks how a client authenticates. doer sends its requests; for
// [MutualTLS] it has the certificate. The error is a [*ConfigError].
func NewAuthenticator(clientID string, auth Auth, doer verifier.Doer) (*Authenticator, error) {
	if clientID == "" {
		return nil, invalid("ClientID", "is required")
	}
	if auth == nil {
		return nil, invalid("Auth", "is required")
	}
	prepared, err := auth.prepare(&Config{ClientID: clientID, Doer: doer})
	if err != nil {
		return nil, err
	}
	return &Authenticator{auth: prepared, clientID: clientID}, nil
}

// Authenticate adds to a request what the method sends: to its form, to its
// header, or nothing. The metadata are the issuer's; Issuer is the audience of
// assertions, or TokenEndpoint where PrivateKeyJWTConfig says so. Each request is
// authenticated by itself. The error is an [*Error].
func (a *Authenticator) Authenticate(ctx context.Context, metadata verifier.Metadata, now time.Time, form url.Values, header http.Header) error {
	if signed, ok := a.auth.(*privateKeyJWT); ok && (signed.cfg.TokenEndpointAudience && metadata.TokenEndpoint == "" || metadata.Issuer == "") {
		return noCredential(ctx, errNoAudience)
	}
	return a.auth.authenticate(ctx, &tokenRequest{clientID: a.clientID, metadata: &metadata, now: now, form: form, header: header})
}

// Method returns the name of the method as registered (RFC 8414, Section 2).
func (a *Authenticator) Method() string { return a.auth.name() }

// UsesCertificate reports whether the method is [MutualTLS], for which an issuer
// can have endpoints of their own (RFC 8705, Section 5).
func (a *Authenticator) UsesCertificate() bool {
	_, ok := a.auth.(*mutualTLS)
	return ok
}

var errNoAudience = errors.New("exchange: nothing is known to be the audience of the assertion")
