package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/examples/internal/apitest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// serve runs the API on a listener until the test ends.
func serve(t *testing.T, v requestVerifier, externalURL string, l net.Listener) {
	t.Helper()
	app := newAPI(v, externalURL)
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(l) }()
	t.Cleanup(func() {
		if err := errors.Join(app.ShutdownWithTimeout(time.Second), <-ended); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
}

func TestAPI(t *testing.T) {
	apitest.Run(t, func(t *testing.T, v *verifier.Verifier) string {
		l := apitest.Listen(t)
		serve(t, v, "", l)
		return "http://" + l.Addr().String()
	})
}

// TestExternalURL: behind a proxy, proofs are for the URL that clients know.
func TestExternalURL(t *testing.T) {
	issuer, client := verifiertest.NewIssuer(t), verifiertest.NewDPoPClient(t, nil, "")
	l := apitest.Listen(t)
	serve(t, apitest.NewVerifier(t, issuer.Config(apitest.Audience)), "https://api.example.com/v1/", l)
	token := issuer.Sign(apitest.Audience, map[string]any{"cnf": client.Confirmation()})
	for _, c := range []struct {
		url  string
		want int
	}{
		{"https://api.example.com/v1/orders", http.StatusOK},
		{"http://" + l.Addr().String() + "/orders", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "DPoP "+token)
		req.Header.Set("DPoP", client.Proof(http.MethodGet, c.url, token))
		if got := status(t, http.DefaultClient, req); got != c.want {
			t.Errorf("a proof for %q = %d; want %d", c.url, got, c.want)
		}
	}
}

// TestRequestLines sends what net/http would not.
func TestRequestLines(t *testing.T) {
	issuer, client := verifiertest.NewIssuer(t), verifiertest.NewDPoPClient(t, nil, "")
	l := apitest.Listen(t)
	serve(t, apitest.NewVerifier(t, issuer.Config(apitest.Audience)), "", l)
	address := l.Addr().String()
	token := issuer.Sign(apitest.Audience, map[string]any{"cnf": client.Confirmation()})
	for _, c := range []struct {
		name, target, host, htu string
		want                    int
	}{
		{"origin form", "/orders", address, "http://" + address + "/orders", http.StatusOK},
		{"absolute form", "http://" + address + "/orders", address, "http://" + address + "/orders", http.StatusOK},
		{"absolute form, other Host", "http://" + address + "/orders", "other.example.com", "http://" + address + "/orders", http.StatusOK},
		{"path in Host", "/orders", address + "/open?", "http://" + address + "/open", http.StatusBadRequest},
		{"credentials in Host", "/orders", "user@" + address, "http://" + address + "/orders", http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: DPoP %s\r\nDPoP: %s\r\nConnection: close\r\n\r\n",
				c.target, c.host, token, client.Proof(http.MethodGet, c.htu, token))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("status = %d; want %d", resp.StatusCode, c.want)
			}
		})
	}
}

// TestCertificateBoundToken: the certificate of the connection counts (RFC
// 8705), and https is in the URL that proofs are for.
func TestCertificateBoundToken(t *testing.T) {
	server, client := apitest.NewCertificate(t), apitest.NewCertificate(t)
	issuer := verifiertest.NewIssuer(t)
	l := tls.NewListener(apitest.Listen(t), &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert,
	})
	serve(t, apitest.NewVerifier(t, issuer.Config(apitest.Audience)), "", l)
	token := issuer.Sign(apitest.Audience, map[string]any{"cnf": apitest.Bound(client)})
	for _, c := range []struct {
		name        string
		certificate []tls.Certificate
		want        int
	}{
		{"its certificate", []tls.Certificate{client}, http.StatusOK},
		{"another certificate", []tls.Certificate{apitest.NewCertificate(t)}, http.StatusUnauthorized},
		{"no certificate", nil, http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: apitest.Trust(server, c.certificate...)}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.Addr().String()+"/orders", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			if got := status(t, &http.Client{Transport: transport}, req); got != c.want {
				t.Errorf("status = %d; want %d", got, c.want)
			}
		})
	}
	t.Run("DPoP over TLS", func(t *testing.T) {
		holder := verifiertest.NewDPoPClient(t, nil, "")
		transport := &http.Transport{TLSClientConfig: apitest.Trust(server)}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.Addr().String()+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		holder.Authorize(req, issuer.Sign(apitest.Audience, map[string]any{"cnf": holder.Confirmation()}))
		if got := status(t, &http.Client{Transport: transport}, req); got != http.StatusOK {
			t.Errorf("status = %d; want 200", got)
		}
	})
}

func TestRunRefusesAnIncompleteConfiguration(t *testing.T) {
	if err := run(verifier.Config{Domain: "tenant.auth0.com"}, "127.0.0.1:0"); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("run without audience = %v; want %v", err, verifier.ErrConfig)
	}
}

func status(t *testing.T, client *http.Client, req *http.Request) int {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
