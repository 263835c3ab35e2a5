package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portcullis-go/portcullis/examples/internal/apitest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// fixture is a server on TLS and HTTP/2, and what calls are made of.
type fixture struct {
	issuer *verifiertest.Issuer
	client *verifiertest.DPoPClient
	server *httptest.Server
}

func newFixture(t *testing.T, change func(*verifier.Config)) *fixture {
	t.Helper()
	issuer := verifiertest.NewIssuer(t)
	cfg := issuer.Config(apitest.Audience)
	change(&cfg)
	server := httptest.NewUnstartedServer(newAPI(apitest.NewVerifier(t, cfg)))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return &fixture{issuer: issuer, client: verifiertest.NewDPoPClient(t, nil, ""), server: server}
}

func unchanged(*verifier.Config) {}

// protocols that one handler speaks.
var protocols = map[string][]connect.ClientOption{
	"Connect":  nil,
	"gRPC":     {connect.WithGRPC()},
	"gRPC-Web": {connect.WithGRPCWeb()},
}

func (f *fixture) bound() string {
	return f.issuer.Sign(apitest.Audience, map[string]any{"cnf": f.client.Confirmation()})
}

func (f *fixture) proven(token, method, url string, claims map[string]any) []string {
	return []string{"Authorization", "DPoP " + token, "DPoP", f.client.ProofWith(method, url, token, nil, claims)}
}

// outcome is what came back; code is 0 for success.
type outcome struct {
	code    connect.Code
	message string
	fields  http.Header // of the answer, or the metadata of the error
	err     error
}

// call calls a procedure with header lines, given as names and values in turn.
func (f *fixture) call(t *testing.T, procedure string, options []connect.ClientOption, lines ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var o outcome
	switch procedure {
	case procedureWatch:
		o.message, o.fields, o.err = f.watch(ctx, options, lines)
	case procedureCreate:
		o.message, o.fields, o.err = unary(ctx, f, procedure, options, lines, wrapperspb.String("an order"))
	default:
		o.message, o.fields, o.err = unary(ctx, f, procedure, options, lines, &emptypb.Empty{})
	}
	var e *connect.Error
	if errors.As(o.err, &e) {
		o.code, o.fields = e.Code(), e.Meta()
	}
	return o
}

func addLines(h http.Header, lines []string) {
	for pair := range slices.Chunk(lines, 2) {
		h.Add(pair[0], pair[1])
	}
}

func unary[In any](ctx context.Context, f *fixture, procedure string, options []connect.ClientOption, lines []string, in *In) (string, http.Header, error) {
	client := connect.NewClient[In, wrapperspb.StringValue](f.server.Client(), f.server.URL+procedure, options...)
	req := connect.NewRequest(in)
	addLines(req.Header(), lines)
	resp, err := client.CallUnary(ctx, req)
	if err != nil {
		return "", nil, err
	}
	return resp.Msg.GetValue(), resp.Header(), nil
}

func (f *fixture) watch(ctx context.Context, options []connect.ClientOption, lines []string) (string, http.Header, error) {
	client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](f.server.Client(), f.server.URL+procedureWatch, options...)
	req := connect.NewRequest(&emptypb.Empty{})
	addLines(req.Header(), lines)
	stream, err := client.CallServerStream(ctx, req)
	if err != nil {
		return "", nil, err
	}
	defer stream.Close()
	if !stream.Receive() {
		return "", nil, stream.Err()
	}
	return stream.Msg().GetValue(), stream.ResponseHeader(), nil
}

const (
	bearerRealm = `Bearer realm="api"`
	dpopAlgs    = `DPoP algs="ES256"`
)

func invalid(scheme, code, description string) []string {
	failed := scheme + ` error="` + code + `", error_description="` + description + `"`
	if scheme == "DPoP" {
		return []string{failed + `, algs="ES256"`, bearerRealm}
	}
	return []string{failed, dpopAlgs}
}

// TestCalls makes each call to a unary and to a stream procedure, in each
// protocol.
func TestCalls(t *testing.T) {
	f := newFixture(t, unchanged)
	good, bound := f.issuer.Sign(apitest.Audience, nil), f.bound()
	for protocol, options := range protocols {
		for _, procedure := range []string{procedureList, procedureWatch} {
			own := f.server.URL + procedure
			for _, c := range []struct {
				name       string
				lines      []string
				code       connect.Code
				message    string
				challenges []string
			}{
				{"no credentials", nil, connect.CodeUnauthenticated, "", []string{bearerRealm, dpopAlgs}},
				{"Bearer", []string{"Authorization", "Bearer " + good}, 0, "user-1 by Bearer", nil},
				{"Bearer, expired", []string{"Authorization", "Bearer " + f.issuer.Sign(apitest.Audience, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})},
					connect.CodeUnauthenticated, "", invalid("Bearer", "invalid_token", "the access token has expired")},
				{"Bearer, another audience", []string{"Authorization", "Bearer " + f.issuer.Sign("https://other.example.com", nil)},
					connect.CodeUnauthenticated, "", invalid("Bearer", "invalid_token", "the access token is for another audience")},
				{"Bearer, bound token", []string{"Authorization", "Bearer " + bound},
					connect.CodeUnauthenticated, "", invalid("Bearer", "invalid_token", "a DPoP-bound access token was sent as Bearer")},
				{"two credentials", []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good},
					connect.CodeInvalidArgument, "", invalid("Bearer", "invalid_request", "several credentials were sent")},
				{"DPoP", f.proven(bound, "POST", own, nil), 0, "user-1 by DPoP", nil},
				{"DPoP, another procedure", f.proven(bound, "POST", f.server.URL+procedureCreate, nil),
					connect.CodeUnauthenticated, "", invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another URL")},
				{"DPoP, GET", f.proven(bound, "GET", own, nil),
					connect.CodeUnauthenticated, "", invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another method")},
			} {
				t.Run(protocol+procedure+"/"+c.name, func(t *testing.T) {
					check(t, f.call(t, procedure, options, c.lines...), c.code, c.message, c.challenges)
				})
			}
		}
	}
}

func check(t *testing.T, got outcome, code connect.Code, message string, challenges []string) {
	t.Helper()
	if got.code != code || got.message != message {
		t.Errorf("call = %q, %v; want %q, %v", got.message, got.err, message, code)
	}
	if values := got.fields.Values("WWW-Authenticate"); !slices.Equal(values, challenges) {
		t.Errorf("WWW-Authenticate = %q; want %q", values, challenges)
	}
}

func TestScopesReplaysNoncesAndOutages(t *testing.T) {
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Run("scopes", func(t *testing.T) { testScopes(t, options) })
			t.Run("replay", func(t *testing.T) { testReplay(t, options) })
			t.Run("nonces", func(t *testing.T) { testNonces(t, options) })
			t.Run("outage", func(t *testing.T) { testOutage(t, options) })
		})
	}
}

func testScopes(t *testing.T, options []connect.ClientOption) {
	f := newFixture(t, unchanged)
	check(t, f.call(t, procedureCreate, options, "Authorization", "Bearer "+f.issuer.Sign(apitest.Audience, nil)), connect.CodePermissionDenied, "",
		[]string{`Bearer error="insufficient_scope", error_description="the access token lacks a scope that is needed", scope="write:orders"`, dpopAlgs})
	granted := f.issuer.Sign(apitest.Audience, map[string]any{"scope": "write:orders"})
	check(t, f.call(t, procedureCreate, options, "Authorization", "Bearer "+granted), 0, "user-1 by Bearer", nil)
}

func testReplay(t *testing.T, options []connect.ClientOption) {
	f := newFixture(t, unchanged)
	lines := f.proven(f.bound(), "POST", f.server.URL+procedureList, nil)
	check(t, f.call(t, procedureList, options, lines...), 0, "user-1 by DPoP", nil)
	check(t, f.call(t, procedureList, options, lines...), connect.CodeUnauthenticated, "",
		invalid("DPoP", "invalid_dpop_proof", "the DPoP proof was used before"))
}

func testNonces(t *testing.T, options []connect.ClientOption) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{secret}})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(cfg *verifier.Config) { cfg.DPoP.Nonces = nonces })
	first := f.call(t, procedureList, options, f.proven(f.bound(), "POST", f.server.URL+procedureList, nil)...)
	check(t, first, connect.CodeUnauthenticated, "", invalid("DPoP", "use_dpop_nonce", "the DPoP proof must have the nonce that is given"))
	second := f.call(t, procedureList, options,
		f.proven(f.bound(), "POST", f.server.URL+procedureList, map[string]any{"nonce": first.fields.Get("DPoP-Nonce")})...)
	check(t, second, 0, "user-1 by DPoP", nil)
	if second.fields.Get("DPoP-Nonce") == "" {
		t.Errorf("a good call gives no next nonce")
	}
}

// testOutage: an issuer that is down is no reason for a client to throw its
// token away.
func testOutage(t *testing.T, options []connect.ClientOption) {
	f := newFixture(t, unchanged)
	f.issuer.FailNext(-1, http.StatusInternalServerError)
	got := f.call(t, procedureList, options, "Authorization", "Bearer "+f.issuer.Sign(apitest.Audience, nil))
	check(t, got, connect.CodeUnavailable, "", nil)
	if got.fields.Get("Retry-After") == "" {
		t.Errorf("the error has no Retry-After: %v", got.fields)
	}
}

// TestGET: a procedure without side effects can be called with GET, and a
// proof is then for that.
func TestGET(t *testing.T) {
	f := newFixture(t, unchanged)
	options := []connect.ClientOption{connect.WithIdempotency(connect.IdempotencyNoSideEffects), connect.WithHTTPGet()}
	check(t, f.call(t, procedureList, options, f.proven(f.bound(), "GET", f.server.URL+procedureList, nil)...), 0, "user-1 by DPoP", nil)
	check(t, f.call(t, procedureList, options, f.proven(f.bound(), "POST", f.server.URL+procedureList, nil)...), connect.CodeUnauthenticated, "",
		invalid("DPoP", "invalid_dpop_proof", "the DPoP proof is for another method"))
}

// TestPlainHTTP: who speaks none of the protocols is answered as by any API,
// and a Connect client gets the status of RFC 6750.
func TestPlainHTTP(t *testing.T) {
	f := newFixture(t, unchanged)
	for _, c := range []struct {
		method, path, contentType string
		status                    int
		body                      string
	}{
		{"GET", "/healthz", "", http.StatusOK, ""},
		{"PUT", "/anything", "text/plain", http.StatusUnauthorized, `{"message":"no access token was sent"}`},
		{"POST", procedureCreate, "application/json", http.StatusUnauthorized, `"code":"unauthenticated"`},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, f.server.URL+c.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", c.contentType)
			resp, err := f.server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.body) {
				t.Errorf("answer = %d, %s, %v; want %d with %s", resp.StatusCode, body, err, c.status, c.body)
			}
		})
	}
}

func TestRunRefusesAnIncompleteConfiguration(t *testing.T) {
	if err := run(verifier.Config{Domain: "tenant.auth0.com"}, "127.0.0.1:0"); !errors.Is(err, verifier.ErrConfig) {
		t.Errorf("run without audience = %v; want %v", err, verifier.ErrConfig)
	}
}
