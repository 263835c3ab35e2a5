package main

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portcullis-go/portcullis/verifier"
)

// Names of the procedures.
const (
	procedureList   = "/orders.v1.Orders/List"
	procedureCreate = "/orders.v1.Orders/Create"
	procedureWatch  = "/orders.v1.Orders/Watch"
)

// newAPI has an open route, procedures for everybody with a good token, and
// one for those with a scope. The handlers are what protoc-gen-connect-go
// would have generated.
func newAPI(v verifier.RequestVerifier) http.Handler {
	procedures := http.NewServeMux()
	procedures.Handle(procedureList, connect.NewUnaryHandler(procedureList, list,
		connect.WithIdempotency(connect.IdempotencyNoSideEffects))) // may be called with GET
	procedures.Handle(procedureCreate, connect.NewUnaryHandler(procedureCreate, create))
	procedures.Handle(procedureWatch, connect.NewServerStreamHandler(procedureWatch, watch))
	scopes := require(requirements{procedureCreate: {verifier.AllScopes("write:orders")}})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("/", authenticate(v)(scopes(procedures)))
	return mux
}

func list(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
	return respond(ctx)
}

func create(ctx context.Context, _ *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
	return respond(ctx)
}

func watch(ctx context.Context, _ *connect.Request[emptypb.Empty], stream *connect.ServerStream[wrapperspb.StringValue]) error {
	answer, err := respond(ctx)
	if err != nil {
		return err
	}
	return stream.Send(answer.Msg)
}

// respond answers with what the token says.
func respond(ctx context.Context) (*connect.Response[wrapperspb.StringValue], error) {
	token, ok := verifier.TokenFromContext(ctx)
	if !ok { // the handler is not behind authenticate
		return nil, connect.NewError(connect.CodeInternal, errors.New("no token"))
	}
	return connect.NewResponse(wrapperspb.String(token.Subject + " by " + string(token.Scheme))), nil
}
