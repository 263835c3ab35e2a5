package verifier_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const apiURL = "https://api.example/orders"

func header(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// TestChallengeMatrix: RFC 6750, Section 3; RFC 9449, Sections 7.1 and 7.2.
func TestChallengeMatrix(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	client := verifiertest.NewDPoPClient(t, clock, "")
	free := issuer.Sign(audience, nil)
	bound := issuer.Sign(audience, map[string]any{"cnf": client.Confirmation()})
	proof := func() string { return client.Proof("GET", apiURL, bound) }
	const bearer, dpop = `Bearer realm="api"`, `DPoP algs="ES256"`
	failed := func(scheme, code, description string) string {
		c := scheme + ` error="` + code + `", error_description="` + description + `"`
		if scheme == "DPoP" {
			c += `, algs="ES256"`
		}
		return c
	}
	type answer struct {
		status     int
		challenges []string
	}
	both := func(status int, first, second string) answer { return answer{status, []string{first, second}} }
	cases := []struct {
		name                        string
		header                      http.Header
		allowed, required, disabled answer
	}{
		{"nothing", header(), both(401, bearer, dpop), answer{401, []string{dpop}}, answer{401, []string{bearer}}},
		{"Basic", header("Authorization", "Basic dTpw"), both(401, bearer, dpop), answer{401, []string{dpop}}, answer{401, []string{bearer}}},
		{"scheme only", header("Authorization", "Bearer"), both(401, bearer, dpop), answer{401, []string{dpop}}, answer{401, []string{bearer}}},
		{"two lines", header("Authorization", "Bearer a", "Authorization", "Bearer b"),
			both(400, failed("Bearer", "invalid_request", "several credentials were sent"), dpop),
			answer{400, []string{failed("DPoP", "invalid_request", "several credentials were sent")}},
			answer{400, []string{failed("Bearer", "invalid_request", "several credentials were sent")}}},
		{"DPoP only", header("Authorization", "DPoP"), both(401, dpop, bearer), answer{401, []string{dpop}}, answer{401, []string{bearer}}},
		{"Bearer good", header("Authorization", "Bearer "+free), answer{200, nil}, answer{401, []string{dpop}}, answer{200, nil}},
		{"Bearer lower case", header("Authorization", "bearer "+free), answer{200, nil}, answer{401, []string{dpop}}, answer{200, nil}},
		{"Bearer bad", header("Authorization", "Bearer x.y.z"), both(401, failed("Bearer", "invalid_token", "the access token is malformed"), dpop),
			answer{401, []string{dpop}}, answer{401, []string{failed("Bearer", "invalid_token", "the access token is malformed")}}},
		{"Bearer bound", header("Authorization", "Bearer "+bound), both(401, failed("Bearer", "invalid_token", "a DPoP-bound access token was sent as Bearer"), dpop),
			answer{401, []string{dpop}}, answer{401, []string{failed("Bearer", "invalid_token", "a DPoP-bound access token was sent as Bearer")}}},
		{"Bearer and proof", header("Authorization", "Bearer "+free, "DPoP", "x"), both(400, failed("Bearer", "invalid_request", "a DPoP proof was sent with the Bearer scheme"), dpop),
			answer{401, []string{dpop}}, answer{200, nil}},
		{"DPoP without proof", header("Authorization", "DPoP "+bound), both(401, dpop, bearer), answer{401, []string{dpop}}, answer{401, []string{bearer}}},
		{"DPoP two proofs", header("Authorization", "DPoP "+bound, "DPoP", "a", "DPoP", "b"), both(401, failed("DPoP", "invalid_dpop_proof", "several DPoP proofs were sent"), bearer),
			answer{401, []string{failed("DPoP", "invalid_dpop_proof", "several DPoP proofs were sent")}}, answer{401, []string{bearer}}},
		{"DPoP unbound", header("Authorization", "DPoP "+free, "DPoP", client.Proof("GET", apiURL, free)),
			both(401, failed("DPoP", "invalid_token", "the access token is not bound to a DPoP key"), bearer),
			answer{401, []string{failed("DPoP", "invalid_token", "the access token is not bound to a DPoP key")}}, answer{401, []string{bearer}}},
	}
	modes := map[string]verifier.DPoPMode{"allowed": verifier.DPoPAllowed, "required": verifier.DPoPRequired, "disabled": verifier.DPoPDisabled}
	for mode, value := range modes {
		v := newVerifier(t, issuer, func(cfg *verifier.Config) { cfg.DPoP.Mode = value })
		compatible := newVerifier(t, issuer, func(cfg *verifier.Config) { cfg.DPoP.Mode = value; cfg.Auth0Statuses = true })
		for _, c := range cases {
			want := map[string]answer{"allowed": c.allowed, "required": c.required, "disabled": c.disabled}[mode]
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: c.header})
				got := answer{status: 200}
				var e *verifier.Error
				if errors.As(err, &e) {
					got = answer{e.Status, e.Challenges()}
				}
				if got.status != want.status || !slices.Equal(got.challenges, want.challenges) {
					t.Errorf("%d %q; want %d %q", got.status, got.challenges, want.status, want.challenges)
				}
				_, err = compatible.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: c.header})
				if errors.As(err, &e) {
					without := e.Code == verifier.CodeInvalidToken || e.Code == verifier.CodeUseDPoPNonce
					if !without && e.Status != 400 || without && e.Status != 401 || !slices.Equal(e.Challenges(), want.challenges) {
						t.Errorf("Auth0Statuses: %d %s %q; want the same challenges and 400 for all but bad tokens", e.Status, e.Code, e.Challenges())
					}
				}
			})
		}
		if mode != "disabled" {
			if _, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+bound, "DPoP", proof())}); err != nil {
				t.Errorf("%s: good proof: %v", mode, err)
			}
		}
	}
}

// dpopHarness is a harness with a client and its bound token.
type dpopHarness struct {
	*harness
	client *verifiertest.DPoPClient
	bound  string
}

func newDPoPHarness(t *testing.T, change func(*verifier.Config)) *dpopHarness {
	h := newHarness(t, change)
	client := verifiertest.NewDPoPClient(t, h.clock, "")
	return &dpopHarness{h, client, h.issuer.Sign(audience, map[string]any{"cnf": client.Confirmation(), "exp": h.clock.Now().Unix() + 1e6})}
}

func (h *dpopHarness) send(proof string) (*verifier.Token, error) {
	return h.VerifyRequest(h.t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+h.bound, "DPoP", proof)})
}

func TestProofChecks(t *testing.T) {
	h := newDPoPHarness(t, nil)
	thief := verifiertest.NewDPoPClient(t, h.clock, "")
	private := map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}
	now := h.clock.Now().Unix()
	cases := []struct {
		name           string // with the item of RFC 9449, Section 4.3
		header, claims map[string]any
		reason         verifier.Reason
	}{
		{"4.3-3 no jti", nil, map[string]any{"jti": nil}, reason.ProofClaim},
		{"4.3-3 empty jti", nil, map[string]any{"jti": ""}, reason.ProofClaim},
		{"4.3-3 jti number", nil, map[string]any{"jti": 1}, reason.ProofClaim},
		{"4.3-3 no htm", nil, map[string]any{"htm": nil}, reason.ProofClaim},
		{"4.3-3 no htu", nil, map[string]any{"htu": nil}, reason.ProofClaim},
		{"4.3-3 no iat", nil, map[string]any{"iat": nil}, reason.ProofClaim},
		{"4.3-3 iat text", nil, map[string]any{"iat": "now"}, reason.ProofClaim},
		{"4.3-3 no ath", nil, map[string]any{"ath": nil}, reason.ProofClaim},
		{"4.3-3 nonce number", nil, map[string]any{"nonce": 1}, reason.ProofClaim},
		{"4.3-4 typ JWT", map[string]any{"typ": "JWT"}, nil, reason.ProofType},
		{"4.3-4 no typ", map[string]any{"typ": nil}, nil, reason.ProofType},
		{"4.3-7 private jwk", map[string]any{"jwk": private}, nil, reason.ProofKey},
		{"4.3-3 no jwk", map[string]any{"jwk": nil}, nil, reason.ProofKey},
		{"4.3-8 method", nil, map[string]any{"htm": "POST"}, reason.ProofMethod},
		{"4.3-8 method case", nil, map[string]any{"htm": "get"}, reason.ProofMethod},
		{"4.3-9 path", nil, map[string]any{"htu": apiURL + "/1"}, reason.ProofURL},
		{"4.3-9 host", nil, map[string]any{"htu": "https://evil.example/orders"}, reason.ProofURL},
		{"4.3-11 old", nil, map[string]any{"iat": now - 301}, reason.ProofIssuedAt},
		{"4.3-11 future", nil, map[string]any{"iat": now + 31}, reason.ProofIssuedAt},
		{"7519 4.1.4 exp", nil, map[string]any{"exp": now}, reason.ProofIssuedAt},
		{"7519 4.1.4 exp long ago", nil, map[string]any{"exp": now - 100}, reason.ProofIssuedAt},
		{"7519 4.1.4 exp text", nil, map[string]any{"exp": "never"}, reason.ProofClaim},
		{"7519 4.1.5 nbf", nil, map[string]any{"nbf": now + 31}, reason.ProofIssuedAt},
		{"7519 4.1.5 nbf text", nil, map[string]any{"nbf": "now"}, reason.ProofClaim},
		{"4.3-12 ath", nil, map[string]any{"ath": "AAAA"}, reason.ProofTokenHash},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, c.header, c.claims))
			wantReason(t, err, c.reason)
		})
	}
	for name, claims := range map[string]map[string]any{
		"4.3-9 query of the proof": {"htu": apiURL + "?a=b#c"}, "4.3-10 case and default port": {"htu": "HTTPS://API.example:443/x/../%6Frders"},
		"4.3-11 oldest": {"iat": now - 300}, "4.3-11 latest": {"iat": now + 30}, "4.3-11 fraction": {"iat": float64(now) - 0.5},
		"exp to come": {"exp": now + 1}, "nbf that has come": {"nbf": now}, "nbf of a clock that is ahead": {"nbf": now + 30, "iat": now + 30},
	} {
		if _, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, nil, claims)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := h.send(thief.Proof("GET", apiURL, h.bound))
	if wantReason(t, err, reason.BindingMismatch); !errors.Is(err, verifier.ErrBinding) {
		t.Errorf("%v; want ErrBinding", err)
	}
	good := h.client.Proof("GET", apiURL, h.bound)
	_, err = h.send(good[:len(good)-4] + "AAAA")
	wantReason(t, err, reason.ProofSignature)
	_, err = h.send(strings.Repeat("x", 9000))
	wantReason(t, err, reason.ProofTooLarge)
	_, err = h.send(good + "," + good)
	wantReason(t, err, reason.ProofMultiple)
	other := verifiertest.NewDPoPClient(t, h.clock, "ES384")
	_, err = h.send(other.Proof("GET", apiURL, h.bound))
	wantReason(t, err, reason.ProofAlgorithm)
	token, err := h.send(good)
	if err != nil || token.Scheme != verifier.SchemeDPoP || token.Proof.JWKThumbprint != h.client.Thumbprint() || token.Proof.Method != "GET" {
		t.Errorf("token %+v, %v; want the claims of the proof", token.Proof, err)
	}
}

// TestReplayAcrossVerifiers: RFC 9449, Section 11.1.
func TestReplayAcrossVerifiers(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	store := verifiertest.NewReplayStore(clock)
	h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.DPoP.ReplayStore = store })
	second := newVerifier(t, h.issuer, func(cfg *verifier.Config) { cfg.DPoP.ReplayStore = store })
	proof := h.client.Proof("GET", apiURL, h.bound)
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		v := []*verifier.Verifier{h.Verifier, second}[i%2]
		wg.Go(func() {
			_, err := v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+h.bound, "DPoP", proof)})
			if err == nil {
				accepted.Add(1)
			} else if !errors.Is(err, verifier.ErrReplayed) {
				t.Errorf("%v; want ErrReplayed", err)
			}
		})
	}
	wg.Wait()
	if accepted.Load() != 1 {
		t.Errorf("accepted %d times; want once", accepted.Load())
	}
}

func TestReplayRecordIsWrittenLastAndLastsTheWindow(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	store := verifiertest.NewReplayStore(clock)
	h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.DPoP.ReplayStore, cfg.Clock = store, clock })
	proof := h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"jti": "one", "iat": clock.Now().Unix()})
	thief := verifiertest.NewDPoPClient(t, clock, "")
	for _, bad := range []string{
		thief.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"jti": "one"}),
		h.client.ProofWith("GET", apiURL, "other", nil, map[string]any{"jti": "one"}),
	} {
		if _, err := h.send(bad); err == nil {
			t.Fatal("a bad proof was accepted")
		}
	}
	if got := store.Keys(); len(got) != 0 {
		t.Errorf("%d records of bad proofs; want none", len(got))
	}
	if _, err := h.send(proof); err != nil {
		t.Fatal(err)
	}
	clock.Advance(300 * time.Second) // the last instant at which it is good
	_, err := h.send(proof)
	wantReason(t, err, reason.ProofReplayed)
	clock.Advance(2 * time.Second)
	_, err = h.send(proof)
	wantReason(t, err, reason.ProofIssuedAt)
	if key := store.Keys()[0]; len(key) != 43+1+43 || key[43] != '.' {
		t.Errorf("key %q; want hash.hash", key)
	}
}

type quotaError struct{}

func (quotaError) Error() string       { return "full" }
func (quotaError) QuotaExceeded() bool { return true }

func TestReplayStoreFailures(t *testing.T) {
	boom := errors.New("boom")
	clock := verifiertest.NewClock(time.Time{})
	store := verifiertest.NewReplayStore(clock)
	h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.DPoP.ReplayStore = store })
	store.FailNext(1, boom)
	_, err := h.send(h.client.Proof("GET", apiURL, h.bound))
	if e := wantReason(t, err, reason.ReplayStore); e.Status != 503 || !errors.Is(err, boom) || !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("%d %v; want 503 with the cause", e.Status, err)
	}
	store.FailNext(1, fmt.Errorf("wrapped: %w", quotaError{}))
	_, err = h.send(h.client.Proof("GET", apiURL, h.bound))
	if e := wantReason(t, err, reason.ProofQuota); e.Status != 401 {
		t.Errorf("full quota: %d; want 401", e.Status)
	}
	open := newVerifier(t, h.issuer, func(cfg *verifier.Config) {
		cfg.DPoP.ReplayStore, cfg.DPoP.AllowReplayStoreFailure = store, true
	})
	store.FailNext(1, boom)
	if _, err := open.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL,
		Header: header("Authorization", "DPoP "+h.bound, "DPoP", h.client.Proof("GET", apiURL, h.bound))}); err != nil {
		t.Errorf("configured open: %v", err)
	}
}

// TestReplayStoreThatHangs: the bound is the Verifier's, whatever time the
// request has.
func TestReplayStoreThatHangs(t *testing.T) {
	store := verifiertest.NewReplayStore(nil)
	h := newDPoPHarness(t, func(cfg *verifier.Config) {
		cfg.DPoP.ReplayStore, cfg.DPoP.ReplayStoreTimeout = store, time.Second
	})
	store.Hang()
	_, err := h.send(h.client.Proof("GET", apiURL, h.bound))
	if e := wantReason(t, err, reason.ReplayStore); e.Status != 503 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d %v; want 503 by the deadline", e.Status, errors.Unwrap(err))
	}
	store.Recover()
	if _, err := h.send(h.client.Proof("GET", apiURL, h.bound)); err != nil {
		t.Errorf("after recovery: %v", err)
	}
}

func TestReplayQuotaOfTheDefaultStore(t *testing.T) {
	h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.DPoP.ReplayQuota = 3 })
	for range 3 {
		if _, err := h.send(h.client.Proof("GET", apiURL, h.bound)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.send(h.client.Proof("GET", apiURL, h.bound))
	wantReason(t, err, reason.ProofQuota)
}

// TestNonces: RFC 9449, Sections 8 and 9.
func TestNonces(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	newer := []byte(strings.Repeat("n", 32))
	clock := verifiertest.NewClock(time.Time{})
	source := func(secrets ...[]byte) func(*verifier.Config) {
		n, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: secrets, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return func(cfg *verifier.Config) { cfg.DPoP.Nonces, cfg.Clock = n, clock }
	}
	h := newDPoPHarness(t, source(secret))
	_, err := h.send(h.client.Proof("GET", apiURL, h.bound))
	e := wantReason(t, err, reason.NonceRequired)
	answer := make(http.Header)
	e.WriteHeaders(answer)
	if e.Status != 401 || e.Code != verifier.CodeUseDPoPNonce || len(answer.Values("DPoP-Nonce")) != 1 || !errors.Is(err, verifier.ErrUseDPoPNonce) {
		t.Fatalf("%d %s %v; want 401 use_dpop_nonce with one nonce", e.Status, e.Code, answer)
	}
	with := func(nonce string) string {
		return h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"nonce": nonce})
	}
	token, err := h.send(with(e.DPoPNonce))
	if err != nil || token.Proof.NextNonce == "" || token.Proof.Nonce != e.DPoPNonce {
		t.Fatalf("with the nonce: %v", err)
	}
	rotated := newVerifier(t, h.issuer, source(newer, secret))
	if _, err := rotated.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, Header: header("Authorization", "DPoP "+h.bound, "DPoP", with(e.DPoPNonce))}); err != nil {
		t.Errorf("another instance, rotated secrets: %v", err)
	}
	_, err = h.send(with("made-up"))
	wantReason(t, err, reason.NonceNotAccepted)
	clock.Advance(6 * time.Minute)
	h.clock.Advance(6 * time.Minute)
	_, err = h.send(with(e.DPoPNonce))
	wantReason(t, err, reason.NonceNotAccepted)
	for _, cfg := range []verifier.NonceConfig{{}, {Secrets: [][]byte{[]byte("short")}}, {Secrets: [][]byte{secret}, Lifetime: time.Second}} {
		if _, err := verifier.NewNonceSource(cfg); !errors.Is(err, verifier.ErrConfig) {
			t.Errorf("NewNonceSource: %v; want ErrConfig", err)
		}
	}
}

type brokenNonces struct{ nonce string }

func (b brokenNonces) Issue(context.Context) (string, error) {
	if b.nonce == "" {
		panic("boom")
	}
	return b.nonce, nil
}
func (b brokenNonces) Check(context.Context, string) (bool, error) { return false, errors.New("boom") }

func TestBrokenNonceSources(t *testing.T) {
	for _, nonce := range []string{"", "with\r\nline", "with space", `quote"`} {
		h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.DPoP.Nonces = brokenNonces{nonce} })
		_, err := h.send(h.client.Proof("GET", apiURL, h.bound))
		wantReason(t, err, reason.NonceSource)
	}
	h := newDPoPHarness(t, func(cfg *verifier.Config) { cfg.DPoP.Nonces = brokenNonces{"ok"} })
	_, err := h.send(h.client.ProofWith("GET", apiURL, h.bound, nil, map[string]any{"nonce": "n"}))
	wantReason(t, err, reason.NonceSource)
}

func TestConfirmations(t *testing.T) {
	h := newHarness(t, nil)
	sum := base64.RawURLEncoding.EncodeToString(make([]byte, sha256.Size))
	for name, cnf := range map[string]any{
		"text": "x", "null": json.RawMessage("null"), "list": []string{sum}, "empty": map[string]any{}, "number": 1, "false": false,
		"unknown": map[string]any{"kid": "x"}, "jwk": map[string]any{"jwk": map[string]any{}}, "known, malformed, and unknown": map[string]any{"jkt": sum[:42], "kid": "x"},
		"jkt number": map[string]any{"jkt": 1}, "jkt empty": map[string]any{"jkt": ""}, "jkt short": map[string]any{"jkt": sum[:42]},
		"jkt padded": map[string]any{"jkt": sum + "="}, "jkt not canonical": map[string]any{"jkt": sum[:42] + "B"}, "JKT": map[string]any{"JKT": sum},
		"x5t#S256 list": map[string]any{"x5t#S256": []string{sum}}, "x5t#S256 short": map[string]any{"x5t#S256": "AA"},
	} {
		t.Run(name, func(t *testing.T) {
			claims := h.issuer.Claims(audience, nil)
			claims["cnf"] = cnf
			h.t = t
			h.refuse(h.issuer.SignWith(nil, claims), reason.Confirmation)
		})
	}
}

// TestCertificateBoundTokens: RFC 8705, Section 3.
func TestCertificateBoundTokens(t *testing.T) {
	certificate := &x509.Certificate{Raw: []byte("one")}
	sum := sha256.Sum256(certificate.Raw)
	h := newHarness(t, nil)
	token := h.issuer.Sign(audience, map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	send := func(c *x509.Certificate) error {
		_, err := h.VerifyRequest(t.Context(), verifier.Request{Header: header("Authorization", "Bearer "+token), ClientCertificate: c})
		return err
	}
	if err := send(certificate); err != nil {
		t.Error(err)
	}
	wantReason(t, send(nil), reason.CertificateMissing)
	wantReason(t, send(&x509.Certificate{Raw: []byte("two")}), reason.Certificate)

	r := httptest.NewRequest("GET", apiURL, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	if _, err := h.VerifyHTTPRequest(r); err != nil {
		t.Errorf("from the connection: %v", err)
	}
	r.TLS = nil
	_, err := h.VerifyHTTPRequest(r)
	wantReason(t, err, reason.CertificateMissing)
	hooked := newVerifier(t, h.issuer, func(cfg *verifier.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's peer
		cfg.ClientCertificate = func(r *http.Request) (*x509.Certificate, error) {
			if r.Header.Get("X-Cert") == "" {
				return nil, errors.New("boom")
			}
			return certificate, nil
		}
	})
	_, err = hooked.VerifyHTTPRequest(r)
	wantReason(t, err, reason.CertSource)
	r.Header.Set("X-Cert", "1")
	if _, err := hooked.VerifyHTTPRequest(r); err != nil {
		t.Errorf("from the hook: %v", err)
	}
	r.RemoteAddr = "198.51.100.7:1" // past the proxy
	_, err = hooked.VerifyHTTPRequest(r)
	wantReason(t, err, reason.CertificateMissing)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	if _, err := hooked.VerifyHTTPRequest(r); err != nil {
		t.Errorf("from the connection of a peer that is no proxy: %v", err)
	}
	r.RemoteAddr = "192.0.2.1:1" // the proxy's own certificate is not the client's
	r.Header.Del("X-Cert")
	_, err = hooked.VerifyHTTPRequest(r)
	wantReason(t, err, reason.CertSource)
}

// TestCertificateIsCheckedBeforeTheProofIsUsedUp: a token that is bound to a
// key and to a certificate needs both, and the record comes last.
func TestCertificateIsCheckedBeforeTheProofIsUsedUp(t *testing.T) {
	certificate := &x509.Certificate{Raw: []byte("one")}
	sum := sha256.Sum256(certificate.Raw)
	h := newDPoPHarness(t, nil)
	bound := h.issuer.Sign(audience, map[string]any{"cnf": map[string]any{
		"jkt": h.client.Thumbprint(), "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:]),
	}})
	proof := h.client.Proof("GET", apiURL, bound)
	send := func(c *x509.Certificate) error {
		_, err := h.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: apiURL, ClientCertificate: c,
			Header: header("Authorization", "DPoP "+bound, "DPoP", proof)})
		return err
	}
	wantReason(t, send(nil), reason.CertificateMissing)
	wantReason(t, send(&x509.Certificate{Raw: []byte("two")}), reason.Certificate)
	if err := send(certificate); err != nil {
		t.Errorf("the same proof with the certificate: %v", err)
	}
	wantReason(t, send(certificate), reason.ProofReplayed)
}

func TestCallersMistakes(t *testing.T) {
	h := newDPoPHarness(t, nil)
	for _, req := range []verifier.Request{{URL: apiURL}, {Method: "GET"}, {Method: "GET", URL: "/orders"}} {
		req.Header = header("Authorization", "DPoP "+h.bound, "DPoP", h.client.Proof("GET", apiURL, h.bound))
		if req.URL == "/orders" {
			req.Header.Set("DPoP", h.client.Proof("GET", "/orders", h.bound))
		}
		_, err := h.VerifyRequest(t.Context(), req)
		if e := wantReason(t, err, reason.Argument); e.Status != 500 || !errors.Is(err, verifier.ErrArgument) || e.Challenges() != nil {
			t.Errorf("%d %v; want 500 without a challenge", e.Status, err)
		}
	}
	_, err := h.VerifyDPoPProof(t.Context(), verifier.ProofRequest{Proof: h.client.Proof("GET", apiURL, h.bound), AccessToken: h.bound})
	wantReason(t, err, reason.Argument)
	_, err = h.VerifyDPoPProof(t.Context(), verifier.ProofRequest{Proof: "x"})
	wantReason(t, err, reason.ProofMalformed)
	proof, err := h.VerifyDPoPProof(t.Context(), verifier.ProofRequest{Proof: h.client.Proof("GET", apiURL, h.bound), AccessToken: h.bound, Method: "GET", URL: apiURL})
	if err != nil || proof.JWKThumbprint != h.client.Thumbprint() {
		t.Errorf("VerifyDPoPProof: %v", err)
	}
}
