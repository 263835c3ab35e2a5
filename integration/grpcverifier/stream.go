package grpcverifier

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portcullis-go/portcullis/verifier"
)

// stream is a stream with a token. It fails from the end of its context on, so
// that a method that does not look at its context ends, too.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *stream) Context() context.Context { return s.ctx }

// expired reports whether the stream has ended with its token.
func (s *stream) expired() bool {
	return s.ctx.Err() != nil && errors.Is(context.Cause(s.ctx), verifier.ErrExpired)
}

// failure returns why the stream has ended.
func (s *stream) failure() error {
	if s.expired() {
		return status.Error(codes.Unauthenticated, "the access token has expired")
	}
	return status.FromContextError(s.ctx.Err()).Err()
}

// SendMsg sends, unless the stream has ended. What waits for a slow client
// is not called back.
func (s *stream) SendMsg(m any) error {
	if s.ctx.Err() != nil {
		return s.failure()
	}
	return s.ServerStream.SendMsg(m)
}

// RecvMsg receives until the stream ends. A method that gets an error must not
// use m: a message may still be on its way into it. The goroutine ends with the
// method, at the latest.
func (s *stream) RecvMsg(m any) error {
	if s.ctx.Err() != nil {
		return s.failure()
	}
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }()
	select {
	case err := <-received:
		return err
	case <-s.ctx.Done():
		return s.failure()
	}
}
