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
	// ExpiresIn is how long the token is valid from now on, as the issuer has
	// it: 1 hour when it states nothing.
	ExpiresIn time.Duration
	// ExpiresAt is when that ends by the clock of this client.
	ExpiresAt time.Time

	stated members
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
			return t.stated&(1<<i) != 0
		}
	}
	return false
}

// onlyAccess drops what is not the access token's.
func (t *Tokens) onlyAccess() {
	t.IDToken, t.RefreshToken = "", ""
	t.stated &= 1<<3 - 1
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

// SubjectToken returns the access token that a request came with, for
// [OnBehalfOfRequest]. It takes it from the one Authorization header, Bearer or
// DPoP, and does not verify it: call it behind verifier.Middleware, which has.
//
// A token that an API was sent is for that API. It is not passed on to another
// one; exchange it.
func SubjectToken(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", missing("one Authorization header")
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	token = strings.TrimLeft(token, " ")
	known := strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP")
	if !known || token == "" || strings.ContainsFunc(token, isSpace) {
		return "", missing("a Bearer or DPoP token in the Authorization header")
	}
	return token, nil
}
