package htu_test

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// TestEdges: the last character of each range, and the first behind it.
func TestEdges(t *testing.T) {
	for raw, want := range map[string]string{
		"https://a:0/": "https://a:0/", "https://a:9/": "https://a:9/", "https://a:90/": "https://a:90/", "https://a:8999/": "https://a:8999/", "https://a:65535/": "https://a:65535/",
		"https://a:65536/": "", "https://a:99999/": "", "https://a:100000/": "", "https://a:18446744073709552059/": "", "https://a:00/": "", "https://a:01/": "", "https://a:4x3/": "", "https://a::/": "", "https://a:/": "https://a/",
		"https://a:4/3": "https://a:4/3", "https://a:/x": "https://a/x", "https://a:44;/": "", "https://a:44:/": "",
		"https://a:443/": "https://a/", "http://a:80/": "http://a/", "https://a:80/": "https://a:80/", "http://a:443/": "http://a:443/", "https://a:444/": "https://a:444/", "http://a:81/": "http://a:81/",
		"https://a/%61%7A%41%5A%30%39%2D%2E%5F%7E": "https://a/azAZ09-._~", "https://a/%60%7b%40%5b%2f%3a%2c%7f%5e": "https://a/%60%7B%40%5B%2F%3A%2C%7F%5E",
		"https://a/%6": "", "https://a/%": "", "https://a/%6g": "", "https://a/%g6": "", "https://a/%6/": "", "https://a/%6:": "", "https://a/%6@": "", "https://a/%6`": "", "https://a/%G0": "", "https://a/%af%FF%0a": "https://a/%AF%FF%0A",
		"https://az/": "https://az/", "https://AZ/": "https://az/", "https://09-._~/": "https://09-._~/", "https://a`/": "", "https://a{/": "", "https://a@/": "", "https://a[/": "", "https://a%61/": "", "https:///": "", "https://": "",
		"https://a": "https://a/", "https://a?": "https://a/", "https://a#": "https://a/", "https://a?b/c": "https://a/", "https://a/?/..": "https://a/", "https://a/x?\x7f": "", "https://a/x? ": "", "https://a/x?!": "https://a/x", "https://a/x?é": "https://a/x",
		"https://a/ ": "", "https://a/!": "https://a/!", "https://a/~": "https://a/~", "https://a/\x7f": "", "https://a/\x80": "", "https://a/\\": "",
		"https://a/.": "https://a/", "https://a/..": "https://a/", "https://a/./b": "https://a/b", "https://a/b/.": "https://a/b/", "https://a/b/..": "https://a/", "https://a/b/../c": "https://a/c", "https://a/b/c/../../d": "https://a/d",
		"https://a/...": "https://a/...", "https://a/.b": "https://a/.b", "https://a/..b": "https://a/..b", "https://a/b.": "https://a/b.", "https://a/b..": "https://a/b..", "https://a//..": "https://a/", "https://a//../b": "https://a/b", "https://a/b//../c": "https://a/b/c",
		"https://a/%2e%2E/b": "https://a/b", "https://a/b/%2e": "https://a/b/", "https://a/../../b": "https://a/b",
		"https://[::1]/": "https://[::1]/", "https://[::1]:443/": "https://[::1]/", "https://[::1]:8/": "https://[::1]:8/", "https://[0:0::1]/": "https://[::1]/", "https://[::1]8/": "", "https://[::1/": "", "https://[]/": "", "https://[::1%25a]/": "", "https://[1.2.3.4]/": "", "https://[::1]": "https://[::1]/", "https://[": "", "https://]": "",
		"HTTPS://a/": "https://a/", "hTTp://a/": "http://a/", "https:/a/": "", "https//a": "", "ftp://a/": "", "http": "", "https:": "", "": "",
	} {
		got, err := htu.Normalize(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Normalize(%q) = %q, %v; want %q", raw, got, err, want)
		}
		if again, err := htu.Normalize(got); want != "" && (again != got || err != nil) {
			t.Errorf("Normalize(%q) = %q, %v; want itself", got, again, err)
		}
	}
	if got, err := htu.Normalize("https://a/" + strings.Repeat("b/../", 1000)); err != nil || got != "https://a/" {
		t.Errorf("Normalize of many dot segments = %q, %v", got, err)
	}
}
