package issuer_test

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/issuer"
)

// TestEdges: the last that is taken and the first that is not.
func TestEdges(t *testing.T) {
	label := strings.Repeat("a", 63)
	host := strings.Repeat(strings.Repeat("a", 49)+".", 5) + "abc" // 253
	path := func(length int) string { return "https://a/" + strings.Repeat("p", length-len("https://a/")) }
	for text, want := range map[string]bool{
		label: true, label + "a": false, host: true, host + "d": false, host + ".": true,
		path(2048): true, path(2049): false,
		"a:1": true, "a:65535": true, "a:65536": false, "a:0": false, "[::1]:1": true, "[::1]:0": false, "[::1]:": false, "[::1]:x": false, "[::1]x80": false,
		"[": false, "[]": false, "]": false, "[::ffff:1.2.3.4]": true, "[1.2.3.4]": false, "[fe80::1%25en0]": false,
		"Z": true, "A": true, "0-9": true, "az_": true, "-": true, "a`b": false, "a{b": false, "a/": true, "a:b": false, "a;b": false, "a^b": false,
		"https://a/az": true, "https://a/AZ": true, "https://a/09": true, "https://a/-._~!$&'()*+,;=:@%": true,
		"https://a/`": false, "https://a/{": false, "https://a/[": false, "https://a/\"": false, "https://a/\\": false, "https://a/^": false,
		"https://a/.": false, "https://a/..": false, "https://a/...": true, "https://a/./b": false, "https://a/b/..": false, "https://a/b//c": false,
		"https://a/b/": true, "https://a/b//": false, "\x1ca": true, "\x1fa": true, "\x1ba": false, "a\x1b": false,
		"https:/": false, "https://": false, "HTTPS://a": true, "httpx://a": false,
	} {
		got, err := issuer.Normalize(text)
		if (err == nil) != want {
			t.Errorf("Normalize(%.60q) = %.60q, %v; want it taken: %v", text, got, err, want)
		}
		if err == nil && !issuer.Normalized(got) {
			t.Errorf("Normalized(%.60q) = false", got)
		}
	}
	for text, want := range map[string]bool{"https://a/": true, "https://A/": false, "a": false, "https://a": false, "": false} {
		if got := issuer.Normalized(text); got != want {
			t.Errorf("Normalized(%q) = %v; want %v", text, got, want)
		}
	}
	for name, want := range map[string]string{"https://a/": "a", "https://a:1/b": "a:1", "https://a/b/c": "a"} {
		if got := issuer.Host(name); got != want {
			t.Errorf("Host(%q) = %q; want %q", name, got, want)
		}
	}
}
