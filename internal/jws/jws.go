// Package jws parses JSON Web Signatures in compact serialisation (RFC 7515,
// Section 7.1) whose payload is a JSON object: access tokens and DPoP proofs.
// It parses; it does not verify.
package jws

import (
	"errors"
	"strings"
	"sync"

	"github.com/portcullis-go/portcullis/internal/base64url"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// What is wrong with a token. The errors hold none of its bytes.
var (
	// ErrCompact: not three canonical base64url parts (RFC 7515, Section 7.1).
	ErrCompact = errors.New("jws: not in compact serialisation")
	// ErrHeader and ErrPayload: not one strict JSON object, or a registered
	// header parameter of the wrong type.
	ErrHeader  = errors.New("jws: malformed header")
	ErrPayload = errors.New("jws: malformed payload")
	// ErrCritical: the header demands an extension; none is understood, so the
	// token must be refused (RFC 7515, Section 4.1.11).
	ErrCritical = errors.New("jws: critical extension is not understood")
)

// Header is the protected header.
type Header struct {
	Algorithm string
	KeyID     string
	HasKeyID  bool
	Type      string
	HasType   bool
	// JWK is the "jwk" parameter (RFC 7515, Section 4.1.3), for proofs.
	JWK strictjson.Value
	// Segment is the base64url text that the header was read from.
	Segment string
	// remembered: it was put into a Headers. The one that the token came from
	// may have started anew since; the next token brings it back.
	remembered bool
}

// Token is a parsed, unverified JWS.
type Token struct {
	Header *Header
	// Payload is the decoded payload, Members its members.
	Payload string
	Members []strictjson.Member
	// SigningInput is what the signature is over (RFC 7515, Section 5.1).
	SigningInput string
	Signature    []byte
}

// Parse reads a compact JWS. Headers that were remembered in headers are not
// parsed again; headers may be nil. scratch is reused for the members.
func Parse(compact string, headers *Headers, scratch []strictjson.Member) (Token, error) {
	headerSegment, payloadSegment, signatureSegment, ok := split(compact)
	if !ok {
		return Token{}, ErrCompact
	}
	header := headers.get(headerSegment)
	if header == nil {
		var err error
		if header, err = parseHeader(headerSegment); err != nil {
			return Token{}, err
		}
	}
	payload, ok := decodeText(payloadSegment)
	if !ok {
		return Token{}, ErrCompact
	}
	signature, _ := base64url.Decode(nil, signatureSegment) // nothing where it is malformed
	if len(signature) == 0 {
		return Token{}, ErrCompact
	}
	members, err := strictjson.Parse(payload, scratch)
	if err != nil {
		return Token{}, ErrPayload
	}
	return Token{
		Header:       header,
		Payload:      payload,
		Members:      members,
		SigningInput: compact[:len(headerSegment)+1+len(payloadSegment)],
		Signature:    signature,
	}, nil
}

// split cuts at the two dots; a third one makes it a JWE or nothing known.
func split(compact string) (header, payload, signature string, ok bool) {
	first := strings.IndexByte(compact, '.')
	if first <= 0 {
		return "", "", "", false
	}
	second := strings.IndexByte(compact[first+1:], '.')
	if second <= 0 {
		return "", "", "", false
	}
	second += first + 1
	signature = compact[second+1:]
	if strings.IndexByte(signature, '.') >= 0 {
		return "", "", "", false
	}
	return compact[:first], compact[first+1 : second], signature, true
}

// spaces are where texts are decoded: they are used again, since to clear one costs
// as much as to decode a short text.
var spaces = sync.Pool{New: func() any { return new([2048]byte) }}

func decodeText(segment string) (string, bool) {
	space := spaces.Get().(*[2048]byte)
	defer spaces.Put(space)
	data, ok := base64url.Decode(space[:], segment)
	return string(data), ok
}

func parseHeader(segment string) (*Header, error) {
	text, ok := decodeText(segment)
	if !ok {
		return nil, ErrCompact
	}
	// The copy of the segment keeps a remembered header from holding on to the
	// whole token.
	h := &Header{Segment: strings.Clone(segment)}
	members, err := strictjson.Parse(text, make([]strictjson.Member, 0, 6))
	if err != nil {
		return nil, ErrHeader
	}
	for _, m := range members {
		ok := true
		switch m.Name {
		case "alg":
			h.Algorithm, ok = m.Value.Text()
		case "kid":
			h.KeyID, ok = m.Value.Text()
			h.HasKeyID = true
		case "typ":
			h.Type, ok = m.Value.Text()
			h.HasType = true
		case "jwk":
			h.JWK = m.Value
		case "crit":
			return nil, ErrCritical
		case "b64":
			// RFC 7797, Section 6: it must be listed in crit, so whoever sends
			// it without wants two readers to see two payloads.
			return nil, ErrCritical
		case "enc", "zip":
			// Parameters of a JWE (RFC 7516, Section 4.1): not a signed token.
			return nil, ErrHeader
		}
		if !ok {
			return nil, ErrHeader
		}
	}
	return h, nil
}
