package verifier

// Metadata is what an issuer says about itself in its discovery document
// (OpenID Connect Discovery 1.0, Section 3; RFC 8414, Section 2), as far as
// this module uses it. [Verifier.Metadata] returns it.
type Metadata struct {
	// Issuer as the document states it. It is the issuer that was asked for.
	Issuer string
	// JWKSURI is where the issuer's keys are.
	JWKSURI string
	// TokenEndpoint, or "" when the issuer states none. It is not checked:
	// whoever sends a secret there makes sure that it is https.
	TokenEndpoint string
	// MTLSTokenEndpoint is the alias of the token endpoint for clients that
	// authenticate with a certificate (RFC 8705, Section 5), or "".
	MTLSTokenEndpoint string
	// TokenEndpointAuthMethods are the client authentication methods that the
	// issuer lists, or nil.
	TokenEndpointAuthMethods []string
	// Document is the JSON document as it was received. The caller owns it.
	Document []byte
}
