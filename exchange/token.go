package exchange

import (
	"net/http"
	"strings"
	"time"
)

// Token is an access token that was issued. It is the caller's. Printing it
// shows none of its contents.
type Token struct {
	hidden

	// AccessToken is opaque to this client.
	AccessToken string
	// TokenType is how to use the token, such as "Bearer" or "DPoP", as the
	// issuer wrote it; "" when it stated none, which is meant as Bearer.
	TokenType string
	// IssuedTokenType is the type of AccessToken (RFC 8693, Section 2.2.1), or
	// "".
	IssuedTokenType string
	// Scope that was granted. When the issuer states none, it is what was asked
	// for (RFC 6749, Section 5.1), and this is ""; see Stated.
	Scope string
	// ExpiresIn is how long the token is valid from now on, and ExpiresAt when
	// that ends by the clock of this client: the earlier of what the answer says
	// (expires_in) and, where the token is a JWT, its exp claim. Both are zero when
	// neither is known: the token may end at any time.
	ExpiresIn time.Duration
	ExpiresAt time.Time

	present members
}

// Tokens are all that an exchange brought.
type Tokens struct {
	Token
	// IDToken and RefreshToken, or "" where there is none. The ID token is not
	// verified.
	IDToken      string
	RefreshToken string
}

// members has a bit for each optional member of the answer.
type members uint8

// optional are the members of an answer that may be absent, by their bits.
var optional = [...]string{"scope", "token_type", "issued_token_type", "id_token", "refresh_token"}

// Stated reports whether the answer had an optional member, even if it was
// empty: scope, token_type, issued_token_type and, of [Tokens], id_token and
// refresh_token.
func (t *Token) Stated(member string) bool {
	for i, name := range optional {
		if name == member {
			return t.present&(1<<i) != 0
		}
	}
	return false
}

// onlyAccess drops what is not the access token's.
func (t *Tokens) onlyAccess() {
	t.IDToken, t.RefreshToken = "", ""
	t.present &= 1<<3 - 1
}

// Authorize sets the Authorization header of a request to an API. For a token
// of type DPoP the request also needs the proof of [Client.Proof].
func (t *Token) Authorize(r *http.Request) {
	scheme := "Bearer"
	if strings.EqualFold(t.TokenType, "DPoP") {
		scheme = "DPoP"
	}
	r.Header.Set("Authorization", scheme+" "+t.AccessToken)
}
