package verifier

import (
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// roomyToken is a Token with room for the audiences that most have: the API
// and, for users, the issuer's own.
type roomyToken struct {
	Token
	room [2]string
}

// readRegistered reads the claims that mean the same whoever signed the token,
// in one pass. Issuer is "" when there is no iss.
func readRegistered(parsed *jws.Token) (*Token, error) {
	roomy := &roomyToken{Token: Token{Algorithm: parsed.Header.Algorithm, KeyID: parsed.Header.KeyID}}
	t := &roomy.Token
	for i := range parsed.Members {
		name, value := parsed.Members[i].Name, parsed.Members[i].Value
		ok := true
		switch name {
		case "iss":
			if t.Issuer, ok = value.Text(); !ok || t.Issuer == "" {
				return nil, refuse(reason.IssuerMissing)
			}
		case "sub":
			t.Subject, ok = value.Text()
		case "aud":
			t.Audience, ok = readAudience(value, roomy.room[:0])
		case "exp":
			t.ExpiresAt, ok = value.Time()
		case "nbf":
			t.NotBefore, ok = value.Time()
		case "iat":
			t.IssuedAt, ok = value.Time()
		case "jti":
			t.ID, ok = value.Text()
		}
		if !ok {
			return nil, refuseClaim(reason.ClaimMalformed, name)
		}
	}
	return t, nil
}

// readAudience reads one string or a list of them (RFC 7519, Section 4.1.3),
// into dst.
func readAudience(value strictjson.Value, dst []string) ([]string, bool) {
	if one, ok := value.Text(); ok {
		return append(dst, one), true
	}
	return value.Texts(dst)
}

// read fills in what stands where the issuer puts it.
func (p *places) read(t *Token, members []strictjson.Member) error {
	t.places = p
	var ok bool
	value, at := first(p.client, members)
	if t.ClientID, ok = value.Text(); !ok && at != "" {
		return refuseClaim(reason.ClaimMalformed, at)
	}
	value, at = first(p.scope, members)
	if t.Scope, ok = words(value); !ok {
		return refuseClaim(reason.ClaimMalformed, at)
	}
	value, at = first(p.permissions, members)
	if !isList(value) {
		return refuseClaim(reason.ClaimMalformed, at)
	}
	return nil
}
