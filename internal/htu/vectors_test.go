package htu_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/htu"
)

// The recorded outcomes of the original are in testdata/htu.json. It parses
// URLs as browsers do (WHATWG URL), which repairs what is no URL; here nothing
// is repaired. Every difference is listed with its reason, and each listed
// outcome is the opposite of the recorded one.
const (
	repaired     = "a text that is no URL (RFC 3986) is refused, not repaired"
	nonASCII     = "characters beyond ASCII are no part of a URL (RFC 3986, Section 2); hosts are given by their A-labels"
	httpOnly     = "the target of a request is an http or https URL (RFC 9449, Section 4.2)"
	userinfo     = "credentials are no part of the target of a request (RFC 9110, Section 4.2.4)"
	ipv4         = "only the dotted-decimal form is an IPv4 address (RFC 3986, Section 3.2.2)"
	decoded      = "unreserved characters are decoded before the comparison (RFC 3986, Section 6.2.2.2)"
	vectorsTotal = 66
)

var vectorDifferences = map[string]string{
	"htu.match.pct-unreserved-tilde":     decoded,
	"htu.match.pct-unreserved-letter":    decoded,
	"htu.match.pct-space-vs-raw":         repaired,
	"htu.match.pct-utf8-vs-raw":          nonASCII,
	"htu.match.pct-invalid-same":         repaired,
	"htu.match.userinfo-proof":           userinfo,
	"htu.match.userinfo-request":         userinfo,
	"htu.match.ipv4-hex":                 ipv4,
	"htu.match.idn-vs-punycode":          nonASCII,
	"htu.match.idn-case":                 nonASCII,
	"htu.match.idn-nfd":                  nonASCII,
	"htu.match.idn-fullwidth":            nonASCII,
	"htu.match.backslashes":              repaired,
	"htu.match.tab-inside":               repaired,
	"htu.match.newline-in-host":          repaired,
	"htu.match.leading-trailing-space":   repaired,
	"htu.match.non-http-same":            httpOnly,
	"htu.match.custom-scheme-other-host": httpOnly,
	"htu.match.file-vs-custom":           httpOnly,
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/htu.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		ID      string
		Request struct {
			Proof string
			URL   string `json:"http_url"`
		}
		Expect struct{ OK bool }
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != vectorsTotal {
		t.Fatalf("%d vectors; want %d", len(vectors), vectorsTotal)
	}
	found := 0
	for _, vector := range vectors {
		t.Run(vector.ID, func(t *testing.T) {
			claim, errClaim := htu.Normalize(claimOf(t, vector.Request.Proof))
			request, errRequest := htu.Normalize(vector.Request.URL)
			equal := errClaim == nil && errRequest == nil && claim == request
			_, differs := vectorDifferences[vector.ID]
			if differs {
				found++
			}
			if equal == (vector.Expect.OK == differs) {
				t.Errorf("claim %q (%v), request %q (%v): equal = %v; recorded %v, listed as a difference: %v",
					claim, errClaim, request, errRequest, equal, vector.Expect.OK, differs)
			}
		})
	}
	if found != len(vectorDifferences) {
		t.Errorf("%d listed differences have a vector; want all %d", found, len(vectorDifferences))
	}
}

// claimOf reads the htu claim of a proof without checking anything.
func claimOf(t *testing.T, proof string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(proof, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		HTU string `json:"htu"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.HTU
}
