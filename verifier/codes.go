package verifier

import "github.com/portcullis-go/portcullis/verifier/reason"

// Reason says why a request was refused, in one stable word. Package reason
// names them all.
type Reason = reason.Reason

// Code is an OAuth error code as it stands in the "error" parameter of a
// challenge.
type Code string

// The codes and where they are registered.
const (
	// CodeNone: no error parameter (RFC 6750, Section 3.1, for requests without
	// credentials), or an error that is not the client's.
	CodeNone                           Code = ""
	CodeInvalidRequest                 Code = "invalid_request"                  // RFC 6750, Section 3.1
	CodeInvalidToken                   Code = "invalid_token"                    // RFC 6750, Section 3.1
	CodeInsufficientScope              Code = "insufficient_scope"               // RFC 6750, Section 3.1
	CodeInsufficientUserAuthentication Code = "insufficient_user_authentication" // RFC 9470, Section 3
	CodeInvalidDPoPProof               Code = "invalid_dpop_proof"               // RFC 9449, Section 7.1
	CodeUseDPoPNonce                   Code = "use_dpop_nonce"                   // RFC 9449, Section 9
)

// Scheme is an authorization scheme.
type Scheme string

// The schemes; the zero value stands for none.
const (
	SchemeBearer Scheme = "Bearer" // RFC 6750
	SchemeDPoP   Scheme = "DPoP"   // RFC 9449
)
