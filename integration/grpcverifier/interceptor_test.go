package grpcverifier_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/portcullis-go/portcullis/integration/grpcverifier"
	"github.com/portcullis-go/portcullis/verifier"
)

// logWriter fails a test when a server complains about an answer.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "trailer") {
		w.t.Errorf("the server logged %q", p)
	}
	return len(p), nil
}

func failingLog(t *testing.T) *log.Logger { return log.New(logWriter{t}, "", 0) }

const realm = `Bearer realm="api"`

// eachTransport runs a test for grpc's own server and for net/http.
func eachTransport(t *testing.T, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func TestCalls(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		f := newFixture(t, tr, grpcverifier.Config{Open: []string{restOpen}}, nil)
		good := f.bearer(nil)
		for _, c := range []struct {
			name, method string
			fields       []string
			code         codes.Code
			text         string
			challenges   []string
		}{
			{"Bearer", who, good, codes.OK, "user-1 by Bearer", nil},
			{"DPoP", who, f.dpop(who, nil), codes.OK, "user-1 by DPoP", nil},
			{"open", openly, nil, codes.OK, "nobody", nil},
			{"open, bad token", openly, []string{"authorization", "Bearer bad"}, codes.OK, "nobody", nil},
			{"no token", who, nil, codes.Unauthenticated, "", []string{realm, `DPoP algs="ES256"`}},
			{"stream, no token", talk, nil, codes.Unauthenticated, "", []string{realm, `DPoP algs="ES256"`}},
			{"expired", who, f.bearer(map[string]any{"exp": 1}), codes.Unauthenticated, "",
				[]string{`Bearer error="invalid_token", error_description="the access token has expired"`, `DPoP algs="ES256"`}},
			{"two tokens", who, append(good, good...), codes.InvalidArgument, "",
				[]string{`Bearer error="invalid_request", error_description="several credentials were sent"`, `DPoP algs="ES256"`}},
		} {
			t.Run(c.name, func(t *testing.T) {
				o := f.call(c.method, c.fields...)
				if o.status().Code() != c.code || o.text != c.text {
					t.Errorf("call = %q, %v; want %q, %v", o.text, o.err, c.text, c.code)
				}
				checkChallenges(t, tr, &o, c.challenges)
			})
		}
		o := f.call(who, f.dpop(talk, nil)...)
		if o.status().Code() != codes.Unauthenticated || !strings.Contains(fmt.Sprint(o.header.Get("www-authenticate")), "the DPoP proof is for another URL") {
			t.Errorf("proof of another method = %v, %q; want Unauthenticated", o.err, o.header.Get("www-authenticate"))
		}
	})
}

// checkChallenges: they are in the header, and in the trailer, too, where that
// is possible.
func checkChallenges(t *testing.T, tr transport, o *outcome, want []string) {
	t.Helper()
	if got := o.header.Get("www-authenticate"); !slices.Equal(got, want) {
		t.Errorf("www-authenticate of the header = %q; want %q", got, want)
	}
	if !tr.own {
		want = nil
	}
	if got := o.trailer.Get("www-authenticate"); !slices.Equal(got, want) {
		t.Errorf("www-authenticate of the trailer = %q; want %q", got, want)
	}
}

func TestRequirements(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		f := newFixture(t, tr, grpcverifier.Config{Requirements: map[string][]verifier.Requirement{
			restTests: {verifier.AllScopes("test")}, who: {verifier.AllScopes("who")},
		}}, nil)
		for _, c := range []struct {
			method, scope string
			code          codes.Code
			missing       string
		}{
			{who, "test who", codes.OK, ""},
			{who, "test", codes.PermissionDenied, "who"},
			{who, "who", codes.PermissionDenied, "test"},
			{openly, "", codes.OK, ""},
			{talk, "", codes.PermissionDenied, "test"},
		} {
			o := f.call(c.method, f.bearer(map[string]any{"scope": c.scope})...)
			if o.status().Code() != c.code {
				t.Errorf("%s with scope %q = %v; want %v", c.method, c.scope, o.err, c.code)
			}
			if c.missing != "" && !strings.Contains(strings.Join(o.header.Get("www-authenticate"), "\n"), `error="insufficient_scope"`) {
				t.Errorf("%s with scope %q has challenges %q; want insufficient_scope", c.method, c.scope, o.header.Get("www-authenticate"))
			}
		}
	})
}

func TestNonces(t *testing.T) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	nonces, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{secret}})
	if err != nil {
		t.Fatal(err)
	}
	eachTransport(t, func(t *testing.T, tr transport) {
		f := newFixture(t, tr, grpcverifier.Config{}, func(c *verifier.Config) { c.DPoP.Nonces = nonces })
		o := f.call(who, f.dpop(who, nil)...)
		given := o.header.Get("dpop-nonce")
		if o.status().Code() != codes.Unauthenticated || len(given) != 1 {
			t.Fatalf("first call = %v, nonces %q; want Unauthenticated and one", o.err, given)
		}
		token := f.issuer.Sign(audience, map[string]any{"cnf": f.proofs.Confirmation()})
		proof := f.proofs.ProofWith("POST", f.url+who, token, nil, map[string]any{"nonce": given[0]})
		if o := f.call(who, "authorization", "DPoP "+token, "dpop", proof); o.err != nil || len(o.header.Get("dpop-nonce")) != 1 {
			t.Errorf("call with the nonce = %v, nonces %q; want OK and one", o.err, o.header.Get("dpop-nonce"))
		}
	})
}

func TestOutage(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		f := newFixture(t, tr, grpcverifier.Config{}, nil)
		f.issuer.FailNext(-1, http.StatusInternalServerError)
		o := f.call(who, f.bearer(nil)...)
		if o.status().Code() != codes.Unavailable || len(o.header.Get("retry-after")) != 1 || o.header.Get("www-authenticate") != nil {
			t.Errorf("call = %v, header %v; want Unavailable and retry-after alone", o.err, o.header)
		}
		details := o.status().Details()
		if len(details) != 1 {
			t.Fatalf("details = %v; want one", details)
		}
		if info, ok := details[0].(*errdetails.RetryInfo); !ok || info.GetRetryDelay().AsDuration() < time.Second {
			t.Errorf("details = %v; want a RetryInfo of a second or more", details)
		}
	})
}

// TestStreamsEndWithTheToken: whether a method waits for a message or for its
// context.
func TestStreamsEndWithTheToken(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		f := newFixture(t, tr, grpcverifier.Config{}, nil)
		for _, method := range []string{talk, watch} {
			t.Run(method, func(t *testing.T) {
				t.Parallel()
				exp := time.Now().Add(3 * time.Second).Truncate(time.Millisecond) // what the claim says
				o := f.call(method, f.bearer(map[string]any{"exp": float64(exp.UnixMilli()) / 1000})...)
				if o.status().Code() != codes.Unauthenticated || o.status().Message() != "the access token has expired" || o.text != "user-1 by Bearer" {
					t.Errorf("stream = %q, %v; want its subject alone and Unauthenticated", o.text, o.err)
				}
				want := []string{`Bearer error="invalid_token", error_description="the access token has expired"`, `DPoP algs="ES256"`}
				if got := o.trailer.Get("www-authenticate"); tr.own && !slices.Equal(got, want) {
					t.Errorf("www-authenticate of the trailer = %q; want %q", got, want)
				}
				if early := time.Until(exp); early > 0 {
					t.Errorf("the stream ended %v before the token", early)
				}
			})
		}
	})
}

// TestLeeway: a token that is accepted after its end has a stream.
func TestLeeway(t *testing.T) {
	f := newFixture(t, transports[0], grpcverifier.Config{}, func(c *verifier.Config) { c.Leeway = 5 * time.Second })
	o := f.call(watch, f.bearer(map[string]any{"exp": time.Now().Unix() - 1})...)
	if o.text != "user-1 by Bearer" || o.status().Code() != codes.Unauthenticated {
		t.Errorf("stream = %q, %v; want its subject and Unauthenticated", o.text, o.err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, name := range []string{"", "/", "Service/Method", "/Service", "//Method", "/Service/Method/", "/a/b/c", "*"} {
		t.Run(name, func(t *testing.T) {
			for _, cfg := range []grpcverifier.Config{{Open: []string{name}}, {Requirements: map[string][]verifier.Requirement{name: nil}}} {
				if _, err := grpcverifier.New(nil, cfg); !errors.Is(err, verifier.ErrConfig) {
					t.Errorf("New(%+v) = %v; want %v", cfg, err, verifier.ErrConfig)
				}
			}
		})
	}
	for _, address := range []string{"api.example.com", "ftp://a", "https://a/?b", "https://a#b", "https://u@a", "https:///a"} {
		if _, err := grpcverifier.New(nil, grpcverifier.Config{ExternalURL: address}); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("New with ExternalURL %q = %v; want %v", address, err, verifier.ErrConfig)
		}
	}
}
