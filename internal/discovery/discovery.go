// Package discovery reads the metadata of issuers (OpenID Connect Discovery 1.0,
// Section 3; RFC 8414, Section 2).
package discovery

import (
	"errors"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// What is wrong with a document. The errors hold none of its bytes.
var (
	ErrDocument = errors.New("discovery: not a provider metadata document")
	ErrIssuer   = errors.New("discovery: document states another issuer")
)

// Document is the metadata of an issuer that this module uses. It is immutable.
type Document struct {
	// Issuer as the document states it, byte by byte.
	Issuer        string
	JWKSURI       string
	TokenEndpoint string
	// MTLSTokenEndpoint is the alias for clients that authenticate with a
	// certificate (RFC 8705, Section 5), or "".
	MTLSTokenEndpoint        string
	TokenEndpointAuthMethods []string
	// Raw is the document as received.
	Raw []byte
}

// Parse reads the document of a normalised issuer. The issuer that it states
// must be the same one (OpenID Connect Discovery 1.0, Section 4.3).
func Parse(name string, body []byte) (*Document, error) {
	members, err := strictjson.Parse(string(body), nil)
	if err != nil {
		return nil, ErrDocument
	}
	d := &Document{Raw: body}
	texts := []struct {
		member string
		to     *string
	}{{"issuer", &d.Issuer}, {"jwks_uri", &d.JWKSURI}, {"token_endpoint", &d.TokenEndpoint}}
	for _, t := range texts {
		// A member of the wrong type is as good as absent: whoever needs it
		// will miss it.
		*t.to, _ = strictjson.Find(members, t.member).Text()
	}
	if aliases, ok := strictjson.Find(members, "mtls_endpoint_aliases").Members(nil); ok {
		d.MTLSTokenEndpoint, _ = strictjson.Find(aliases, "token_endpoint").Text()
	}
	if methods, ok := strictjson.Find(members, "token_endpoint_auth_methods_supported").Elements(nil); ok {
		for _, m := range methods {
			if text, ok := m.Text(); ok {
				d.TokenEndpointAuthMethods = append(d.TokenEndpointAuthMethods, text)
			}
		}
	}
	stated, err := issuer.Normalize(d.Issuer)
	if err != nil || stated != name {
		return nil, ErrIssuer
	}
	return d, nil
}
