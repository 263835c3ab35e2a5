package verifier

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

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
	// that look at it. Config.ExternalURL, Config.TrustedProxies and what goes
	// with them do not change it: they are for VerifyHTTPRequest.
	URL string
	// Header of the request. Names are compared without case; several lines of
	// one name are seen as such.
	Header http.Header
	// Host for resolvers, if it is not in Header.
	Host string
	// ClientCertificate that the client proved to have, or nil.
	ClientCertificate *x509.Certificate
}

// incoming is a request of either kind, while one verification looks at it.
type incoming struct {
	method, url, host string
	header            http.Header
	certificate       *x509.Certificate

	http *http.Request // nil unless a server of net/http received it
	edge *edge
	// fault is what is wrong with the URL, once a resolver has asked for it.
	fault atomic.Pointer[Error]
}

// copy returns what may outlive the verification's stack: a resolver's request.
func (in *incoming) copy() *incoming {
	return &incoming{method: in.method, url: in.url, host: in.host, header: in.header, certificate: in.certificate, http: in.http, edge: in.edge}
}

// requestURL returns the URL that the client asked for, or "" when the caller
// did not say.
func (in *incoming) requestURL() (string, error) {
	if in.http == nil {
		return in.url, nil
	}
	raw, err := in.edge.forwarding.RequestURL(in.http)
	if err != nil {
		return "", badRequestURL(err)
	}
	return raw, nil
}

// parsedURL is requestURL for a resolver. What cannot be read is remembered as the
// request's fault.
func (in *incoming) parsedURL() *url.URL {
	raw, err := in.requestURL()
	if err != nil {
		in.fault.Store(asError(err))
		return nil
	}
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || strings.TrimSpace(u.Host) == "" {
		in.fault.Store(refuse(reason.Argument))
		return nil
	}
	return u
}

// credentials are the header values that count.
type credentials struct {
	scheme Scheme
	token  string
	proofs []string
}

// readCredentials reads the Authorization header. The schemes that the mode allows
// are an allow-list: everything else is as good as no credentials.
func readCredentials(h http.Header, mode DPoPMode) (credentials, error) {
	authorization, proofs := lines(h)
	c := credentials{proofs: proofs}
	if len(authorization) > 1 {
		c.scheme = preferredScheme(mode)
		return c, refuse(reason.MultipleCredentials) // RFC 9449, Section 7.2
	}
	if len(authorization) == 0 {
		return c, refuse(reason.NoCredentials)
	}
	scheme, rest := splitScheme(authorization[0])
	switch {
	case scheme == "" || rest == "" && strings.EqualFold(scheme, "Bearer"):
		return c, refuse(reason.NoCredentials)
	case rest == "" && strings.EqualFold(scheme, "DPoP"):
		c.scheme = SchemeDPoP
		return c, refuse(reason.NoCredentials)
	case strings.EqualFold(scheme, "Bearer") && mode != DPoPRequired:
		c.scheme = SchemeBearer
	case strings.EqualFold(scheme, "DPoP") && mode != DPoPDisabled:
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

func preferredScheme(mode DPoPMode) Scheme {
	if mode == DPoPRequired {
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

// checkCertificate compares the certificate that the client used with the one
// that the token is bound to (RFC 8705, Section 3).
func checkCertificate(t *Token, in *incoming) error {
	want := t.Confirmation.CertificateThumbprint
	if want == "" {
		return nil
	}
	certificate, err := in.clientCertificate()
	switch {
	case err != nil:
		return undecided(reason.CertSource, err, 0)
	case certificate == nil:
		return refuse(reason.CertificateMissing)
	case !equalText(base64SHA256(certificate.Raw), want):
		return refuse(reason.Certificate)
	default:
		return nil
	}
}
