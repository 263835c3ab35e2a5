package forwarded_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/forwarded"
)

// rest is what of its family a prefix of one address lacks: one prefix of each
// length.
func rest(address netip.Addr) []netip.Prefix {
	var list []netip.Prefix
	for bits := 1; bits <= address.BitLen(); bits++ {
		other := address.AsSlice()
		other[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		raw, _ := netip.AddrFromSlice(other)
		list = append(list, netip.PrefixFrom(raw, bits).Masked())
	}
	return list
}

// TestEverybodyInParts: prefixes that hold every address together are as good as
// 0.0.0.0/0, and nearly every address is not every address.
func TestEverybodyInParts(t *testing.T) {
	for _, text := range []string{"0.0.0.0", "255.255.255.255", "10.1.2.3", "::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		address := netip.MustParseAddr(text)
		others := rest(address)
		everybody := append([]netip.Prefix{netip.PrefixFrom(address, address.BitLen())}, others...)
		var e *forwarded.ConfigError
		if _, err := forwarded.New(forwarded.Config{Trusted: everybody}); !errors.As(err, &e) || e.Field != "TrustedProxies" {
			t.Errorf("%s and all others: %v; want an error of TrustedProxies", text, err)
		}
		if _, err := forwarded.New(forwarded.Config{Trusted: everybody, TrustAny: true}); err != nil {
			t.Errorf("%s and all others, stated: %v; want no error", text, err)
		}
		slices.Reverse(everybody[1:])
		if _, err := forwarded.New(forwarded.Config{Trusted: everybody}); err == nil {
			t.Errorf("%s and all others, the other way round: no error", text)
		}
		for i := range everybody {
			nearly := append(append([]netip.Prefix(nil), everybody[:i]...), everybody[i+1:]...)
			if _, err := forwarded.New(forwarded.Config{Trusted: nearly}); err != nil {
				t.Errorf("all but %v: %v; want no error", everybody[i], err)
			}
		}
	}
}

func TestPrefixOfIPv4InIPv6IsNoWider(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}})
	for remote, want := range map[string]bool{"10.255.0.1:1": true, "11.0.0.1:1": false, "8.0.0.1:1": false} {
		if got := policy.TrustsPeer(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("TrustsPeer(%s) = %v; want %v", remote, got, want)
		}
	}
}

func TestFieldsOfBothFamilies(t *testing.T) {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"} {
		if _, err := forwarded.New(forwarded.Config{Trusted: trusted, Fields: []string{"Forwarded", name}}); err == nil {
			t.Errorf("Forwarded and %s: no error", name)
		}
		// One that the proxies do not write is the client's, and hides nothing.
		policy := newPolicy(t, forwarded.Config{Trusted: trusted, Fields: []string{"Forwarded"}})
		wantURL(t, policy, fromProxy(t, "Forwarded: for=192.0.2.9;proto=https;host=api.example.com\n"+name+": 1"), "https://api.example.com/r")
	}
	// Nor does a port where none counts.
	wantURL(t, newPolicy(t, forwarded.Config{Trusted: trusted}), fromProxy(t, "Forwarded: for=192.0.2.9;proto=https\nX-Forwarded-Port: 1"), "https://inner.example/r")
}

// TestOneUnusualSpelling: one name of many that net/http would not have so.
func TestOneUnusualSpelling(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	header := http.Header{"x-forwarded-proto": {"https"}}
	for _, name := range strings.Fields("Accept Accept-Language Cache-Control Content-Length Origin Referer User-Agent Via X-Request-Id") {
		header[name] = []string{"x"}
	}
	for range 10 { // names come in any order
		r := fromProxy(t, "")
		r.Header = header
		wantURL(t, policy, r, "https://inner.example/r")
	}
}

// TestProblems: which field is wrong, and how.
func TestProblems(t *testing.T) {
	long := strings.Repeat("a", 8<<10)
	for name, test := range map[string]struct{ fields, field, problem string }{
		"no port":              {"X-Forwarded-Port:", "X-Forwarded-Port", "malformed"},
		"fewer ports":          {"X-Forwarded-For: 192.0.2.9, 10.0.0.3, 10.0.0.2\nX-Forwarded-Port: 443, 80", "X-Forwarded-Port", "fewer elements"},
		"a scheme and a port":  {"X-Forwarded-Proto: ftp\nX-Forwarded-Port: 443", "X-Forwarded-Proto", "scheme"},
		"a host and a port":    {"X-Forwarded-Host: a b\nX-Forwarded-Port: 443", "X-Forwarded-Host", "no valid host"},
		"long addresses":       {"X-Forwarded-For: 192.0.2.9" + strings.Repeat(" ", 8<<10) + ",192.0.2.9", "X-Forwarded-For", "longer"},
		"a long scheme":        {"X-Forwarded-Proto: " + long + "a", "X-Forwarded-Proto", "longer"},
		"the longest scheme":   {"X-Forwarded-Proto: " + long, "X-Forwarded-Proto", "scheme"},
		"a long list of hosts": {"X-Forwarded-Host: " + long + ",api.example.com", "X-Forwarded-Host", "longer"},
		"long Forwarded":       {"Forwarded: for=192.0.2.9;x=" + long, "Forwarded", "longer"},
		"the longest":          {"Forwarded: x=" + long[:len(long)-len("x=,for=x")] + ",for=x", "Forwarded", "malformed"},
	} {
		_, err := newPolicy(t, forwarded.Config{Trusted: trusted, Fields: namesIn(test.fields)}).RequestURL(fromProxy(t, test.fields))
		var e *forwarded.FieldError
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(e.Problem, test.problem) {
			t.Errorf("%s: %v; want that %s %s", name, err, test.field, test.problem)
		}
	}
	whole := "Forwarded: x=" + long[:len(long)-len("x=,for=192.0.2.9;proto=https")] + ",for=192.0.2.9;proto=https"
	wantURL(t, newPolicy(t, forwarded.Config{Trusted: trusted}), fromProxy(t, whole), "https://inner.example/r")
}

// TestHTTPBehindTLS: what the proxy says counts, not how it is connected.
func TestHTTPBehindTLS(t *testing.T) {
	for _, fields := range []string{"X-Forwarded-Proto: http", "X-Forwarded-Proto: WS", "Forwarded: for=192.0.2.9;proto=http"} {
		r := fromProxy(t, fields)
		r.TLS = new(tls.ConnectionState)
		wantURL(t, newPolicy(t, forwarded.Config{Trusted: trusted}), r, "http://inner.example/r")
	}
}

// TestUnusableHostOfTheRequest is no fault of a proxy that does not name one.
func TestUnusableHostOfTheRequest(t *testing.T) {
	r := fromProxy(t, "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https")
	r.Host = "a b"
	wantError(t, newPolicy(t, forwarded.Config{Trusted: trusted}), r, forwarded.ErrRequest)
}

// TestUnixTrustIsOfUnixSockets: it makes no address trusted.
func TestUnixTrustIsOfUnixSockets(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{TrustUnix: true, Fields: []string{"X-Forwarded-For", "X-Forwarded-Host"}})
	r := fromProxy(t, "X-Forwarded-For: 203.0.113.9, 192.0.2.9, unix:\nX-Forwarded-Host: evil.example, api.example.com, mid.example")
	r.RemoteAddr = "@"
	wantURL(t, policy, r, "http://api.example.com/r")
}

func TestNodes(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	for node, good := range map[string]bool{
		`"2001:db8::9]"`: false, `"[2001:db8::9:1"`: false, `"12001:db8::9]"`: false, `"[2001:db8::9]"`: true, `"2001:db8::9"`: true, `"192.0.2.9:a"`: false, `"192.0.2.9:9"`: true,
		`"_azAZ09"`: true, `_azAZ09`: true, `"_a{"`: false, `"_a["`: false, `"_a@"`: false, "\"_a`\"": false, `"_a/"`: false, `"_a:"`: false, `_a{`: false, `_a[`: false, `"_a\\"`: false,
	} {
		r := fromProxy(t, "Forwarded: for="+node+";proto=https")
		if good {
			wantURL(t, policy, r, "https://inner.example/r")
		} else {
			wantFieldError(t, policy, r, "Forwarded")
		}
	}
	for _, pair := range []string{"=x", `="x"`, "a{=x", "a[=x", "a@=x", "a:=x", "a/=x", "(=x"} {
		wantFieldError(t, policy, fromProxy(t, "Forwarded: for=192.0.2.9;"+pair), "Forwarded")
	}
	wantURL(t, policy, fromProxy(t, "Forwarded: for=192.0.2.9;!#$%&'*+-.^_`|~azAZ09=x;proto=https"), "https://inner.example/r")
}

// TestTargetsWithoutPath, behind an external URL with a path.
func TestTargetsWithoutPath(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{External: "https://example.com/api"})
	for target, want := range map[string]string{
		"*": "https://example.com/api", "http://h": "https://example.com/api", "http://h?q": "https://example.com/api?q", "/r": "https://example.com/api/r",
		"/%zz": "https://example.com/api/%zz", // of no use for a proof, and no reason to refuse a Bearer token
	} {
		r := receive(t, "GET / HTTP/1.1\nHost: h")
		r.RequestURI = target
		wantURL(t, policy, r, want)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com/a", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	wantURL(t, newPolicy(t, forwarded.Config{}), r, "http://api.example.com/a")
}

func TestQuotedValues(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	for value, good := range map[string]bool{`a\tb`: true, "a\tb": true, " ~": true, "a\x01b": false, "a\x1fb": false, "a\x7fb": false, "a\x80b": false, "a\\\x01b": false} {
		r := fromProxy(t, "")
		r.Header = http.Header{"Forwarded": {`for=192.0.2.9;x="` + value + `";proto=https`}}
		if good {
			wantURL(t, policy, r, "https://inner.example/r")
		} else {
			wantFieldError(t, policy, r, "Forwarded")
		}
	}
}
