package verifier

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/htu"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/strictjson"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// ProofRequest is what a DPoP proof is checked against.
type ProofRequest struct {
	// Proof is the value of the DPoP header.
	Proof string
	// AccessToken that came with it.
	AccessToken string
	// Method of the request, in its exact case.
	Method string
	// URL of the request as the client sees it, absolute. Query and fragment do
	// not count.
	URL string
	// JWKThumbprint that the access token is bound to; "" leaves the check of
	// the binding to the caller.
	JWKThumbprint string
}

// parse reads a proof without checking it.
func (p *proofs) parse(compact string) (jws.Token, error) {
	if len(compact) > p.maxSize {
		return jws.Token{}, refuseSize(reason.ProofTooLarge, p.maxSize)
	}
	if strings.Contains(compact, ",") {
		return jws.Token{}, refuse(reason.ProofMultiple) // several field lines, joined
	}
	parsed, err := jws.Parse(compact, p.headers, make([]strictjson.Member, 0, 8))
	if err != nil {
		return jws.Token{}, refuse(reason.ProofMalformed)
	}
	return parsed, nil
}

// check does the checks of RFC 9449, Section 4.3, then the binding, the
// nonce, and last of all the replay record, so that nothing but an otherwise
// perfect proof is ever recorded.
func (p *proofs) check(ctx context.Context, parsed *jws.Token, req *ProofRequest) (*Proof, error) {
	key, err := p.checkSignature(parsed)
	if err != nil {
		return nil, err
	}
	proof := &Proof{JWKThumbprint: key.thumbprint}
	normal, err := p.checkClaims(parsed, proof, req)
	if err != nil {
		return nil, err
	}
	if req.JWKThumbprint != "" && !equalText(req.JWKThumbprint, key.thumbprint) {
		return nil, refuse(reason.BindingMismatch)
	}
	if err := p.checkNonce(ctx, proof); err != nil {
		return nil, err
	}
	if err := p.record(ctx, proof, normal); err != nil {
		return nil, err
	}
	p.headers.Remember(parsed.Header)
	p.keys.remember(parsed.Header.Segment, key)
	return proof, nil
}

func (p *proofs) checkSignature(parsed *jws.Token) (*proofKey, error) {
	key := p.keys.get(parsed.Header.Segment)
	if key == nil {
		var err error
		if key, err = p.key(parsed.Header); err != nil {
			return nil, err
		}
	}
	if !key.key.Verify(key.algorithm, parsed.SigningInput, parsed.Signature) {
		return nil, refuse(reason.ProofSignature)
	}
	return key, nil
}

// key reads the key that a proof names for itself (RFC 9449, Section 4.2).
func (p *proofs) key(h *jws.Header) (*proofKey, error) {
	if !sameType(h.Type, "dpop+jwt") {
		return nil, refuse(reason.ProofType)
	}
	algorithm := p.algorithms.find(h.Algorithm)
	if algorithm == nil {
		return nil, refuse(reason.ProofAlgorithm)
	}
	members, ok := h.JWK.Members(nil)
	if !ok {
		return nil, refuse(reason.ProofKey)
	}
	key, err := keyset.ParseKey(members, p.known)
	if err != nil || !key.Fits(algorithm) || !keyset.ForSignatures(members) || !key.Ready(algorithm) {
		return nil, refuse(reason.ProofKey)
	}
	return &proofKey{key: key, algorithm: algorithm, thumbprint: key.Thumbprint()}, nil
}

// checkClaims fills the proof and returns the normal form of the URL.
func (p *proofs) checkClaims(parsed *jws.Token, proof *Proof, req *ProofRequest) (normal string, err error) {
	text := func(name string) (value string) {
		value, ok := strictjson.Find(parsed.Members, name).Text()
		if !ok || value == "" {
			err = refuseClaim(reason.ProofClaim, name)
		}
		return value
	}
	proof.ID, proof.Method, proof.URL = text("jti"), text("htm"), text("htu")
	ath := text("ath")
	var ok bool
	if proof.IssuedAt, ok = strictjson.Find(parsed.Members, "iat").Time(); !ok {
		err = refuseClaim(reason.ProofClaim, "iat")
	}
	if n := strictjson.Find(parsed.Members, "nonce"); n.Kind() != strictjson.Invalid {
		// Where nonces are in use, what is no text matches none of them, and the
		// answer provides one (RFC 9449, Section 9).
		if proof.Nonce, ok = n.Text(); !ok && p.nonces == nil {
			err = refuseClaim(reason.ProofClaim, "nonce")
		}
	}
	if err != nil {
		return "", err
	}
	if proof.Method != req.Method { // RFC 9110, Section 9.1: case-sensitive
		return "", refuse(reason.ProofMethod)
	}
	if normal, err = htu.Normalize(req.URL); err != nil {
		return "", refuse(requestURLFault(req.URL))
	}
	if claimed, err := htu.Normalize(proof.URL); err != nil || claimed != normal {
		return "", refuse(reason.ProofURL)
	}
	if err := p.checkTimes(parsed, proof.IssuedAt); err != nil {
		return "", err
	}
	if !equalText(ath, tokenHash(req.AccessToken)) {
		return "", refuse(reason.ProofTokenHash)
	}
	return normal, nil
}

// checkTimes checks iat (RFC 9449, Section 4.3, item 11), and exp and nbf where a
// client restricts its proof further (RFC 7519, Sections 4.1.4 and 4.1.5).
func (p *proofs) checkTimes(parsed *jws.Token, issuedAt time.Time) error {
	now := p.clock.Now()
	if now.Sub(issuedAt) > p.maxAge || issuedAt.Sub(now) > p.futureSkew {
		return refuse(reason.ProofIssuedAt)
	}
	if n := strictjson.Find(parsed.Members, "exp"); n.Kind() != strictjson.Invalid {
		switch exp, ok := n.Time(); {
		case !ok:
			return refuseClaim(reason.ProofClaim, "exp")
		case !now.Before(exp):
			return refuse(reason.ProofIssuedAt)
		}
	}
	if n := strictjson.Find(parsed.Members, "nbf"); n.Kind() != strictjson.Invalid {
		switch nbf, ok := n.Time(); {
		case !ok:
			return refuseClaim(reason.ProofClaim, "nbf")
		case nbf.Sub(now) > p.futureSkew: // as iat
			return refuse(reason.ProofIssuedAt)
		}
	}
	return nil
}

// tokenHash is the ath of a token (RFC 9449, Section 4.2).
func tokenHash(token string) string {
	sum := sum256(token)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// requestURLFault tells a caller that gives no absolute http URL from a client
// that asked for a path no valid URL has.
func requestURLFault(raw string) Reason {
	scheme, rest, found := strings.Cut(raw, "://")
	if found && rest != "" && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")) {
		return reason.ProofURL
	}
	return reason.Argument
}
