package verifiertest_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const target = "https://api.example/orders"

func refusalOf(err error) verifier.Reason {
	var e *verifier.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

type proofs struct {
	client *verifiertest.DPoPClient
	token  string
	v      *verifier.Verifier
}

func newProofs(t *testing.T) *proofs {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock), verifiertest.WithAlgorithm("ES256"))
	client := verifiertest.NewDPoPClient(t, clock, "")
	return &proofs{client, issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()}), newVerifier(t, issuer.Config(audience))}
}

func (p *proofs) send(t *testing.T, proof string) error {
	t.Helper()
	_, err := p.v.VerifyRequest(t.Context(), verifier.Request{
		Method: "GET", URL: target, Header: http.Header{"Authorization": {"DPoP " + p.token}, "Dpop": {proof}},
	})
	return err
}

func TestProofFaults(t *testing.T) {
	p := newProofs(t)
	for _, fault := range verifiertest.ProofFaults() {
		err := p.send(t, p.client.Proof("GET", target, p.token, fault.Options...))
		if got := refusalOf(err); got != fault.Reason {
			t.Errorf("a proof %s: %v (%q); want %q", fault.Name, err, got, fault.Reason)
		}
	}
	if err := p.send(t, p.client.Proof("GET", target, p.token)); err != nil {
		t.Errorf("a good proof: %v", err)
	}
}

// TestProofOptions: each alone does what it says and no more.
func TestProofOptions(t *testing.T) {
	p := newProofs(t)
	thief := verifiertest.NewDPoPClient(t, nil, "")
	for _, tt := range []struct {
		name  string
		proof string
		want  verifier.Reason
	}{
		{"ProofAge(300 s)", p.client.Proof("GET", target, p.token, verifiertest.ProofAge(300*time.Second)), ""},
		{"ProofAge(301 s)", p.client.Proof("GET", target, p.token, verifiertest.ProofAge(301*time.Second)), reason.ProofIssuedAt},
		{"ProofAge(-30 s)", p.client.Proof("GET", target, p.token, verifiertest.ProofAge(-30*time.Second)), ""},
		{"ProofAge(-31 s)", p.client.Proof("GET", target, p.token, verifiertest.ProofAge(-31*time.Second)), reason.ProofIssuedAt},
		{"ProofID", p.client.Proof("GET", target, p.token, verifiertest.ProofID("x")), ""},
		{"ProofID again", p.client.Proof("GET", target, p.token, verifiertest.ProofID("x")), reason.ProofReplayed},
		{"ProofNonce that nobody asked for", p.client.Proof("GET", target, p.token, verifiertest.ProofNonce("n")), ""},
		{"ProofSignedBy", p.client.Proof("GET", target, p.token, verifiertest.ProofSignedBy(thief)), reason.ProofSignature},
		{"the thief's own", thief.Proof("GET", target, p.token), reason.BindingMismatch},
		{"ProofWith", p.client.ProofWith("GET", target, p.token, map[string]any{"typ": "DPoP+JWT"}, map[string]any{"extra": 1}), ""},
		{"ProofWith typ", p.client.ProofWith("GET", target, p.token, map[string]any{"typ": nil}, nil), reason.ProofType},
		{"ProofWith htm", p.client.ProofWith("GET", target, p.token, nil, map[string]any{"htm": "POST"}), reason.ProofMethod},
	} {
		if err := p.send(t, tt.proof); refusalOf(err) != tt.want {
			t.Errorf("%s: %v; want reason %q", tt.name, err, tt.want)
		}
	}
}

// TestAuthorizeInboundRequests: a request that no server parsed has its URL in
// two parts.
func TestAuthorizeInboundRequests(t *testing.T) {
	p := newProofs(t)
	for _, url := range []string{"/orders?x=1", "tls:/orders", "https://api.example/orders?x=1", "https://user@api.example:8443/a%2Fb"} {
		path, encrypted := strings.CutPrefix(url, "tls:")
		r := httptest.NewRequest("PUT", path, nil)
		if encrypted {
			r.TLS = &tls.ConnectionState{}
		}
		p.client.Authorize(r, p.token)
		token, err := p.v.VerifyHTTPRequest(r)
		if err != nil {
			t.Errorf("request of %q: %v", url, err)
			continue
		}
		if strings.ContainsAny(token.Proof.URL, "?#@") {
			t.Errorf("request of %q: htu %q", url, token.Proof.URL)
		}
	}
}

func TestNonces(t *testing.T) {
	p := newProofs(t)
	current := "first"
	requests := 0
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		proof, err := p.v.VerifyDPoPProof(r.Context(), verifier.ProofRequest{
			Proof: r.Header.Get("DPoP"), AccessToken: p.token, Method: r.Method, URL: "http://" + r.Host + r.URL.Path,
		})
		switch {
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		case proof.Nonce != current:
			w.Header().Set("DPoP-Nonce", current)
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			current += "+"
			w.Header().Set("DPoP-Nonce", current)
		}
	}))
	defer server.Close()
	do := func(wantStatus, wantRequests int, options ...verifiertest.ProofOption) {
		t.Helper()
		requests = 0
		r, err := http.NewRequest("POST", server.URL+"/orders", bytes.NewReader([]byte("order")))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.client.Do(server.Client(), r, p.token, options...)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != wantStatus || requests != wantRequests {
			t.Errorf("status %d after %d requests; want %d after %d", resp.StatusCode, requests, wantStatus, wantRequests)
		}
		if got := p.client.Nonce(r.URL); got != current {
			t.Errorf("Nonce() = %q; want %q", got, current)
		}
	}
	do(200, 2) // learns the nonce
	do(200, 1) // uses the next one
	current = "rotated"
	do(200, 2)
	do(401, 2, verifiertest.ProofNonce("stale")) // insists on a wrong one
	for i, body := range bodies {
		if body != "order" {
			t.Errorf("request %d had the body %q", i, body)
		}
	}
}

// TestRepeatedBodies: a body that can be had once only is sent once only.
func TestRepeatedBodies(t *testing.T) {
	p := newProofs(t)
	for _, tt := range []struct {
		name string
		body io.Reader
		want []string
	}{
		{"again", strings.NewReader("order"), []string{"order", "order"}},
		{"once", io.MultiReader(strings.NewReader("order")), []string{"order"}},
		{"none", nil, []string{"", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var bodies []string
			doer := verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				var body []byte
				if r.Body != nil {
					body, _ = io.ReadAll(r.Body)
				}
				bodies = append(bodies, string(body))
				w := httptest.NewRecorder()
				w.Header().Set("DPoP-Nonce", "n")
				w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
				w.WriteHeader(http.StatusUnauthorized)
				return w.Result(), nil
			})
			r, err := http.NewRequest("POST", target, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := p.client.Do(doer, r, p.token)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if !slices.Equal(bodies, tt.want) {
				t.Errorf("bodies %q; want %q", bodies, tt.want)
			}
		})
	}
}

// TestNoNonceNoRepetition: a refusal for another reason is not answered with a
// second request.
func TestNoNonceNoRepetition(t *testing.T) {
	p := newProofs(t)
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("DPoP-Nonce", "n")
		w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	r, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(server.Client(), r, p.token)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if requests != 1 {
		t.Errorf("%d requests; want 1", requests)
	}
}
