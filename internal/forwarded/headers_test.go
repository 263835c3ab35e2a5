package forwarded_test

import (
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/forwarded"
)

// The peer 10.0.0.1 and its network are trusted, and one IPv6 network.
var trusted = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("2001:db8:1::/48"),
	netip.MustParsePrefix("fe80::/10"),
}

func fromProxy(t testing.TB, fields string) *http.Request {
	t.Helper()
	r := receive(t, strings.TrimSuffix("GET /r HTTP/1.1\nHost: inner.example\n"+fields, "\n"))
	r.RemoteAddr = "10.0.0.1:4711"
	return r
}

// namesIn returns the names of the header fields: those that the proxies of a
// test write.
func namesIn(fields string) []string {
	var names []string
	for line := range strings.Lines(fields) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	return names
}

func TestTrustedProxies(t *testing.T) {
	tests := []struct{ name, fields, want string }{
		{"no fields", "", "http://inner.example/r"},

		{"Forwarded", "Forwarded: for=192.0.2.9;host=api.example.com;proto=https", "https://api.example.com/r"},
		{"Forwarded, names in other case", "Forwarded: FOR=192.0.2.9;Host=api.example.com;PROTO=HTTPS", "https://api.example.com/r"},
		{"Forwarded, field name in other case", "forwarded: for=192.0.2.9;host=api.example.com;proto=https", "https://api.example.com/r"},
		{"Forwarded, quoted", `Forwarded: for="192.0.2.9:1234";host="api.example.com:8443";proto="https"`, "https://api.example.com:8443/r"},
		{"Forwarded, quoted pairs", `Forwarded: for="192\.0.2.9";host="ap\i.example.com";proto=https`, "https://api.example.com/r"},
		{"Forwarded, quoted comma and semicolon", `Forwarded: for=192.0.2.9;ext="a,b;host=evil.example";host=api.example.com`, "http://api.example.com/r"},
		{"Forwarded, quoted quote", `Forwarded: for=192.0.2.9;ext="\", host=evil.example";host=api.example.com`, "http://api.example.com/r"},
		{"Forwarded, white space", "Forwarded:  for=192.0.2.9 ; host=api.example.com\t;proto=https ", "https://api.example.com/r"},
		{"Forwarded, by and extensions", "Forwarded: by=_gw;for=192.0.2.9;host=api.example.com;secret=x", "http://api.example.com/r"},
		{"Forwarded, proto only", "Forwarded: for=192.0.2.9;proto=https", "https://inner.example/r"},
		{"Forwarded, host only", "Forwarded: host=api.example.com", "http://api.example.com/r"},
		{"Forwarded, IPv6", `Forwarded: for="[2001:db8::9]:1234";host="[2001:db8::1]:8443";proto=https`, "https://[2001:db8::1]:8443/r"},
		{"Forwarded, unknown", "Forwarded: for=unknown;host=api.example.com", "http://api.example.com/r"},
		{"Forwarded, unknown with port", `Forwarded: for="unknown:80";host=api.example.com`, "http://api.example.com/r"},
		{"Forwarded, obfuscated", "Forwarded: for=_hidden-1.x;host=api.example.com", "http://api.example.com/r"},
		{"Forwarded, obfuscated port", `Forwarded: for="192.0.2.9:_p";host=api.example.com`, "http://api.example.com/r"},

		{"the client's element is ignored", "Forwarded: for=10.0.0.7;host=evil.example, for=192.0.2.9;host=api.example.com;proto=https", "https://api.example.com/r"},
		{"the client's line is ignored", "Forwarded: for=10.0.0.7;host=evil.example\nForwarded: for=192.0.2.9;host=api.example.com;proto=https", "https://api.example.com/r"},
		{"two trusted hops", "Forwarded: for=192.0.2.9;host=api.example.com;proto=https, for=10.0.0.2;host=mid.example;proto=http", "https://api.example.com/r"},
		{"two trusted hops and the client's element", "Forwarded: for=10.0.0.3;host=evil.example, for=192.0.2.9;host=api.example.com;proto=https, for=10.0.0.2;host=mid.example", "https://api.example.com/r"},
		{"three trusted hops", `Forwarded: for=192.0.2.9;host=api.example.com, for="[2001:db8:1::5]";host=b.example, for="10.0.0.2:80";host=c.example`, "http://api.example.com/r"},
		{"all addresses trusted", "Forwarded: for=10.0.0.3;host=api.example.com, for=10.0.0.2;host=mid.example", "http://api.example.com/r"},
		{"unknown ends the walk", "Forwarded: for=192.0.2.9;host=evil.example, for=unknown;host=api.example.com", "http://api.example.com/r"},
		{"obfuscated ends the walk", "Forwarded: for=192.0.2.9;host=evil.example, for=_x;host=api.example.com", "http://api.example.com/r"},
		{"no address ends the walk", "Forwarded: for=192.0.2.9;host=evil.example, host=api.example.com", "http://api.example.com/r"},
		{"Forwarded, wss", "Forwarded: for=192.0.2.9;host=api.example.com;proto=wss", "https://api.example.com/r"},
		{"Forwarded, ws", "Forwarded: for=192.0.2.9;host=api.example.com;proto=WS", "http://api.example.com/r"},
		{"the outermost hop wrote no host", "Forwarded: for=192.0.2.9;proto=https, for=10.0.0.2;host=mid.example;proto=http", "https://inner.example/r"},
		{"the client's bad scheme and host are ignored", `Forwarded: for=bad;host="a b";proto=ftp, for=192.0.2.9;host=api.example.com`, "http://api.example.com/r"},
		{"IPv4 in IPv6 is trusted as IPv4", `Forwarded: for=192.0.2.9;host=api.example.com, for="[::ffff:10.0.0.2]";host=mid.example`, "http://api.example.com/r"},

		{"X-Forwarded", "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com", "https://api.example.com/r"},
		{"X-Forwarded, names in other case", "x-forwarded-for: 192.0.2.9\nX-FORWARDED-PROTO: HTTPS\nx-Forwarded-host: API.example.com", "https://api.example.com/r"},
		{"X-Forwarded without For", "X-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com", "https://api.example.com/r"},
		{"X-Forwarded-Proto only", "X-Forwarded-Proto: https", "https://inner.example/r"},
		{"X-Forwarded-For only", "X-Forwarded-For: 10.0.0.3, 192.0.2.9", "http://inner.example/r"},
		{"X-Forwarded-Port", "X-Forwarded-Host: api.example.com\nX-Forwarded-Proto: https\nX-Forwarded-Port: 8443", "https://api.example.com:8443/r"},
		{"X-Forwarded-Port, default", "X-Forwarded-Host: api.example.com\nX-Forwarded-Proto: https\nX-Forwarded-Port: 443", "https://api.example.com/r"},
		{"X-Forwarded-Port, host has one", "X-Forwarded-Host: api.example.com:8443\nX-Forwarded-Proto: https\nX-Forwarded-Port: 443", "https://api.example.com:8443/r"},
		{"X-Forwarded-Port, IPv6", "X-Forwarded-Host: [2001:db8::1]\nX-Forwarded-Proto: https\nX-Forwarded-Port: 8443", "https://[2001:db8::1]:8443/r"},
		{"X-Forwarded-Port without a host", "X-Forwarded-Port: 8443", "http://inner.example:8443/r"},
		{"X-Forwarded-Proto, wss", "X-Forwarded-Proto: WSS", "https://inner.example/r"},
		{"one host for two addresses", "X-Forwarded-For: 10.0.0.3, 192.0.2.9\nX-Forwarded-Host: api.example.com", "http://api.example.com/r"},
		{"one of each for two trusted hops", "X-Forwarded-For: 192.0.2.9, 10.0.0.2\nX-Forwarded-Host: api.example.com\nX-Forwarded-Proto: https\nX-Forwarded-Port: 8443", "https://api.example.com:8443/r"},
		{"one scheme, two hosts, two trusted hops", "X-Forwarded-For: 192.0.2.9, 10.0.0.2\nX-Forwarded-Host: api.example.com, mid.example\nX-Forwarded-Proto: https", "https://api.example.com/r"},
		{"more hosts than addresses", "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Host: evil.example, api.example.com", "http://api.example.com/r"},
		{"more hosts than schemes", "X-Forwarded-Host: evil.example, api.example.com\nX-Forwarded-Proto: https", "https://api.example.com/r"},
		{"more ports than hosts", "X-Forwarded-Host: api.example.com\nX-Forwarded-Port: 80, 8443", "http://api.example.com:8443/r"},
		{"what the client wrote is not read", "X-Forwarded-For: client.example, , 192.0.2.9\nX-Forwarded-Host: a b, , api.example.com\nX-Forwarded-Proto: ftp, https", "https://api.example.com/r"},
		{"an empty field of the client in front", "X-Forwarded-For:\nX-Forwarded-For: 192.0.2.9\nX-Forwarded-Host: , api.example.com", "http://api.example.com/r"},
		{"a Unix socket that is not trusted ends the walk", "X-Forwarded-For: 192.0.2.9, unix:\nX-Forwarded-Host: evil.example, api.example.com", "http://api.example.com/r"},
		{"X-Forwarded, two trusted hops", "X-Forwarded-For: 192.0.2.9, 10.0.0.2\nX-Forwarded-Proto: https, http\nX-Forwarded-Host: api.example.com, mid.example", "https://api.example.com/r"},
		{"X-Forwarded, the client's elements are ignored", "X-Forwarded-For: 10.0.0.3, 192.0.2.9\nX-Forwarded-Proto: http, https\nX-Forwarded-Host: evil.example, api.example.com", "https://api.example.com/r"},
		{"X-Forwarded, the client's lines are ignored", "X-Forwarded-For: 10.0.0.3\nX-Forwarded-Host: evil.example\nX-Forwarded-For: 192.0.2.9\nX-Forwarded-Host: api.example.com", "http://api.example.com/r"},
		{"X-Forwarded, lists without For: the last", "X-Forwarded-Proto: http,https\nX-Forwarded-Host: evil.example,api.example.com", "https://api.example.com/r"},
		{"X-Forwarded-For forms", "X-Forwarded-For: 192.0.2.9:80, 2001:db8:1::5, [2001:db8:1::6], [2001:db8:1::7]:443, 10.0.0.2:80\nX-Forwarded-Host: api.example.com,b,c,d,e", "http://api.example.com/r"},
		{"X-Forwarded-For unknown", "X-Forwarded-For: 10.0.0.9, unknown\nX-Forwarded-Host: evil.example, api.example.com", "http://api.example.com/r"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy := newPolicy(t, forwarded.Config{Trusted: trusted, Fields: namesIn(test.fields)})
			wantURL(t, policy, fromProxy(t, test.fields), test.want)
		})
	}
}

func TestMalformedFieldsOfTrustedProxies(t *testing.T) {
	tests := []struct{ name, fields, want string }{
		{"empty", "Forwarded:", "Forwarded"},
		{"comma only", "Forwarded: ,", "Forwarded"},
		{"empty element", "Forwarded: for=192.0.2.9,,for=10.0.0.2", "Forwarded"},
		{"element ends with comma", "Forwarded: for=192.0.2.9,", "Forwarded"},
		{"element ends with semicolon", "Forwarded: for=192.0.2.9;", "Forwarded"},
		{"two semicolons", "Forwarded: for=192.0.2.9;;host=api.example.com", "Forwarded"},
		{"no value", "Forwarded: for=;host=api.example.com", "Forwarded"},
		{"empty quoted value", `Forwarded: for=192.0.2.9;host=""`, "Forwarded"},
		{"no equals sign", "Forwarded: for", "Forwarded"},
		{"space before equals sign", "Forwarded: for =192.0.2.9", "Forwarded"},
		{"space after equals sign", "Forwarded: for= 192.0.2.9", "Forwarded"},
		{"no semicolon between", "Forwarded: for=192.0.2.9 host=api.example.com", "Forwarded"},
		{"name twice", "Forwarded: for=192.0.2.9;host=a.example;host=b.example", "Forwarded"},
		{"name twice in other case", "Forwarded: for=192.0.2.9;host=a.example;HOST=b.example", "Forwarded"},
		{"unknown name twice", "Forwarded: for=192.0.2.9;x=1;x=2", "Forwarded"},
		{"open quote", `Forwarded: for="192.0.2.9`, "Forwarded"},
		{"open quote after backslash", `Forwarded: for="192.0.2.9\"`, "Forwarded"},
		{"backslash last", `Forwarded: for="192.0.2.9\`, "Forwarded"},
		{"text after quote", `Forwarded: for="192.0.2.9"x`, "Forwarded"},
		{"the client's open quote", "Forwarded: for=\"192.0.2.9\nForwarded: for=192.0.2.9;host=api.example.com", "Forwarded"},
		{"non-ASCII", `Forwarded: for=192.0.2.9;x="é"`, "Forwarded"},
		{"IPv6 without quotes", "Forwarded: for=[2001:db8::9]", "Forwarded"},
		{"IPv6 with open bracket", `Forwarded: for="[2001:db8::9"`, "Forwarded"},
		{"IPv4 in brackets", `Forwarded: for="[192.0.2.9]"`, "Forwarded"},
		{"no address", "Forwarded: for=client.example", "Forwarded"},
		{"address with bad port", `Forwarded: for="192.0.2.9:x"`, "Forwarded"},
		{"address with high port", `Forwarded: for="192.0.2.9:65536"`, "Forwarded"},
		{"address with empty port", `Forwarded: for="192.0.2.9:"`, "Forwarded"},
		{"port only", `Forwarded: for=":80"`, "Forwarded"},
		{"underscore only", "Forwarded: for=_", "Forwarded"},
		{"bad obfuscated name", "Forwarded: for=_a!b", "Forwarded"},
		{"bad scheme", "Forwarded: for=192.0.2.9;proto=ftp", "Forwarded"},
		{"host with port without quotes", "Forwarded: for=192.0.2.9;host=api.example.com:443", "Forwarded"},
		{"bad host", `Forwarded: for=192.0.2.9;host="api.example.com/x"`, "Forwarded"},
		{"host with credentials", `Forwarded: for=192.0.2.9;host="u@api.example.com"`, "Forwarded"},
		{"host with query", `Forwarded: for=192.0.2.9;host="api.example.com?"`, "Forwarded"},
		{"too long", "Forwarded: for=192.0.2.9;x=" + strings.Repeat("x", 8<<10), "Forwarded"},

		{"empty X-Forwarded-For", "X-Forwarded-For:", "X-Forwarded-For"},
		{"empty X-Forwarded-Host", "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Host:", "X-Forwarded-Host"},
		{"X-Forwarded-For is no address", "X-Forwarded-For: client.example", "X-Forwarded-For"},
		{"X-Forwarded-For of an inner hop is no address", "X-Forwarded-For: 192.0.2.9, client.example", "X-Forwarded-For"},
		{"X-Forwarded-For zone trick", "X-Forwarded-For: 192.0.2.9%x", "X-Forwarded-For"},
		{"X-Forwarded-Proto", "X-Forwarded-Proto: ftp", "X-Forwarded-Proto"},
		{"X-Forwarded-Host", "X-Forwarded-Host: api.example.com/x?", "X-Forwarded-Host"},
		{"X-Forwarded-Port", "X-Forwarded-Host: api.example.com\nX-Forwarded-Port: 80x", "X-Forwarded-Host"},
		{"X-Forwarded-Port with host", "X-Forwarded-Host: api.example.com\nX-Forwarded-Port: 80/x", "X-Forwarded-Host"},
		{"fewer schemes than trusted hops", "X-Forwarded-For: 192.0.2.9, 10.0.0.3, 10.0.0.2\nX-Forwarded-Proto: https, http", "X-Forwarded-Proto"},
		{"fewer hosts than trusted hops", "X-Forwarded-For: 192.0.2.9, 10.0.0.3, 10.0.0.2\nX-Forwarded-Host: api.example.com, mid.example", "X-Forwarded-Host"},
		{"empty element that the walk needs", "X-Forwarded-For: 192.0.2.9,, 10.0.0.2", "X-Forwarded-For"},
		{"empty last element", "X-Forwarded-For: 192.0.2.9,", "X-Forwarded-For"},
		{"empty host of the outermost hop", "X-Forwarded-For: 192.0.2.9, 10.0.0.2\nX-Forwarded-Host: , mid.example", "X-Forwarded-Host"},
		{"bad port of the request's host", "X-Forwarded-Port: 80x", "X-Forwarded-Port"},
		{"X-Forwarded-For too long", "X-Forwarded-For: " + strings.Repeat("10.0.0.1,", 1000) + "10.0.0.1", "X-Forwarded-For"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy := newPolicy(t, forwarded.Config{Trusted: trusted, Fields: namesIn(test.fields)})
			wantFieldError(t, policy, fromProxy(t, test.fields), test.want)
		})
	}
}

func TestPeers(t *testing.T) {
	tests := []struct {
		name, remote string
		trusted      bool
	}{
		{"IPv4", "10.0.0.1:80", true},
		{"IPv4 without port", "10.0.0.1", true},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:80", true},
		{"IPv6", "[2001:db8:1::1]:80", true},
		{"IPv6 without port", "2001:db8:1::1", true},
		{"IPv6 with zone", "[fe80::1%eth0]:80", true},
		{"last of the network", "10.255.255.255:80", true},
		{"other IPv4", "11.0.0.1:80", false},
		{"other IPv4 in IPv6", "[::ffff:11.0.0.1]:80", false},
		{"other IPv6", "[2001:db8:2::1]:80", false},
		{"IPv6 that looks like IPv4", "[::10.0.0.1]:80", false},
		{"none", "", false},
		{"Unix socket", "@", false},
		{"name", "proxy.example:80", false},
	}
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	want := map[bool]string{true: "https://inner.example/r", false: "http://inner.example/r"}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := fromProxy(t, "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https")
			r.RemoteAddr = test.remote
			wantURL(t, policy, r, want[test.trusted])
			if got := policy.TrustsPeer(r); got != test.trusted {
				t.Errorf("TrustsPeer = %v; want %v", got, test.trusted)
			}
		})
	}
}

// TestFieldNamesHaveNoCase: not every header comes from net/http.
func TestFieldNamesHaveNoCase(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: trusted})
	for name, header := range map[string]http.Header{
		"lower case":        {"x-forwarded-for": {"192.0.2.9"}, "x-forwarded-proto": {"https"}},
		"upper case":        {"X-FORWARDED-FOR": {"192.0.2.9"}, "X-FORWARDED-PROTO": {"https"}},
		"standard":          {"forwarded": {"for=192.0.2.9;proto=https"}},
		"mixed":             {"X-Forwarded-For": {"192.0.2.9"}, "x-forwarded-proto": {"https"}},
		"beside each other": {"X-Forwarded-For": {"192.0.2.9"}, "X-FORWARDED-PROTO": {"http"}, "x-forwarded-proto": {"https"}},
	} {
		kept := header.Clone()
		r := fromProxy(t, "")
		r.Header = header
		got, err := policy.RequestURL(r)
		if err != nil || got != "https://inner.example/r" {
			t.Errorf("%s: RequestURL = %q, %v; want https", name, got, err)
		}
		if !maps.EqualFunc(header, kept, slices.Equal) {
			t.Errorf("%s: the header was changed", name)
		}
	}
}

func TestTrustedPrefixOfIPv4InIPv6(t *testing.T) {
	policy := newPolicy(t, forwarded.Config{Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}})
	wantURL(t, policy, fromProxy(t, "X-Forwarded-Proto: https"), "https://inner.example/r")
}

// FuzzRequestURL shows that nothing panics, that what comes out is a URL of the
// request's path, and that no field of the client counts: what it sends in
// front of the proxy's element is refused or changes nothing.
func FuzzRequestURL(f *testing.F) {
	f.Add("/r", "inner.example", "for=192.0.2.9;host=api.example.com;proto=https", "192.0.2.9", "https", "api.example.com")
	f.Add("/r?q", "inner.example:80", `for="[2001:db8::1]:80";x="\","`, "10.0.0.2, 192.0.2.9", "http,https", "a,b")
	f.Add("*", "[::1]", `for=";for=_x`, "unknown", "ftp", "a/b?")
	f.Add("http://x/y#z", "", ",", ",", ",", ",")
	f.Fuzz(func(t *testing.T, target, host, standard, addresses, schemes, hosts string) {
		policy := newPolicy(t, forwarded.Config{Trusted: trusted})
		r := &http.Request{RequestURI: target, Host: host, RemoteAddr: "10.0.0.1:1", Header: http.Header{
			"Forwarded":         {standard},
			"X-Forwarded-For":   {addresses},
			"X-Forwarded-Proto": {schemes},
			"X-Forwarded-Host":  {hosts},
		}}
		if got, err := policy.RequestURL(r); err == nil && !strings.HasPrefix(got, "http") {
			t.Errorf("RequestURL = %q; want an http or https URL", got)
		}

		for name, header := range map[string]http.Header{
			"Forwarded": {"Forwarded": {standard, "for=192.0.2.9;host=api.example.com;proto=https"}},
			"X-Forwarded": {
				"X-Forwarded-For":   {addresses, "192.0.2.9"},
				"X-Forwarded-Proto": {schemes, "https"},
				"X-Forwarded-Host":  {hosts, "api.example.com"},
			},
		} {
			names := slices.Collect(maps.Keys(header))
			proxies := newPolicy(t, forwarded.Config{Trusted: trusted, Fields: names})
			r := &http.Request{RequestURI: "/r", Host: host, RemoteAddr: "10.0.0.1:1", Header: header}
			if got, err := proxies.RequestURL(r); err == nil && got != "https://api.example.com/r" {
				t.Errorf("%s: RequestURL = %q with the client's %q; want the proxy's URL", name, got, header)
			}
		}

		// Where nothing says which fields the proxies write, no field is a host.
		if got, err := policy.RequestURL(r); err == nil {
			own, ownErr := newPolicy(t, forwarded.Config{}).RequestURL(r)
			if ownErr != nil || withoutScheme(got) != withoutScheme(own) && !strings.Contains(host, ":") {
				t.Errorf("RequestURL = %q; want the host of %q", got, own)
			}
		}

		direct := &http.Request{RequestURI: target, Host: host, Header: r.Header}
		got, err := policy.RequestURL(direct)
		if err != nil {
			return
		}
		if parsed, err := url.Parse(got); err == nil && !strings.EqualFold(parsed.Hostname(), hostname(host)) && !strings.Contains(host, "[") {
			t.Errorf("RequestURL = %q with host %q", got, host)
		}
	})
}

func withoutScheme(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return rest
}

func hostname(host string) string {
	name, _, _ := strings.Cut(host, ":")
	return name
}

func BenchmarkRequestURL(b *testing.B) {
	policy := newPolicy(b, forwarded.Config{Trusted: trusted, Hosts: []string{"api.example.com", "inner.example"}})
	for _, bench := range []struct{ name, fields, peer string }{
		{"direct", "", "192.0.2.1:1"},
		{"X-Forwarded", "X-Forwarded-For: 192.0.2.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: api.example.com", "10.0.0.1:1"},
		{"Forwarded", "Forwarded: for=192.0.2.9;host=api.example.com;proto=https", "10.0.0.1:1"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := fromProxy(b, bench.fields)
			r.RemoteAddr = bench.peer
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policy.RequestURL(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
