package grpcverifier_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portcullis-go/portcullis/integration/grpcverifier"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const (
	audience  = "https://api.example.com"
	who       = "/test.v1.Test/Who"    // answers with the subject
	talk      = "/test.v1.Test/Talk"   // echoes until it fails
	watch     = "/test.v1.Test/Watch"  // sends when its context ends
	openly    = "/test.v1.Open/Anyone" // answers with the subject, if any
	restOpen  = "/test.v1.Open/"
	restTests = "/test.v1.Test/"
)

// transport serves a server on TLS with HTTP/2 and returns its address.
type transport struct {
	name  string
	serve func(t *testing.T, server *grpc.Server) string
	// own: grpc's own server, which has TLS of its own and can send challenges
	// in trailers.
	own bool
}

var transports = []transport{
	{"grpc", serveGRPC, true},
	{"net/http", serveHTTP, false},
}

// certificate is that of both transports: httptest's own.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server.TLS.Certificates[0], pool
}

func serveGRPC(t *testing.T, server *grpc.Server) string {
	listening := httptest.NewUnstartedServer(nil).Listener
	go func() { _ = server.Serve(listening) }()
	t.Cleanup(server.Stop)
	return listening.Addr().String()
}

func serveHTTP(t *testing.T, server *grpc.Server) string {
	h := httptest.NewUnstartedServer(http.HandlerFunc(server.ServeHTTP))
	h.EnableHTTP2 = true
	h.Config.ErrorLog = failingLog(t)
	h.StartTLS()
	t.Cleanup(func() { h.CloseClientConnections(); h.Close(); server.Stop() })
	return strings.TrimPrefix(h.URL, "https://")
}

// fixture is a protected server, and what calls are made of.
type fixture struct {
	t      *testing.T
	issuer *verifiertest.Issuer
	proofs *verifiertest.DPoPClient
	conn   *grpc.ClientConn
	url    string
}

func newFixture(t *testing.T, tr transport, cfg grpcverifier.Config, change func(*verifier.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, issuer: verifiertest.NewIssuer(t, verifiertest.WithAlgorithm("ES256")), proofs: verifiertest.NewDPoPClient(t, nil, "")}
	vc := f.issuer.Config(audience)
	if change != nil {
		change(&vc)
	}
	v, err := verifier.New(vc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	auth, err := grpcverifier.New(v, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cert, pool := certificate(t)
	options := auth.ServerOptions()
	if tr.own {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&testService, nil)
	server.RegisterService(&openService, nil)
	address := tr.serve(t, server)
	f.url = "https://" + address
	if f.conn, err = grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool}))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.conn.Close() })
	return f
}

func (f *fixture) bearer(claims map[string]any) []string {
	return []string{"authorization", "Bearer " + f.issuer.Sign(audience, claims)}
}

func (f *fixture) dpop(method string, claims map[string]any) []string {
	all := map[string]any{"cnf": f.proofs.Confirmation()}
	for name, value := range claims {
		all[name] = value
	}
	token := f.issuer.Sign(audience, all)
	return []string{"authorization", "DPoP " + token, "dpop", f.proofs.Proof("POST", f.url+method, token)}
}

// outcome of a call.
type outcome struct {
	text            string
	err             error
	header, trailer metadata.MD
}

func (o *outcome) status() *status.Status { return status.Convert(o.err) }

func (f *fixture) call(method string, fields ...string) outcome {
	f.t.Helper()
	ctx := metadata.AppendToOutgoingContext(f.t.Context(), fields...)
	var o outcome
	out := new(wrapperspb.StringValue)
	if method == talk || method == watch {
		o.text, o.err = f.stream(ctx, method, &o)
		return o
	}
	o.err = f.conn.Invoke(ctx, method, &emptypb.Empty{}, out, grpc.Header(&o.header), grpc.Trailer(&o.trailer))
	o.text = out.GetValue()
	return o
}

// stream sends nothing and reads to the end.
func (f *fixture) stream(ctx context.Context, method string, o *outcome) (string, error) {
	s, err := f.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return "", err
	}
	defer func() {
		o.header, _ = s.Header()
		o.trailer = s.Trailer()
	}()
	text := ""
	for {
		out := new(wrapperspb.StringValue)
		if err := s.RecvMsg(out); err != nil {
			return text, err
		}
		text += out.GetValue()
	}
}

func subject(ctx context.Context) *wrapperspb.StringValue {
	token, ok := verifier.TokenFromContext(ctx)
	if !ok {
		return wrapperspb.String("nobody")
	}
	return wrapperspb.String(token.Subject + " by " + string(token.Scheme))
}

func unary(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	in := new(emptypb.Empty)
	if err := decode(in); err != nil {
		return nil, err
	}
	method, _ := grpc.Method(ctx)
	return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) { return subject(ctx), nil })
}

// echo does not look at its context.
func echo(_ any, s grpc.ServerStream) error {
	if err := s.SendMsg(subject(s.Context())); err != nil {
		return err
	}
	for {
		in := new(wrapperspb.StringValue)
		if err := s.RecvMsg(in); err != nil {
			return err
		}
		if err := s.SendMsg(in); err != nil {
			return err
		}
	}
}

// sendAtTheEnd sends after the end of its context.
func sendAtTheEnd(_ any, s grpc.ServerStream) error {
	if err := s.SendMsg(subject(s.Context())); err != nil {
		return err
	}
	<-s.Context().Done()
	return s.SendMsg(wrapperspb.String("too late"))
}

var testService = grpc.ServiceDesc{
	ServiceName: "test.v1.Test", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Who", Handler: unary}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Talk", Handler: echo, ServerStreams: true, ClientStreams: true},
		{StreamName: "Watch", Handler: sendAtTheEnd, ServerStreams: true, ClientStreams: true},
	},
}

var openService = grpc.ServiceDesc{
	ServiceName: "test.v1.Open", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Anyone", Handler: unary}},
}
