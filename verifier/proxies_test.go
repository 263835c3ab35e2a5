package verifier_test

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// httptest's peer.
var proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}

// through sends a request with a proof for apiURL, as a proxy forwards it.
func (h *dpopHarness) through(v *verifier.Verifier, target string, fields ...string) error {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	r.Header.Set("Authorization", "DPoP "+h.bound)
	r.Header.Set("DPoP", h.client.Proof(http.MethodGet, apiURL, h.bound))
	_, err := v.VerifyHTTPRequest(r)
	return err
}

func TestRequestURLBehindProxies(t *testing.T) {
	h := newDPoPHarness(t, nil)
	const inner, own = "http://internal:8080/orders", "http://api.example/orders"
	written := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}
	cases := []struct {
		name   string
		change func(*verifier.Config)
		target string
		fields []string
		want   verifier.Reason
	}{
		{"ExternalURL", func(cfg *verifier.Config) { cfg.ExternalURL = "https://api.example" }, inner, nil, ""},
		{"ExternalURL and proxies", func(cfg *verifier.Config) { cfg.ExternalURL, cfg.TrustedProxies = "https://api.example", proxies }, inner,
			[]string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher"}, ""},
		{"no proxies", nil, inner, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example"}, reason.ProofURL},
		{"another peer", func(cfg *verifier.Config) {
			cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}, own, []string{"X-Forwarded-Proto", "https"}, reason.ProofURL},
		{"the scheme", trust, own, []string{"X-Forwarded-For", "10.1.2.3, 198.51.100.4", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"}, ""},
		{"WebSocket", trust, own, []string{"X-Forwarded-For", "198.51.100.4", "X-Forwarded-Proto", "wss"}, ""},
		{"Forwarded", trust, own, []string{"Forwarded", `for=198.51.100.4;PROTO=wss;host="api.example"`}, ""},
		{"a host that nobody vouches for", trust, "http://other.example/orders",
			[]string{"X-Forwarded-For", "198.51.100.4", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443", "X-Forwarded-Host", "api.example"}, reason.ProofURL},
		{"a Forwarded host that nobody vouches for", trust, "http://other.example/orders", []string{"Forwarded", "for=198.51.100.4;proto=https;host=api.example"}, reason.ProofURL},
		{"a host of the configuration", func(cfg *verifier.Config) { trust(cfg); cfg.ExternalHosts = []string{"api.example"} }, inner,
			[]string{"X-Forwarded-For", "198.51.100.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example"}, ""},
		{"another host than those of the configuration", func(cfg *verifier.Config) { trust(cfg); cfg.ExternalHosts = []string{"alt.example"} }, inner,
			[]string{"X-Forwarded-For", "198.51.100.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example"}, reason.RequestURL},
		{"another host, without proxies", func(cfg *verifier.Config) { cfg.ExternalHosts = []string{"alt.example"} }, own, nil, reason.RequestURL},
		{"a field that proxies write", func(cfg *verifier.Config) { trust(cfg); cfg.ProxyFields = written }, inner,
			[]string{"X-Forwarded-For", "198.51.100.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example"}, ""},
		{"a field that proxies do not write", func(cfg *verifier.Config) { trust(cfg); cfg.ProxyFields = written[:2] }, own,
			[]string{"X-Forwarded-For", "198.51.100.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example"}, ""},
		{"out of the prefix", func(cfg *verifier.Config) { cfg.ExternalURL = "https://api.example/v1" }, "http://internal/../orders", nil, reason.RequestURL},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := h.through(newVerifier(t, h.issuer, c.change), c.target, c.fields...)
			if got := reasonOf(t, err); got != c.want {
				t.Errorf("%q (%v); want %q", got, err, c.want)
			}
		})
	}
}

func trust(cfg *verifier.Config) { cfg.TrustedProxies = proxies }

func TestRefusalsNameTheField(t *testing.T) {
	h := newDPoPHarness(t, nil)
	for _, c := range []struct{ fields, written []string }{
		{[]string{"X-Forwarded-Proto", "gopher"}, nil},
		{[]string{"X-Forwarded-For", "client.example"}, nil},
		{[]string{"Forwarded", "for"}, nil},
		{[]string{"X-Forwarded-Host", "a/b"}, []string{"X-Forwarded-Host"}},
		{[]string{"X-Forwarded-Port", "x"}, []string{"X-Forwarded-Port"}},
		{[]string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "198.51.100.4", "X-Forwarded-Host", ""}, []string{"X-Forwarded-Proto", "X-Forwarded-For", "X-Forwarded-Host"}},
	} {
		v := newVerifier(t, h.issuer, func(cfg *verifier.Config) { trust(cfg); cfg.ProxyFields = c.written })
		err := h.through(v, "http://api.example/orders", c.fields...)
		name := c.fields[len(c.fields)-2]
		e := wantReason(t, err, reason.ForwardedMalformed)
		if e.Status != http.StatusBadRequest || !strings.Contains(e.Description, "the "+name+" header field ") || !strings.Contains(e.Error(), name) {
			t.Errorf("%d %v; want 400 and the name of %s", e.Status, e, name)
		}
	}
}

func TestProxyConfigurationIsChecked(t *testing.T) {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	hook := func(*http.Request) (*x509.Certificate, error) { return nil, nil }
	for _, c := range []struct {
		name, field string
		cfg         verifier.Config
	}{
		{"every address", "TrustedProxies", verifier.Config{TrustedProxies: all}},
		{"every address, on purpose", "", verifier.Config{TrustedProxies: all, TrustAnyPeer: true}},
		{"any peer without a prefix", "TrustAnyPeer", verifier.Config{TrustAnyPeer: true}},
		{"a prefix that is none", "TrustedProxies", verifier.Config{TrustedProxies: []netip.Prefix{{}}}},
		{"fields of nobody", "ProxyFields", verifier.Config{ProxyFields: []string{"Forwarded"}}},
		{"an unknown field", "ProxyFields", verifier.Config{TrustedProxies: proxies, ProxyFields: []string{"X-Real-IP"}}},
		{"a URL as host", "ExternalHosts", verifier.Config{ExternalHosts: []string{"https://api.example"}}},
		{"an external URL that is none", "ExternalURL", verifier.Config{ExternalURL: "ftp://x"}},
		{"an external URL and hosts", "ExternalHosts", verifier.Config{ExternalURL: "https://api.example", ExternalHosts: []string{"api.example"}}},
		{"an external URL and proxies", "", verifier.Config{ExternalURL: "https://api.example", TrustedProxies: proxies}},
		{"certificates from nobody", "ClientCertificate", verifier.Config{ClientCertificate: hook}},
		{"certificates from Unix peers", "", verifier.Config{ClientCertificate: hook, TrustUnixPeers: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Domain, c.cfg.Audience = "tenant.example.com", "a"
			_, err := verifier.New(c.cfg)
			got := ""
			var e *verifier.ConfigError
			if errors.As(err, &e) {
				got = e.Field
			}
			if got != c.field || (err == nil) != (c.field == "") {
				t.Errorf("New: %v; want an error of %q", err, c.field)
			}
		})
	}
}
