package verifier

import (
	"context"
	"strings"
	"time"
)

// Introspector asks an authorization server about a token (RFC 7662). Package
// introspection has the client.
//
// An implementation proves this contract with conformance.TestIntrospector.
//
//   - It asks the server of IntrospectionRequest.Issuer and no other.
//   - The answer is the server's own. A token that the server does not know is
//     Active == false and no error.
//   - An answer may come from a cache: an active one for no longer than the token
//     lives and the implementation states, a negative one for a short time. The
//     Verifier judges time, audience and revocation at each use.
//   - A server that cannot be reached, answers with anything but a well-formed
//     answer, or refuses the client is an error, never an inactive token: the
//     Verifier answers with 503.
//   - ctx is honoured: when it is done, Introspect returns promptly with an error
//     that matches ctx.Err(). The calls in flight are bounded, and the excess fails
//     at once.
//   - Errors contain neither the token nor bytes of the answer. The caller owns
//     Claims. Safe for concurrent use.
type Introspector interface {
	Introspect(ctx context.Context, req IntrospectionRequest) (Introspection, error)
}

// IntrospectionRequest names a token to ask about.
type IntrospectionRequest struct {
	// Issuer is the name of the issuer, as in Token.IssuerName.
	Issuer string
	// Token as it was sent. It is a secret.
	Token string
}

// Introspection is the answer of an [Introspector].
type Introspection struct {
	// Active says that the token is good. The other fields count only then.
	Active bool
	// Claims is the JSON object of the answer (RFC 7662, Section 2.2), at most 64
	// KiB. The Verifier reads it as strictly as a token's payload, and judges it by
	// the issuer's rules.
	Claims []byte
}

// IntrospectorFunc makes an [Introspector] of a function.
type IntrospectorFunc func(ctx context.Context, req IntrospectionRequest) (Introspection, error)

// Introspect calls f(ctx, req).
func (f IntrospectorFunc) Introspect(ctx context.Context, req IntrospectionRequest) (Introspection, error) {
	return f(ctx, req)
}

// RevocationChecker says whether a good token was revoked before its time. It is
// asked after every other check of the token and before the proof is recorded,
// for every request: a remembered token is asked about again. Package
// verifier/revocation has implementations.
//
// An implementation proves this contract with
// conformance.TestRevocationChecker.
//
//   - revoked == true refuses the token with 401.
//   - An error means "could not decide": 503, unless RevocationConfig.AllowFailure.
//   - ctx is honoured as everywhere; the Verifier also bounds each call.
//   - Errors contain nothing of the token. Safe for concurrent use.
type RevocationChecker interface {
	Revoked(ctx context.Context, token RevocationRequest) (revoked bool, err error)
}

// RevocationRequest is what a [RevocationChecker] may look at.
type RevocationRequest struct {
	// Issuer is the name of the issuer, as in Token.IssuerName.
	Issuer string
	// ID, Subject and SessionID are the jti, sub and sid claims, or "".
	ID, Subject, SessionID string
	// IssuedAt is the iat claim; zero for a token without one, which counts as
	// issued before every revocation.
	IssuedAt time.Time
	// ExpiresAt is the exp claim: no revocation needs to be kept for longer than
	// the longest life of a token.
	ExpiresAt time.Time
	// Token is the verified token, for further claims, such as status (Token Status
	// List).
	Token *Token
}

// RevocationStore keeps revocations for all processes of a fleet. Package
// verifier/revocation builds a list on it; cacheadapter/redis has one.
//
// An implementation proves this contract with conformance.TestRevocationStore.
//
//   - Revoke remembers that what key stands for was revoked at a time, for at
//     least ttl. A key that is there keeps the later of the two times and the
//     later end. ttl <= 0 does nothing.
//   - Revoked returns the time for each key, in order, and the zero time for one
//     that is not there. It sees what Revoke of any process has written, at once
//     or within the delay that the implementation states.
//   - A key stays for its ttl: a store under pressure returns an error from Revoke,
//     and never forgets a live key to make room. Whatever cannot be answered is an
//     error, never "not revoked".
//     Keys whose ttl has passed take no room for ever.
//   - Times are kept to the millisecond, rounded up. The keys are not changed or
//     kept, and the caller owns the times.
//   - Keys are as for [Cache]. Contexts, errors and concurrency are as for
//     [ReplayStore].
type RevocationStore interface {
	// Revoke remembers a revocation.
	Revoke(ctx context.Context, key string, at time.Time, ttl time.Duration) error
	// Revoked tells what was revoked.
	Revoked(ctx context.Context, keys []string) ([]time.Time, error)
}

// KeyDecrypter decrypts the content encryption keys of encrypted tokens with a
// private key that this program does not hold itself, such as one in a key
// management service. Keys in memory need none; see [DecryptionKey].
//
// An implementation proves this contract with conformance.TestKeyDecrypter.
//
//   - DecryptKey returns the content encryption key that encryptedKey holds, by
//     the named algorithm (RFC 7518, Section 4): RSA-OAEP-256, or RSA-OAEP where
//     DecryptionConfig.Algorithms allows it.
//   - A key that cannot be decrypted matches [ErrDecryption]. The Verifier answers
//     with 401 then, as for every other encrypted token that cannot be opened, and
//     gives no other reason. Any other error is "could not decide" (503).
//   - ctx is honoured as everywhere. Errors contain neither keys nor input. The caller
//     owns the content key; encryptedKey is not changed or kept. Safe for concurrent use.
type KeyDecrypter interface {
	DecryptKey(ctx context.Context, algorithm string, encryptedKey []byte) (contentKey []byte, err error)
}

// OpaqueTokens says how tokens of an issuer that are no JWTs are verified: by
// asking the issuer about each (RFC 7662).
type OpaqueTokens struct {
	// Introspector asks. Nil: tokens that are no JWTs are refused. An opaque token
	// names no issuer, and must not be shown to a server that it is not of: of the
	// issuers that are allowed for a request, one at most can have an Introspector.
	Introspector Introspector
	// JWTs asks about the issuer's JWTs too, after all their other checks: an issuer
	// that revokes tokens. It costs a question for each token. What the answer
	// states (iss, sub, aud, exp, nbf, cnf) must agree with the token. An encrypted
	// token is asked about as it was sent.
	JWTs bool
	// Prefix, MinLength and MaxLength are what the issuer's opaque tokens look like;
	// others are refused unasked. Default MaxLength is Config.MaxTokenSize, which
	// bounds all tokens.
	Prefix               string
	MinLength, MaxLength int
}

// looksRight refuses what is none of the issuer's tokens before anybody is asked:
// a token is 1*b68token characters (RFC 6750, Section 2.1).
func (o *OpaqueTokens) looksRight(token string) bool {
	if len(token) < max(1, o.MinLength) || o.MaxLength > 0 && len(token) > o.MaxLength || !strings.HasPrefix(token, o.Prefix) {
		return false
	}
	for _, c := range []byte(token) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte("-._~+/=", c) < 0 {
			return false
		}
	}
	return true
}

func (m *mistakes) opaque(field string, o OpaqueTokens) OpaqueTokens {
	if o.Introspector == nil {
		if o.JWTs || o.Prefix != "" || o.MinLength != 0 || o.MaxLength != 0 {
			m.add(field, "says what is asked about, and has no Introspector to ask")
		}
		return OpaqueTokens{}
	}
	if isNil(o.Introspector) {
		m.add(field+".Introspector", "is a nil pointer")
	}
	if o.MinLength < 0 || o.MaxLength < 0 || o.MaxLength > 0 && o.MaxLength < o.MinLength {
		m.add(field+".MaxLength", "is less than MinLength, or negative")
	}
	return o
}
