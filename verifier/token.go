package verifier

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// Token is a verified access token. It shares no memory with the Verifier: it
// is the caller's. Its methods are safe for concurrent use as long as nobody
// changes its fields.
//
// Printing a Token shows none of its contents.
type Token struct {
	// Issuer is the iss claim, byte by byte as verified; "" when the token has
	// none ([Issuer.SubjectPrefix]).
	Issuer string
	// IssuerName is the name of the issuer in the configuration: one text for all
	// the spellings of iss that it signs under. A domain is in its normal form,
	// "https://tenant.auth0.com/". Together with Subject it identifies a user.
	IssuerName string
	// Subject and ID are the sub and jti claims, or "".
	Subject string
	ID      string
	// ClientID is the client that the token was issued to, or "": the claim that
	// [ClaimNames] says.
	ClientID string
	// Audience is the aud claim; one audience gives a list of one.
	Audience []string
	// ExpiresAt, IssuedAt and NotBefore are the exp, iat and nbf claims, with
	// their fractions. NotBefore is zero when there is none.
	ExpiresAt time.Time
	IssuedAt  time.Time
	NotBefore time.Time
	// Scope is what the claim that [ClaimNames] says has, as one string: scopes
	// with spaces between them (RFC 8693, Section 4.2).
	Scope string
	// Confirmation is what the token is bound to. VerifyRequest has checked it;
	// VerifyAccessToken, which sees no request, has not.
	Confirmation Confirmation
	// Algorithm and KeyID are those of the signature.
	Algorithm string
	KeyID     string
	// Scheme that the token was sent with; "" from VerifyAccessToken.
	Scheme Scheme
	// Proof that came with the token; nil unless Scheme is SchemeDPoP.
	Proof *Proof

	payload string
	places  *places
	answers *answers
	leeway  time.Duration // of the issuer
}

// Confirmation is the cnf claim (RFC 7800): what the sender of the token must
// have shown. The zero value is a token that is bound to nothing.
type Confirmation struct {
	// JWKThumbprint is the jkt member (RFC 9449, Section 6.1).
	JWKThumbprint string
	// CertificateThumbprint is the x5t#S256 member (RFC 8705, Section 3.1).
	CertificateThumbprint string
}

// Proof is a verified DPoP proof.
type Proof struct {
	// JWKThumbprint of the key that signed the proof (RFC 7638, SHA-256).
	JWKThumbprint string
	// ID, Method, URL and IssuedAt are the jti, htm, htu and iat claims.
	ID       string
	Method   string
	URL      string
	IssuedAt time.Time
	// Nonce that the proof had, or "".
	Nonce string
	// NextNonce is to be sent in the DPoP-Nonce header of the answer, which
	// then must not be cached; "" when no nonces are in use.
	NextNonce string
}

// Scopes returns the scopes of the token, in order.
func (t *Token) Scopes() []string { return spaced(t.Scope) }

// HasScope reports whether the token has a scope, compared exactly.
func (t *Token) HasScope(scope string) bool {
	for s := range strings.SplitSeq(t.Scope, " ") {
		if s == scope && s != "" {
			return true
		}
	}
	return false
}

// Permissions returns what the claim that [ClaimNames] says has: by default the
// permissions claim that role-based access control of Auth0 adds. It is nil when
// there is none.
func (t *Token) Permissions() []string {
	if t.places == nil {
		return nil
	}
	members, err := strictjson.Parse(t.payload, nil)
	if err != nil {
		return nil
	}
	value, _ := first(t.places.permissions, members)
	return list(value)
}

// HasPermission reports whether the token has a permission, compared exactly.
func (t *Token) HasPermission(permission string) bool {
	return slices.Contains(t.Permissions(), permission)
}

// claim finds a claim in the payload that was verified.
func (t *Token) claim(name string) strictjson.Value {
	members, err := strictjson.Parse(t.payload, nil)
	if err != nil {
		return strictjson.Value{}
	}
	return strictjson.Find(members, name)
}

// Claims returns all claims as encoding/json would with UseNumber: numbers are
// of type json.Number. Each call returns a new map.
func (t *Token) Claims() map[string]any {
	members, err := strictjson.Parse(t.payload, nil)
	if err != nil {
		return nil
	}
	return strictjson.Map(members)
}

var errNoPayload = errors.New("verifier: the token has no payload")

// Decode unmarshals the claims into v like encoding/json, but matches the names
// of struct fields by exact case: the claim "ROLE" never fills a field tagged
// "role".
func (t *Token) Decode(v any) error {
	if t.payload == "" {
		return errNoPayload
	}
	if err := json.Unmarshal([]byte(t.payload), v); err != nil {
		// The error of the parser may quote the claims.
		return fmt.Errorf("verifier: claims do not fit %T", v)
	}
	return nil
}

// String hides the contents of the token.
func (t *Token) String() string { return "verifier.Token(hidden)" }

// Format hides the contents of the token, whatever the verb.
func (t *Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue hides the contents of the token.
func (t *Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalJSON refuses, so that a token does not end in a log or an answer by
// accident. Use Claims where that is wanted.
func (t *Token) MarshalJSON() ([]byte, error) {
	return nil, errors.New("verifier: a Token is not to be marshalled; use Claims")
}

// copy returns a token that shares nothing mutable with t.
func (t *Token) copy() *Token {
	c := *t
	c.Audience = slices.Clone(t.Audience)
	return &c
}
