package clientcert_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier/clientcert"
)

// TestOtherFieldsSayNothing: a client can write every field but the one that the
// proxy overwrites.
func TestOtherFieldsSayNothing(t *testing.T) {
	value := derBase64(newCertificate(t, "other"))
	read := clientcert.HAProxy("X-Tls-Cert")
	for _, name := range []string{"X-Client-Cert", "X-Tls-Cerx", "X-Tls-Cert2", "X-Tls-Cer", "X-Tl\u017f-Cert", "X-Tls_Cert", "Cookie", ""} {
		if got, err := read(&http.Request{Header: http.Header{name: {value}, "Accept": {"*/*"}}}); got != nil || err != nil {
			t.Errorf("%q: %v, %v; want no certificate", name, got, err)
		}
	}
	mine := newCertificate(t, "client")
	got, err := read(&http.Request{Header: http.Header{"X-Tls-Cert": {derBase64(mine)}, "X-Tls-Cerx": {value}, "X-Tl\u017f-Cert": {value}}})
	if err != nil || !got.Equal(mine) {
		t.Errorf("beside others: %v, %v; want the client's certificate", got, err)
	}
}

// TestNearlyCertificates differ in little from what is taken.
func TestNearlyCertificates(t *testing.T) {
	mine, other := newCertificate(t, "client"), newCertificate(t, "other")
	base, text, escaped := derBase64(mine), pemText(mine), escapedPEM(mine, "")
	const begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
	padded := func(size int) string { return text + strings.Repeat("\n", size-len(text)) }
	nginx, haproxy, chain, envoy := clientcert.Nginx(field), clientcert.HAProxy(field), clientcert.ALBPassthrough(), clientcert.Envoy()
	for name, test := range map[string]struct {
		read  clientcert.Reader
		field string
		value string
		good  bool
	}{
		"as long as can be":             {nginx, field, padded(32 << 10), true},
		"longer":                        {nginx, field, padded(32<<10 + 1), false},
		"no beginning":                  {nginx, field, base + end, false},
		"no end":                        {nginx, field, begin + base, false},
		"both":                          {nginx, field, begin + base + end, true},
		"a line end in base64":          {haproxy, field, base[:8] + "\n" + base[8:], false},
		"a carriage return in base64":   {haproxy, field, base[:8] + "\r" + base[8:], false},
		"a chain":                       {chain, "X-Amzn-Mtls-Clientcert", text + pemText(other), true},
		"a chain with a space":          {chain, "X-Amzn-Mtls-Clientcert", strings.TrimSpace(text) + " " + pemText(other), true},
		"a chain without space between": {chain, "X-Amzn-Mtls-Clientcert", strings.TrimSpace(text) + pemText(other), false},
		"one key":                       {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped, true},
		"keys of all letters":           {envoy, "X-Forwarded-Client-Cert", "azAZ=x;Cert=" + escaped, true},
		"two certificates":              {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped + ";Cert=" + escaped, false},
		"two certificates, by case":     {envoy, "X-Forwarded-Client-Cert", "Cert=" + escapedPEM(other, "") + ";CERT=" + escaped, false},
		"a key without a value":         {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped + ";Hash", false},
		"a key with an empty value":     {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped + ";Hash=", true},
		"a value without a key":         {envoy, "X-Forwarded-Client-Cert", "=x;Cert=" + escaped, false},
		"a quoted pair":                 {envoy, "X-Forwarded-Client-Cert", `Cert="\-` + escaped[1:] + `"`, true},
		"a value that does not end":     {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped + `;By="x`, false},
		"an escape that does not end":   {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped + `;By="x\`, false},
		"a value behind its end":        {envoy, "X-Forwarded-Client-Cert", "Cert=" + escaped + `;By="x"y`, false},
		"a quote at one end":            {envoy, "X-Forwarded-Client-Cert", `Cert=` + escaped + `"`, false},
		"a key with {":                  {envoy, "X-Forwarded-Client-Cert", "By{=x;Cert=" + escaped, false},
		"a key with [":                  {envoy, "X-Forwarded-Client-Cert", "By[=x;Cert=" + escaped, false},
		"a key with `":                  {envoy, "X-Forwarded-Client-Cert", "By`=x;Cert=" + escaped, false},
		"a key with @":                  {envoy, "X-Forwarded-Client-Cert", "By@=x;Cert=" + escaped, false},
		"a key with a space":            {envoy, "X-Forwarded-Client-Cert", "By =x;Cert=" + escaped, false},
	} {
		got, err := test.read(request(test.field, test.value))
		switch {
		case test.good && (err != nil || !got.Equal(mine)):
			t.Errorf("%s: %v, %v; want the client's certificate", name, got, err)
		case !test.good && (got != nil || !errors.Is(err, clientcert.ErrMalformed)):
			t.Errorf("%s: %v, %v; want ErrMalformed", name, got, err)
		}
	}
}
