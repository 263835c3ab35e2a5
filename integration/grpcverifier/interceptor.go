package grpcverifier

import (
	"context"
	"crypto/x509"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/portcullis-go/portcullis/verifier"
)

// RequestVerifier is what the interceptors need; a [*verifier.Verifier] is one,
// and a test may have its own.
type RequestVerifier interface {
	VerifyRequest(ctx context.Context, req verifier.Request, opts ...verifier.VerifyOption) (*verifier.Token, error)
}

// Config says what the methods of a server need. With the zero value every
// method needs a good token.
//
// A method is named in full, as "/package.Service/Method"; a name that ends in a
// slash stands for all methods of a service.
type Config struct {
	// Open methods need no token, and no token of theirs is looked at.
	Open []string
	// Requirements beyond a good token. Those of a service and those of its
	// method must all be met. They are not asked for open methods.
	Requirements map[string][]verifier.Requirement
	// ExternalURL is the scheme, host and optional path prefix under which
	// clients know the server, when a proxy changes them. Default: the authority
	// of the call, with https where the connection has TLS. The forwarding
	// settings of verifier.Config are those of net/http alone.
	ExternalURL string
	// Options of every verification.
	Options []verifier.VerifyOption
}

// Interceptor has the interceptors of a server. It is safe for concurrent use.
type Interceptor struct {
	verifier RequestVerifier
	cfg      Config
	open     map[string]bool
	base     string // of URLs; "": the authority of the call
}

// configError matches verifier.ErrConfig.
type configError struct{ field, problem string }

func (e *configError) Error() string { return "grpcverifier: Config." + e.field + " " + e.problem }

func (e *configError) Is(target error) bool { return target == verifier.ErrConfig }

// New returns the interceptors of a server. Its errors match
// [verifier.ErrConfig]: a malformed name of a method, which would protect
// nothing, and a malformed ExternalURL.
func New(v RequestVerifier, cfg Config) (*Interceptor, error) {
	i := &Interceptor{verifier: v, cfg: cfg, open: make(map[string]bool)}
	i.cfg.Requirements = maps.Clone(cfg.Requirements)
	for _, name := range cfg.Open {
		if !wellFormed(name) {
			return nil, &configError{"Open", "has a name that is neither /package.Service/Method nor /package.Service/"}
		}
		i.open[name] = true
	}
	for name := range cfg.Requirements {
		if !wellFormed(name) {
			return nil, &configError{"Requirements", "has a name that is neither /package.Service/Method nor /package.Service/"}
		}
	}
	if cfg.ExternalURL != "" {
		u, err := url.Parse(cfg.ExternalURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(cfg.ExternalURL, "?#") {
			return nil, &configError{"ExternalURL", "is no http or https URL without credentials, query and fragment"}
		}
		i.base = strings.TrimSuffix(cfg.ExternalURL, "/")
	}
	return i, nil
}

func wellFormed(name string) bool {
	rest, ok := strings.CutPrefix(name, "/")
	service, method, found := strings.Cut(rest, "/")
	return ok && found && service != "" && !strings.Contains(method, "/")
}

// service returns the name that stands for all methods of a method's service.
func service(method string) string { return method[:strings.LastIndexByte(method, '/')+1] }

// ServerOptions returns the options that put the interceptors before those of
// later options.
func (i *Interceptor) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(i.Unary), grpc.ChainStreamInterceptor(i.Stream)}
}

// Unary is a [grpc.UnaryServerInterceptor].
func (i *Interceptor) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, _, err := i.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// Stream is a [grpc.StreamServerInterceptor].
func (i *Interceptor) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, token, err := i.authenticate(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	if token == nil {
		return handler(srv, ss)
	}
	ctx, stop := verifier.ContextUntilExpiry(ctx, token)
	defer stop()
	s := &stream{ServerStream: ss, ctx: ctx}
	err = handler(srv, s)
	if err != nil && s.expired() {
		return refuse(ctx, context.Cause(ctx))
	}
	return err
}

// authenticate returns the context with the token, or the status to end with.
// Open methods have no token.
func (i *Interceptor) authenticate(ctx context.Context, method string) (context.Context, *verifier.Token, error) {
	if i.open[method] || i.open[service(method)] {
		return ctx, nil, nil
	}
	req, ok := i.request(ctx, method)
	if !ok {
		return nil, nil, status.Error(codes.InvalidArgument, "the call has no valid authority")
	}
	token, err := i.verifier.VerifyRequest(ctx, req, i.cfg.Options...)
	if err != nil {
		return nil, nil, refuse(ctx, err)
	}
	if token.Proof != nil && token.Proof.NextNonce != "" {
		_ = grpc.SetHeader(ctx, metadata.Pairs("dpop-nonce", token.Proof.NextNonce)) // fails only after the first message
	}
	ctx = verifier.ContextWithToken(ctx, token)
	needed := slices.Concat(i.cfg.Requirements[service(method)], i.cfg.Requirements[method])
	if err := verifier.Meets(ctx, token, needed...); err != nil {
		return nil, nil, refuse(ctx, err)
	}
	return ctx, token, nil
}

// request describes the call as the HTTP request that it is: POST to the path
// of the method at the authority.
func (i *Interceptor) request(ctx context.Context, method string) (verifier.Request, bool) {
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
	base := i.base
	if base == "" {
		base = scheme + "://" + req.Host
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
