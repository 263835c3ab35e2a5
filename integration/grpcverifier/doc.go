// Package grpcverifier protects gRPC servers (google.golang.org/grpc) with
// access tokens, Bearer (RFC 6750) and DPoP (RFC 9449):
//
//	auth, err := grpcverifier.New(v, grpcverifier.Config{Open: []string{"/grpc.health.v1.Health/"}})
//	...
//	server := grpc.NewServer(auth.ServerOptions()...)
//
// Methods get the token with [verifier.TokenFromContext]. A call is a request
// with the method POST and the URL https://authority/package.Service/Method:
// that is what DPoP proofs are for.
//
// # Outcomes
//
//	no credentials, bad token, bad proof   Unauthenticated
//	several credentials                    InvalidArgument
//	a requirement is not met               PermissionDenied, or as HTTP has it
//	could not decide                       Unavailable, with RetryInfo
//
// What HTTP has in fields is in metadata: www-authenticate, a value per
// challenge, dpop-nonce and retry-after. A refusal has them in its header and in
// its trailer, because client libraries show one or the other with an error.
// Under net/http ([grpc.Server.ServeHTTP]) they are in the header alone: a
// challenge is not allowed in trailers (RFC 9110, Section 6.5.1), and net/http
// drops it. The next nonce of a good call is in the header.
//
// # Streams
//
// A stream ends when its token does: its context is done, receiving and sending
// fail, and the status is Unauthenticated. A unary call that has begun is
// carried out.
package grpcverifier
