package htu_test

import (
	"errors"
	"testing"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// equalPairs are URLs of one target (RFC 9449, Section 4.3, check 9, with the
// normalisations of RFC 3986, Sections 6.2.2 and 6.2.3).
var equalPairs = []struct{ name, a, b string }{
	{"identical", "https://api.example.com/r", "https://api.example.com/r"},
	{"identical http", "http://api.example.com/r", "http://api.example.com/r"},
	{"scheme upper", "HTTPS://api.example.com/r", "https://api.example.com/r"},
	{"scheme mixed", "hTTpS://api.example.com/r", "https://api.example.com/r"},
	{"http scheme upper", "HTTP://api.example.com/r", "http://api.example.com/r"},
	{"host upper", "https://API.EXAMPLE.COM/r", "https://api.example.com/r"},
	{"host mixed", "https://Api.Example.com/r", "https://aPI.example.COM/r"},
	{"host and scheme upper", "HTTPS://API.example.com/R", "https://api.example.com/R"},
	{"default port https", "https://api.example.com:443/r", "https://api.example.com/r"},
	{"default port http", "http://api.example.com:80/r", "http://api.example.com/r"},
	{"default port without path", "https://api.example.com:443", "https://api.example.com/"},
	{"default port with query", "https://api.example.com:443?q", "https://api.example.com/"},
	{"empty port", "https://api.example.com:/r", "https://api.example.com/r"},
	{"empty port http", "http://api.example.com:/r", "http://api.example.com:80/r"},
	{"empty and default port", "https://api.example.com:/r", "https://api.example.com:443/r"},
	{"other port", "https://api.example.com:8443/r", "https://API.example.com:8443/r"},
	{"port 0", "https://api.example.com:0/r", "https://api.example.com:0/r"},
	{"highest port", "https://api.example.com:65535/r", "https://api.example.com:65535/r"},
	{"empty path", "https://api.example.com", "https://api.example.com/"},
	{"empty path http", "http://api.example.com", "http://api.example.com/"},
	{"empty path, port", "https://api.example.com:8443", "https://api.example.com:8443/"},
	{"empty path, query", "https://api.example.com?a=1", "https://api.example.com/"},
	{"empty path, fragment", "https://api.example.com#f", "https://api.example.com/"},
	{"query in one", "https://api.example.com/r?a=1", "https://api.example.com/r"},
	{"queries differ", "https://api.example.com/r?a=1", "https://api.example.com/r?b=2"},
	{"empty query", "https://api.example.com/r?", "https://api.example.com/r"},
	{"query with slash", "https://api.example.com/r?x=/../other", "https://api.example.com/r"},
	{"query with question mark", "https://api.example.com/r?a?b", "https://api.example.com/r"},
	{"query with bad percent", "https://api.example.com/r?a=%zz", "https://api.example.com/r"},
	{"query with UTF-8", "https://api.example.com/r?a=ü", "https://api.example.com/r"},
	{"query with backslash", `https://api.example.com/r?a=\`, "https://api.example.com/r"},
	{"query with at", "https://api.example.com/r?a@b", "https://api.example.com/r"},
	{"query with URL", "https://api.example.com/r?u=http://evil.example/", "https://api.example.com/r"},
	{"fragment in one", "https://api.example.com/r#f", "https://api.example.com/r"},
	{"fragments differ", "https://api.example.com/r#f", "https://api.example.com/r#g"},
	{"empty fragment", "https://api.example.com/r#", "https://api.example.com/r"},
	{"query and fragment", "https://api.example.com/r?a#f", "https://api.example.com/r"},
	{"question mark in fragment", "https://api.example.com/r#f?a", "https://api.example.com/r"},
	{"at in fragment", "https://api.example.com#@evil.example/", "https://api.example.com/"},
	{"dot segment", "https://api.example.com/./r", "https://api.example.com/r"},
	{"dot segment in the middle", "https://api.example.com/a/./r", "https://api.example.com/a/r"},
	{"dot segment last", "https://api.example.com/a/.", "https://api.example.com/a/"},
	{"dot segment only", "https://api.example.com/.", "https://api.example.com/"},
	{"dot segments many", "https://api.example.com/././././r", "https://api.example.com/r"},
	{"dot-dot segment", "https://api.example.com/a/../r", "https://api.example.com/r"},
	{"dot-dot last", "https://api.example.com/a/b/..", "https://api.example.com/a/"},
	{"dot-dot last with slash", "https://api.example.com/a/b/../", "https://api.example.com/a/"},
	{"dot-dot only", "https://api.example.com/..", "https://api.example.com/"},
	{"dot-dot above root", "https://api.example.com/../r", "https://api.example.com/r"},
	{"dot-dot far above root", "https://api.example.com/a/../../../r", "https://api.example.com/r"},
	{"dot-dot twice", "https://api.example.com/a/b/../../r", "https://api.example.com/r"},
	{"RFC 3986 5.2.4 first", "https://api.example.com/a/b/c/./../../g", "https://api.example.com/a/g"},
	{"RFC 3986 6.2.2", "http://example.com/%7bfoo%7d", "HTTP://EXAMPLE.com/./b/../%7Bfoo%7D"},
	{"RFC 3986 6.2.2 unreserved", "http://a.example/b/c/%7Bfoo%7D", "http://a.example/./b/../b/%63/%7bfoo%7d"},
	{"dot-dot over an empty segment", "https://api.example.com/a//../r", "https://api.example.com/a/r"},
	{"dot-dot then empty segment", "https://api.example.com/..//r", "https://api.example.com//r"},
	{"encoded dot", "https://api.example.com/%2e/r", "https://api.example.com/r"},
	{"encoded dot upper", "https://api.example.com/%2E/r", "https://api.example.com/r"},
	{"encoded dot-dot", "https://api.example.com/a/%2e%2e/r", "https://api.example.com/r"},
	{"half encoded dot-dot", "https://api.example.com/a/.%2E/r", "https://api.example.com/r"},
	{"other half encoded dot-dot", "https://api.example.com/a/%2e./r", "https://api.example.com/r"},
	{"encoded dot inside a name", "https://api.example.com/a%2Ejson", "https://api.example.com/a.json"},
	{"three dots", "https://api.example.com/...", "https://api.example.com/%2e.."},
	{"hidden file", "https://api.example.com/.well-known/x", "https://api.example.com/%2Ewell-known/x"},
	{"trailing dots of a name", "https://api.example.com/a../b", "https://api.example.com/a.%2E/b"},
	{"hex case", "https://api.example.com/a%2fb", "https://api.example.com/a%2Fb"},
	{"hex case, UTF-8", "https://api.example.com/caf%c3%a9", "https://api.example.com/caf%C3%A9"},
	{"hex case, mixed", "https://api.example.com/%c3%A9", "https://api.example.com/%C3%a9"},
	{"hex case, percent", "https://api.example.com/%25", "https://api.example.com/%25"},
	{"encoded tilde", "https://api.example.com/%7Euser", "https://api.example.com/~user"},
	{"encoded tilde lower", "https://api.example.com/%7euser", "https://api.example.com/~user"},
	{"encoded hyphen", "https://api.example.com/a%2Db", "https://api.example.com/a-b"},
	{"encoded underscore", "https://api.example.com/a%5Fb", "https://api.example.com/a_b"},
	{"encoded lower letter", "https://api.example.com/%61bc", "https://api.example.com/abc"},
	{"encoded upper letter", "https://api.example.com/%41bc", "https://api.example.com/Abc"},
	{"encoded digit", "https://api.example.com/%31", "https://api.example.com/1"},
	{"all encoded", "https://api.example.com/%72%65%73", "https://api.example.com/res"},
	{"encoded at the end", "https://api.example.com/ab%63", "https://api.example.com/abc"},
	{"double encoding is not decoded twice", "https://api.example.com/%2541", "https://api.example.com/%25%34%31"},
	{"encoded space", "https://api.example.com/a%20b", "https://api.example.com/a%20b"},
	{"sub-delimiters", "https://api.example.com/!$&'()*+,;=", "https://API.example.com/!$&'()*+,;="},
	{"colon and at", "https://api.example.com/a:b@c", "HTTPS://api.example.com/a:b@c"},
	{"brackets as they are", "https://api.example.com/a[0]", "https://API.example.com/a[0]"},
	{"bar as it is", "https://api.example.com/a|b", "https://api.example.com:443/a|b"},
	{"double slash", "https://api.example.com//r", "https://api.example.com:443//r"},
	{"double slash at the end", "https://api.example.com/r//", "https://API.example.com/r//"},
	{"trailing slash", "https://api.example.com/r/", "https://api.example.com/r/?a"},
	{"matrix parameter", "https://api.example.com/r;v=1", "https://api.example.com/%72;v=1"},
	{"path looks like URL", "https://api.example.com/http://x/", "https://API.example.com/http://x/"},
	{"IPv4", "https://192.0.2.1/r", "https://192.0.2.1:443/r"},
	{"IPv6 forms", "https://[2001:0db8:0:0:0:0:0:1]/r", "https://[2001:db8::1]/r"},
	{"IPv6 loopback", "https://[0:0:0:0:0:0:0:1]/r", "https://[::1]/r"},
	{"IPv6 case", "https://[2001:DB8::A]/r", "https://[2001:db8::a]/r"},
	{"IPv6 default port", "https://[::1]:443/r", "https://[::1]/r"},
	{"IPv6 empty port", "https://[::1]:/r", "https://[::1]/r"},
	{"IPv6 other port", "https://[::1]:8443/r", "https://[0::1]:8443/r"},
	{"IPv6 unspecified", "https://[::]/r", "https://[0:0:0:0:0:0:0:0]/r"},
	{"IPv6 longest run", "https://[2001:0:0:1:0:0:0:1]/r", "https://[2001:0:0:1::1]/r"},
	{"IPv6 mapped IPv4", "https://[::ffff:1.2.3.4]/r", "https://[::ffff:102:304]/r"},
	{"IPv6 without path", "https://[::1]", "https://[::1]/"},
	{"A-label", "https://xn--mnchen-3ya.example/r", "https://XN--MNCHEN-3YA.example/r"},
	{"underscore host", "https://my_api.example.com/r", "https://MY_API.example.com/r"},
	{"leading underscore", "https://_api.internal/r", "https://_API.internal/r"},
	{"single label", "http://localhost:8080/r", "http://LOCALHOST:8080/r"},
	{"final dot on both", "https://api.example.com./r", "https://API.example.com./r"},
	{"everything at once", "HTTPS://API.Example.COM:443/a/./b/../%7ex/%2f?q#f", "https://api.example.com/a/~x/%2F"},
}

// differentPairs are well-formed URLs of two targets.
var differentPairs = []struct{ name, a, b string }{
	{"path case", "https://api.example.com/Resource", "https://api.example.com/resource"},
	{"encoded path case", "https://api.example.com/%41", "https://api.example.com/a"},
	{"path", "https://api.example.com/orders", "https://api.example.com/users"},
	{"path prefix", "https://api.example.com/order", "https://api.example.com/orders"},
	{"longer path", "https://api.example.com/orders/1", "https://api.example.com/orders"},
	{"scheme", "http://api.example.com/r", "https://api.example.com/r"},
	{"scheme with the other's port", "http://api.example.com:443/r", "https://api.example.com/r"},
	{"port 80 on https", "https://api.example.com:80/r", "https://api.example.com/r"},
	{"port 443 on http", "http://api.example.com:443/r", "http://api.example.com/r"},
	{"other port", "https://api.example.com:8443/r", "https://api.example.com/r"},
	{"two ports", "https://api.example.com:8443/r", "https://api.example.com:8444/r"},
	{"port that begins with the default", "https://api.example.com:4430/r", "https://api.example.com/r"},
	{"port 0", "https://api.example.com:0/r", "https://api.example.com/r"},
	{"host", "https://api2.example.com/r", "https://api.example.com/r"},
	{"subdomain", "https://x.api.example.com/r", "https://api.example.com/r"},
	{"host suffix", "https://api.example.com.evil.example/r", "https://api.example.com/r"},
	{"final dot", "https://api.example.com./r", "https://api.example.com/r"},
	{"trailing slash", "https://api.example.com/r/", "https://api.example.com/r"},
	{"dot segment at the end", "https://api.example.com/r/.", "https://api.example.com/r"},
	{"dot-dot at the end", "https://api.example.com/r/a/..", "https://api.example.com/r"},
	{"double slash", "https://api.example.com//r", "https://api.example.com/r"},
	{"double slash at the end", "https://api.example.com/r//", "https://api.example.com/r/"},
	{"encoded slash", "https://api.example.com/a%2Fb", "https://api.example.com/a/b"},
	{"encoded slash hides dot-dot", "https://api.example.com/a%2F..", "https://api.example.com/a/"},
	{"encoded backslash", "https://api.example.com/a%5Cb", "https://api.example.com/a/b"},
	{"encoded question mark", "https://api.example.com/r%3Fa=1", "https://api.example.com/r"},
	{"encoded hash", "https://api.example.com/r%23f", "https://api.example.com/r"},
	{"encoded semicolon", "https://api.example.com/a%3Bb", "https://api.example.com/a;b"},
	{"encoded plus", "https://api.example.com/a%2Bb", "https://api.example.com/a+b"},
	{"encoded colon", "https://api.example.com/a%3Ab", "https://api.example.com/a:b"},
	{"encoded bar", "https://api.example.com/a%7Cb", "https://api.example.com/a|b"},
	{"plus and space", "https://api.example.com/a+b", "https://api.example.com/a%20b"},
	{"double encoding", "https://api.example.com/%2525", "https://api.example.com/%25"},
	{"double encoded letter", "https://api.example.com/%2541", "https://api.example.com/A"},
	{"double encoded dot-dot", "https://api.example.com/a/%252e%252e/r", "https://api.example.com/r"},
	{"NUL", "https://api.example.com/r%00", "https://api.example.com/r"},
	{"semicolon", "https://api.example.com/r;x", "https://api.example.com/r"},
	{"three dots", "https://api.example.com/a/.../r", "https://api.example.com/r"},
	{"dots of a name", "https://api.example.com/a../r", "https://api.example.com/r"},
	{"NFC and NFD", "https://api.example.com/cafe%CC%81", "https://api.example.com/caf%C3%A9"},
	{"localhost and address", "https://localhost/r", "https://127.0.0.1/r"},
	{"IPv4 hexadecimal", "https://0x7f000001/r", "https://127.0.0.1/r"},
	{"IPv4 octal", "https://0177.0.0.1/r", "https://127.0.0.1/r"},
	{"IPv4 short", "https://127.1/r", "https://127.0.0.1/r"},
	{"IPv4 decimal", "https://2130706433/r", "https://127.0.0.1/r"},
	{"IPv4 and mapped IPv6", "https://1.2.3.4/r", "https://[::ffff:1.2.3.4]/r"},
	{"IPv6 addresses", "https://[::1]/r", "https://[::2]/r"},
	{"IPv6 ports", "https://[::1]:8443/r", "https://[::1]/r"},
	{"underscore and hyphen", "https://my_api.example.com/r", "https://my-api.example.com/r"},
	{"A-labels", "https://xn--mnchen-3ya.example/r", "https://xn--bcher-kva.example/r"},
	{"fragment before path", "https://api.example.com#/r", "https://api.example.com/r"},
	{"query before path", "https://api.example.com?/r", "https://api.example.com/r"},
	{"query before at", "https://api.example.com?@evil.example/", "https://evil.example/"},
	{"path at", "https://api.example.com/@evil.example/", "https://evil.example/"},
}

var refused = []struct{ name, raw string }{
	{"empty", ""},
	{"relative", "/resource"},
	{"network-path reference", "//api.example.com/r"},
	{"no scheme", "api.example.com/r"},
	{"colon first", "://api.example.com/r"},
	{"garbage", "::::"},
	{"scheme only", "https:"},
	{"scheme and slashes only", "https://"},
	{"one slash", "https:/api.example.com/r"},
	{"no slashes", "https:api.example.com/r"},
	{"three slashes", "https:///api.example.com/r"},
	{"no colon", "https//api.example.com/r"},
	{"s missing its end", "httpsx://api.example.com/r"},
	{"ftp", "ftp://api.example.com/r"},
	{"ws", "ws://api.example.com/r"},
	{"wss", "wss://api.example.com/r"},
	{"file", "file:///r"},
	{"blob", "blob:https://api.example.com/r"},
	{"javascript", "javascript:alert(1)"},
	{"custom scheme", "myapp://api.example.com/r"},
	{"scheme with long s", "httpſ://api.example.com/r"},
	{"no host", "https:///r"},
	{"no host, port", "https://:443/r"},
	{"no host, query", "https://?a"},
	{"no host, fragment", "https://#f"},
	{"user", "https://user@api.example.com/r"},
	{"user and password", "https://user:pass@api.example.com/r"},
	{"empty user", "https://@api.example.com/r"},
	{"user that looks like the host", "https://api.example.com@evil.example/r"},
	{"user with port", "https://api.example.com:443@evil.example/r"},
	{"encoded letter in host", "https://%61pi.example.com/r"},
	{"encoded dot in host", "https://api%2Eexample.com/r"},
	{"encoded at in host", "https://api.example.com%40evil.example/r"},
	{"encoded slash in host", "https://api.example.com%2Fr"},
	{"encoded NUL in host", "https://api.example.com%00/r"},
	{"encoded non-ASCII host", "https://m%C3%BCnchen.example/r"},
	{"incomplete encoding in host", "https://api%2.example.com/r"},
	{"percent at the end of the host", "https://api.example.com%/r"},
	{"space in host", "https://exa mple.com/r"},
	{"space before host", "https:// api.example.com/r"},
	{"sub-delimiter in host", "https://api,example.com/r"},
	{"comma list of hosts", "https://a.example,b.example/r"},
	{"bracket in host", "https://api]example.com/r"},
	{"internationalised host", "https://münchen.example/r"},
	{"Cyrillic letter in host", "https://аpi.example.com/r"},
	{"full-width host", "https://ａｐｉ.example.com/r"},
	{"full-width dot", "https://api．example．com/r"},
	{"Kelvin sign in host", "https://api.\u212aexample.com/r"},
	{"zero-width space in host", "https://api\u200b.example.com/r"},
	{"backslashes", `https:\\api.example.com\r`},
	{"backslash after host", `https://api.example.com\r`},
	{"backslash before at", `https://api.example.com\@evil.example/r`},
	{"backslash in path", `https://api.example.com/a\b`},
	{"space before", " https://api.example.com/r"},
	{"space after", "https://api.example.com/r "},
	{"space in path", "https://api.example.com/a b"},
	{"space in query", "https://api.example.com/r?a b"},
	{"space in fragment", "https://api.example.com/r#a b"},
	{"tab in path", "https://api.example.com/re\tsource"},
	{"tab in query", "https://api.example.com/r?a\tb"},
	{"tab in scheme", "ht\ttps://api.example.com/r"},
	{"line feed in host", "https://api.exam\nple.com/r"},
	{"line feed after", "https://api.example.com/r\n"},
	{"carriage return in path", "https://api.example.com/r\r"},
	{"NUL in path", "https://api.example.com/r\x00"},
	{"NUL in query", "https://api.example.com/r?\x00"},
	{"delete in path", "https://api.example.com/r\x7f"},
	{"delete in fragment", "https://api.example.com/r#\x7f"},
	{"non-ASCII path", "https://api.example.com/café"},
	{"invalid UTF-8 in path", "https://api.example.com/\xff"},
	{"zero-width space in path", "https://api.example.com/r\u200b"},
	{"no-break space after", "https://api.example.com/r\u00a0"},
	{"bad percent-encoding", "https://api.example.com/%zz"},
	{"half bad percent-encoding", "https://api.example.com/%2g"},
	{"short percent-encoding", "https://api.example.com/%2"},
	{"percent at the end", "https://api.example.com/%"},
	{"percent before query", "https://api.example.com/%2?F"},
	{"port with letters", "https://api.example.com:44a/r"},
	{"port too high", "https://api.example.com:65536/r"},
	{"port far too high", "https://api.example.com:99999999999999999999/r"},
	{"port with leading zero", "https://api.example.com:0443/r"},
	{"port 00", "https://api.example.com:00/r"},
	{"negative port", "https://api.example.com:-1/r"},
	{"port with sign", "https://api.example.com:+443/r"},
	{"two ports", "https://api.example.com:443:443/r"},
	{"two colons", "https://api.example.com::443/r"},
	{"full-width port digit", "https://api.example.com:４43/r"},
	{"IPv6 without brackets", "https://::1/r"},
	{"IPv6 unclosed", "https://[::1/r"},
	{"IPv6 unopened", "https://::1]/r"},
	{"IPv6 empty", "https://[]/r"},
	{"IPv6 text after", "https://[::1]x/r"},
	{"IPv6 bracket after", "https://[::1]]/r"},
	{"IPv6 with user", "https://u@[::1]/r"},
	{"IPv6 zone", "https://[fe80::1%25eth0]/r"},
	{"IPv6 raw zone", "https://[fe80::1%eth0]/r"},
	{"IPv6 encoded", "https://[%3A:1]/r"},
	{"IPv6 too long", "https://[1:2:3:4:5:6:7:8:9]/r"},
	{"IPv6 two runs", "https://[1::2::3]/r"},
	{"IPvFuture", "https://[v1.fe80::a]/r"},
	{"IPv4 in brackets", "https://[127.0.0.1]/r"},
	{"name in brackets", "https://[api.example.com]/r"},
}

func TestEqualPairs(t *testing.T) {
	for _, test := range equalPairs {
		t.Run(test.name, func(t *testing.T) {
			a, b := mustNormalize(t, test.a), mustNormalize(t, test.b)
			if a != b {
				t.Errorf("Normalize(%q) = %q, Normalize(%q) = %q; want equal", test.a, a, test.b, b)
			}
		})
	}
}

func TestDifferentPairs(t *testing.T) {
	for _, test := range differentPairs {
		t.Run(test.name, func(t *testing.T) {
			a, b := mustNormalize(t, test.a), mustNormalize(t, test.b)
			if a == b {
				t.Errorf("Normalize(%q) = Normalize(%q) = %q; want different", test.a, test.b, a)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, test := range refused {
		t.Run(test.name, func(t *testing.T) {
			got, err := htu.Normalize(test.raw)
			if !errors.Is(err, htu.ErrInvalid) || got != "" {
				t.Errorf("Normalize(%q) = %q, %v; want ErrInvalid", test.raw, got, err)
			}
		})
	}
}

func TestNormalForms(t *testing.T) {
	tests := []struct{ raw, want string }{
		{"HTTPS://API.example.com", "https://api.example.com/"},
		{"https://api.example.com:443/R/%7e%2f?a#b", "https://api.example.com/R/~%2F"},
		{"http://[2001:DB8:0:0::1]:8080/a/../b/.", "http://[2001:db8::1]:8080/b/"},
		{"http://[::FFFF:102:304]", "http://[::ffff:1.2.3.4]/"},
		{"https://h/a/b/../../..", "https://h/"},
		{"https://h//..//a", "https://h//a"},
		{"https://h/a%2E%2e/%2e./b", "https://h/b"},
	}
	for _, test := range tests {
		if got := mustNormalize(t, test.raw); got != test.want {
			t.Errorf("Normalize(%q) = %q; want %q", test.raw, got, test.want)
		}
	}
}

func TestNormalFormCostsNoAllocation(t *testing.T) {
	for _, raw := range []string{
		"https://api.example.com/v1/orders/42",
		"https://api.example.com/v1/orders?limit=10",
		"http://127.0.0.1:8080/",
		"https://[2001:db8::1]:8443/.well-known/a..b/...",
	} {
		allocations := testing.AllocsPerRun(100, func() {
			if _, err := htu.Normalize(raw); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 0 {
			t.Errorf("Normalize(%q) makes %v allocations; want 0", raw, allocations)
		}
	}
}

func mustNormalize(t *testing.T, raw string) string {
	t.Helper()
	normal, err := htu.Normalize(raw)
	if err != nil {
		t.Fatalf("Normalize(%q): %v", raw, err)
	}
	return normal
}

func BenchmarkNormalize(b *testing.B) {
	for _, bench := range []struct{ name, raw string }{
		{"normal", "https://api.example.com/v1/orders/42?limit=10"},
		{"rewritten", "HTTPS://API.example.com:443/v1/./orders/%34%32?limit=10"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := htu.Normalize(bench.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
