package verifier

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"github.com/portcullis-go/portcullis/internal/forwarded"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Request is an API request, as far as it matters for its authorization, for
// transports other than net/http and for servers that are asked on behalf of
// another one (forward authentication): Method and URL are those of the
// client's request.
type Request struct {
	// Method in its exact case.
	Method string
	// URL as the client sees it, absolute. Needed for DPoP, and by resolvers
	// that look at it. Config.ExternalURL and Config.TrustedProxies do not
	// change it: they are for VerifyHTTPRequest.
	URL string
	// Header of the request. Names are compared without case; several lines of
	// one name are seen as such.
	Header http.Header
	// Host for resolvers, if it is not in Header.
	Host string
	// ClientCertificate that the client proved to have, or nil.
	ClientCertificate *x509.Certificate
}

// incoming is a request of either kind.
type incoming struct {
	method, url, host string
	header            http.Header
	certificate       *x509.Certificate
	http              *http.Request // nil unless by VerifyHTTPRequest
}

// VerifyRequest verifies the access token of a request, and the DPoP proof or
// the certificate that it is bound to. The error is an [*Error].
func (v *Verifier) VerifyRequest(ctx context.Context, req Request, opts ...VerifyOption) (*Token, error) {
	in := incoming{method: req.Method, url: req.URL, host: req.Host, header: req.Header, certificate: req.ClientCertificate}
	if in.host == "" {
		in.host = req.Header.Get("Host")
	}
	return v.verifyIncoming(ctx, in, opts)
}

// VerifyHTTPRequest is VerifyRequest for a request that a server of net/http
// received. Where the URL comes from is up to Config.ExternalURL and
// Config.TrustedProxies. The request is not changed.
func (v *Verifier) VerifyHTTPRequest(r *http.Request, opts ...VerifyOption) (*Token, error) {
	return v.verifyIncoming(r.Context(), incoming{method: r.Method, host: r.Host, header: r.Header, http: r}, opts)
}

func (v *Verifier) verifyIncoming(ctx context.Context, in incoming, opts []VerifyOption) (*Token, error) {
	began := v.begin()
	o := options{}
	for _, opt := range opts {
		opt(&o)
	}
	o.in = in
	t, scheme, err := v.authorize(ctx, &o)
	if err != nil {
		refusal := v.challenge.attach(asError(err), scheme)
		v.finish(began, scheme, refusal)
		return nil, refusal
	}
	v.finish(began, scheme, nil)
	return t, nil
}

// asError returns the *Error that every step ends with.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return undecided(reason.Keys, err, 0)
}

// credentials are the header values that count.
type credentials struct {
	scheme Scheme
	token  string
	proofs []string
}

// authorize chooses between Bearer and DPoP and returns the scheme that a
// challenge is to answer to.
func (v *Verifier) authorize(ctx context.Context, o *options) (*Token, Scheme, error) {
	c, err := v.credentials(o.in.header)
	if err != nil {
		return nil, c.scheme, err
	}
	var t *Token
	if c.scheme == SchemeDPoP {
		t, err = v.authorizeDPoP(ctx, &c, o)
	} else {
		t, err = v.authorizeBearer(ctx, &c, o)
	}
	if err != nil {
		return nil, c.scheme, err
	}
	t.Scheme = c.scheme
	return t, c.scheme, nil
}

// credentials reads the Authorization header. The schemes that the mode allows
// are an allow-list: everything else is as good as no credentials.
func (v *Verifier) credentials(h http.Header) (credentials, error) {
	authorization, proofs := lines(h)
	c := credentials{proofs: proofs}
	if len(authorization) > 1 {
		c.scheme = v.preferredScheme()
		return c, refuse(reason.MultipleCredentials) // RFC 9449, Section 7.2
	}
	if len(authorization) == 0 {
		return c, refuse(reason.NoCredentials)
	}
	scheme, rest := splitScheme(authorization[0])
	switch {
	case scheme == "" || rest == "" && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP")):
		return c, refuse(reason.NoCredentials)
	case strings.EqualFold(scheme, "Bearer") && v.challenge.mode != DPoPRequired:
		c.scheme = SchemeBearer
	case strings.EqualFold(scheme, "DPoP") && v.challenge.mode != DPoPDisabled:
		c.scheme = SchemeDPoP
	default:
		return c, refuse(reason.UnsupportedScheme)
	}
	if strings.Contains(rest, ",") {
		return c, refuse(reason.MultipleCredentials)
	}
	c.token = rest
	return c, nil
}

func (v *Verifier) preferredScheme() Scheme {
	if v.challenge.mode == DPoPRequired {
		return SchemeDPoP
	}
	return SchemeBearer
}

// lines returns the field lines of Authorization and DPoP, whatever the case
// of their names.
func lines(h http.Header) (authorization, proofs []string) {
	for name, values := range h {
		switch {
		case len(name) == len("Authorization") && strings.EqualFold(name, "Authorization"):
			authorization = join(authorization, values)
		case len(name) == len("DPoP") && strings.EqualFold(name, "DPoP"):
			proofs = join(proofs, values)
		}
	}
	return authorization, proofs
}

// join appends without touching the caller's slices.
func join(have, more []string) []string {
	if have == nil {
		return more
	}
	return append(append([]string(nil), have...), more...)
}

// splitScheme cuts the scheme from what follows it (RFC 9110, Section 11.4).
func splitScheme(value string) (scheme, rest string) {
	value = strings.Trim(value, " \t")
	i := strings.IndexAny(value, " \t")
	if i < 0 {
		return value, ""
	}
	return value[:i], strings.TrimLeft(value[i:], " \t")
}

func (v *Verifier) authorizeBearer(ctx context.Context, c *credentials, o *options) (*Token, error) {
	t, err := v.verifyToken(ctx, c.token, o)
	switch {
	case err != nil:
		return nil, err
	case t.Confirmation.JWKThumbprint != "":
		return nil, refuse(reason.BoundTokenAsBearer) // RFC 9449, Section 7.2
	case len(c.proofs) > 0 && v.challenge.mode != DPoPDisabled:
		return nil, refuse(reason.ProofUnexpected)
	default:
		return t, v.checkCertificate(t, &o.in)
	}
}

func (v *Verifier) authorizeDPoP(ctx context.Context, c *credentials, o *options) (*Token, error) {
	switch {
	case len(c.proofs) == 0 || len(c.proofs) == 1 && c.proofs[0] == "":
		return nil, refuse(reason.ProofMissing)
	case len(c.proofs) > 1:
		return nil, refuse(reason.ProofMultiple) // RFC 9449, Section 4.3, item 1
	}
	proof, err := v.parseProof(c.proofs[0])
	if err != nil {
		return nil, err
	}
	url, err := v.requestURL(&o.in)
	if err != nil {
		return nil, err
	}
	if url == "" || o.in.method == "" {
		return nil, refuse(reason.Argument)
	}
	t, err := v.verifyToken(ctx, c.token, o)
	if err != nil {
		return nil, err
	}
	if t.Confirmation.JWKThumbprint == "" {
		return nil, refuse(reason.BindingMissing)
	}
	if err := v.checkCertificate(t, &o.in); err != nil {
		return nil, err // before the proof is used up
	}
	t.Proof, err = v.checkProof(ctx, &proof, &ProofRequest{
		AccessToken: c.token, Method: o.in.method, URL: url, JWKThumbprint: t.Confirmation.JWKThumbprint,
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (v *Verifier) applyForwarding(cfg *Config) error {
	if cfg.ExternalURL != "" && len(cfg.TrustedProxies) > 0 {
		return invalid("ExternalURL", "and Config.TrustedProxies are both set; set one")
	}
	policy, err := forwarded.New(forwarded.Config{External: cfg.ExternalURL, Trusted: cfg.TrustedProxies})
	if err != nil {
		if cfg.ExternalURL != "" {
			return invalid("ExternalURL", "is not an absolute http or https URL without credentials, query and fragment")
		}
		return invalid("TrustedProxies", "has an invalid prefix")
	}
	v.forwarding = policy
	return nil
}

// requestURL returns the URL that the client asked for, or "" when the caller
// did not say.
func (v *Verifier) requestURL(in *incoming) (string, error) {
	if in.http == nil || in.url != "" {
		return in.url, nil
	}
	url, err := v.forwarding.RequestURL(in.http)
	if err != nil {
		return "", refuse(reason.ForwardedMalformed)
	}
	in.url = url
	return url, nil
}

func (v *Verifier) clientCertificate(in *incoming) (*x509.Certificate, error) {
	switch {
	case in.http == nil:
		return in.certificate, nil
	case v.certificate != nil:
		return guard(func() (*x509.Certificate, error) { return v.certificate(in.http) })
	case in.http.TLS != nil && len(in.http.TLS.PeerCertificates) > 0:
		return in.http.TLS.PeerCertificates[0], nil
	default:
		return nil, nil
	}
}
