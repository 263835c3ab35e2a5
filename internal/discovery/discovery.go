// Package discovery finds and reads the metadata of issuers (OpenID Connect
// Discovery 1.0, Section 3; RFC 8414, Section 2).
package discovery

import (
	"errors"

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
	// IntrospectionEndpoint is where tokens are asked about (RFC 7662), or "".
	IntrospectionEndpoint string
	// MTLSTokenEndpoint and MTLSIntrospectionEndpoint are the aliases for clients
	// that authenticate with a certificate (RFC 8705, Section 5), or "".
	MTLSTokenEndpoint         string
	MTLSIntrospectionEndpoint string
	TokenEndpointAuthMethods  []string
	// Raw is the document as received.
	Raw []byte
}

// Parse reads the document of an issuer. states reports whether the issuer that
// it states is a spelling of the one asked for.
//
// What is odd in a document does not matter as long as it is not read: a byte
// order mark in front, a member twice, text that is no Unicode. A member that is
// read must be there once at the most; null is absence, and so is a value of the
// wrong type.
func Parse(body []byte, states func(stated string) bool) (*Document, error) {
	members, err := strictjson.ParseDocument(string(body), nil)
	if err != nil {
		return nil, ErrDocument
	}
	r := reader{members: members}
	d := &Document{
		Raw: body, Issuer: r.text("issuer"), JWKSURI: r.text("jwks_uri"),
		TokenEndpoint: r.text("token_endpoint"), IntrospectionEndpoint: r.text("introspection_endpoint"),
		TokenEndpointAuthMethods: r.texts("token_endpoint_auth_methods_supported"),
	}
	aliases, _ := r.value("mtls_endpoint_aliases").DocumentMembers(nil)
	a := reader{members: aliases}
	d.MTLSTokenEndpoint, d.MTLSIntrospectionEndpoint = a.text("token_endpoint"), a.text("introspection_endpoint")
	if r.repeated || a.repeated {
		return nil, ErrDocument
	}
	if !states(d.Issuer) {
		return nil, ErrIssuer
	}
	return d, nil
}

// reader reads members that must not be repeated.
type reader struct {
	members  []strictjson.Member
	repeated bool
}

func (r *reader) value(name string) strictjson.Value {
	v, once := strictjson.One(r.members, name)
	r.repeated = r.repeated || !once
	return v
}

func (r *reader) text(name string) string {
	text, _ := r.value(name).Text()
	return text
}

func (r *reader) texts(name string) (all []string) {
	elements, _ := r.value(name).Elements(nil)
	for _, e := range elements {
		if text, ok := e.Text(); ok {
			all = append(all, text)
		}
	}
	return all
}
