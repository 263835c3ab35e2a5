package htu_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// FuzzNormalize compares with an independent reading of the URLs, made of
// net/url: equal normal forms must be equal URLs, and different ones different.
func FuzzNormalize(f *testing.F) {
	for _, pairs := range [][]struct{ name, a, b string }{equalPairs, differentPairs} {
		for _, pair := range pairs {
			f.Add(pair.a, pair.b)
		}
	}
	for _, test := range refused {
		f.Add(test.raw, "https://api.example.com/r")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		normalA, err := htu.Normalize(a)
		if err != nil {
			return
		}
		if again, err := htu.Normalize(normalA); err != nil || again != normalA {
			t.Fatalf("Normalize(%q) = %q, then %q, %v; want the same again", a, normalA, again, err)
		}
		if read(t, a) != read(t, normalA) {
			t.Fatalf("Normalize(%q) = %q, which is another URL", a, normalA)
		}
		encoded := encodePath(normalA)
		if normal, err := htu.Normalize(encoded); err != nil || normal != normalA {
			t.Fatalf("Normalize(%q) = %q, %v; want %q", encoded, normal, err, normalA)
		}
		normalB, err := htu.Normalize(b)
		if err != nil {
			return
		}
		if (normalA == normalB) != (read(t, a) == read(t, b)) {
			t.Fatalf("Normalize(%q) = %q, Normalize(%q) = %q, but read as %q and %q",
				a, normalA, b, normalB, read(t, a), read(t, b))
		}
	})
}

// read says in a text of its own which target a URL names.
func read(t *testing.T, raw string) string {
	t.Helper()
	raw, _, _ = strings.Cut(raw, "#")
	raw, _, _ = strings.Cut(raw, "?")
	parsed, err := url.Parse(raw)
	if err != nil {
		t.Fatalf("Normalize accepts %q, which net/url refuses: %v", raw, err)
	}
	if parsed.User != nil {
		t.Fatalf("Normalize accepts the credentials of %q", raw)
	}
	host := strings.ToLower(parsed.Hostname())
	if address, err := netip.ParseAddr(host); err == nil && address.Is6() {
		host = fmt.Sprint(address.As16())
	}
	port := parsed.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[parsed.Scheme]
	}
	return fmt.Sprintf("%s %q %s %q", parsed.Scheme, host, port, segments(t, raw))
}

// segments reads the path: unreserved and other characters are told apart by
// whether a reserved character was percent-encoded.
func segments(t *testing.T, raw string) []string {
	t.Helper()
	_, afterScheme, _ := strings.Cut(raw, "://")
	_, path, _ := strings.Cut(afterScheme, "/")
	var kept []string
	parts := strings.Split(path, "/")
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			t.Fatalf("Normalize accepts the path of %q", raw)
		}
		last := i == len(parts)-1
		switch decoded {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, decoded+" "+encodedReserved(part))
			continue
		}
		if last {
			kept = append(kept, " ")
		}
	}
	return kept
}

// encodedReserved lists the percent-encoded characters of a segment that are
// not unreserved, with their place among the decoded characters.
func encodedReserved(segment string) string {
	var list strings.Builder
	for i, place := 0, 0; i < len(segment); i, place = i+1, place+1 {
		if segment[i] != '%' {
			continue
		}
		decoded, _ := url.PathUnescape(segment[i : i+3])
		if !strings.Contains("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", decoded) {
			fmt.Fprintf(&list, "%d,", place)
		}
		i += 2
	}
	return list.String()
}

// encodePath percent-encodes every letter of the path of a normal form.
func encodePath(normal string) string {
	scheme, rest, _ := strings.Cut(normal, "://")
	host, path, _ := strings.Cut(rest, "/")
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%':
			out.WriteString(strings.ToLower(path[i : i+3]))
			i += 2
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			fmt.Fprintf(&out, "%%%02x", c)
		default:
			out.WriteByte(c)
		}
	}
	return strings.ToUpper(scheme) + "://" + host + "/" + out.String()
}
