package introspection

import (
	"context"
	"errors"
	"fmt"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// What an [Error] matches, for errors.Is: exactly one of them. Each means that
// nothing is known about the token.
var (
	// ErrIssuer: the question is about a token of another issuer. Nothing was sent.
	ErrIssuer = errors.New("introspection: the token is of another issuer")
	// ErrMetadata: the issuer's metadata is not to be had, or names no endpoint to
	// which a token may be sent. Nothing was sent.
	ErrMetadata = errors.New("introspection: no usable metadata")
	// ErrCredentials: the client's secret or assertion was not to be had. Nothing was
	// sent.
	ErrCredentials = errors.New("introspection: no credentials")
	// ErrBusy: as many questions are under way as Config.MaxInFlight has for tokens
	// like this one. Nothing was sent.
	ErrBusy = errors.New("introspection: too many questions under way")
	// ErrTimeout: no answer in time.
	ErrTimeout = errors.New("introspection: timed out")
	// ErrNetwork: no answer.
	ErrNetwork = errors.New("introspection: network error")
	// ErrCanceled: the caller's context was canceled.
	ErrCanceled = errors.New("introspection: canceled")
	// ErrRefused: the endpoint answered with another status than 200; 401 and 403 mean
	// that it does not know this client.
	ErrRefused = errors.New("introspection: refused by the endpoint")
	// ErrInvalidResponse: the answer of status 200 is no answer of RFC 7662.
	ErrInvalidResponse = errors.New("introspection: invalid response")
	// ErrClosed: the Client was closed.
	ErrClosed = errors.New("introspection: closed")
)

// Error is the outcome of a question that was not answered. Its text holds nothing
// of a token, a secret or an answer.
type Error struct {
	// Status of the endpoint's answer with ErrRefused, or 0.
	Status int

	kind  error
	cause error
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("%v: status %d", e.kind, e.Status)
	}
	return e.kind.Error()
}

// Is reports whether target is what e matches.
func (e *Error) Is(target error) bool { return target == e.kind }

// Unwrap returns the cause, such as context.Canceled, or nil.
func (e *Error) Unwrap() error { return e.cause }

// ended is the error of a context that is done, or nil.
func ended(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), ErrClosed):
		return &Error{kind: ErrClosed, cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{kind: ErrTimeout, cause: err}
	default:
		return &Error{kind: ErrCanceled, cause: err}
	}
}

// failed is the error of something that went wrong, unless its context ended.
func failed(ctx context.Context, kind, cause error) error {
	if err := ended(ctx); err != nil {
		return err
	}
	var f *fetch.Error
	if kind == ErrNetwork && errors.As(cause, &f) && f.Kind == fetch.Timeout {
		kind = ErrTimeout
	}
	return &Error{kind: kind, cause: cause}
}
