package exchange

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/verifier"
)

// Umbrella errors, for errors.Is. Every error of an exchange matches exactly
// one of them, beside the error of the context that ended it.
var (
	// ErrArgument: the request was refused before anything was sent.
	ErrArgument = errors.New("exchange: invalid argument")
	// ErrConfig: New refused the configuration; see [ConfigError].
	ErrConfig = errors.New("exchange: invalid configuration")
	// ErrMetadata: the issuer's metadata is not to be had, or names no token
	// endpoint to which a secret may be sent. Nothing was sent.
	ErrMetadata = errors.New("exchange: no usable metadata")
	// ErrCredentials: the client's secret or assertion was not to be had, or its key
	// did not sign. Nothing was sent.
	ErrCredentials = errors.New("exchange: no credentials")
	// ErrTimeout: no answer in time (504). Whether the endpoint acted is
	// unknown.
	ErrTimeout = errors.New("exchange: timed out")
	// ErrNetwork: no answer (502). Whether the endpoint acted is unknown.
	ErrNetwork = errors.New("exchange: network error")
	// ErrCanceled: the caller's context was canceled.
	ErrCanceled = errors.New("exchange: canceled")
	// ErrRefused: the endpoint answered with an error (RFC 6749, Section 5.2).
	ErrRefused = errors.New("exchange: refused by the token endpoint")
	// ErrRateLimited: the endpoint asked to wait; see [Error.RetryAfter].
	ErrRateLimited = errors.New("exchange: rate limited")
	// ErrInvalidResponse: the endpoint answered with 200, but not with a token
	// that may be used (502).
	ErrInvalidResponse = errors.New("exchange: invalid response")
	// ErrClosed: the Client was closed.
	ErrClosed = errors.New("exchange: closed")
)

// Specific errors, for errors.Is, beside ErrInvalidResponse.
var (
	// ErrTokenType: issued_token_type or token_type is not what was asked for.
	ErrTokenType = errors.New("exchange: another type of token")
	// ErrOrganization: no returned token states the organization asked for.
	ErrOrganization = errors.New("exchange: another organization")
)

// Codes of errors that do not come from the token endpoint. Those of arguments
// and failures also depend on the flow.
const (
	codeMissing          = "invalid_request"
	codeMetadata         = "discovery_error"
	codeCredentials      = "client_authentication_error"
	codeTimeout          = "timeout_error"
	codeNetwork          = "network_error"
	codeCanceled         = "canceled"
	codeInvalidJSON      = "invalid_json"
	codeInvalidResponse  = "invalid_response"
	codeClosed           = "closed"
	codeExchangeArgument = "get_token_by_exchange_profile_error"
	codeExchangeFailure  = "token_exchange_error"
	codeVaultArgument    = "get_access_token_for_connection_error"
	codeVaultFailure     = "connection_token_error"
	codeBearerFailure    = "jwt_bearer_error"
)

// Error is the outcome of an exchange that brought no token. None of its
// fields and texts holds a part of a token, a secret or an upstream body; Code
// is the one word that the endpoint can choose, within narrow bounds.
type Error struct {
	// Code is the error code of the token endpoint (RFC 6749, Section 5.2), such
	// as "invalid_grant", when it gave a legal one; otherwise one of this
	// package, such as "timeout_error".
	Code string
	// Status is that of the endpoint's answer with ErrRefused and
	// ErrRateLimited. It is 400 for arguments, 504 for time-outs, 503 for
	// signers and a closed Client, and 502 for all else. It describes what
	// happened between this client and the endpoint; what a server answers to
	// its own caller is for that server to decide.
	Status int
	// Description in words of this package.
	Description string
	// RetryAfter is when trying again makes sense, if that is known. Until then
	// equal requests that were rate limited fail at once.
	RetryAfter time.Duration

	kind     error
	specific error
	cause    error
	server   *string
}

// Error returns the description. It does not contain the cause.
func (e *Error) Error() string { return "exchange: " + e.Description }

// GoString is Error: the fields that %#v would print are not all ours.
func (e *Error) GoString() string { return e.Error() }

// Is reports whether target is the umbrella or specific error of e.
func (e *Error) Is(target error) bool {
	return target == e.kind || e.specific != nil && target == e.specific
}

// Unwrap returns the cause, such as context.Canceled, or nil.
func (e *Error) Unwrap() error { return e.cause }

// ServerDescription returns the error_description of the token endpoint (RFC
// 6749, Section 5.2), or "". It is text of the endpoint's choice, bounded to
// printable ASCII without quotes and to 512 bytes, for people who find out what
// is wrong: it is in no error text, and is not to be relayed to clients.
func (e *Error) ServerDescription() string {
	if e.server == nil {
		return ""
	}
	return *e.server
}

// ConfigError says which field of the configuration New refused. It matches
// [ErrConfig].
type ConfigError struct {
	// Field as written in Go, such as "ClientID".
	Field string
	// Problem in words.
	Problem string
}

func (e *ConfigError) Error() string { return "exchange: Config." + e.Field + " " + e.Problem }

// Is reports whether target is ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

func invalid(field, problem string) error { return &ConfigError{Field: field, Problem: problem} }

// missing is an argument that is required and absent.
func missing(argument string) error {
	return &Error{Code: codeMissing, Status: http.StatusBadRequest, Description: argument + " is required", kind: ErrArgument}
}

// argument is one that cannot be accepted.
func (f *flow) argument(problem string) error {
	return &Error{Code: f.argumentCode, Status: http.StatusBadRequest, Description: problem, kind: ErrArgument}
}

func invalidResponse(code, description string, specific error) error {
	return &Error{Code: code, Status: http.StatusBadGateway, Description: description, kind: ErrInvalidResponse, specific: specific}
}

// noCredential is the error of credentials that are not to be had.
func noCredential(ctx context.Context, cause error) error {
	if ended := ended(ctx); ended != nil {
		return ended
	}
	return &Error{Code: codeCredentials, Status: http.StatusServiceUnavailable, Description: "the client's credentials are not available", kind: ErrCredentials, cause: cause}
}

// ended is the error of a context that is done, or nil.
func ended(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), ErrClosed):
		return closed()
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut(err)
	default:
		return &Error{Code: codeCanceled, Status: http.StatusBadGateway, Description: "canceled by the caller", kind: ErrCanceled, cause: err}
	}
}

func closed() error {
	return &Error{Code: codeClosed, Status: http.StatusServiceUnavailable, Description: "the client is closed", kind: ErrClosed}
}

func timedOut(cause error) error {
	return &Error{Code: codeTimeout, Status: http.StatusGatewayTimeout, Description: "no answer in time", kind: ErrTimeout, cause: cause}
}

// unanswered is the error of a request that got no answer.
func unanswered(ctx context.Context, err error) error {
	if ended := ended(ctx); ended != nil {
		return ended
	}
	var f *fetch.Error
	if errors.As(err, &f) && f.Kind == fetch.Timeout {
		return timedOut(err)
	}
	return &Error{Code: codeNetwork, Status: http.StatusBadGateway, Description: "no answer from the token endpoint", kind: ErrNetwork, cause: err}
}

// noMetadata is the error of a failed look at the metadata.
func noMetadata(ctx context.Context, err error) error {
	if ended := ended(ctx); ended != nil {
		return ended
	}
	e := &Error{Code: codeMetadata, Status: http.StatusBadGateway, Description: "the issuer's metadata is not available", kind: ErrMetadata, cause: err}
	var u *lifecycle.Unavailable
	var v *verifier.Error
	switch {
	case errors.As(err, &u):
		e.RetryAfter = u.RetryAfter
	case errors.As(err, &v):
		e.RetryAfter = v.RetryAfter
	}
	var f *fetch.Error
	if errors.As(err, &f) && f.Kind == fetch.Timeout {
		e.Status = http.StatusGatewayTimeout
	}
	return e
}
