package verifier_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// TestCertificateOfTheConnection: without a function that finds it, it is that
// of the TLS connection.
func TestCertificateOfTheConnection(t *testing.T) {
	certificate := &x509.Certificate{Raw: []byte("mine")}
	sum := sha256.Sum256(certificate.Raw)
	w := newFuzzWorld(t, nil)
	token := w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, `"cnf":{"x5t#S256":"`+b64(sum[:])+`"},"sub"`))
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  verifier.Reason
	}{
		"no TLS":         {nil, reason.CertificateMissing},
		"no certificate": {&tls.ConnectionState{}, reason.CertificateMissing},
		"its own first":  {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate, {Raw: []byte("ca")}}}, ""},
		"another first":  {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("ca")}, certificate}}, reason.Certificate},
	} {
		req := httptest.NewRequest(http.MethodGet, fuzzURL, nil)
		req.TLS = c.state
		req.Header.Set("Authorization", "Bearer "+token)
		_, err := w.v.VerifyHTTPRequest(req)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

// TestRequestURLsOfHTTP: a proof is compared with the URL that the request came
// for.
func TestRequestURLsOfHTTP(t *testing.T) {
	w := newFuzzWorld(t, nil)
	bound := w.boundToken()
	for url, want := range map[string]verifier.Reason{
		fuzzURL: "", fuzzURL + "?a=b": "", "http://api.example.com/orders": reason.ProofURL, "https://other.example.com/orders": reason.ProofURL, fuzzURL + "/": reason.ProofURL,
	} {
		req := httptest.NewRequest(http.MethodGet, url, nil)
		req.Header = dpop(bound, w.proof(t, w.proofHeader(), w.proofClaims(bound))).Header
		_, err := w.v.VerifyHTTPRequest(req)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q; want %q", url, got, want)
		}
	}
}

func TestHeaderLinesAreNotChanged(t *testing.T) {
	w := newFuzzWorld(t, nil)
	first := make([]string, 1, 4)
	first[0] = "Bearer a"
	h := http.Header{"Authorization": first, "authorization": {"Bearer b"}, "AUTHORIZATION": {"Bearer c"}}
	if _, err := w.v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: fuzzURL, Header: h}); reasonOf(t, err) != reason.MultipleCredentials {
		t.Error(err)
	}
	if spare := first[:4]; spare[1] != "" || len(h["Authorization"]) != 1 {
		t.Errorf("the caller's slice became %q", spare)
	}
}

func TestCompactForm(t *testing.T) {
	w := newFuzzWorld(t, nil)
	good := w.token(fuzzHeader, fuzzClaims)
	part := strings.Split(good, ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, good[len(good)-1]) // 2 of its 6 bits count
	for name, token := range map[string]string{
		"empty": "", "one part": part[0], "two parts": part[0] + "." + part[1], "four parts": good + ".", "five parts": good + ".a.b",
		"no header": "." + part[1] + "." + part[2], "no payload": part[0] + ".." + part[2], "no signature": part[0] + "." + part[1] + ".",
		"dot first": "." + good, "dot in the signature": part[0] + "." + part[1] + ".." + part[2],
		"padded header": part[0] + "=." + part[1] + "." + part[2], "padded payload": part[0] + "." + part[1] + "=." + part[2], "padded signature": good + "=",
		"line break in the header": part[0] + "\n." + part[1] + "." + part[2], "line break in the payload": part[0] + "." + part[1] + "\r." + part[2], "line break in the signature": good + "\n",
		"trailing bits in the signature": good[:len(good)-1] + alphabet[last+1:last+2], "other alphabet": strings.ReplaceAll(strings.ReplaceAll(good, "-", "+"), "_", "/") + "+",
	} {
		_, err := w.v.VerifyAccessToken(t.Context(), token)
		if got := reasonOf(t, err); got != reason.TokenMalformed {
			t.Errorf("%s: %q; want %q", name, got, reason.TokenMalformed)
		}
	}
}

// TestEventsOfVerifications: one for each, with the scheme and the reason.
func TestEventsOfVerifications(t *testing.T) {
	var events []verifier.Event
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Observer = verifier.ObserverFunc(func(e verifier.Event) {
			if e.Kind == verifier.EventAccepted || e.Kind == verifier.EventRefused {
				events = append(events, e)
			}
		})
	})
	bound := w.boundToken()
	_, _ = w.v.VerifyRequest(t.Context(), bearer(w.token(fuzzHeader, fuzzClaims)))
	_, _ = w.v.VerifyRequest(t.Context(), dpop(bound, w.proof(t, w.proofHeader(), w.proofClaims(bound))))
	_, _ = w.v.VerifyRequest(t.Context(), bearer(bound))
	_, _ = w.v.VerifyRequest(t.Context(), dpop(bound))
	_, _ = w.v.VerifyRequest(t.Context(), verifier.Request{})
	_, _ = w.v.VerifyAccessToken(t.Context(), bound)
	_, _ = w.v.VerifyAccessToken(t.Context(), "x")
	want := []verifier.Event{
		{Kind: verifier.EventAccepted, Scheme: verifier.SchemeBearer}, {Kind: verifier.EventAccepted, Scheme: verifier.SchemeDPoP},
		{Kind: verifier.EventRefused, Scheme: verifier.SchemeBearer, Reason: reason.BoundTokenAsBearer},
		{Kind: verifier.EventRefused, Scheme: verifier.SchemeDPoP, Reason: reason.ProofMissing},
		{Kind: verifier.EventRefused, Reason: reason.NoCredentials},
		{Kind: verifier.EventAccepted}, {Kind: verifier.EventRefused, Reason: reason.TokenMalformed},
	}
	if len(events) != len(want) {
		t.Fatalf("%d events; want %d", len(events), len(want))
	}
	for i, e := range events {
		if e.Kind != want[i].Kind || e.Scheme != want[i].Scheme || e.Reason != want[i].Reason || e.Duration < 0 || e.Duration.Hours() > 1 {
			t.Errorf("event %d is %+v; want %+v", i, e, want[i])
		}
	}
}

// TestMemoAnswersFromMemory: the token of the second verification is the one
// that was signed, whatever was done to the first, and the gate is asked again.
func TestMemoAnswersFromMemory(t *testing.T) {
	asked := 0
	w := newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.Domain, cfg.TokenMemo = "", 10
		cfg.Domains = verifier.DomainResolverFunc(func(context.Context, verifier.ResolveRequest) ([]string, error) {
			if asked++; asked > 2 {
				return nil, errors.New("down")
			}
			return []string{"tenant.example.com"}, nil
		})
	})
	token := w.token(fuzzHeader, fuzzClaims)
	first, err := w.v.VerifyAccessToken(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	first.Audience[0], first.Subject = "changed", "changed"
	second, err := w.v.VerifyAccessToken(t.Context(), token)
	if err != nil || second.Audience[0] != "x" || second.Subject != "s" || second.Claims()["sub"] != "s" {
		t.Errorf("the second token is %v, %v; want what was signed", second.Audience, err)
	}
	if _, err := w.v.VerifyAccessToken(t.Context(), token); reasonOf(t, err) != reason.Resolver {
		t.Errorf("with the resolver down: %v", err)
	}
}
