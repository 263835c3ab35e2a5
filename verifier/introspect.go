package verifier

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/foreign"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// maxIntrospection is how long the claims of an answer can be.
const maxIntrospection = 64 << 10

// isOpaque reports whether a token is no JWT: it has no parts, or the first is no
// JSON object. (One that is encrypted with a secret of its issuer is as good as
// opaque; see jwe.IsOfItsMaker.) What begins like a JWT and has the wrong number of parts is a
// malformed one, perhaps of another issuer, and not to be shown to a server.
func isOpaque(token string) bool {
	dot := strings.IndexByte(token, '.')
	if dot < 0 {
		return true
	}
	head := token[:dot]
	var start [3]byte // every token comes by: it stays on the stack
	n, err := base64.RawURLEncoding.Decode(start[:], []byte(head[:min(len(head), 4)&^3]))
	return err != nil || n == 0 || start[0] != '{' && start[0] != ' ' && start[0] != '\n' && start[0] != '\t' && start[0] != '\r'
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

// askAboutJWT asks about a good JWT of an issuer that wants its JWTs to be asked
// about. What the answer states must agree with the token: a server that knows
// better, by an earlier end or another binding, is believed.
func (v *Verifier) askAboutJWT(ctx context.Context, p *policy, sent string, t *Token) error {
	answer, err := ask(ctx, p, sent)
	if err != nil {
		return err
	}
	if len(answer.Claims) == 0 {
		return nil // an introspector that says yes or no
	}
	stated, _, err := p.readAnswer(&answer)
	switch {
	case err != nil:
		return err
	case stated.Subject != "" && stated.Subject != t.Subject:
		return refuseClaim(reason.ClaimValue, "sub")
	case stated.Audience != nil && !intersect(stated.Audience, t.Audience):
		return refuse(reason.Audience)
	case stated.Confirmation != (Confirmation{}) && stated.Confirmation != t.Confirmation:
		return refuse(reason.Confirmation)
	}
	if stated.ExpiresAt.IsZero() {
		stated.ExpiresAt = t.ExpiresAt
	}
	return p.checkTimes(stated, v.clock.Now())
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

var errAnswer = errors.New("verifier: the introspector's answer is not the JSON object of an active token, or is too large")

// readAnswer reads the claims of an answer about an active token. What is no
// answer at all decides nothing.
func (p *policy) readAnswer(answer *Introspection) (*Token, []strictjson.Member, error) {
	if len(answer.Claims) > maxIntrospection {
		return nil, nil, undecided(reason.Introspection, errAnswer, time.Second)
	}
	payload := string(answer.Claims)
	members, err := strictjson.Parse(payload, nil)
	if active := strictjson.Find(members, "active"); err != nil || active.Kind() != strictjson.Invalid && active.Raw() != "true" {
		return nil, nil, undecided(reason.Introspection, errAnswer, time.Second)
	}
	t, err := readRegistered(&jws.Token{Header: &jws.Header{}, Members: members})
	if err != nil {
		return nil, nil, err
	}
	if t.Issuer != "" && !p.has(t.Issuer) {
		return nil, nil, refuse(reason.IssuerMismatch)
	}
	if !p.isAccess(members) {
		return nil, nil, refuse(reason.TokenType)
	}
	if t.Confirmation, err = readConfirmation(strictjson.Find(members, "cnf")); err != nil {
		return nil, nil, err
	}
	if kind, _ := strictjson.Find(members, "token_type").Text(); strings.EqualFold(kind, "DPoP") && t.Confirmation.JWKThumbprint == "" {
		return nil, nil, refuse(reason.Confirmation) // bound to a key that is not told
	}
	t.payload = payload
	return t, members, nil
}

// judgeAnswer judges the claims of an answer by the issuer's rules, as if they
// were a token's.
func (v *Verifier) judgeAnswer(p *policy, answer *Introspection, o *options) (*Token, error) {
	t, members, err := p.readAnswer(answer)
	if err != nil {
		return nil, err
	}
	if err := p.places.read(t, members); err != nil {
		return nil, err
	}
	if err := p.checkClaims(t, members, v.clock.Now(), o); err != nil {
		return nil, err
	}
	t.IssuerName, t.answers, t.leeway = p.name, v.answers, p.leeway
	return t, nil
}

// accessKinds are what servers call access tokens in an answer: in token_type
// (RFC 7662, Section 2.2; RFC 6749, Section 5.1), and in token_use and typ, which
// some add.
var accessKinds = [...]string{"Bearer", "DPoP", "access_token", "access", "at+jwt", "JWT"}

// isAccess refuses answers about other tokens than access tokens, such as refresh
// tokens, which are active too. A kind that is not known is not taken for one.
func (p *policy) isAccess(members []strictjson.Member) bool {
	for _, name := range [...]string{"token_type", "token_use", "typ"} {
		value := strictjson.Find(members, name)
		if value.Kind() == strictjson.Invalid {
			continue
		}
		kind, ok := value.Text()
		isKind := func(known string) bool { return sameType(known, kind) }
		if !ok || !slices.ContainsFunc(accessKinds[:], isKind) && (name != "typ" || !slices.ContainsFunc(p.types, isKind)) {
			return false
		}
	}
	return true
}
