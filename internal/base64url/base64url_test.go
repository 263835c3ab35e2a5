package base64url_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/base64url"
)

// reference is the rule in the words of the standard library: what decodes, and
// is what its octets are encoded as.
func reference(text string) ([]byte, bool) {
	octets, err := base64.RawURLEncoding.DecodeString(text)
	return octets, err == nil && base64.RawURLEncoding.EncodeToString(octets) == text
}

func check(t *testing.T, space []byte, text string) {
	t.Helper()
	want, valid := reference(text)
	got, ok := base64url.Decode(space, text)
	switch {
	case ok != valid:
		t.Fatalf("Decode(%q): %v; want %v", text, ok, valid)
	case !ok && got != nil:
		t.Fatalf("Decode(%q) = %x beside false", text, got)
	case ok && !bytes.Equal(got, want):
		t.Fatalf("Decode(%q) = %x; want %x", text, got, want)
	}
}

// TestManyTexts puts every byte at every place of texts of every short length, and
// every pair of bytes at the end, where bits do not count.
func TestManyTexts(t *testing.T) {
	var octets [40]byte
	for i := range octets {
		octets[i] = byte(i * 167)
	}
	space := make([]byte, 64)
	for n := range len(octets) {
		text := base64.RawURLEncoding.EncodeToString(octets[:n])
		check(t, nil, text)
		for place := range text {
			for c := range 256 {
				check(t, space, text[:place]+string([]byte{byte(c)})+text[place+1:])
			}
		}
		for _, more := range []string{"A", "=", "==", "\n", "\r\n", " ", ".", "A="} {
			check(t, space, text+more)
			check(t, space, more+text)
		}
	}
	for a := range 256 {
		for b := range 256 {
			end := string([]byte{byte(a), byte(b)})
			for _, before := range []string{"", "A", "AAAA", "AAAAA", "AAAAAAAAAAAA", "AAAAAAAAAAAAA"} {
				check(t, space, before+end)
			}
		}
	}
}

// TestSpace: the octets are in the space that was given where they fit, and nothing
// is written beyond it.
func TestSpace(t *testing.T) {
	for n := range 64 {
		text := strings.Repeat("A", n/3*4) + strings.Repeat("A", (n%3*4+2)/3)
		for size := range 80 {
			around := bytes.Repeat([]byte{0xff}, size+16)
			space := around[:size:size]
			octets, ok := base64url.Decode(space, text)
			if !ok || len(octets) != n {
				t.Fatalf("%d octets into %d: %d, %v", n, size, len(octets), ok)
			}
			if fits := n <= size; n > 0 && fits != (size > 0 && &octets[0] == &around[0]) {
				t.Fatalf("%d octets into %d: in the space: %v; want %v", n, size, !fits, fits)
			}
			if !bytes.Equal(around[size:], bytes.Repeat([]byte{0xff}, 16)) {
				t.Fatalf("%d octets into %d: written beyond the space", n, size)
			}
		}
	}
}

// TestAllocations: nothing is allocated where there is space, and once where there
// is none.
func TestAllocations(t *testing.T) {
	text, space := strings.Repeat("AQID", 256), make([]byte, 768)
	for want, space := range map[float64][]byte{0: space, 1: nil} {
		if got := testing.AllocsPerRun(100, func() { base64url.Decode(space, text) }); got != want {
			t.Errorf("%v allocations into %d octets; want %v", got, len(space), want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{"", "A", "AA", "AB", "AAA", "AAB", "eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJSUzI1NiJ9\n", "a+b/", "AA=="} {
		f.Add(text, 8)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		check(t, make([]byte, min(max(size, 0), 1<<16)), text)
	})
}
