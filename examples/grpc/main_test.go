package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portcullis-go/portcullis/examples/internal/apitest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// fixture is a server on TLS and what calls are made of.
type fixture struct {
	issuer    *verifiertest.Issuer
	client    *verifiertest.DPoPClient
	conn      *grpc.ClientConn
	url       string // of the server, as clients know it
	authority string
}

func newFixture(t *testing.T, change func(*verifier.Config)) *fixture {
	t.Helper()
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config(apitest.Audience)
	change(&cfg)
	certificate := apitest.NewCertificate(t)
	address := serve(t, apitest.NewVerifier(t, cfg), "", grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	return &fixture{
		issuer: issuer, client: verifiertest.NewDPoPClient(t, nil, ""), url: "https://" + address, authority: address,
		conn: dial(t, address, credentials.NewTLS(apitest.Trust(certificate))),
	}
}

func unchanged(*verifier.Config) {}

func serve(t *testing.T, v *verifier.Verifier, externalURL string, options ...grpc.ServerOption) (address string) {
	t.Helper()
	server, err := newServer(v, externalURL, options...)
	if err != nil {
		t.Fatal(err)
	}
	l := apitest.Listen(t)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string, creds credentials.TransportCredentials, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, append(options, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (f *fixture) bound(extra map[string]any) string {
	claims := map[string]any{"cnf": f.client.Confirmation()}
	for name, value := range extra {
		claims[name] = value
	}
	return f.issuer.Sign(apitest.Audience, claims)
}

func (f *fixture) proven(token, method, url string) []string {
	return []string{"authorization", "DPoP " + token, "dpop", f.client.Proof(method, url, token)}
}

// outcome is what came back.
type outcome struct {
	code            codes.Code
	message         string
	header, trailer metadata.MD
	err             error
}

// call calls one of the methods with metadata, given as names and values in
// turn.
func call(t *testing.T, conn *grpc.ClientConn, method string, fields ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, fields...)
	var o outcome
	out := new(wrapperspb.StringValue)
	if method == methodWatch {
		o.err = watch(ctx, conn, out, &o)
	} else {
		var in any = &emptypb.Empty{}
		if method == methodCreate {
			in = wrapperspb.String("an order")
		}
		o.err = conn.Invoke(ctx, method, in, out, grpc.Header(&o.header), grpc.Trailer(&o.trailer))
	}
	o.code, o.message = status.Code(o.err), out.GetValue()
	return o
}

func watch(ctx context.Context, conn *grpc.ClientConn, out *wrapperspb.StringValue, o *outcome) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, methodWatch)
	if err != nil {
		return err
	}
	defer func() { o.trailer = stream.Trailer() }()
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if o.header, err = stream.Header(); err != nil {
		return err
	}
	return stream.RecvMsg(out)
}

const (
	bearerRealm = `Bearer realm="api"`
	dpopAlgs    = `DPoP algs="ES256"`
)

// challenges of a refusal with an error on the scheme that was used.
func challenges(scheme, params string) []string {
	if scheme == "DPoP" {
		return []string{"DPoP " + params + `, algs="ES256"`, bearerRealm}
	}
	return []string{"Bearer " + params, dpopAlgs}
}

func invalid(scheme, code, description string) []string {
	return challenges(scheme, `error="`+code+`", error_description="`+description+`"`)
}

// TestCalls makes each call to a unary and to a stream method.
func TestCalls(t *testing.T) {
	f := newFixture(t, unchanged)
	thief := verifiertest.NewDPoPClient(t, nil, "")
	for _, method := range []string{methodList, methodWatch} {
		good := f.issuer.Sign(apitest.Audience, nil)
		bound := f.bound(nil)
		for _, c := range []struct {
			name       string
			fields     []string
			code       codes.Code
			message    string
			challenges []string
		}{
			{"no credentials", nil, codes.Unauthenticated, "", []string{bearerRealm, dpopAlgs}},
			{"Bearer", []string{"authorization", "Bearer " + good}, codes.OK, "user-1 by Bearer", nil},
			{"Bearer, expired", []string{"authorization", "Bearer " + f.issuer.Sign(apitest.Audience, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})},
				codes.Unauthenticated, "", invalid("Bearer", "invalid_token", "the access token has expired")},
			{"Bearer, another audience", []string{"authorization", "Bearer " + f.issuer.Sign("https://other.example.com", nil)},
				codes.Unauthenticated, "", invalid("Bearer", "invalid_token", "the access token is for another audience")},
			{"Bearer, bound token", []string{"authorization", "Bearer " + bound},
				codes.Unauthenticated, "", invalid("Bearer", "invalid_token", "a DPoP-bound access token was sent as Bearer")},
			{"two credentials", []string{"authorization", "Bearer " + good, "authorization", "Bearer " + good},
				codes.InvalidArgument, "", invalid("Bearer", "invalid_request", "several credentials were sent")},
			{"DPoP", f.proven(bound, "POST", f.url+method), codes.OK, "user-1 by DPoP", nil},
			{"DPoP, two proofs", append(f.proven(bound, "POST", f.url+method), "dpop", "another"),
				codes.Unauthenticated, "", invalid("DPoP", "invalid_dpop_proof", "several DPoP proofs were sent")},
			{"DPoP, another method", f.proven(bound, "POST", f.url+methodCreate),
				codes.Unauthenticated, "", invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL")},
			{"DPoP, another authority", f.proven(bound, "POST", "https://other.example.com"+method),
				codes.Unauthenticated, "", invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL")},
			{"DPoP, GET", f.proven(bound, "GET", f.url+method),
				codes.Unauthenticated, "", invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another method")},
			{"DPoP, another key", []string{"authorization", "DPoP " + bound, "dpop", thief.Proof("POST", f.url+method, bound)},
				codes.Unauthenticated, "", invalid("DPoP", "invalid_token", "the access token is bound to another DPoP key")},
		} {
			t.Run(method+"/"+c.name, func(t *testing.T) {
				check(t, call(t, f.conn, method, c.fields...), c.code, c.message, c.challenges)
			})
		}
	}
}

func check(t *testing.T, got outcome, code codes.Code, message string, challenges []string) {
	t.Helper()
	if got.code != code || got.message != message {
		t.Errorf("call = %q, %v; want %q, %v", got.message, got.err, message, code)
	}
	if values := got.trailer.Get("www-authenticate"); !slices.Equal(values, challenges) {
		t.Errorf("www-authenticate = %q; want %q", values, challenges)
	}
}

func TestOpenMethod(t *testing.T) {
	check(t, call(t, newFixture(t, unchanged).conn, methodCheck), codes.OK, "", nil)
}

func TestScopes(t *testing.T) {
	f := newFixture(t, unchanged)
	lacking := challenges("Bearer", `error="insufficient_scope", error_description="the access token lacks a scope that is needed", scope="write:orders"`)
	check(t, call(t, f.conn, methodCreate, "authorization", "Bearer "+f.issuer.Sign(apitest.Audience, nil)), codes.PermissionDenied, "", lacking)
	granted := f.issuer.Sign(apitest.Audience, map[string]any{"scope": "write:orders"})
	check(t, call(t, f.conn, methodCreate, "authorization", "Bearer "+granted), codes.OK, "user-1 by Bearer", nil)
}

func TestReplay(t *testing.T) {
	f := newFixture(t, unchanged)
	fields := f.proven(f.bound(nil), "POST", f.url+methodList)
	check(t, call(t, f.conn, methodList, fields...), codes.OK, "user-1 by DPoP", nil)
	check(t, call(t, f.conn, methodList, fields...), codes.Unauthenticated, "",
		invalid("DPoP", "invalid_dpop_proof", "the DPoP proof was used before"))
}

func TestNonces(t *testing.T) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{secret}})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(cfg *verifier.Config) { cfg.DPoP.Nonces = nonces })
	token := f.bound(nil)
	first := call(t, f.conn, methodWatch, f.proven(token, "POST", f.url+methodWatch)...)
	check(t, first, codes.Unauthenticated, "", invalid("DPoP", "use_dpop_nonce", "the DPoP proof must have the nonce that is given"))
	given := first.trailer.Get("dpop-nonce")
	if len(given) != 1 {
		t.Fatalf("dpop-nonce = %q; want one", given)
	}
	second := call(t, f.conn, methodWatch, "authorization", "DPoP "+token,
		"dpop", f.client.ProofWith("POST", f.url+methodWatch, token, nil, map[string]any{"nonce": given[0]}))
	check(t, second, codes.OK, "user-1 by DPoP", nil)
	if next := second.header.Get("dpop-nonce"); len(next) != 1 {
		t.Errorf("dpop-nonce of a good call = %q; want one", next)
	}
}

// TestOutage: an issuer that is down is no reason for a client to throw its
// token away.
func TestOutage(t *testing.T) {
	f := newFixture(t, unchanged)
	f.issuer.FailNext(-1, http.StatusInternalServerError)
	got := call(t, f.conn, methodList, "authorization", "Bearer "+f.issuer.Sign(apitest.Audience, nil))
	check(t, got, codes.Unavailable, "", nil)
	if after := got.trailer.Get("retry-after"); len(after) != 1 {
		t.Errorf("retry-after = %q; want one", after)
	}
	details := status.Convert(got.err).Details()
	if len(details) != 1 {
		t.Fatalf("details = %v; want one", details)
	}
	if info, ok := details[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() < time.Second {
		t.Errorf("details = %v; want a RetryInfo of a second or more", details)
	}
}

// TestExternalURL: behind a proxy, proofs are for the URL that clients know.
func TestExternalURL(t *testing.T) {
	f := newFixture(t, unchanged)
	v := apitest.NewVerifier(t, f.issuer.Config(apitest.Audience))
	address := serve(t, v, "https://api.example.com/rpc/")
	conn := dial(t, address, insecure.NewCredentials())
	token := f.bound(nil)
	check(t, call(t, conn, methodList, f.proven(token, "POST", "https://api.example.com/rpc"+methodList)...), codes.OK, "user-1 by DPoP", nil)
	check(t, call(t, conn, methodList, f.proven(token, "POST", "http://"+address+methodList)...), codes.Unauthenticated, "",
		invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL"))
}

// TestAuthorityWithPath: a proof for one method must not be good for another.
func TestAuthorityWithPath(t *testing.T) {
	f := newFixture(t, unchanged)
	address := serve(t, apitest.NewVerifier(t, f.issuer.Config(apitest.Audience)), "")
	conn := dial(t, address, insecure.NewCredentials(), grpc.WithAuthority(address+methodList+"?"))
	token := f.bound(nil)
	check(t, call(t, conn, methodCreate, f.proven(token, "POST", "http://"+address+methodList)...), codes.InvalidArgument, "", nil)
}

// TestCertificateBoundToken: the certificate of the connection counts (RFC
// 8705).
func TestCertificateBoundToken(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	own, client := apitest.NewCertificate(t), apitest.NewCertificate(t)
	address := serve(t, apitest.NewVerifier(t, issuer.Config(apitest.Audience)), "", grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12,
	})))
	token := issuer.Sign(apitest.Audience, map[string]any{"cnf": apitest.Bound(client)})
	for _, c := range []struct {
		name         string
		certificates []tls.Certificate
		want         codes.Code
	}{
		{"its certificate", []tls.Certificate{client}, codes.OK},
		{"another certificate", []tls.Certificate{apitest.NewCertificate(t)}, codes.Unauthenticated},
		{"no certificate", nil, codes.Unauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, address, credentials.NewTLS(apitest.Trust(own, c.certificates...)))
			if got := call(t, conn, methodList, "authorization", "Bearer "+token); got.code != c.want {
				t.Errorf("call = %v; want %v", got.err, c.want)
			}
		})
	}
}

func TestRunRefusesAnIncompleteConfiguration(t *testing.T) {
	if err := run(verifier.Config{Domain: "tenant.auth0.com"}, "127.0.0.1:0", files{}); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("run without audience = %v; want %v", err, verifier.ErrConfig)
	}
}
