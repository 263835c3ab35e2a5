package jws_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/jws"
)

func header(t *testing.T, headers *jws.Headers, kid string) *jws.Header {
	t.Helper()
	segment := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"ES256","kid":%q}`, kid))
	parsed, err := jws.Parse(segment+".e30.AAAA", headers, nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header
}

// TestHeadersAreBounded: by weight, whatever is remembered how often.
func TestHeadersAreBounded(t *testing.T) {
	headers := jws.NewHeaders(3)
	remember := func(kid string, want int) {
		t.Helper()
		headers.Remember(header(t, headers, kid))
		if got := headers.Len(); got != want {
			t.Errorf("after %.10s: %d headers; want %d", kid, got, want)
		}
	}
	remember("a", 1)
	for range 5 {
		remember("a", 1) // counts once
	}
	remember("b", 2)
	remember("c", 3)
	if first, again := header(t, headers, "a"), header(t, headers, "a"); first != again {
		t.Error("a remembered header was parsed again")
	}
	remember("d", 1) // all anew
	remember("a", 2)
	remember("b", 3)
	remember("c", 1)
	long := strings.Repeat("l", 1024) // of weight 2
	remember(long, 2)
	remember("d", 1)
	if first, again := header(t, headers, "a"), header(t, headers, "a"); first == again {
		t.Error("a header is remembered that had to go")
	}
}

func TestNoHeadersAreNoMistake(t *testing.T) {
	var headers *jws.Headers
	headers.Remember(header(t, headers, "a"))
}

func TestWeight(t *testing.T) {
	for size, want := range map[int]int64{0: 1, 1023: 1, 1024: 2, 2047: 2, 2048: 3, 8192: 9} {
		if got := jws.Weight(strings.Repeat("a", size)); got != want {
			t.Errorf("Weight of %d bytes = %d; want %d", size, got, want)
		}
	}
}
