package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portcullis-go/portcullis/integration/grpcverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

// Full names of the methods.
const (
	methodCheck  = "/grpc.health.v1.Health/Check"
	methodList   = "/orders.v1.Orders/List"
	methodCreate = "/orders.v1.Orders/Create"
	methodWatch  = "/orders.v1.Orders/Watch"
)

// newServer has an open service, methods for everybody with a good token, and
// one for those with a scope.
func newServer(v grpcverifier.RequestVerifier, externalURL string, options ...grpc.ServerOption) (*grpc.Server, error) {
	auth, err := grpcverifier.New(v, grpcverifier.Config{
		Open:         []string{methodCheck},
		Requirements: map[string][]verifier.Requirement{methodCreate: {verifier.AllScopes("write:orders")}},
		ExternalURL:  externalURL,
	})
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(append(options, auth.ServerOptions()...)...)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	server.RegisterService(description(), orders{})
	return server, nil
}

// orders answers with the subject of the token.
type orders struct{}

type ordersServer interface {
	List(context.Context, *emptypb.Empty) (*wrapperspb.StringValue, error)
	Create(context.Context, *wrapperspb.StringValue) (*wrapperspb.StringValue, error)
	Watch(*emptypb.Empty, grpc.ServerStreamingServer[wrapperspb.StringValue]) error
}

func (orders) List(ctx context.Context, _ *emptypb.Empty) (*wrapperspb.StringValue, error) {
	return subject(ctx)
}

func (orders) Create(ctx context.Context, _ *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	return subject(ctx)
}

func (orders) Watch(_ *emptypb.Empty, stream grpc.ServerStreamingServer[wrapperspb.StringValue]) error {
	s, err := subject(stream.Context())
	if err != nil {
		return err
	}
	return stream.Send(s)
}

func subject(ctx context.Context) (*wrapperspb.StringValue, error) {
	token, ok := verifier.TokenFromContext(ctx)
	if !ok { // the method is open
		return nil, status.Error(codes.Internal, "no token")
	}
	return wrapperspb.String(token.Subject + " by " + string(token.Scheme)), nil
}

// description is what protoc would have generated from the interface.
func description() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "orders.v1.Orders",
		HandlerType: (*ordersServer)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "List", Handler: unary(methodList, ordersServer.List)},
			{MethodName: "Create", Handler: unary(methodCreate, ordersServer.Create)},
		},
		Streams: []grpc.StreamDesc{{StreamName: "Watch", ServerStreams: true, Handler: func(srv any, stream grpc.ServerStream) error {
			in := new(emptypb.Empty)
			if err := stream.RecvMsg(in); err != nil {
				return err
			}
			return srv.(ordersServer).Watch(in, &grpc.GenericServerStream[emptypb.Empty, wrapperspb.StringValue]{ServerStream: stream})
		}}},
	}
}

func unary[In any](method string, call func(ordersServer, context.Context, *In) (*wrapperspb.StringValue, error)) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, in any) (any, error) { return call(srv.(ordersServer), ctx, in.(*In)) }
		if interceptor == nil {
			return handler(ctx, in)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, handler)
	}
}
