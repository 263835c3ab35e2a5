package clientcert

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ErrMalformed says that a trusted proxy sent a field that holds no single
// certificate in the expected form. It holds nothing of the field.
var ErrMalformed = errors.New("clientcert: the forwarded client certificate is malformed")

// maxFieldBytes bounds a field. Certificates have one or two KiB.
const maxFieldBytes = 32 << 10

// Reader is the type of verifier.Config.ClientCertificate.
type Reader = func(*http.Request) (*x509.Certificate, error)

// RFC9440 reads the field Client-Cert, a Byte Sequence of RFC 8941: the DER of
// the certificate in base64 between colons. No certificate: no field, an empty
// one, or "::", which is what a template around an empty value gives.
func RFC9440() Reader {
	return reader("Client-Cert", func(value string) (*x509.Certificate, error) {
		inner, found := strings.CutPrefix(value, ":")
		inner, closed := strings.CutSuffix(inner, ":")
		switch {
		case !found || !closed:
			return nil, ErrMalformed
		case inner == "":
			return nil, nil
		default:
			return fromBase64(inner)
		}
	})
}

// Nginx reads $ssl_client_escaped_cert, the PEM in percent-encoding:
//
//	proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
//
// No certificate: no field, or an empty one.
func Nginx(field string) Reader { return reader(field, fromEscapedPEM) }

// HAProxy reads the DER in base64:
//
//	http-request set-header X-Client-Cert %[ssl_c_der,base64]
//
// No certificate: an empty field. For the form of RFC 9440, see [RFC9440].
func HAProxy(field string) Reader { return reader(field, fromBase64) }

// Apache reads the PEM of mod_ssl, whose lines mod_headers joins with spaces:
//
//	RequestHeader set X-Client-Cert "%{SSL_CLIENT_CERT}s"
//
// No certificate: an empty field, or "(null)".
func Apache(field string) Reader {
	return reader(field, func(value string) (*x509.Certificate, error) {
		if value == "(null)" {
			return nil, nil
		}
		certificate, rest, err := cutPEM(value)
		if err != nil || strings.Trim(rest, space) != "" {
			return nil, ErrMalformed
		}
		return certificate, nil
	})
}

// Caddy reads the DER in base64:
//
//	header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}
//
// No certificate: an empty field, or the placeholder itself.
func Caddy(field string) Reader {
	return reader(field, func(value string) (*x509.Certificate, error) {
		switch value {
		case "{http.request.tls.client.certificate_der_base64}", "{tls_client_certificate_der_base64}":
			return nil, nil
		}
		return fromBase64(value)
	})
}

// Traefik reads X-Forwarded-Tls-Client-Cert, which the middleware
// PassTLSClientCert writes with the option pem: the PEM without its delimiters
// and line ends, in percent-encoding before version 3. Of a chain, with commas
// between, the first is the client's. No certificate: no field, or an empty one.
func Traefik() Reader {
	return reader("X-Forwarded-Tls-Client-Cert", func(value string) (*x509.Certificate, error) {
		// "+" stands in base64 as it is: it is no space here.
		value, err := url.PathUnescape(value)
		if err != nil {
			return nil, ErrMalformed
		}
		first, _, _ := strings.Cut(value, ",")
		if first == "" {
			return nil, ErrMalformed
		}
		return fromBase64(first)
	})
}

// ALBVerify reads X-Amzn-Mtls-Clientcert-Leaf, which the Application Load
// Balancer of AWS writes in its mode "verify with trust store": the PEM in
// percent-encoding. No certificate: no field.
//
// The other mode has a function of its own, because only one of the two fields
// is the balancer's.
func ALBVerify() Reader { return reader("X-Amzn-Mtls-Clientcert-Leaf", fromEscapedPEM) }

// ALBPassthrough reads X-Amzn-Mtls-Clientcert, which the Application Load
// Balancer of AWS writes in its mode "passthrough": the PEM of the whole chain
// in percent-encoding, the client's first. No certificate: no field.
func ALBPassthrough() Reader {
	return reader("X-Amzn-Mtls-Clientcert", func(value string) (*x509.Certificate, error) {
		text, err := url.PathUnescape(value)
		if err != nil {
			return nil, ErrMalformed
		}
		certificate, rest, err := cutPEM(text)
		if err != nil || rest != "" && strings.IndexByte(space, rest[0]) < 0 {
			return nil, ErrMalformed
		}
		for rest = strings.Trim(rest, space); rest != ""; rest = strings.Trim(rest, space) {
			if _, rest, err = cutPEM(rest); err != nil {
				return nil, ErrMalformed
			}
		}
		return certificate, nil
	})
}

// reader finds the one line of a field.
func reader(field string, parse func(value string) (*x509.Certificate, error)) Reader {
	field = http.CanonicalHeaderKey(field)
	return func(r *http.Request) (*x509.Certificate, error) {
		var lines []string
		for name, values := range r.Header { // names have no case, whoever made the header
			if len(name) == len(field) && strings.EqualFold(name, field) {
				lines = append(lines[:len(lines):len(lines)], values...)
			}
		}
		switch {
		case len(lines) > 1 || field == "":
			return nil, ErrMalformed
		case len(lines) == 0:
			return nil, nil
		}
		value := strings.Trim(lines[0], " \t")
		switch {
		case value == "":
			return nil, nil
		case len(value) > maxFieldBytes:
			return nil, ErrMalformed
		default:
			return parse(value)
		}
	}
}

func fromBase64(text string) (*x509.Certificate, error) {
	// The decoder would skip line ends.
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrMalformed
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrMalformed
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ErrMalformed
	}
	return certificate, nil
}

// fromEscapedPEM reads one PEM block in percent-encoding. It is decoded as a
// path is, not as a query: the "+" of base64 stays.
func fromEscapedPEM(value string) (*x509.Certificate, error) {
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, ErrMalformed
	}
	certificate, rest, err := cutPEM(text)
	if err != nil || strings.Trim(rest, space) != "" {
		return nil, ErrMalformed
	}
	return certificate, nil
}

const (
	space    = " \t\r\n"
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

// cutPEM reads the certificate that text begins with (RFC 7468, Section 5.1).
// Lines may end with any white space: proxies replace what a header field
// cannot hold.
func cutPEM(text string) (certificate *x509.Certificate, rest string, err error) {
	body, found := strings.CutPrefix(text, pemBegin)
	body, rest, closed := strings.Cut(body, pemEnd)
	if !found || !closed {
		return nil, "", ErrMalformed
	}
	certificate, err = fromBase64(strings.Join(strings.Fields(body), ""))
	return certificate, rest, err
}
