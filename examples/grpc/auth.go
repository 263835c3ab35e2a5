package main

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portcullis-go/portcullis/verifier"
)

// requestVerifier is what auth needs; a *verifier.Verifier is one.
type requestVerifier interface {
	VerifyRequest(ctx context.Context, req verifier.Request, opts ...verifier.VerifyOption) (*verifier.Token, error)
}

// auth protects the methods of a server: they are called with good tokens
// only, which verifier.TokenFromContext returns. Its methods unary and stream
// are the interceptors. A stream is authorized when it begins.
type auth struct {
	verifier requestVerifier
	// open are full names of methods, such as "/grpc.health.v1.Health/Check",
	// that need no token. Every other one needs one.
	open map[string]bool
	// requirements beyond a good token, by the full name of the method.
	requirements map[string][]verifier.Requirement
	// externalURL is the scheme, host and optional path prefix under which
	// clients know this server, when a proxy changes them, or "". The
	// forwarding settings of verifier.Config are of net/http.
	externalURL string
}

func (a *auth) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := a.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (a *auth) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := a.authenticate(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handler(srv, &authenticatedStream{stream, ctx})
}

// authenticatedStream is a stream whose context has the token.
type authenticatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *authenticatedStream) Context() context.Context { return s.ctx }

// authenticate returns the context with the token, or the status to end with.
func (a *auth) authenticate(ctx context.Context, method string) (context.Context, error) {
	if a.open[method] {
		return ctx, nil
	}
	req, ok := a.request(ctx, method)
	if !ok {
		return nil, status.Error(codes.InvalidArgument, "the call has no valid authority")
	}
	token, err := a.verifier.VerifyRequest(ctx, req)
	if err != nil {
		return nil, refuse(ctx, err)
	}
	if err := verifier.Meets(ctx, token, a.requirements[method]...); err != nil {
		return nil, refuse(ctx, err)
	}
	if token.Proof != nil && token.Proof.NextNonce != "" {
		_ = grpc.SetHeader(ctx, metadata.Pairs("dpop-nonce", token.Proof.NextNonce)) // fails only after the first message
	}
	return verifier.ContextWithToken(ctx, token), nil
}

// request describes the call as the HTTP request that it is: POST to the path
// of the method at the authority.
func (a *auth) request(ctx context.Context, method string) (verifier.Request, bool) {
	fields, _ := metadata.FromIncomingContext(ctx)
	req := verifier.Request{Method: http.MethodPost, Header: http.Header(fields)} // names are compared without case
	scheme := "http"
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			scheme, req.ClientCertificate = "https", certificate(info)
		}
	}
	if authority := fields.Get(":authority"); len(authority) == 1 {
		req.Host = authority[0]
	}
	// An authority with a path in it would move the path of the call elsewhere.
	if req.Host == "" || strings.ContainsAny(req.Host, "/?#@\\") {
		return req, false
	}
	base := scheme + "://" + req.Host
	if a.externalURL != "" {
		base = strings.TrimSuffix(a.externalURL, "/")
	}
	req.URL = base + method
	return req, true
}

func certificate(info credentials.TLSInfo) *x509.Certificate {
	if len(info.State.PeerCertificates) == 0 {
		return nil
	}
	return info.State.PeerCertificates[0]
}

// refuse returns the status of a refusal, and puts into the trailer what HTTP
// has in header fields: www-authenticate, a value per challenge, dpop-nonce and
// retry-after.
func refuse(ctx context.Context, err error) error {
	var e *verifier.Error
	if !errors.As(err, &e) {
		return status.Error(codes.Internal, "the request could not be checked")
	}
	fields := make(http.Header)
	e.WriteHeaders(fields)
	fields.Del("Cache-Control") // gRPC is not cached
	trailer := make(metadata.MD)
	for name, values := range fields {
		trailer.Append(name, values...)
	}
	_ = grpc.SetTrailer(ctx, trailer) // fails only outside of a call
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
