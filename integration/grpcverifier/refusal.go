package grpcverifier

import (
	"context"
	"errors"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portcullis-go/portcullis/verifier"
)

// refuse returns the status of a refusal, and sets the metadata that goes with
// it.
func refuse(ctx context.Context, err error) error {
	var e *verifier.Error
	if !errors.As(err, &e) {
		return status.Error(codes.Internal, "the request could not be checked")
	}
	fields := make(http.Header)
	e.WriteHeaders(fields)
	fields.Del("Cache-Control") // gRPC is not cached
	answer := make(metadata.MD)
	for name, values := range fields {
		answer.Append(name, values...)
	}
	_ = grpc.SetHeader(ctx, answer) // fails only outside of a call
	if ctx.Value(http.ServerContextKey) == nil {
		_ = grpc.SetTrailer(ctx, answer)
	}
	s := status.New(codeOf(e.Status), e.Description)
	if e.Status == http.StatusServiceUnavailable {
		delay := max(e.RetryAfter, time.Second)
		if detailed, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}); err == nil {
			s = detailed
		}
	}
	return s.Err()
}

func codeOf(status int) codes.Code {
	switch status {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	default:
		return codes.Internal
	}
}
