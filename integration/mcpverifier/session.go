package mcpverifier

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

const sessionHeader = "Mcp-Session-Id"

// owner returns who a session belongs to: a digest of the issuer, the subject
// and what the token is bound to. A token without a subject stands for its
// client; one without either stands for itself alone.
func owner(c *call) string {
	t := c.token
	kind, name := "subject", t.Subject
	if name == "" {
		kind, name = "client", t.ClientID
	}
	if name == "" {
		kind, name = "token", c.accessToken
	}
	h := sha256.New()
	for _, part := range []string{t.IssuerName, kind, name, t.Confirmation.JWKThumbprint, t.Confirmation.CertificateThumbprint} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// sessionSealer binds the names of sessions to their owners. Its key lives as
// long as the process, as the sessions of the SDK do.
type sessionSealer struct{ key []byte }

func newSessionSealer() sessionSealer {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return sessionSealer{key}
}

// seal returns the name of a session for its owner.
func (s sessionSealer) seal(id, owner string) string { return id + "." + s.tag(id, owner) }

// open returns the SDK's name of a session, if the session is the owner's.
func (s sessionSealer) open(sealed, owner string) (id string, ok bool) {
	i := strings.LastIndexByte(sealed, '.')
	if i < 0 {
		return "", false
	}
	id = sealed[:i]
	return id, hmac.Equal([]byte(sealed[i+1:]), []byte(s.tag(id, owner)))
}

func (s sessionSealer) tag(id, owner string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(owner)) // of fixed length
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
