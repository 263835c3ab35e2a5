package clientcert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier/clientcert"
)

// newCertificate makes a self-signed certificate whose base64 has a "+" and a
// "/", so that a query decoder would be seen.
func newCertificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for serial := int64(1); ; serial++ {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_000_000_000, 0),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if text := base64.StdEncoding.EncodeToString(der); !strings.Contains(text, "+") || !strings.Contains(text, "/") {
			continue
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
}

// The forms in which proxies write a certificate.

func derBase64(c *x509.Certificate) string { return base64.StdEncoding.EncodeToString(c.Raw) }

func pemText(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// escapedPEM keeps what safe lists beside letters, digits, "-", "." and "_".
func escapedPEM(c *x509.Certificate, safe string) string {
	var out strings.Builder
	for _, b := range []byte(pemText(c)) {
		if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || strings.IndexByte("-._"+safe, b) >= 0 {
			out.WriteByte(b)
		} else {
			out.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{b})))
		}
	}
	return out.String()
}

func spacedPEM(c *x509.Certificate) string {
	return strings.TrimSpace(strings.ReplaceAll(pemText(c), "\n", " "))
}

func request(field string, lines ...string) *http.Request {
	r := &http.Request{Header: http.Header{}}
	for _, line := range lines {
		r.Header.Add(field, line)
	}
	return r
}

const field = "X-Client-Cert"

func TestReaders(t *testing.T) {
	mine, other := newCertificate(t, "client"), newCertificate(t, "issuer")
	xfcc := func(c *x509.Certificate) string {
		return `By=spiffe://a/b;Hash=` + strings.Repeat("0a", 32) + `;Cert="` + escapedPEM(c, "") + `";Subject="CN=\"a, b\";O=x";URI=`
	}
	tests := []struct {
		name, field string
		read        clientcert.Reader
		good, none  []string
		bad         []string
	}{
		{"RFC 9440", "Client-Cert", clientcert.RFC9440(),
			[]string{":" + derBase64(mine) + ":"},
			[]string{"", "::"},
			[]string{":", derBase64(mine), ":" + derBase64(mine), derBase64(mine) + ":", ":" + derBase64(mine) + ":;a", ":" + derBase64(mine) + ":, :" + derBase64(other) + ":", ":AAAA:", ":(null):"}},
		{"nginx", field, clientcert.Nginx(field),
			[]string{escapedPEM(mine, ""), escapedPEM(mine, "+/="), url.PathEscape(pemText(mine)), pemText(mine)},
			[]string{""},
			[]string{escapedPEM(mine, "") + escapedPEM(other, ""), "x" + escapedPEM(mine, ""), escapedPEM(mine, "") + "x", escapedPEM(mine, "")[:200], "%zz", "(null)", derBase64(mine),
				strings.ReplaceAll(escapedPEM(mine, ""), "CERTIFICATE", "PRIVATE%20KEY")}},
		{"HAProxy", field, clientcert.HAProxy(field),
			[]string{derBase64(mine)},
			[]string{""},
			[]string{"::", derBase64(mine) + derBase64(other), strings.TrimRight(derBase64(mine), "=") + "\n", base64.StdEncoding.EncodeToString(append(bytes.Clone(mine.Raw), 0)), pemText(mine), "-"}},
		{"Apache", field, clientcert.Apache(field),
			[]string{spacedPEM(mine), pemText(mine)},
			[]string{"", "(null)"},
			[]string{"(NULL)", spacedPEM(mine) + " " + spacedPEM(other), escapedPEM(mine, ""), "null", "(null)x"}},
		{"Caddy", field, clientcert.Caddy(field),
			[]string{derBase64(mine)},
			[]string{"", "{http.request.tls.client.certificate_der_base64}", "{tls_client_certificate_der_base64}"},
			[]string{"{http.request.tls.client.certificate_pem}", "{}", "(null)"}},
		{"Traefik", "X-Forwarded-Tls-Client-Cert", clientcert.Traefik(),
			[]string{derBase64(mine), url.QueryEscape(derBase64(mine)), derBase64(mine) + "," + derBase64(other), url.QueryEscape(derBase64(mine) + "," + derBase64(other))},
			[]string{""},
			[]string{",", "," + derBase64(mine), pemText(mine), "%", url.QueryEscape(derBase64(mine)) + "%2"}},
		{"ALB, verify", "X-Amzn-Mtls-Clientcert-Leaf", clientcert.ALBVerify(),
			[]string{escapedPEM(mine, "+=/")},
			[]string{""},
			[]string{escapedPEM(mine, "+=/") + escapedPEM(other, "+=/"), "%", derBase64(mine)}},
		{"ALB, passthrough", "X-Amzn-Mtls-Clientcert", clientcert.ALBPassthrough(),
			[]string{escapedPEM(mine, "+=/"), escapedPEM(mine, "+=/") + escapedPEM(other, "+=/")},
			[]string{""},
			[]string{escapedPEM(mine, "+=/") + "x", escapedPEM(mine, "+=/") + escapedPEM(other, "+=/") + "x", "x" + escapedPEM(mine, ""), "%", derBase64(mine)}},
		{"Envoy", "X-Forwarded-Client-Cert", clientcert.Envoy(),
			[]string{xfcc(mine), `Subject="a,b;Cert=x";` + xfcc(mine), "cert=" + escapedPEM(mine, ""), `Cert="` + escapedPEM(mine, "") + `"`, xfcc(mine) + ";"},
			[]string{""},
			[]string{xfcc(other) + "," + xfcc(mine), `x=",` + xfcc(mine), `x="",` + xfcc(mine), xfcc(mine) + ",", xfcc(mine) + ",Hash=00", "Hash=00", xfcc(mine) + `;Cert="x"`, `Cert="` + escapedPEM(mine, ""), `"` + xfcc(mine), "Cert", `Cert=""`, `Cert="\`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, value := range test.good {
				if got, err := test.read(request(test.field, value)); err != nil || !got.Equal(mine) {
					t.Errorf("%.60q: %v, %v; want the client's certificate", value, got, err)
				}
			}
			for _, value := range test.none {
				if got, err := test.read(request(test.field, value)); got != nil || err != nil {
					t.Errorf("%.60q: %v, %v; want none", value, got, err)
				}
			}
			if got, err := test.read(request("Other")); got != nil || err != nil {
				t.Errorf("no field: %v, %v; want none", got, err)
			}
			test.bad = append(test.bad, strings.Repeat("A", 32<<10+1))
			for _, value := range test.bad {
				if got, err := test.read(request(test.field, value)); got != nil || !errors.Is(err, clientcert.ErrMalformed) {
					t.Errorf("%.60q: %v, %v; want ErrMalformed", value, got, err)
				}
			}
			for _, lines := range [][]string{{test.good[0], test.good[0]}, {"", test.good[0]}} {
				if got, err := test.read(request(test.field, lines...)); got != nil || !errors.Is(err, clientcert.ErrMalformed) {
					t.Errorf("two lines: %v, %v; want ErrMalformed", got, err)
				}
			}
		})
	}
}

func TestFieldNames(t *testing.T) {
	mine := newCertificate(t, "client")
	if got, err := clientcert.HAProxy("x-client-CERT")(request(field, derBase64(mine))); err != nil || !got.Equal(mine) {
		t.Errorf("another case: %v, %v; want the certificate", got, err)
	}
	if got, err := clientcert.HAProxy("")(request(field, derBase64(mine))); got != nil || !errors.Is(err, clientcert.ErrMalformed) {
		t.Errorf("no name: %v, %v; want ErrMalformed", got, err)
	}
}

// FuzzReaders shows that no value makes a reader panic, that an answer is a
// certificate, none, or ErrMalformed, and that nothing but the bytes of one
// certificate is accepted as it.
func FuzzReaders(f *testing.F) {
	mine := newCertificate(f, "client")
	for _, seed := range []string{"", "::", "(null)", ":" + derBase64(mine) + ":", escapedPEM(mine, ""), spacedPEM(mine), derBase64(mine), `By=x;Cert="` + escapedPEM(mine, "") + `";Subject="a\",b"`, ",", `"`} {
		f.Add(seed)
	}
	f.Add(`X=",By=y;Cert="` + escapedPEM(mine, "") + `"`)
	readers := map[string]clientcert.Reader{
		"Client-Cert": clientcert.RFC9440(), "N": clientcert.Nginx("N"), "H": clientcert.HAProxy("H"), "A": clientcert.Apache("A"), "C": clientcert.Caddy("C"),
		"X-Forwarded-Tls-Client-Cert": clientcert.Traefik(), "X-Forwarded-Client-Cert": clientcert.Envoy(),
		"X-Amzn-Mtls-Clientcert-Leaf": clientcert.ALBVerify(), "X-Amzn-Mtls-Clientcert": clientcert.ALBPassthrough(),
	}
	f.Fuzz(func(t *testing.T, value string) {
		for name, read := range readers {
			got, err := read(request(name, value))
			switch {
			case err != nil && (got != nil || !errors.Is(err, clientcert.ErrMalformed)):
				t.Errorf("%s: %v, %v; want ErrMalformed alone", name, got, err)
			case got != nil && len(got.Raw) == 0:
				t.Errorf("%s: a certificate without bytes", name)
			}
		}
	})
}

// TestFieldNamesHaveNoCase: not every header comes from net/http.
func TestFieldNamesHaveNoCase(t *testing.T) {
	value := url.PathEscape(pemText(newCertificate(t, "a")))
	read := clientcert.ALBPassthrough()
	for name, test := range map[string]struct {
		header http.Header
		ok     bool
	}{
		"as usual":      {http.Header{"X-Amzn-Mtls-Clientcert": {value}}, true},
		"lower case":    {http.Header{"x-amzn-mtls-clientcert": {value}}, true},
		"two spellings": {http.Header{"X-Amzn-Mtls-Clientcert": {value}, "x-amzn-mtls-clientcert": {value}}, false},
	} {
		certificate, err := read(&http.Request{Header: test.header})
		if (certificate != nil) != test.ok || (err == nil) != test.ok {
			t.Errorf("%s: %v, %v; want a certificate: %v", name, certificate != nil, err, test.ok)
		}
	}
}
