package issuer_test

import (
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/issuer"
)

func TestNormalize(t *testing.T) {
	accepted := map[string]string{
		"tenant.auth0.com":               "https://tenant.auth0.com/",
		"TENANT.AUTH0.COM":               "https://tenant.auth0.com/",
		"https://tenant.auth0.com":       "https://tenant.auth0.com/",
		"HTTPS://Tenant.auth0.com/":      "https://tenant.auth0.com/",
		" tenant.auth0.com \n":           "https://tenant.auth0.com/",
		"\u00a0tenant.auth0.com\x1f":     "https://tenant.auth0.com/",
		"tenant.auth0.com///":            "https://tenant.auth0.com/",
		"tenant.auth0.com:8443":          "https://tenant.auth0.com:8443/",
		"tenant.auth0.com:443":           "https://tenant.auth0.com:443/",
		"tenant.auth0.com.":              "https://tenant.auth0.com./",
		"my_tenant.auth0.com":            "https://my_tenant.auth0.com/",
		"127.0.0.1:1234":                 "https://127.0.0.1:1234/",
		"[::1]":                          "https://[::1]/",
		"[::1]:8443":                     "https://[::1]:8443/",
		"https://host/realms/one":        "https://host/realms/one",
		"https://Host/realms/One/":       "https://host/realms/One/",
		"https://login.example/a%20b/v2": "https://login.example/a%20b/v2",
		"xn--mnchen-3ya.example":         "https://xn--mnchen-3ya.example/",
	}
	for text, want := range accepted {
		got, err := issuer.Normalize(text)
		if err != nil || got != want {
			t.Errorf("Normalize(%q) = %q, %v; want %q", text, got, err, want)
		}
		if !issuer.Normalized(want) {
			t.Errorf("Normalized(%q) = false; want true: the normal form must be stable", want)
		}
	}
	refused := []string{
		"", " ", "/", "https://", "http://tenant.auth0.com", "HTTP://a", "ftp://a", "//a", "https:/a", "https:///a",
		"https://https://a", "https://http://a", "a.com/path", "https://a.com//x", "https://a.com/../x", "https://a.com/./x",
		"a?b", "a#b", "https://a/?b", "https://a/x?y", "https://a/x#y", "user@a", "user:pass@a", "https://user@a/x",
		"a..b", ".a", "*.a", "a,b", "a b", "a\nb", "a\x00b", "a\\b", "a%2fb", "a%40b", "a:", "a:abc", "a:99999", "a:0", "a:+1",
		"münchen.example", "\u200btenant.auth0.com", "ΌΔΟΣ.example", "\u212aelvin.example", "[::1", "[127.0.0.1]", "[::1%25eth0]", "[::1]x", "::1",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 1100),
		"https://a/\u00fc", "https://a/x y",
	}
	for _, text := range refused {
		if got, err := issuer.Normalize(text); err == nil {
			t.Errorf("Normalize(%q) = %q; want an error", text, got)
		}
	}
}

func TestHost(t *testing.T) {
	if got := issuer.Host("https://a:8443/b/c"); got != "a:8443" {
		t.Errorf("Host = %q; want a:8443", got)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"tenant.auth0.com", " HTTPS://A.b/C/ ", "[::1]:8443", "a..b", "user@a", "a/../b", "\u0130"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		normal, err := issuer.Normalize(text)
		if err != nil {
			return
		}
		if again, err := issuer.Normalize(normal); err != nil || again != normal {
			t.Fatalf("Normalize(%q) = %q, but Normalize of that = %q, %v", text, normal, again, err)
		}
		if !strings.HasPrefix(normal, "https://") || strings.ContainsAny(normal, "?#@ \\\r\n\t") && !strings.Contains(normal, "/") {
			t.Fatalf("Normalize(%q) = %q", text, normal)
		}
	})
}
