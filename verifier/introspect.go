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
