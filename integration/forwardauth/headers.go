package forwardauth

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/portcullis-go/portcullis/verifier"
)

// Header is a header field for the service behind the proxy. It is written on
// every success, empty where Value returns "", so that the proxy overwrites what
// the client sent in it.
type Header struct {
	// Name of the field: letters, digits and "-".
	Name string
	// Value of the token. Bytes other than visible ASCII (0x21 to 0x7e), and "%",
	// are percent-encoded: a space becomes %20.
	Value func(*verifier.Token) string
}

// Claim returns a claim of the token: text as it is, "" when it is absent, and
// anything else as JSON.
func Claim(name string) func(*verifier.Token) string {
	return func(t *verifier.Token) string {
		switch value := t.Claims()[name].(type) {
		case nil:
			return ""
		case string:
			return value
		default:
			text, err := json.Marshal(value)
			if err != nil {
				return ""
			}
			return string(text)
		}
	}
}

// Scopes returns the scopes of the token with spaces between.
func Scopes(t *verifier.Token) string { return strings.Join(t.Scopes(), " ") }

// Scheme returns the authorization scheme that the request used: Bearer or DPoP.
func Scheme(t *verifier.Token) string { return string(t.Scheme) }

// The fields that this package, HTTP or the proxy need for themselves.
const reserved = "|Authorization|Cache-Control|Connection|Content-Length|Content-Type|Cookie|Dpop|Dpop-Nonce|Host|Keep-Alive|Proxy-Authenticate|Proxy-Authorization|" +
	"Retry-After|Set-Cookie|Te|Trailer|Transfer-Encoding|Upgrade|Www-Authenticate|" + statusField + "|"

// usable reports whether a name can be that of a Header.
func usable(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' {
			return false // "_" too: many servers take it for "-"
		}
	}
	return name != "" && !strings.Contains(reserved, "|"+http.CanonicalHeaderKey(name)+"|")
}

// encode percent-encodes what is not visible ASCII.
func encode(text string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c > 0x20 && c < 0x7f && c != '%' {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return out.String()
}
