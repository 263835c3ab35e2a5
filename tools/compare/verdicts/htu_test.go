package verdicts_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/PuerkitoBio/purell"

	"github.com/portcullis-go/portcullis/verifier"
)

// prover signs proofs of any htu.
type prover struct {
	*world
	verifier *verifier.Verifier
	header   string
	ath      string
}

func newProver(tb testing.TB) *prover {
	tb.Helper()
	w := newWorld(tb)
	sum := sha256.Sum256([]byte("token"))
	return &prover{w, ours(tb, w.expand(tb, keys), w.names), w.expand(tb, `{"typ":"dpop+jwt","alg":"ES256","jwk":{$EC}}`), b64(sum[:])}
}

// equal reports whether a proof for one URL is taken for a request to another.
func (p *prover) equal(tb testing.TB, request, htu string) bool {
	tb.Helper()
	payload := encode(map[string]any{"jti": "j", "htm": "GET", "htu": htu, "iat": now, "ath": p.ath})
	proof := p.sign(tb, 2, p.header, payload)
	_, err := p.verifier.VerifyDPoPProof(tb.Context(), verifier.ProofRequest{Proof: proof, AccessToken: "token", Method: http.MethodGet, URL: request})
	return err == nil
}

// normalThere is the normal form there, of RFC 3986, Section 6.2.2, without query
// and fragment. Left to us are an empty path (Section 6.2.3) and the many forms of
// an IPv6 address, of which that package knows nothing.
func normalThere(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	if host := u.Hostname(); strings.Contains(host, ":") {
		address := net.ParseIP(host)
		if address == nil {
			return "", fmt.Errorf("no address: %q", host)
		}
		u.Host = strings.Replace(u.Host, host, fmt.Sprintf("%x", address.To16()), 1)
	}
	return purell.NormalizeURL(u, purell.FlagsSafe|purell.FlagRemoveDotSegments|purell.FlagRemoveEmptyPortSeparator), nil
}

var (
	form     = regexp.MustCompile(`^(?i:(https?)://)([^/?#]*)([^?#]*)(.*)$`)
	hostPort = regexp.MustCompile(`^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::(0|[1-9][0-9]{0,4})?)?$`)
	escape   = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// urlRefusals are the reasons for which a URL is compared with none here.
func urlRefusals(raw string) (reasons []string) {
	is := func(reason string, yes bool) {
		if yes {
			reasons = append(reasons, reason)
		}
	}
	parts := form.FindStringSubmatch(raw)
	if parts == nil {
		return []string{"only http and https URLs, without line breaks"}
	}
	authority, path, rest := parts[2], parts[3], parts[4]
	is("no user information", strings.Contains(authority, "@"))
	match := hostPort.FindStringSubmatch(authority)
	is("a host of letters, digits, hyphens, dots, underscores and tildes, or an IPv6 address without zone; a port without leading zeros", match == nil)
	if match != nil {
		port, _ := strconv.Atoi(match[2])
		is("a port up to 65535", port > 65535)
	}
	is("a path of visible ASCII characters without backslash", strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }))
	is("complete percent-encodings in the path", strings.Contains(escape.ReplaceAllString(path, ""), "%"))
	is("no spaces and control characters behind the path", strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }))
	return reasons
}

// pathOf is the path of a URL.
func pathOf(raw string) string {
	if parts := form.FindStringSubmatch(raw); parts != nil {
		return parts[3]
	}
	return ""
}

// hasReserved reports whether a character is percent-encoded that is not
// unreserved. Encoded or not makes a difference then (RFC 3986, Section 2.2), which
// is lost there.
func hasReserved(path string) bool {
	for _, e := range escape.FindAllString(path, -1) {
		c, _ := strconv.ParseUint(e[1:], 16, 8)
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", rune(c)) {
			return true
		}
	}
	return false
}

// isMisread reports whether dot segments stand beside empty segments or encoded
// slashes: there the first are dropped with the root, and the others are slashes.
// FuzzNormalize of internal/htu compares those with another reading.
func isMisread(path string) bool {
	decoded, _ := url.PathUnescape(path)
	dots := false
	for _, segment := range strings.Split(decoded, "/") {
		dots = dots || segment == "." || segment == ".."
	}
	return dots && (strings.Contains(decoded, "//") || strings.Contains(strings.ToLower(path), "%2f"))
}

// respellings is how many ways respell knows.
const respellings = 9

// respell spells a URL in other ways, some of which make it another one. Each way
// is two octets: which, and where.
func respell(raw string, ways []byte) string {
	for i := 0; i+1 < min(len(ways), 16); i += 2 {
		at := int(ways[i+1]) % (len(raw) + 1)
		head, tail := raw[:at], raw[at:]
		switch ways[i] % respellings {
		case 0, 1: // percent-encoded
			if tail != "" {
				verb := [...]string{"%%%02x", "%%%02X"}[ways[i]%respellings]
				raw = head + fmt.Sprintf(verb, tail[0]) + tail[1:]
			}
		case 2: // in another case
			if tail != "" {
				raw = head + string([]byte{swapCase(tail[0])}) + tail[1:]
			}
		case 3:
			raw = head + "/." + tail
		case 4:
			raw = head + "/x/.." + tail
		case 5:
			raw = head + "/%2E%2e" + tail
		case 6:
			raw += "?q=/../#f"
		case 7, 8:
			if _, rest, ok := strings.Cut(raw, "://"); ok {
				authority := strings.IndexAny(rest+"/", "/?#") + len(raw) - len(rest)
				raw = raw[:authority] + [...]string{":443", ":"}[ways[i]%respellings-7] + raw[authority:]
			}
		}
	}
	return raw
}

func swapCase(c byte) byte {
	if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
		return c ^ 0x20
	}
	return c
}

// FuzzURL: what is one URL here is one there; two that are one there and not here
// are so for a reason of ours that has a name.
func FuzzURL(f *testing.F) {
	p := newProver(f)
	for _, pair := range urlPairs {
		f.Add(pair.a, pair.b, []byte{})
		for how := range byte(respellings) {
			for _, at := range []byte{0, 9, 22, 23, 24, 25, 28} {
				f.Add(pair.a, pair.a, []byte{how, at})
			}
		}
	}
	f.Fuzz(func(t *testing.T, a, b string, ways []byte) {
		b = respell(b, ways)
		if !utf8.ValidString(b) || len(b) > 1024 { // a proof is JSON, and bounded
			return
		}
		here := p.equal(t, a, b)
		normalA, errA := normalThere(a)
		normalB, errB := normalThere(b)
		there := errA == nil && errB == nil && normalA == normalB
		misread := isMisread(pathOf(a)) || isMisread(pathOf(b))
		switch {
		case here && !there && !misread:
			t.Fatalf("%q and %q are one URL here, and %q, %v and %q, %v there", a, b, normalA, errA, normalB, errB)
		case here && len(urlRefusals(a))+len(urlRefusals(b)) > 0:
			t.Fatalf("%q and %q are one URL here, in spite of %q and %q", a, b, urlRefusals(a), urlRefusals(b))
		case there && !here && !misread && !hasReserved(pathOf(a)) && !hasReserved(pathOf(b)) && len(urlRefusals(a))+len(urlRefusals(b)) == 0:
			t.Fatalf("%q and %q are one URL there (%q), and two here for no reason that has a name", a, b, normalA)
		}
	})
}

var urlPairs = []struct {
	a, b        string
	here, there bool
}{
	{"https://api.example.com/orders", "https://api.example.com/orders", true, true},
	{"https://api.example.com/orders", "HTTPS://API.example.com:443/./a/../%6frders?q#f", true, true},
	{"http://api.example.com:80", "http://api.example.com:/", true, true},
	{"https://api.example.com:8443/a%c3%a9", "https://api.example.com:8443/a%C3%A9", true, true},
	{"https://[2001:db8::1]/", "https://[2001:0DB8:0:0:0:0:0:1]:443", true, true},
	{"https://[::ffff:1.2.3.4]/r", "https://[::ffff:102:304]/r", true, true},
	{"https://a_b.example./a//b/", "https://A_B.example./a//b/", true, true},
	{"https://api.example.com/a/b/..", "https://api.example.com/a/", true, true},
	{"https://api.example.com/../../a", "https://api.example.com/%2e%2E/a", true, true},
	{"https://api.example.com/a|[b]", "https://api.example.com:443/%61|[b]", true, true},
	{"https://api.example.com/a%2fb", "https://api.example.com/a%2Fb", true, true},
	{"https://api.example.com/b/a%2F../../x", "https://api.example.com/b/x", true, false}, // read wrongly there
	{"https://api.example.com/..//r", "https://api.example.com//r", true, false},
	{"https://api.example.com/a%2Fb", "https://api.example.com/a/b", false, true}, // reserved
	{"https://api.example.com/a%7Cb", "https://api.example.com/a|b", false, true},
	{"https://api.example.com/a%2541", "https://api.example.com/aA", false, false},
	{"https://api.example.com/A", "https://api.example.com/a", false, false},
	{"https://api.example.com/a", "http://api.example.com/a", false, false},
	{"https://api.example.com/a", "https://api.example.com:8443/a", false, false},
	{"http://api.example.com:443/a", "http://api.example.com/a", false, false},
	{"https://api.example.com:80/a", "https://api.example.com/a", false, false},
	{"https://api.example.com/a", "https://api.example.com/a/", false, false},
	{"https://u@api.example.com/a", "https://u@api.example.com/a", false, true}, // refused
	{"https://api.example.com:0443/a", "https://api.example.com:0443/a", false, true},
	{"https://api.example.com/a b", "https://api.example.com/a b", false, true},
	{"https://münchen.example/", "https://münchen.example/", false, true},
	{"https://a!b/", "https://a!b/", false, true},
	{"ftp://api.example.com/a", "ftp://api.example.com/a", false, true},
	{`https://api.example.com/a\b`, `https://api.example.com/a\b`, false, true},
	{"https://[fe80::1%25eth0]/", "https://[fe80::1%25eth0]/", false, false},
	{"https://api.example.com/%zz", "https://api.example.com/%zz", false, false},
	{"", "", false, true},
}

// TestURLPairs makes sure that the comparison compares something, in every
// direction.
func TestURLPairs(t *testing.T) {
	p := newProver(t)
	for _, pair := range urlPairs {
		a, errA := normalThere(pair.a)
		b, errB := normalThere(pair.b)
		there := errA == nil && errB == nil && a == b
		if here := p.equal(t, pair.a, pair.b); here != pair.here || there != pair.there {
			t.Errorf("%q and %q are one URL here: %v, there: %v; want %v and %v", pair.a, pair.b, here, there, pair.here, pair.there)
		}
	}
}
