package verifier

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/portcullis-go/portcullis/internal/base64url"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// readConfirmation reads the cnf claim. Members that are not understood are
// ignored beside one that is (RFC 7800, Section 3.1). It fails closed: a
// confirmation of which no member is understood binds the token to something
// that is not checked here, and a member that is understood must be well-formed.
func readConfirmation(cnf strictjson.Value) (Confirmation, error) {
	if cnf.Kind() == strictjson.Invalid {
		return Confirmation{}, nil
	}
	members, _ := cnf.Members(nil) // what is no object has none
	var c Confirmation
	for _, m := range members {
		text, _ := m.Value.Text()
		switch m.Name {
		case "jkt":
			c.JWKThumbprint = text
		case "x5t#S256":
			c.CertificateThumbprint = text
		default:
			continue
		}
		if !isSHA256(text) {
			return Confirmation{}, refuse(reason.Confirmation)
		}
	}
	if c == (Confirmation{}) {
		return Confirmation{}, refuse(reason.Confirmation)
	}
	return c, nil
}

// isSHA256 reports whether text is the canonical base64url form of 32 octets.
func isSHA256(text string) bool {
	var sum [sha256.Size]byte
	if len(text) != base64.RawURLEncoding.EncodedLen(len(sum)) {
		return false
	}
	_, ok := base64url.Decode(sum[:], text)
	return ok
}

// stackText is up to which length a text is hashed without a buffer from the
// heap.
const stackText = 2048

func sum256(text string) [sha256.Size]byte {
	var space [stackText]byte
	return sha256.Sum256(append(space[:0], text...))
}

// base64SHA256 returns the base64url SHA-256 of data.
func base64SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func equalText(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
