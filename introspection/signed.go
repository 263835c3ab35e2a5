package introspection

import (
	"context"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// SignedAnswers asks for answers as signed JWTs (RFC 9701), for an API that relies on
// who said them and not on TLS alone. With Audience no other answer is taken; without
// it answers are JSON, and a JWT is none.
//
// An answer is one if its type is token-introspection+jwt, a key of the issuer signed
// it, iss is the issuer, aud holds Audience, and iat is now, give or take a minute. It
// must not be encrypted. What is in its token_introspection claim is judged as every
// other answer. The signature is not kept: Cache holds what was inside.
type SignedAnswers struct {
	// Audience is how the issuer names this API in its answers (RFC 9701, Section 5),
	// such as the ClientID.
	Audience string
	// Algorithms are the allowed signature algorithms, by their exact names. Default
	// RS256, as in RFC 9701, Section 6.
	Algorithms []string
	// JWKSURL is where the keys are. Default: what the issuer's metadata says, which is
	// found under Domain, also where Endpoint is set.
	JWKSURL string
	// KeyHosts are hosts on which the metadata may place the keys, beside its own.
	KeyHosts []string
}

const (
	// acceptSigned is the media type of a signed answer (RFC 9701, Section 5).
	acceptSigned = "application/token-introspection+jwt"
	// maxOff is by how much the iat of an answer can be off: it is made when it is
	// asked for.
	maxOff = time.Minute
)

// signed is SignedAnswers, checked.
type signed struct {
	audience   string
	issuer     []string // spellings
	algorithms []*keyset.Algorithm
	entry      *keys.Entry
}

// audienceOf tells the answers of a client that wants signed ones from those of
// others.
func (s *signed) audienceOf() string {
	if s == nil {
		return ""
	}
	return "signed for " + s.audience
}

func (c *Client) applySigned(cfg *Config) error {
	s := &cfg.SignedAnswers
	if s.Audience == "" {
		if len(s.Algorithms) > 0 || s.JWKSURL != "" || len(s.KeyHosts) > 0 {
			return invalid("SignedAnswers", "has no Audience")
		}
		return nil
	}
	c.signed = &signed{audience: s.Audience, issuer: c.spellings}
	names := s.Algorithms
	if len(names) == 0 {
		names = []string{"RS256"}
	}
	for _, name := range names {
		a := keyset.AlgorithmByName(name)
		if a == nil {
			return invalid("SignedAnswers", "has an algorithm that is not a supported asymmetric one")
		}
		c.signed.algorithms = append(c.signed.algorithms, a)
	}
	source, err := keys.NewSource(keys.SourceConfig{
		Name: c.name, Spellings: c.spellings, JWKS: s.JWKSURL, Hosts: s.KeyHosts, HTTPHosts: cfg.HTTPHosts, Doer: c.doer,
	})
	if err != nil {
		return invalid("SignedAnswers", "has a JWKSURL or KeyHosts from which no keys can be fetched, or no JWKSURL, and Domain is none under which metadata is found")
	}
	c.signed.entry = c.documents.Pin(source)
	return nil
}

// open returns the answer inside of a signed one.
func (s *signed) open(ctx context.Context, now time.Time, reply *fetch.Reply) ([]byte, error) {
	media, _, err := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	if err != nil || media != acceptSigned {
		return nil, &Error{kind: ErrInvalidResponse}
	}
	parsed, err := jws.Parse(string(reply.Body), nil, nil)
	if typ := strings.ToLower(parsed.Header.Type); err != nil || typ != "token-introspection+jwt" && typ != acceptSigned {
		return nil, &Error{kind: ErrInvalidResponse}
	}
	at := slices.IndexFunc(s.algorithms, func(a *keyset.Algorithm) bool { return a.Name == parsed.Header.Algorithm })
	if at < 0 || !s.isOurs(parsed.Members, now) {
		return nil, &Error{kind: ErrInvalidResponse}
	}
	if err := s.entry.CheckSigned(ctx, now, "introspection", s.algorithms[at], &parsed); err != nil {
		return nil, failed(ctx, ErrInvalidResponse, err)
	}
	return []byte(strictjson.Find(parsed.Members, "token_introspection").Raw()), nil
}

// isOurs reports whether an answer is the issuer's, for this API, and of now (RFC
// 9701, Section 5).
func (s *signed) isOurs(members []strictjson.Member, now time.Time) bool {
	iss, _ := strictjson.Find(members, "iss").Text()
	made, ok := strictjson.Find(members, "iat").Time()
	if !ok || made.Before(now.Add(-maxOff)) || made.After(now.Add(maxOff)) || !slices.Contains(s.issuer, iss) {
		return false
	}
	aud := strictjson.Find(members, "aud")
	if one, ok := aud.Text(); ok {
		return one == s.audience
	}
	list, _ := aud.Elements(nil)
	return slices.ContainsFunc(list, func(e strictjson.Value) bool { text, _ := e.Text(); return text == s.audience })
}
