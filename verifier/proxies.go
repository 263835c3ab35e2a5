package verifier

import (
	"crypto/x509"
	"errors"
	"net/http"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/forwarded"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// edge is what stands between clients and this API: how the URL that a client
// asked for, and its certificate, are found.
type edge struct {
	forwarding  *forwarded.Policy
	certificate func(*http.Request) (*x509.Certificate, error) // nil: that of the connection
}

func newEdge(m *mistakes, cfg *Config) *edge {
	if cfg.ClientCertificate != nil && len(cfg.TrustedProxies) == 0 && !cfg.TrustUnixPeers {
		m.add("ClientCertificate", "is asked only for requests of trusted proxies; set Config.TrustedProxies or Config.TrustUnixPeers, too")
	}
	policy, err := forwarded.New(forwarded.Config{
		External: cfg.ExternalURL, Trusted: cfg.TrustedProxies, TrustAny: cfg.TrustAnyPeer, TrustUnix: cfg.TrustUnixPeers,
		Fields: cfg.ProxyFields, Hosts: cfg.ExternalHosts,
	})
	var bad *forwarded.ConfigError
	switch {
	case !errors.As(err, &bad):
	case bad.Field == "ExternalURL":
		m.of(bad.Field, cfg.ExternalURL, bad.Problem)
	default:
		m.add(bad.Field, bad.Problem)
	}
	return &edge{forwarding: policy, certificate: cfg.ClientCertificate}
}

// TrustsPeer reports whether the peer of a request is a proxy of
// Config.TrustedProxies or Config.TrustUnixPeers: whether what it forwards is
// believed. For handlers that believe such peers more than VerifyHTTPRequest
// does, as package forwardauth has one.
func (v *Verifier) TrustsPeer(r *http.Request) bool { return v.edge.forwarding.TrustsPeer(r) }

// badRequestURL names the header field that a proxy wrote badly.
func badRequestURL(err error) *Error {
	var field *forwarded.FieldError
	if !errors.As(err, &field) {
		return refuse(reason.RequestURL)
	}
	e := refuse(reason.ForwardedMalformed)
	e.Description = "the " + field.Field + " header field " + field.Problem
	return e
}

// clientCertificate returns the certificate that the client has shown to have,
// or nil. What a header field says counts only when a trusted proxy wrote it (RFC
// 9440, Section 4).
func (in *incoming) clientCertificate() (*x509.Certificate, error) {
	switch {
	case in.http == nil:
		return in.certificate, nil
	case in.edge.certificate != nil && in.edge.forwarding.TrustsPeer(in.http):
		return foreign.Guard(func() (*x509.Certificate, error) { return in.edge.certificate(in.http) })
	case in.http.TLS != nil && len(in.http.TLS.PeerCertificates) > 0:
		return in.http.TLS.PeerCertificates[0], nil
	default:
		return nil, nil
	}
}
