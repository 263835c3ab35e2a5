package verifier

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Umbrella errors, for errors.Is. Every error of a verification matches
// exactly one of them.
var (
	// ErrNoCredentials: the request has no usable credentials (401 without an
	// error code).
	ErrNoCredentials = errors.New("verifier: no credentials")
	// ErrInvalidRequest: the request is malformed (400 invalid_request).
	ErrInvalidRequest = errors.New("verifier: invalid request")
	// ErrInvalidToken: the access token is bad (401 invalid_token).
	ErrInvalidToken = errors.New("verifier: invalid token")
	// ErrInvalidDPoPProof: the proof is bad (401 invalid_dpop_proof).
	ErrInvalidDPoPProof = errors.New("verifier: invalid DPoP proof")
	// ErrUseDPoPNonce: the proof must be repeated with the nonce given (401
	// use_dpop_nonce).
	ErrUseDPoPNonce = errors.New("verifier: DPoP nonce required")
	// ErrInsufficientScope: the token is good but does not allow this (403
	// insufficient_scope).
	ErrInsufficientScope = errors.New("verifier: insufficient scope")
	// ErrInsufficientAuthentication: the user must authenticate anew (401
	// insufficient_user_authentication).
	ErrInsufficientAuthentication = errors.New("verifier: insufficient user authentication")
	// ErrUnavailable: could not decide (503). The token may be good; the client
	// should try again and must not throw it away.
	ErrUnavailable = errors.New("verifier: could not decide")
	// ErrArgument: the calling program made a mistake (500).
	ErrArgument = errors.New("verifier: invalid argument")
	// ErrConfig: New refused the configuration; see [ConfigError].
	ErrConfig = errors.New("verifier: invalid configuration")
)

// Specific errors, for errors.Is, beside the umbrella ones. [Error.Reason] is
// finer still.
var (
	ErrMalformed   = errors.New("verifier: malformed token")        // invalid_token
	ErrAlgorithm   = errors.New("verifier: algorithm not allowed")  // invalid_token
	ErrIssuer      = errors.New("verifier: wrong issuer")           // invalid_token
	ErrKeyNotFound = errors.New("verifier: signing key not found")  // invalid_token
	ErrSignature   = errors.New("verifier: invalid signature")      // invalid_token
	ErrExpired     = errors.New("verifier: token expired")          // invalid_token
	ErrNotYetValid = errors.New("verifier: token not valid yet")    // invalid_token
	ErrAudience    = errors.New("verifier: wrong audience")         // invalid_token
	ErrClaim       = errors.New("verifier: claim missing or wrong") // invalid_token
	ErrBinding     = errors.New("verifier: token binding failed")   // invalid_token
	ErrReplayed    = errors.New("verifier: proof replayed")         // invalid_dpop_proof
)

// specific says which of them an error matches. It is read only.
var specific = map[Reason]error{
	reason.TokenMalformed: ErrMalformed, reason.TokenTooLarge: ErrMalformed, reason.TokenType: ErrMalformed, reason.TokenCritical: ErrMalformed,
	reason.TokenDecryption: ErrMalformed, reason.TokenNotEncrypted: ErrMalformed,
	reason.Algorithm:     ErrAlgorithm,
	reason.IssuerMissing: ErrIssuer, reason.IssuerMalformed: ErrIssuer, reason.IssuerNotAllowed: ErrIssuer, reason.IssuerMismatch: ErrIssuer,
	reason.KeyUnknown: ErrKeyNotFound, reason.NoUsableKey: ErrKeyNotFound,
	reason.Signature:    ErrSignature,
	reason.Expired:      ErrExpired,
	reason.NotYetValid:  ErrNotYetValid,
	reason.Audience:     ErrAudience,
	reason.ClaimMissing: ErrClaim, reason.ClaimMalformed: ErrClaim, reason.ClaimValue: ErrClaim,
	reason.Confirmation: ErrBinding, reason.BindingMissing: ErrBinding, reason.CertificateBindingMissing: ErrBinding, reason.BindingMismatch: ErrBinding,
	reason.BoundTokenAsBearer: ErrBinding, reason.CertificateMissing: ErrBinding, reason.Certificate: ErrBinding,
	reason.ProofReplayed: ErrReplayed,
}

// Error is the outcome of a verification that did not end with a token. None
// of its fields and texts holds a part of a token, proof, header or upstream
// answer; Description is safe for the wire.
type Error struct {
	// Code for the challenge; [CodeNone] when there is none to give.
	Code Code
	// Reason, stable and machine-readable.
	Reason Reason
	// Description for humans: plain ASCII without quotes and backslashes.
	Description string
	// Status of the HTTP answer.
	Status int
	// RetryAfter is when trying again makes sense; only with status 503.
	RetryAfter time.Duration
	// Scope that is needed; only with insufficient_scope.
	Scope string
	// ACRValues and MaxAge that are needed; only with
	// insufficient_user_authentication (RFC 9470, Section 3).
	ACRValues string
	MaxAge    time.Duration
	// DPoPNonce for the DPoP-Nonce header, or "".
	DPoPNonce string
	// Claim is the name of the claim that is missing or malformed, when the
	// name is the configuration's or a registered one.
	Claim string
	// Limit in bytes that the token or proof is longer than; only with the
	// reasons token_too_large and proof_too_large.
	Limit int

	scheme  Scheme // that the request used
	only    Scheme // that is challenged; "" for those that the mode allows
	bare    bool   // Code is for the body alone
	answers *answers
	cause   error
}

// Error returns the description. It does not contain the cause.
func (e *Error) Error() string {
	text := "verifier: " + e.Description
	if e.Claim != "" {
		text += " (" + e.Claim + ")"
	}
	if e.Limit > 0 {
		text += " (more than " + strconv.Itoa(e.Limit) + " bytes)"
	}
	return text
}

// Unwrap returns the cause of a failure to decide, such as the error of a
// resolver or a replay store, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the umbrella or specific error of e.
func (e *Error) Is(target error) bool {
	if target == e.umbrella() {
		return true
	}
	s := specific[e.Reason]
	return s != nil && target == s
}

func (e *Error) umbrella() error {
	switch {
	case e.Status == http.StatusServiceUnavailable:
		return ErrUnavailable
	case e.Reason == reason.Argument || e.Status == http.StatusInternalServerError:
		return ErrArgument
	}
	info := e.Reason.Info()
	code := Code(info.Code)
	if info.Description == "" { // a reason of the program's own
		code = e.Code
	}
	switch code {
	case CodeInvalidRequest:
		return ErrInvalidRequest
	case CodeInvalidToken:
		return ErrInvalidToken
	case CodeInvalidDPoPProof:
		return ErrInvalidDPoPProof
	case CodeUseDPoPNonce:
		return ErrUseDPoPNonce
	case CodeInsufficientScope:
		return ErrInsufficientScope
	case CodeInsufficientUserAuthentication:
		return ErrInsufficientAuthentication
	default:
		return ErrNoCredentials
	}
}

// refuse makes the error of a reason.
func refuse(r Reason) *Error {
	info := r.Info()
	return &Error{Code: Code(info.Code), Reason: r, Description: info.Description, Status: info.Status}
}

// refuseClaim names the claim, which must not come from the client.
func refuseClaim(r Reason, claim string) *Error {
	e := refuse(r)
	e.Claim = claim
	return e
}

// refuseSize says which bound was met.
func refuseSize(r reason.Reason, limit int) *Error {
	e := refuse(r)
	e.Limit = limit
	return e
}

// undecided makes an error with the cause of a failure to decide.
func undecided(r Reason, cause error, retryAfter time.Duration) *Error {
	e := refuse(r)
	e.cause, e.RetryAfter = cause, max(retryAfter, time.Second)
	return e
}

// asError returns the *Error that every step ends with.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return undecided(reason.Keys, err, 0)
}
