package verifier

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// OpaqueTokens says how tokens of an issuer that are no JWTs are verified: by
// asking the issuer about each (RFC 7662).
type OpaqueTokens struct {
	// Introspector asks. Nil: tokens that are no JWTs are refused. An opaque token
	// names no issuer, and must not be shown to a server that it is not of: of the
	// issuers that are allowed for a request, one at most can have an Introspector.
	Introspector Introspector
	// JWTs asks about the issuer's JWTs too, after all their other checks: an issuer
	// that revokes tokens. It costs a question for each token.
	JWTs bool
	// Prefix, MinLength and MaxLength are what the issuer's opaque tokens look like;
	// others are refused unasked. MaxLength is at most Config.MaxTokenSize, which is
	// its default.
	Prefix               string
	MinLength, MaxLength int
}

// maxIntrospection is how long the claims of an answer can be.
const maxIntrospection = 64 << 10

// isOpaque reports whether a token is no JWT: neither of the three parts of a JWS
// nor of the five of a JWE, or without a JSON object in the first.
func isOpaque(token string) bool {
	if dots := strings.Count(token, "."); dots != 2 && dots != 4 {
		return true
	}
	head := token[:strings.IndexByte(token, '.')]
	start, err := base64.RawURLEncoding.DecodeString(head[:min(len(head), 4)&^3])
	return err != nil || len(start) == 0 || start[0] != '{' && start[0] != ' ' && start[0] != '\n' && start[0] != '\t' && start[0] != '\r'
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

// verifyOpaque verifies a token that is no JWT.
func (v *Verifier) verifyOpaque(ctx context.Context, token string, o *options) (*Token, error) {
	p, err := v.gate.introspecting(ctx, &o.in)
	if err != nil {
		return nil, err
	}
	if !p.opaque.looksRight(token) {
		return nil, refuse(reason.TokenMalformed)
	}
	answer, err := ask(ctx, p, token)
	if err != nil {
		return nil, err
	}
	return v.judgeAnswer(p, &answer, o)
}

// ask asks the server of one issuer about a token.
func ask(ctx context.Context, p *policy, token string) (Introspection, error) {
	answer, err := foreign.Call(ctx, func() (Introspection, error) {
		return p.opaque.Introspector.Introspect(ctx, IntrospectionRequest{Issuer: p.name, Token: token})
	})
	switch {
	case err != nil:
		return answer, undecided(reason.Introspection, err, time.Second)
	case !answer.Active:
		return answer, refuse(reason.TokenInactive)
	default:
		return answer, nil
	}
}

var errAnswer = errors.New("verifier: the introspector's answer is not a JSON object, or is too large")

// judgeAnswer judges the claims of an answer by the issuer's rules, as if they
// were a token's.
func (v *Verifier) judgeAnswer(p *policy, answer *Introspection, o *options) (*Token, error) {
	if len(answer.Claims) > maxIntrospection {
		return nil, undecided(reason.Introspection, errAnswer, time.Second)
	}
	payload := string(answer.Claims)
	members, err := strictjson.Parse(payload, nil)
	if err != nil {
		return nil, undecided(reason.Introspection, errAnswer, time.Second)
	}
	t, err := readRegistered(&jws.Token{Header: &jws.Header{}, Members: members})
	if err != nil {
		return nil, err
	}
	if t.Issuer != "" && !p.has(t.Issuer) {
		return nil, refuse(reason.IssuerMismatch)
	}
	if !isAccess(members) {
		return nil, refuse(reason.TokenType)
	}
	if err := p.places.read(t, members); err != nil {
		return nil, err
	}
	if err := p.checkClaims(t, members, v.clock.Now(), o); err != nil {
		return nil, err
	}
	if t.Confirmation, err = readConfirmation(strictjson.Find(members, "cnf")); err != nil {
		return nil, err
	}
	t.IssuerName, t.answers, t.payload = p.name, v.answers, payload
	return t, nil
}

// isAccess refuses answers about other tokens than access tokens, such as refresh
// tokens. token_type is "Bearer" or "DPoP" for them (RFC 7662, Section 2.2; RFC
// 6749, Section 5.1); token_use and typ are what some servers add.
func isAccess(members []strictjson.Member) bool {
	if v := strictjson.Find(members, "token_type"); v.Kind() != strictjson.Invalid {
		kind, ok := v.Text()
		if !ok || !strings.EqualFold(kind, "Bearer") && !strings.EqualFold(kind, "DPoP") && !strings.EqualFold(kind, "access_token") {
			return false
		}
	}
	for _, name := range [...]string{"token_use", "typ"} {
		if kind, ok := strictjson.Find(members, name).Text(); ok && strings.Contains(strings.ToLower(kind), "refresh") {
			return false
		}
	}
	return true
}

// introspecting returns the one issuer that an opaque token of this request can
// be of.
func (g *gate) introspecting(ctx context.Context, in *incoming) (*policy, error) {
	if p, err := one(g.all); g.resolver == nil || g.issuers == nil && p == nil && !errors.Is(err, errSeveral) {
		return p, err
	}
	req := ResolveRequest{in: in.copy()}
	if g.issuers != nil {
		value, err := foreign.Call(ctx, func() (*Issuer, error) { return g.issuers.ResolveIssuer(ctx, req) })
		if err == nil && value == nil {
			err = errResolverNil
		}
		if err != nil || req.in.fault.Load() != nil {
			return nil, resolverFailure(err, req.in)
		}
		p, err := g.policyOf(value)
		if err != nil {
			return nil, undecided(reason.Resolver, err, 0)
		}
		return one([]*policy{p})
	}
	domains, err := foreign.Call(ctx, func() ([]string, error) { return g.resolver.ResolveDomains(ctx, req) })
	if err == nil && len(domains) == 0 {
		err = errResolverEmpty
	}
	if err != nil || req.in.fault.Load() != nil {
		return nil, resolverFailure(err, req.in)
	}
	var allowed []*policy
	for _, p := range g.all {
		listed, err := g.lists.has(domains, p.name, g)
		if err != nil {
			return nil, undecided(reason.Resolver, err, 0)
		}
		if listed {
			allowed = append(allowed, p)
		}
	}
	return one(allowed)
}

var errSeveral = errors.New("verifier: several issuers of this request introspect tokens; an opaque token can be of any of them")

// one returns the only policy that introspects.
func one(policies []*policy) (found *policy, err error) {
	for _, p := range policies {
		if p.opaque.Introspector == nil {
			continue
		}
		if found != nil {
			return nil, undecided(reason.Resolver, errSeveral, 0)
		}
		found = p
	}
	if found == nil {
		return nil, refuse(reason.TokenMalformed)
	}
	return found, nil
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
