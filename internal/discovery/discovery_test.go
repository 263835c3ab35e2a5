package discovery_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/issuer"
)

const name = "https://a.example/"

func TestParse(t *testing.T) {
	d, err := discovery.Parse(name, []byte(`{"issuer":"https://a.example","jwks_uri":"https://a.example/k","token_endpoint":"https://a.example/t",
		"mtls_endpoint_aliases":{"token_endpoint":"https://m.a.example/t"},"token_endpoint_auth_methods_supported":["client_secret_basic",1,"none"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if d.Issuer != "https://a.example" || d.JWKSURI != "https://a.example/k" || d.TokenEndpoint != "https://a.example/t" || d.MTLSTokenEndpoint != "https://m.a.example/t" {
		t.Errorf("%+v", d)
	}
	if !slices.Equal(d.TokenEndpointAuthMethods, []string{"client_secret_basic", "none"}) {
		t.Errorf("methods %q", d.TokenEndpointAuthMethods)
	}
	for text, want := range map[string]error{
		``: discovery.ErrDocument, `[]`: discovery.ErrDocument, `<html>`: discovery.ErrDocument, `{"issuer":"https://a.example/"`: discovery.ErrDocument,
		`{"issuer":"https://a.example/","issuer":"https://b.example/"}`: discovery.ErrDocument,
		`{}`: discovery.ErrIssuer, `{"issuer":1}`: discovery.ErrIssuer, `{"issuer":"https://b.example/"}`: discovery.ErrIssuer,
		`{"Issuer":"https://a.example/"}`: discovery.ErrIssuer, `{"issuer":"http://a.example/"}`: discovery.ErrIssuer, `{"issuer":"https://a.example/x"}`: discovery.ErrIssuer,
	} {
		if _, err := discovery.Parse(name, []byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v; want %v", text, err, want)
		}
	}
	for _, text := range []string{`"jwks_uri":1`, `"jwks_uri":null`, `"mtls_endpoint_aliases":[]`, `"mtls_endpoint_aliases":{"token_endpoint":{}}`, `"token_endpoint_auth_methods_supported":"x"`} {
		d, err := discovery.Parse(name, []byte(`{"issuer":"https://a.example/",`+text+`}`))
		if err != nil || d.JWKSURI != "" || d.MTLSTokenEndpoint != "" || d.TokenEndpointAuthMethods != nil {
			t.Errorf("%s: %+v, %v; want it absent", text, d, err)
		}
	}
}

// FuzzParse: nothing panics, and what is accepted is of the issuer asked for.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://a.example/","jwks_uri":"https://a.example/k","mtls_endpoint_aliases":{}}`))
	f.Add([]byte(`{"issuer":" HTTPS://A.example"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := discovery.Parse(name, body)
		if err != nil {
			return
		}
		if stated, err := issuer.Normalize(d.Issuer); err != nil || stated != name {
			t.Errorf("accepted the document of %q, %v", d.Issuer, err)
		}
	})
}
