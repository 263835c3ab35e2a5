package fetch_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// TestKinds: each failure has a word of our own; the raw error is behind it.
func TestKinds(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want fetch.Kind
	}{
		"no such host":      {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "secret.example", IsNotFound: true}}, fetch.NoSuchHost},
		"name server fails": {&net.DNSError{Err: "server misbehaving", IsTemporary: true}, fetch.Network},
		"name server slow":  {&net.DNSError{Err: "x", IsTimeout: true}, fetch.Timeout},
		"refused":           {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, fetch.ConnectionRefused},
		"reset":             {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, fetch.Network},
		"blocked":           {&net.OpError{Op: "dial", Err: fetch.ErrBlockedAddress}, fetch.BlockedAddress},
		"authority":         {fmt.Errorf("x: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), fetch.UnknownAuthority},
		"another name":      {&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "secret"}}, fetch.CertificateName},
		"expired":           {x509.CertificateInvalidError{Reason: x509.Expired}, fetch.CertificateInvalid},
		"certificate":       {&tls.CertificateVerificationError{Err: errors.New("secret")}, fetch.CertificateInvalid},
		"no TLS":            {tls.RecordHeaderError{Msg: "secret"}, fetch.TLS},
		"alert":             {&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, fetch.TLS},
		"deadline":          {context.DeadlineExceeded, fetch.Timeout},
		"other":             {errors.New("secret"), fetch.Network},
	} {
		_, err := fetch.Get(t.Context(), doer(func(*http.Request) (*http.Response, error) { return nil, c.err }), fetch.Request{URL: "https://A.example:8443/"})
		var e *fetch.Error
		if !errors.As(err, &e) || e.Kind != c.want || e.Host != "a.example:8443" {
			t.Errorf("%s: %v; want %s of a.example:8443", name, err, c.want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q repeats the cause", name, err)
		}
		if !slices.Contains(fetch.Kinds[:], e.Kind) {
			t.Errorf("%s: %s is not in Kinds", name, e.Kind)
		}
		if name != "deadline" && !errors.Is(err, c.err) {
			t.Errorf("%s: the cause is not to be had by Unwrap", name)
		}
	}
}

// TestKindsOfRealConnections: the errors of net/http are what is expected.
func TestKindsOfRealConnections(t *testing.T) {
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(discard{}, "", 0)
		t.Cleanup(s.Close)
		return s
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	quiet(secure).StartTLS()
	plain := quiet(httptest.NewServer(http.NotFoundHandler()))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	client := func(change func(*tls.Config)) *http.Client {
		cfg := &tls.Config{RootCAs: pool}
		if change != nil {
			change(cfg)
		}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}
	}
	for name, c := range map[string]struct {
		client *http.Client
		url    string
		want   fetch.Kind
	}{
		"status":       {client(nil), secure.URL, fetch.Status},
		"authority":    {client(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }), secure.URL, fetch.UnknownAuthority},
		"another name": {client(func(c *tls.Config) { c.ServerName = "b.invalid" }), secure.URL, fetch.CertificateName},
		"expired":      {client(func(c *tls.Config) { c.Time = func() time.Time { return time.Now().AddDate(500, 0, 0) } }), secure.URL, fetch.CertificateInvalid},
		"refused":      {client(nil), "https://" + closed.Addr().String(), fetch.ConnectionRefused},
		"no TLS":       {client(nil), strings.Replace(plain.URL, "http:", "https:", 1), fetch.TLS},
		"silence":      {client(nil), "https://" + silent.Addr().String(), fetch.Timeout},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if name == "silence" {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		_, err := fetch.Get(ctx, fetch.Client(c.client), fetch.Request{URL: c.url})
		var e *fetch.Error
		if !errors.As(err, &e) || e.Kind != c.want {
			t.Errorf("%s: %v (%v); want %s", name, err, errors.Unwrap(err), c.want)
		}
		cancel()
		c.client.CloseIdleConnections()
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
