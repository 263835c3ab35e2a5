package verifiertest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// start makes the issuer reachable: on TLS, or inside the process when it was
// given a name.
func (i *Issuer) start() {
	i.t.Helper()
	if i.name != "" {
		u, err := url.Parse(i.name)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			i.t.Fatalf("verifiertest: %q is not the name of an issuer", i.name)
			return
		}
		i.path = strings.TrimSuffix(u.Path, "/")
		i.client = &http.Client{Transport: inProcess{i.Handler()}}
		i.t.Cleanup(i.Recover)
		return
	}
	server := httptest.NewUnstartedServer(i.Handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that give up are part of tests
	// A certificate is asked for, and looked at by whoever demands one.
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	i.name, i.client, i.certificate = server.URL+"/", server.Client(), server.Certificate()
	i.t.Cleanup(func() {
		i.Recover()
		server.Close()
	})
}

// Client returns a client that reaches these issuers and nothing else, each by
// its own certificate, for verifier.Config.Doer. A request to another host is
// an error, so that a test never leaves the machine.
func Client(issuers ...*Issuer) *http.Client {
	return &http.Client{Transport: sideBySide(issuers)}
}

// RootCAs returns the certificates to trust for these issuers, for
// verifier.HTTPClientConfig. Those made with [WithURL] have none.
func RootCAs(t testing.TB, issuers ...*Issuer) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	for _, i := range issuers {
		if i.certificate == nil {
			t.Fatalf("verifiertest: %s has no certificate", i.name)
			return nil
		}
		pool.AddCert(i.certificate)
	}
	return pool
}

type sideBySide []*Issuer

var errNotOurs = errors.New("verifiertest: the request is to none of the issuers")

// RoundTrip picks the issuer of the longest name, as several may share a host.
func (s sideBySide) RoundTrip(r *http.Request) (*http.Response, error) {
	var best *Issuer
	for _, i := range s {
		base := strings.TrimSuffix(i.name, "/") + "/"
		if strings.HasPrefix(r.URL.String(), base) && (best == nil || len(i.path) > len(best.path)) {
			best = i
		}
	}
	if best == nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, errNotOurs
	}
	return best.client.Transport.RoundTrip(r)
}

// inProcess is a transport that calls a handler.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	inbound := r.Clone(r.Context())
	inbound.RequestURI, inbound.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	if inbound.Host == "" {
		inbound.Host = r.URL.Host
	}
	if r.Body == nil {
		inbound.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, inbound)
	if r.Body != nil {
		_ = r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err // as a real transport would
	}
	resp := w.Result()
	resp.Request = r
	resp.Body = io.NopCloser(bytes.NewReader(w.Body.Bytes()))
	return resp, nil
}
