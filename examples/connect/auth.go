package main

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/portcullis-go/portcullis/verifier"
)

// authenticate protects Connect handlers: they see only calls with good tokens,
// which verifier.TokenFromContext returns. Refusals are errors of the protocol
// that the client speaks: Connect, gRPC or gRPC-Web.
//
// It is middleware of net/http and no interceptor. A DPoP proof is for the
// method and URL of the HTTP request, which interceptors are not told; and an
// interceptor's error reaches gRPC clients in the trailer, where challenges are
// not allowed (RFC 9110, Section 6.5.1) and net/http drops them.
func authenticate(v verifier.RequestVerifier) func(http.Handler) http.Handler {
	errorWriter := connect.NewErrorWriter()
	return verifier.Middleware(v, verifier.MiddlewareConfig{
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var e *verifier.Error
			if !errors.As(err, &e) || !errorWriter.IsSupported(r) {
				verifier.WriteError(w, err)
				return
			}
			e.WriteHeaders(w.Header())
			_ = errorWriter.Write(w, r, connect.NewError(codeOf(e.Status), errors.New(e.Description))) // the client may be gone
		},
	})
}

// requirements are what procedures, such as "/orders.v1.Orders/Create", demand
// of the token beyond being good.
type requirements map[string][]verifier.Requirement

// require is middleware for the handlers inside of authenticate. Connect finds
// the procedure by the path, compared exactly, and so does this.
func require(byProcedure requirements) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		demanding := make(map[string]http.Handler, len(byProcedure))
		for procedure, list := range byProcedure {
			demanding[procedure] = verifier.Require(list...)(next)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handler, ok := demanding[r.URL.Path]; ok {
				handler.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func codeOf(status int) connect.Code {
	switch status {
	case http.StatusBadRequest:
		return connect.CodeInvalidArgument
	case http.StatusUnauthorized:
		return connect.CodeUnauthenticated
	case http.StatusForbidden:
		return connect.CodePermissionDenied
	case http.StatusServiceUnavailable:
		return connect.CodeUnavailable
	default:
		return connect.CodeInternal
	}
}
