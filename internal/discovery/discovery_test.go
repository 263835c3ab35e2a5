package discovery_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/discovery"
)

const name = "https://a.example/"

func ofA(stated string) bool { return stated == name || stated+"/" == name }

func TestParse(t *testing.T) {
	d, err := discovery.Parse([]byte(`{"issuer":"https://a.example","jwks_uri":"https://a.example/k","token_endpoint":"https://a.example/t",
		"mtls_endpoint_aliases":{"token_endpoint":"https://m.a.example/t"},"token_endpoint_auth_methods_supported":["client_secret_basic",1,"none"]}`), ofA)
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
		`{"Issuer":"https://a.example/"}`: discovery.ErrIssuer, `{"issuer":null}`: discovery.ErrIssuer, `{"issuer":" https://a.example"}`: discovery.ErrIssuer,
		`{"issuer":"https://A.example"}`: discovery.ErrIssuer, `{"issuer":"https://a.example//"}`: discovery.ErrIssuer, `{"issuer":"https://a.example/","issu\u0065r":null}`: discovery.ErrDocument,
		`{"issuer":"https://a.example/","jwks_uri":"x","jwks_uri":"x"}`: discovery.ErrDocument, `{"issuer":"https://a.example/","token_endpoint":"x","token_endpoint":"x"}`: discovery.ErrDocument,
		`{"issuer":"https://a.example/","introspection_endpoint":"x","introspection_endpoint":"x"}`: discovery.ErrDocument, `{"issuer":"https://a.example/","mtls_endpoint_aliases":{},"mtls_endpoint_aliases":{}}`: discovery.ErrDocument,
		`{"issuer":"https://a.example/","mtls_endpoint_aliases":{"token_endpoint":"x","token_endpoint":"x"}}`:                   discovery.ErrDocument,
		`{"issuer":"https://a.example/","token_endpoint_auth_methods_supported":[],"token_endpoint_auth_methods_supported":[]}`: discovery.ErrDocument, `{"issuer":"http://a.example/"}`: discovery.ErrIssuer, `{"issuer":"https://a.example/x"}`: discovery.ErrIssuer,
	} {
		if _, err := discovery.Parse([]byte(text), ofA); !errors.Is(err, want) {
			t.Errorf("%q: %v; want %v", text, err, want)
		}
	}
	for _, text := range []string{`"jwks_uri":1`, `"jwks_uri":null`, `"mtls_endpoint_aliases":[]`, `"mtls_endpoint_aliases":{"token_endpoint":{}}`, `"token_endpoint_auth_methods_supported":"x"`} {
		d, err := discovery.Parse([]byte(`{"issuer":"https://a.example/",`+text+`}`), ofA)
		if err != nil || d.JWKSURI != "" || d.MTLSTokenEndpoint != "" || d.TokenEndpointAuthMethods != nil {
			t.Errorf("%s: %+v, %v; want it absent", text, d, err)
		}
	}
}

// TestDocumentsAsTheyCome: what is odd and is not read does no harm.
func TestDocumentsAsTheyCome(t *testing.T) {
	for _, document := range []string{
		"\ufeff" + `{"issuer":"https://a.example/","jwks_uri":"https://a.example/k"}`,
		`{"issuer":"https://a.example/","jwks_uri":"https://a.example/k","scopes_supported":["a"],"scopes_supported":["a"]}`,
		`{"issuer":"https://a.example/","jwks_uri":"https://a.example/k","x":{"issuer":"https://b.example","issuer":1}}`,
		`{"issuer":"https://a.example/","jwks_uri":"https://a.example/k","x":"\ud800","token_endpoint":null,"mtls_endpoint_aliases":null}`,
		"{\"issuer\":\"https://a.example/\",\"jwks_uri\":\"https://a.example/k\",\"op_policy_uri\":\"\xe9\"}",
		`{"issuer":"https://a.example/","jwks_uri":"https://a.example/k","mtls_endpoint_aliases":{"x":1,"x":2}}`,
	} {
		if d, err := discovery.Parse([]byte(document), ofA); err != nil || d.JWKSURI != "https://a.example/k" || d.TokenEndpoint != "" {
			t.Errorf("%q: %+v, %v", document, d, err)
		}
	}
}

// FuzzParse: nothing panics, and what is accepted is of the issuer asked for.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://a.example/","jwks_uri":"https://a.example/k","mtls_endpoint_aliases":{}}`))
	f.Add([]byte("\ufeff" + `{"issuer":"https://a.example","x":1,"x":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := discovery.Parse(body, ofA)
		if err != nil {
			return
		}
		if d.Issuer != name && d.Issuer+"/" != name {
			t.Errorf("accepted the document of %q", d.Issuer)
		}
		// Another reader, which takes the last of repeated members and the first
		// of two that differ in case, must not see another issuer.
		var other map[string]any
		if json.Unmarshal([]byte(strings.TrimPrefix(string(body), "\ufeff")), &other) == nil && other["issuer"] != d.Issuer {
			t.Errorf("issuer %q, and %v for another reader", d.Issuer, other["issuer"])
		}
	})
}
