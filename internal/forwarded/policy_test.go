package forwarded_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/forwarded"
)

func newPolicy(t testing.TB, config forwarded.Config) *forwarded.Policy {
	t.Helper()
	policy, err := forwarded.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// receive parses raw as a server does.
func receive(t testing.TB, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:4711"
	return r
}

func wantURL(t *testing.T, policy *forwarded.Policy, r *http.Request, want string) {
	t.Helper()
	if got, err := policy.RequestURL(r); got != want || err != nil {
		t.Errorf("RequestURL = %q, %v; want %q", got, err, want)
	}
}

func wantError(t *testing.T, policy *forwarded.Policy, r *http.Request, want error) {
	t.Helper()
	if got, err := policy.RequestURL(r); got != "" || !errors.Is(err, want) {
		t.Errorf("RequestURL = %q, %v; want error %v", got, err, want)
	}
}

func wantFieldError(t *testing.T, policy *forwarded.Policy, r *http.Request, field string) {
	t.Helper()
	got, err := policy.RequestURL(r)
	var e *forwarded.FieldError
	if got != "" || !errors.As(err, &e) || e.Field != field {
		t.Errorf("RequestURL = %q, %v; want an error of %s", got, err, field)
	}
}

func TestDirectRequests(t *testing.T) {
	tests := []struct{ name, raw, want string }{
		{"path", "GET /v1/orders HTTP/1.1\nHost: api.example.com", "http://api.example.com/v1/orders"},
		{"query", "GET /r?a=1&b=%zz HTTP/1.1\nHost: api.example.com", "http://api.example.com/r?a=1&b=%zz"},
		{"root", "GET / HTTP/1.1\nHost: api.example.com", "http://api.example.com/"},
		{"port", "GET /r HTTP/1.1\nHost: api.example.com:8080", "http://api.example.com:8080/r"},
		{"default port", "GET /r HTTP/1.1\nHost: API.example.com:80", "http://api.example.com/r"},
		{"IPv6", "GET /r HTTP/1.1\nHost: [2001:DB8:0::1]:8080", "http://[2001:db8::1]:8080/r"},
		{"raw path", "GET /a%2Fb/%7e/./c|d[0] HTTP/1.1\nHost: api.example.com", "http://api.example.com/a%2Fb/%7e/./c|d[0]"},
		{"double slash", "GET //evil.example/r HTTP/1.1\nHost: api.example.com", "http://api.example.com//evil.example/r"},
		{"path that looks like a URL", "GET /http://evil.example/ HTTP/1.1\nHost: api.example.com", "http://api.example.com/http://evil.example/"},
		{"absolute-form", "GET http://api.example.com/a%2Fb?q HTTP/1.1\nHost: other.example", "http://api.example.com/a%2Fb?q"},
		{"absolute-form of another scheme", "GET https://api.example.com/r HTTP/1.1\nHost: api.example.com", "http://api.example.com/r"},
		{"absolute-form without path", "GET http://api.example.com HTTP/1.1\nHost: api.example.com", "http://api.example.com"},
		{"absolute-form with query only", "GET http://api.example.com?q HTTP/1.1\nHost: api.example.com", "http://api.example.com?q"},
		{"asterisk-form", "OPTIONS * HTTP/1.1\nHost: api.example.com", "http://api.example.com"},
		{"forwarding fields", "GET /r HTTP/1.1\nHost: api.example.com\nForwarded: for=10.0.0.1;host=evil.example;proto=https\n" +
			"X-Forwarded-For: 10.0.0.1\nX-Forwarded-Host: evil.example\nX-Forwarded-Proto: https", "http://api.example.com/r"},
		{"malformed forwarding fields", "GET /r HTTP/1.1\nHost: api.example.com\nForwarded: \"\nX-Forwarded-For: ,", "http://api.example.com/r"},
	}
	policies := map[string]*forwarded.Policy{
		"zero":          newPolicy(t, forwarded.Config{}),
		"trusts others": newPolicy(t, forwarded.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}),
	}
	for _, test := range tests {
		for name, policy := range policies {
			t.Run(test.name+", "+name, func(t *testing.T) {
				wantURL(t, policy, receive(t, test.raw), test.want)
			})
		}
	}
}

func TestTLSMeansHTTPS(t *testing.T) {
	r := receive(t, "GET /r HTTP/1.1\nHost: api.example.com:443")
	r.TLS = new(tls.ConnectionState)
	wantURL(t, newPolicy(t, forwarded.Config{}), r, "https://api.example.com/r")
}

func TestARewrittenURLChangesNothing(t *testing.T) {
	r := receive(t, "GET /api/a%2Fb HTTP/1.1\nHost: api.example.com")
	r.URL.Path, r.URL.RawPath = "/a/b", ""
	wantURL(t, newPolicy(t, forwarded.Config{}), r, "http://api.example.com/api/a%2Fb")
}

func TestRequestsThatNoServerRead(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com/a%2Fb?q=1#f", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	wantURL(t, newPolicy(t, forwarded.Config{}), r, "http://api.example.com/a%2Fb?q=1")
	wantError(t, newPolicy(t, forwarded.Config{}), &http.Request{Host: "api.example.com", URL: &url.URL{Path: ".evil.example/r"}}, forwarded.ErrRequest)
	wantError(t, newPolicy(t, forwarded.Config{}), &http.Request{Host: "api.example.com"}, forwarded.ErrRequest)
}

func TestUnusableRequests(t *testing.T) {
	tests := []struct{ name, host, target string }{
		{"no host", "", "/r"},
		{"host with path", "api.example.com/secret?", "/r"},
		{"host with path only", "api.example.com/secret", ""},
		{"host with query", "api.example.com?", "/r"},
		{"host with fragment", "api.example.com#", "/r"},
		{"host with credentials", "api.example.com@evil.example", "/r"},
		{"host with backslash", `api.example.com\`, "/r"},
		{"host with space", "api.example.com ", "/r"},
		{"host list", "api.example.com,evil.example", "/r"},
		{"host with bad port", "api.example.com:x", "/r"},
		{"port only", ":80", "/r"},
		{"internationalised host", "münchen.example", "/r"},
		{"authority-form", "api.example.com", "api.example.com:443"},
		{"relative path", "api.example.com", "r"},
		{"host suffix", "api.example.com", ".evil.example/r"},
		{"fragment", "api.example.com", "/r#f"},
		{"fragment in absolute-form", "api.example.com", "http://api.example.com#f"},
		{"fragment after query", "api.example.com", "/r?q#f"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &http.Request{Host: test.host, RequestURI: test.target, RemoteAddr: "192.0.2.1:1", Header: http.Header{}}
			wantError(t, newPolicy(t, forwarded.Config{}), r, forwarded.ErrRequest)
		})
	}
}

func TestExternalBaseURL(t *testing.T) {
	tests := []struct{ name, external, target, want string }{
		{"host", "https://api.example.com", "/r?q", "https://api.example.com/r?q"},
		{"host with slash", "https://api.example.com/", "/r", "https://api.example.com/r"},
		{"normal form", "HTTPS://API.example.com:443/%61", "/r", "https://api.example.com/a/r"},
		{"port", "https://api.example.com:8443", "/r", "https://api.example.com:8443/r"},
		{"prefix", "https://example.com/api/v1", "/r", "https://example.com/api/v1/r"},
		{"prefix with slash", "https://example.com/api/", "/r", "https://example.com/api/r"},
		{"prefix and root", "https://example.com/api", "/", "https://example.com/api/"},
		{"http", "http://localhost:8080", "/r", "http://localhost:8080/r"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := receive(t, "GET "+test.target+" HTTP/1.1\nHost: evil.example\nForwarded: for=1.2.3.4;host=evil.example\nX-Forwarded-Host: evil.example")
			wantURL(t, newPolicy(t, forwarded.Config{External: test.external}), r, test.want)
		})
	}
}

// RFC 3986, Section 6.2.2.3.
func TestDotSegmentsStayWithinTheExternalURL(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{External: "https://example.com/api/v1"})
	for _, target := range []string{
		"/../r", "/..", "/%2e%2e/other/r", "/%2E./r", "/x/../../r", "/x/%2e%2e/.%2e/r?q", "/../v2/r", "/../v1x/r", "/../../../api/v2", "http://h/../r",
	} {
		r := receive(t, "GET / HTTP/1.1\nHost: h")
		r.RequestURI = target
		wantError(t, policy, r, forwarded.ErrRequest)
	}
	for _, target := range []string{"/x/../r", "/./r", "/x/..", "/..x/r", "/...", "/%2e%2e%2fr", "/r?/../..", "/../v1/r"} {
		r := receive(t, "GET / HTTP/1.1\nHost: h")
		r.RequestURI = target
		wantURL(t, policy, r, "https://example.com/api/v1"+target)
	}
	r := receive(t, "GET / HTTP/1.1\nHost: h")
	r.RequestURI = "/../r"
	wantURL(t, newPolicy(t, forwarded.Config{External: "https://example.com"}), r, "https://example.com/../r")
}

func TestNewValidates(t *testing.T) {
	prefixes := func(list ...string) []netip.Prefix {
		var all []netip.Prefix
		for _, text := range list {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	one, hosts := prefixes("10.0.0.0/8"), []string{"api.example.com"}
	tests := []struct {
		name   string
		config forwarded.Config
		want   string // field, or "" when the Config is good
	}{
		{"no URL", forwarded.Config{External: "api.example.com"}, "ExternalURL"},
		{"other scheme", forwarded.Config{External: "ftp://api.example.com"}, "ExternalURL"},
		{"query", forwarded.Config{External: "https://api.example.com/?a"}, "ExternalURL"},
		{"empty query", forwarded.Config{External: "https://api.example.com?"}, "ExternalURL"},
		{"fragment", forwarded.Config{External: "https://api.example.com/#f"}, "ExternalURL"},
		{"credentials", forwarded.Config{External: "https://user@api.example.com"}, "ExternalURL"},
		{"URL and proxies", forwarded.Config{External: "https://api.example.com", Trusted: one}, ""},
		{"URL and fields", forwarded.Config{External: "https://api.example.com", Trusted: one, Fields: []string{"Forwarded"}}, "ProxyFields"},
		{"URL and hosts", forwarded.Config{External: "https://api.example.com", Hosts: hosts}, "ExternalHosts"},

		{"invalid prefix", forwarded.Config{Trusted: []netip.Prefix{{}}}, "TrustedProxies"},
		{"IPv4 prefix in IPv6 that holds more", forwarded.Config{Trusted: prefixes("::ffff:0:0/90")}, "TrustedProxies"},
		{"every IPv4 address", forwarded.Config{Trusted: prefixes("10.0.0.0/8", "0.0.0.0/0")}, "TrustedProxies"},
		{"every IPv6 address", forwarded.Config{Trusted: prefixes("::/0")}, "TrustedProxies"},
		{"every IPv4 address in IPv6", forwarded.Config{Trusted: prefixes("::ffff:0:0/96")}, "TrustedProxies"},
		{"every address, not masked", forwarded.Config{Trusted: prefixes("10.1.2.3/0")}, "TrustedProxies"},
		{"every IPv4 address in halves", forwarded.Config{Trusted: prefixes("128.0.0.0/1", "0.0.0.0/1")}, "TrustedProxies"},
		{"every IPv6 address in parts", forwarded.Config{Trusted: prefixes("8000::/1", "4000::/2", "::/2")}, "TrustedProxies"},
		{"nearly every address", forwarded.Config{Trusted: prefixes("128.0.0.0/1", "64.0.0.0/2", "8000::/1")}, ""},
		{"any peer", forwarded.Config{Trusted: prefixes("0.0.0.0/0", "::/0"), TrustAny: true}, ""},
		{"any peer, IPv4", forwarded.Config{Trusted: prefixes("0.0.0.0/0"), TrustAny: true}, ""},
		{"any peer without prefix", forwarded.Config{TrustAny: true}, "TrustAnyPeer"},
		{"any peer with another prefix", forwarded.Config{Trusted: one, TrustAny: true}, "TrustAnyPeer"},

		{"fields", forwarded.Config{Trusted: one, Fields: []string{"x-forwarded-for", "X-FORWARDED-PROTO", "X-Forwarded-Host", "X-Forwarded-Port"}}, ""},
		{"fields of Unix peers", forwarded.Config{TrustUnix: true, Fields: []string{"forwarded"}}, ""},
		{"fields of nobody", forwarded.Config{Fields: []string{"Forwarded"}}, "ProxyFields"},
		{"unknown field", forwarded.Config{Trusted: one, Fields: []string{"X-Real-IP"}}, "ProxyFields"},
		{"both families", forwarded.Config{Trusted: one, Fields: []string{"Forwarded", "X-Forwarded-For"}}, "ProxyFields"},

		{"hosts", forwarded.Config{Hosts: []string{"api.example.com", "localhost:8080", "[2001:db8::1]:8443", "192.0.2.1"}}, ""},
		{"URL as host", forwarded.Config{Hosts: []string{"https://api.example.com"}}, "ExternalHosts"},
		{"host with path", forwarded.Config{Hosts: []string{"api.example.com/"}}, "ExternalHosts"},
		{"empty host", forwarded.Config{Hosts: []string{""}}, "ExternalHosts"},
		{"empty port", forwarded.Config{Hosts: []string{"api.example.com:"}}, "ExternalHosts"},
		{"wildcard", forwarded.Config{Hosts: []string{"*.example.com"}}, "ExternalHosts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := forwarded.New(test.config)
			got := ""
			var e *forwarded.ConfigError
			if errors.As(err, &e) {
				got = e.Field
			}
			if got != test.want || (err == nil) != (test.want == "") {
				t.Errorf("New: %v; want an error of %q", err, test.want)
			}
		})
	}
}

func TestThePrefixesAreCopied(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	trusted[0] = netip.MustParsePrefix("192.0.2.0/24")
	wantURL(t, policy, receive(t, "GET /r HTTP/1.1\nHost: api.example.com\nX-Forwarded-Proto: https"), "http://api.example.com/r")
}

func TestTheRequestIsNotChanged(t *testing.T) {
	const raw = "GET /a%2Fb?q HTTP/1.1\nHost: API.example.com\nForwarded: for=1.2.3.4;host=A.example;proto=HTTPS\nX-Forwarded-Host: A.example\nX-Forwarded-Proto: https"
	r, want := receive(t, raw), receive(t, raw)
	policy := newPolicy(t, forwarded.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Hosts: []string{"a.example"}})
	wantURL(t, policy, r, "https://a.example/a%2Fb?q")
	if !reflect.DeepEqual(r.URL, want.URL) || !reflect.DeepEqual(r.Header, want.Header) || r.Host != want.Host || r.RequestURI != want.RequestURI {
		t.Errorf("request is %+v; want it unchanged: %+v", r, want)
	}
}
