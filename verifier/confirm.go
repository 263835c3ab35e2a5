package verifier

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// parseConfirmation reads the cnf claim (RFC 7800, Section 3.1). It fails
// closed: a confirmation with a member that is not understood binds the token
// to something that nobody here checks.
func parseConfirmation(cnf strictjson.Value) (Confirmation, error) {
	if cnf.Kind() == strictjson.Invalid {
		return Confirmation{}, nil
	}
	members, ok := cnf.Members(nil)
	if !ok || len(members) == 0 {
		return Confirmation{}, refuse(reason.Confirmation)
	}
	var c Confirmation
	for _, m := range members {
		switch m.Name {
		case "jkt":
			c.JWKThumbprint, ok = m.Value.Text()
			ok = ok && isSHA256(c.JWKThumbprint)
		case "x5t#S256":
			c.CertificateThumbprint, ok = m.Value.Text()
			ok = ok && isSHA256(c.CertificateThumbprint)
		default:
			ok = false
		}
		if !ok {
			return Confirmation{}, refuse(reason.Confirmation)
		}
	}
	return c, nil
}

// isSHA256 reports whether text is the canonical base64url form of 32 octets.
func isSHA256(text string) bool {
	var sum [sha256.Size]byte
	if len(text) != base64.RawURLEncoding.EncodedLen(len(sum)) {
		return false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(sum[:], []byte(text))
	return err == nil && n == len(sum)
}

// base64SHA256 returns the base64url SHA-256 of data.
func base64SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func equalText(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// checkCertificate compares the certificate that the client used with the one
// that the token is bound to (RFC 8705, Section 3).
func (v *Verifier) checkCertificate(t *Token, in *incoming) error {
	want := t.Confirmation.CertificateThumbprint
	if want == "" {
		return nil
	}
	certificate, err := v.clientCertificate(in)
	switch {
	case err != nil:
		return undecided(reason.CertSource, err, 0)
	case certificate == nil:
		return refuse(reason.CertificateMissing)
	case !equalText(base64SHA256(certificate.Raw), want):
		return refuse(reason.Certificate)
	default:
		return nil
	}
}
