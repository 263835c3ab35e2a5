package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// VerifyOption changes one verification.
type VerifyOption func(*options)

type options struct {
	required []string
	in       incoming
}

// WithRequiredClaims demands claims beside those of the configuration.
func WithRequiredClaims(names ...string) VerifyOption {
	return func(o *options) { o.required = append(o.required, names...) }
}

// WithRequest tells [Verifier.VerifyAccessToken] about the request, for
// resolvers that need it: its absolute URL, or "", and its header, or nil.
// VerifyRequest and VerifyHTTPRequest know theirs and ignore it.
func WithRequest(url string, header http.Header) VerifyOption {
	return func(o *options) {
		o.in.url, o.in.header = url, header
		o.in.host = header.Get("Host")
	}
}

// VerifyAccessToken verifies a token that came some other way than in the
// Authorization header of a request.
//
// It cannot check what a token is bound to: if Token.Confirmation is not zero,
// the caller must check the key or certificate of whoever sent it, or refuse
// (RFC 9449, Section 7.2). [Verifier.VerifyRequest] does all of that.
//
// The error is an [*Error] without challenges.
func (v *Verifier) VerifyAccessToken(ctx context.Context, token string, opts ...VerifyOption) (*Token, error) {
	began := v.begin()
	var o options
	if len(opts) > 0 { // o stays on the stack
		o = collect(opts)
	}
	t, err := v.verifyToken(ctx, token, &o)
	v.finish(began, "", err)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func collect(opts []VerifyOption) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// verifyToken does steps 2 to 6 for a token; the outcome is a token or an
// *Error.
func (v *Verifier) verifyToken(ctx context.Context, compact string, o *options) (*Token, error) {
	if len(compact) > v.maxToken {
		return nil, refuseSize(reason.TokenTooLarge, v.maxToken)
	}
	if v.memo != nil {
		return v.verifyRemembered(ctx, compact, o)
	}
	t, _, err := v.verifyFresh(ctx, compact, o)
	return t, err
}

// maxScratch is how long a list of members may have become to be used again:
// one odd token must not make all others pay for clearing it.
const maxScratch = 128

// scratch holds the members of payloads while they are looked at.
var scratch = sync.Pool{New: func() any {
	s := make([]strictjson.Member, 0, 32)
	return &s
}}

// stackText is up to which length a text is hashed without a buffer from the
// heap.
const stackText = 2048

func sum256(text string) [sha256.Size]byte {
	var space [stackText]byte
	return sha256.Sum256(append(space[:0], text...))
}

// verifyFresh verifies a token from its text alone, in the order of the
// package documentation.
func (v *Verifier) verifyFresh(ctx context.Context, compact string, o *options) (t *Token, origin provenance, err error) {
	members := scratch.Get().(*[]strictjson.Member)
	defer func() {
		if cap(*members) <= maxScratch {
			clear((*members)[:cap(*members)]) // they hold on to the token
			scratch.Put(members)
		}
	}()
	parsed, err := jws.Parse(compact, v.headers, (*members)[:0])
	if err != nil {
		return nil, origin, malformed(err)
	}
	*members = parsed.Members[:0]
	if err := v.checkType(parsed.Header); err != nil {
		return nil, origin, err
	}
	t, err = parseClaims(&parsed)
	if err != nil {
		return nil, origin, err
	}
	name, err := v.allowedIssuer(ctx, t.Issuer, o)
	if err != nil {
		return nil, origin, err
	}
	algorithm := v.allowedAlgorithm(name, parsed.Header.Algorithm)
	if algorithm == nil {
		return nil, origin, refuse(reason.Algorithm)
	}
	// What the payload alone decides is decided before keys are fetched: a dead
	// token is cheap.
	now := v.clock.Now()
	if err := v.checkClaims(t, parsed.Members, now, o); err != nil {
		return nil, origin, err
	}
	held, err := v.keys.getAt(ctx, name, now)
	if err != nil {
		return nil, origin, err
	}
	if origin, err = v.checkSignature(ctx, name, &held, algorithm, &parsed, t.Issuer); err != nil {
		return nil, origin, err
	}
	if t.Confirmation, err = parseConfirmation(strictjson.Find(parsed.Members, "cnf")); err != nil {
		return nil, origin, err
	}
	t.policy, t.payload = v.challenge, parsed.Payload
	return t, origin, nil
}

func malformed(err error) *Error {
	if errors.Is(err, jws.ErrCritical) {
		return refuse(reason.TokenCritical)
	}
	return refuse(reason.TokenMalformed)
}

// checkType makes sure that the token claims to be an access token (RFC 8725,
// Section 3.11). The "application/" prefix may be left out (RFC 7515, Section
// 4.1.9), and media types have no case.
func (v *Verifier) checkType(h *jws.Header) error {
	kind := h.Type
	if i := len("application/"); len(kind) > i && strings.EqualFold(kind[:i], "application/") {
		kind = kind[i:]
		if strings.EqualFold(kind, "at+jwt") {
			return nil
		}
		return refuse(reason.TokenType)
	}
	switch {
	case strings.EqualFold(kind, "at+jwt"):
		return nil
	case v.profile == ProfileDefault && (!h.HasType || strings.EqualFold(kind, "JWT")):
		return nil
	default:
		return refuse(reason.TokenType)
	}
}

// allowedIssuer passes the issuer gate and returns the normalised issuer.
func (v *Verifier) allowedIssuer(ctx context.Context, iss string, o *options) (string, error) {
	if v.issuers[iss] {
		return iss, nil // it is in normal form
	}
	name, err := issuer.Normalize(iss)
	if err != nil {
		return "", refuse(reason.IssuerMalformed)
	}
	return name, v.gate(ctx, name, &o.in)
}

func (v *Verifier) allowedAlgorithm(name, algorithm string) *keyset.Algorithm {
	if list, ok := v.issuerAlgorithms[name]; ok {
		return list.find(algorithm)
	}
	return v.algorithms.find(algorithm)
}

// provenance is whose key signed a token.
type provenance struct {
	issuer     string // normalised
	generation uint64 // of the key set
}

// checkSignature finds the key and checks the signature with it, and that the
// token's issuer is, byte by byte, the one whose key it is.
func (v *Verifier) checkSignature(ctx context.Context, name string, held *heldKeys, a *keyset.Algorithm, parsed *jws.Token, iss string) (provenance, error) {
	var space [2]*keyset.Key
	header := parsed.Header
	candidates, snap, err := v.keys.candidates(ctx, name, held, header, a, space[:0])
	if err != nil {
		return provenance{}, err
	}
	if !slices.ContainsFunc(candidates, func(key *keyset.Key) bool {
		return key.Verify(a, parsed.SigningInput, parsed.Signature)
	}) {
		return provenance{}, refuse(reason.Signature)
	}
	if iss != held.stated {
		return provenance{}, refuse(reason.IssuerMismatch)
	}
	v.headers.Remember(header)
	return provenance{issuer: name, generation: snap.Generation}, nil
}

// parseClaims reads the registered claims in one pass.
func parseClaims(parsed *jws.Token) (*Token, error) {
	roomy := &roomyToken{Token: Token{Algorithm: parsed.Header.Algorithm, KeyID: parsed.Header.KeyID}}
	t := &roomy.Token
	var azp, scp strictjson.Value
	hasIssuer := false
	for i := range parsed.Members {
		name, value := parsed.Members[i].Name, parsed.Members[i].Value
		ok := true
		switch name {
		case "iss":
			if t.Issuer, hasIssuer = value.Text(); !hasIssuer {
				return nil, refuse(reason.IssuerMissing)
			}
		case "sub":
			t.Subject, ok = value.Text()
		case "aud":
			t.Audience, ok = parseAudience(value, roomy.room[:0])
		case "exp":
			t.ExpiresAt, ok = value.Time()
		case "nbf":
			t.NotBefore, ok = value.Time()
		case "iat":
			t.IssuedAt, ok = value.Time()
		case "jti":
			t.ID, ok = value.Text()
		case "client_id":
			t.ClientID, _ = value.Text()
		case "azp":
			azp = value
		case "scope":
			t.Scope, _ = value.Text()
		case "scp":
			scp = value
		}
		if !ok {
			return nil, refuseClaim(reason.ClaimMalformed, name)
		}
	}
	if !hasIssuer || t.Issuer == "" {
		return nil, refuse(reason.IssuerMissing)
	}
	if t.ClientID == "" {
		t.ClientID, _ = azp.Text()
	}
	if t.Scope == "" {
		t.Scope = scopeText(scp)
	}
	return t, nil
}

// roomyToken is a Token with room for the audiences that most have: the API
// and, for users, the issuer's own.
type roomyToken struct {
	Token
	room [2]string
}

// parseAudience reads one string or a list of them (RFC 7519, Section 4.1.3),
// into dst.
func parseAudience(value strictjson.Value, dst []string) ([]string, bool) {
	if one, ok := value.Text(); ok {
		return append(dst, one), true
	}
	var space [8]strictjson.Value
	elements, ok := value.Elements(space[:0])
	if !ok {
		return nil, false
	}
	for _, e := range elements {
		text, ok := e.Text()
		if !ok {
			return nil, false
		}
		dst = append(dst, text)
	}
	return dst, true
}

// scopeText returns the scp claim, a string or a list, as one string.
func scopeText(value strictjson.Value) string {
	if text, ok := value.Text(); ok {
		return text
	}
	list, _ := texts(value)
	return strings.Join(list, " ")
}

// checkClaims judges the claims. iss has been looked at by the gate.
func (v *Verifier) checkClaims(t *Token, members []strictjson.Member, now time.Time, o *options) error {
	for _, name := range [...]string{"exp", "iat", "aud"} {
		if strictjson.Find(members, name).Kind() == strictjson.Invalid {
			return refuseClaim(reason.ClaimMissing, name)
		}
	}
	if err := v.checkTimes(t, now); err != nil {
		return err
	}
	if !v.forUs(t.Audience) {
		return refuse(reason.Audience)
	}
	for _, names := range [...][]string{v.required, o.required} {
		for _, name := range names {
			if absent(strictjson.Find(members, name)) {
				return refuseClaim(reason.ClaimMissing, name)
			}
		}
	}
	return nil
}

// checkTimes compares exp and nbf with the clock (RFC 7519, Sections 4.1.4 and
// 4.1.5): the token is good before exp and from nbf on.
func (v *Verifier) checkTimes(t *Token, now time.Time) error {
	if !now.Before(t.ExpiresAt.Add(v.leeway)) {
		return refuse(reason.Expired)
	}
	if !t.NotBefore.IsZero() && now.Before(t.NotBefore.Add(-v.leeway)) {
		return refuse(reason.NotYetValid)
	}
	return nil
}

func (v *Verifier) forUs(audience []string) bool {
	for _, ours := range v.audiences {
		if slices.Contains(audience, ours) {
			return true
		}
	}
	return false
}

// begin returns the time to measure from, or zero when nobody asks.
func (v *Verifier) begin() time.Time {
	if v.observer == nil {
		return time.Time{}
	}
	return time.Now()
}

// finish reports the outcome of a verification.
func (v *Verifier) finish(began time.Time, scheme Scheme, err error) {
	if v.observer == nil {
		return
	}
	e := Event{Kind: EventAccepted, Scheme: scheme, Duration: time.Since(began)}
	var refusal *Error
	if errors.As(err, &refusal) {
		e.Kind, e.Reason = EventRefused, refusal.Reason
		e.Scheme = refusal.scheme
	}
	v.observe(e)
}
