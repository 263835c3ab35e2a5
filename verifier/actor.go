package verifier

import (
	"strings"

	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// Actor is a party that acts for the subject of a token (RFC 8693, Section
// 4.1).
type Actor struct {
	// Subject is the sub member; it is never blank.
	Subject string
	// Issuer and ClientID are the iss and client_id members, or "".
	Issuer   string
	ClientID string
}

// Actor returns the party that currently acts for the subject (the outermost
// act claim), or nil when nobody does. Only this actor may be considered in
// access decisions (RFC 8693, Section 4.1). The error, for an act claim that is
// malformed, matches [ErrInvalidToken].
func (t *Token) Actor() (*Actor, error) {
	act := t.claim("act")
	if absent(act) {
		return nil, nil
	}
	actor, _, err := t.actor(act)
	if err != nil {
		return nil, err
	}
	return &actor, nil
}

// DelegationChain returns the current actor and those before it, newest first,
// for records: earlier actors are history, not grounds for a decision. It is
// empty when nobody acts for the subject. The error, for an act claim that is
// malformed at any depth, matches [ErrInvalidToken].
func (t *Token) DelegationChain() ([]Actor, error) {
	var chain []Actor
	for act := t.claim("act"); !absent(act); {
		actor, next, err := t.actor(act)
		if err != nil {
			return nil, err
		}
		chain, act = append(chain, actor), next
	}
	return chain, nil
}

// actor reads one act object and what is nested in it.
func (t *Token) actor(act strictjson.Value) (actor Actor, next strictjson.Value, err error) {
	members, ok := act.Members(nil)
	if !ok {
		return Actor{}, next, t.malformedActor()
	}
	actor.Subject, _ = strictjson.Find(members, "sub").Text()
	if strings.TrimSpace(actor.Subject) == "" {
		return Actor{}, next, t.malformedActor()
	}
	actor.Issuer, _ = strictjson.Find(members, "iss").Text()
	actor.ClientID, _ = strictjson.Find(members, "client_id").Text()
	return actor, strictjson.Find(members, "act"), nil
}

func (t *Token) malformedActor() error {
	e := refuseClaim(reason.ClaimMalformed, "act")
	if t.answers != nil {
		return t.answers.attach(e, t.Scheme)
	}
	return e
}
