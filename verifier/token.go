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
	// Issuer is the iss claim, byte by byte as verified.
	Issuer string
	// Subject, ID and ClientID are the sub, jti and client_id claims, or "".
	// Where there is no client_id, ClientID is the azp claim.
	Subject  string
	ID       string
	ClientID string
	// Audience is the aud claim; one audience gives a list of one.
	Audience []string
	// ExpiresAt, IssuedAt and NotBefore are the exp, iat and nbf claims, with
	// their fractions. NotBefore is zero when there is none.
	ExpiresAt time.Time
	IssuedAt  time.Time
	NotBefore time.Time
	// Scope is the scope claim (RFC 8693, Section 4.2), or, where there is
	// none, the scp claim that some issuers use, as one string.
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
	policy  *challengePolicy
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
func (t *Token) Scopes() []string { return strings.Fields(t.Scope) }

// HasScope reports whether the token has a scope, compared exactly.
func (t *Token) HasScope(scope string) bool {
	for s := range strings.FieldsSeq(t.Scope) {
		if s == scope {
			return true
		}
	}
	return false
}

// Permissions returns the permissions claim that role-based access control of
// Auth0 adds; nil when it is not a list of strings.
func (t *Token) Permissions() []string {
	list, _ := texts(t.claim("permissions"))
	return list
}

// HasPermission reports whether the token has a permission, compared exactly.
func (t *Token) HasPermission(permission string) bool {
	return slices.Contains(t.Permissions(), permission)
}

// claim finds a claim in the payload that was verified.
func (t *Token) claim(name string) strictjson.Value {
	if t.payload == "" {
		return strictjson.Value{}
	}
	members, err := strictjson.Parse(t.payload, nil)
	if err != nil {
		return strictjson.Value{}
	}
	return strictjson.Find(members, name)
}

// Claims returns all claims as encoding/json would with UseNumber: numbers are
// of type json.Number. Each call returns a new map.
func (t *Token) Claims() map[string]any {
	if t.payload == "" {
		return nil
	}
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

// texts returns a list of strings.
func texts(v strictjson.Value) ([]string, bool) {
	elements, ok := v.Elements(nil)
	if !ok {
		return nil, false
	}
	list := make([]string, len(elements))
	for i, e := range elements {
		if list[i], ok = e.Text(); !ok {
			return nil, false
		}
	}
	return list, true
}
