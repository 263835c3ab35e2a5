package keys_test

import (
	"errors"
	"testing"

	"github.com/portcullis-go/portcullis/internal/keys"
)

func TestParseHost(t *testing.T) {
	for text, want := range map[string]string{
		"cdn.example":          "cdn.example",
		"CDN.Example":          "cdn.example",
		"cdn.example.":         "cdn.example",
		"cdn.example:443":      "cdn.example",
		"cdn.example:8443":     "cdn.example:8443",
		"192.0.2.1":            "192.0.2.1",
		"192.0.2.1:8080":       "192.0.2.1:8080",
		"[2001:DB8::1]":        "[2001:db8::1]",
		"2001:db8:0:0::1":      "[2001:db8::1]",
		"[2001:db8::1]:443":    "[2001:db8::1]",
		"[2001:db8::1]:8443":   "[2001:db8::1]:8443",
		"localhost":            "localhost",
		"":                     "",
		" cdn.example":         "",
		"https://cdn.example":  "",
		"cdn.example/":         "",
		"*.example":            "",
		"user@cdn.example":     "",
		"cdn.example:0":        "",
		"cdn.example:99999":    "",
		"cdn.example:":         "",
		"münchen.example":      "",
		"fe80::1%eth0":         "",
		"cdn.example?x":        "",
		"cdn .example":         "",
		"[2001:db8::1":         "",
		"xn--mnchen-3ya.de:44": "xn--mnchen-3ya.de:44",
	} {
		got, err := keys.ParseHost(text)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, keys.ErrHost) {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

// FuzzParseHost: a host in normal form is its own normal form.
func FuzzParseHost(f *testing.F) {
	f.Add("CDN.example.:443")
	f.Add("[::1]:80")
	f.Fuzz(func(t *testing.T, text string) {
		host, err := keys.ParseHost(text)
		if err != nil {
			return
		}
		if again, err := keys.ParseHost(host); err != nil || again != host {
			t.Errorf("ParseHost(%q) = %q, whose form is %q, %v", text, host, again, err)
		}
	})
}
