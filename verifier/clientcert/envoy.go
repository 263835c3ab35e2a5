package clientcert

import (
	"crypto/x509"
	"strings"
)

// Envoy reads X-Forwarded-Client-Cert (XFCC), with the key Cert: the PEM in
// percent-encoding. Envoy must be told to write it:
//
//	forward_client_cert_details: SANITIZE_SET
//	set_current_client_cert_details: { cert: true }
//
// Several elements are [ErrMalformed]: with APPEND_FORWARD or FORWARD_ONLY those
// in front are the client's, who can write them so that its text is taken for
// Envoy's. So is an element without Cert. No certificate: no field, or an empty
// one.
func Envoy() Reader {
	return reader("X-Forwarded-Client-Cert", func(value string) (*x509.Certificate, error) {
		return fromEscapedPEM(certOf(value))
	})
}

// certOf returns the value of the one key Cert of an element, whose pairs have
// semicolons between, or "" when there is not one, or the element is malformed.
// Keys are compared without case.
func certOf(element string) string {
	cert, has := "", false
	for rest := element; rest != ""; {
		var key, value string
		var ok bool
		key, rest, ok = strings.Cut(rest, "=")
		if !ok || !isWord(key) {
			return ""
		}
		if value, rest, ok = cutValue(rest); !ok {
			return ""
		}
		if strings.EqualFold(key, "Cert") {
			if has {
				return ""
			}
			cert, has = value, true
		}
	}
	return cert
}

func isWord(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
}

// cutValue reads a value, quoted or not, and the semicolon behind it. A quote
// stands at both ends or nowhere, and a comma that is not in quotes begins
// another element.
func cutValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, ";")
		return value, rest, !strings.ContainsAny(value, `",`)
	}
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			if rest = text[i+1:]; rest == "" {
				return out.String(), "", true
			}
			rest, ok = strings.CutPrefix(rest, ";")
			return out.String(), rest, ok
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", "", false
}
